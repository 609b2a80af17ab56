"""A wall of strips: pixels, a frame in the colour of each spot's status, crosses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen

from napari_seespot.errors import StateError
from napari_seespot.plots._qt import Signal, pg
from napari_seespot.plots.crops import UNREAD_COLOR
from napari_seespot.plots.tight_text import fitting_font

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot.gallery import WallLayout

__all__ = ["StripView", "StripWall", "WallPicture", "paint_wall", "wall_image"]

_SMALLEST_FONT = 6  # pixels
_LARGEST_FONT = 14
_TWO_LINES = 22  # pixels of header from which the gene is written below the channel
_MOST_PIXELS = 2**27  # half a gigabyte of picture
_NOTCH = 120.0  # what a wheel tells for one click of it
_SCROLLED = 0.15  # of the view, by each


@dataclass(frozen=True, eq=False)
class WallPicture:
    """What a wall shows.

    Attributes
    ----------
    layout : WallLayout
    gray : ndarray of uint8, of the layout's shape
    colors : sequence of str
        Of each strip's frame.
    titles : sequence of str
        Of each channel, one or two lines.
    unread : ndarray of bool, shape (n, n_channels)
        Crops to cross out.
    """

    layout: WallLayout
    gray: np.ndarray
    colors: Sequence[str]
    titles: Sequence[str]
    unread: np.ndarray


def paint_wall(painter: QPainter, picture: WallPicture, font: QFont) -> None:
    """Paint a wall, a voxel being one unit of the painter.

    Parameters
    ----------
    painter : QPainter
    picture : WallPicture
    font : QFont
        Of the header; its size follows from the room.
    """
    height, width = picture.gray.shape
    form = QImage.Format.Format_Grayscale8
    data = picture.gray.tobytes()
    area = QRectF(0, 0, width, height)
    painter.drawImage(area, QImage(data, width, height, width, form))
    _paint_frames(painter, picture)
    _paint_crosses(painter, picture)
    _paint_header(painter, picture, font)


def _paint_frames(painter: QPainter, picture: WallPicture) -> None:
    layout = picture.layout
    gap, (down, across) = layout.gap, layout.step
    frames: dict[str, list[QRectF]] = {}
    for place, color in enumerate(picture.colors):
        top, left = layout.corner(place)
        corner = (left - gap, top - gap)
        size = (across - 2 * gap, down - 2 * gap)
        frames.setdefault(color, []).append(QRectF(*corner, *size))
    for color, rects in frames.items():
        pen = QPen(QColor(color), gap)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRects(*rects)


def _paint_crosses(painter: QPainter, picture: WallPicture) -> None:
    size = picture.layout.size
    pen = QPen(QColor(UNREAD_COLOR), 1.5)
    pen.setCosmetic(True)
    painter.setPen(pen)
    for place, channel in np.argwhere(picture.unread):
        top, left = picture.layout.corner(int(place), int(channel))
        rect = QRectF(left, top, size, size)
        painter.drawRect(rect)
        painter.drawLine(rect.topLeft(), rect.bottomRight())
        painter.drawLine(rect.topRight(), rect.bottomLeft())


def _paint_header(painter: QPainter, picture: WallPicture, font: QFont) -> None:
    """Write the channels above the first row, in pixels of the screen."""
    layout = picture.layout
    transform = painter.worldTransform()
    scale = transform.m11()
    room = QPointF(layout.size * scale, layout.header * scale)
    lines = 2 if room.y() >= _TWO_LINES else 1
    titles = [title.split("\n")[:lines] for title in picture.titles]
    largest = min(round(room.y() / lines * 0.75), _LARGEST_FONT)
    if largest < _SMALLEST_FONT:
        return  # seen from too far to be read
    chosen = QFont(font)
    chosen.setPixelSize(largest)
    every = [line for title in titles for line in title]
    painter.save()
    painter.resetTransform()
    painter.setFont(fitting_font(chosen, every, room.x(), _SMALLEST_FONT))
    painter.setPen(QColor("white"))
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
    for place in range(min(layout.used_columns, layout.n)):
        for channel, title in enumerate(titles):
            _, left = layout.corner(place, channel)
            at = transform.map(QPointF(left, 0))
            area = QRectF(at.x(), at.y(), room.x(), room.y())
            painter.drawText(area, int(flags), "\n".join(title))
    painter.restore()


def wall_image(picture: WallPicture, scale: int, font: QFont) -> QImage:
    """Return a wall as an image.

    Parameters
    ----------
    picture : WallPicture
    scale : int
        Pixels a voxel.
    font : QFont

    Raises
    ------
    StateError
        When it would be too large.
    """
    height, width = picture.gray.shape
    if height * width * scale**2 > _MOST_PIXELS:
        raise StateError(
            f"the picture would have {width * scale:,} x {height * scale:,} pixels",
            hint="Choose fewer spots, or fewer pixels a voxel",
        )
    image = QImage(width * scale, height * scale, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    painter.scale(scale, scale)
    paint_wall(painter, picture, font)
    painter.end()
    return image


class StripWall(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph is Any
    """A wall in a plot's view.

    Parameters
    ----------
    tip : callable
        Returns the tool tip of a strip and a channel.

    Attributes
    ----------
    picture : WallPicture or None
    clicked : Signal
        Emitted with the strip that was clicked on.
    """

    clicked = Signal(int)

    def __init__(self, tip: Callable[[int, int], str]) -> None:
        super().__init__()
        self.picture: WallPicture | None = None
        self._tip = tip
        self._font = QFont()

    def show_picture(self, picture: WallPicture | None) -> None:
        """Show a wall, or none."""
        self.prepareGeometryChange()
        self.picture = picture
        self.setToolTip("")
        self.informViewBoundsChanged()
        self.update()

    def set_font(self, font: QFont) -> None:
        """Take the font of the window."""
        self._font = QFont(font)
        self.update()

    def boundingRect(self) -> QRectF:  # Qt's name
        """All of it, in voxels."""
        if self.picture is None:
            return QRectF()
        height, width = self.picture.layout.shape
        return QRectF(0, 0, width, height)

    def paint(self, painter: QPainter, *_: Any) -> None:  # Qt's name
        """Draw it at the scale of the view."""
        if self.picture is not None:
            paint_wall(painter, self.picture, self._font)

    def place_at(self, point: QPointF) -> tuple[int, int] | None:
        """Return the strip and the channel at a point, in voxels."""
        if self.picture is None:
            return None
        return self.picture.layout.place_at(point.y(), point.x())

    def hoverEvent(self, event: Any) -> None:  # pyqtgraph's name
        """Tell about the strip under the mouse."""
        found = None if event.isExit() else self.place_at(event.pos())
        self.setToolTip("" if found is None else self._tip(*found))

    def mouseClickEvent(self, event: Any) -> None:  # pyqtgraph's name
        """Pass on a click on a strip."""
        found = self.place_at(event.pos())
        if event.button() == Qt.MouseButton.LeftButton and found is not None:
            event.accept()
            self.clicked.emit(found[0])


class StripView(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph is Any
    """A view of a wall: the wheel scrolls, with Ctrl it zooms, dragging moves."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False, lockAspect=True, invertY=True)
        self.setDefaultPadding(0)

    def begin_at_top(self, picture: WallPicture) -> None:
        """Show the whole width of a wall, from its first row on."""
        _, width = picture.layout.shape
        height = width * self.height() / max(self.width(), 1.0)
        self.setRange(xRange=(0, width), yRange=(0, height), padding=0)

    def wheelEvent(self, event: Any, axis: Any = None) -> None:  # pyqtgraph's name
        """Scroll, or zoom."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event, axis)
            return
        _, (low, high) = self.viewRange()
        self.translateBy(y=-event.delta() / _NOTCH * _SCROLLED * (high - low))
        event.accept()
