"""A small table that can be copied and saved: the numbers behind a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QEvent, QModelIndex, QSize, Qt
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QMessageBox,
    QSizePolicy,
    QTableView,
    QWidget,
)

# Where it lives depends on the Qt version, which mypy cannot follow.
from qtpy.QtGui import QAction  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.plots._qt import Signal
from napari_seespot.plots.chart_menu import ask_path
from napari_seespot.plots.charts import NOTHING, number_text
from napari_seespot.widgets._window_font import fit_table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FrameTable"]

_MOST_ROWS = 18  # that are shown without scrolling
_ROLE = Qt.ItemDataRole


class _FrameModel(QAbstractTableModel):
    """Shows a DataFrame as it is; columns and index by their names."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.frame = pd.DataFrame()

    def replace(self, frame: pd.DataFrame) -> None:
        self.beginResetModel()
        self.frame = frame
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        return len(self.frame)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        return self.frame.shape[1]

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        value = self.frame.iat[index.row(), index.column()]
        if role == _ROLE.DisplayRole or role == _ROLE.ToolTipRole:
            return cell_text(value)
        if role == _ROLE.TextAlignmentRole and not isinstance(value, str):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, side: Any, role: int = _ROLE.DisplayRole
    ) -> Any:  # Qt's name
        if role != _ROLE.DisplayRole:
            return None
        columns = side == Qt.Orientation.Horizontal
        return str((self.frame.columns if columns else self.frame.index)[section])


class FrameTable(QTableView):
    """Shows a DataFrame.

    Attributes
    ----------
    activated_row : Signal
        Emitted with the number of a row that was double clicked, or on which
        Enter was pressed.
    """

    activated_row = Signal(int)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._model = _FrameModel(self)
        self.setModel(self._model)
        self.setAccessibleName(title)
        self.setToolTip("Ctrl+C copies; more with the right button")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAlternatingRowColors(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda index: self.activated_row.emit(index.row()))

    @property
    def frame(self) -> pd.DataFrame:
        """What is shown."""
        return self._model.frame

    def show_frame(self, frame: pd.DataFrame) -> None:
        """Show another table; an index without a name is not shown."""
        self._model.replace(frame)
        rows = self.verticalHeader()
        if rows is not None:
            rows.setVisible(frame.index.name is not None)
        columns = self.horizontalHeader()
        if columns is not None:
            columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            columns.setStretchLastSection(True)
        self._fit()

    def _fit(self) -> None:
        fit_table(self)
        self.setFixedHeight(self.sizeHint().height())

    def changeEvent(self, event: QEvent | None) -> None:  # Qt's name
        """Be as high as the rows are in another font."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._fit()

    def sizeHint(self) -> QSize:  # Qt's name
        """Ask for the height of all rows, or of some of many."""
        rows = min(self._model.rowCount(), _MOST_ROWS) + 1
        return QSize(240, rows * (self.fontMetrics().height() + 6) + 22)

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """Any width will do: it scrolls."""
        return QSize(60, 40)

    def copy(self) -> None:
        """Put the selected rows, or all, on the clipboard with tabs between."""
        model = self.selectionModel()
        rows = sorted({i.row() for i in model.selectedRows()}) if model else []
        chosen = self.frame.iloc[rows] if rows else self.frame
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(chosen.to_csv(sep="\t", index=self._indexed))

    def save(self, path: Path) -> None:
        """Write the table to a CSV file."""
        self.frame.to_csv(path, index=self._indexed)

    @property
    def _indexed(self) -> bool:
        return self.frame.index.name is not None

    def keyPressEvent(self, event: Any) -> None:  # Qt's name
        """Copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: Any) -> None:  # Qt's name
        """Offer to copy and to save."""
        self.menu().exec(event.globalPos())

    def menu(self) -> QMenu:
        """Return the menu of the right button."""
        menu = QMenu(self)
        for text, action in (("Copy", self.copy), ("Save as CSV…", self._save_as)):
            entry = QAction(text, menu)
            entry.triggered.connect(lambda _checked=False, do=action: do())
            menu.addAction(entry)
        return menu

    def _save_as(self) -> None:
        path = ask_path(self, self.title, ".csv")
        if path is None:
            return
        try:
            self.save(path)
        except OSError as error:
            text = f"{path} cannot be written: {error.strerror or error}"
            QMessageBox.warning(self, "The table was not saved", text)


def cell_text(value: Any) -> str:
    """Return a cell's text: whole numbers in full, others rounded."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return NOTHING
    return number_text(float(value))
