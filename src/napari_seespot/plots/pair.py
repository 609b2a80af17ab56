"""The plot of one channel against another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, QTimer

from napari_seespot.plots._qt import Signal, pg
from napari_seespot.plots.base import PlotPanel, color_with
from napari_seespot.plots.drawing import DrawingViewBox
from napari_seespot.plots.dye_line_items import DyeLineItems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QFont, QKeyEvent, QResizeEvent

    from napari_seespot.plots.pair_picture import PairPicture, PairPoints
    from napari_seespot.plots.theme import PlotTheme
    from napari_seespot.unmixing import DyeLine

__all__ = ["PairPlot"]

REST_MS = 120  # without a movement for so long, the mouse rests
NEAR_PIXELS = 10.0

_IMAGE_LAYER, _TINT_LAYER, _POINT_LAYER, _LINE_LAYER, _MARK_LAYER = range(5)


class PairPlot(PlotPanel):
    """Shows a `PairPicture`, and tells what the mouse does in it.

    Attributes
    ----------
    rested : Signal
        Emitted once the user has zoomed or moved and lets it rest.
    resized : Signal
        Emitted once the plot has another size and keeps it.
    hovered : Signal
        Emitted with the place (x, y) under the pointer, or None when it left.
    """

    rested = Signal()
    resized = Signal()
    hovered = Signal(object)

    def __init__(self) -> None:
        self._mark: Any = None
        self._dyes: DyeLineItems | None = None
        super().__init__(DrawingViewBox())
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
        self.set_theme(self.theme)

    def set_busy(self, busy: bool) -> None:
        """Show by the pointer whether a new picture is on its way."""
        if busy:
            self.setCursor(Qt.CursorShape.BusyCursor)
        else:
            self.unsetCursor()

    def show_picture(self, picture: PairPicture) -> None:
        """Put a picture in the place of the one before."""
        self.picture = picture
        # A picture that was asked for before the last turn of the wheel must
        # not take the plot back: it is drawn where it belongs.
        if not self._rest.isActive():
            self.set_limits(picture.limits)
        x0, x1, y0, y1 = picture.limits
        place = QRectF(x0, y0, x1 - x0, y1 - y0)
        points = picture.points
        _show_image(self._image, picture.rgba if points is None else None, place)
        _show_image(self._tint, picture.tint, place)
        self._show_points(points)
        self.set_message("" if picture.n_inside else _empty_text(picture))

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
            x=points.x.astype(np.float64),
            y=points.y.astype(np.float64),
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

    def mark(self, place: tuple[float, float] | None) -> None:
        """Draw a ring around a place, or none."""
        if place is None or not np.isfinite(place).all():
            self._mark.clear()
        else:
            self._mark.setData(x=[place[0]], y=[place[1]])

    def point_near(self, x: float, y: float) -> int | None:
        """Return the row of the drawn point under the pointer, or None."""
        points = None if self.picture is None else self.picture.points
        if points is None or not len(points.rows):
            return None
        unit = self.unit
        distance = np.hypot((points.x - x) / unit[0], (points.y - y) / unit[1])
        nearest = int(np.argmin(distance))
        return int(points.rows[nearest]) if distance[nearest] <= NEAR_PIXELS else None

    def _paint_theme(self, theme: PlotTheme) -> None:
        self.view_box.set_pen(theme.text)
        if self._mark is not None:
            self._mark.setPen(pg.mkPen(theme.text, width=2))
            self._mark.setBrush(pg.mkBrush(color_with(theme.background, 60)))
        if self._dyes is not None:
            self._dyes.set_theme(theme)

    def _paint_font(self, font: QFont) -> None:
        if self._dyes is not None:
            self._dyes.set_font(font)

    def _rest_soon(self, *_: Any) -> None:
        self._rest.start()

    def _on_move(self, pos: QPointF) -> None:
        if not self.view_box.sceneBoundingRect().contains(pos):
            self.hovered.emit(None)
            return
        place = self.view_box.mapSceneToView(pos)
        self.hovered.emit((float(place.x()), float(place.y())))

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that nothing is under the pointer."""
        super().leaveEvent(event)
        self.hovered.emit(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for a picture of the new size, once it rests."""
        super().resizeEvent(event)
        if self._dyes is not None:
            self._settle.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up what is being drawn."""
        if event.key() == Qt.Key.Key_Escape:
            self.view_box.cancel_drawing()
            event.accept()
            return
        super().keyPressEvent(event)


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
