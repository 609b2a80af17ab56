"""From columns as they come (pickles, JSON, CSV) to compact typed arrays.

Each converter says, when it cannot, which column of which table holds what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "NO_CHANNEL",
    "NULL_BOOL",
    "as_bool",
    "as_category",
    "as_float32",
    "as_float64",
    "as_integer",
    "channel_name",
    "encode_channels",
    "intensity_channels",
    "intensity_column",
]

NULL_BOOL = 255
"""A boolean that is not known, beside 0 and 1 in a uint8 column."""

NO_CHANNEL = frozenset({"", "none", "None", "nan", "NaN", "<NA>", "null"})
"""What tables write where a spot has no unmixed channel."""

_PREFIX, _SUFFIX = "chan_", "_intensity"


def intensity_column(channel: str) -> str:
    """Return the name of the column with a channel's intensity."""
    return f"{_PREFIX}{channel}{_SUFFIX}"


def intensity_channels(names: Iterable[str]) -> tuple[str, ...]:
    """Return the channels of which there is an intensity column, sorted."""
    found = {
        name[len(_PREFIX) : -len(_SUFFIX)]
        for name in names
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    }
    return tuple(sorted(found - {""}, key=_by_wavelength))


def _by_wavelength(channel: str) -> tuple[int, str]:
    number = channel.isdecimal() and len(channel) < 10
    return (int(channel) if number else 10**9, channel)


def channel_name(value: object) -> str | None:
    """Return a channel as text: 488, 488.0 and "488" are one; None where none."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return None
        if np.isinf(value):
            return str(value)
        return str(int(value)) if value == int(value) else str(value)
    text = str(value).strip()
    if text in NO_CHANNEL:
        return None
    whole, point, rest = text.partition(".")
    return whole if point and whole.isdecimal() and set(rest) == {"0"} else text


def encode_channels(
    values: Any, channels: Sequence[str], *, column: str, where: str
) -> np.ndarray:
    """Return each row's place in `channels` as int16, shape (n,); -1 where none.

    Raises
    ------
    TableError
        When a row holds a channel that is not in `channels`.
    """
    codes, found = factorize(values)
    places = {channel: place for place, channel in enumerate(channels)}
    table = np.full(len(found) + 1, -1, np.int16)  # the last one serves code -1
    for place, value in enumerate(found):
        name = channel_name(value)
        if name is None:
            continue
        if name not in places:
            n = int(np.count_nonzero(codes == place))
            raise TableError(
                f"column {column!r} holds the unknown channel {name!r} in {n:,} "
                f"{'row' if n == 1 else 'rows'}",
                where=where,
                expected=f"one of {', '.join(channels)}",
                hint="Check spot_channels in processing_manifest.json and the "
                "chan_*_intensity columns",
            )
        table[place] = places[name]
    return np.asarray(table[codes])


def factorize(values: Any) -> tuple[np.ndarray, list[Any]]:
    """Return a code a row, -1 for null, and the values that the codes mean."""
    if hasattr(values, "codes") and hasattr(values, "categories"):
        return np.asarray(values.codes), list(values.categories)
    array = np.asarray(values)
    if array.ndim != 1:  # lists of the same length
        array = np.array([str(value) for value in values], object)
    try:
        codes, found = pd.factorize(array)
    except TypeError:  # unhashable cells: lists, dicts
        codes, found = pd.factorize(np.array([str(v) for v in array], object))
    return np.asarray(codes), list(found)


def as_category(values: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes, int8 or int32, and the categories; null becomes ``""``."""
    codes, found = factorize(values)
    names = [str(value) for value in found]
    order = sorted(set(names) | ({""} if (codes < 0).any() else set()))
    places = {name: place for place, name in enumerate(order)}
    table = np.array([*(places[n] for n in names), places.get("", 0)], np.int32)
    dtype = np.int8 if len(order) < 128 else np.int32
    return table.astype(dtype)[codes], tuple(order)


def as_float32(values: Any, *, column: str, where: str) -> np.ndarray:
    """Return numbers as float32, shape (n,); null becomes NaN.

    Raises
    ------
    TableError
        When the column holds something that is not a number.
    """
    array = _numbers(values, column=column, where=where)
    # A float64 beyond float32 becomes infinite, which the filters then drop.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)


def as_float64(values: Any, *, column: str, where: str) -> np.ndarray:
    """Return numbers as float64, shape (n,), for sums that are rounded once.

    Raises
    ------
    TableError
        When the column holds something that is not a number.
    """
    return np.asarray(_numbers(values, column=column, where=where), np.float64)


def as_integer(values: Any, *, column: str, where: str) -> np.ndarray:
    """Return whole numbers as int32, or int64 where they need it; null becomes 0.

    Raises
    ------
    TableError
        When the column holds something that is not a whole number.
    """
    array = _numbers(values, column=column, where=where)
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), 0, array)
        if not (np.isfinite(array) & (array == np.floor(array))).all():
            raise TableError(
                f"column {column!r} holds numbers with decimals or infinities",
                where=where,
                expected="whole numbers",
            )
    if array.size and (array.min() < -(2**63) or array.max() >= 2**63):
        raise TableError(
            f"column {column!r} holds {array.max()}, beyond 64-bit integers",
            where=where,
            expected="whole numbers below 2**63",
        )
    small = not array.size or (array.min() >= -(2**31) and array.max() < 2**31)
    return np.ascontiguousarray(array, np.int32 if small else np.int64)


def as_bool(values: Any, *, column: str, where: str) -> np.ndarray:
    """Return booleans as uint8, shape (n,): 0, 1, or `NULL_BOOL` for null.

    Raises
    ------
    TableError
        When the column holds something that is neither true nor false.
    """
    if getattr(values, "dtype", None) == np.bool_:
        return np.ascontiguousarray(values, np.uint8)
    codes, found = factorize(values)
    table = np.full(len(found) + 1, NULL_BOOL, np.uint8)
    for place, value in enumerate(found):
        known = _TRUTH.get(str(value).strip().lower())
        if known is None:
            raise TableError(
                f"column {column!r} holds {value!r}",
                where=where,
                expected="true or false",
            )
        table[place] = known
    return np.asarray(table[codes])


_TRUTH: Mapping[str, int] = {
    **dict.fromkeys(("true", "1", "1.0", "t", "yes"), 1),
    **dict.fromkeys(("false", "0", "0.0", "f", "no"), 0),
    **dict.fromkeys(("", "nan", "none", "<na>", "null"), NULL_BOOL),
}


def _numbers(values: Any, *, column: str, where: str) -> np.ndarray:
    if hasattr(values, "codes") and hasattr(values, "categories"):
        table = np.array([*values.categories, None], object)
        values = table[np.asarray(values.codes)]
    array = np.asarray(values)
    if array.ndim != 1:
        raise TableError(
            f"column {column!r} has {array.ndim} dimensions",
            where=where,
            expected="one number a row",
        )
    if array.dtype.kind in "fiu":
        return array
    if array.dtype.kind == "b":
        return array.astype(np.int8)
    numbers = _parsed(array)
    lost = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(0, np.bool_)
    bad = next((v for v in array[np.flatnonzero(lost)] if not _is_null(v)), None)
    if bad is not None:
        raise TableError(
            f"column {column!r} holds {bad!r}, which is not a number",
            where=where,
            expected=f"numbers in column {column!r}",
            hint="Check that the columns are mapped to the right names",
        )
    return numbers


def _parsed(array: np.ndarray) -> np.ndarray:
    """Return the numbers that text and objects mean; NaN where they mean none."""
    if array.dtype.kind in "cmM":  # pandas would make numbers of them
        return np.full(len(array), np.nan)
    series = pd.Series(array, dtype=object)
    try:
        numbers = pd.to_numeric(series, errors="coerce").to_numpy()
    except (TypeError, ValueError, OverflowError):  # lists, dates, absurdly long digits
        numbers = np.array([_number(value) for value in array], np.float64)
    return numbers if numbers.dtype.kind in "iu" else numbers.astype(np.float64)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # the question is whether it can
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _is_null(value: object) -> bool:
    if value is None or value is pd.NA:
        return True
    if isinstance(value, str):
        return value.strip() in NO_CHANNEL
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))
