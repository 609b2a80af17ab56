"""From the records of pandas' own arrays to columns.

Text in its three storages (objects, Arrow, categories) becomes `Codes`; nullable
numbers and booleans become numpy arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import TableError
from napari_seespot.sources._pickle_arrays import (
    Codes,
    Column,
    Objects,
    arguments,
    array,
    codes_of,
    exactly,
    is_kind,
    raw_bytes,
    record,
    require,
    state,
    text_or_objects,
    vector_of_numbers,
    whole,
)
from napari_seespot.sources._pickle_records import Record

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

__all__ = ["vector"]


def vector(value: object) -> Column:
    """Return a one-dimensional array of any kind that is known.

    Numbers and booleans are numpy arrays; with missing values, float64 and NaN.
    Text is `Codes`. Objects of several types stay objects.
    """
    if is_kind(value, "backed"):
        return _backed(record(value, "backed"))
    if is_kind(value, "masked"):
        return _masked(record(value, "masked"))
    if is_kind(value, "arrow strings"):
        return _arrow_strings(record(value, "arrow strings"))
    plain = array(value)
    require(len(plain.shape) == 1, "an array of more than one dimension")
    return text_or_objects(plain.cells) if isinstance(plain, Objects) else plain


def _backed(made: Record) -> Column:
    cls = arguments(made, 3)[0]
    require(isinstance(cls, type) and issubclass(cls, Record), "a column of no class")
    fields = state(made, tuple)
    require(2 <= len(fields) <= 3, f"{cls.wanted} as a column")
    # pandas wrote dtype and values in one order first, then in the other.
    dtype, values = fields[:2] if is_kind(fields[0], *_DTYPES) else fields[1::-1]
    if cls.kind == "categorical":
        return _categorical(dtype, vector_of_numbers(values, "i"))
    require(cls.kind == "string array", f"{cls.wanted} as a column")
    plain = array(values)
    if isinstance(plain, Objects) and len(plain.shape) == 1:
        return text_or_objects(plain.cells)
    raise TableError("the pickled table is damaged: a text column without its text")


_DTYPES = ("extension dtype",)


def _categorical(dtype: object, codes: np.ndarray) -> Column:
    content = state(record(dtype, *_DTYPES), dict)
    made = record(content.get("categories"), "new index")
    data = arguments(made, 2)[1]
    require(type(data) is dict, "categories without content")
    categories = vector(data.get("data"))
    n = len(categories)
    inside = not len(codes) or (codes.min() >= -1 and codes.max() < n)
    require(bool(inside), "codes beyond the categories")
    if not isinstance(categories, Codes):
        return _masked_values(categories[codes] if n else codes, codes < 0)
    labels = [categories.categories[code] for code in categories.codes]
    complete = not (categories.codes < 0).any() and len(set(labels)) == n
    require(complete, "categories that are missing or double")
    return codes_of(codes, labels)


def _masked(made: Record) -> np.ndarray:
    content = state(made, dict)
    values = vector_of_numbers(content.get("_data"))
    mask = vector_of_numbers(content.get("_mask"), "b")
    require(mask.shape == values.shape, "a mask of another length")
    return _masked_values(values, mask)


def _masked_values(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if not mask.any():
        return values
    filled = values.astype(object if values.dtype == object else np.float64)
    filled[mask] = None if values.dtype == object else np.nan
    filled.flags.writeable = False
    return filled


# --- text kept by Arrow ---------------------------------------------------------


def _arrow_strings(made: Record) -> Codes:
    # Imported here: pyarrow takes a while, and most files need none of it.
    import pyarrow as pa

    content = state(made, dict)
    # pandas 2.1 renamed it.
    value = content.get("_pa_array", content.get("_data"))
    chunks = [value]
    if is_kind(value, "arrow chunks"):
        chunks = exactly(
            arguments(record(value, "arrow chunks"), 1, 2)[0], list, "chunks"
        )
    arrays = [_arrow_array(chunk) for chunk in chunks]
    text = pa.chunked_array(
        [a.cast(pa.large_string()) for a in arrays], pa.large_string()
    )
    encoded = text.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return codes_of(np.empty(0, np.int8), ())
    indices = [chunk.indices.fill_null(-1).to_numpy() for chunk in encoded.chunks]
    return codes_of(np.concatenate(indices), encoded.chunk(0).dictionary.to_pylist())


_OFFSET_BYTES = {"string": 4, "utf8": 4, "large_string": 8, "large_utf8": 8}


def _arrow_array(value: object) -> pa.Array:
    import pyarrow as pa

    made = record(value, "arrow array")
    fields = exactly(arguments(made, 1)[0], tuple, "Arrow array")
    require(len(fields) >= 5, "an Arrow array with fields missing")
    alias = arguments(record(fields[0], "arrow type"), 1)[0]
    width = _OFFSET_BYTES.get(exactly(alias, str, "Arrow type"), 0)
    require(width > 0, "an Arrow array of something else than text")
    length, _, offset = (whole(number) for number in fields[1:4])
    buffers = [_arrow_buffer(buffer) for buffer in exactly(fields[4], list, "buffers")]
    require(len(buffers) == 3, "an Arrow array without its three buffers")
    sizes = [0 if buffer is None else len(buffer) for buffer in buffers]
    end = offset + length
    right = length >= 0 <= offset and (length == 0 or (end + 1) * width <= sizes[1])
    right = right and (buffers[0] is None or end <= 8 * sizes[0])
    require(right, "an Arrow array that does not fit its buffers")
    kind = pa.string() if width == 4 else pa.large_string()
    made_array = pa.Array.from_buffers(
        kind,
        length,
        [None if buffer is None else pa.py_buffer(buffer) for buffer in buffers],
        offset=offset,
    )
    # Offsets that go backwards or beyond the text, and text that is not UTF-8.
    made_array.validate(full=True)
    return made_array


def _arrow_buffer(value: object) -> bytes | bytearray | None:
    if value is None:
        return None
    return raw_bytes(arguments(record(value, "arrow buffer"), 1)[0])
