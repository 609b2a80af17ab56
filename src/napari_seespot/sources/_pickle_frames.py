"""From the records of a pickled DataFrame to its columns.

Everything in a record is a claim of the file's author and is checked before it
is used: blocks must fill each column once and agree with the index in length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import TableError
from napari_seespot.sources._pickle_arrays import (
    Codes,
    Column,
    arguments,
    array,
    is_kind,
    name_of,
    record,
    require,
    state,
    text_or_objects,
    vector_of_numbers,
    whole,
)
from napari_seespot.sources._pickle_extensions import vector
from napari_seespot.sources._pickle_records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Parts", "frame_parts"]


@dataclass(frozen=True)
class Parts:
    """A DataFrame taken apart: its columns in order, its length, its index."""

    columns: dict[str, Column]
    n_rows: int
    index: range | Column
    index_name: str | None


def frame_parts(root: object) -> Parts:
    """Return the columns and the index of a pickled DataFrame.

    Parameters
    ----------
    root : object
        What `_pickle_records.load_records` returned.

    Raises
    ------
    TableError
        If it is no DataFrame, or one that contradicts itself. The file's name
        is not in the message.
    """
    blocks, axes = _manager(root)
    names = _labels(axes[0])
    index, index_name = _index(axes[1])
    n_rows = _length(index)
    placed: dict[int, Column] = {}
    for block in blocks:
        for position, column in _placed(block, len(names), n_rows):
            require(position not in placed, "two blocks claim one column")
            placed[position] = column
    require(len(placed) == len(names), "a column has no values")
    columns = {name: placed[i] for i, name in enumerate(names)}
    return Parts(columns, n_rows, index, index_name)


def _manager(root: object) -> tuple[tuple[Any, ...], list[Any]]:
    if not is_kind(root, "frame"):
        raise TableError(
            f"the pickle holds a {name_of(root)}, not a DataFrame",
            expected="a pandas DataFrame",
            hint="Pickle the table itself: table.to_pickle(...)",
        )
    manager = state(record(root, "frame"), dict).get("_mgr")
    made = record(manager, "blocks") if is_kind(manager, "blocks") else None
    if made is None or not made.args:
        raise TableError(
            "the DataFrame was pickled by a pandas that is not known",
            expected="pandas 1.5 or newer",
            hint="Read it with that pandas and write it as Parquet",
        )
    blocks, axes = arguments(made, 2)
    require(type(blocks) is tuple, "its blocks are no tuple")
    require(type(axes) is list and len(axes) == 2, "it has no two axes")
    return blocks, axes


def _labels(axis: object) -> list[str]:
    index, _ = _index(axis)
    if _length(index) == 0:
        return []
    if not isinstance(index, Codes) or (index.codes < 0).any():
        raise TableError(
            "the table's columns have no names", expected="column names of text"
        )
    labels = [index.categories[code] for code in index.codes]
    if len(set(labels)) != len(labels):
        twice = next(name for name in labels if labels.count(name) > 1)
        raise TableError(f"the table has two columns {twice[:100]!r}")
    return labels


def _index(axis: object) -> tuple[range | Column, str | None]:
    cls, content = arguments(record(axis, "new index"), 2)
    require(isinstance(cls, type) and issubclass(cls, Record), "an index of no class")
    require(type(content) is dict, "an index without content")
    name = content.get("name")
    name = name if type(name) is str else None
    if cls.kind == "range index":
        bounds = [whole(content.get(key)) for key in ("start", "stop", "step")]
        require(bounds[2] != 0, "an index of step 0")
        return range(*bounds), name
    require(cls.kind == "index", f"an index of {cls.wanted}")
    return vector(content.get("data")), name


def _length(index: range | Column) -> int:
    if not isinstance(index, range):
        return len(index)
    require(abs(index.start) < 1 << 60 > abs(index.stop), "an index without end")
    return len(index)


def _placed(block: object, n_columns: int, n_rows: int) -> Iterable[tuple[int, Column]]:
    values, placement, ndim = arguments(record(block, "block"), 3)
    require(ndim == 2, "a block of other than 2 dimensions")
    positions = _positions(placement, n_columns)
    columns = _block(values, len(positions), n_rows)
    return zip(positions, columns, strict=True)


def _positions(placement: object, n_columns: int) -> range | list[int]:
    if is_kind(placement, "slice"):
        start, stop, step = arguments(record(placement, "slice"), 3)
        # A slice that counts down to the first column stops at None. One that
        # counts up may stop at the next step, beyond the last column.
        stop = -1 if stop is None else whole(stop)
        require(whole(step) != 0, "a block of step 0")
        positions: range | list[int] = range(whole(start), stop, step)
    else:
        positions = vector_of_numbers(placement, "i").tolist()
    inside = all(0 <= position < n_columns for position in positions)
    require(inside, "a block lies outside the columns")
    return positions


def _block(values: object, n_columns: int, n_rows: int) -> list[Column]:
    if not is_kind(values, "new array", "array from buffer"):
        require(n_columns == 1, "one array for several columns")
        column = vector(values)
        require(len(column) == n_rows, "columns of different lengths")
        return [column]
    plain = array(values)
    require(plain.shape == (n_columns, n_rows), "a block of the wrong shape")
    if isinstance(plain, np.ndarray):
        return list(plain)
    rows = (plain.cells[i * n_rows : (i + 1) * n_rows] for i in range(n_columns))
    return [text_or_objects(row) for row in rows]
