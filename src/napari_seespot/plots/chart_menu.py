"""The menu of a plot: save it as PNG or SVG at a chosen size, its data as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QMenu,
    QMessageBox,
    QSpinBox,
    QToolButton,
    QWidget,
)

# Where it lives depends on the Qt version, which mypy cannot follow.
from qtpy.QtGui import QAction  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.errors import SeeSpotError
from napari_seespot.plots.exports import MAX_SIDE, save_chart
from napari_seespot.plots.theme import PAPER

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.theme import PlotTheme

__all__ = [
    "SizeDialog",
    "ask_path",
    "chart_menu",
    "copy_data",
    "paint_button",
    "save_as",
    "save_button",
]

_FILTERS = {
    ".png": "PNG picture (*.png)",
    ".svg": "SVG drawing (*.svg)",
    ".csv": "CSV table (*.csv)",
    ".pdf": "PDF document (*.pdf)",
}


def save_button(parent: QWidget, menu: Callable[[], QMenu]) -> QToolButton:
    """Return a small button, for the corner of a plot, that opens a menu.

    Parameters
    ----------
    parent : QWidget
    menu : callable
        Makes the menu when the button is pressed.
    """
    button = QToolButton(parent)
    button.setText("\N{VERTICAL ELLIPSIS}")
    button.setAutoRaise(True)
    button.setToolTip("Save this figure, or copy the data behind it")
    button.setAccessibleName("Save figure")
    button.setFixedSize(20, 22)
    button.setCursor(Qt.CursorShape.ArrowCursor)

    def show() -> None:
        shown = menu()
        shown.exec(button.mapToGlobal(button.rect().bottomLeft()))
        shown.deleteLater()

    button.clicked.connect(show)
    return button


def paint_button(button: QToolButton, theme: PlotTheme) -> None:
    """Give a plot's button the plot's colours."""
    plain = f"color: {theme.text}; background: transparent"
    button.setStyleSheet(
        f"QToolButton {{ {plain}; border: 0; }} QToolButton:hover, "
        f"QToolButton:focus {{ border: 1px solid {theme.axis}; }}"
    )


def chart_menu(
    parent: QWidget, chart: Callable[[], Chart], theme: Callable[[], PlotTheme]
) -> QMenu:
    """Return a menu that saves a chart.

    Parameters
    ----------
    parent : QWidget
    chart : callable
        Returns the chart as it is shown when an entry is chosen.
    theme : callable
        Returns the theme in which it is shown.
    """
    menu = QMenu(parent)
    menu.setToolTipsVisible(True)
    for ending, text in (
        (".png", "Save as PNG…"),
        (".svg", "Save as SVG…"),
        (".csv", "Save data as CSV…"),
    ):
        action = QAction(text, menu)
        menu.addAction(action)
        action.triggered.connect(
            lambda _checked=False, e=ending: save_as(parent, chart(), theme(), e)
        )
    menu.addSeparator()
    copy = QAction("Copy data", menu)
    menu.addAction(copy)
    copy.setToolTip("As a table that spreadsheets take")
    copy.triggered.connect(lambda _checked=False: copy_data(chart()))
    return menu


class SizeDialog(QDialog):
    """Asks for the size and the colours of a figure."""

    def __init__(self, parent: QWidget, size: tuple[int, int]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Save figure")
        form = QFormLayout(self)
        self.width_box, self.height_box = QSpinBox(), QSpinBox()
        for label, box, side in (
            ("Width (pixels)", self.width_box, size[0]),
            ("Height (pixels)", self.height_box, size[1]),
        ):
            box.setRange(16, MAX_SIDE)
            box.setSingleStep(50)
            box.setValue(side)
            form.addRow(label, box)
        self.font_box = QSpinBox()
        self.font_box.setRange(4, 400)
        self.font_box.setValue(13)
        form.addRow("Font height (pixels)", self.font_box)
        self.paper_box = QCheckBox("White background")
        self.paper_box.setToolTip("For paper; otherwise the colours of the screen")
        self.paper_box.setChecked(True)
        form.addRow(self.paper_box)
        kinds = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    @property
    def chosen(self) -> tuple[int, int]:
        """Width and height."""
        return self.width_box.value(), self.height_box.value()


def save_as(parent: QWidget, chart: Chart, theme: PlotTheme, ending: str) -> None:
    """Ask where, and for a picture how large, and save the chart."""
    size, shown, font = (1200, 800), PAPER, 13
    if ending != ".csv":
        ratio = max(parent.height(), 1) / max(parent.width(), 1)
        dialog = SizeDialog(parent, (1200, max(300, min(int(1200 * ratio), 4000))))
        accepted = dialog.exec()
        size, font = dialog.chosen, dialog.font_box.value()
        shown = PAPER if dialog.paper_box.isChecked() else theme
        dialog.deleteLater()
        if not accepted:
            return
    path = ask_path(parent, chart.title or "figure", ending)
    if path is None:
        return
    try:
        save_chart(chart, path, size, shown, font)
    except SeeSpotError as error:
        QMessageBox.warning(parent, "The figure was not saved", str(error))


def ask_path(parent: QWidget, name: str, *endings: str) -> Path | None:
    """Ask for a file to write; None when the user thinks better of it.

    Parameters
    ----------
    parent : QWidget
    name : str
        What to call it, unless the user knows better.
    *endings : str
        That it may have; one that is left out is added.
    """
    plain = "".join(c if c.isalnum() else "_" for c in name).strip("_").lower()
    filters = ";;".join(_FILTERS[ending] for ending in endings)
    text, chosen = QFileDialog.getSaveFileName(
        parent, "Save", f"{plain}{endings[0]}", filters
    )
    if not text:
        return None
    path = Path(text)
    if path.suffix.lower() in endings:
        return path
    wanted = [ending for ending in endings if _FILTERS[ending] == chosen]
    return Path(f"{text}{(wanted or endings)[0]}")


def copy_data(chart: Chart) -> None:
    """Put a chart's data on the clipboard, with tabs between the columns."""
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        named = chart.data.index.name is not None
        clipboard.setText(chart.data.to_csv(sep="\t", index=named))
