"""Where the planes of chunks lie in their objects: a plane then costs one request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from napari_seespot._blosc_blocks import BlockTable
    from napari_seespot._requests import Span

__all__ = ["ChunkKey", "Frame", "KeptFrames", "fits", "frame_of"]

ChunkKey: TypeAlias = tuple[str, tuple[int, int, int]]
"""Token of the array, and the chunk."""

# Who reads blocks of several planes, or planes of several blocks, gains less than one
# more request costs below these.
_FEWEST_UNITS = 4
_SMALL_FRAME = 96 * 2**10
_MOST_BETWEEN = 2  # what is read over what is wanted, where blocks lie apart

_ENTRY_BYTES = 900  # Python's objects around a table


@dataclass(eq=False)
class Frame:
    """One chunk's frame, in units that can be read by themselves.

    Attributes
    ----------
    table : BlockTable
    planes, blocks : int
        Of each unit: one of them is 1.
    touched : set of int
        The units that were asked for.
    """

    table: BlockTable
    planes: int
    blocks: int
    touched: set[int] = field(default_factory=set)

    @property
    def units(self) -> int:
        """How many there are."""
        return -(-len(self.table.spans) // self.blocks)

    @property
    def nbytes(self) -> int:
        """What keeping it costs."""
        return _ENTRY_BYTES + int(self.table.spans.nbytes)

    def unit_of(self, plane: int) -> int:
        """Return the unit that holds a plane of the chunk."""
        return plane // self.planes

    def _blocks_of(self, unit: int) -> tuple[int, int]:
        first = unit * self.blocks
        return first, min(first + self.blocks, len(self.table.spans)) - 1

    def span_of(self, unit: int) -> Span | None:
        """Return the bytes to ask for; None where too much else lies between."""
        if self.blocks == 1:
            return self.table.span_of(unit)
        first, last = self._blocks_of(unit)
        start, stop = self.table.span_of(first, last)
        spans = self.table.spans[first : last + 1].astype(int)
        wanted = int((spans[:, 1] - spans[:, 0]).sum())
        far = (stop or 0) - (start or 0) > _MOST_BETWEEN * wanted
        return None if far else (start, stop)

    def decode(self, unit: int, data: bytes) -> bytes | None:
        """Return the decoded planes of a unit; None where they are not sound."""
        first, last = self._blocks_of(unit)
        return self.table.decode(first, data, last)


def fits(blocksize: int, plane: int) -> bool:
    """Whether blocks hold whole planes, or planes whole blocks."""
    return blocksize % plane == 0 or plane % blocksize == 0


def frame_of(table: BlockTable, plane: int) -> Frame | None:
    """Return a frame in units of whole planes; None where it has none worth a request.

    Parameters
    ----------
    table : BlockTable
    plane : int
        Bytes of a plane, decoded.
    """
    if not fits(table.blocksize, plane):
        return None
    frame = Frame(table, table.blocksize // plane or 1, plane // table.blocksize or 1)
    worth_it = frame.units >= _FEWEST_UNITS and table.cbytes > _SMALL_FRAME
    return frame if worth_it else None


class KeptFrames:
    """Frames by chunk, within a limit of bytes; safe to use from any thread.

    None is kept for a chunk that is to be read as a whole.

    Parameters
    ----------
    limit : int
        Bytes.
    """

    LIMIT = 32 * 2**20

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._frames: OrderedDict[ChunkKey, Frame | None] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def nbytes(self) -> int:
        """What is kept now."""
        return self._nbytes

    def get(self, key: ChunkKey) -> Frame | None:
        """Return a frame and count it as used."""
        with self._lock:
            frame = self._frames.get(key)
            if frame is not None:
                self._frames.move_to_end(key)
            return frame

    def look(self, key: ChunkKey) -> tuple[bool, Frame | None]:
        """Return whether anything is known about a chunk, and its frame."""
        with self._lock:
            return key in self._frames, self._frames.get(key)

    def put(self, key: ChunkKey, frame: Frame | None) -> dict[ChunkKey, Frame]:
        """Keep a frame; return those that had to go, with their chunks."""
        gone = {}
        with self._lock:
            self._remove(key)
            self._frames[key] = frame
            self._nbytes += _cost(frame)
            while self._nbytes > self.limit and len(self._frames) > 1:
                oldest = next(iter(self._frames))
                removed = self._remove(oldest)
                if removed is not None:
                    gone[oldest] = removed
        return gone

    def _remove(self, key: ChunkKey) -> Frame | None:
        if key not in self._frames:
            return None
        frame = self._frames.pop(key)
        self._nbytes -= _cost(frame)
        return frame

    def forget_whole(self, tokens: frozenset[str]) -> None:
        """Forget which chunks of some arrays are to be read as a whole."""
        with self._lock:
            for key, frame in list(self._frames.items()):
                if frame is None and key[0] in tokens:
                    self._remove(key)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._frames.clear()
            self._nbytes = 0


def _cost(frame: Frame | None) -> int:
    return _ENTRY_BYTES if frame is None else frame.nbytes
