"""The plot of one channel against another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, QTimer

from napari_seespot.plots._qt import Signal, pg
from napari_seespot.plots.base import PlotPanel, color_with
from napari_seespot.plots.chart_menu import chart_menu, paint_button, save_button
from napari_seespot.plots.charts import Chart
from napari_seespot.plots.drawing import DrawingViewBox
from napari_seespot.plots.dye_line_items import DyeLineItems
from napari_seespot.plots.gate_items import GateItems
from napari_seespot.plots.pair_chart import pair_chart
from napari_seespot.plots.scales import LINEAR, ScaledAxis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QFont, QKeyEvent, QResizeEvent

    from napari_seespot.plots.pair_picture import PairPicture, PairPoints
    from napari_seespot.plots.scales import PlotScale
    from napari_seespot.plots.theme import PlotTheme
    from napari_seespot.unmixing import DyeLine

__all__ = ["PairPlot"]

REST_MS = 120  # without a movement for so long, the mouse rests
NEAR_PIXELS = 10.0

(
    _IMAGE_LAYER,
    _TINT_LAYER,
    _POINT_LAYER,
    _LINE_LAYER,
    _GATE_LAYER,
    _MARK_LAYER,
) = range(6)


class PairPlot(PlotPanel):
    """Shows a `PairPicture`, and tells what the mouse does in it.

    Attributes
    ----------
    rested : Signal
        Emitted once the user has zoomed or moved and lets it rest.
    resized : Signal
        Emitted once the plot has another size and keeps it.
    hovered : Signal
        Emitted with the values (x, y) under the pointer, or None when it left.
    clicked : Signal
        Emitted with the values (x, y) of a click.
    drawn : Signal
        Emitted with the vertices of an outline (ndarray, shape (m, 2), values)
        and how it changes the selection.

    `limits` and `unit` are of places along the axes, which are values where the
    axes are linear; `data_limits` are of values.
    """

    rested = Signal()
    resized = Signal()
    hovered = Signal(object)
    clicked = Signal(float, float)
    drawn = Signal(object, str)

    def __init__(self) -> None:
        self._mark: Any = None
        self._dyes: DyeLineItems | None = None
        self._gates: GateItems | None = None
        self.menu_button: Any = None
        self.plot_scale = LINEAR
        axes = {side: ScaledAxis(side) for side in ("bottom", "left")}
        super().__init__(DrawingViewBox(), axes)
        self._marked: tuple[float, float] | None = None
        self.picture: PairPicture | None = None
        self._image = pg.ImageItem(axisOrder="row-major")
        self._tint = pg.ImageItem(axisOrder="row-major")
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._mark = pg.ScatterPlotItem(pxMode=True, size=17)
        for layer, item in (
            (_IMAGE_LAYER, self._image),
            (_TINT_LAYER, self._tint),
            (_POINT_LAYER, self._points),
            (_MARK_LAYER, self._mark),
        ):
            item.setZValue(layer)
            self.view_box.addItem(item, ignoreBounds=True)
        self._dyes = DyeLineItems(self.view_box, _LINE_LAYER)
        self._gates = GateItems(self.view_box, _GATE_LAYER)
        self.setMinimumSize(200, 180)
        self._rest, self._settle = QTimer(self), QTimer(self)
        for timer, signal in ((self._rest, self.rested), (self._settle, self.resized)):
            timer.setSingleShot(True)
            timer.setInterval(REST_MS)
            timer.timeout.connect(signal)
        self.view_box.sigRangeChangedManually.connect(self._rest_soon)
        for moved in (self.view_box.sigRangeChanged, self.view_box.sigResized):
            moved.connect(self._dyes.place)
        self.scene().sigMouseMoved.connect(self._on_move)
        self.view_box.clicked.connect(self._on_click)
        self.view_box.drawn.connect(self._on_drawn)
        self.menu_button = save_button(self, lambda: chart_menu(*self._to_save()))
        self.set_theme(self.theme)

    def _to_save(self) -> tuple[Any, Any, Any]:
        """Return what the menu needs: the plot as it is when an entry is chosen."""
        return self, self.chart, lambda: self.theme

    def chart(self) -> Chart:
        """Return what is shown as a chart, for files."""
        if self.picture is None:
            return Chart("")
        assert self._dyes is not None
        assert self._gates is not None
        gates = self._gates.outlines
        return pair_chart(self.picture, lines=self._dyes.shown, gates=gates)

    def set_busy(self, busy: bool) -> None:
        """Show by the pointer whether a new picture is on its way."""
        if busy:
            self.setCursor(Qt.CursorShape.BusyCursor)
        else:
            self.unsetCursor()

    def show_picture(self, picture: PairPicture) -> None:
        """Put a picture in the place of the one before."""
        self.picture = picture
        self._set_scale(picture.request.scale)
        # A picture that was asked for before the last turn of the wheel must
        # not take the plot back: it is drawn where it belongs.
        limits = self.plot_scale.limits_to(picture.limits)
        if not self._rest.isActive():
            self.set_limits(limits)
        x0, x1, y0, y1 = limits
        place = QRectF(x0, y0, x1 - x0, y1 - y0)
        points = picture.points
        _show_image(self._image, picture.rgba if points is None else None, place)
        _show_image(self._tint, picture.tint, place)
        self._show_points(points)
        self.set_message("" if picture.n_inside else _empty_text(picture))

    @property
    def data_limits(self) -> tuple[float, float, float, float]:
        """What is in view, as values: x low, x high, y low, y high."""
        return self.plot_scale.limits_back(self.limits)

    def _set_scale(self, scale: PlotScale) -> None:
        if scale == self.plot_scale:
            return
        self.plot_scale = scale
        self._rest.stop()  # a zoom on the other scale means nothing any more
        for axis in self._axes:
            axis.set_plot_scale(scale)
        assert self._dyes is not None
        assert self._gates is not None
        self._dyes.set_scale(scale)
        self._gates.set_scale(scale)
        self.mark(self._marked)

    def clear_picture(self) -> None:
        """Show nothing."""
        self.picture = None
        for image in (self._image, self._tint):
            image.clear()
        self._points.clear()
        self.mark(None)
        self.set_message("")

    def _show_points(self, points: PairPoints | None) -> None:
        if points is None or not len(points.rows):
            self._points.clear()
            return
        codes = points.rgba.view(np.uint32)[:, 0]
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        brushes = np.array(
            [pg.mkBrush(*points.rgba[i].tolist()) for i in first], object
        )
        pens = np.array([pg.mkPen(None), pg.mkPen(self.theme.text, width=1.5)], object)
        selected = points.selected.astype(np.intp)
        self._points.setData(
            x=self.plot_scale.to(points.x),
            y=self.plot_scale.to(points.y),
            brush=brushes[inverse],
            pen=pens[selected],
            size=np.where(points.selected, 7, 5),
        )

    def show_dye_lines(
        self,
        lines: Sequence[DyeLine],
        names: Mapping[str, str],
        colors: Mapping[str, str],
    ) -> None:
        """Draw the lines on which pure spots of each dye lie; none takes them away."""
        assert self._dyes is not None
        self._dyes.show(lines, names, colors, self.theme)

    def show_gates(self, gates: Sequence[tuple[str, np.ndarray]]) -> None:
        """Draw the outlines of gates, by name and corners, instead of those before."""
        assert self._gates is not None
        self._gates.show(gates, self.theme)

    def mark(self, place: tuple[float, float] | None) -> None:
        """Draw a ring around a place, or none."""
        self._marked = place
        at = None if place is None else self.plot_scale.to(place)
        if at is None or not np.isfinite(at).all():
            self._mark.clear()
        else:
            self._mark.setData(x=[at[0]], y=[at[1]])

    def point_near(self, x: float, y: float) -> int | None:
        """Return the row of the drawn point next to a place in values, or None."""
        points = None if self.picture is None else self.picture.points
        if points is None or not len(points.rows):
            return None
        unit, to = self.unit, self.plot_scale.to
        distance = np.hypot(
            (to(points.x) - to(x)) / unit[0], (to(points.y) - to(y)) / unit[1]
        )
        nearest = int(np.argmin(distance))
        return int(points.rows[nearest]) if distance[nearest] <= NEAR_PIXELS else None

    def _paint_theme(self, theme: PlotTheme) -> None:
        self.view_box.set_pen(theme.text)
        if self.menu_button is not None:
            paint_button(self.menu_button, theme)
        if self._mark is not None:
            self._mark.setPen(pg.mkPen(theme.text, width=2))
            self._mark.setBrush(pg.mkBrush(color_with(theme.background, 60)))
        for items in (self._dyes, self._gates):
            if items is not None:
                items.set_theme(theme)

    def _paint_font(self, font: QFont) -> None:
        for items in (self._dyes, self._gates):
            if items is not None:
                items.set_font(font)

    def _rest_soon(self, *_: Any) -> None:
        self._rest.start()

    def _on_move(self, pos: QPointF) -> None:
        if not self.view_box.sceneBoundingRect().contains(pos):
            self.hovered.emit(None)
            return
        place = self.view_box.mapSceneToView(pos)
        x, y = self.plot_scale.back([place.x(), place.y()]).tolist()
        self.hovered.emit((x, y))

    def _on_click(self, x: float, y: float) -> None:
        self.clicked.emit(*self.plot_scale.back([x, y]).tolist())

    def _on_drawn(self, vertices: np.ndarray, mode: str) -> None:
        self.drawn.emit(self.plot_scale.vertices_back(vertices, self.unit), mode)

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that nothing is under the pointer."""
        super().leaveEvent(event)
        self.hovered.emit(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for a picture of the new size, once it rests."""
        super().resizeEvent(event)
        if self._dyes is not None:
            self.menu_button.move(self.width() - self.menu_button.width() - 1, 2)
            self._settle.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up what is drawn, Enter closes it, Backspace goes back."""
        keys = {
            Qt.Key.Key_Escape: self.view_box.cancel_drawing,
            Qt.Key.Key_Return: self.view_box.close_polygon,
            Qt.Key.Key_Enter: self.view_box.close_polygon,
            Qt.Key.Key_Backspace: self.view_box.remove_corner,
        }
        act = keys.get(Qt.Key(event.key()))
        if act is None:
            super().keyPressEvent(event)
            return
        act()
        event.accept()


def _show_image(item: Any, rgba: np.ndarray | None, place: QRectF) -> None:
    if rgba is None:
        item.clear()
        return
    item.setImage(rgba, autoLevels=False, levels=None)
    item.setRect(place)


def _empty_text(picture: PairPicture) -> str:
    if picture.n_total == 0:
        return "The table is empty"
    if picture.n_passing == 0:
        return "No spot passes the filters"
    return "No spot within these axes"
