"""What the image layers of one viewer show, and what is on its way to them.

A layer is given `LevelView` objects. napari's slicing gets from them at once what
is there: chunks that were read, in the place of the others the coarser level. What
is missing is read meanwhile, and `Screen.poll` says which layers have something new.
So the window never waits, with napari's asynchronous slicing or without it, and one
slow chunk holds up no other. Whoever else reads a `LevelView` gets the true voxels
and waits for them, as from any array.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunk_reader import reader
from napari_seespot._level_array import paste, split_index
from napari_seespot._reading_pool import Urgency
from napari_seespot.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_seespot._chunk_reader import Want
    from napari_seespot._level_array import LevelArray, Region
    from napari_seespot._reading_pool import Task
    from napari_seespot.images import ChannelImage

__all__ = ["LevelView", "News", "Screen"]

# Chunks of a local disk, or prefetched ones, are there so soon that to show the
# coarse level first would only flicker. All layers together wait so long at most,
_PATIENCE = 0.05  # s,
_PATIENCE_AGAIN = 0.3  # s after they did so before.
# A refresh costs the window some time: between two of one layer lies so long, and
# so many times as long as slicing the layers took of late.
_REFRESH_PAUSE = 0.15  # s
_REFRESH_SHARE = 5
# What is read although nobody asked yet.
_MOST_PREFETCHED = 160  # chunks of one channel


class LevelView:
    """A level, or a part of one, as a layer holds it: lazy until it is an array.

    Parameters
    ----------
    screen : Screen
    array : LevelArray
    region : tuple of slice, optional
        Of the level; the whole by default.
    rest : tuple of int or slice, optional
        What to take of that region.
    """

    def __init__(
        self,
        screen: Screen,
        array: LevelArray,
        region: Region | None = None,
        rest: tuple[int | slice, ...] = (slice(None),) * 3,
    ) -> None:
        self._screen = screen
        self._array = array
        self._region = region or array.region
        self._rest = rest
        self.dtype = array.dtype
        sizes = [len(range(*s.indices(s.stop))) for s in self._region]
        self.shape = tuple(
            len(range(size)[part])
            for size, part in zip(sizes, rest, strict=True)
            if isinstance(part, slice)
        )

    def __repr__(self) -> str:
        return f"<LevelView {self.shape} of {self._array!r}>"

    @property
    def ndim(self) -> int:
        """How many axes are left."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many voxels."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """What they would take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        """Sizes of a chunk; None for a part of a level."""
        return self._array.chunks if self._region == self._array.region else None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: object) -> LevelView | np.ndarray[Any, Any]:
        """Return a part, lazily: integers, and slices without a step.

        Any other index is one of numpy's, on the true voxels.
        """
        plain = all(part == slice(None) for part in self._rest)
        if not plain or not _is_simple(key):
            whole: Any = self.compute()  # numpy judges the index
            return np.asarray(whole[key])
        sizes = (self.shape[0], self.shape[1], self.shape[2])
        inner, rest = split_index(key, sizes)
        z, y, x = (
            slice(outer.start + s.start, outer.start + s.stop)
            for outer, s in zip(self._region, inner, strict=True)
        )
        return LevelView(self._screen, self._array, (z, y, x), rest)

    def compute(self) -> np.ndarray[Any, Any]:
        """Return the true voxels; waits for them."""
        return self._array[self._region][self._rest]

    def __array__(
        self, dtype: Any = None, copy: bool | None = None
    ) -> np.ndarray[Any, Any]:
        asker = sys._getframe(1).f_globals.get("__name__", "")
        if asker.startswith("napari."):
            values = self._screen.picture(self._array, self._region)[self._rest]
        else:
            values = self.compute()
        return values if dtype is None else values.astype(dtype, copy=False)


def _is_simple(key: object) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is Ellipsis
        or (isinstance(part, slice) and part.step in (None, 1))
        or isinstance(part, (int, np.integer))
        for part in parts
    )


@dataclass
class _Shown:
    """One image on the screen."""

    image: ChannelImage
    layer: Any = None
    asked: dict[int, Region] = field(default_factory=dict)  # by level
    coming: dict[tuple[object, ...], tuple[Want, Task]] = field(default_factory=dict)
    arrived: bool = False
    refreshed: float = 0.0
    plane: float = 0.0  # the last z, as a share of the depth
    direction: int = 1

    def owner(self, level: int) -> tuple[int, int]:
        return (id(self), level)

    @property
    def visible(self) -> bool:
        return self.layer is None or bool(self.layer.visible)


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
    """

    def __init__(self, *, waits: bool = True) -> None:
        self.waits = waits
        self._lock = threading.RLock()  # napari may slice in a thread of its own
        self._shown: dict[ChannelImage, _Shown] = {}
        self._told: set[ChannelImage] = set()
        self._patient_until = 0.0
        self._cost = 0.0  # s that slicing took since the last poll
        self._rested = True
        self._clock = time.monotonic

    def views(self, image: ChannelImage) -> list[LevelView]:
        """Return what a layer of this image is given as its data."""
        self._shown.setdefault(image, _Shown(image))
        return [LevelView(self, array) for array in image.arrays]

    def show(self, image: ChannelImage, layer: Any) -> None:
        """Tell which layer shows an image."""
        self._shown[image].layer = layer

    def hide(self, image: ChannelImage) -> None:
        """Read nothing for an image any more; its layer is gone."""
        shown = self._shown.pop(image, None)
        if shown is not None:
            self._drop(shown)

    def close(self) -> None:
        """Read nothing any more."""
        for image in list(self._shown):
            self.hide(image)

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
        missing = self._missing(array, region)
        if self.waits:
            self._note(shown, array, region)
            if missing:
                self._ask_siblings(array, region)
            return array[region]
        with self._lock:
            self._start(shown, array, region, missing)
            coming = [task for _, task in shown.coming.values()]
        if missing:
            self._wait_a_little(coming)
            missing = self._missing(array, region)
        return self._composed(array, region, bool(missing))

    def _missing(self, array: LevelArray, region: Region) -> list[Want]:
        shared = reader()
        return [
            want
            for want in shared.wants(array, region)
            if shared.known(want) is None and not want.failed
        ]

    def _start(
        self, shown: _Shown, array: LevelArray, region: Region, missing: list[Want]
    ) -> None:
        """Have what is missing read, for the other channels too; drop the rest."""
        self._rested = False
        self._note(shown, array, region)
        self._drop_prefetched()
        coarsest = len(array.image.arrays) - 1
        for level in list(shown.asked):
            if level not in (array.level, coarsest) and array.level != coarsest:
                del shown.asked[level]
                self._ask(shown, level, [], region, Urgency.NOW)
        urgency = Urgency.COARSE if array.level == coarsest else Urgency.NOW
        self._ask(shown, array.level, missing, region, urgency)
        if missing and array.level != coarsest:
            self._ask_coarse(shown, array, region)
        if missing:
            self._ask_siblings(array, region)

    def _note(self, shown: _Shown, array: LevelArray, region: Region) -> None:
        """Remember what is looked at, and in which direction it moves."""
        shown.asked[array.level] = region
        plane = (region[0].start + 0.5) / array.shape[0]
        if abs(plane - shown.plane) * array.shape[0] > 0.75:
            shown.direction = 1 if plane > shown.plane else -1
            shown.plane = plane

    def _ask(
        self,
        shown: _Shown,
        level: int,
        wants: list[Want],
        region: Region,
        urgency: Urgency,
    ) -> None:
        """Have chunks of one level read in the place of those asked for before."""
        shared, owner = reader(), shown.owner(level)
        keys = {shared.task_key(want) for want in wants}
        shared.pool.drop(owner, keys)
        for key, (want, task) in list(shown.coming.items()):
            if want.array.level == level and key not in keys and not task.done:
                shown.coming.pop(key, None)
        for want in wants:
            key = shared.task_key(want)
            known = shown.coming.get(key)
            if known is None or known[1].done:
                task = shared.start(want, urgency, owner, _rank(want, region))
                shown.coming[key] = (want, task)

    def _ask_coarse(self, shown: _Shown, array: LevelArray, region: Region) -> None:
        """Have the coarsest level read too: it shows until the others are there."""
        coarsest = array.image.arrays[-1]
        covered = _scaled(region, array.shape, coarsest.shape)
        wants = self._missing(coarsest, covered)
        if wants:
            shared, owner = reader(), shown.owner(coarsest.level)
            for want in wants:
                task = shared.start(want, Urgency.COARSE, owner)
                shown.coming.setdefault(shared.task_key(want), (want, task))

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
            if sibling.shape != array.shape or sibling.chunks != array.chunks:
                continue
            if other.asked.get(array.level) == region:
                continue  # it has asked by itself
            shared, owner = reader(), other.owner(array.level)
            for want in self._missing(sibling, region):
                rank = _rank(want, region)
                shared.start(want, Urgency.SIBLING, owner, rank)

    def _wait_a_little(self, tasks: list[Task]) -> None:
        now = self._clock()
        if now > self._patient_until + _PATIENCE_AGAIN:
            self._patient_until = now + _PATIENCE
        for task in tasks:
            left = self._patient_until - self._clock()
            if left <= 0:
                return
            task.wait(left)

    def _composed(
        self, array: LevelArray, region: Region, incomplete: bool
    ) -> np.ndarray[Any, Any]:
        """Put together what is there, over the coarse level where it is not all."""
        shape = [s.stop - s.start for s in region]
        out = self._coarse(array, region) if incomplete else None
        filled = out is not None
        if out is None:
            out = np.full(shape, array.fill_value, dtype=array.dtype)
        shared = reader()
        for want in shared.wants(array, region):
            piece = shared.known(want)
            if piece is not None:
                paste(out, region, want, piece)
            elif filled and want.failed:
                paste(out, region, want, None)  # what failed shows as empty
        return out

    def _coarse(self, array: LevelArray, region: Region) -> np.ndarray[Any, Any] | None:
        """Return a region from the finest coarser level that is there."""
        shared = reader()
        for coarser in array.image.arrays[array.level + 1 :]:
            covered = _scaled(region, array.shape, coarser.shape)
            wants = shared.wants(coarser, covered)
            pieces = [shared.known(want) for want in wants]
            if not all(pieces):
                continue
            low = np.empty([s.stop - s.start for s in covered], dtype=array.dtype)
            for want, piece in zip(wants, pieces, strict=True):
                paste(low, covered, want, piece)
            index = [
                _nearest(s, n, m) - c.start
                for s, n, m, c in zip(
                    region, array.shape, coarser.shape, covered, strict=True
                )
            ]
            return np.asarray(low[np.ix_(*index)])
        return None

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
            if not shown.visible and shown.coming:
                self._drop(shown)
            self._settle(shown)
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
            self._prefetch()
        return News(tuple(refresh), pending, failed)

    @property
    def resting(self) -> bool:
        """Whether all that is looked at is there."""
        return self._rested

    def _settle(self, shown: _Shown) -> None:
        """Take over what is done, and record what failed."""
        for key, (want, task) in list(shown.coming.items()):
            if task.done:
                shown.coming.pop(key, None)
                if not isinstance(task.error, CancelledError):
                    shown.arrived = True
                    want.array.settle(want, task)

    def values_in_view(self, image: ChannelImage) -> np.ndarray[Any, Any] | None:
        """Return the voxels in view, coarse ones where fine ones are not there."""
        shown = self._shown.get(image)
        if shown is None or not shown.asked:
            return None
        level = min(shown.asked)
        array, region = image.arrays[level], shown.asked[level]
        return self._composed(array, region, bool(self._missing(array, region)))

    def retry(self) -> tuple[Any, ...]:
        """Forget what failed; return the layers to refresh."""
        layers = []
        for shown in self._shown.values():
            if shown.image.failures:
                shown.image.retry()
                layers.append(shown.layer)
        self._told.clear()
        return tuple(layer for layer in layers if layer is not None)

    def failed_regions(self) -> Iterator[tuple[ChannelImage, LevelArray, Region]]:
        """Yield what is in view, was asked for, and could not be read."""
        shared = reader()
        for shown in list(self._shown.values()):
            if not shown.visible or not shown.image.failures:
                continue
            for level, region in list(shown.asked.items()):
                array = shown.image.arrays[level]
                for want in shared.wants(array, region):
                    if want.failed and shared.known(want) is None:
                        yield shown.image, array, array.region_of(want.chunk)

    def _drop(self, shown: _Shown) -> None:
        for array in shown.image.arrays:
            reader().pool.drop(shown.owner(array.level))
        shown.coming.clear()

    # --- prefetching

    def _prefetch(self) -> None:
        """Have read, when nothing else is to be done, what may be wanted next.

        The next planes in the direction of travel that are not there, and the
        same planes of the next coarser level.
        """
        shared = reader()
        for shown in list(self._shown.values()):
            if not shown.visible or not shown.asked:
                continue
            level = min(shown.asked)
            array, region = shown.image.arrays[level], shown.asked[level]
            if region[0].stop - region[0].start > 1:
                continue
            wants = self._ahead(shown, array, region)
            if level + 1 < len(shown.image.arrays):
                coarser = shown.image.arrays[level + 1]
                covered = _scaled(region, array.shape, coarser.shape)
                wants += self._missing(coarser, covered)
            for want in wants[:_MOST_PREFETCHED]:
                shared.start(want, Urgency.IDLE, self, _rank(want, region))

    def _ahead(self, shown: _Shown, array: LevelArray, region: Region) -> list[Want]:
        """Return the wants of the next plane that needs a request."""
        shared = reader()
        z, step = region[0].start, shown.direction
        ahead = z + step * array.chunks[0]
        for want in shared.wants(array, region)[:1]:
            piece = shared.known(want)
            if piece is not None:
                begin = array.region_of(want.chunk)[0].start + piece.first
                ahead = begin + len(piece.values) if step > 0 else begin - 1
        if not 0 <= ahead < array.shape[0]:
            return []
        return self._missing(array, (slice(ahead, ahead + 1), region[1], region[2]))

    def _drop_prefetched(self) -> None:
        reader().pool.drop(self)


def _rank(want: Want, region: Region) -> float:
    """Return how far a chunk is from the middle of a region, in voxels."""
    far = 0.0
    for wanted, chunk in zip(
        region[1:], want.array.region_of(want.chunk)[1:], strict=True
    ):
        middle = (wanted.start + wanted.stop - chunk.start - chunk.stop) / 2
        far += middle * middle
    return far


def _nearest(span: slice, size: int, coarse: int) -> np.ndarray[Any, Any]:
    """Return the coarse voxel under each voxel of a span."""
    places = (np.arange(span.start, span.stop) + 0.5) * (coarse / size)
    return np.minimum(places.astype(np.intp), coarse - 1)


def _scaled(
    region: Region, shape: tuple[int, int, int], coarse: tuple[int, int, int]
) -> Region:
    """Return the voxels of a coarser level that cover a region."""
    spans = []
    for span, size, small in zip(region, shape, coarse, strict=True):
        ends = _nearest(slice(span.start, span.start + 1), size, small)[0]
        last = _nearest(slice(span.stop - 1, span.stop), size, small)[0]
        spans.append(slice(int(ends), int(last) + 1))
    z, y, x = spans
    return (z, y, x)
