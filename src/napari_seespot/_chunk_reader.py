"""Every pixel comes from here: from the cache, or read once for all who ask.

A chunk is kept whole, or, where one plane of it is wanted and Blosc's blocks allow
it, as the few planes of one block: a plane then costs a 32nd of the bytes. When
more blocks of a chunk are asked for, it is read as a whole.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot import settings
from napari_seespot._blosc_blocks import (
    HEAD_BYTES,
    BlockTable,
    decode_frame,
    read_table,
)
from napari_seespot._chunk_cache import ChunkCache, Piece
from napari_seespot._reading_pool import ReadingPool, Urgency

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from napari_seespot._chunk_cache import PieceKey
    from napari_seespot._level_array import ChunkIndex, LevelArray, Region
    from napari_seespot._reading_pool import Task

__all__ = ["ChunkReader", "Want", "reader"]

# A frame that is not larger than this comes faster in one go than in two steps.
_SMALL_FRAME = 96 * 2**10
# Chunks that decode to less are not worth a second request.
_SMALL_CHUNK = 2**20
# Once so much of a chunk's blocks is there, it is read as a whole: who steps through
# z will want the others too.
_SHARE_BEFORE_WHOLE = 1 / 4
# Who asks for more planes at once will not find them in one block.
_PLANES_OF_A_BLOCK = 4
_KEPT_TABLES = 50_000  # of about 3 kB
_WHOLE = -1


@dataclass(frozen=True)
class Want:
    """Planes of one chunk of one level.

    Attributes
    ----------
    array : LevelArray
    chunk : tuple of int
    start, stop : int
        Planes of the chunk, `stop` not included.
    """

    array: LevelArray
    chunk: ChunkIndex
    start: int
    stop: int

    @property
    def failed(self) -> bool:
        """Whether reading this chunk failed and no retry was asked for since."""
        return self.array.image.has_failed(self.array.level, self.chunk)


@dataclass
class _Frame:
    """What is known about one chunk's frame."""

    table: BlockTable
    planes: int  # of each block
    touched: set[int] = field(default_factory=set)


class ChunkReader:
    """Reads pieces of chunks, each once, and keeps them.

    Parameters
    ----------
    cache : ChunkCache
    pool : ReadingPool
    """

    def __init__(self, cache: ChunkCache, pool: ReadingPool) -> None:
        self.cache = cache
        self.pool = pool
        self._frames: OrderedDict[tuple[str, ChunkIndex], _Frame | None] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[tuple[str, ChunkIndex], list[Any]] = {}
        self._claims: dict[Hashable, int] = {}
        # Decoding lets go of Python's lock: more threads than cores would take
        # the window's share of them.
        self._decoding = threading.BoundedSemaphore(max(2, (os.cpu_count() or 2) - 1))

    # --- what is there

    def known(self, want: Want) -> Piece | None:
        """Return the piece that holds the planes, if it was read before."""
        for key in self._keys(want):
            piece = self.cache.get(key)
            if piece is not None and piece.covers(want.start, want.stop):
                return piece
        return None

    def _keys(self, want: Want) -> Iterator[PieceKey]:
        yield (want.array.token, want.chunk, _WHOLE)
        frame = self._frames.get((want.array.token, want.chunk))
        if frame is not None:
            first = want.start // frame.planes * frame.planes
            yield (want.array.token, want.chunk, first)

    def wants(self, array: LevelArray, region: Region) -> list[Want]:
        """Return the chunks that a region touches, with the planes of each."""
        depth = array.chunks[0]
        ranges = [
            range(s.start // c, -(-s.stop // c))
            for s, c in zip(region, array.chunks, strict=True)
        ]
        return [
            Want(
                array,
                (z, y, x),
                max(region[0].start - z * depth, 0),
                min(region[0].stop - z * depth, depth),
            )
            for z, y, x in product(*ranges)
        ]

    # --- what there is room for

    def claim(self, owner: Hashable, nbytes: int) -> None:
        """Tell what the chunks that somebody looks at would take if kept whole.

        Who steps through z reads chunks block by block, then as a whole. That
        pays only if they stay until the next step: while all claims together are
        more than half of the cache, single planes remain single blocks.

        Parameters
        ----------
        owner : hashable
        nbytes : int
            Of all chunks in view, decoded, in the place of what the owner claimed
            before; 0 lets go.
        """
        with self._lock:
            self._claims.pop(owner, None)
            if nbytes > 0:
                self._claims[owner] = nbytes

    def _has_room(self, chunk_bytes: int) -> bool:
        """Whether chunks that are read as a whole will still be there when needed."""
        with self._lock:
            wanted = max(sum(self._claims.values()), chunk_bytes)
        return wanted * 2 <= self.cache.limit

    # --- reading

    def start(
        self, want: Want, urgency: Urgency, owner: object, rank: float = 0.0
    ) -> Task:
        """Have planes read by the pool; see `ReadingPool.submit`."""
        return self.pool.submit(
            self.task_key(want), lambda: self.read(want), urgency, owner, rank
        )

    def task_key(self, want: Want) -> tuple[object, ...]:
        """Return what tells that two askers want the same."""
        frame = self._frames.get((want.array.token, want.chunk))
        first = want.start if frame is None else want.start // frame.planes
        several = want.stop - want.start > 1
        return (want.array.token, want.chunk, _WHOLE if several else first)

    def read(self, want: Want) -> Piece:
        """Return the piece that holds the planes; read it now if need be.

        Raises
        ------
        Exception
            Whatever the store or the codec raises.
        """
        with self._alone(want):
            # Another thread may have read it while this one waited.
            piece = self.known(want)
            if piece is not None:
                return piece
            first, piece = self._block(want) or (_WHOLE, self._whole(want))
            self.cache.put((want.array.token, want.chunk, first), piece)
            return piece

    @contextmanager
    def _alone(self, want: Want) -> Iterator[None]:
        """Let no other thread read the same chunk."""
        key = (want.array.token, want.chunk)
        with self._lock:
            entry = self._reading.setdefault(key, [threading.Lock(), 0])
            entry[1] += 1
        try:
            with entry[0]:
                yield
        finally:
            with self._lock:
                entry[1] -= 1
                if not entry[1]:
                    del self._reading[key]

    # --- a chunk as a whole

    def _whole(self, want: Want, data: bytes | None = None) -> Piece:
        """Read and decode a chunk; `data` holds its bytes where they are known."""
        array = want.array
        shape = array.shape_of(want.chunk)
        if array.layout is None:
            with self._decoding if array.is_local else _nothing():
                return _piece(0, array.read_chunk(want.chunk))
        if data is None:
            data = array.read_bytes(want.chunk)
        if data is None:
            return _absent(array, shape)
        with self._decoding:
            decoded = decode_frame(data, array.layout.nbytes)
            if decoded is not None:
                self._forget_blocks(want)
                return _piece(0, array.layout.unpacked(decoded, shape))
        # zarr tells what is wrong with it, or reads it after all
        return _piece(0, array.read_chunk(want.chunk))

    def _forget_blocks(self, want: Want) -> None:
        """Drop the blocks that the whole chunk takes the place of."""
        token, chunk = want.array.token, want.chunk
        frame = self._frames.get((token, chunk))
        if frame is not None:
            for block in frame.touched:
                self.cache.discard((token, chunk, block * frame.planes))

    # --- one block

    def _block(self, want: Want) -> tuple[int, Piece] | None:
        """Return a piece that is smaller than the chunk, with its first plane.

        None where the chunk is to be read as a whole.
        """
        layout = want.array.layout
        if layout is None or not layout.plane_bytes or layout.nbytes < _SMALL_CHUNK:
            return None
        key = (want.array.token, want.chunk)
        if key not in self._frames:
            if want.stop - want.start > _PLANES_OF_A_BLOCK:
                return None
            done = self._open_frame(want)
            if done is not None:
                return _WHOLE, done
        frame = self._frames[key]
        if frame is None:
            return None
        block = want.start // frame.planes
        if (want.stop - 1) // frame.planes != block:
            return None
        frame.touched = {
            kept for kept in frame.touched if (*key, kept * frame.planes) in self.cache
        } | {block}
        most = max(2, _SHARE_BEFORE_WHOLE * len(frame.table.spans))
        if len(frame.touched) > most and self._has_room(layout.nbytes):
            return None
        return self._read_block(want, frame, block)

    def _read_block(
        self, want: Want, frame: _Frame, block: int
    ) -> tuple[int, Piece] | None:
        layout = want.array.layout
        assert layout is not None
        data = want.array.read_bytes(want.chunk, frame.table.span_of(block))
        decoded = None if data is None else frame.table.decode(block, data)
        if decoded is None:
            return None  # reading the whole chunk tells what is wrong
        first = block * frame.planes
        planes = len(decoded) // layout.plane_bytes
        depth, height, width = want.array.shape_of(want.chunk)
        shape = (max(min(planes, depth - first), 0), height, width)
        return first, _piece(first, layout.unpacked(decoded, shape))

    def _open_frame(self, want: Want) -> Piece | None:
        """Find out where the blocks are; return the piece if that showed it whole."""
        array = want.array
        assert array.layout is not None
        head = array.read_bytes(want.chunk, (0, HEAD_BYTES))
        if head is None:
            return _absent(array, array.shape_of(want.chunk))
        if len(head) < HEAD_BYTES:  # all there is
            return self._whole(want, head)
        plane = array.layout.plane_bytes
        table = read_table(head, array.layout.nbytes, plane)
        frame = None
        if table is not None and table.blocksize % plane == 0:
            worth_it = len(table.spans) >= 4 and table.cbytes > _SMALL_FRAME
            frame = _Frame(table, table.blocksize // plane) if worth_it else None
        self._keep_frame((array.token, want.chunk), frame)
        return None

    def _keep_frame(self, key: tuple[str, ChunkIndex], frame: _Frame | None) -> None:
        with self._lock:
            self._frames[key] = frame
            if len(self._frames) > _KEPT_TABLES:
                self._frames.popitem(last=False)

    def forget(self, tokens: frozenset[str]) -> None:
        """Drop what a retry must ask for again."""
        self.cache.forget_absent(tokens)
        with self._lock:
            for key in [key for key in self._frames if key[0] in tokens]:
                if self._frames[key] is None:
                    del self._frames[key]

    def clear(self) -> None:
        """Drop everything that is kept."""
        self.cache.clear()
        with self._lock:
            self._frames.clear()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _piece(first: int, values: np.ndarray[Any, Any]) -> Piece:
    values.flags.writeable = False
    return Piece(first, values)


def _absent(array: LevelArray, shape: tuple[int, ...]) -> Piece:
    fill = np.asarray(array.fill_value, dtype=array.dtype)
    return Piece(0, np.broadcast_to(fill, shape), absent=True)


_shared: dict[int, ChunkReader] = {}
_shared_lock = threading.Lock()


def reader() -> ChunkReader:
    """Return the process's own reader, its cache as large as the settings say."""
    with _shared_lock:
        pid = os.getpid()  # a forked process has none of the threads
        if pid not in _shared:
            _shared.clear()
            _shared[pid] = ChunkReader(ChunkCache(0), ReadingPool())
        shared = _shared[pid]
    limit = settings.chunks_limit()
    if shared.cache.limit != limit:
        shared.cache.limit = limit
    return shared
