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

from napari_seespot.index import Box
from napari_seespot.point_budget import PointBudget
from napari_seespot.points_pool import CANVAS_SIZES, PointsPool
from napari_seespot.raster import Canvas
from napari_seespot.sight import Sight, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["Shown", "SpotOverlay"]

_MARK_SIZE = 3.0  # the ring around a marked spot, relative to the spot
_SELECTED_SIZE = 1.7  # a selected spot's diameter, relative to the others
_SELECTED_COLOR = (255, 255, 255, 255)
_FADED = 0.12  # opacity of what is not highlighted, relative to what is
_FADE = 0.75  # how much a spot at the slab's border is fainter
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
        self._translate = _origin(dataset)
        self._extent = _extent(dataset)
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
        self._pool = self._new_pool(self.budget)
        self._canvas = Canvas()
        self._raster = self._new_raster()
        self._mark = self._new_mark()
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
        return self._raster

    @property
    def drawn_rows(self) -> np.ndarray:
        """The table's rows that are drawn as points, in the layer's order."""
        return self._pool.rows

    @property
    def budget(self) -> int:
        """How many points are drawn at most, now."""
        self._budget.fix(self._session.view.max_points)
        return self._budget.moving if self._moving else self._budget.resting

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers that belong to the overlay now."""
        return (self._pool.layer, self._raster, self._mark)

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
        if self._mark not in self._viewer.layers:
            return
        position = self._session.position(row)
        if len(self._mark.data) == 1:
            self._mark.data[0] = position  # much cheaper than new data
        else:  # a script has put others into its place
            self._mark.data = [position]
        self._mark.size = _MARK_SIZE * self._session.view.point_size_um / self._scale[2]
        self._mark.visible = True
        self._mark.refresh(extent=False, thumbnail=False, highlight=False)

    def row_at(self, place: int | None) -> int | None:
        """Return the table's row behind a point of the layer."""
        return self._pool.row_at(place)

    def update(self) -> None:
        """Draw what is in view now."""
        if self._closed:
            return
        view = self._session.view
        sight = look(self._viewer, self._scale, self._translate, self._extent)
        points, raster = self._has_points, self._raster in self._viewer.layers
        usable = points or (raster and sight is not None and sight.flat)
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
        if not self._has_points or self._raster not in self._viewer.layers:
            as_points = self._has_points
        if as_points:
            self._free_slider(*sight.sliced)
            total = len(rows)
            if total > budget:
                rows = self._session.index.most_important(rows, budget)
            self._show_points(view, rows, self._opacity(view, sight, rows))
            self._finish(Shown("points", len(rows), total))
        else:
            self._show_raster(view, sight, rows)
            self._finish(Shown("density", len(rows), len(rows)))

    def _draw_volume(self, view: View, sight: Sight) -> None:
        box = sight.box(view.slab_planes)
        whole = box.low == self._extent.low and box.high == self._extent.high
        chosen = self._session.index.choose(
            box,
            self.budget,
            view.mask.codes,
            view.mask.outside_codes,
            view.mask.counts if whole and self._all_placed else None,
        )
        alpha = _fade(view, chosen.rows, np.ones(len(chosen.rows), np.float32))
        self._show_points(view, chosen.rows, alpha)
        self._finish(Shown("points", len(chosen.rows), chosen.total))

    def _show_points(self, view: View, rows: np.ndarray, alpha: np.ndarray) -> None:
        self._pool.grow(len(rows))
        colors = view.coloring.rgba(view.spots, rows)
        colors[:, 3] *= alpha
        sizes = np.full(len(rows), view.point_size_um / self._scale[2], np.float32)
        if view.selected is not None:
            chosen = view.selected[rows]
            colors[chosen, :3] = 1.0
            if view.highlight in (None, "selected"):  # else it fades as others do
                colors[chosen, 3] = 1.0
            sizes[chosen] *= _SELECTED_SIZE
        self._pool.show(rows, colors, sizes)
        if self._moves:
            self._frame = (len(rows), time.perf_counter())
            self._painted()

    def _note_frame(self) -> None:
        """Take note of a frame: timers of no delay come after what is painted."""
        if self._frame is not None:
            points, start = self._frame
            self._budget.add_frame(points, time.perf_counter() - start)
            self._frame = None

    def _show_raster(self, view: View, sight: Sight, rows: np.ndarray) -> None:
        self._pool.clear()
        vertical, across = sight.displayed
        pixel = np.array([sight.pixel_um / self._scale[a] for a in (vertical, across)])
        low = np.array([sight.low[vertical], sight.low[across]])
        high = np.array([sight.high[vertical], sight.high[across]])
        height, width = (int(n) for n in np.maximum(1, np.ceil((high - low) / pixel)))
        places = [
            (view.spots.column("zyx"[axis])[rows] - start) / step
            for axis, start, step in zip(sight.displayed, low, pixel, strict=True)
        ]
        color = view.coloring.index(view.spots, rows)
        table, alpha = view.coloring.table, self._opacity(view, sight, rows)
        if view.selected is not None:
            table = np.vstack([table[:255], _SELECTED_COLOR]).astype(np.uint8)
            color = np.minimum(color, len(table) - 2)  # a gradient gives up its last
            color = np.where(view.selected[rows], len(table) - 1, color)
        smallest, largest = CANVAS_SIZES
        diameter = np.clip(view.point_size_um / sight.pixel_um, smallest, largest)
        picture = self._canvas.draw(
            # Those on the window's far border, and roundings, belong to it too.
            np.clip(places[0], 0, height - 0.5),
            np.clip(places[1], 0, width - 0.5),
            color.astype(np.uint8),
            table,
            alpha,
            (height, width),
            float(diameter),
        )
        self._place_raster(picture, sight, low, pixel)

    def _place_raster(
        self, picture: np.ndarray, sight: Sight, low: np.ndarray, pixel: np.ndarray
    ) -> None:
        """Put the picture on the window, and on every plane of the sliced axis."""
        vertical, across = sight.displayed
        (depth,) = sight.sliced
        scale, translate = np.array(self._scale), np.array(self._translate)
        ends = np.array([self._extent.low, self._extent.high])
        # One voxel as deep as the volume: stepping never leaves it.
        depth_um = (ends[1, depth] - ends[0, depth]) * scale[depth]
        translate[depth] += ends[:, depth].mean() * scale[depth]
        for place, axis in enumerate((vertical, across)):
            translate[axis] += (low[place] + pixel[place] / 2) * scale[axis]
            scale[axis] *= pixel[place]
        scale[depth] = max(depth_um, scale[depth])
        if vertical > across:
            picture = picture.transpose(1, 0, 2)
        data = np.expand_dims(picture, depth)
        layer = self._raster
        same = layer.data.shape == data.shape and np.may_share_memory(layer.data, data)
        if not same:
            # First: a hidden layer's extent, and with it napari's sliders and home
            # view, follows its place but not its data.
            layer.data = data
        if not np.allclose(layer.scale, scale):
            layer.scale = scale
        if not same or not np.allclose(layer.translate, translate):
            layer.translate = translate
        if same:
            layer.refresh(extent=False, thumbnail=False, highlight=False)

    def _free_slider(self, depth: int) -> None:
        """Shrink a hidden picture of another slicing axis to a voxel.

        napari's sliders step by the smallest scale of all layers: the pixels of a
        picture across the planes would make a step in z a fraction of a plane.
        """
        layer = self._raster
        if layer.data.shape[depth] > 1:
            layer.data = np.zeros((1, 1, 1, 4), np.uint8)
            layer.scale = self._scale
            layer.translate = self.world(self._middle)

    def _opacity(self, view: View, sight: Sight, rows: np.ndarray) -> np.ndarray:
        """Return how opaque spots are by their distance from the plane, float32."""
        (depth,) = sight.sliced
        values = view.spots.column("zyx"[depth])[rows]
        distance = np.abs(values - np.float32(sight.plane[depth]))
        half = np.float32(view.slab_planes + 0.5)
        alpha = np.asarray(1 - _FADE * np.minimum(distance / half, 1), np.float32)
        return _fade(view, rows, alpha)

    def _finish(self, shown: Shown) -> None:
        if shown.picture != "points":
            self._pool.clear()
        self._rest()
        # napari redraws for each assignment, also of the same value.
        if self._raster.visible != (shown.picture == "density"):
            self._raster.visible = shown.picture == "density"
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

    def _new_pool(self, capacity: int) -> PointsPool:
        return PointsPool(
            self._viewer,
            self._session.dataset,
            self._translate,
            self._extent,
            capacity,
            "Spots",
        )

    def _new_raster(self) -> Any:
        from napari_seespot.spots_layer import Image

        layer = Image(
            np.zeros((1, 1, 1, 4), np.uint8),
            rgb=True,
            name="Spots (density)",
            blending="translucent",
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
            scale=self._scale,
            translate=self.world(self._middle),
            visible=False,
        )
        layer.led = layer.kept = True
        return self._viewer.add_layer(layer)

    def _new_mark(self) -> Any:
        from napari_seespot.spots_layer import Points

        layer = Points(
            [self._middle],
            ndim=3,
            name="Marked spot",
            symbol="disc",
            face_color=[0.0, 0.0, 0.0, 0.0],
            border_color="magenta",
            border_width=0.08,
            scale=self._scale,
            translate=self._translate,
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
            projection_mode="all",
            canvas_size_limits=(18, 120),
            visible=False,
        )
        layer.kept = True
        return self._viewer.add_layer(layer)

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
        self._pool.layer.led = self._raster.led = False
        if window_is_gone:
            return  # napari's slicing threads have ended: a change of dims raises
        _remove_text(self._viewer)
        zeros = (0.0,) * self._viewer.dims.ndim
        self._viewer.dims.margin_left = zeros
        self._viewer.dims.margin_right = zeros


def _fade(view: View, rows: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return opacities with those of spots lowered that are not highlighted."""
    faded = view.faded(rows)
    return alpha if faded is None else np.where(faded, _FADED * alpha, alpha)


def _origin(dataset: Any) -> tuple[float, float, float]:
    """Return (z, y, x) of the first voxel's centre, in um."""
    from napari_seespot.errors import SeeSpotError

    for channel in dataset.images:
        try:
            z, y, x = dataset.images[channel].translate
        except SeeSpotError:  # that channel is reported where it is shown
            continue
        return (z, y, x)
    return (0.0, 0.0, 0.0)


def _extent(dataset: Any) -> Box:
    """Return the volume that images and spots fill: whole voxels, to their faces."""
    from napari_seespot.errors import SeeSpotError

    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for axis, name in enumerate("zyx"):
        values = dataset.spots.column(name)
        if len(values) and not np.isnan(values).all():
            low[axis] = np.round(np.nanmin(values)) - 0.5
            high[axis] = np.round(np.nanmax(values)) + 0.5
    for channel in dataset.images:
        try:
            shape = dataset.images[channel].shape
        except SeeSpotError:
            continue
        low, high = np.minimum(low, -0.5), np.maximum(high, np.array(shape) - 0.5)
        break
    low, high = np.where(low <= high, low, 0), np.where(low <= high, high, 0)
    z0, y0, x0 = (float(value) for value in low)
    z1, y1, x1 = (float(value) for value in high)
    return Box((z0, y0, x0), (z1, y1, x1))


_TEXT = "napari-seespot"


def _add_text(viewer: Any) -> Any:
    from napari.components.overlays import TextOverlay

    text = TextOverlay(text="", position="top_left", font_size=10, visible=True)
    viewer.canvas.overlays[_TEXT] = text
    return text


def _remove_text(viewer: Any) -> None:
    viewer.canvas.overlays.pop(_TEXT, None)
