"""Which file of a dataset folder is what.

Only names are looked at here; nothing is read. What is missing is None, and
the message that names it is written where it is missed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_seespot.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_seespot.sources._location import Location

__all__ = [
    "FUSED",
    "SEGMENTATION",
    "TABLES",
    "SpotTables",
    "find_images",
    "find_masks",
    "find_tables",
    "find_tiles",
    "looks_like_dataset",
    "split_tile",
    "tile_folder",
    "tile_suffix",
]

TABLES = "image_spot_spectral_unmixing"
FUSED = "image_tile_fusing/fused"
SEGMENTATION = "cell_body_segmentation"

TABLE_SUFFIXES = (".pkl", ".parquet", ".feather", ".csv")

_ROUND = re.compile(r"_R(-?\d+)(?=[_.])")
_MIN_DIST = re.compile(r"_minDist_(\d+(?:\.\d+)?)(?=[_.])", re.IGNORECASE)
_TILE = re.compile(r"(?:Tile_)?(X_\d+_Y_\d+_Z_\d+)", re.IGNORECASE)
_TILE_NAME = re.compile(r"(?P<name>.+)_(?P<tile>X_\d+_Y_\d+_Z_\d+)")
_IMAGE = re.compile(r"channel_(.+)\.zarr")
_MASK = re.compile(r"(segmentation_mask.*)\.zarr")


@dataclass(frozen=True)
class SpotTables:
    """The tables of a dataset, or of one of its tiles; paths inside the dataset.

    Attributes
    ----------
    folder : str
        Where they lie.
    tile : str or None
        The tile's folder, ``"Tile_X_0001_Y_0000_Z_0000"``.
    round : str or None
        As the names tell; None where they tell none, or ``R-1``.
    unmixed : mapping of str to str
        Path by `min_dist`, smallest first; ``""`` where the name has none.
    notes : tuple of str
        What was chosen between.
    """

    folder: str
    tile: str | None = None
    round: str | None = None
    mixed: str | None = None
    merged: str | None = None
    unmixed: Mapping[str, str] = field(default_factory=dict)
    ratios: str | None = None
    summary: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def exist(self) -> bool:
        """Whether there are spots to read at all."""
        return bool(self.mixed or self.merged or self.unmixed)

    @property
    def min_dists(self) -> tuple[str, ...]:
        """The de-duplication radii to choose from, smallest first."""
        return tuple(radius for radius in self.unmixed if radius)


def find_tables(
    location: Location, *, tile: str | None = None, round_: str | None = None
) -> SpotTables:
    """Return the spot tables of a dataset, or of one of its tiles.

    Parameters
    ----------
    location : Location
        The dataset folder.
    tile : str, optional
        A tile's folder; the tables of the whole by default.
    round_ : str, optional
        The round to take where there are tables of several; the lowest one
        that has verdicts by default.
    """
    folder = f"{TABLES}/{tile}" if tile else TABLES
    names = location.names(folder)
    spots = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    mixed = [name for name in spots if name.startswith("mixed_spots")]
    unmixed = [name for name in spots if name.startswith("unmixed_spots")]
    chosen, notes = _choose_round(mixed, unmixed, round_)
    paths = {
        "mixed": _first(_of_round(mixed, chosen)),
        "merged": _first([name for name in spots if "merged" in name.lower()]),
        "ratios": _first(_of_round(_ending(names, "ratios.txt"), chosen)),
        "summary": _first(_of_round(_ending(names, "summary_stats.csv"), chosen)),
    }
    return SpotTables(
        folder=folder,
        tile=tile,
        round=None if chosen == "-1" else chosen,
        unmixed=_by_min_dist(folder, _of_round(unmixed, chosen)),
        notes=notes,
        **{what: name and f"{folder}/{name}" for what, name in paths.items()},
    )


def _ending(names: Sequence[str], end: str) -> list[str]:
    return [name for name in names if name.lower().endswith(end)]


def _first(names: Sequence[str]) -> str | None:
    """Return the plainest of several names: `mixed_spots_R4.pkl` before a copy."""
    return min(names, key=lambda name: (len(name), name), default=None)


def _round_of(name: str) -> str | None:
    found = _ROUND.search(name) or re.match(r"(?:r|round_)(-?\d+)_", name)
    return found[1] if found else None


def _of_round(names: Sequence[str], chosen: str | None) -> list[str]:
    return [name for name in names if _round_of(name) in (None, chosen)]


def _choose_round(
    mixed: Sequence[str], unmixed: Sequence[str], wanted: str | None
) -> tuple[str | None, tuple[str, ...]]:
    rounds = {_round_of(name) for name in (*mixed, *unmixed)} - {None}
    if len(rounds) < 2:
        return next(iter(rounds), None), ()
    judged = {_round_of(name) for name in unmixed} - {None} or rounds
    found = sorted((r for r in rounds if r), key=int)
    chosen = next((r for r in found if r in judged), found[0])
    if wanted in judged:
        chosen = str(wanted)
    return chosen, (f"there are tables of rounds {', '.join(found)}: {chosen} is open",)


def _by_min_dist(folder: str, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name in names:
        radius = _MIN_DIST.search(name)
        found.setdefault(radius[1] if radius else "", []).append(name)
    order = sorted(found, key=lambda radius: (not radius, float(radius or 0)))
    return {radius: f"{folder}/{_first(found[radius])}" for radius in order}


def find_tiles(location: Location) -> tuple[str, ...]:
    """Return the folders of a tiled dataset's tiles, sorted."""
    return tuple(name for name in location.names(TABLES) if _TILE.fullmatch(name))


def tile_suffix(tile: str) -> str:
    """Return a tile as names of datasets end: ``"X_0001_Y_0000_Z_0000"``.

    Raises
    ------
    NotFoundError
        When it does not name a tile.
    """
    found = _TILE.fullmatch(tile.strip())
    if not found:
        raise NotFoundError(
            f"{tile!r} is not the name of a tile", expected="X_0001_Y_0000_Z_0000"
        )
    return found[1].upper()


def tile_folder(location: Location, tile: str) -> str:
    """Return the folder of a tile, given its name or its folder's.

    Raises
    ------
    NotFoundError
        When the dataset has no such tile.
    """
    tiles = find_tiles(location)
    wanted = tile_suffix(tile)
    for folder in tiles:
        if tile_suffix(folder) == wanted:
            return folder
    raise NotFoundError(
        f"there is no tile {wanted}",
        where=location.uri_of(TABLES),
        expected=f"one of {', '.join(map(tile_suffix, tiles))}"
        if tiles
        else "folders such as Tile_X_0001_Y_0000_Z_0000: the dataset is not tiled",
    )


def split_tile(name: str) -> tuple[str, str] | None:
    """Return the dataset and the tile that ``NAME_X_0001_Y_0000_Z_0000`` means."""
    found = _TILE_NAME.fullmatch(name)
    return (found["name"], found["tile"]) if found else None


def find_images(location: Location) -> dict[str, str]:
    """Return the path of each channel's fused image."""
    return _matching(location, FUSED, _IMAGE)


def find_masks(location: Location) -> dict[str, str]:
    """Return the path of each segmentation, by its name."""
    return _matching(location, SEGMENTATION, _MASK)


def _matching(
    location: Location, folder: str, pattern: re.Pattern[str]
) -> dict[str, str]:
    found = ((pattern.fullmatch(name), name) for name in location.names(folder))
    return {match[1]: f"{folder}/{name}" for match, name in found if match}


def looks_like_dataset(names: Sequence[str]) -> bool:
    """Whether a folder with these names in it is a dataset's."""
    own = {TABLES, FUSED.partition("/")[0], "processing_manifest.json", "derived"}
    return not own.isdisjoint(names)
