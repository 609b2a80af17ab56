"""One block of a Blosc frame, without the others.

A frame of Blosc 1 is a header of 16 bytes, a table with the offset of each block,
and the blocks, each compressed by itself
(https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst). So a plane of
a chunk of 128 x 128 x 128 voxels needs the header, the table and one block.
That block becomes a frame of its own with one block, which Blosc decodes.

Whatever is not as it must be gives None: the caller then reads the whole chunk,
and what that raises is what the user is told.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from numcodecs import blosc  # type: ignore[import-untyped]  # it has no stubs

if TYPE_CHECKING:
    from napari_seespot._requests import Span

__all__ = ["HEAD_BYTES", "BlockTable", "decode_frame", "read_table"]

HEAD_BYTES = 1024
"""What is asked for first: the table of up to 252 blocks fits."""

_HEADER = struct.Struct("<BBBBIII")
_VERSION = 2  # of the format; all that Blosc 1 has written since 2012
_MEMCPYED = 0x02
_DONT_SPLIT = 0x10


@dataclass(frozen=True)
class BlockTable:
    """Where the blocks of one frame lie.

    Attributes
    ----------
    head : bytes
        The frame's first four bytes: versions, flags, size of an item.
    nbytes, blocksize, cbytes : int
        Bytes of the decoded chunk, of a decoded block, of the frame.
    spans : tuple of (int, int)
        Start and stop of each block in the frame.
    """

    head: bytes
    nbytes: int
    blocksize: int
    cbytes: int
    spans: tuple[tuple[int, int], ...]

    def size_of(self, block: int) -> int:
        """Return the bytes that a block holds, decoded; the last may be short."""
        return min(self.blocksize, self.nbytes - block * self.blocksize)

    def span_of(self, block: int) -> Span:
        """Return the bytes of the frame to ask for."""
        return self.spans[block]

    def decode(self, block: int, data: bytes) -> bytes | None:
        """Return a block's decoded bytes; None where that cannot be done.

        Parameters
        ----------
        block : int
        data : bytes
            The bytes of `span_of`.
        """
        size = self.size_of(block)
        start, stop = self.spans[block]
        if len(data) != stop - start:
            return None
        if self.head[2] & _MEMCPYED:
            return data
        flags = self.head[2]
        if size < self.blocksize:
            flags |= _DONT_SPLIT  # Blosc never splits a short last block
        offset = _HEADER.size + 4
        head = (self.head[0], self.head[1], flags, self.head[3])
        frame = b"".join(
            [
                _HEADER.pack(*head, size, size, offset + len(data)),
                struct.pack("<I", offset),
                data,
            ]
        )
        return _decoded(frame, size)


def read_table(head: bytes, nbytes: int, plane: int = 0) -> BlockTable | None:
    """Return the block table of a frame; None where there is none to rely on.

    Parameters
    ----------
    head : bytes
        The frame's beginning.
    nbytes : int
        What the chunk holds when it is decoded.
    plane : int
        Bytes of a plane: a frame that is a copy can be cut anywhere, and is cut
        so.
    """
    if len(head) < _HEADER.size:
        return None
    version, _, flags, _, told, blocksize, cbytes = _HEADER.unpack_from(head)
    if version != _VERSION or told != nbytes or not 0 < blocksize <= nbytes:
        return None
    count = -(-nbytes // blocksize)
    if flags & _MEMCPYED:
        return _plain_table(head, nbytes, plane or blocksize, cbytes)
    end_of_table = _HEADER.size + 4 * count
    if len(head) < end_of_table:
        return None
    starts = struct.unpack_from(f"<{count}I", head, _HEADER.size)
    # Threads write blocks as they are ready: a block ends where the next one in
    # the file, not in the table, begins.
    ordered = [*sorted(starts), cbytes]
    ends = dict(pairwise(ordered))
    if ordered[0] < end_of_table or len(ends) != count:
        return None
    if any(stop <= start for start, stop in ends.items()):
        return None
    spans = tuple((start, ends[start]) for start in starts)
    return BlockTable(head[:4], nbytes, blocksize, cbytes, spans)


def _plain_table(
    head: bytes, nbytes: int, blocksize: int, cbytes: int
) -> BlockTable | None:
    """Return the table of a frame that is a copy: blocks are where they were."""
    if cbytes != nbytes + _HEADER.size:
        return None
    starts = range(_HEADER.size, cbytes, blocksize)
    spans = zip(starts, [*starts[1:], cbytes], strict=True)
    return BlockTable(head[:4], nbytes, blocksize, cbytes, tuple(spans))


def decode_frame(frame: bytes, nbytes: int) -> bytes | None:
    """Return what a whole frame holds; None where that cannot be told.

    Parameters
    ----------
    frame : bytes
    nbytes : int
        What the chunk holds when it is decoded; a header that says otherwise is
        not believed, whatever it would have allocated.
    """
    if len(frame) < _HEADER.size:
        return None
    _, _, _, _, told, _, cbytes = _HEADER.unpack_from(frame)
    if told != nbytes or cbytes != len(frame):
        return None
    return _decoded(frame, nbytes)


def _decoded(frame: bytes, size: int) -> bytes | None:
    try:
        data: bytes = blosc.decompress(frame)
    except (RuntimeError, ValueError, MemoryError):
        return None
    return data if len(data) == size else None
