"""Every pixel comes from here: from the cache, or read once for all who ask.

A chunk is kept whole, or, where one plane of it is wanted and Blosc's blocks allow
it, as the few planes of one block: a plane then costs a 32nd of the bytes. When
more blocks of a chunk are asked for, it is read as a whole.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot import settings
from napari_seespot._blosc_blocks import (
    HEAD_BYTES,
    blocksize_of,
    decode_frame,
    fault_of,
    read_table,
    table_bytes,
)
from napari_seespot._chunk_cache import ChunkCache, Piece
from napari_seespot._chunk_frames import KeptFrames, fits, frame_of
from napari_seespot._reading_pool import ReadingPool, Urgency
from napari_seespot._requests import WholeObject, until
from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from napari_seespot._chunk_cache import PieceKey
    from napari_seespot._chunk_frames import Frame
    from napari_seespot._level_array import ChunkIndex, LevelArray, Region
    from napari_seespot._reading_pool import Task

__all__ = ["ChunkReader", "Want", "reader"]

# Chunks that decode to less are not worth a second request.
_SMALL_CHUNK = 2**20
# Once so much of a chunk's blocks is there, it is read as a whole: who steps through z
# will want the others too.
_SHARE_BEFORE_WHOLE = 1 / 4
# Who asks for more planes at once will not find them in one block.
_PLANES_OF_A_BLOCK = 4
_LONGEST_TABLE = 2**16
CHUNK_SECONDS = 30.0  # for a chunk or planes of it, all requests together
_SHARE_OF_TABLES = 1 / 8  # of the cache, at most
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


class _Turn:
    """Whose turn it is to read one thing, and what the last one met with."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0
        self.lost: OSError | None = None


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
        self._frames = KeptFrames()
        self._without_blocks: set[str] = set()  # arrays whose blocks cut planes
        self._lock = threading.Lock()
        self._turns: dict[PieceKey, _Turn] = {}
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
            first = frame.unit_of(want.start) * frame.planes
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
        """Return what tells that two askers want the same.

        Others may want planes of the same block: each is a task of its own, and the
        first of them reads the block.
        """
        return (want.array.token, want.chunk, want.start, want.stop)

    def read(self, want: Want) -> Piece:
        """Return the piece that holds the planes; read it now if need be.

        All requests for it together may take `CHUNK_SECONDS`.

        Raises
        ------
        Exception
            Whatever the store or the codec raises.
        """
        key = (want.array.token, want.chunk)
        with self._turn((*key, _WHOLE)):
            # Another thread may have read it while this one waited.
            piece = self.known(want)
            if piece is not None:
                return piece
            end = time.monotonic() + CHUNK_SECONDS
            with until(end):
                frame, piece = self._frame(want)
                if piece is None and frame is None:
                    piece = self._whole(want)
            if piece is not None:
                return self._keep(want, piece)
        assert frame is not None
        with until(end):
            return self._unit(want, frame)

    @contextmanager
    def _turn(self, key: PieceKey) -> Iterator[None]:
        """Let no other thread read the same chunk, or the same block of it.

        Who waited for one that could not reach the store is told the same: all of
        them together shall not take longer than one.
        """
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.waiting += 1
        try:
            with turn.lock:
                if turn.lost is not None:
                    raise turn.lost
                try:
                    yield
                except OSError as error:
                    turn.lost = error
                    raise
        finally:
            with self._lock:
                turn.waiting -= 1
                if not turn.waiting:
                    del self._turns[key]

    def _keep(self, want: Want, piece: Piece) -> Piece:
        """Keep a whole chunk, in the place of its blocks."""
        token, chunk = want.array.token, want.chunk
        self.cache.put((token, chunk, _WHOLE), piece)
        frame = self._frames.get((token, chunk))
        if frame is not None:
            self._drop_units((token, chunk), frame)
        return piece

    def _drop_units(self, key: tuple[str, ChunkIndex], frame: Frame) -> None:
        for unit in list(frame.touched):
            self.cache.discard((*key, unit * frame.planes))

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
        fault = fault_of(data, array.layout.nbytes)
        if fault is None:
            with self._decoding:
                decoded = decode_frame(data, array.layout.nbytes)
                if decoded is not None:
                    return _piece(0, array.layout.unpacked(decoded, shape))
        raise ImageError(fault or "the chunk is damaged: Blosc cannot decode it")

    # --- planes of it

    def _frame(self, want: Want) -> tuple[Frame | None, Piece | None]:
        """Return the frame whose unit is to be read, or the chunk if it came whole.

        Neither where the chunk is to be read as a whole.
        """
        array, key = want.array, (want.array.token, want.chunk)
        layout = array.layout
        if layout is None or not layout.plane_bytes or layout.nbytes < _SMALL_CHUNK:
            return None, None
        if array.token in self._without_blocks or not array.image.folder.has_ranges:
            return None, None
        seen, frame = self._frames.look(key)
        if not seen:
            if want.stop - want.start > _PLANES_OF_A_BLOCK:
                return None, None
            frame, piece = self._open_frame(want)
            if piece is not None:
                return None, piece
        if frame is None or frame.unit_of(want.start) != frame.unit_of(want.stop - 1):
            return None, None
        unit = frame.unit_of(want.start)
        if frame.span_of(unit) is None:
            return None, None
        frame.touched = {n for n in frame.touched if self._has_unit(key, frame, n)}
        frame.touched.add(unit)
        most = max(2, _SHARE_BEFORE_WHOLE * frame.units)
        whole = len(frame.touched) > most and self._has_room(layout.nbytes)
        return (None if whole else frame), None

    def _has_unit(self, key: tuple[str, ChunkIndex], frame: Frame, unit: int) -> bool:
        piece = (*key, unit * frame.planes)
        return piece in self.cache or piece in self._turns

    def _open_frame(self, want: Want) -> tuple[Frame | None, Piece | None]:
        """Find out where the planes are; return the chunk if that showed it whole."""
        array = want.array
        assert array.layout is not None
        head = array.read_bytes(want.chunk, (0, HEAD_BYTES))
        if head is None:
            return None, _absent(array, array.shape_of(want.chunk))
        if len(head) < HEAD_BYTES or isinstance(head, WholeObject):  # all there is
            return None, self._whole(want, head)
        nbytes, plane = array.layout.nbytes, array.layout.plane_bytes
        needed = table_bytes(head, nbytes)
        if needed and not fits(blocksize_of(head, plane), plane):
            self._without_blocks.add(array.token)
            return None, None
        if len(head) < needed <= _LONGEST_TABLE:
            head += array.read_bytes(want.chunk, (len(head), needed)) or b""
        table = read_table(head, nbytes, plane)
        frame = None if table is None else frame_of(table, plane)
        gone = self._frames.put((array.token, want.chunk), frame)
        for key, old in gone.items():  # nobody would find them any more
            self._drop_units(key, old)
        return frame, None

    def _unit(self, want: Want, frame: Frame) -> Piece:
        """Read the block, or the blocks, that hold the planes."""
        unit = frame.unit_of(want.start)
        first = unit * frame.planes
        key = (want.array.token, want.chunk, first)
        with self._turn(key):
            piece = self.known(want)
            if piece is None:
                piece = self._read_unit(want, frame, unit, first)
                if piece is not None:
                    self.cache.put(key, piece)
        if piece is not None:
            return piece
        with self._turn((*key[:2], _WHOLE)):
            # reading the whole chunk tells what is wrong
            return self.known(want) or self._keep(want, self._whole(want))

    def _read_unit(
        self, want: Want, frame: Frame, unit: int, first: int
    ) -> Piece | None:
        layout = want.array.layout
        assert layout is not None
        data = want.array.read_bytes(want.chunk, frame.span_of(unit))
        with self._decoding:
            decoded = None if data is None else frame.decode(unit, data)
        if decoded is None:
            return None
        planes = len(decoded) // layout.plane_bytes
        depth, height, width = want.array.shape_of(want.chunk)
        shape = (max(min(planes, depth - first), 0), height, width)
        return _piece(first, layout.unpacked(decoded, shape))

    # --- what is kept

    @property
    def nbytes(self) -> int:
        """What is kept now: pixels, and where they lie."""
        return self.cache.nbytes + self._frames.nbytes

    def limit(self, nbytes: int) -> None:
        """Change how much is kept."""
        self.cache.limit = nbytes
        self._frames.limit = min(KeptFrames.LIMIT, int(nbytes * _SHARE_OF_TABLES))

    def forget(self, tokens: frozenset[str]) -> None:
        """Drop what a retry must ask for again."""
        self.cache.forget_absent(tokens)
        self._frames.forget_whole(tokens)

    def clear(self) -> None:
        """Drop everything."""
        self.cache.clear()
        self._frames.clear()
        self._without_blocks.clear()


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
        shared.limit(limit)
    return shared
