"""Boxes of several images read together, and told which parts could not be.

All chunks of all boxes are asked for at once; the reading pool bounds how many
requests are on the way. Who gives up lets go of what no thread has begun.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_seespot._chunk_reader import reader
from napari_seespot._level_array import paste
from napari_seespot._reading_pool import Urgency
from napari_seespot._requests import reason
from napari_seespot.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot._chunk_cache import Piece
    from napari_seespot._chunk_reader import Want
    from napari_seespot._level_array import ChunkIndex, LevelArray, Region
    from napari_seespot._reading_pool import Task

_Part: TypeAlias = "tuple[Want, int]"  # planes of a chunk, and whose box they are of

__all__ = ["BoxOf", "Pixels", "part_inside", "read_boxes"]

_AT_ONCE = 128  # four times what the pool reads side by side; decoded, 4 MB each
_APART = 2  # boxes of a chunk that are read one by one: it is not asked for as a whole
_POLL_S = 0.02  # after which it is seen whether the pixels are still wanted


@dataclass(frozen=True, eq=False)
class BoxOf:
    """A box of one level, which may reach beyond it.

    Attributes
    ----------
    array : LevelArray
    low, size : tuple of int
        (z, y, x) of the first voxel, and how many voxels.
    """

    array: LevelArray
    low: tuple[int, int, int]
    size: tuple[int, int, int]


@dataclass(eq=False)
class Pixels:
    """What a box holds.

    Attributes
    ----------
    values : ndarray, shape of the box
        0 outside the image, its fill value where it could not be read.
    inside : tuple of slice
        The part of the box, in its own voxels, that lies in the image.
    unread : list of tuple of slice
        Parts, in voxels of the box, that could not be read.
    reasons : list of str
        Why, one for each of them.
    """

    values: np.ndarray
    inside: Region
    unread: list[Region] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def part_inside(box: BoxOf) -> Region:
    """Return the voxels of a level that lie in a box; empty where none does."""
    z, y, x = (
        slice(min(max(low, 0), length), min(max(low + size, 0), length))
        for low, size, length in zip(box.low, box.size, box.array.shape, strict=True)
    )
    return (z, y, x)


def read_boxes(
    boxes: Sequence[BoxOf],
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Pixels]:
    """Read boxes of any images side by side; waits for all of them.

    Parameters
    ----------
    boxes : sequence of BoxOf
    progress : callable, optional
        Called with the share of chunks that are there.
    cancelled : callable, optional
        Asked often while waiting.

    Returns
    -------
    list of Pixels
        One a box. Chunks that cannot be read are also among the `failures` of
        their image.

    Raises
    ------
    CancelledError
        When `cancelled` returned true.
    """
    return _Reading(boxes).run(progress, cancelled)


class _Reading:
    """One call of `read_boxes`.

    What lies in one chunk is asked for by one task at a time: two would wait for
    each other, and keep a thread from the rest.
    """

    def __init__(self, boxes: Sequence[BoxOf]) -> None:
        self._shared = reader()
        self._regions = [part_inside(box) for box in boxes]
        self._lows = [box.low for box in boxes]
        self.found = [
            _empty(box, region)
            for box, region in zip(boxes, self._regions, strict=True)
        ]
        groups: dict[tuple[str, ChunkIndex], deque[_Part]] = {}
        for place, (box, region) in enumerate(zip(boxes, self._regions, strict=True)):
            if all(part.stop > part.start for part in region):
                for want in self._shared.wants(box.array, region):
                    key = (box.array.token, want.chunk)
                    groups.setdefault(key, deque()).append((want, place))
        self._total = sum(map(len, groups.values()))
        self._done = 0
        self._left = deque(groups.values())
        self._flying: list[tuple[deque[_Part], Want, Task]] = []

    def run(
        self,
        progress: Callable[[float], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> list[Pixels]:
        told = 0.0
        try:
            while self._left or self._flying:
                if cancelled is not None and cancelled():
                    raise CancelledError("nobody waits for these pixels any more")
                while self._left and len(self._flying) < _AT_ONCE:
                    self._ask(self._left.popleft())
                if self._flying:
                    self._flying[0][2].wait(_POLL_S)
                    self._collect()
                share = self._done / self._total
                if progress is not None and share >= min(told + 0.01, 1.0):
                    told = share
                    progress(share)
        finally:
            self._shared.pool.drop(self)
        return self.found

    def _ask(self, group: deque[_Part]) -> None:
        """Fill what is known of a chunk, and have the next of it read."""
        missing: list[_Part] = []
        for want, place in group:
            piece = self._shared.known(want)
            if piece is None:
                missing.append((want, place))
            else:
                self._put(want, place, piece)
        group.clear()
        if not missing:
            return
        group.extend(missing)
        want = missing[0][0]
        if len(missing) > _APART:
            start = min(want.start for want, _ in missing)
            stop = max(want.stop for want, _ in missing)
            want = replace(want, start=start, stop=stop)
        task = self._shared.start(want, Urgency.NOW, self)
        self._flying.append((group, want, task))

    def _collect(self) -> None:
        flying, self._flying = self._flying, []
        for group, asked, task in flying:
            if not task.done:
                self._flying.append((group, asked, task))
                continue
            piece = asked.array.settle(asked, task)
            why = "" if task.error is None else reason(task.error)
            left: deque[_Part] = deque()
            for want, place in group:
                # The task may be another asker's, who wanted other planes of it.
                if piece is None or piece.covers(want.start, want.stop):
                    self._put(want, place, piece, why)
                else:
                    left.append((want, place))
            if left:
                self._left.appendleft(left)

    def _put(self, want: Want, place: int, piece: Piece | None, why: str = "") -> None:
        self._done += 1
        pixels, region = self.found[place], self._regions[place]
        paste(pixels.values[pixels.inside], region, want, piece)
        if piece is None:
            part = _of_box(want.array.region_of(want.chunk), region, self._lows[place])
            pixels.unread.append(part)
            pixels.reasons.append(why)


def _empty(box: BoxOf, region: Region) -> Pixels:
    values: np.ndarray[Any, Any] = np.zeros(box.size, box.array.dtype)
    return Pixels(values, _of_box(region, region, box.low))


def _of_box(part: Region, region: Region, low: tuple[int, int, int]) -> Region:
    """Return what two regions of a level share, in voxels of a box."""
    z, y, x = (
        slice(max(a.start, b.start) - begin, min(a.stop, b.stop) - begin)
        for a, b, begin in zip(part, region, low, strict=True)
    )
    return (z, y, x)
