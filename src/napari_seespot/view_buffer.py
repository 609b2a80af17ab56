"""What one layer has in view of one level, held until it looks at something else.

The cache of chunks keeps what was used last, up to a limit of bytes, for everybody;
a view may be larger than that. Here are only the voxels in view, and nothing else
can push them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunk_reader import reader
from napari_seespot._level_array import paste

if TYPE_CHECKING:
    from napari_seespot._chunk_cache import Piece
    from napari_seespot._chunk_reader import Want
    from napari_seespot._level_array import ChunkIndex, LevelArray, Region

__all__ = ["ViewBuffer"]


class ViewBuffer:
    """The voxels of a region, filled as chunks arrive.

    Parameters
    ----------
    array : LevelArray
    region : tuple of slice
    before : ViewBuffer, optional
        What was in view of the same level until now: what both have is taken over.

    Attributes
    ----------
    wants : dict
        By chunk, all that the region touches.
    """

    def __init__(
        self, array: LevelArray, region: Region, before: ViewBuffer | None = None
    ) -> None:
        self.array = array
        self.region = region
        self.wants = {want.chunk: want for want in reader().wants(array, region)}
        shape = [s.stop - s.start for s in region]
        self._values = np.full(shape, array.fill_value, dtype=array.dtype)
        self._left = dict(self.wants)
        self._absent: set[ChunkIndex] = set()
        if before is not None:
            self._take_over(before)
        self.look_up()

    def _take_over(self, before: ViewBuffer) -> None:
        old = before.region
        for chunk in list(self._left):
            if chunk not in before.wants or chunk in before._left:
                continue
            part = _common(self.region, self.array.region_of(chunk))
            if _common(old, part) == part:
                self._values[_inside(part, self.region)] = before._values[
                    _inside(part, old)
                ]
                self._take(chunk, chunk in before._absent)

    def look_up(self) -> None:
        """Take what the cache has."""
        shared = reader()
        for want in list(self._left.values()):
            piece = shared.known(want)
            if piece is not None:
                self.put(want, piece)

    def put(self, want: Want, piece: Piece) -> None:
        """Take what was read for a want, if it is one of these."""
        if self._left.get(want.chunk) == want:
            paste(self._values, self.region, want, piece)
            self._take(want.chunk, piece.absent)

    def fill(self, values: np.ndarray[Any, Any]) -> None:
        """Take all voxels of the region, once somebody has read them."""
        self._values = values
        self._left = {chunk: w for chunk, w in self.wants.items() if w.failed}

    def _take(self, chunk: ChunkIndex, absent: bool) -> None:
        del self._left[chunk]
        if absent:
            self._absent.add(chunk)

    def forget_absent(self) -> None:
        """Ask again for the chunks that the store did not have."""
        self._left |= {chunk: self.wants[chunk] for chunk in self._absent}
        self._absent.clear()

    @property
    def nbytes(self) -> int:
        """What the chunks in view would take if they were kept whole."""
        chunk = int(np.prod(self.array.chunks)) * self.array.dtype.itemsize
        return len(self.wants) * chunk

    @property
    def missing(self) -> list[Want]:
        """What is not there yet; what failed is not waited for."""
        return [want for want in self._left.values() if not want.failed]

    @property
    def failed(self) -> list[Want]:
        """What could not be read."""
        return [want for want in self._left.values() if want.failed]

    def covers(self, region: Region) -> bool:
        """Whether a region lies within this one."""
        return _common(self.region, region) == region

    def part(self, region: Region) -> np.ndarray[Any, Any] | None:
        """Return a part of the region; None unless all of it is there."""
        if not self.covers(region):
            return None
        for chunk in self._left:
            touched = _common(self.array.region_of(chunk), region)
            if all(s.stop > s.start for s in touched):
                return None
        return self._values[_inside(region, self.region)]

    def picture(self, below: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any]:
        """Return a copy of the voxels.

        Parameters
        ----------
        below : ndarray or None
            What shows where voxels are missing; what failed shows as empty.
        """
        if below is None:
            return self._values.copy()
        out = below
        for chunk, want in self.wants.items():
            if chunk not in self._left or want.failed:
                part = _common(self.region, self.array.region_of(chunk))
                inside = _inside(part, self.region)
                out[inside] = self._values[inside]
        return out


def _common(a: Region, b: Region) -> Region:
    z, y, x = (
        slice(max(s.start, t.start), min(s.stop, t.stop))
        for s, t in zip(a, b, strict=True)
    )
    return (z, y, x)


def _inside(part: Region, region: Region) -> Region:
    z, y, x = (
        slice(p.start - s.start, p.stop - s.start)
        for p, s in zip(part, region, strict=True)
    )
    return (z, y, x)
