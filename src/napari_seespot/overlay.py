"""The spots on the image: of one slab, two pictures.

While few spots are in view they are real points, pickable and with features.
When more are in view than the machine draws fluently, all of them are drawn as
one picture at screen resolution, so that none is dropped. In 3-D the spots of
the highest priority are drawn as points. The viewer always says which it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from psygnal import Signal

from napari_seespot.drawn_spots import choose_in_box, most_important
from napari_seespot.index import Box
from napari_seespot.mark_layer import MarkLayer
from napari_seespot.point_budget import PointBudget
from napari_seespot.points_pool import PointsPool
from napari_seespot.raster_layer import RasterLayer
from napari_seespot.sight import Sight, look
from napari_seespot.spot_looks import faded, nearness, point_looks
from napari_seespot.volume import origin, volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["Shown", "SpotOverlay"]

_DEPENDS_ON = frozenset(
    {"mask", "coloring", "selected", "point_size_um", "slab_planes", "picture"}
    | {"max_points", "highlight"}
)


_REST_MS = 120  # without an event for so long, the view rests


class Defer(Protocol):
    """Puts a function off; see `SpotOverlay`."""

    def __call__(
        self, update: Callable[[], None], delay_ms: int
    ) -> Callable[[], None]: ...


def _at_once(update: Callable[[], None], delay_ms: int) -> Callable[[], None]:
    return update


@dataclass(frozen=True)
class Shown:
    """What the viewer shows of the spots.

    Attributes
    ----------
    picture : str
        ``"points"``, ``"density"`` or ``"nothing"``.
    drawn, total : int
        Spots drawn, and spots in view that pass the filters.
    """

    picture: str
    drawn: int
    total: int

    @property
    def text(self) -> str:
        """The sentence that the viewer shows."""
        noun = "spot" if self.total == 1 else "spots"
        if self.drawn < self.total:
            # Never "1e+02 %": as long as one is missing, it is not all of them.
            share = min(100 * self.drawn / self.total, 99.9)
            digits = 2 if share < 99 else 3
            return (
                f"{self.drawn:,} of {self.total:,} {noun} in view "
                f"({share:.{digits}g} %)"
            )
        if self.picture == "nothing":
            return "No spots in view"
        return f"{self.total:,} {noun} in view, as {self.picture}"


class SpotOverlay:
    """Keeps the spots' layers in step with the session and the camera.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    session : Session
    defer : callable, optional
        Given a function and a delay in ms, returns one that has it called once
        that long after the first call (0), or after the last one (else). Without
        it each event updates at once.

    Attributes
    ----------
    shown_changed : psygnal.Signal
        Emitted with a `Shown` after each update.
    """

    shown_changed = Signal(Shown)

    def __init__(
        self,
        viewer: Any,
        session: Session,
        defer: Defer | None = None,
    ) -> None:
        self._viewer = viewer
        self._session = session
        dataset = session.dataset
        self._scale = dataset.voxel_size
        self._translate = origin(dataset)
        self._extent = volume(dataset)
        # Without putting off, there is no telling a moving view from one at rest.
        self._moves = defer is not None
        self._moving = False
        self._budget = PointBudget(session.view.max_points)
        self._frame: tuple[int, float] | None = None
        defer = defer or _at_once
        self._painted = defer(self._note_frame, 0)
        self._request = defer(self.update, 0)
        self._rest = defer(self._settle, _REST_MS)
        self.shown = Shown("nothing", 0, 0)
        self._closed = False
        self._pool = PointsPool(
            viewer, dataset, self._translate, self._extent, self.budget, "Spots"
        )
        self._raster = RasterLayer(
            viewer, self._scale, self._translate, self._extent, "Spots (density)"
        )
        self._mark = MarkLayer(
            viewer, self._scale, self._translate, self._middle, "Marked spot"
        )
        self._text = _add_text(viewer)
        self._set_margins()
        self._events = [
            viewer.dims.events.point,
            viewer.dims.events.order,
            viewer.dims.events.ndisplay,
            viewer.scene.camera.events.center,
            viewer.scene.camera.events.zoom,
            viewer.canvas.events.size,
        ]
        for event in self._events:
            event.connect(self._on_event)
        session.changed.connect(self._on_changed)
        self.update()

    @property
    def points(self) -> Any:
        """The points layer."""
        return self._pool.layer

    @property
    def raster(self) -> Any:
        """The image layer with the picture of all spots."""
        return self._raster.layer

    @property
    def drawn_rows(self) -> np.ndarray:
        """The table's rows that are drawn as points, in the layer's order."""
        return self._pool.rows

    @property
    def sight(self) -> Sight | None:
        """What the viewer looks at now; None where it does not show our axes."""
        return look(self._viewer, self._scale, self._translate, self._extent)

    @property
    def budget(self) -> int:
        """How many points are drawn at most, now."""
        self._budget.fix(self._session.view.max_points)
        return self._budget.moving if self._moving else self._budget.resting

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers that belong to the overlay now."""
        return (self._pool.layer, self.raster, self._mark.layer)

    @property
    def ring(self) -> Any:
        """The layer with the ring around the spot that was marked last."""
        return self._mark.layer

    def world(self, position: tuple[float, ...]) -> tuple[float, ...]:
        """Return a position in voxels as (z, y, x) in um."""
        return tuple(
            value * scale + start
            for value, scale, start in zip(
                position, self._scale, self._translate, strict=True
            )
        )

    def voxel(self, place: tuple[float, ...]) -> tuple[float, ...]:
        """Return a place in um as (z, y, x) in voxels."""
        return tuple(
            (value - start) / scale
            for value, scale, start in zip(
                place, self._scale, self._translate, strict=True
            )
        )

    @property
    def _middle(self) -> tuple[float, ...]:
        """Return a place in the volume, where a layer widens napari's world least."""
        ends = zip(self._extent.low, self._extent.high, strict=True)
        return tuple((low + high) / 2 for low, high in ends)

    def mark(self, row: int) -> None:
        """Draw a ring around a spot."""
        if self._mark.layer in self._viewer.layers:
            self._mark.show(self._session.position(row))
            self._see_mark(self.sight)

    def _see_mark(self, sight: Sight | None) -> None:
        if sight is not None:
            self._mark.see(self._session.view.point_size_um, sight.pixel_um)

    def row_at(self, place: int | None) -> int | None:
        """Return the table's row behind a point of the layer."""
        return self._pool.row_at(place)

    def update(self) -> None:
        """Draw what is in view now."""
        if self._closed:
            return
        view = self._session.view
        sight = self.sight
        self._see_mark(sight)
        usable = self._has_points or (self._has_raster and sight and sight.flat)
        if sight is None or sight.empty or not usable:
            self._finish(Shown("nothing", 0, 0))
        elif sight.flat:
            self._draw_slab(view, sight)
        else:
            self._draw_volume(view, sight)

    def _draw_slab(self, view: View, sight: Sight) -> None:
        # Ranges are looked at in the slab only: a slider that is dragged must not
        # wait for a mask of all rows.
        box = sight.box(view.slab_planes)
        rows = view.mask.passing(self._session.index.rows_in(box, view.mask.codes))
        budget = self.budget
        as_points = self._budget.as_points(len(rows))
        if view.picture != "auto":
            as_points = view.picture == "points"
        # A user may have deleted either layer: the other one shows what there is.
        if not self._has_points or not self._has_raster:
            as_points = self._has_points
        (depth,) = sight.sliced
        if as_points:
            self._raster.free_slider(depth)
            self._pool.put_last_on_top(False)
            total = len(rows)
            rows = most_important(view, self._session.index, rows, budget)
        alpha = nearness(view, rows, depth, sight.plane[depth])
        if as_points:
            self._show_points(view, sight, rows, alpha)
            self._finish(Shown("points", len(rows), total))
        else:
            self._pool.clear()
            self._raster.show(view, sight, rows, alpha)
            self._finish(Shown("density", len(rows), len(rows)))

    def _draw_volume(self, view: View, sight: Sight) -> None:
        box = sight.box(view.slab_planes)
        whole = box.low == self._extent.low and box.high == self._extent.high
        counts = view.mask.counts if whole and self._all_placed else None
        chosen = choose_in_box(view, self._session.index, box, self.budget, counts)
        rows = chosen.rows
        alpha = faded(view, rows, np.ones(len(rows), np.float32))
        self._pool.put_last_on_top(view.selected is not None)
        self._show_points(view, sight, rows, alpha)
        self._finish(Shown("points", len(rows), chosen.total))

    def _show_points(
        self, view: View, sight: Sight, rows: np.ndarray, alpha: np.ndarray
    ) -> None:
        self._pool.grow(len(rows))
        self._pool.show(point_looks(view, rows, alpha, self._scale[2], sight.pixel_um))
        if self._moves:
            self._frame = (len(rows), time.perf_counter())
            self._painted()

    def _note_frame(self) -> None:
        """Take note of a frame: timers of no delay come after what is painted."""
        if self._frame is not None:
            points, start = self._frame
            self._budget.add_frame(points, time.perf_counter() - start)
            self._frame = None

    def _finish(self, shown: Shown) -> None:
        if shown.picture != "points":
            self._pool.clear()
        self._rest()
        # napari redraws for each assignment, also of the same value.
        if self.raster.visible != (shown.picture == "density"):
            self.raster.visible = shown.picture == "density"
        if shown != self.shown:
            self.shown = shown
            self._text.text = shown.text
            self.shown_changed.emit(shown)

    def _settle(self) -> None:
        """Do what can wait until the view rests."""
        if self._closed or not self._has_points:
            return
        moved, self._moving = self._moving, False
        if self._budget.adapt() or (moved and self._reduced):
            self.update()
        self._pool.describe()

    @property
    def _reduced(self) -> bool:
        """Whether more points would be drawn at rest than now."""
        shown = self.shown
        wanted = min(shown.total, self._budget.resting)
        return shown.picture == "points" and shown.drawn < wanted

    @property
    def _has_points(self) -> bool:
        """Whether the points layer is still there; a user may delete it."""
        return self._pool.layer in self._viewer.layers

    @property
    def _has_raster(self) -> bool:
        return self.raster in self._viewer.layers

    @cached_property
    def _all_placed(self) -> bool:
        """Whether every spot has a position, and lies in the volume for that."""
        placed = int(self._session.index.counts(Box()).sum())
        return placed == len(self._session.view.spots)

    def _on_event(self, _event: Any = None) -> None:
        self._moving = self._moves
        self._request()

    def _on_changed(self, _view: View, names: frozenset[str]) -> None:
        if "slab_planes" in names:
            self._set_margins()
        if names & _DEPENDS_ON:
            self._request()

    def _set_margins(self) -> None:
        """Let napari's own slicing of the points take in the slab."""
        half = self._session.view.slab_planes + 0.5
        offset = self._viewer.dims.ndim - 3
        if offset < 0:
            return
        margins = (*[0.0] * offset, *(half * scale for scale in self._scale))
        self._viewer.dims.margin_left = margins
        self._viewer.dims.margin_right = margins

    def close(self, *, window_is_gone: bool = False) -> None:
        """Let go of the viewer; its layers are the caller's to remove.

        Parameters
        ----------
        window_is_gone : bool
            Nothing is left that could draw: what is seen is not put right.
        """
        if self._closed:
            return
        self._closed = True
        for event in self._events:
            event.disconnect(self._on_event)
        self._session.changed.disconnect(self._on_changed, missing_ok=True)
        self._pool.layer.led = self.raster.led = False
        if window_is_gone:
            return  # napari's slicing threads have ended: a change of dims raises
        _remove_text(self._viewer)
        zeros = (0.0,) * self._viewer.dims.ndim
        self._viewer.dims.margin_left = zeros
        self._viewer.dims.margin_right = zeros


_TEXT = "napari-seespot"


def _add_text(viewer: Any) -> Any:
    from napari.components.overlays import TextOverlay

    text = TextOverlay(text="", position="top_left", font_size=10, visible=True)
    viewer.canvas.overlays[_TEXT] = text
    return text


def _remove_text(viewer: Any) -> None:
    viewer.canvas.overlays.pop(_TEXT, None)
