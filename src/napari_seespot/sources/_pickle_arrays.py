"""From the records of a pickle to arrays.

A record is a claim of the file's author: data types are made from a short list,
shapes are compared with the bytes that are there, codes with the categories.
Arrays of numbers are views on the pickled bytes and read-only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from napari_seespot.errors import TableError
from napari_seespot.sources._pickle_records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Codes",
    "Column",
    "Objects",
    "arguments",
    "array",
    "codes_of",
    "exactly",
    "is_kind",
    "name_of",
    "raw_bytes",
    "record",
    "require",
    "state",
    "text_or_objects",
    "vector_of_numbers",
    "whole",
]

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Codes:
    """A column of text: each distinct value once, and a small integer a row.

    Parameters
    ----------
    codes : numpy.ndarray
        int8, int16 or int32, as small as the categories allow; -1 is missing.
    categories : tuple of str
        Distinct; in order of first appearance, or, of a categorical column, in
        its own order.
    """

    codes: np.ndarray
    categories: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def decode(self) -> np.ndarray:
        """Return the values as an object array, None where missing."""
        values = np.array([*self.categories, None], dtype=object)
        return values.take(self.codes)


Column: TypeAlias = "np.ndarray | Codes"


@dataclass(frozen=True)
class Objects:
    """An array of Python objects: its shape, its cells in C order."""

    shape: tuple[int, ...]
    cells: list[Any]


def require(right: bool, found: str) -> None:
    """Raise a TableError about a damaged table unless `right`."""
    if not right:
        raise TableError(f"the pickled table is damaged: {found}")


def is_kind(value: object, *kinds: str) -> bool:
    """Return whether a value is a record of one of these kinds."""
    return isinstance(value, Record) and value.kind in kinds


def record(value: object, *kinds: str) -> Record:
    """Return the value if it is a record of one of these kinds, else raise."""
    if isinstance(value, Record) and value.kind in kinds:
        return value
    raise TableError(
        f"the pickled table is damaged: {name_of(value)} in place of {kinds[0]}"
    )


def name_of(value: object) -> str:
    """Return what a value is, for messages: the class that a record stands for."""
    return value.wanted if isinstance(value, Record) else type(value).__name__


def arguments(made: Record, least: int, most: int | None = None) -> tuple[Any, ...]:
    """Return a record's arguments if they are as many as they should be."""
    most = least if most is None else most
    require(least <= len(made.args) <= most, f"odd arguments of {made.wanted}")
    return made.args


def state(made: Record, kind: type[_T]) -> _T:
    """Return a record's state if it is of exactly this type."""
    return exactly(made.state, kind, f"state of {made.wanted}")


def whole(value: object) -> int:
    """Return the value if it is an int, not a bool."""
    return exactly(value, int, "number")


def exactly(value: object, kind: type[_T], what: str) -> _T:
    """Return the value if it is of exactly this type, else raise."""
    if type(value) is kind:
        return value
    raise TableError(
        f"the pickled table is damaged: {name_of(value)} as {what}",
        expected=kind.__name__,
    )


# --- numpy arrays ---------------------------------------------------------------


def array(value: object) -> np.ndarray | Objects:
    """Return an array of numbers as a view on its bytes, or one of objects."""
    if is_kind(value, "array from buffer"):
        return _from_buffer(record(value, "array from buffer"))
    made = record(value, "new array")
    fields = state(made, tuple)
    require(len(fields) == 5, "an array without its five fields")
    _, shape, dtype, fortran, data = fields
    order = "F" if fortran is True else "C"
    if _is_object_dtype(dtype):
        cells = exactly(data, list, "cells")
        _check_shape(shape, 1, len(cells))
        return Objects(shape, cells)
    return _numbers(data, dtype, shape, order)


def _from_buffer(made: Record) -> np.ndarray:
    data, dtype, shape, order, *axes = arguments(made, 4, 5)
    require(order in ("C", "F", "K"), "an array in an unknown order of memory")
    if order != "K":
        return _numbers(data, dtype, shape, order)
    require(
        len(axes) == 1 and type(axes[0]) is tuple, "an array without an order of axes"
    )
    return _numbers(data, dtype, shape, "C").transpose([whole(a) for a in axes[0]])


def _numbers(data: object, dtype: object, shape: Any, order: Any) -> np.ndarray:
    known = _number_dtype(dtype)
    raw = raw_bytes(data)
    _check_shape(shape, known.itemsize, len(raw))
    if known.kind == "b":
        # numpy takes other bytes than 0 and 1 for undefined kinds of true.
        require(
            _flat(raw, np.dtype("u1")).max(initial=0) <= 1,
            "booleans other than 0 and 1",
        )
    values = _flat(raw, known).reshape(shape, order=order)
    if not known.isnative:
        values = values.astype(known.newbyteorder("="))
    values.flags.writeable = False
    return values


def _flat(raw: bytes | bytearray, dtype: np.dtype[Any]) -> np.ndarray:
    # numpy refuses to make an array from an empty buffer.
    return np.frombuffer(raw, dtype) if raw else np.empty(0, dtype)


def _check_shape(shape: object, itemsize: int, n_bytes: int) -> None:
    sizes = [whole(size) for size in exactly(shape, tuple, "shape")]
    require(len(sizes) in (1, 2), "an array of other than 1 or 2 dimensions")
    # Bounded, so that no product with zero hides what numpy cannot hold.
    require(all(0 <= size < 1 << 40 for size in sizes), "an impossible shape")
    require(prod(sizes) * itemsize == n_bytes, "a shape that does not fit its values")


_NUMBERS = frozenset(
    ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
)
_OBJECTS = ("O", "O4", "O8")


def _dtype_code(value: object) -> tuple[str, str]:
    """Return a dtype's letter with size, and its byte order."""
    made = record(value, "dtype")
    code = exactly(arguments(made, 1, 3)[0], str, "data type")
    fields = state(made, tuple)
    require(
        len(fields) >= 5 and fields[2:5] == (None, None, None),
        "a data type with fields",
    )
    order = exactly(fields[1], str, "byte order")
    require(order in ("<", ">", "|", "="), "an unknown byte order")
    return code, order


def _is_object_dtype(value: object) -> bool:
    return _dtype_code(value)[0] in _OBJECTS


def _number_dtype(value: object) -> np.dtype[Any]:
    code, order = _dtype_code(value)
    require(code in _NUMBERS, f"the data type {code[:20]!r}")
    return np.dtype(order + code)


def raw_bytes(value: object) -> bytes | bytearray:
    """Return the bytes behind the ways in which protocols 2 to 5 write them."""
    if isinstance(value, (bytes, bytearray)):
        return value
    if is_kind(value, "bytes"):
        inner = arguments(record(value, "bytes"), 0, 2)
        if len(inner) == 2:
            return _latin1(inner)
        value = inner[0] if inner else b""
        if isinstance(value, (bytes, bytearray)):
            return value
    return _latin1(arguments(record(value, "encoded bytes"), 2))


def _latin1(pair: tuple[Any, ...]) -> bytes:
    text = exactly(pair[0], str, "bytes")
    require(pair[1] in ("latin1", "latin-1"), "bytes in an unknown encoding")
    return text.encode("latin-1")


def vector_of_numbers(value: object, kinds: str = "biuf") -> np.ndarray:
    """Return a one-dimensional array of numbers of these kinds of numpy's."""
    plain = array(value)
    if isinstance(plain, np.ndarray) and plain.ndim == 1 and plain.dtype.kind in kinds:
        return plain
    raise TableError("the pickled table is damaged: an array that is no row of numbers")


# --- objects and text -----------------------------------------------------------

_PLAIN = {str, int, float, bool, type(None)}
_MAYBE_TEXT = {str, float, type(None)}


def text_or_objects(cells: list[Any]) -> Column:
    """Return cells of text and missing values as `Codes`, others as objects."""
    kinds = set(map(type, cells))
    if not kinds <= _PLAIN:
        cells = _plain_cells(cells)
        kinds = set(map(type, cells))
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    values.flags.writeable = False
    text = _text(values) if kinds <= _MAYBE_TEXT else None
    return values if text is None else text


def _text(values: np.ndarray) -> Codes | None:
    import pandas as pd

    codes, found = pd.factorize(values)
    if not set(map(type, found)) <= {str}:
        return None
    return codes_of(codes, found)


def _plain_cells(cells: list[Any]) -> list[Any]:
    """Replace numpy's scalars and pandas' NA by Python's own values."""
    known: dict[int, Any] = {}
    for cell in {id(cell): cell for cell in cells}.values():
        known[id(cell)] = cell if type(cell) in _PLAIN else _scalar(cell)
    return [known[id(cell)] for cell in cells]


def _scalar(cell: object) -> Any:
    if isinstance(cell, type) and issubclass(cell, Record) and cell.kind == "missing":
        return None
    if not is_kind(cell, "scalar"):
        raise TableError(f"a column holds values of the type {name_of(cell)}")
    dtype, data = arguments(record(cell, "scalar"), 2)
    code, order = _dtype_code(dtype)
    raw = raw_bytes(data)
    if code[:1] == "U":
        return raw.decode(f"utf-32-{'be' if order == '>' else 'le'}").rstrip("\0")
    known = _number_dtype(dtype)
    require(len(raw) == known.itemsize, "a number of the wrong length")
    return np.frombuffer(raw, known)[0].item()


def codes_of(codes: np.ndarray, categories: Iterable[str]) -> Codes:
    """Return `Codes` with the smallest integers that hold them."""
    names = tuple(categories)
    # A lone surrogate can be in a pickle, but in no file that we write.
    for text in names:
        text.encode()
    n = len(names)
    narrow = np.int8 if n < 1 << 7 else np.int16 if n < 1 << 15 else np.int32
    codes = codes.astype(narrow)
    codes.flags.writeable = False
    return Codes(codes, names)
