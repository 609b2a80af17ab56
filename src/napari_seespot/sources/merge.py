"""Every detected spot with its verdict: mixed and unmixed tables become one.

The mixed table holds every detected spot, the unmixed table those that were
kept. A spot is known by its channel and its number in it; `spot_id` numbers
the two tables differently. A mixed spot without a row in the unmixed table
was removed. An unmixed row without a mixed one belongs to no detected spot:
it is counted and left out, as in a left join.

The foreground and background of each channel are left behind: together they
are 64 bytes a spot, and what is looked at is their difference, the intensity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import (
    as_bool,
    as_float32,
    as_float64,
    as_integer,
    encode_channels,
    factorize,
    intensity_channels,
    intensity_column,
)
from napari_seespot.errors import TableError
from napari_seespot.sources.pickles import Codes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping, Sequence

__all__ = [
    "KEPT",
    "VERDICT",
    "Verdicts",
    "concatenate",
    "fill_intensities",
    "keep_columns",
    "merge_spots",
    "read_verdicts",
    "subtract",
]

KEPT = (
    "chan",
    "chan_spot_id",
    "cell_id",
    "round",
    "z",
    "y",
    "x",
    "z_center",
    "y_center",
    "x_center",
    "dist",
    "r",
    "over_thresh",
)
"""The columns of a mixed table that are kept, besides the intensities."""

VERDICT = ("unmixed_chan", "unmixed_removed", "dye_line_dist_ratio", "valid_spot")


@dataclass(frozen=True)
class Verdicts:
    """What the unmixing decided, by row of the unmixed table; shapes (m,).

    Attributes
    ----------
    chan : ndarray of int16
        Place of the detected channel among the dataset's.
    number : ndarray of int
        `chan_spot_id`.
    unmixed : ndarray of int16
        Place of the unmixed channel; -1 where none.
    dye_line_dist_ratio : ndarray of float32, optional
    valid_spot : ndarray of uint8, optional
    where : str
        The file, for messages.
    """

    chan: np.ndarray
    number: np.ndarray
    unmixed: np.ndarray
    dye_line_dist_ratio: np.ndarray | None
    valid_spot: np.ndarray | None
    where: str

    def __len__(self) -> int:
        return len(self.chan)


def read_verdicts(
    columns: MutableMapping[str, Any], channels: Sequence[str], where: str
) -> Verdicts:
    """Return the verdicts of an unmixed table, which is emptied.

    Raises
    ------
    TableError
        When a needed column is missing or holds what it must not.
    """
    _require(columns, ("chan", "chan_spot_id", "unmixed_chan"), where)
    chan, number = _key(columns, channels, where)
    unmixed = encode_channels(
        columns.pop("unmixed_chan"), channels, column="unmixed_chan", where=where
    )
    ratio = valid = None
    if "dye_line_dist_ratio" in columns:
        name = "dye_line_dist_ratio"
        ratio = as_float32(columns.pop(name), column=name, where=where)
    if "valid_spot" in columns:
        valid = as_bool(columns.pop("valid_spot"), column="valid_spot", where=where)
    columns.clear()
    return Verdicts(chan, number, unmixed, ratio, valid, where)


def merge_spots(
    columns: MutableMapping[str, Any],
    verdicts: Verdicts,
    channels: Sequence[str],
    where: str,
) -> tuple[dict[str, Any], int]:
    """Return the merged table and the number of verdicts without a spot.

    Parameters
    ----------
    columns : mutable mapping of str to array-like, each of shape (n,)
        The mixed table, which is emptied.
    verdicts : Verdicts
        Of the unmixed table.
    channels : sequence of str
        The dataset's spot channels.
    where : str
        The mixed table's file, for messages.

    Raises
    ------
    TableError
        When a needed column is missing, or a key is there twice.
    """
    _require(columns, ("chan", "chan_spot_id"), where)
    merged = keep_columns(columns, where)
    chan, number = _key(merged, channels, where)
    row = np.full(len(chan), -1, np.int32)
    known = 0
    for place in range(len(channels)):
        spots = np.flatnonzero(chan == place)
        judged = np.flatnonzero(verdicts.chan == place)
        table = _RowOfNumber(number[spots], verdicts.number[judged])
        table.fill(number[spots], channels[place], where)
        found = table.fill(verdicts.number[judged], channels[place], verdicts.where)
        match = found(number[spots])
        row[spots] = np.where(match >= 0, np.append(judged, -1)[match], -1)
        known += int(np.count_nonzero(match >= 0))
    merged["chan"] = Codes(chan, tuple(channels))
    merged["chan_spot_id"] = number
    merged["unmixed_chan"] = Codes(_pick(verdicts.unmixed, row, -1), tuple(channels))
    if verdicts.dye_line_dist_ratio is not None:
        merged["dye_line_dist_ratio"] = _pick(verdicts.dye_line_dist_ratio, row, np.nan)
    if verdicts.valid_spot is not None:
        truth = _pick(verdicts.valid_spot.astype(np.int8), row, -1)  # 255 becomes -1
        merged["valid_spot"] = Codes(truth, ("False", "True"))
    return merged, len(verdicts) - known


class _RowOfNumber:
    """Rows by number, as a table that is looked up instead of a sorted join.

    Numbers of a channel's spots are close to 0..N, so the table is small; where
    they are not, their ranks are used.
    """

    def __init__(self, spots: np.ndarray, judged: np.ndarray) -> None:
        both = [values for values in (spots, judged) if values.size]
        self._low = min((int(values.min()) for values in both), default=0)
        high = max((int(values.max()) for values in both), default=-1)
        self._size = high - self._low + 1
        self._ranks: np.ndarray | None = None
        if self._size > max(8 * (spots.size + judged.size), 1 << 20):
            self._ranks = np.unique(np.concatenate(both))
            self._size = len(self._ranks)

    def _slots(self, numbers: np.ndarray) -> np.ndarray:
        if self._ranks is not None:
            return np.searchsorted(self._ranks, numbers)
        return numbers.astype(np.int64) - self._low

    def fill(self, numbers: np.ndarray, channel: str, where: str) -> Any:
        """Return a function from numbers to rows; -1 where there is none."""
        table = np.full(self._size, -1, np.int32)
        slots = self._slots(numbers)
        rows = np.arange(len(numbers), dtype=np.int32)
        table[slots] = rows
        twice = np.flatnonzero(table[slots] != rows)
        if len(twice):
            raise TableError(
                f"{len(twice):,} {'spot is' if len(twice) == 1 else 'spots are'} "
                f"there more than once; the first is chan {channel}, chan_spot_id "
                f"{numbers[twice[0]]}",
                where=where,
                expected="each pair of chan and chan_spot_id once",
            )
        return lambda wanted: table[self._slots(wanted)]


def _key(
    columns: MutableMapping[str, Any], channels: Sequence[str], where: str
) -> tuple[np.ndarray, np.ndarray]:
    chan = encode_channels(columns.pop("chan"), channels, column="chan", where=where)
    number = as_integer(columns.pop("chan_spot_id"), column="chan_spot_id", where=where)
    if len(chan) != len(number):
        raise TableError(
            f"column 'chan' has {len(chan):,} rows, 'chan_spot_id' {len(number):,}",
            where=where,
            expected="one value a spot in each column",
        )
    lost = int(np.count_nonzero(chan < 0))
    if lost:
        raise TableError(
            f"column 'chan' is empty in {lost:,} {'row' if lost == 1 else 'rows'}",
            where=where,
            expected="the channel in which each spot was detected",
        )
    return chan, number


def _require(columns: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise TableError(
            f"the table lacks {', '.join(missing)}; its columns are "
            f"{', '.join(map(str, columns)) or 'none'}",
            where=where,
            expected="the columns of a mixed or unmixed spot table",
        )


def _pick(values: np.ndarray, row: np.ndarray, missing: float) -> np.ndarray:
    """Return the verdict's value of each spot; the last entry serves row -1."""
    return np.asarray(np.append(values, values.dtype.type(missing))[row])


def keep_columns(columns: MutableMapping[str, Any], where: str) -> dict[str, Any]:
    """Return the columns that `Spots` keeps and empty the mapping.

    A missing intensity is computed from foreground and background; `tile_name`
    becomes `tile`. The `spot_id` of the file is left out: it is numbered anew.
    """
    if "tile" not in columns and "tile_name" in columns:
        columns["tile"] = columns.pop("tile_name")
    fill_intensities(columns, where)
    intensities = map(intensity_column, intensity_channels(columns))
    wanted = (*KEPT, *VERDICT, "tile", *intensities)
    kept = {name: columns.pop(name) for name in wanted if name in columns}
    columns.clear()
    return kept


def fill_intensities(columns: MutableMapping[str, Any], where: str) -> None:
    """Replace each foreground and background by the intensity where it is missing."""
    for channel in _measured(columns):
        if intensity_column(channel) not in columns:
            columns[intensity_column(channel)] = _difference(columns, channel, where)


def _measured(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the channels with an intensity, or with what makes one."""
    names = {str(name) for name in columns}
    pairs = {
        f"{name[:-3]}_intensity"
        for name in names
        if name.startswith("chan_")
        and name.endswith("_fg")
        and f"{name[:-3]}_bg" in names
    }
    return intensity_channels(names | pairs)


def _difference(
    columns: MutableMapping[str, Any], channel: str, where: str
) -> np.ndarray:
    fg, bg = f"chan_{channel}_fg", f"chan_{channel}_bg"
    return subtract(columns.pop(fg), columns.pop(bg), fg, bg, where)


def subtract(fg: Any, bg: Any, fg_name: str, bg_name: str, where: str) -> np.ndarray:
    """Return foreground - background, shape (n,), at the precision of the file."""
    foreground = as_float64(fg, column=fg_name, where=where)
    background = as_float64(bg, column=bg_name, where=where)
    if len(foreground) != len(background):
        raise TableError(
            f"column {fg_name!r} has {len(foreground):,} rows, {bg_name!r} "
            f"{len(background):,}",
            where=where,
            expected="one value a spot in each column",
        )
    return np.asarray(foreground - background)


def concatenate(
    tables: Sequence[MutableMapping[str, Any]],
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return tables one below the other and the columns that not all of them have.

    Columns that some tables lack are left out. The tables are emptied.
    """
    common = [name for name in tables[0] if all(name in table for table in tables)]
    partial = {name for table in tables for name in table} - set(common)
    joined = {name: _stack([table.pop(name) for table in tables]) for name in common}
    return joined, tuple(sorted(partial))


def _stack(parts: Sequence[Any]) -> Any:
    if not any(isinstance(part, Codes) for part in parts):
        return np.concatenate([np.asarray(part) for part in parts])
    found: dict[Any, int] = {}
    codes = []
    for part in parts:
        own, values = factorize(part)
        places = [found.setdefault(value, len(found)) for value in values]
        codes.append(np.array([*places, -1], np.int32)[own])
    return Codes(np.concatenate(codes), tuple(map(str, found)))
