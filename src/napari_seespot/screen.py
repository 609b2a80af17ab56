"""What the image layers of one viewer show, and what is on its way to them.

A layer is given `LevelView` objects. napari's slicing gets from them at once what
is there: chunks that were read, in the place of the others the coarser level. What
is missing is read meanwhile, and `Screen.poll` says which layers have something new.
So the window never waits, with napari's asynchronous slicing or without it, and one
slow chunk holds up no other. What is in view is held here (`ViewBuffer`), however
small the cache of chunks is.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunk_reader import reader
from napari_seespot._level_geometry import covering, far, nearest, under
from napari_seespot._reading_pool import Urgency
from napari_seespot.level_view import LevelView
from napari_seespot.reading_ahead import room_left, wants_ahead
from napari_seespot.shown_image import ShownImage
from napari_seespot.view_buffer import ViewBuffer
from napari_seespot.volumes import can_be_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_seespot._level_array import LevelArray, Region
    from napari_seespot._reading_pool import Task
    from napari_seespot.images import ChannelImage

__all__ = ["News", "Screen"]

# Chunks of a local disk, or prefetched ones, are there so soon that to show the
# coarse level first would only flicker. All layers together wait so long at most,
_PATIENCE = 0.05  # s,
_PATIENCE_AGAIN = 0.3  # s after they did so before.
# A refresh costs the window some time: between two of one layer lies so long, and
# so many times as long as slicing the layers took of late.
_REFRESH_PAUSE = 0.15  # s
_REFRESH_SHARE = 5


@dataclass(frozen=True)
class News:
    """What changed since the last `Screen.poll`.

    Attributes
    ----------
    refresh : tuple of layers
        Those with something new to show.
    pending : int
        Chunks that are wanted and not there yet.
    failed : mapping of ChannelImage to str
        Images of which a chunk could not be read, with the reason, once each until
        a retry.
    """

    refresh: tuple[Any, ...]
    pending: int
    failed: dict[ChannelImage, str]


class Screen:
    """The images of one viewer.

    Parameters
    ----------
    waits : bool
        Whether slicing waits until all is there: in a viewer without a window
        nobody would show later what came later.
    place : callable, optional
        Returns where a layer is sliced, as (z, y, x) in voxels of its level 0.
    """

    def __init__(
        self,
        *,
        waits: bool = True,
        place: Callable[[Any], Sequence[float]] | None = None,
    ) -> None:
        self.waits = waits
        self._place = place
        self._lock = threading.RLock()  # napari may slice in a thread of its own
        self._shown: dict[ChannelImage, ShownImage] = {}
        self._told: set[ChannelImage] = set()
        self._patient_until = 0.0
        self._cost = 0.0  # s that slicing took since the last poll
        self._rested = True
        self._clock = time.monotonic

    def views(self, image: ChannelImage) -> list[LevelView]:
        """Return what a layer of this image is given as its data."""
        self._shown.setdefault(image, ShownImage(image))
        return [LevelView(self, array) for array in image.arrays]

    def show(self, image: ChannelImage, layer: Any) -> None:
        """Tell which layer shows an image."""
        self._shown[image].layer = layer

    def hide(self, image: ChannelImage) -> None:
        """Read nothing for an image any more; its layer is gone."""
        with self._lock:
            shown = self._shown.pop(image, None)
            if shown is not None:
                shown.drop()

    def close(self) -> None:
        """Read nothing any more."""
        for image in list(self._shown):
            self.hide(image)
        reader().pool.drop(self)

    @property
    def images(self) -> tuple[ChannelImage, ...]:
        """The images that are shown."""
        return tuple(self._shown)

    def layer_of(self, image: ChannelImage) -> Any:
        """Return the layer that shows an image; None where none does."""
        shown = self._shown.get(image)
        return None if shown is None else shown.layer

    # --- slicing

    def picture(self, array: LevelArray, region: Region) -> np.ndarray[Any, Any]:
        """Return a region as it can be shown now; from any thread."""
        begin = self._clock()
        try:
            return self._picture(array, region)
        finally:
            self._cost += self._clock() - begin

    def _picture(self, array: LevelArray, region: Region) -> np.ndarray[Any, Any]:
        shown = self._shown.get(array.image)
        if shown is None or not all(s.stop > s.start for s in region):
            return array[region]
        flat = any(s.stop - s.start == 1 for s in region)
        if not flat and not can_be_volume(array):
            # napari asks for all of a level in 3-D; this shows as nothing
            return np.full((1, 1, 1), array.fill_value, dtype=array.dtype)
        region = self._moved(shown, array, region)
        with self._lock:
            shown.note(array, region)
            if self.waits:
                if shown.buffers[array.level].missing:
                    self._ask_siblings(array, region)
            else:
                self._start(shown, array, region)
            coming = list(shown.coming.values())
        if self.waits:
            values = array[region]
            with self._lock:
                shown.buffer(array, region).fill(values)
            return values
        if shown.missing(array.level):
            self._wait_a_little(coming)
        with self._lock:
            shown.settle()
            return _composed(shown, shown.buffer(array, region))

    def _moved(self, shown: ShownImage, array: LevelArray, region: Region) -> Region:
        """Return a region of one plane where level 0 has the plane in view.

        napari rounds place / factor: its plane 3 of level 0 is plane 2 of level 1,
        which holds the planes 4 and 5.
        """
        if not array.level or shown.layer is None or self._place is None:
            return region
        place, spans = self._place(shown.layer), []
        for span, at, n, m in zip(
            region, place, array.image.shape, array.shape, strict=True
        ):
            napari_s = round(min(max(at * m / n, 0), m - 1))
            single = span.stop - span.start == 1
            voxel = under(at, n, m) if single and span.start == napari_s else None
            spans.append(span if voxel is None else slice(voxel, voxel + 1))
        z, y, x = spans
        return (z, y, x)

    def _start(self, shown: ShownImage, array: LevelArray, region: Region) -> None:
        """Have what is missing read, for the other channels too; drop the rest."""
        self._rested = False
        reader().pool.drop(self)  # what was read ahead of another view
        coarsest = array.image.arrays[-1].level
        missing = shown.missing(array.level)
        if missing and array.level != coarsest:
            shown.ask_coarse(array, region)
        urgency = Urgency.COARSE if array.level == coarsest else Urgency.NOW
        shown.ask(array.level, urgency)
        if missing:
            self._ask_siblings(array, region)

    def _ask_siblings(self, array: LevelArray, region: Region) -> None:
        """Have the same chunks of the other visible channels read.

        napari asks one layer after another; this way they come together.
        """
        for other in list(self._shown.values()):
            if other.image is array.image or not other.visible:
                continue
            if len(other.image.arrays) <= array.level:
                continue
            sibling = other.image.arrays[array.level]
            if sibling.shape == array.shape and sibling.chunks == array.chunks:
                other.expect(sibling, region)

    def _wait_a_little(self, tasks: list[Task]) -> None:
        now = self._clock()
        if now > self._patient_until + _PATIENCE_AGAIN:
            self._patient_until = now + _PATIENCE
        for task in tasks:
            left = self._patient_until - self._clock()
            if left <= 0:
                return
            task.wait(left)

    # --- news

    def poll(self) -> News:
        """Return what is new; for the viewer's own thread, while chunks come."""
        with self._lock:
            return self._poll()

    def _poll(self) -> News:
        now, refresh, failed = self._clock(), [], {}
        pending = 0
        pause = max(_REFRESH_PAUSE, _REFRESH_SHARE * self._cost)
        self._cost = 0.0
        for shown in list(self._shown.values()):
            if not shown.visible:
                shown.stop()
            shown.settle()
            if shown.image not in self._told and shown.image.failures:
                self._told.add(shown.image)
                failed[shown.image] = min(why for *_, why in shown.image.failures)
            pending += len(shown.coming)
            late = now - shown.refreshed >= pause
            if shown.arrived and (late or not shown.coming) and shown.layer is not None:
                shown.arrived, shown.refreshed = False, now
                refresh.append(shown.layer)
        if not pending and not refresh and not self._rested:
            self._rested = True
            self._read_ahead()
        return News(tuple(refresh), pending, failed)

    @property
    def resting(self) -> bool:
        """Whether all that is looked at is there."""
        return self._rested

    def values_in_view(self, image: ChannelImage) -> np.ndarray[Any, Any] | None:
        """Return the voxels in view, coarse ones where fine ones are not there."""
        with self._lock:
            shown = self._shown.get(image)
            buffer = None if shown is None else shown.in_view
            return None if buffer is None else _composed(self._shown[image], buffer)

    def retry(self) -> tuple[Any, ...]:
        """Forget what failed; return the layers to refresh."""
        layers = []
        with self._lock:
            for shown in self._shown.values():
                if shown.image.failures:
                    shown.image.retry()
                    for buffer in shown.buffers.values():
                        buffer.forget_absent()
                    layers.append(shown.layer)
            self._told.clear()
        return tuple(layer for layer in layers if layer is not None)

    def failed_regions(self) -> Iterator[tuple[ChannelImage, LevelArray, Region]]:
        """Yield what is in view, was asked for, and could not be read."""
        for shown in list(self._shown.values()):
            buffer = shown.in_view
            if buffer is not None and shown.visible and shown.image.failures:
                for want in buffer.failed:
                    yield shown.image, want.array, want.array.region_of(want.chunk)

    def _read_ahead(self) -> None:
        """Have read, when nothing else is to be done, what may be wanted next."""
        looked_at = [
            (shown, shown.in_view)
            for shown in self._shown.values()
            if shown.visible and shown.in_view is not None
        ]
        if not looked_at:
            return
        buffers = [buffer for _, buffer in looked_at if buffer is not None]
        room = room_left(buffers) // len(buffers)
        for (shown, _), buffer in zip(looked_at, buffers, strict=True):
            for want in wants_ahead(buffer, shown.direction, room):
                rank = far(want, buffer.region)
                reader().start(want, Urgency.IDLE, self, rank)


def _composed(shown: ShownImage, buffer: ViewBuffer) -> np.ndarray[Any, Any]:
    """Put together what is there, over the coarse level where it is not all."""
    coarse = _coarse(shown, buffer) if buffer.missing else None
    return buffer.picture(coarse)


def _coarse(shown: ShownImage, buffer: ViewBuffer) -> np.ndarray[Any, Any] | None:
    """Return a region from the finest coarser level that is there."""
    array, region = buffer.array, buffer.region
    for coarser in array.image.arrays[array.level + 1 :]:
        covered = covering(region, array.shape, coarser.shape)
        held = shown.buffers.get(coarser.level)
        low = None if held is None else held.part(covered)
        if low is None:
            low = ViewBuffer(coarser, covered).part(covered)
        if low is not None:
            index = [
                nearest(s, n, m) - c.start
                for s, n, m, c in zip(
                    region, array.shape, coarser.shape, covered, strict=True
                )
            ]
            return np.asarray(low[np.ix_(*index)])
    return None
