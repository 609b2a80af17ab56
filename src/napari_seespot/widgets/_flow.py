"""Rows of widgets that go on in a next line where a dock is narrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container
from qtpy.QtCore import QRect, QSize
from qtpy.QtWidgets import QComboBox, QLayout, QLineEdit, QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magicgui.widgets.bases import Widget
    from qtpy.QtWidgets import QLayoutItem

__all__ = ["flow_grid", "flow_row", "narrow"]

_SPACING = 4
_EDGES = 16  # pixels of a line edit beside its text


def flow_row(
    *widgets: Widget, grow: Sequence[Widget] = (), digits: int = 0
) -> Container[Any]:
    """Return widgets beside each other, in as many lines as they need.

    Parameters
    ----------
    *widgets : magicgui widgets
    grow : sequence of widgets
        Those that take what their line leaves over. They may also be half as wide
        as they would like to be.
    digits : int
        How many digits line edits have room for that do not grow; 0: as many as
        they would like.
    """
    growing = {id(widget) for widget in grow}
    return _flowing(widgets, growing, digits, grid=False)


def flow_grid(*widgets: Widget) -> Container[Any]:
    """Return widgets in as many columns of one width as there is room for."""
    return _flowing(widgets, set(), 0, grid=True)


def narrow(box: Any, characters: int) -> None:
    """Let a combo box be narrower than its longest choice."""
    policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.native.setSizeAdjustPolicy(policy)
    box.native.setMinimumContentsLength(characters)


def _flowing(
    widgets: Sequence[Widget], growing: set[int], digits: int, grid: bool
) -> Container[Any]:
    row: Container[Any] = Container(widgets=widgets, labels=False)
    row.margins = (0, 0, 0, 0)
    line = QWidget()
    policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    line.setSizePolicy(policy)
    layout = _FlowLayout(line, grid)
    for widget in widgets:
        layout.add(widget.native, id(widget) in growing, digits)
    row.native.layout().addWidget(line)
    return row


@dataclass
class _Cell:
    """A widget in a row.

    Attributes
    ----------
    item : QLayoutItem
    grows : bool
    digits : int
        As of `flow_row`.
    """

    item: QLayoutItem
    grows: bool = False
    digits: int = 0

    @property
    def width(self) -> int:
        """The width below which its line is broken."""
        widget = self.item.widget()
        least = int(self.item.minimumSize().width())
        wanted = int(self.item.sizeHint().width())
        if self.grows:
            return max(least, wanted // 2)
        if self.digits and isinstance(widget, QLineEdit):
            digits = widget.fontMetrics().horizontalAdvance("0" * self.digits)
            return max(least, digits + _EDGES)
        return max(least, wanted)

    def height(self, width: int) -> int:
        """Return the height that it would like to have, so wide."""
        if self.item.hasHeightForWidth():
            return int(self.item.heightForWidth(width))
        return int(self.item.sizeHint().height())


class _FlowLayout(QLayout):
    """Puts widgets beside each other, and breaks the line where there is no room."""

    def __init__(self, parent: QWidget, grid: bool) -> None:
        super().__init__(parent)
        self._cells: list[_Cell] = []
        self._grid = grid
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(_SPACING)

    def add(self, widget: QWidget, grows: bool, digits: int) -> None:
        """Put a widget at the end."""
        self.addWidget(widget)
        self._cells[-1].grows, self._cells[-1].digits = grows, digits

    # ---- what Qt calls, by its names

    def addItem(self, item: QLayoutItem | None) -> None:
        """Take an item."""
        if item is not None:
            self._cells.append(_Cell(item))

    def count(self) -> int:
        """Return how many items there are."""
        return len(self._cells)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item; none beyond the last, by which Qt finds the end."""
        return self._cells[index].item if 0 <= index < len(self._cells) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Give an item away."""
        return self._cells.pop(index).item if 0 <= index < len(self._cells) else None

    def hasHeightForWidth(self) -> bool:
        """Tell Qt that the height follows from the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines."""
        lines = self._lines(width)
        gaps = self.spacing() * max(0, len(lines) - 1)
        return sum(map(_height, lines)) + gaps

    def sizeHint(self) -> QSize:
        """Return the size of a single line."""
        line = [(cell, cell.width) for cell in self._shown()]
        gaps = self.spacing() * max(0, len(line) - 1)
        return QSize(sum(width for _, width in line) + gaps, _height(line))

    def minimumSize(self) -> QSize:
        """Return the size of the widest widget."""
        line = [(cell, cell.width) for cell in self._shown()]
        return QSize(max((width for _, width in line), default=0), _height(line))

    def setGeometry(self, rect: QRect) -> None:
        """Place the widgets, each in the middle of its line."""
        super().setGeometry(rect)
        y = rect.y()
        for line in self._lines(rect.width()):
            height, x = _height(line), rect.x()
            for cell, width in line:
                own = cell.height(width)
                place = QRect(x, y + (height - own) // 2, width, own)
                cell.item.setGeometry(place)
                x += width + self.spacing()
            y += height + self.spacing()

    def _shown(self) -> list[_Cell]:
        return [cell for cell in self._cells if not cell.item.isEmpty()]

    def _lines(self, width: int) -> list[list[tuple[_Cell, int]]]:
        """Return the lines, each of cells and their widths."""
        cells = self._shown()
        if self._grid:
            n = self._columns(width)
            each = (width + self.spacing()) // n - self.spacing()
            lines = [cells[k : k + n] for k in range(0, len(cells), n)]
            return [[(cell, each) for cell in line] for line in lines]
        lines, left = [], -1
        for cell in cells:
            left -= self.spacing() + cell.width
            if left < 0:
                lines.append([])
                left = width - cell.width
            lines[-1].append(cell)
        return [self._stretched(line, width) for line in lines]

    def _columns(self, width: int) -> int:
        widest = max((cell.width for cell in self._shown()), default=1)
        return max(1, (width + self.spacing()) // (widest + self.spacing()))

    def _stretched(self, line: list[_Cell], width: int) -> list[tuple[_Cell, int]]:
        widths = [min(cell.width, width) for cell in line]
        spare = width - sum(widths) - self.spacing() * (len(line) - 1)
        growing = [n for n, cell in enumerate(line) if cell.grows]
        for place, n in enumerate(growing):
            share = [spare * k // len(growing) for k in (place, place + 1)]
            widths[n] += share[1] - share[0]
        return list(zip(line, widths, strict=True))


def _height(line: list[tuple[_Cell, int]]) -> int:
    return max((cell.height(width) for cell, width in line), default=0)
