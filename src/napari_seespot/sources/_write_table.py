"""Spots as Parquet, CSV or Feather files, for others to read."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

# pyarrow ships no types: hence the ignored imports.
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]

from napari_seespot.errors import TableError
from napari_seespot.sources._task import Cancelled, Progress, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from napari_seespot.spots import Spots

__all__ = ["write_table"]

BATCH_ROWS = 1 << 18
"""Rows that are turned into a table of their own at once."""


def write_table(
    spots: Spots,
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    rows: Any = None,
    more: Mapping[str, Callable[[np.ndarray], Any]] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Path:
    """Write spots with the names of SeeSpot's merged table, and their status.

    The file is complete or not there at all. Read again, it holds the same
    spots.

    Parameters
    ----------
    spots : Spots
    path : path
        Ends in ``.parquet``, ``.csv`` or ``.feather``.
    columns : sequence of str, optional
        All of `to_pandas` and `unmixed_removed` by default.
    rows : ndarray, optional
        Row numbers, or a boolean mask of shape (n,); all by default.
    more : mapping of str to callable, optional
        Further columns: each called with row numbers, returning their values.
    progress, cancelled : callable, optional
        Called with the share done and a text; asked whether to stop.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    TableError
        When the name ends in something else, or the file cannot be written.
    CancelledError
        When `cancelled` returned true.
    """
    target = Path(path).expanduser().absolute()
    kinds = {".parquet": _parquet, ".csv": _csv, ".feather": _feather}
    open_writer = kinds.get(target.suffix.lower())
    if open_writer is None:
        raise TableError(
            f"tables are not written as {target.suffix or 'files without suffix'!r}",
            where=target,
            expected="a name that ends in .parquet, .csv or .feather",
        )
    pick = np.arange(len(spots)) if rows is None else np.asarray(rows)
    pick = np.flatnonzero(pick) if pick.dtype == np.bool_ else pick
    names = tuple(columns or (*spots.column_names, "unmixed_removed"))
    task = Task(progress, cancelled)
    plain = target.suffix.lower() == ".csv"
    with _replacing(target) as file:
        schema = _batch(spots, names, pick[:0], plain, more).schema
        with open_writer(file, schema) as writer:
            for start in range(0, len(pick), BATCH_ROWS):
                task.step(start / len(pick), f"writing {target.name}")
                part = pick[start : start + BATCH_ROWS]
                writer.write_table(_batch(spots, names, part, plain, more).cast(schema))
    task.step(1.0, f"wrote {len(pick):,} spots")
    return target


def _batch(
    spots: Spots,
    names: Sequence[str],
    rows: np.ndarray,
    plain: bool,
    more: Mapping[str, Callable[[np.ndarray], Any]] | None,
) -> pa.Table:
    frame = spots.to_pandas(names, rows)
    for name, values in (more or {}).items():
        frame[name] = values(rows)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata(None)
    if plain:  # CSV has no dictionaries
        words = [pa.types.is_dictionary(field.type) for field in table.schema]
        fields = [
            pa.field(field.name, pa.string() if word else field.type)
            for field, word in zip(table.schema, words, strict=True)
        ]
        table = table.cast(pa.schema(fields))
    return table


def _parquet(file: BinaryIO, schema: pa.Schema) -> Any:
    return pa.parquet.ParquetWriter(file, schema, compression="zstd")


def _csv(file: BinaryIO, schema: pa.Schema) -> Any:
    return pa.csv.CSVWriter(file, schema)


def _feather(file: BinaryIO, schema: pa.Schema) -> Any:
    # A Feather file of version 2 is an Arrow file.
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    return pa.ipc.new_file(file, schema, options=options)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; it appears under its name when it is whole."""
    temporary = target.with_name(
        f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    )
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        raise TableError(
            f"it cannot be written: {reason}",
            where=target,
            hint="Check that the folder exists, and that you may write into it",
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink()
