"""A widget that shows a chart: tips, clicks, keys, and a menu that saves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPen, QTextOption
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_seespot.plots._qt import Signal
from napari_seespot.plots.chart_menu import chart_menu, paint_button, save_button
from napari_seespot.plots.chart_painter import ChartPainter
from napari_seespot.plots.charts import Chart
from napari_seespot.plots.drawing import selection_mode
from napari_seespot.plots.marks import Bar, Cell, Ribbon
from napari_seespot.plots.picture_cursor import next_cell
from napari_seespot.plots.theme import DARK, PlotTheme

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_seespot.plots.chart_layout import Hit, Layout

__all__ = ["ChartView"]

_MARGIN = 6.0
_TIP = (
    "Point at a mark to read it; a click selects what it counts (Shift adds, Alt "
    "subtracts), where there is something to select. Right button: save or copy."
)
_STEPS: dict[Any, int] = {
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Up: -1,
}
_ARROWS: dict[Any, tuple[int, int]] = {
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


class ChartView(QWidget):
    """Shows one chart.

    The arrow keys go through what can be clicked, and over a picture whose pixels
    can be; Enter clicks.

    Attributes
    ----------
    picked : Signal
        Emitted with the key of what was clicked, and how it changes a
        selection: ``"replace"``, ``"add"`` (Shift), ``"subtract"`` (Alt) or
        ``"intersect"`` (both).
    """

    picked = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chart = Chart("")
        self.theme = DARK
        self.message = ""
        self.layout_: Layout | None = None
        self._hot: Hashable | None = None
        self._cell: Cell | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(_TIP)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.menu_button = save_button(self, self._menu)

    # ---- what it shows

    def show_chart(self, chart: Chart) -> None:
        """Put a chart in the place of the one before."""
        self.chart = chart
        self.message = ""
        if self._hot not in chart.keys:
            self._hot = self._cell = None
        self.setAccessibleName(chart.title)
        self.setAccessibleDescription(chart.caption)
        self.updateGeometry()
        self.update()

    def show_message(self, text: str) -> None:
        """Write a text over the chart; the empty text takes it away."""
        self.message = text
        self.update()

    def set_theme(self, theme: PlotTheme) -> None:
        """Take other colours."""
        self.theme = theme
        paint_button(self.menu_button, theme)
        self.update()

    @property
    def hot(self) -> Hashable | None:
        """The key of what is pointed at, by the mouse or by the arrow keys."""
        return self._hot

    # ---- its size

    def hasHeightForWidth(self) -> bool:  # Qt's name
        """Tell Qt that the height follows from the width."""
        return True

    def heightForWidth(self, width: int) -> int:  # Qt's name
        """Return the height that suits the chart."""
        lines = 4 + bool(self.chart.caption) + bool(self.chart.legend)
        words = lines * self.fontMetrics().height()
        return int(min(width, 620) * self.chart.aspect) + words

    def sizeHint(self) -> QSize:  # Qt's name
        """Ask for little width; the dock gives more."""
        return QSize(280, self.heightForWidth(280))

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """Return the size below which nothing can be read."""
        return QSize(150, 90)

    # ---- painting

    def paintEvent(self, event: Any) -> None:  # Qt's name
        """Draw the chart."""
        painter = QPainter(self)
        try:  # a painter that is not ended takes the process with it
            self._paint(painter)
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.fillRect(self.rect(), QColor(self.theme.background))
        draw = ChartPainter(painter, self.theme, QFont(self.font()))
        corner = self.menu_button.width() - _MARGIN + 3
        self.layout_ = draw.paint(self.chart, self.area, self._hot, corner)
        self._paint_more(painter, self.layout_)
        self._paint_cell(painter, self.layout_)
        if self.message:
            painter.setPen(QColor(self.theme.text))
            option = QTextOption(Qt.AlignmentFlag.AlignCenter)
            painter.drawText(self.layout_.plot, self.message, option)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self.theme.axis), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_cell(self, painter: QPainter, layout: Layout) -> None:
        """Outline the pixel of a picture that is pointed at."""
        if self._cell is not None:
            painter.setPen(QPen(QColor(self.theme.text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(layout.hit_of(self._cell).outline)

    @property
    def area(self) -> QRectF:
        """Where the chart is drawn."""
        margins = (_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        return QRectF(self.rect()).adjusted(*margins)

    def _paint_more(self, painter: QPainter, layout: Layout) -> None:
        """Draw on top of the chart."""

    def resizeEvent(self, event: Any) -> None:  # Qt's name
        """Keep the button in its corner."""
        super().resizeEvent(event)
        self.menu_button.move(self.width() - self.menu_button.width() - 1, 2)

    # ---- the mouse

    def event(self, event: Any) -> bool:  # Qt's name
        """Explain the chart where nothing is pointed at: a mark has its own tip."""
        if event.type() == QEvent.Type.ToolTip and QToolTip.isVisible():
            return True
        return bool(super().event(event))

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Point out what is under the pointer, and say what it is."""
        place = event.position()
        hit = None if self.layout_ is None else self.layout_.hit_at(place)
        self._point_at(hit)
        tip = "" if hit is None else hit.tip
        # With one place for all of its area, Qt would not let the tip follow.
        QToolTip.showText(event.globalPosition().toPoint(), tip, self)
        shape = Qt.CursorShape.ArrowCursor if hit is None else self._hand
        self.setCursor(shape)

    @property
    def _hand(self) -> Any:
        return Qt.CursorShape.PointingHandCursor

    def leaveEvent(self, event: Any) -> None:  # Qt's name
        """Nothing is pointed at any more."""
        super().leaveEvent(event)
        self._point_at(None)

    def mouseReleaseEvent(self, event: Any) -> None:  # Qt's name
        """Tell what was clicked."""
        if event.button() != Qt.MouseButton.LeftButton or self.layout_ is None:
            super().mouseReleaseEvent(event)
            return
        hit = self.layout_.hit_at(event.position())
        if hit is not None:
            self.picked.emit(hit.key, selection_mode(event.modifiers()))

    def _point_at(self, hit: Hit | None) -> None:
        self._cell = None if hit is None else hit.cell
        self._set_hot(None if hit is None else hit.key)

    def _set_hot(self, key: Hashable | None) -> None:
        if key != self._hot:
            self._hot = key
            self.update()

    # ---- the keyboard

    def keyPressEvent(self, event: Any) -> None:  # Qt's name
        """Go through what can be clicked, and click it."""
        keys = self.chart.keys
        step = _STEPS.get(event.key())
        if step is not None and keys:
            here = keys.index(self._hot) if self._hot in keys else -max(step, 0)
            self._set_hot(keys[(here + step) % len(keys)])
            self._tell_hot()
        elif event.key() in _ARROWS and self._move_cell(*_ARROWS[event.key()]):
            self._tell_hot()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if self._hot is not None:
                self.picked.emit(self._hot, selection_mode(event.modifiers()))
        else:
            super().keyPressEvent(event)

    def _move_cell(self, across: int, up: int) -> bool:
        """Point at the next pixel of a picture that can be clicked, if there is one."""
        layout = self.layout_
        if layout is None or not layout.pictures:
            return False
        cell = next_cell(*layout.pictures[-1], self._cell, across, up)
        if cell is not None:
            self._point_at(layout.hit_of(cell))
        return cell is not None

    def _tell_hot(self) -> None:
        """Show the tip of what the arrow keys have reached."""
        tips = [
            mark.tip
            for mark in self.chart.marks
            if isinstance(mark, (Bar, Ribbon)) and mark.key == self._hot
        ]
        if self._cell is not None:
            tips = [self._cell.tip]
        place = QPointF(self.width() / 2, self.height() / 2)
        for hit in [] if self.layout_ is None else self.layout_.hits:
            if hit.key == self._hot:
                place = hit.outline.boundingRect().center()
        if self._cell is not None and self.layout_ is not None:
            place = self.layout_.hit_of(self._cell).outline.boundingRect().center()
        self.setAccessibleDescription(tips[0] if tips else self.chart.caption)
        QToolTip.showText(self.mapToGlobal(place.toPoint()), tips[0], self)

    # ---- saving

    def contextMenuEvent(self, event: Any) -> None:  # Qt's name
        """Offer to save the figure."""
        menu = self._menu()
        menu.exec(event.globalPos())
        menu.deleteLater()

    def _menu(self) -> Any:
        return chart_menu(self, lambda: self.chart, lambda: self.theme)
