"""The names that columns have here, and those that they have elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_seespot.columns import intensity_channels
from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.sources.merge import KEPT, VERDICT
from napari_seespot.typed import BOOLEANS, CATEGORIES, FLOATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

__all__ = [
    "guess_columns",
    "is_known",
    "lacks",
    "renamed",
    "renames",
    "to_rename",
]

TEXT = ("chan", "unmixed_chan", "v3_chan", "tile_name", *CATEGORIES)

_OTHER_COLUMNS = ("spot_id", "unmixed_removed", "fg", "bg")
_KNOWN = frozenset((*_OTHER_COLUMNS, *KEPT, *VERDICT, *TEXT, *FLOATS, *BOOLEANS))

_MEASURED = re.compile(r"chan_.+_(intensity|fg|bg)")

# What tables of others call these columns, as `_plain` writes it.
_OTHERS = {
    "spot_id": "spotid id spotindex index label spotlabel",
    "chan": "channel detectedchannel ch detectionchannel mixedchannel mixedchan "
    "channelname",
    "unmixed_chan": "unmixedchannel assignedchannel assignedchan dye assigneddye "
    "finalchannel",
    "chan_spot_id": "channelspotid chanspot spotinchannel",
    "cell_id": "cellid cell segid segmentid segmentationid maskid cellbody",
    "round": "roundid imaginground rnd",
    "z": "zvoxel zpx zpixel zpos posz positionz axis0 zcenter0 zcoord coordz",
    "y": "yvoxel ypx ypixel ypos posy positiony axis1 ycoord coordy row",
    "x": "xvoxel xpx xpixel xpos posx positionx axis2 xcoord coordx col column",
    "z_center": "zoffset zsub subz dz",
    "y_center": "yoffset ysub suby dy",
    "x_center": "xoffset xsub subx dx",
    "dist": "distance fitdistance centerdist centerdistance",
    "r": "corr correlation pearsonr fitr rvalue psfr",
    "valid_spot": "valid isvalid validspots qcpass passesqc",
    "unmixed_removed": "removed isremoved deleted isdeleted",
    "dye_line_dist_ratio": "dyelineratio distratio lineratio dyeratio "
    "dyelinedistanceratio",
    "over_thresh": "overthreshold abovethreshold thresholded",
    "tile": "tileid tilename fov",
}
_BY_OTHER = {name: ours for ours, names in _OTHERS.items() for name in names.split()}

_NUMBERED = re.compile(
    r"(?:chan|channel|ch|intensity|int|i|signal|brightness)*"
    r"(\d{3,4})(?:nm)?"
    r"(?:chan|channel|intensity|int|signal|brightness)*"
)


def is_known(name: str) -> bool:
    """Whether a column has a meaning here."""
    return name in _KNOWN or _MEASURED.fullmatch(name) is not None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def guess_columns(names: Iterable[str]) -> dict[str, str]:
    """Guess what a table's columns are called here.

    Parameters
    ----------
    names : iterable of str
        The names in the table.

    Returns
    -------
    dict of str to str
        Our name by theirs, of those that differ. No name of ours is in it
        twice, nor one that the table has already.
    """
    names = list(map(str, names))
    taken = {name for name in names if is_known(name)}
    guessed: dict[str, str] = {}
    for name in names:
        ours = None if name in taken else _guess(name)
        if ours and ours not in taken:
            guessed[name] = ours
            taken.add(ours)
    return guessed


def _guess(name: str) -> str | None:
    plain = _plain(name)
    if plain in _BY_OTHER:
        return _BY_OTHER[plain]
    ours = next((known for known in sorted(_KNOWN) if _plain(known) == plain), None)
    if ours:
        return ours
    numbered = _NUMBERED.fullmatch(plain)
    return f"chan_{numbered[1]}_intensity" if numbered else None


def renames(
    names: Iterable[str], column_map: Mapping[str, str | None] | None, where: str
) -> dict[str, str]:
    """Return what each column of a table is called here, of those that matter.

    Parameters
    ----------
    names : iterable of str
        The names in the table.
    column_map : mapping of str to str or None, optional
        Our name by theirs; None leaves a column out.
    where : str
        The file, for messages.

    Raises
    ------
    NotFoundError
        When the mapping names a column that the table has not.
    TableError
        When two columns would have one name.
    """
    names = list(map(str, names))
    column_map = dict(column_map or {})
    missing = [name for name in column_map if name not in names]
    if missing:
        raise NotFoundError(
            f"there is no column {missing[0]!r} to be mapped",
            where=where,
            expected=f"one of {', '.join(names)}",
        )
    chosen = [ours for ours in column_map.values() if ours]
    result: dict[str, str] = {}
    for name in names:
        # A name that the mapping gives away is no longer free for another.
        ours = column_map.get(name, None if name in chosen else name)
        if not ours or not is_known(ours):
            continue
        if ours in result.values():
            raise TableError(
                f"two columns are to be {ours!r}, one is {name!r}",
                where=where,
                expected="each column once",
            )
        result[name] = ours
    return result


def to_rename(names: Iterable[str]) -> str:
    """Return a hint of how a table with these names could be opened."""
    guessed = guess_columns(names)
    return f"Perhaps column_map={guessed!r} tells its columns" if guessed else ""


def lacks(columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what no table of spots can do without and this one lacks."""
    needed = ["chan", "unmixed_chan", "z", "y", "x"]
    missing = [name for name in needed if name not in columns]
    if not intensity_channels(columns):
        missing.append("chan_<channel>_intensity")
    return tuple(missing)


def renamed(
    columns: MutableMapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the columns under our names; the mapping is emptied."""
    kept = {ours: columns.pop(name) for name, ours in names.items()}
    columns.clear()
    return kept
