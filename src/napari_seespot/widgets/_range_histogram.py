"""A slider with two ends on the histogram of what it filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.axis_scales import from_scale, to_scale

if TYPE_CHECKING:
    from napari_seespot.axis_scales import AxisScale

__all__ = ["Axis", "Ends", "RangeHistogram"]

Ends = tuple[float | None, float | None]
"""A range; None where it is open."""

_HEIGHT = 46
_MARGIN = 6  # room for half a handle
_GRIP = 10  # pixels from a handle within which it is meant
_STEP = 0.005  # of the width, for a key
_BIG_STEP = 10
_IN, _OUT, _HANDLE = QColor("#3b9fd4"), QColor(128, 128, 128, 110), QColor("#e69f00")


@dataclass(frozen=True)
class Axis:
    """Where values lie on the slider.

    Attributes
    ----------
    low, high : float
        Values at its two ends.
    scale : str
        ``"linear"`` or ``"asinh"``.
    width : float
        See `densities.density`.
    """

    low: float
    high: float
    scale: AxisScale = "linear"
    width: float = 1.0

    def place(self, value: float) -> float:
        """Return where a value lies, from 0 to 1; beyond the ends at the ends."""
        first, last, at = to_scale([self.low, self.high, value], self.scale, self.width)
        return float(np.clip((at - first) / (last - first), 0, 1))

    def value(self, place: float) -> float:
        """Return the value at a place from 0 to 1, as short as the axis is fine."""
        first, last = to_scale([self.low, self.high], self.scale, self.width)
        ends = from_scale(
            [first + (last - first) * p for p in (place, place + 0.002)],
            self.scale,
            self.width,
        )
        step = abs(float(ends[1] - ends[0])) or 1.0
        digits = int(np.clip(-np.floor(np.log10(step)), 0, 12))
        return round(float(ends[0]), digits)


class RangeHistogram(QWidget):
    """Two handles on a histogram; what lies between them passes.

    Signals
    -------
    dragged : tuple
        The range, while a handle moves. At an end of the axis it is open.
    released : none
        The handle was let go.
    """

    dragged = Signal(object)
    released = Signal()

    def __init__(self, tip: str = "") -> None:
        super().__init__()
        self.axis = Axis(0.0, 1.0)
        self.ends: Ends = (None, None)
        self.counts = np.zeros(0, np.int64)
        self._active = 0
        self._dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            f"{tip}\nDrag an end, or the arrow keys; Space: the other end; "
            "Delete: any value. Bars grow as the square root of the count."
        )
        self.setCursor(Qt.CursorShape.SplitHCursor)

    def sizeHint(self) -> QSize:
        """Return how large it would like to be."""
        return QSize(180, max(_HEIGHT, 3 * self.fontMetrics().height()))

    def minimumSizeHint(self) -> QSize:
        """Return how small it may be."""
        return QSize(80, max(_HEIGHT, 3 * self.fontMetrics().height()))

    @property
    def dragging(self) -> bool:
        """Whether a handle is being moved."""
        return self._dragging

    def show_axis(self, axis: Axis) -> None:
        """Take another axis."""
        self.axis = axis
        self.update()

    def show_counts(self, counts: np.ndarray) -> None:
        """Show a histogram, int64, shape (bins,)."""
        self.counts = counts
        self.update()

    def show_ends(self, ends: Ends) -> None:
        """Show a range."""
        if ends != self.ends:
            self.ends = ends
            self.update()

    # ---- places

    def _places(self) -> tuple[float, float]:
        low, high = self.ends
        return (
            0.0 if low is None else self.axis.place(low),
            1.0 if high is None else self.axis.place(high),
        )

    def _x(self, place: float) -> float:
        return _MARGIN + place * (self.width() - 2 * _MARGIN)

    def _place_at(self, x: float) -> float:
        return float(np.clip((x - _MARGIN) / max(1, self.width() - 2 * _MARGIN), 0, 1))

    def _move(self, place: float) -> None:
        """Move the active handle; it stops at the other one."""
        places, ends = self._places(), list(self.ends)
        other = places[1 - self._active]
        place = min(place, other) if self._active == 0 else max(place, other)
        place = float(np.clip(place, 0, 1))
        at_end = place <= 0 if self._active == 0 else place >= 1
        value = None if at_end else self.axis.value(place)
        # Rounded, it may have passed the other one.
        bound = ends[1 - self._active]
        if value is not None and bound is not None:
            value = min(value, bound) if self._active == 0 else max(value, bound)
        ends[self._active] = value
        new: Ends = (ends[0], ends[1])
        if new != self.ends:
            self.ends = new
            self.update()
            self.dragged.emit(new)

    # ---- what Qt calls, by its names

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the nearer handle."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        low, high = (self._x(place) for place in self._places())
        middle = (low + high) / 2
        self._active = int(x > middle if low != high else x >= low)
        self._dragging = True
        # On a handle, take it as it is; elsewhere it jumps to the pointer.
        if abs(x - (low, high)[self._active]) > _GRIP:
            self._move(self._place_at(x))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drag the handle along."""
        if event is not None and self._dragging:
            self._move(self._place_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let the handle go."""
        if self._dragging:
            self._dragging = False
            self.released.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Let the range go."""
        self._let_go()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the active handle by keys."""
        if event is None:
            return
        big = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        step = _STEP * (_BIG_STEP if big else 1)
        here = self._places()[self._active]
        moves = {
            Qt.Key.Key_Left: here - step,
            Qt.Key.Key_Right: here + step,
            Qt.Key.Key_Home: 0.0,
            Qt.Key.Key_End: 1.0,
        }
        key = Qt.Key(event.key())
        if key in moves:
            self._move(moves[key])
        elif key == Qt.Key.Key_Space:
            self._active = 1 - self._active
            self.update()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._let_go()
        else:
            super().keyPressEvent(event)

    def _let_go(self) -> None:
        self._dragging = False
        if self.ends != (None, None):
            self.ends = (None, None)
            self.update()
            self.dragged.emit(self.ends)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the bars, those that pass in colour, and the handles."""
        painter = QPainter(self)
        bottom = self.height() - 3.0
        places = self._places()
        self._paint_bars(painter, bottom, places)
        painter.setPen(QPen(self.palette().mid().color(), 1))
        painter.drawLine(QPointF(self._x(0), bottom), QPointF(self._x(1), bottom))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, place in enumerate(places):
            active = self.hasFocus() and number == self._active
            painter.setPen(QPen(_HANDLE, 3 if active else 2))
            x = self._x(place)
            painter.drawLine(QPointF(x, 2), QPointF(x, bottom))
            painter.setBrush(_HANDLE)
            radius = 5 if active else 4
            painter.drawEllipse(QPointF(x, bottom - 4), radius, radius)
        painter.end()

    def _paint_bars(
        self, painter: QPainter, bottom: float, places: tuple[float, float]
    ) -> None:
        n = len(self.counts)
        most = int(self.counts.max()) if n else 0
        if not most:
            return
        heights = np.sqrt(self.counts / most) * (bottom - 4)
        for bar, height in enumerate(heights.tolist()):
            if height <= 0:
                continue
            middle = (bar + 0.5) / n
            inside = places[0] <= middle <= places[1]
            x, end = self._x(bar / n), self._x((bar + 1) / n)
            # At least a pixel: a single spot is to be seen.
            rect = QRectF(x, bottom - max(height, 1.0), end - x, max(height, 1.0))
            painter.fillRect(rect, _IN if inside else _OUT)
