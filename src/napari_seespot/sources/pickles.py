"""Read pickled DataFrames without running anything that they ask for.

A pickle is a program: whoever opens one with ``pickle.load`` or
``pandas.read_pickle`` runs it. Here its opcodes are looked through first, then
it is unpickled into records of what it asked for, and the arrays are built from
these records: a pickle cannot call a function or make an object of any class.

What pandas 1.5 to 3 and numpy 1 and 2 write is understood: numbers, booleans,
text of every storage, objects, categoricals, nullable columns, protocols 2 to 5.
"""

from __future__ import annotations

import io
import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari_seespot.errors import NotFoundError, SeeSpotError, TableError
from napari_seespot.sources._pickle_arrays import Codes, Column
from napari_seespot.sources._pickle_frames import Parts, frame_parts
from napari_seespot.sources._pickle_records import load_records
from napari_seespot.sources._pickle_scan import check_stream

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np
    import pandas as pd

__all__ = ["Codes", "Column", "PickledFrame", "read_frame", "read_frame_columns"]

# What a damaged stream makes the unpickler, numpy and Arrow raise; they document
# no list. Mistakes of ours (NameError, AssertionError, ...) are not in it.
_DAMAGE = (
    pickle.PickleError,
    ArithmeticError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
)

PathOrBytes: TypeAlias = "str | os.PathLike[str] | bytes"


@dataclass(frozen=True, eq=False)
class PickledFrame:
    """The columns of a pickled DataFrame.

    Parameters
    ----------
    columns : dict of str to numpy.ndarray or Codes
        In the frame's order, each of `n_rows` entries and read-only. Numbers
        and booleans are arrays, often strided or contiguous views on a block
        that several columns share; nullable ones with missing values are
        float64 with NaN. Columns of text and missing values only are `Codes`,
        whatever pandas kept them in (objects, str, string, categorical). What
        is left (objects of several types) is an object array of str, int,
        float, bool and None.
    n_rows : int
        Length of every column.
    index : range, numpy.ndarray or Codes
        The frame's row labels.
    index_name : str or None
        Their name.
    """

    columns: dict[str, Column]
    n_rows: int
    index: range | Column = field(repr=False)
    index_name: str | None

    def pop(self, name: str) -> Column:
        """Return a column and let go of it.

        A block's memory is free again when the last of its columns is gone.

        Raises
        ------
        NotFoundError
            If there is no such column (any more).
        """
        try:
            return self.columns.pop(name)
        except KeyError:
            raise NotFoundError(
                f"there is no column {name!r}",
                expected=f"one of {', '.join(self.columns)}",
            ) from None


def read_frame_columns(source: PathOrBytes) -> PickledFrame:
    """Read a pickled DataFrame's columns; run nothing of the pickle.

    Memory stays near the file's size: blocks of numbers are read once, and the
    columns are views on them.

    Parameters
    ----------
    source : path or bytes
        The pickle: a plain file, or its content.

    Raises
    ------
    NotFoundError
        If there is no such file.
    UnsafePickleError
        If the pickle asks for anything that a DataFrame does not need.
    TableError
        If it is cut off or damaged, not a pickle, or not of a DataFrame.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), "pickle")
    path = Path(source)
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            frame = _read(file, path)
            _check_unchanged(before, os.fstat(file.fileno()), path)
            return frame
    except FileNotFoundError:
        raise NotFoundError("there is no such file", where=path) from None
    except OSError as error:
        raise TableError(
            f"the file cannot be read ({error.strerror or error})",
            where=path,
            hint="Check that it is a file and that you may read it",
        ) from error


def _read(file: BinaryIO, where: object) -> PickledFrame:
    try:
        check_stream(file, where)
        parts = frame_parts(load_records(file, where))
    except SeeSpotError as error:
        if error.where is not None:
            raise
        raise TableError(
            error.found, where=where, expected=error.expected, hint=error.hint
        ) from None
    except MemoryError as error:
        raise TableError(
            "there is not enough memory for this table",
            where=where,
            hint="Close other programs, or open it on a larger machine",
        ) from error
    except _DAMAGE as error:
        raise TableError(
            f"the pickle is damaged ({type(error).__name__})",
            where=where,
            hint="Copy or download the file again",
        ) from error
    return _frame(parts)


def _frame(parts: Parts) -> PickledFrame:
    return PickledFrame(parts.columns, parts.n_rows, parts.index, parts.index_name)


def _check_unchanged(before: os.stat_result, after: os.stat_result, path: Path) -> None:
    # What was looked through must be what was read.
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise TableError(
            "the file changed while it was read",
            where=path,
            hint="Wait until it is complete and open it again",
        )


def read_frame(source: PathOrBytes) -> pd.DataFrame:
    """Read a pickled DataFrame as a DataFrame; run nothing of the pickle.

    Convenient for small tables: every column is copied, text becomes objects.
    The row labels are kept.

    Parameters
    ----------
    source : path or bytes
        The pickle: a plain file, or its content.

    Raises
    ------
    NotFoundError, UnsafePickleError, TableError
        As `read_frame_columns`.
    """
    import pandas as pd

    frame = read_frame_columns(source)
    index = pd.Index(_decoded(frame.index), name=frame.index_name)
    columns = {
        name: pd.Series(_decoded(column), index=index, dtype=_dtype(column), copy=True)
        for name, column in frame.columns.items()
    }
    return pd.DataFrame(columns, index=index)


def _decoded(column: range | Column) -> range | np.ndarray:
    return column.decode() if isinstance(column, Codes) else column


def _dtype(column: Column) -> np.dtype | type:
    return object if isinstance(column, Codes) else column.dtype
