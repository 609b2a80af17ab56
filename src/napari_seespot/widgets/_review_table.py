"""The error rates of a review by stratum, narrow enough for a dock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView

from napari_seespot.review_rates import RATES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RateTable", "short_name"]

_COLUMNS = {
    "stratum": "What the spots have in common",
    "wrong": "Verdicts 'wrong', of those 'right' or 'wrong'",
    "95 %": "Where the error rate of the stratum lies (95 % Wilson interval)",
}
_MOST_ROWS = 12  # that are shown without scrolling
_ROLE = Qt.ItemDataRole


def short_name(stratum: str) -> str:
    """Return a stratum's name without what follows from the rest of it.

    >>> short_name("removed, 488 -> removed, r Q1")
    '488 → removed, Q1'
    """
    parts = [part.replace(" -> ", " → ") for part in stratum.split(", ")]
    if any("→" in part for part in parts):  # the flow tells the status
        parts = [p for p in parts if p not in ("unchanged", "reassigned", "removed")]
    first, *rest = parts
    return ", ".join([first, *(re.sub(r"^r ", "", part) for part in rest)])


class _RateModel(QAbstractTableModel):
    """Shows the strata of a table of error rates in which something was judged."""

    def __init__(self, parent: QTableView) -> None:
        super().__init__(parent)
        self.cells: list[tuple[str, str, str]] = []
        self.tips: list[str] = []

    def replace(self, rates: pd.DataFrame) -> None:
        # Not row by row through pandas: this is done after each verdict.
        table = zip(rates.index, *(rates[name].tolist() for name in RATES), strict=True)
        rows = [row for row in table if row[2] and row[0] != "all"]
        cells, self.tips = [], []
        for name, size, judged, wrong, error, low, high, _ in rows:
            interval = f"{100 * low:.0f} to {100 * high:.0f}"
            cells.append((short_name(str(name)), f"{wrong}/{judged}", interval))
            self.tips.append(
                f"{name}: {wrong:,} of {judged:,} wrong, {100 * error:.1f} % "
                f"({100 * low:.1f} to {100 * high:.1f} %); {size:,} spots in the table"
            )
        same = [row[0] for row in cells] == [row[0] for row in self.cells]
        if same and cells:  # what is chosen, and how far it scrolled, stays
            self.cells = cells
            last = self.index(len(cells) - 1, len(_COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
        else:
            self.beginResetModel()
            self.cells = cells
            self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        return len(self.cells)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        return len(_COLUMNS)

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        if role == _ROLE.DisplayRole:
            return self.cells[index.row()][index.column()]
        if role == _ROLE.ToolTipRole:
            return self.tips[index.row()]
        if role == _ROLE.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, side: Any, role: int = _ROLE.DisplayRole
    ) -> Any:  # Qt's name
        if side != Qt.Orientation.Horizontal:
            return None
        name, tip = list(_COLUMNS.items())[section]
        if role == _ROLE.ToolTipRole:
            return tip
        return name if role == _ROLE.DisplayRole else None


class RateTable(QTableView):
    """Shows error rates by stratum; a tool tip says the whole of a row."""

    def __init__(self) -> None:
        super().__init__()
        self._model = _RateModel(self)
        self.setModel(self._model)
        self.setAccessibleName("Error rates by stratum")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        assert header is not None  # Qt makes both
        assert rows is not None
        rows.hide()
        rows.setDefaultSectionSize(self._line)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.hide()

    @property
    def _line(self) -> int:
        return self.fontMetrics().height() + 6

    def show_rates(self, rates: pd.DataFrame | None) -> None:
        """Show the strata that were judged; nothing is shown without one."""
        before = self._model.rowCount()
        if rates is not None:
            self._model.replace(rates)
        self.setVisible(rates is not None and self._model.rowCount() > 0)
        if self._model.rowCount() != before:
            self.setFixedHeight(self.sizeHint().height())

    def texts(self) -> list[tuple[str, str, str]]:
        """Return what is shown, row by row."""
        return self._model.cells if self.isVisibleTo(self.parentWidget()) else []

    def sizeHint(self) -> QSize:  # Qt's name
        """Ask for the height of all rows, or of some of many."""
        rows = min(self._model.rowCount(), _MOST_ROWS) + 1
        return QSize(200, rows * self._line + 12)

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """Any width will do: names are cut off, and the tool tip has them."""
        return QSize(60, 40)
