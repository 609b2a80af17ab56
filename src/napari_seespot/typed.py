"""A merged table's columns, checked and made compact.

The rules of the table live here: what must be there, what each column may
hold, and what becomes of null. Reassignment and removal are told by the
channels alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import (
    as_bool,
    as_category,
    as_float32,
    as_float64,
    as_integer,
    encode_channels,
    intensity_channels,
    intensity_column,
)
from napari_seespot.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

__all__ = ["BOOLEANS", "typed_columns"]

INTEGERS = ("chan_spot_id", "cell_id")
FLOATS = ("r", "dist", "dye_line_dist_ratio", "beta_used")
BOOLEANS = ("valid_spot", "over_thresh", "v3_ambiguous")
CATEGORIES = ("round", "tile", "decision_rule", "beta_source", "v3_action")
OFFSETS = {"z": "z_center", "y": "y_center", "x": "x_center"}


def typed_columns(
    raw: MutableMapping[str, Any],
    *,
    channels: Sequence[str] | None,
    where: str,
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return typed columns, the names behind codes, and the spot channels.

    Parameters
    ----------
    raw : mutable mapping of str to array-like, each of shape (n,)
        The merged table. Each column is removed from it once converted. A
        float column `z` may already hold sub-voxel positions: without
        `z_center` it is taken as it is.
    channels : sequence of str, optional
        The spot channels; those with an intensity column by default.
    where : str
        The file or address, for messages.

    Raises
    ------
    TableError
        When a needed column is missing, columns differ in length, or a column
        holds what it must not.
    """
    n = _common_length(raw, where)
    channels = _spot_channels(raw, channels, where)
    columns = {"code": _code(raw, channels, where)}
    columns["spot_id"] = _spot_id(raw, n, where)
    for axis, offset in OFFSETS.items():
        columns[axis] = _position(raw, axis, offset, where)
    categories: dict[str, tuple[str, ...]] = {}
    for name in INTEGERS:
        if name in raw:
            columns[name] = as_integer(raw.pop(name), column=name, where=where)
    for name in (*FLOATS, *map(intensity_column, channels)):
        if name in raw:
            columns[name] = as_float32(raw.pop(name), column=name, where=where)
    for name in BOOLEANS:
        if name in raw:
            columns[name] = as_bool(raw.pop(name), column=name, where=where)
    for name in CATEGORIES:
        if name in raw:
            columns[name], categories[name] = as_category(raw.pop(name))
    raw.clear()
    return columns, categories, channels


def _common_length(raw: Mapping[str, Any], where: str) -> int:
    lengths = {len(values) for values in raw.values()}
    if len(lengths) > 1:
        raise TableError(
            f"columns have different lengths, from {min(lengths):,} to "
            f"{max(lengths):,}",
            where=where,
            expected="one value a spot in each column",
        )
    return lengths.pop() if lengths else 0


def _spot_channels(
    raw: Mapping[str, Any], channels: Sequence[str] | None, where: str
) -> tuple[str, ...]:
    measured = intensity_channels(raw)
    missing = [name for name in ("chan", "unmixed_chan") if name not in raw]
    missing += [intensity_column(c) for c in channels or () if c not in measured]
    if not measured and not channels:
        missing.append("chan_<channel>_intensity")
    if missing:
        raise TableError(
            f"the table lacks {', '.join(missing)}; its columns are "
            f"{', '.join(map(str, raw)) or 'none'}",
            where=where,
            expected="chan, unmixed_chan and chan_<channel>_intensity for each channel",
            hint="If columns have other names, map them when opening the table",
        )
    found = tuple(channels or measured)
    if len(found) > 180:  # codes of more would not fit into 16 bits
        raise TableError(f"{len(found)} spot channels", where=where, expected="2 to 6")
    return found


def _code(
    raw: MutableMapping[str, Any], channels: tuple[str, ...], where: str
) -> np.ndarray:
    n = len(channels)
    chan = encode_channels(raw.pop("chan"), channels, column="chan", where=where)
    lost = int(np.count_nonzero(chan < 0))
    if lost:
        raise TableError(
            f"column 'chan' is empty in {lost:,} {'row' if lost == 1 else 'rows'}",
            where=where,
            expected="the channel in which each spot was detected",
        )
    unmixed = encode_channels(
        raw.pop("unmixed_chan"), channels, column="unmixed_chan", where=where
    )
    unmixed[unmixed < 0] = n
    if "unmixed_removed" in raw:
        removed = as_bool(
            raw.pop("unmixed_removed"), column="unmixed_removed", where=where
        )
        unmixed[removed == 1] = n
    code = chan.astype(np.uint16) * np.uint16(n + 1) + unmixed.astype(np.uint16)
    return np.asarray(code.astype(np.uint8) if n * (n + 1) <= 256 else code)


def _spot_id(raw: MutableMapping[str, Any], n: int, where: str) -> np.ndarray:
    if "spot_id" not in raw:
        return np.arange(1, n + 1, dtype=np.int32)
    spot_id = as_integer(raw.pop("spot_id"), column="spot_id", where=where)
    ordered = np.sort(spot_id)
    twice = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    if twice:
        raise TableError(
            f"column 'spot_id' repeats {twice:,} of its {n:,} values",
            where=where,
            expected="a number of its own for each spot",
            hint="Leave spot_id out to have the rows numbered",
        )
    return spot_id


def _position(
    raw: MutableMapping[str, Any], axis: str, offset: str, where: str
) -> np.ndarray:
    """Return sub-voxel positions; NaN where the table knows none."""
    if axis not in raw:
        raise TableError(
            f"the table lacks column {axis!r}",
            where=where,
            expected="z, y and x in voxels of level 0",
            hint="If columns have other names, map them when opening the table",
        )
    voxel = as_float64(raw.pop(axis), column=axis, where=where)
    if offset in raw:
        shift = as_float64(raw.pop(offset), column=offset, where=where)
        # A fit that failed leaves NaN: the voxel itself is then the best known.
        voxel = voxel + np.where(np.isfinite(shift), shift, 0.0)
    position = as_float32(voxel, column=axis, where=where)
    return np.where(np.isfinite(position), position, np.float32(np.nan))
