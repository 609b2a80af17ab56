"""The *Table* dock: the spots as rows, with labels that a user gives them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, Label, LineEdit, PushButton
from qtpy.QtCore import QEvent, QModelIndex, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFileDialog,
    QHeaderView,
    QTableView,
)

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # isort: skip

from napari_seespot import _memory
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.session import AHEAD
from napari_seespot.table_rows import LABEL, ordered_rows
from napari_seespot.widgets._defer import once
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._flow import flow_row
from napari_seespot.widgets._table_model import SpotTableModel
from napari_seespot.widgets._wakefulness import Wakefulness
from napari_seespot.widgets._window_font import fit_table
from napari_seespot.widgets._worker import Job, Worker
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    import napari.viewer

    from napari_seespot.labels import Labels
    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["HOTKEY_LABELS", "TableWidget"]

HOTKEY_LABELS = ("good", "bad", "bleed", "doublet", "background", "unsure")
"""What the keys 1, 2, ... write unless a user says otherwise."""

_HOTKEYS_FILE = "hotkeys.json"
_MOST_COPIED = 100_000  # rows; a clipboard is no file
_SHOWN = {"selected spots": "selected", "visible spots": "visible"}


class SpotTableView(QTableView):
    """The rows on the screen, and the keys that work on them.

    Signals
    -------
    labelled : int
        A key from 0 (no label) to 9.
    entered_key : none
        Enter was pressed.
    copied : none
        The chosen rows shall go to the clipboard.
    """

    labelled = Signal(int)
    entered_key = Signal()
    copied = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)  # Tab goes on to the next widget
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None  # Qt makes both
        assert columns is not None
        # Fixed: Qt must not ask each of a million rows for its height.
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.hide()
        columns.setSectionsMovable(True)
        self._fit()

    def _fit(self) -> None:
        fit_table(self)
        columns = self.horizontalHeader()
        assert columns is not None  # Qt makes one
        columns.setDefaultSectionSize(self.fontMetrics().horizontalAdvance("0") * 12)

    def changeEvent(self, event: QEvent | None) -> None:
        """Give rows and columns the room that another font needs."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._fit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Label, fly or copy; all other keys are Qt's."""
        if event is None:
            return
        key = event.key()
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copied.emit()
        elif Qt.Key.Key_0 <= key <= Qt.Key.Key_9:
            self.labelled.emit(int(key) - int(Qt.Key.Key_0))
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.labelled.emit(0)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered_key.emit()
        else:
            super().keyPressEvent(event)


class TableWidget(SessionDock):
    """The selected or the visible spots of a viewer's session, as a table.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari passes its viewer by this annotation, which it compares as text.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._spot_labels: Labels | None = None
        self._order = ("spot_id", False)
        self._stale = True
        self._showing = False
        self.which = ComboBox(choices=[*_SHOWN], tooltip="Which spots the table holds")
        self.counts = Label(value="")
        self.message = Label(value="")
        self.label_text = LineEdit(
            tooltip="A label for the chosen rows, or for all rows where none is chosen"
        )
        self.set_label = PushButton(
            text="Label",
            tooltip="Give the label to the chosen rows; empty: take it away",
        )
        self.hotkeys = LineEdit(
            value=", ".join(_hotkeys()),
            tooltip="What 1, 2, ... write into the chosen rows; 0 takes it away",
        )
        self.hotkeys.native.setCursorPosition(0)  # as its beginning is to be seen
        self.copy_button = PushButton(
            text="Copy", tooltip="Copy the chosen rows (Ctrl+C)"
        )
        self.save_button = PushButton(
            text="Export...", tooltip="Write these spots to a CSV or Parquet file"
        )
        self.model = SpotTableModel()
        self.table = SpotTableView()
        self.table.setModel(self.model)
        self.table.setSortingEnabled(True)
        self.table.setToolTip("Click a row to fly there; keys 1-9 label it")
        self._body = self._lay_out()
        self._worker = Worker("seespot-table", self._show_busy)
        self._exporter = Worker("seespot-table-export")
        self._awake = Wakefulness(self.native, self._on_awake)
        self._fly = once(self._fly_to_current, 0)
        self._connect()
        self.native.destroyed.connect(partial(_close, self._worker, self._exporter))
        self._body.visible = False
        self.follow()

    # ---- building

    def _lay_out(self) -> Container[Any]:
        which = flow_row(Label(value="Show"), self.which, grow=[self.which])
        body = Container[Any](labels=False, widgets=[which, self.counts])
        for label in (self.counts, self.message):
            wrap(label)
        layout = body.native.layout()
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.table, 1)
        self.table.setMinimumHeight(120)
        buttons = [self.copy_button, self.save_button]
        for part in (
            self.message,
            flow_row(self.label_text, self.set_label, grow=[self.label_text]),
            flow_row(Label(value="Keys 1-9"), self.hotkeys, grow=[self.hotkeys]),
            flow_row(*buttons, grow=buttons),
        ):
            body.append(part)
            layout.addWidget(part.native)  # below the table
        self.message.visible = False
        self.add_scrolled(body)
        return body

    def _connect(self) -> None:
        self.which.changed.connect(self._reload)
        self.set_label.changed.connect(self._on_label)
        self.hotkeys.changed.connect(self._on_hotkeys)
        self.copy_button.changed.connect(self.copy_rows)
        self.save_button.changed.connect(self._on_export)
        self.model.sort_asked.connect(self._on_sort)
        self.model.label_written.connect(self.write_label)
        self.table.labelled.connect(self._on_hotkey)
        self.table.entered_key.connect(self._fly_to_current)
        self.table.copied.connect(self.copy_rows)
        self.table.clicked.connect(self._on_clicked)
        chosen = self.table.selectionModel()
        assert chosen is not None  # the table has a model
        chosen.currentRowChanged.connect(self._on_current)

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._say("")
        try:
            self._spot_labels = session.labels
            self.listen(self._spot_labels.changed, self._on_labels)
        except SeeSpotError as error:  # the table serves without them
            self._spot_labels = None
            self._say(str(error))
        self.listen(session.moved, self._choose)
        self.listen(session.picked, self._choose)
        self._showing = True
        self.model.show_spots(session.dataset.spots, self._spot_labels)
        place = self.model.columns.index(self._order[0])
        header = self.table.horizontalHeader()
        assert header is not None  # Qt makes one
        header.setSortIndicator(place, Qt.SortOrder.AscendingOrder)
        self._showing = False
        self._body.visible = True
        self._reload()

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if names & {"dataset", "selected" if self._shows_selected else "mask"}:
            self._reload()
        elif "selected" in names:
            self.model.show_selected(view.selected)

    def _detach(self) -> None:
        self._worker.cancel()
        self._spot_labels = None
        self._order = ("spot_id", False)
        self.model.show_spots(None, None)
        self._body.visible = False

    @property
    def _shows_selected(self) -> bool:
        return _SHOWN[str(self.which.value)] == "selected"

    def _reload(self, *_: Any) -> None:
        """Find the rows and their order anew, beside the window."""
        session = self._session
        self._stale = not self._awake.awake
        if session is None or self._stale:
            return
        spots, labels = session.dataset.spots, self._spot_labels
        column, descending = self._order
        view, selected = session.view, self._shows_selected

        def find(job: Job) -> np.ndarray:
            # The mask of what passes may have to be made first: not in the window.
            where = view.selected if selected else view.where
            if selected and where is None:
                return np.zeros(0, np.int32)
            return ordered_rows(spots, labels, where, column, descending, job.check)

        self._worker.submit(find, done=self._show_rows, failed=self._report)

    def _show_rows(self, rows: np.ndarray) -> None:
        if self._session is None:
            return
        self.model.show_rows(rows)
        # Where all rows are, none has to stand out.
        selected = None if self._shows_selected else self._session.view.selected
        self.model.show_selected(selected)
        kind = _SHOWN[str(self.which.value)]
        noun = "spot" if len(rows) == 1 else "spots"
        total = len(self._session.dataset.spots)
        text = f"<b>{len(rows):,} {kind} {noun}</b> of {total:,}"
        if self._shows_selected and not len(rows):
            text += "<br>Draw a lasso in a plot or in the image to select some."
        self.counts.value = text

    def _show_busy(self, busy: bool) -> None:
        self.table.setCursor(
            Qt.CursorShape.BusyCursor if busy else Qt.CursorShape.ArrowCursor
        )

    def _on_awake(self, awake: bool) -> None:
        if not awake:
            self._stale = self._stale or self._worker.busy
            self._worker.cancel()
        elif self._stale:
            self._reload()

    def _on_sort(self, column: str, descending: bool) -> None:
        self._order = (column, descending)
        if not self._showing:
            self._reload()

    # ---- to and from the viewer

    def _choose(self, row: int) -> None:
        """Show a row that was chosen elsewhere."""
        place = self.model.place_of(row)
        if place is None or self.table.currentIndex().row() == place:
            return
        self._showing = True
        self.table.selectRow(place)
        self.table.scrollTo(self.model.index(place, 0))
        self._showing = False

    def _on_current(self, current: QModelIndex, _before: QModelIndex) -> None:
        if not self._showing and current.isValid():
            self._fly()

    def _on_clicked(self, index: QModelIndex) -> None:
        # The row may be current already: a click flies there all the same.
        if index.isValid():
            self._fly()

    def _fly_to_current(self) -> None:
        place = self.table.currentIndex().row()
        if self._session is None or not 0 <= place < len(self.model.rows):
            return
        try:
            rows = self.model.rows[place : place + 1 + AHEAD]
            self._session.go_to_row(int(rows[0]), rows[1:])
        except SeeSpotError as error:
            self._report(error)

    # ---- labels

    def chosen_rows(self) -> np.ndarray:
        """Return the rows of the spot table that are chosen, in the order shown."""
        chosen = self.table.selectionModel()
        assert chosen is not None  # the table has a model
        stretches: Any = chosen.selection()  # a sequence, which the stubs do not say
        # By stretches: one index a row would take seconds for a million.
        parts = [np.arange(part.top(), part.bottom() + 1) for part in stretches]
        places = np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))
        return np.asarray(self.model.rows[places])

    def write_label(self, rows: Any, text: str) -> None:
        """Label rows of the spot table."""
        if self._spot_labels is None:
            return
        try:
            self._spot_labels.set(rows, text)
        except SeeSpotError as error:
            self._report(error)

    def _on_label(self) -> None:
        rows = self.chosen_rows()
        self.write_label(rows if len(rows) else self.model.rows, self.label_text.value)

    def _on_hotkey(self, number: int) -> None:
        names = ["", *_split(self.hotkeys.value)]
        if number < len(names):
            self.write_label(self.chosen_rows(), names[number])
        else:
            self._say(f"The key {number} has no label: write one below.")

    def _on_hotkeys(self, text: str) -> None:
        _memory.remember(_HOTKEYS_FILE, _split(text))

    def _on_labels(self, _rows: np.ndarray) -> None:
        self._say("")
        self.model.show_labels()
        if self._order[0] == LABEL:
            self._reload()

    # ---- to files

    def copy_rows(self, *_: Any) -> None:
        """Put the chosen rows, with all columns, on the clipboard."""
        session, rows = self._session, self.chosen_rows()
        clipboard = QApplication.clipboard()
        if session is None or not len(rows) or clipboard is None:
            return
        if len(rows) > _MOST_COPIED:
            self._report(
                StateError(
                    f"{len(rows):,} rows are too many for the clipboard",
                    expected=f"{_MOST_COPIED:,} at most",
                    hint="Export them to a file",
                )
            )
            return
        table = session.dataset.spots.to_pandas(rows=rows)
        if self._spot_labels is not None:
            table.insert(0, LABEL, self._spot_labels.get(rows))
        clipboard.setText(table.to_csv(sep="\t", index=False))
        self._say(f"Copied {len(rows):,} {'row' if len(rows) == 1 else 'rows'}.")

    def _on_export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self.native, "Export spots", "spots.csv", "Tables (*.csv *.parquet)"
        )
        if name:
            self.export(Path(name))

    def export(self, path: Path) -> None:
        """Write the table's spots with all columns and labels, beside the window."""
        session = self._session
        if session is None:
            return
        which = _SHOWN[str(self.which.value)]

        def write(_: Job) -> Path:
            return session.export(path, which)

        def done(written: Path) -> None:
            self._say(f"Wrote {written}.")

        self._say("Writing ...")
        self._exporter.submit(write, done=done, failed=self._report)

    # ---- telling

    def _say(self, text: str) -> None:
        self.message.value = text
        self.message.visible = bool(text)

    def _report(self, error: Exception) -> None:
        self._say(str(error))
        if hasattr(self._viewer, "window"):
            from napari.utils.notifications import show_error

            show_error(str(error))


def _hotkeys() -> list[str]:
    """Return what the keys write, as it was remembered."""
    found = _memory.recall(_HOTKEYS_FILE)
    texts = [item for item in found if isinstance(item, str)]
    return texts or list(HOTKEY_LABELS)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")][:9]


def _close(*workers: Worker | Any) -> None:
    """End all work; Qt passes on what it has destroyed as well."""
    for worker in workers:
        if isinstance(worker, Worker):
            worker.close()
