"""A dataset folder, wherever it lies, as a `Dataset`.

What may be missing is missing: ratios, summary, manifest, images, masks, the
mixed table. What must be there is named with the folder in which it was looked
for. The tables of a tiled dataset are opened tile by tile, or all together.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pandas as pd

from napari_seespot.columns import (
    channel_name,
)
from napari_seespot.dataset import Dataset, LazyMapping
from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.sources import _layout
from napari_seespot.sources._folder_images import lazy_images, lazy_masks
from napari_seespot.sources._import_plan import ImportPlan
from napari_seespot.sources._manifest import MANIFESTS, Manifest, read_manifest
from napari_seespot.sources._task import Task
from napari_seespot.sources.cache import spots_through_cache
from napari_seespot.unmixing import parse_ratios

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot._addresses import StorageOptions
    from napari_seespot.sources._layout import SpotTables
    from napari_seespot.sources._location import Location

__all__ = ["open_folder"]


def open_folder(
    location: Location,
    *,
    min_dist: str | float | None = None,
    tile: str | None = None,
    cache: bool = True,
    task: Task | None = None,
    storage: StorageOptions | None = None,
) -> Dataset:
    """Open a dataset folder.

    Parameters
    ----------
    location : Location
        The folder.
    min_dist : str or number, optional
        The de-duplication radius, in voxels, of the unmixed table to read; the
        smallest there is by default.
    tile : str, optional
        One tile of a tiled dataset (``"X_0001_Y_0000_Z_0000"``); all of them
        together by default.
    cache : bool
        Keep the merged table in the user's cache, and take it from there.
    task : Task, optional
        Progress and cancelling.
    storage : object, optional
        How images are reached, passed on to `ChannelImage.open`.

    Raises
    ------
    NotFoundError
        When there are no spot tables, or not the ones asked for.
    TableError, UnsafePickleError
        When a table or the manifest does not hold what it must.
    RatiosError
        When the ratios do not fit the channels.
    """
    task = task or Task()
    task.step(0.0, f"looking into {location.name}")
    manifest = read_manifest(location)
    tables = _tables(location, manifest, tile)
    tiled = tables[0].tile is not None
    plan = ImportPlan(location, manifest, tables, _radius(location, tables, min_dist))
    imported = spots_through_cache(
        plan.key, lambda: plan.build(task.part(0.05, 0.9)), enabled=cache
    )
    genes = manifest.genes if manifest else {}
    spots = imported.spots.replace(genes=genes)
    ratios, notes = _ratios(location, tables, spots.channels)
    summary = _summary(location, tables, plan.min_dist)
    task.step(1.0, f"{len(spots):,} spots")
    name = location.name
    if tile is not None:
        name = f"{name}_{_layout.tile_suffix(tile)}"
    return Dataset(
        name=name,
        uri=_uri(location, tile),
        spots=spots,
        # A tile's spots are counted from its own corner: no image fits them.
        images=LazyMapping() if tiled else lazy_images(location, spots, storage),
        masks=LazyMapping() if tiled else lazy_masks(location, storage),
        ratios=ratios,
        summary=summary,
        round=tables[0].round or (manifest.round if manifest else None),
        min_dist=plan.min_dist or None,
        min_dists=_common_radii(tables),
        notes=(*_manifest_notes(location, manifest), *imported.notes, *notes),
        info=manifest.content if manifest else {},
    )


def _uri(location: Location, tile: str | None) -> str:
    return f"{location.uri}_{_layout.tile_suffix(tile)}" if tile else location.uri


def _manifest_notes(location: Location, manifest: Manifest | None) -> tuple[str, ...]:
    if manifest is None:
        return (
            f"there is no {' or '.join(MANIFESTS)}: channels are taken from the "
            "table, and genes are unknown",
        )
    if manifest.channels is None:
        where = location.uri_of(manifest.path)
        return (f"{where} lists no spot_channels: they are taken from the table",)
    return ()


def _tables(
    location: Location, manifest: Manifest | None, tile: str | None
) -> tuple[SpotTables, ...]:
    """Return the tables to open: one of the whole, or those of the tiles."""
    round_ = manifest.round if manifest else None
    if tile is not None:
        folder = _layout.tile_folder(location, tile)
        wanted = _layout.find_tables(location, tile=folder, round_=round_)
        return (_checked(location, wanted),)
    whole = _layout.find_tables(location, round_=round_)
    tiles = () if whole.exist else _layout.find_tiles(location)
    if not tiles:
        return (_checked(location, whole),)
    found = [_layout.find_tables(location, tile=t, round_=round_) for t in tiles]
    there = [table for table in found if table.exist] or found[:1]
    return tuple(_checked(location, table) for table in there)


def _checked(location: Location, tables: SpotTables) -> SpotTables:
    """Return the tables, or say what is missing and where it was looked for."""
    where = location.uri_of(tables.folder)
    if tables.mixed and not tables.unmixed and not tables.merged:
        raise NotFoundError(
            f"there is a mixed table, {tables.mixed.rpartition('/')[2]}, and no "
            "unmixed one",
            where=where,
            expected="unmixed_spots_R<round>_minDist_<voxels>.pkl",
            hint="Run the spectral unmixing, or copy its table here",
        )
    if not tables.exist:
        raise NotFoundError(
            "there are no spot tables",
            where=where,
            expected="mixed_spots_R<round>.pkl and "
            "unmixed_spots_R<round>_minDist_<voxels>.pkl, or folders of tiles "
            "such as Tile_X_0000_Y_0000_Z_0000 with them",
            hint=_what_it_is(location),
        )
    return tables


def _what_it_is(location: Location) -> str:
    names = location.names()
    inside = [
        name for name in names if _layout.looks_like_dataset(location.names(name))
    ]
    if inside:
        return (
            f"{location.name} holds {len(inside)} dataset folders, such as "
            f"{inside[0]}: open one of them, or list them with list_datasets"
        )
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"The folder holds {listed or 'nothing'}"


def _common_radii(tables: Sequence[SpotTables]) -> tuple[str, ...]:
    judged = [t for t in tables if t.unmixed]
    if not judged:
        return ()
    return tuple(
        radius
        for radius in judged[0].min_dists
        if all(radius in table.min_dists for table in judged)
    )


def _radius(
    location: Location, tables: Sequence[SpotTables], wanted: str | float | None
) -> str:
    """Return the `min_dist` to open, as the file names write it; "" where none."""
    common = _common_radii(tables)
    if wanted is None:
        return common[0] if common else ""
    for radius in common:
        if _same_number(radius, wanted):
            return radius
    raise NotFoundError(
        f"there is no unmixed table of minDist {wanted}",
        where=location.uri_of(tables[0].folder),
        expected=f"one of {', '.join(common)}" if common else "a table without minDist",
    )


def _same_number(radius: str, wanted: object) -> bool:
    try:
        return float(radius) == float(str(wanted))
    except ValueError:
        return False


def _ratios(
    location: Location, tables: Sequence[SpotTables], channels: Sequence[str]
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    found = []
    for table in tables:
        if table.ratios:
            text = location.read(table.ratios).decode("utf-8", "replace")
            where = location.uri_of(table.ratios)
            found.append(parse_ratios(text, channels, where))
    if not found:
        return None, ()
    if all(found[0].equals(other) for other in found[1:]):
        return found[0], ()
    return None, (
        "the ratios differ between tiles: open a single tile to see its dye lines",
    )


def _summary(
    location: Location, tables: Sequence[SpotTables], min_dist: str
) -> pd.DataFrame | None:
    found = []
    for table in tables:
        if table.summary:
            where = location.uri_of(table.summary)
            found.append(_read_summary(location.read(table.summary), where))
    if not found:
        return None
    summary = pd.concat(found, ignore_index=True)
    if min_dist and "min_dist" in summary:
        radius = pd.to_numeric(summary["min_dist"], errors="coerce")
        own = summary[radius == float(min_dist)]
        summary = (own if len(own) else summary).reset_index(drop=True)
    return summary


def _read_summary(text: bytes, where: str) -> pd.DataFrame:
    try:
        summary = pd.read_csv(io.BytesIO(text))
    except (ValueError, pd.errors.ParserError) as error:
        raise TableError(
            f"the summary cannot be read: {error}",
            where=where,
            expected="comma-separated values with a row for each channel",
        ) from None
    if "channel" not in summary:
        raise TableError(
            f"the summary has no column 'channel'; its columns are "
            f"{', '.join(map(str, summary.columns)) or 'none'}",
            where=where,
            expected="a row for each channel",
        )
    summary["channel"] = [channel_name(value) or "" for value in summary["channel"]]
    return summary
