"""The *Cells* dock: counts by cell before and after the unmixing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, Container, Label, PushButton
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import QAbstractItemView, QFileDialog, QTableView

from napari_seespot.cells import cell_table, cell_text, rows_of_cells
from napari_seespot.errors import SeeSpotError
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._rows import row_of
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    import napari.viewer
    import pandas as pd

    from napari_seespot.images import ChannelImage
    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["CellModel", "CellsWidget"]


class CellModel(QAbstractTableModel):
    """A table of cells that Qt asks only for what is on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.table: pd.DataFrame | None = None
        self._values = np.zeros((0, 0), np.int64)
        self._names: list[str] = []
        self._order = np.zeros(0, np.int64)

    def set_table(self, table: pd.DataFrame | None) -> None:
        """Show another table."""
        self.beginResetModel()
        self.table = table
        if table is None:
            self._values, self._names = np.zeros((0, 0), np.int64), []
        else:
            whole = table.reset_index()
            self._names = [str(name) for name in whole.columns]
            self._values = whole.to_numpy(np.int64)
        self._order = np.arange(len(self._values))
        self.endResetModel()

    def cell_at(self, row: int) -> int:
        """Return the cell_id in a row of the view."""
        return int(self._values[self._order[row], 0])

    def row_of(self, cell: int) -> int | None:
        """Return the row of the view in which a cell is; None where in none."""
        found = np.flatnonzero(self._values[self._order, 0] == cell)
        return int(found[0]) if len(found) else None

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of cells."""
        return len(self._values)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(self._names)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a place of the view shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            value = int(self._values[self._order[index.row()], index.column()])
            return str(value) if index.column() == 0 else f"{value:,}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the name of a column."""
        shown = role == Qt.ItemDataRole.DisplayRole
        if shown and orientation == Qt.Orientation.Horizontal:
            return self._names[section]
        return None

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Order the rows by a column; equal ones stay as they were at first."""
        if not 0 <= column < len(self._names):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        cells = [self._order[index.row()] for index in before]
        values = self._values[:, column]
        if order == Qt.SortOrder.DescendingOrder:
            values = -values
        self._order = np.argsort(values, kind="stable")
        # What is chosen moves with its cell.
        place = np.argsort(self._order)
        after = [
            self.index(int(place[cell]), index.column())
            for cell, index in zip(cells, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


class CellsWidget(SessionDock):
    """A row a cell; choosing rows selects their spots.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.summary = Label(value="")
        self.visible_only = CheckBox(
            text="Only spots that pass the filters",
            tooltip="Removed spots are filtered out at the start, and would not count",
        )
        self.select = PushButton(
            text="Select spots", tooltip="Select all spots of the chosen cells"
        )
        self.go = PushButton(
            text="Go to cell", tooltip="Fly to the middle of its spots"
        )
        self.show_cells = PushButton(
            text="Show cells",
            tooltip="Show the segmentation. While its layer is the active one, a "
            "click on a cell selects its spots; Shift adds, Alt subtracts",
        )
        self.picked = Label(value="")
        self.save = PushButton(text="Export …", tooltip="The table as CSV")
        self.model = CellModel()
        # Any: Qt's stubs let a view lack its headers and its selection.
        self.view: Any = QTableView()
        self._worker = Worker("seespot-cells")
        self._reader = Worker("seespot-mask")
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        for worker in (self._worker, self._reader):
            self.native.destroyed.connect(worker.close)
        self.follow()

    def _lay_out(self) -> None:
        buttons = [
            row_of(self.show_cells, self.select),
            row_of(self.go, self.save),
        ]
        for label in (self.summary, self.picked):
            label.native.setWordWrap(True)
        self._body.extend([self.summary, self.visible_only, *buttons, self.picked])
        self.view.setModel(self.model)
        self.view.setToolTip(
            "A row a cell: counts before (mixed) and after (unmixed). Choose rows, "
            "then select their spots; a double click goes there"
        )
        self.view.setSortingEnabled(True)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.verticalHeader().setVisible(False)
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        self.view.setMinimumHeight(160)
        self.view.doubleClicked.connect(self._go_to)
        self._body.native.layout().addWidget(self.view, 1)
        self.add_scrolled(self._body)
        self._body.visible = False
        self.visible_only.changed.connect(self._reload)
        self.select.changed.connect(self._select)
        self.go.changed.connect(self._go_to)
        self.save.changed.connect(self._ask_export)
        self.show_cells.changed.connect(self._show_mask)

    # --- the session

    def _attach(self, session: Session) -> None:
        self._body.visible = True
        self.show_cells.enabled = bool(session.dataset.masks)
        self.listen(session.cell_picked, self._on_picked)
        self._reload()

    def _detach(self) -> None:
        self._worker.cancel()
        self._reader.cancel()
        self.picked.value = ""
        self.model.set_table(None)
        self._body.visible = False

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if "mask" in names and self.visible_only.value:
            self._reload()

    def _reload(self, *_: Any) -> None:
        session = self._session
        if session is None:
            return
        dataset, view = session.dataset, session.view
        only_visible = bool(self.visible_only.value)
        self._worker.submit(
            lambda _job: cell_table(dataset, view.where if only_visible else None),
            done=self._show,
            failed=self._show_error,
        )

    def _show(self, table: pd.DataFrame) -> None:
        self.model.set_table(table)
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        self.view.resizeColumnsToContents()
        spots = int(table["spots"].sum())
        changed = int((table["change"] > 0).sum())
        self.summary.value = (
            f"<b>{len(table):,} cells</b>, {spots:,} spots; "
            f"counts of {changed:,} cells change"
        )

    def _show_error(self, error: Exception) -> None:
        if not isinstance(error, SeeSpotError):
            raise error
        self.model.set_table(None)
        self.summary.value = str(error)

    # --- the segmentation

    def _show_mask(self, *_: Any) -> None:
        """Open the first segmentation beside the window, and make it active."""
        session = self._session
        if session is None or not session.dataset.masks:
            return
        masks = session.dataset.masks
        name = next(iter(masks))

        def show(image: ChannelImage) -> None:
            if session is not self._session or session.viewing is None:
                return
            session.viewing.finish()
            layer = session.viewing.images.add(image)
            layer.visible = True
            self._viewer.layers.selection.active = layer
            self.picked.value = "Click a cell in the image."

        self._reader.submit(
            lambda _job: masks[name], done=show, failed=self._report_error
        )
        self.picked.value = f"Opening {name} …"

    def _report_error(self, error: Exception) -> None:
        from napari.utils.notifications import show_error

        if not isinstance(error, SeeSpotError):
            raise error
        self.picked.value = str(error)
        show_error(str(error))

    def _on_picked(self, cell: int) -> None:
        """Show the counts of a cell that was clicked on, and its row."""
        if self.model.table is None:
            return
        self.picked.value = cell_text(self.model.table, cell)
        row = self.model.row_of(cell)
        if row is not None:
            flags = QItemSelectionModel.SelectionFlag
            index = self.model.index(row, 0)
            self.view.selectionModel().select(index, flags.ClearAndSelect | flags.Rows)
            self.view.scrollTo(index)

    # --- what the user does

    def chosen(self) -> np.ndarray:
        """Return the ids of the chosen cells."""
        rows = self.view.selectionModel().selectedRows()
        return np.array([self.model.cell_at(index.row()) for index in rows], np.int64)

    def _select(self, *_: Any) -> None:
        cells = self.chosen()
        if self._session is not None and len(cells):
            self._session.select_cells(cells)

    def _go_to(self, *_: Any) -> None:
        cells = self.chosen()
        session = self._session
        if session is None or not len(cells):
            return
        rows = np.flatnonzero(rows_of_cells(session.dataset, cells[:1]))
        places = np.array([session.position(int(row)) for row in rows])
        known = np.isfinite(places).all(axis=1)
        if not known.any():
            self.summary.value = f"The spots of cell {cells[0]} have no positions."
            return
        rows, places = rows[known], places[known]
        # The spot in the middle of its cell, so that there is something to see.
        middle = np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin()
        session.go_to_row(int(rows[middle]))

    def _ask_export(self) -> None:
        text, _ = QFileDialog.getSaveFileName(
            self.native, "Export the cells", "cells.csv", "CSV (*.csv)"
        )
        if text:
            self.export(Path(text))

    def export(self, path: Path) -> None:
        """Write the table to a CSV file."""
        if self.model.table is None:
            return
        try:
            self.model.table.to_csv(path)
        except OSError as error:
            from napari.utils.notifications import show_error

            show_error(f"{path}: the cells cannot be exported: {error.strerror}.")
