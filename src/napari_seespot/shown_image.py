"""One image on the screen: what of it is in view, and what is coming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_seespot._chunk_reader import reader
from napari_seespot._level_geometry import covering, far
from napari_seespot._reading_pool import Urgency
from napari_seespot.errors import CancelledError
from napari_seespot.view_buffer import ViewBuffer

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from napari_seespot._chunk_reader import Want
    from napari_seespot._level_array import LevelArray, Region
    from napari_seespot._reading_pool import Task
    from napari_seespot.images import ChannelImage

__all__ = ["ShownImage"]


class ShownImage:
    """What one layer looks at. Its `Screen` lets one thread in at a time.

    Parameters
    ----------
    image : ChannelImage

    Attributes
    ----------
    layer : napari layer or None
    buffers : dict
        By level: the one in view, and the coarsest, which napari wants for the
        thumbnail.
    coming : dict
        What is wanted and not there yet, with the task that reads it.
    arrived : bool
        Whether something came that the layer does not show yet.
    direction : int
        Where along z the view moved last: 1 or -1.
    """

    def __init__(self, image: ChannelImage) -> None:
        self.image = image
        self.layer: Any = None
        self.buffers: dict[int, ViewBuffer] = {}
        self.coming: dict[Want, Task] = {}
        self.arrived = False
        self.refreshed = 0.0  # when
        self.direction = 1
        self._expected: dict[int, ViewBuffer] = {}  # what other channels asked for
        self._depth = 0.0  # of the last plane, as a share

    @property
    def visible(self) -> bool:
        """Whether the layer is not hidden."""
        return self.layer is None or bool(self.layer.visible)

    @property
    def in_view(self) -> ViewBuffer | None:
        """The level that the layer shows, once it was asked for."""
        if self.layer is not None:
            return self.buffers.get(self.layer.data_level)
        return self.buffers[min(self.buffers)] if self.buffers else None

    def owner(self, level: int, expected: bool = False) -> tuple[int, int, bool]:
        """Return what the pool knows the tasks of a level by."""
        return (id(self), level, expected)

    # --- what is looked at

    def note(self, array: LevelArray, region: Region) -> None:
        """Take note that a region is in view; let go of what is no more."""
        self.settle()
        coarsest = len(self.image.arrays) - 1
        level = array.level if self.layer is None else int(self.layer.data_level)
        for other in {*self.buffers, *self._expected}:
            if other not in (level, array.level, coarsest):
                self.buffers.pop(other, None)
                self._expected.pop(other, None)
                self._drop_others(other, ())
        self.buffers[array.level] = self.buffer(array, region)
        self._expected.pop(array.level, None)
        in_view = sum(buffer.nbytes for buffer in self.buffers.values())
        reader().claim(id(self), in_view)
        plane = (region[0].start + 0.5) / array.shape[0]
        if abs(plane - self._depth) * array.shape[0] > 0.75:
            self.direction = 1 if plane > self._depth else -1
            self._depth = plane

    def buffer(self, array: LevelArray, region: Region) -> ViewBuffer:
        """Return what is there of a region."""
        for held in self._held(array.level):
            if held.region == region:
                held.look_up()
                return held
        return ViewBuffer(array, region, self.buffers.get(array.level))

    def _held(self, level: int) -> list[ViewBuffer]:
        found = (self.buffers.get(level), self._expected.get(level))
        return [buffer for buffer in found if buffer is not None]

    def missing(self, level: int) -> bool:
        """Whether something of a level is still to come."""
        buffer = self.buffers.get(level)
        return buffer is not None and bool(buffer.missing)

    # --- what is coming

    def ask(self, level: int, urgency: Urgency) -> None:
        """Have read what is missing of a level, and nothing else of it."""
        wants = self.buffers[level].missing
        self._drop_others(level, wants)
        for want in wants:
            self.start(want, urgency, far(want, self.buffers[level].region))

    def ask_coarse(self, array: LevelArray, region: Region) -> None:
        """Have the coarsest level read too: it shows until the others are there.

        napari asks for it as well, for the thumbnail, but only after this level.
        """
        coarsest = self.image.arrays[-1]
        covered = covering(region, array.shape, coarsest.shape)
        held = self.buffers.get(coarsest.level)
        if held is None or not held.covers(covered):
            held = self.buffers[coarsest.level] = self.buffer(coarsest, covered)
        for want in held.missing:
            self.start(want, Urgency.COARSE)

    def expect(self, array: LevelArray, region: Region) -> None:
        """Have a region read that the layer will probably ask for next."""
        there = self.buffers.get(array.level)
        if there is not None and there.region == region:
            return  # it has asked by itself
        self.settle()
        expected = self._expected[array.level] = self.buffer(array, region)
        wants, owner = expected.missing, self.owner(array.level, expected=True)
        reader().pool.drop(owner, self._keys(wants))
        for want in wants:
            self._start(want, Urgency.SIBLING, owner, far(want, region))

    def start(self, want: Want, urgency: Urgency, rank: float = 0.0) -> None:
        """Have a want read, unless it is coming as soon."""
        self._start(want, urgency, self.owner(want.array.level), rank)

    def _start(self, want: Want, urgency: Urgency, owner: object, rank: float) -> None:
        task = self.coming.get(want)
        if task is None or isinstance(task.error, CancelledError):
            soon = False
        else:  # what is done is taken over by `settle`
            soon = task.done or task.running or task.urgency <= urgency
        if not soon:
            self.coming[want] = reader().start(want, urgency, owner, rank)

    def _keys(self, wants: Collection[Want]) -> set[Hashable]:
        return {self.coming[want].key for want in wants if want in self.coming}

    def _drop_others(self, level: int, wants: Collection[Want]) -> None:
        """Read nothing of a level any more but some wants."""
        keys, wants = self._keys(wants), set(wants)
        for expected in (False, True):
            reader().pool.drop(self.owner(level, expected), keys)
        for want, task in list(self.coming.items()):
            if want.array.level == level and want not in wants and not task.done:
                del self.coming[want]

    def settle(self) -> None:
        """Take over what is done, and record what failed."""
        for want, task in list(self.coming.items()):
            if task.done:
                del self.coming[want]
                if not isinstance(task.error, CancelledError):
                    self.arrived = True
                    piece = want.array.settle(want, task)
                    for buffer in self._held(want.array.level):
                        if piece is not None:
                            buffer.put(want, piece)

    def stop(self) -> None:
        """Read nothing any more, as long as nobody looks."""
        for array in self.image.arrays:
            self._drop_others(array.level, ())
        self.coming.clear()
        self._expected.clear()
        reader().claim(id(self), 0)

    def drop(self) -> None:
        """Let go of everything."""
        self.stop()
        self.buffers.clear()
