"""From rows as JSON has them to the columns of a table, batch by batch."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.columns import channel_name, intensity_channels
from napari_seespot.errors import TableError
from napari_seespot.sources._json_stream import excerpt, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["RowColumns", "whole_number"]

NUMBERS = ("r", "dist", "dye_line_dist_ratio", "z", "y", "x")
FLAGS = ("unmixed_removed", "valid_spot", "over_thresh")
IDS = ("chan_spot_id", "cell_id")
NAMES = ("chan", "unmixed_chan", "round", "tile")

_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,19})(?:\.0*)?\s*")


class RowColumns:
    """The known columns of a list of rows, as compact arrays.

    Parameters
    ----------
    table : str
        What the answer calls the list, for messages.
    where : str
        The file or address, for messages.

    Notes
    -----
    What a row holds besides (the flag ``reassigned``, which is true for removed
    spots too, for one) is left out.
    """

    def __init__(self, table: str, *, where: str) -> None:
        self._table = table
        self._where = where
        self._keys: tuple[str, ...] = ()
        self._picked: list[str] = []
        self._readers: dict[str, Callable[[str, list[Any]], np.ndarray]] = {}
        self._batches: dict[str, list[np.ndarray]] = {}
        self._places: dict[str, dict[str, int]] = {}
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, rows: Sequence[Any], ids: Iterable[Any] | None = None) -> None:
        """Add rows; their ids are given apart where the rows do not hold them.

        Raises
        ------
        TableError
            When a row is no object, differs from the others in what it holds, or
            holds a value that cannot be.
        """
        if not self._batches:
            self._begin(rows[0], ids is None)
        self._check_rows(rows)
        picked = {name: list(map(itemgetter(name), rows)) for name in self._picked}
        if ids is not None:
            picked["spot_id"] = list(ids)
        for name, values in picked.items():
            self._batches[name].append(self._readers[name](name, values))
        self._n += len(rows)

    def columns(self) -> dict[str, Any]:
        """Return the columns, each of shape (n,); the batches are given up."""
        columns: dict[str, Any] = {}
        for name in list(self._batches):
            whole = np.concatenate(self._batches.pop(name))
            names = self._places.get(name)
            columns[name] = (
                whole
                if names is None
                else pd.Categorical.from_codes(whole, pd.Index([*names]))
            )
        return columns

    def _begin(self, row: Any, with_id: bool) -> None:
        if type(row) is not dict:
            raise self._error(f"row 0 is {excerpt(row, 40)}, no object")
        if with_id and "spot_id" not in row:
            names = ", ".join(map(str, row))
            raise self._error(f"the rows hold no 'spot_id', but {excerpt(names)}")
        self._keys = tuple(row)
        kinds = {name: self._kind(name) for name in row}
        self._readers = {name: kind for name, kind in kinds.items() if kind is not None}
        self._picked = [*self._readers]
        self._readers["spot_id"] = self._ids
        if with_id:
            self._picked.append("spot_id")
        self._places = {name: {} for name in NAMES if name in self._readers}
        self._batches = {name: [] for name in self._readers}

    def _kind(self, name: str) -> Callable[[str, list[Any]], np.ndarray] | None:
        if name in NUMBERS or intensity_channels([name]):
            return self._numbers
        if name in FLAGS:
            return self._flags
        if name in IDS:
            return self._integers
        return self._names if name in NAMES else None

    def _check_rows(self, rows: Sequence[Any]) -> None:
        """Raise when a row is unlike the first of all."""
        keys = dict.fromkeys(self._keys).keys()
        for place, row in enumerate(rows, self._n):
            if type(row) is not dict:
                raise self._error(f"row {place:,} is {excerpt(row, 40)}, no object")
            # In the same order the keys are compared without hashing any.
            if (*row,) != self._keys and row.keys() != keys:
                odd = ", ".join(sorted(map(str, row.keys() ^ keys)))
                raise self._error(
                    f"row {place:,} and the first row differ in {excerpt(odd)}"
                )

    def _numbers(self, name: str, values: list[Any]) -> np.ndarray:
        """Return float32; null is NaN."""
        # numpy would take True for 1.0 and "1" for 1.0 without a word.
        self._check_types(name, values, {float, int, type(None)}, "numbers or null")
        try:
            # What is beyond float32 becomes infinite, which the filters then drop.
            with np.errstate(over="ignore"):
                return np.array(values, np.float64).astype(np.float32)
        except OverflowError:
            raise self._error(
                f"column {name!r} holds a number beyond all reason",
                expected="numbers below 1e308",
            ) from None

    def _flags(self, name: str, values: list[Any]) -> np.ndarray:
        """Return 0, 1, or NaN for null."""
        self._check_types(name, values, {bool, type(None)}, "true, false or null")
        return np.array(values, np.float32)

    def _integers(self, name: str, values: list[Any]) -> np.ndarray:
        """Return int64; null is 0."""
        return self._ids(name, [0 if value is None else value for value in values])

    def _ids(self, name: str, values: list[Any]) -> np.ndarray:
        try:
            types = set(map(type, values))
            if types == {int}:
                return np.array(values, np.int64)
            if types == {str} and all(map(str.isdecimal, values)):
                return np.array(list(map(int, values)), np.int64)
            return np.array([whole_number(value) for value in values], np.int64)
        except (OverflowError, ValueError):
            odd = next(value for value in values if not _fits(value))
            raise self._error(
                f"column {name!r} holds {excerpt(odd, 40)}",
                expected="whole numbers below 2**63",
            ) from None

    def _names(self, name: str, values: list[Any]) -> np.ndarray:
        """Return a code for each value: 488 and "488" are one, null is -1."""
        allowed = {str, int, float, type(None)}
        self._check_types(name, values, allowed, "text or null")
        places = self._places[name]
        codes = {value: self._place(places, value) for value in dict.fromkeys(values)}
        return np.array([codes[value] for value in values], np.int32)

    def _place(self, places: dict[str, int], value: Any) -> int:
        try:
            text = channel_name(value)
        except OverflowError:  # an infinite number
            text = str(value)
        return -1 if text is None else places.setdefault(writable(text), len(places))

    def _check_types(
        self, name: str, values: list[Any], allowed: set[type], expected: str
    ) -> None:
        if not set(map(type, values)) <= allowed:
            odd = next(value for value in values if type(value) not in allowed)
            raise self._error(
                f"column {name!r} holds {excerpt(odd, 40)}", expected=expected
            )

    def _error(
        self,
        found: str,
        expected: str = "rows of one kind, each with its spot_id",
    ) -> TableError:
        return TableError(
            f"{self._table!r}: {found}",
            where=self._where,
            expected=expected,
            hint="Ask the server again; if it stays so, the table behind it is damaged",
        )


def whole_number(value: Any) -> int:
    """Return a whole number that may come as text or with a point: 36, "36", 36.0.

    Raises
    ------
    ValueError
        When it is something else.
    OverflowError
        When it is infinite.
    """
    if type(value) is int:
        return value
    if type(value) is float and value == int(value):
        return int(value)
    match = _WHOLE.fullmatch(value) if type(value) is str else None
    if match is None:
        raise ValueError(value)
    return int(match[1])


def _fits(value: Any) -> bool:
    try:
        return -(2**63) <= whole_number(value) < 2**63
    except (OverflowError, ValueError):
        return False
