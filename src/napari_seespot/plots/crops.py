"""The crops around a spot: a row of pictures for each view, a column a channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_seespot.plots.crop_cells import VIEWS, CropCells, CropScene
from napari_seespot.plots.theme import DARK, PlotTheme
from napari_seespot.plots.tight_text import fitting_font

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtGui import QPaintEvent

__all__ = ["MARK_COLOR", "UNREAD_COLOR", "CropGrid", "gray"]

MARK_COLOR = "#ff00ff"
"""Of the spot's own mark, here and in the viewer."""

UNREAD_COLOR = "#ff4040"
"""Of the cross over pixels that could not be read, here and in the viewer."""

_KEPT_COLOR = "#ffffff"
_EMPTY_HEIGHT = 60  # pixels, where there is only a message
_NARROW = 120  # pixels: crops are small there, but all of them are seen
_SMALLEST_FONT = 7  # pixels
# Sizes are in voxels, so that a mark never hides what it marks; and no smaller
# than so many pixels.
_RING = (2.2, 3.5)
_KEPT_RING = (3.0, 5.0)
_TICK_BEGINS = (4.5, 6.0)
_TICK_LENGTH = (2.5, 4.0)
_HIT = 4.0  # pixels around a ring that still tell about it


class CropGrid(QWidget):
    """Pictures of one spot in all channels, seen from above, projected and aside.

    Attributes
    ----------
    scene : CropScene or None
    limits : dict of str to tuple of float
        Contrast of each channel.
    message : str
        What is written instead of pictures.
    show_others : bool
        Whether rings mark the other spots.
    """

    def __init__(self) -> None:
        super().__init__()
        self.theme: PlotTheme = DARK
        self.scene: CropScene | None = None
        self.limits: dict[str, tuple[float, float]] = {}
        self.message = ""
        self.show_others = True
        # Not fixed: Qt would take the hint, which knows the width before, for the most.
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Crops around the spot")

    def set_theme(self, theme: PlotTheme) -> None:
        """Take other colours; pixels stay on black, as in the viewer."""
        self.theme = theme
        self.update()

    def show_scene(
        self, scene: CropScene, limits: Mapping[str, tuple[float, float]]
    ) -> None:
        """Show a spot.

        Parameters
        ----------
        scene : CropScene
        limits : mapping of str to (low, high)
            Contrast of each channel that has a crop.
        """
        self.scene, self.limits, self.message = scene, dict(limits), ""
        self._changed()

    def set_limits(self, limits: Mapping[str, tuple[float, float]]) -> None:
        """Show the same pixels with another contrast."""
        self.limits = dict(limits)
        self.update()

    def set_others(self, shown: bool) -> None:
        """Show or hide the rings of other spots."""
        self.show_others = shown
        self.update()

    def show_message(self, text: str) -> None:
        """Show a text in the place of pictures."""
        self.scene, self.limits, self.message = None, {}, text
        self._changed()

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()

    # --- size

    @property
    def _line(self) -> int:
        return self.fontMetrics().height()

    @property
    def cells(self) -> CropCells | None:
        """Where everything lies at the present size; None without a spot."""
        return self._cells_at(self.width())

    def _cells_at(self, width: int) -> CropCells | None:
        scene = self.scene
        if scene is None or not scene.titles:
            return None
        lines = max(title.count("\n") + 1 for title in scene.titles.values())
        return CropCells(scene, width, lines * self._line + 2, self._line)

    def heightForWidth(self, width: int) -> int:  # Qt's name
        """Return the height at which pixels are square."""
        cells = self._cells_at(width)
        return _EMPTY_HEIGHT if cells is None else math.ceil(cells.height)

    def hasHeightForWidth(self) -> bool:  # Qt's name
        """Say that there is a height for each width."""
        return True

    def sizeHint(self) -> QSize:  # Qt's name
        """Ask for what crops are readable at."""
        return QSize(260, self.heightForWidth(max(self.width(), 260)))

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """Fit docks that are narrower."""
        return QSize(_NARROW, _EMPTY_HEIGHT)

    # --- painting

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # Qt's name
        """Draw all of it; it is a matter of milliseconds."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.background))
        cells = self.cells
        if cells is None:
            painter.setPen(QColor(self.theme.text))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), int(flags), self.message)
        else:
            self._paint_texts(painter, cells)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for channel in cells.scene.titles:
                for view in VIEWS:
                    painter.save()
                    rect = QRectF(*cells.rect(channel, view))
                    painter.setClipRect(rect)
                    self._paint_pixels(painter, cells, channel, view, rect)
                    self._paint_marks(painter, cells, channel, view)
                    painter.restore()
        painter.end()

    def _paint_texts(self, painter: QPainter, cells: CropCells) -> None:
        painter.setPen(QColor(self.theme.text))
        scene = cells.scene
        _, width = cells.size("xy")
        lines = [line for title in scene.titles.values() for line in title.split("\n")]
        painter.setFont(fitting_font(self.font(), lines, width, _SMALLEST_FONT))
        metrics = painter.fontMetrics()
        for channel, title in scene.titles.items():
            left, *_ = cells.rect(channel, "xy")
            for place, text in enumerate(title.split("\n")):
                short = metrics.elidedText(
                    text, Qt.TextElideMode.ElideRight, int(width)
                )
                room = QRectF(left, place * self._line, width, self._line)
                painter.drawText(room, int(Qt.AlignmentFlag.AlignHCenter), short)
        for view in VIEWS:
            height, _ = cells.size(view)
            text = self.row_label(view)
            painter.save()
            painter.setFont(fitting_font(self.font(), [text], height, _SMALLEST_FONT))
            painter.translate(0, cells.top(view) + height)
            painter.rotate(-90)
            room = QRectF(0, 0, height, cells.label)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), text)
            painter.restore()

    def row_label(self, view: str) -> str:
        """Return what stands beside a view's row."""
        scene = self.scene
        if scene is None:
            return view
        return {
            "xy": "plane",
            "max": f"max ±{scene.depth}",
            "xz": f"xz ±{scene.reach[0]}",
        }[view]

    def _paint_pixels(
        self, painter: QPainter, cells: CropCells, channel: str, view: str, rect: QRectF
    ) -> None:
        pixels = cells.scene.picture(channel, view)
        if pixels is None:
            painter.fillRect(rect, QColor("black"))
            _cross(painter, rect)
            return
        picture = gray(pixels, self.limits[channel])
        height, width = picture.shape
        form = QImage.Format.Format_Grayscale8
        data = picture.tobytes()
        painter.drawImage(rect, QImage(data, width, height, width, form))
        down, across = cells.steps(view)
        for top, bottom, left, right in cells.scene.unread(channel, view):
            corner = rect.topLeft() + QPointF(left * across, top * down)
            size = ((right - left) * across, (bottom - top) * down)
            _cross(painter, QRectF(corner.x(), corner.y(), *size))

    def _paint_marks(
        self, painter: QPainter, cells: CropCells, channel: str, view: str
    ) -> None:
        scene, step = cells.scene, cells.step
        here = QPointF(*cells.point(channel, view, scene.position))
        if self.show_others:
            for other in scene.seen(view):
                painter.setPen(QPen(QColor(other.color), 1.2))
                at = QPointF(*cells.point(channel, view, other.place))
                _ring(painter, at, _size(_RING, step))
        if scene.kept is not None:
            at = QPointF(*cells.point(channel, view, scene.kept.place))
            pen = QPen(QColor(_KEPT_COLOR), 1.4)
            painter.setPen(pen)
            painter.drawLine(here, at)
            if not scene.kept_is_in_plane(view):
                pen.setDashPattern([2.5, 2.5])
                painter.setPen(pen)
            _ring(painter, at, _size(_KEPT_RING, step))
        painter.setPen(QPen(QColor(MARK_COLOR), 1.6))
        down, _ = cells.steps(view)
        _ticks(painter, here, step, _TICK_BEGINS[0] / 2 * down if view == "xz" else 0)

    # --- tool tips

    def event(self, event: QEvent | None) -> bool:
        """Tell about what is under the mouse."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            help_event: Any = event
            place = help_event.pos()
            text = self.text_at(place.x(), place.y())
            QToolTip.showText(help_event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def text_at(self, x: float, y: float) -> str:
        """Return what is known of the spot, pixel or label under a point."""
        cells = self.cells
        found = None if cells is None else cells.voxel(x, y)
        if cells is None or found is None:
            return self._label_at(x, y)
        channel, view, row, column = found
        scene = cells.scene
        spots = [*(scene.seen(view) if self.show_others else ())]
        spots += [] if scene.kept is None else [scene.kept]
        radius = _size(_KEPT_RING, cells.step) + _HIT
        near = [
            (math.dist((x, y), cells.point(channel, view, spot.place)), spot.text)
            for spot in spots
        ]
        hits = [text for away, text in sorted(near) if away <= radius]
        pixels = scene.picture(channel, view)
        title = scene.titles[channel].replace("\n", " · ")
        if pixels is None:
            hits.append(f"{title}: could not be read")
        else:
            hits.append(f"{title}: {pixels[row, column]:,}")
        return "\n".join(hits)

    def _label_at(self, x: float, y: float) -> str:
        cells = self.cells
        if cells is None or y < cells.title or x > cells.label:
            return ""
        depth, reach = cells.scene.depth, cells.scene.reach[0]
        view = next((view for view in reversed(VIEWS) if y >= cells.top(view)), "xy")
        return {
            "xy": "The plane of the spot",
            "max": f"The maximum of its plane and {depth} to either side",
            "xz": f"From the side: {reach} planes to either side, as high as they are",
        }[view]


def gray(pixels: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return pixels from black to white between two limits, as uint8."""
    low, high = limits
    share = (pixels.astype(np.float32) - low) / max(high - low, 1e-6)
    return np.asarray((np.clip(np.nan_to_num(share), 0, 1) * 255 + 0.5).astype("u1"))


def _size(size: tuple[float, float], step: float) -> float:
    voxels, least = size
    return max(voxels * step, least)


def _ring(painter: QPainter, at: QPointF, radius: float) -> None:
    painter.drawEllipse(at, radius, radius)


def _ticks(painter: QPainter, at: QPointF, step: float, least_down: float) -> None:
    """Draw four short lines that point at a place and leave it free."""
    begin, length = _size(_TICK_BEGINS, step), _size(_TICK_LENGTH, step)
    down = max(begin, least_down)
    for dx, dy, first in ((1, 0, begin), (-1, 0, begin), (0, 1, down), (0, -1, down)):
        unit = QPointF(dx, dy)
        painter.drawLine(at + unit * first, at + unit * (first + length))


def _cross(painter: QPainter, rect: QRectF) -> None:
    """Cross out what could not be read."""
    painter.setPen(QPen(QColor(UNREAD_COLOR), 1.5))
    inner = rect.adjusted(1, 1, -1, -1)
    painter.drawRect(inner)
    painter.drawLine(inner.topLeft(), inner.bottomRight())
    painter.drawLine(inner.topRight(), inner.bottomLeft())
