"""Columns of Parquet, Feather and CSV files as numpy arrays and categories.

What a library finds wrong with a file becomes a `TableError` that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

# pyarrow ships no types: hence the ignored imports.
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.feather  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]

from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.sources.pickles import Codes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ArrowFile", "open_arrow"]

NULLS = ["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None", "none", "<NA>"]


@dataclass(frozen=True)
class ArrowFile:
    """A table's names, and a way to each column."""

    names: tuple[str, ...]
    column: Callable[[str], pa.ChunkedArray]
    where: str

    def read(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Return columns by our names, given those by theirs.

        Returns
        -------
        dict of str to ndarray or Codes, each of shape (n,)

        Raises
        ------
        TableError
            When the file is damaged.
        """
        columns: dict[str, Any] = {}
        for theirs, ours in names.items():
            with _damage(self.where):
                columns[ours] = _to_numpy(self.column(theirs))
        return columns


def open_arrow(path: Path, where: str) -> ArrowFile:
    """Open a Parquet, Feather or CSV file, told by the end of its name.

    Raises
    ------
    NotFoundError
        When there is no such file, or it may not be read.
    TableError
        When it is something else, damaged, or two columns have one name.
    """
    make = {".parquet": _parquet, ".feather": _feather, ".csv": _csv}
    with _damage(where):
        names, column = make[path.suffix.lower()](path)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise TableError(
            f"two columns are called {twice[0]!r}",
            where=where,
            expected="each column once",
        )
    return ArrowFile(tuple(names), column, where)


@contextmanager
def _damage(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError("there is no such file", where=where) from None
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        # Arrow reports damage as each of these, with the reason in the first line.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise TableError(
            f"it cannot be read as a table: {reason[0]}",
            where=where,
            hint="Check that the file is complete and is what its name says",
        ) from None


_Opened = tuple[list[str], Callable[[str], pa.ChunkedArray]]


def _parquet(path: Path) -> _Opened:
    with pa.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
    words = [f.name for f in schema if _is_text(f.type)]

    def column(name: str) -> pa.ChunkedArray:
        # One file object a column: those of a file shared by threads can fail.
        with pa.parquet.ParquetFile(path, read_dictionary=words) as file:
            return file.read(columns=[name]).column(name)

    return list(schema.names), column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _feather(path: Path) -> _Opened:
    with pa.memory_map(str(path)) as source:
        names = list(pa.ipc.open_file(source).schema.names)

    def column(name: str) -> pa.ChunkedArray:
        return pa.feather.read_table(path, columns=[name]).column(name)

    return names, column


def _csv(path: Path) -> _Opened:
    with path.open("rb") as file:
        head = file.readline(1 << 20)
    delimiter = max(",;\t", key=lambda mark: head.count(mark.encode()))
    try:
        table = _read_csv(path, delimiter, {})
    except pa.ArrowInvalid:
        # Types are guessed from the beginning, and a later row may not fit: as
        # text it does, and our own converters say what is wrong, if anything.
        names = _read_csv(pa.BufferReader(head), delimiter, {}).column_names
        table = _read_csv(path, delimiter, dict.fromkeys(names, pa.string()))
    return list(table.column_names), table.column


def _read_csv(source: Any, delimiter: str, types: dict[str, pa.DataType]) -> pa.Table:
    return pa.csv.read_csv(
        source,
        parse_options=pa.csv.ParseOptions(delimiter=delimiter),
        convert_options=pa.csv.ConvertOptions(
            null_values=NULLS, strings_can_be_null=True, column_types=types
        ),
    )


def _to_numpy(column: pa.ChunkedArray) -> Any:
    # Offsets and codes of a damaged file may point anywhere: reading them crashes.
    column.validate(full=True)
    kind = column.type
    if pa.types.is_boolean(kind) and column.null_count:
        codes = column.cast(pa.int8()).fill_null(-1).to_numpy()
        return Codes(codes, ("False", "True"))
    if pa.types.is_dictionary(kind) or _is_text(kind):
        return _codes(column)
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_integer(kind) and column.null_count:
        column = column.cast(pa.float64(), safe=False)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.to_numpy()
    if pa.types.is_boolean(kind):
        return column.to_numpy()
    cells = np.empty(len(column), object)
    cells[:] = column.to_pylist()  # np.array would make a table of lists
    return cells


def _codes(column: pa.ChunkedArray) -> Codes:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if column.num_chunks == 0:
        return Codes(np.zeros(0, np.int8), ())
    column = column.unify_dictionaries()
    words = column.chunk(0).dictionary.to_pylist()
    # Unsigned in some files, which have no -1 for null.
    indices = [chunk.indices.cast(pa.int64()).fill_null(-1) for chunk in column.chunks]
    # A dictionary may hold a word twice, and null.
    order = {w: i for i, w in enumerate(dict.fromkeys(map(str, words)))}
    places = [-1 if word is None else order[str(word)] for word in words]
    table = np.array([*places, -1], np.int32)
    return Codes(table[np.concatenate([i.to_numpy() for i in indices])], tuple(order))
