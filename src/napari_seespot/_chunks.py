"""Walking over all rows of a table: in chunks, in threads, until cancelled.

Chunks keep temporaries in the processor's cache, let a memory-mapped column
pass through memory once, and are where a task can be cancelled.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from napari_seespot.errors import CancelledError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "CHUNK_ROWS",
    "LONG_CHUNK_ROWS",
    "RowFilter",
    "each_chunk",
    "frozen",
    "number_chunks",
    "one_thread",
    "row_mask",
]

CHUNK_ROWS = 1 << 16
"""Rows of a chunk: 256 KiB of a float32 column, a fraction of an L2 cache."""

LONG_CHUNK_ROWS = 1 << 20
"""Rows of a chunk that needs no temporaries.

Between chunks a thread asks for Python's lock, for which it waits 5 ms while
another one is busy: 122 times in 8 million rows would take longer than the work.
"""

T = TypeVar("T")


class RowFilter(Protocol):
    """A rule that tells which rows pass, in place of a mask of all rows."""

    @property
    def codes(self) -> np.ndarray:
        """Which of the table's codes pass; bool, shape (n_codes,)."""

    def in_ranges(self, rows: Any) -> np.ndarray | None:
        """Return which rows pass, whatever their codes; None where all do."""

    def of(self, rows: Any) -> np.ndarray:
        """Return which rows pass; bool, shape (m,)."""


_here = threading.local()


@contextmanager
def one_thread() -> Iterator[None]:
    """Have `each_chunk` work in the thread that calls it, which is one of many."""
    before = getattr(_here, "alone", False)
    _here.alone = True
    try:
        yield
    finally:
        _here.alone = before


def each_chunk(
    n_rows: int,
    start: Callable[[], T],
    step: Callable[[T, slice], None],
    *,
    max_threads: int | None = None,
    rows_per_chunk: int = CHUNK_ROWS,
    cancelled: Callable[[], bool] | None = None,
) -> list[T]:
    """Run `step` on each chunk of rows and return what each thread gathered.

    Parameters
    ----------
    n_rows : int
    start : callable
        Makes a thread's own result, so that threads share nothing they write.
    step : callable
        Adds the rows of a slice to a thread's result; releases the GIL.
    max_threads : int, optional
        At most this many; never more than processors or chunks.
    rows_per_chunk : int
    cancelled : callable, optional
        Asked before each chunk; the task ends when it says True.

    Raises
    ------
    CancelledError
        When `cancelled` said True.
    """
    todo = deque(range(0, n_rows, rows_per_chunk))
    threads = min(os.cpu_count() or 1, len(todo), max_threads or len(todo))

    def work() -> T:
        result = start()
        try:
            while todo:
                if cancelled is not None and cancelled():
                    raise CancelledError("the calculation was cancelled")
                try:
                    first = todo.popleft()
                except IndexError:  # the other thread took the last one
                    break
                step(result, slice(first, min(first + rows_per_chunk, n_rows)))
        except BaseException:
            todo.clear()  # the other threads need not finish
            raise
        return result

    if threads <= 1 or getattr(_here, "alone", False):
        return [work()]
    with ThreadPoolExecutor(threads, thread_name_prefix="seespot-rows") as pool:
        futures = [pool.submit(work) for _ in range(threads)]
    return [future.result() for future in futures]


def number_chunks(
    x: np.ndarray, y: np.ndarray, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two columns as kernels take them.

    Both are float32 where both columns are, else float64; contiguous, and
    read-only whatever the column is, so that a kernel is compiled once and not
    again for columns that happen to be writeable.
    """
    single = x.dtype == y.dtype == np.dtype(np.float32)
    dtype = np.float32 if single else np.float64
    return frozen(x[rows], dtype), frozen(y[rows], dtype)


def frozen(values: Any, dtype: Any) -> np.ndarray:
    """Return values as a contiguous, read-only array of a dtype."""
    view = np.ascontiguousarray(values, dtype).view()
    view.flags.writeable = False
    return view


def row_mask(where: Any, n_rows: int) -> np.ndarray | None:
    """Return `where` as a contiguous, read-only mask of the rows, or None.

    Raises
    ------
    StateError
        When it is not a boolean for each row.
    """
    if where is None:
        return None
    mask = np.asarray(where)
    if mask.dtype != np.bool_ or mask.shape != (n_rows,):
        raise StateError(
            f"`where` is an array of {mask.dtype} with shape {mask.shape}",
            expected=f"a boolean for each of the {n_rows:,} rows, in row order",
        )
    return frozen(mask, np.bool_)
