"""Where is the dataset now? For a session whose dataset is not where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SourceDialog"]


class SourceDialog(QDialog):
    """Asks for the address of a dataset: typed, or chosen as a folder or a file.

    Parameters
    ----------
    before : str
        Where it was; empty where nobody knows.
    accepted : callable
        Called with the address.
    parent : QWidget, optional
    """

    def __init__(
        self,
        before: str,
        accepted: Callable[[str], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Where is the dataset now?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._use = accepted
        was = f"It cannot be opened from {before}." if before else "No place is known."
        text = QLabel(f"{was} Where is the dataset of this session now?")
        text.setWordWrap(True)
        text.setTextFormat(Qt.TextFormat.PlainText)
        self.address = QLineEdit(before)
        self.address.setMinimumWidth(420)
        self.address.setPlaceholderText("A folder, a table, s3://… or http://…")
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open
            | QDialogButtonBox.StandardButton.Cancel
        )
        for name, ask in (("Folder …", self._ask_folder), ("File …", self._ask_file)):
            button = buttons.addButton(name, QDialogButtonBox.ButtonRole.ActionRole)
            if button is not None:
                button.clicked.connect(ask)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for part in (text, self.address, buttons):
            layout.addWidget(part)

    def accept(self) -> None:
        """Use the address."""
        text = self.address.text().strip()
        if text:
            super().accept()
            self._use(text)

    def _ask_folder(self) -> None:
        self._take(QFileDialog.getExistingDirectory(self, "The dataset folder"))

    def _ask_file(self) -> None:
        name, _filter = QFileDialog.getOpenFileName(self, "The table of spots")
        self._take(name)

    def _take(self, name: str) -> None:
        if name:
            self.address.setText(name)
