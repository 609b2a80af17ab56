"""Tables whose columns have other names: what is what, asked once a kind of table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import url2pathname

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from napari_seespot.column_maps import recall_columns, remember_columns
from napari_seespot.errors import TableError
from napari_seespot.sources._column_names import is_known, lacks
from napari_seespot.sources.table import SUFFIXES, guess_columns, table_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QWidget

__all__ = [
    "MEANINGS",
    "ColumnMappingDialog",
    "UnmappedError",
    "check_columns",
    "missing",
    "table_path",
]

MEANINGS = {
    "chan": "channel of detection",
    "unmixed_chan": "channel after unmixing",
    "z": "plane, voxels",
    "y": "row, voxels",
    "x": "column, voxels",
    "cell_id": "segmented cell",
    "r": "correlation with the PSF",
    "dist": "distance from the fit",
    "valid_spot": "passes quality control",
    "unmixed_removed": "removed by the unmixing",
    "dye_line_dist_ratio": "second-nearest over nearest dye line",
    "spot_id": "number of the spot",
    "chan_spot_id": "number in its channel",
    "round": "imaging round",
    "tile": "tile",
    "z_center": "offset of the fit in z",
    "y_center": "offset of the fit in y",
    "x_center": "offset of the fit in x",
    "over_thresh": "over the threshold",
    "fg": "foreground in its own channel",
    "bg": "background in its own channel",
    "v3_chan": "channel by the calibrated unmixing",
    "v3_action": "keep, delete or reassign",
}
"""Our columns that a table may have under other names."""

_FEWEST = 5  # columns without which no mapping makes a table of spots
_PAIR = re.compile(r"chan_(.+)_fg")
_NUMBER = re.compile(r"(?<!\d)\d{3,4}(?!\d)")
_LEFT_OUT = "(left out)"


class UnmappedError(TableError):
    """A table lacks columns, but others may be them under other names.

    Attributes
    ----------
    path : Path
    names : tuple of str
        The table's columns.
    """

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self.path = path
        self.names = names
        super().__init__(
            f"the table lacks {', '.join(missing(names))}; its columns are "
            f"{', '.join(names)}",
            where=path,
            expected="the columns of a merged spot table",
            hint="Say which is which in Plugins > napari-seespot > Open dataset, or "
            f"by column_map={guess_columns(names)!r}",
        )


def table_path(uri: str) -> Path | None:
    """Return the table file that an address names, or None for all else."""
    scheme, mark, rest = uri.strip().partition("://")
    if mark and scheme.lower() != "file":
        return None
    text = url2pathname(rest) if mark else uri.strip()
    path = Path(text).expanduser()
    return path if path.suffix.lower() in SUFFIXES and path.is_file() else None


def check_columns(uri: str) -> dict[str, str | None] | None:
    """Return how a table's columns are mapped, as far as that is known.

    Parameters
    ----------
    uri : str
        Anything that `open_dataset` takes.

    Returns
    -------
    dict of str to str or None
        The mapping that was chosen for such tables; None where none is needed.

    Raises
    ------
    UnmappedError
        When the user has to be asked.
    NotFoundError, TableError
        When the table cannot be read.
    """
    path = table_path(uri)
    if path is None:
        return None
    names = table_columns(path)
    chosen = recall_columns(names)
    if missing(names, chosen) and len(names) >= _FEWEST:
        raise UnmappedError(path, names)
    return chosen


def missing(
    names: Iterable[str], column_map: Mapping[str, str | None] | None = None
) -> tuple[str, ...]:
    """Return what a table lacks that it cannot do without.

    Parameters
    ----------
    names : iterable of str
        Its columns.
    column_map : mapping, optional
        Our name by theirs; None leaves a column out.
    """
    mapped = (column_map or {}).get
    ours = {name: None for theirs in names if (name := mapped(theirs, theirs))}
    if "v3_chan" in ours:  # the calibrated unmixing's verdict
        ours["unmixed_chan"] = None
    measured = [m[1] for name in ours if (m := _PAIR.fullmatch(name))]
    measured = [c for c in measured if f"chan_{c}_bg" in ours]
    if {"fg", "bg"} <= ours.keys():  # of each spot in its own channel
        measured.append("own")
    return lacks(ours | dict.fromkeys(f"chan_{c}_intensity" for c in measured))


class ColumnMappingDialog(QDialog):
    """Asks what a table's columns are; begins with a guess.

    Parameters
    ----------
    path : Path
        The table, for the title.
    names : sequence of str
        Its columns.
    accepted : callable
        Called with the mapping, our name by theirs, once the user agrees. The
        mapping is remembered.
    parent : QWidget, optional
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        accepted: Callable[[dict[str, str | None]], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Columns of {path.name}")
        self._names = tuple(names)
        self._on_accepted = accepted
        self.boxes: dict[str, QComboBox] = {}
        self.table = self._make_table()
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        introduction = QLabel(
            "What are the columns of this table? The answer is remembered for "
            "tables with the same columns."
        )
        introduction.setWordWrap(True)
        for widget in (introduction, self.table, self.message, self.buttons):
            layout.addWidget(widget)
        self.resize(560, 460)
        self._check()

    @property
    def column_map(self) -> dict[str, str | None]:
        """What is chosen: our name by theirs where they differ."""
        chosen: dict[str, str | None] = {}
        for theirs, box in self.boxes.items():
            ours = _chosen(box)
            if ours and ours != theirs:
                chosen[theirs] = ours
            elif not ours and is_known(theirs):
                chosen[theirs] = None
        return chosen

    def accept(self) -> None:
        """Remember the mapping and tell who asked; refused while it is not whole."""
        if self._problem():
            return
        column_map = self.column_map
        remember_columns(self._names, column_map)
        super().accept()
        self._on_accepted(column_map)

    def _make_table(self) -> QTableWidget:
        table: Any = QTableWidget(len(self._names), 2)
        table.setHorizontalHeaderLabels(["Column of the table", "is"])
        table.verticalHeader().hide()
        table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        guess: dict[str, str | None] = {**guess_columns(self._names)}
        guess = recall_columns(self._names) or guess
        channels = sorted(set(_NUMBER.findall(" ".join(self._names))))
        # Those in doubt first.
        order = sorted(self._names, key=is_known)
        for row, theirs in enumerate(order):
            item = QTableWidgetItem(theirs)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            item.setToolTip(theirs)
            table.setItem(row, 0, item)
            own = theirs if is_known(theirs) else None
            box = _make_box(channels, guess.get(theirs, own))
            box.editTextChanged.connect(self._check)
            table.setCellWidget(row, 1, box)
            self.boxes[theirs] = box
        assert isinstance(table, QTableWidget)  # Any: its headers are never None
        return table

    def _check(self, _text: Any = None) -> None:
        """Say what is still wrong; only what can be opened is accepted."""
        problem = self._problem()
        self.message.setText(problem or "All that is needed is there.")
        ok: Any = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        ok.setEnabled(not problem)

    def _problem(self) -> str:
        chosen = [ours for box in self.boxes.values() if (ours := _chosen(box))]
        for ours in chosen:
            if not is_known(ours):
                return f"{ours!r} is no column that is known here."
            if chosen.count(ours) > 1:
                return f"Two columns are to be {ours}: leave one of them out."
        lacking = missing(chosen)
        return f"Still missing: {', '.join(lacking)}" if lacking else ""


class _Box(QComboBox):
    """One that does not change when the list around it is scrolled."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # Qt's name
        if event is not None:
            event.ignore()


def _make_box(channels: Sequence[str], chosen: str | None) -> QComboBox:
    box = _Box()
    box.setEditable(True)  # a channel may have any name
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    box.addItem(_LEFT_OUT, "")
    for channel in channels:
        box.addItem(f"chan_{channel}_intensity", f"chan_{channel}_intensity")
    for name, meaning in MEANINGS.items():
        box.addItem(f"{name}: {meaning}", name)
    place = box.findData(chosen or "")
    if place < 0:
        box.addItem(chosen, chosen)
        place = box.count() - 1
    box.setCurrentIndex(place)
    line: Any = box.lineEdit()  # never None in a box that is editable
    line.setCursorPosition(0)
    return box


def _chosen(box: QComboBox) -> str:
    """Return our name that a box shows, "" for none."""
    text = str(box.currentText()).strip()
    place = box.findText(text)
    return str(box.itemData(place)) if place >= 0 else text.partition(":")[0].strip()
