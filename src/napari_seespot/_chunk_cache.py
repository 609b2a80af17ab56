"""Decoded pixels that were read once, within a limit of bytes, for everybody."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ChunkCache", "Piece", "PieceKey"]

PieceKey: TypeAlias = tuple[str, tuple[int, int, int], int]
"""Token of the array, chunk, and the piece's first plane; -1 for a whole chunk."""

# What an entry costs besides its pixels: absent chunks have none of their own.
_ENTRY_BYTES = 500


@dataclass(frozen=True, eq=False)
class Piece:
    """Some planes of one chunk.

    Attributes
    ----------
    first : int
        The first plane's number in the chunk.
    values : numpy.ndarray
        (z, y, x), read-only.
    absent : bool
        The store has no such chunk: all is fill value.
    """

    first: int
    values: np.ndarray[Any, Any]
    absent: bool = False

    def covers(self, start: int, stop: int) -> bool:
        """Whether planes ``start`` to ``stop`` (not included) are all in it."""
        return self.first <= start and stop <= self.first + len(self.values)

    @property
    def nbytes(self) -> int:
        """What keeping it costs."""
        return _ENTRY_BYTES + (0 if self.absent else self.values.nbytes)


class ChunkCache:
    """Pieces by key; those that were not used for longest go first.

    Safe to use from any thread.

    Parameters
    ----------
    limit : int
        Bytes. One piece that is larger by itself is not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: OrderedDict[PieceKey, Piece] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pieces)

    def __contains__(self, key: PieceKey) -> bool:
        return key in self._pieces  # without counting it as used

    @property
    def nbytes(self) -> int:
        """What is kept now."""
        return self._nbytes

    @property
    def limit(self) -> int:
        """The most bytes that are kept; may be changed at any time."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        with self._lock:
            self._limit = limit
            self._shrink()

    def get(self, key: PieceKey) -> Piece | None:
        """Return a piece and count it as used; None where it is not kept."""
        with self._lock:
            piece = self._pieces.get(key)
            if piece is not None:
                self._pieces.move_to_end(key)
            return piece

    def put(self, key: PieceKey, piece: Piece) -> None:
        """Keep a piece in the place of an older one."""
        with self._lock:
            self._remove(key)
            if piece.nbytes <= self._limit:
                self._pieces[key] = piece
                self._nbytes += piece.nbytes
                self._shrink()

    def discard(self, key: PieceKey) -> None:
        """Drop a piece, if it is kept."""
        with self._lock:
            self._remove(key)

    def forget_absent(self, tokens: frozenset[str]) -> None:
        """Drop what arrays do not have: a retry asks the store again."""
        with self._lock:
            gone = [
                key
                for key, piece in self._pieces.items()
                if piece.absent and key[0] in tokens
            ]
            for key in gone:
                self._remove(key)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._pieces.clear()
            self._nbytes = 0

    def _remove(self, key: PieceKey) -> None:
        piece = self._pieces.pop(key, None)
        if piece is not None:
            self._nbytes -= piece.nbytes

    def _shrink(self) -> None:
        while self._nbytes > self._limit:
            _, piece = self._pieces.popitem(last=False)
            self._nbytes -= piece.nbytes
