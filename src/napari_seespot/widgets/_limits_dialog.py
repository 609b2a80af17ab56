"""Numbers for the axes of a channel pair: where they end, or at which percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_seespot.errors import SeeSpotError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.session import Session

__all__ = ["LimitsDialog"]

Limits = tuple[float, float, float, float]


class LimitsDialog(QDialog):
    """Fixes the axes of the session's pair, or the percentiles of all pairs.

    Parameters
    ----------
    session : Session
        With a pair.
    shown : tuple of float
        x low, x high, y low, y high, as they are now.
    parent : QWidget, optional
    """

    def __init__(
        self, session: Session, shown: Limits, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Axes")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = session
        pair = session.view.pair
        assert pair is not None  # who asks has a plot
        self._pair = pair
        low, high = session.view.axis_rules.percentiles
        self.limits = [_edit(value) for value in shown]
        self.percentiles = [_edit(low), _edit(high)]
        form = QFormLayout()
        labels = [f"{session.dataset.label(name)} intensity" for name in pair]
        rows = (*self.limits[:2],), (*self.limits[2:],), (*self.percentiles,)
        for label, edits in zip([*labels, "Percentiles"], rows, strict=True):
            form.addRow(label, _side_by_side(*edits))
        self.message = QLabel()
        self.message.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.fix = QPushButton("Fix these axes")
        self.use = QPushButton("Use percentiles")
        for button, act, tip in (
            (self.fix, self._fix, "This pair's axes end there, whatever is shown"),
            (self.use, self._use, "Axes end at these percentiles of what passes"),
        ):
            button.setToolTip(tip)
            button.clicked.connect(act)
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addWidget(buttons)

    def _fix(self) -> None:
        def apply() -> None:
            x0, x1, y0, y1 = map(_number, self.limits)
            self._session.state.limits.fix(self._pair, (x0, x1, y0, y1))

        self._try(apply)

    def _use(self) -> None:
        def apply() -> None:
            low, high = map(_number, self.percentiles)
            with self._session.one_change():
                self._session.state.limits.percentiles = (low, high)
                self._session.state.limits.fix(self._pair, None, "percentile")

        self._try(apply)

    def _try(self, apply: Callable[[], None]) -> None:
        """Do it and close; what is wrong is said here, and nothing changes."""
        try:
            apply()
        except SeeSpotError as error:
            self.message.setText(str(error))
        else:
            self.accept()


def _number(edit: QLineEdit) -> float:
    text = edit.text().strip().replace(",", "")
    try:
        return float(text)
    except ValueError:
        raise StateError(f"{text!r} is no number", expected="such as 250") from None


def _edit(value: float) -> QLineEdit:
    edit = QLineEdit(f"{value:.6g}")
    edit.setToolTip("A number, in the units of the column or in percent")
    return edit


def _side_by_side(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row
