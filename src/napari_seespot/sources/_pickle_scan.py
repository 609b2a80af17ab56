"""Look through a pickle's opcodes before any unpickler sees them.

The C unpickler trusts what a stream declares: a length is allocated before the
bytes are there, a memo index sizes the memo, a tuple that becomes a dict key is
hashed to any depth, extension codes are looked up behind ``find_class``. So the
stream is followed once without building anything: only the opcodes that a
pickled DataFrame is made of may occur, every length must lie inside the file,
memo entries are numbered one after another as both of Python's picklers do, and
stack and brackets stay as small as those picklers leave them.

The walk keeps one byte for each value on the stack and in the memo. Large blocks
are skipped by seeking, so a table of numbers costs a few thousand steps; object
columns cost one step or two a cell. The same function runs as plain Python and,
when a stream turns out to be long, compiled by numba.
"""

from __future__ import annotations

from array import array
from functools import cache
from os import SEEK_END
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import SeeSpotError, TableError, UnsafePickleError
from napari_seespot.sources._pickle_opcodes import (
    CUT_OFF,
    DAMAGED,
    DONE,
    FULL_MEMO,
    MORE,
    NAMES,
    REFUSED,
    TABLE,
    TUPLE_KEY,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from napari_seespot.sources._pickle_opcodes import Walked

__all__ = ["PLAIN_STEPS", "check_stream"]

# Starting numba costs about as much as this many steps of plain Python.
PLAIN_STEPS = 200_000
_NO_LIMIT = 1 << 62

# Python's picklers put at most 1,000 list items or 1,000 dict pairs on the stack
# before an APPENDS or SETITEMS takes them off; a frame's tuples hold one value a
# block. The rest is room for frames of thousands of separate blocks.
_MAX_STACK = 1 << 16
# A frame's open brackets are fewer than ten.
_MAX_MARKS = 100

_WINDOW = 1 << 20


@cache
def _compiled() -> Callable[..., Walked]:
    # numba takes half a second to import; most tables never need it.
    import numba

    try:
        compiled: Callable[..., Walked] = numba.njit(cache=True, nogil=True)(walk)
    except RuntimeError:
        # No folder that numba may keep compiled code in: compile every time.
        compiled = numba.njit(nogil=True)(walk)
    return compiled


class _Scan:
    """The state of a walk through one file, and its driver."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size
        self.position = 2
        self.window = bytearray(min(size, _WINDOW))
        self.stack = bytearray(_MAX_STACK)
        self.marks = array("q", bytes(8 * (_MAX_MARKS + 1)))
        self.memo = bytearray(1 << 12)
        self.depth = 0
        self.n_marks = 0
        self.n_memo = 0

    def run(self, plain_steps: int) -> int:
        """Walk to the end or to the first fault, and return which it was."""
        steps = plain_steps
        fast = steps == 0
        outcome = MORE
        while outcome == MORE:
            if self.position >= self.size:
                return CUT_OFF
            outcome, steps = self._step(_NO_LIMIT if fast else steps, fast)
            fast = fast or steps == 0
            if outcome == FULL_MEMO:
                self.memo += bytes(len(self.memo))
                outcome = MORE
        return outcome

    def _step(self, steps: int, fast: bool) -> tuple[int, int]:
        length = _fill(self.file, self.position, self.window)
        left = self.size - self.position
        if length < min(left, len(self.window)):
            return CUT_OFF, steps  # the file became shorter meanwhile
        state: tuple[Any, ...] = (self.stack, self.marks, self.memo)
        window: Any = self.window
        table: tuple[Any, ...] = TABLE
        follow: Callable[..., Walked] = walk
        if fast:
            follow = _compiled()
            window = np.frombuffer(window, np.uint8)
            table = tuple(np.frombuffer(column, np.uint8) for column in table)
            state = (
                np.frombuffer(self.stack, np.uint8),
                np.frombuffer(self.marks, np.int64),
                np.frombuffer(self.memo, np.uint8),
            )
        outcome, moved, self.depth, self.n_marks, self.n_memo, steps = follow(
            window,
            length,
            left,
            *table,
            *state,
            self.depth,
            self.n_marks,
            self.n_memo,
            steps,
        )
        self.position += moved
        return outcome, steps


def _fill(file: BinaryIO, position: int, window: bytearray) -> int:
    file.seek(position)
    view = memoryview(window)
    filled = 0
    while filled < len(window):
        got = file.readinto(view[filled:])  # type: ignore[attr-defined]  # BinaryIO lacks it
        if not got:
            break
        filled += got
    return filled


def check_stream(
    file: BinaryIO, where: object, *, plain_steps: int = PLAIN_STEPS
) -> None:
    """Follow a pickle's opcodes and refuse what no pickled DataFrame contains.

    Parameters
    ----------
    file : binary file
        Seekable; left at its start.
    where : object
        The file's name, for messages.
    plain_steps : int
        Steps to take in plain Python before the compiled walk takes over.

    Raises
    ------
    TableError
        If the file is not a pickle of protocol 2 to 5, is cut off, or is
        inconsistent in itself.
    UnsafePickleError
        If it uses an opcode or a nesting that a DataFrame never needs.
    """
    size = file.seek(0, SEEK_END)
    file.seek(0)
    _check_start(file.read(8), where)
    scan = _Scan(file, size)
    outcome = scan.run(plain_steps)
    if outcome != DONE:
        raise _fault(scan, outcome, where)
    if scan.position != size:
        raise TableError(
            f"the pickle ends after {scan.position:,} of {size:,} bytes",
            where=where,
            expected="one DataFrame and nothing behind it",
            hint="Copy or download the file again",
        )
    file.seek(0)


# How files begin that people mistake for pickles, or pandas reads as such.
_STARTS = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow (Feather) file",
    b"\x1f\x8b": "a gzip-compressed file",
    b"BZh": "a bzip2-compressed file",
    b"\xfd7zXZ": "an xz-compressed file",
    b"\x28\xb5\x2f\xfd": "a zstd-compressed file",
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy .npy file",
    b"<": "a web page or an XML document",
    b"{": "a JSON document",
}
_HIGHEST_PROTOCOL = 5


def _check_start(start: bytes, where: object) -> None:
    expected = "a DataFrame pickled by pandas with protocol 2 to 5"
    if not start:
        raise TableError(
            "the file is empty",
            where=where,
            expected=expected,
            hint="Copy or download it again",
        )
    if start[:1] != b"\x80":
        kind = next((k for s, k in _STARTS.items() if start.startswith(s)), None)
        raise TableError(
            f"this is not a pickle but {kind}" if kind else "this is not a pickle",
            where=where,
            expected=expected,
            hint="Check that the file is complete and has the right ending",
        )
    if len(start) < 2 or not 2 <= start[1] <= _HIGHEST_PROTOCOL:
        found = f"pickle protocol {start[1]}" if len(start) > 1 else "a single byte"
        raise TableError(f"the file holds {found}", where=where, expected=expected)


def _fault(scan: _Scan, outcome: int, where: object) -> SeeSpotError:
    at = f"at byte {scan.position:,} of {scan.size:,}"
    if outcome == CUT_OFF:
        return TableError(
            f"the pickle is cut off: it goes on beyond the file's {scan.size:,} bytes",
            where=where,
            hint="Copy or download the file again",
        )
    if outcome == DAMAGED:
        return TableError(
            f"the pickle is damaged {at}",
            where=where,
            hint="Copy or download the file again",
        )
    if outcome == REFUSED:
        scan.file.seek(scan.position)
        code = scan.file.read(1)[0]
        found = f"the pickle uses the opcode {NAMES.get(code, f'{code:#04x}')} {at}"
    elif outcome == TUPLE_KEY:
        found = f"the pickle uses a tuple as a dictionary's key {at}"
    else:
        found = f"the pickle nests or gathers too many values {at}"
    return UnsafePickleError(
        found,
        where=where,
        expected="only what a pickled DataFrame needs",
        hint="Nothing of the file was run; ask its author for a Parquet file",
    )
