"""One block of a Blosc frame, without the others.

A frame of Blosc 1 is a header of 16 bytes, a table with the offset of each block,
and the blocks, each compressed by itself
(https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst). So a plane of
a chunk of 128 x 128 x 128 voxels needs the header, the table and one block.
That block becomes a frame of its own with one block, which Blosc decodes.

Whatever is not as it must be gives None: the caller then reads the whole chunk.
Blosc itself believes the header about the length of the frame and reads beyond the
end of one that was cut off: `fault_of` looks first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numcodecs import blosc  # type: ignore[import-untyped]  # it has no stubs

if TYPE_CHECKING:
    from napari_seespot._requests import Span

__all__ = [
    "HEAD_BYTES",
    "BlockTable",
    "blocksize_of",
    "decode_frame",
    "fault_of",
    "read_table",
    "table_bytes",
]

HEAD_BYTES = 1024
"""What is asked for first: the table of up to 252 blocks fits."""

_HEADER = struct.Struct("<BBBBIII")
_VERSION = 2  # of the format; all that Blosc 1 has written since 2012
_MEMCPYED = 0x02
_DONT_SPLIT = 0x10


@dataclass(frozen=True, eq=False)
class BlockTable:
    """Where the blocks of one frame lie.

    Attributes
    ----------
    head : bytes
        The frame's first four bytes: versions, flags, size of an item.
    nbytes, blocksize, cbytes : int
        Bytes of the decoded chunk, of a decoded block, of the frame.
    spans : numpy.ndarray
        (blocks, 2) uint32: start and stop of each block in the frame.
    """

    head: bytes
    nbytes: int
    blocksize: int
    cbytes: int
    spans: np.ndarray[Any, np.dtype[np.uint32]]

    def size_of(self, block: int) -> int:
        """Return the bytes that a block holds, decoded; the last may be short."""
        return min(self.blocksize, self.nbytes - block * self.blocksize)

    def span_of(self, first: int, last: int | None = None) -> Span:
        """Return the bytes of the frame to ask for, for a block or several."""
        if last is None or last == first:
            start, stop = self.spans[first].tolist()
            return start, stop
        some = self.spans[first : last + 1]
        return int(some.min()), int(some.max())

    def decode(self, first: int, data: bytes, last: int | None = None) -> bytes | None:
        """Return the decoded bytes of a block, or several; None if they are not sound.

        Parameters
        ----------
        first : int
        data : bytes
            The bytes of `span_of`.
        last : int, optional
            `first` where it is left out.
        """
        begin, end = self.span_of(first, last)
        begin = begin or 0
        if len(data) != (end or 0) - begin:
            return None
        if last is None or last == first:
            return self._decode_one(first, data)
        parts = []
        for block, (start, stop) in enumerate(self.spans[first : last + 1].tolist()):
            part = self._decode_one(first + block, data[start - begin : stop - begin])
            if part is None:
                return None
            parts.append(part)
        return b"".join(parts)

    def _decode_one(self, block: int, data: bytes) -> bytes | None:
        size = self.size_of(block)
        flags = self.head[2]
        if flags & _MEMCPYED:
            return data
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


def table_bytes(head: bytes, nbytes: int) -> int:
    """Return how much of a frame's beginning its table needs; 0 if it has none.

    Parameters
    ----------
    head : bytes
        The frame's beginning, the header at least.
    nbytes : int
        What the chunk holds when it is decoded.
    """
    if len(head) < _HEADER.size:
        return 0
    version, _, flags, _, told, blocksize, _ = _HEADER.unpack_from(head)
    if version != _VERSION or told != nbytes or not 0 < blocksize <= nbytes:
        return 0
    return _HEADER.size + (0 if flags & _MEMCPYED else 4 * -(-nbytes // blocksize))


def blocksize_of(head: bytes, plane: int) -> int:
    """Return the bytes of a decoded block, by a frame's header; `plane` in a copy."""
    _, _, flags, _, _, blocksize, _ = _HEADER.unpack_from(head)
    return plane if flags & _MEMCPYED else int(blocksize)


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
    end_of_table = table_bytes(head, nbytes)
    if not 0 < end_of_table <= len(head):
        return None
    _, _, flags, _, _, blocksize, cbytes = _HEADER.unpack_from(head)
    if flags & _MEMCPYED:
        return _plain_table(head, nbytes, plane or blocksize, cbytes)
    count = -(-nbytes // blocksize)
    starts = np.frombuffer(head, "<u4", count, _HEADER.size).astype(np.int64)
    # Threads write blocks as they are ready: a block ends where the next one in
    # the file, not in the table, begins.
    order = np.argsort(starts)
    stops = np.empty_like(starts)
    stops[order] = [*starts[order[1:]], cbytes]
    if starts[order[0]] < end_of_table or (stops <= starts).any():
        return None
    return _table(head, nbytes, blocksize, cbytes, starts, stops)


def _plain_table(
    head: bytes, nbytes: int, blocksize: int, cbytes: int
) -> BlockTable | None:
    """Return the table of a frame that is a copy: blocks are where they were."""
    if cbytes != nbytes + _HEADER.size:
        return None
    starts = np.arange(_HEADER.size, cbytes, blocksize)
    stops = np.minimum(starts + blocksize, cbytes)
    return _table(head, nbytes, blocksize, cbytes, starts, stops)


def _table(
    head: bytes,
    nbytes: int,
    blocksize: int,
    cbytes: int,
    starts: np.ndarray[Any, Any],
    stops: np.ndarray[Any, Any],
) -> BlockTable:
    spans = np.stack([starts, stops], axis=1).astype(np.uint32)
    return BlockTable(bytes(head[:4]), nbytes, blocksize, cbytes, spans)


def fault_of(frame: bytes | memoryview, nbytes: int | None = None) -> str | None:
    """Return why a frame must not be given to Blosc; None where it may.

    Parameters
    ----------
    frame : bytes-like
    nbytes : int, optional
        What the chunk holds when it is decoded; a header that says otherwise is
        not believed, whatever it would have allocated.
    """
    size = memoryview(frame).nbytes
    if size < _HEADER.size:
        return f"the chunk is truncated: {size} bytes, less than a header of Blosc"
    _, _, _, _, told, _, cbytes = _HEADER.unpack_from(frame)
    if size < cbytes:
        return f"the chunk is truncated: {size:,} of {cbytes:,} bytes"
    if size > cbytes:
        return f"the chunk is damaged: {size:,} bytes, its header says {cbytes:,}"
    if nbytes is not None and told != nbytes:
        return (
            f"the chunk is damaged: its header tells {told:,} bytes of voxels "
            f"instead of {nbytes:,}"
        )
    return None


def decode_frame(frame: bytes, nbytes: int) -> bytes | None:
    """Return what a whole frame holds; None where it has a fault.

    Parameters
    ----------
    frame : bytes
    nbytes : int
        What the chunk holds when it is decoded.
    """
    return None if fault_of(frame, nbytes) else _decoded(frame, nbytes)


def _decoded(frame: bytes, size: int) -> bytes | None:
    try:
        data: bytes = blosc.decompress(frame)
    except (RuntimeError, ValueError, MemoryError):
        return None
    return data if len(data) == size else None
