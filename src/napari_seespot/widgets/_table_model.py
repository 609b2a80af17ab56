"""Millions of spots as a Qt model: a cell's text is made when it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.table_rows import LABEL, cell_text, table_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.labels import Labels
    from napari_seespot.spots import Spots

__all__ = ["SpotTableModel"]

_DISPLAYED = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole)
_NO_INDEX = QModelIndex()
_SELECTED = QColor(255, 170, 0, 90)  # lets a dark and a light table through


class SpotTableModel(QAbstractTableModel):
    """Rows of a spot table, in an order that someone else finds.

    Signals
    -------
    sort_asked : str, bool
        A column, and whether the largest come first.
    label_written : object, str
        Rows of the table and the label that they shall have.
    """

    sort_asked = Signal(str, bool)
    label_written = Signal(object, str)

    def __init__(self) -> None:
        super().__init__()
        self.columns: tuple[str, ...] = ()
        self.rows = np.zeros(0, np.int32)
        self._selected: np.ndarray | None = None
        self._texts: list[Callable[[int], str]] = []
        self._left: list[bool] = []

    def show_spots(self, spots: Spots | None, labels: Labels | None) -> None:
        """Take another table, of which no row is shown yet."""
        self.beginResetModel()
        self.rows = np.zeros(0, np.int32)
        self._selected = None
        self.columns = () if spots is None else table_columns(spots)
        self._texts, self._left = [], []
        if spots is not None:
            self._texts = [cell_text(spots, labels, name) for name in self.columns]
            self._left = [name not in spots.numeric_columns for name in self.columns]
        self.endResetModel()

    def show_rows(self, rows: np.ndarray) -> None:
        """Show these rows of the table, in this order."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def show_selected(self, selected: np.ndarray | None) -> None:
        """Have these rows of the table stand out.

        Parameters
        ----------
        selected : ndarray of bool, shape (n,), or None
            One for each row of the table, shown or not.
        """
        if selected is self._selected:
            return
        self._selected = selected
        if len(self.rows):
            last = self.index(len(self.rows) - 1, len(self.columns) - 1)
            role = Qt.ItemDataRole.BackgroundRole
            self.dataChanged.emit(self.index(0, 0), last, [role])

    def show_labels(self) -> None:
        """Have the labels read again."""
        if len(self.rows) and LABEL in self.columns:
            column = self.columns.index(LABEL)
            last = self.index(len(self.rows) - 1, column)
            self.dataChanged.emit(self.index(0, column), last)

    def place_of(self, row: int) -> int | None:
        """Return where a row of the table is shown."""
        places = np.flatnonzero(self.rows == row)
        return int(places[0]) if len(places) else None

    # ---- what Qt asks for, by its names

    def rowCount(self, parent: QModelIndex = _NO_INDEX) -> int:
        """Return how many rows are shown."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NO_INDEX) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, its side, and whether its row stands out."""
        if not index.isValid():
            return None
        if role in _DISPLAYED:
            return self._texts[index.column()](int(self.rows[index.row()]))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight
            if self._left[index.column()]:
                side = Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.BackgroundRole and self._selected is not None:
            return _SELECTED if self._selected[self.rows[index.row()]] else None
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the name of a column."""
        if orientation == Qt.Orientation.Horizontal and section < len(self.columns):
            if role == Qt.ItemDataRole.DisplayRole:
                return self.columns[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{self.columns[section]}: click to sort, again to turn round"
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return that the labels can be written."""
        flags = super().flags(index)
        if index.isValid() and self.columns[index.column()] == LABEL:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(
        self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Ask for a label to be written."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        self.label_written.emit([int(self.rows[index.row()])], str(value))
        return True

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Ask for another order; it is found beside the window."""
        if 0 <= column < len(self.columns):
            descending = order == Qt.SortOrder.DescendingOrder
            self.sort_asked.emit(self.columns[column], descending)
