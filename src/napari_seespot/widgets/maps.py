"""The dock that lays a map of the spots over the tissue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, Label, SpinBox
from qtpy.QtCore import QEvent, QObject

from napari_seespot.errors import SeeSpotError
from napari_seespot.maps import spatial_map
from napari_seespot.plots.map_charts import (
    MEASURE_NAMES,
    automatic_tile,
    hottest,
    map_chart,
    map_limits,
)
from napari_seespot.widgets._chart_dock import ChartDock
from napari_seespot.widgets._flow import flow_row, narrow
from napari_seespot.widgets._frame_table import FrameTable
from napari_seespot.widgets._map_layer import MapLayer
from napari_seespot.widgets._tile_pointer import TilePointer
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari.viewer
    from magicgui.widgets import Container
    from qtpy.QtWidgets import QWidget

    from napari_seespot.maps import SpatialMap
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["MapsWidget", "tile_place"]

_HOTTEST = 12


class MapsWidget(ChartDock):
    """Density, shares and median r in tiles, as a layer and as a picture.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "seespot-maps")
        self._map: SpatialMap | None = None
        self._layer: MapLayer | None = None
        self.measure_box = ComboBox(
            choices=[(text, name) for name, text in MEASURE_NAMES.items()],
            tooltip="What a tile's colour tells",
        )
        self.tile_box = FloatSpinBox(
            min=0.5, max=10_000, step=5, value=50, tooltip="Side of a tile, in um"
        )
        self.show_box = CheckBox(
            value=True,
            text="Show in the viewer",
            tooltip="As an image layer over the tissue. Click a tile to go there, "
            "in the viewer or in the picture below",
        )
        self.fewest_box = SpinBox(
            min=1,
            max=1_000_000,
            value=20,
            tooltip="Tiles with fewer spots are not listed: their shares are chance",
        )
        self.chart = self.new_chart()
        self.pointer = TilePointer(self.chart)
        self.table = FrameTable("Hottest tiles")
        self.table.setToolTip("Double click or Enter: go there. Ctrl+C copies.")
        narrow(self.measure_box, 12)
        size = _labelled("Tiles (um)", self.tile_box)
        fewest = _labelled("Hottest tiles, with spots at least", self.fewest_box)
        self._content.extend(
            [self.measure_box, size, self.new_follow_box(), self.show_box, self._note]
        )
        layout = self._content.native.layout()
        layout.addWidget(self.chart)
        self._content.append(fewest)
        layout.addWidget(fewest.native)  # below the chart
        layout.addWidget(self.table)
        layout.addStretch(1)
        for box in (self.measure_box, self.tile_box):
            box.changed.connect(lambda _value: self._request())
        self.show_box.changed.connect(lambda _on: self._show_layer())
        self.fewest_box.changed.connect(lambda _n: self._show_table())
        self.table.activated_row.connect(self._on_row)
        self.pointer.clicked.connect(lambda y, x: self._on_place((y, x)))
        self.native.destroyed.connect(partial(_drop_layer, self))
        self._watch = _ParentWatch(self.native, self._taken_out)
        self.begin()

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._map = None
        viewing = session.viewing
        if viewing is not None:
            overlay = viewing.overlay
            y, x = overlay.world((0.0, 0.0, 0.0))[-2:]
            # A function: the overlay replaces its layers now and then.
            self._layer = MapLayer(
                self._viewer,
                (y, x),
                lambda: overlay.layers,
                self._on_place,
                viewing.picker.others,
            )
        with self.tile_box.changed.blocked():
            size = session.dataset.voxel_size
            self.tile_box.value = automatic_tile(session.dataset.spots, size)
        super()._attach(session)

    def _detach(self) -> None:
        super()._detach()
        self._map = None
        self.pointer.show_map(None)
        self.drop_layer()

    def drop_layer(self) -> None:
        """Take the layer out of the viewer, for good."""
        layer, self._layer = self._layer, None
        if layer is not None:
            layer.close()

    def _taken_out(self) -> None:
        """Take the layer away while the dock is closed; hidden, it may stay."""
        if self._layer is not None:
            self._layer.remove()
            self._stale = True

    def _compute(self, view: View) -> None:
        measure, tile = str(self.measure_box.value), float(self.tile_box.value)
        follows = self.follows

        def make(job: Job) -> Iterator[tuple[str, Any]]:
            where = view.where if follows else None
            job.check()
            voxel = view.dataset.voxel_size
            yield "map", spatial_map(view.spots, measure, voxel, tile, where)

        self.run(make)

    # ---- showing

    def _show_part(self, name: str, part: Any) -> None:
        self._map = part
        self.pointer.show_map(part)
        self.chart.show_chart(map_chart(part))
        self.say(self._warning(part))
        self._show_table()
        self._show_layer()

    def _warning(self, found: SpatialMap) -> str:
        session = self._session
        if session is None or not self.follows or found.measure != "removed":
            return ""
        mask, spots = session.view.mask, session.dataset.spots
        removed = spots.class_of_code("status") == 2
        if mask.codes[removed].any():
            return ""
        return "Removed spots do not pass the filters: no share of them is known."

    def _show_table(self) -> None:
        if self._map is not None:
            fewest = int(self.fewest_box.value)
            self.table.show_frame(hottest(self._map, _HOTTEST, fewest))

    def _show_layer(self) -> None:
        layer, found = self._layer, self._map
        if layer is None or found is None:
            return
        if not self.show_box.value:
            layer.remove()
            return
        name = f"Map: {MEASURE_NAMES[found.measure]}"
        layer.show(found, name, map_limits(found.values))

    # ---- going there

    def _on_row(self, row: int) -> None:
        line = self.table.frame.iloc[row]
        self._on_place((float(line["y_um"]), float(line["x_um"])))

    def _on_place(self, place: tuple[float, float]) -> None:
        """Fly to the middle of the tile at (y, x) um, in the plane of its spots."""
        session, found = self._session, self._map
        if session is None or found is None or session.viewing is None:
            return
        view = session.view
        position = tile_place(view, found, place, self.where(view))
        if position is not None:
            self.guarded(session.viewing.fly_to, position)


def tile_place(
    view: View,
    found: SpatialMap,
    place: tuple[float, float],
    where: np.ndarray | None,
) -> tuple[float, float, float] | None:
    """Return where to look at the tile of a place.

    Parameters
    ----------
    view : View
    found : SpatialMap
    place : (float, float)
        (y, x) in um.
    where : ndarray of bool, shape (n,), or None
        The rows that the map counts.

    Returns
    -------
    (z, y, x) in voxels, or None
        The tile's middle, at the median z of its spots; None for a tile without
        spots.
    """
    spots, voxel = view.spots, view.dataset.voxel_size
    tile = found.tiles.at_um(*place)
    if tile is None:
        return None
    inside = found.tiles.inside(spots, *tile)
    if where is not None:
        inside &= where
    z = spots.column("z")[inside]
    z = z[np.isfinite(z)]
    if not z.size:
        return None
    y, x = found.center_um(*tile)
    return (float(np.median(z)), y / voxel[1], x / voxel[2])


class _ParentWatch(QObject):
    """Calls a function when a widget has been taken out of its dock."""

    def __init__(self, widget: QWidget, taken_out: Callable[[], None]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._taken_out = taken_out
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Watch for another parent."""
        moved = event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self._widget.parent() is None:
            self._taken_out()
        return False


def _labelled(text: str, widget: Any) -> Container[Any]:
    widget.native.setAccessibleName(text)
    label = Label(value=text)
    wrap(label)
    return flow_row(label, widget, grow=[widget])


def _drop_layer(dock: MapsWidget, *_: Any) -> None:
    """Remove the layer with the dock; Qt passes on what it has destroyed as well."""
    try:
        dock.drop_layer()
    except (RuntimeError, SeeSpotError):  # the viewer's window is being destroyed too
        return
