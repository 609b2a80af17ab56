"""Drawing a selection: the buttons, and the rows inside what was drawn."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, PushButton
from psygnal import Signal

from napari_seespot.errors import SeeSpotError
from napari_seespot.gates import SELECT_MODES
from napari_seespot.plots.drawing import TOOLS
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

    _Outline = tuple[Session, View, np.ndarray, tuple[str, str], str, bool]

__all__ = ["MODES_TIP", "OutlineTools", "Outliner", "tool_buttons"]

MODES_TIP = "Shift adds, Alt subtracts, both intersect."

_TIPS = {
    "rectangle": "Select all spots inside a rectangle",
    "lasso": "Select all spots inside a line drawn by hand",
    "polygon": "Select all spots inside a polygon: click its corners, then "
    "double click (Backspace takes a corner back)",
}
_NAMES = {"rectangle": "Box", "lasso": "Lasso", "polygon": "Polygon"}


def tool_buttons(chosen: Callable[[str], object]) -> dict[str, PushButton]:
    """Return a button for each tool, of which one at most is down.

    Parameters
    ----------
    chosen : callable
        Called with the tool that is chosen, or the empty string.
    """
    buttons = {
        name: PushButton(text=_NAMES[name], tooltip=f"{_TIPS[name]}. {MODES_TIP}")
        for name in TOOLS
    }

    def press(name: str, down: bool) -> None:
        for other, button in buttons.items():
            button.native.setChecked(down and other == name)
        chosen(name if down else "")

    for name, button in buttons.items():
        button.native.setCheckable(True)
        button.native.clicked.connect(partial(press, name))
    return buttons


class OutlineTools(Container[Any]):
    """A row of tools, and of how an outline changes the selection.

    Attributes
    ----------
    tool_chosen : psygnal.Signal
        Emitted with a tool, or the empty string.
    mode_chosen : psygnal.Signal
    """

    tool_chosen = Signal(str)
    mode_chosen = Signal(str)

    def __init__(self) -> None:
        self.buttons = tool_buttons(self.tool_chosen.emit)
        self.mode_box = ComboBox(
            choices=list(SELECT_MODES), tooltip=f"What an outline does. {MODES_TIP}"
        )
        super().__init__(
            layout="horizontal",
            labels=False,
            widgets=[*self.buttons.values(), self.mode_box],
        )
        self.margins = (0, 0, 0, 0)
        for widget in (*self.buttons.values(), self.mode_box):
            widget.native.setMinimumWidth(30)
        self.mode_box.changed.connect(self.mode_chosen)


class Outliner:
    """Selects what lies inside outlines, in a worker, in the order of drawing.

    Each outline counts, also one that is drawn while rows are still looked for.

    Parameters
    ----------
    report : callable
        Called with an error.
    on_busy : callable, optional
        Called with whether rows are being looked for.
    """

    def __init__(
        self,
        report: Callable[[Exception], None],
        on_busy: Callable[[bool], None] | None = None,
    ) -> None:
        self._report = report
        self._waiting: deque[_Outline]
        self._waiting = deque()
        self._worker = Worker("seespot-select", on_busy)

    @property
    def busy(self) -> bool:
        """Whether an outline's rows are still to come."""
        return self._worker.busy

    def select(
        self,
        session: Session,
        vertices: np.ndarray,
        pair: tuple[str, str],
        mode: str,
        *,
        everything: bool = False,
    ) -> None:
        """Select the rows that pass now and lie inside an outline.

        Parameters
        ----------
        session : Session
        vertices : ndarray, shape (m, 2)
            Values of the two columns.
        pair : tuple of str
            Channels or columns.
        mode : str
            How the selection is changed.
        everything : bool
            Also rows that do not pass.
        """
        outline = (session, session.view, vertices, pair, mode, everything)
        self._waiting.append(outline)
        self._worker.submit(
            self._find, done=self._take, failed=self._report, keep_running=True
        )

    def _find(self, job: Job) -> list[tuple[Session, np.ndarray, str]]:
        found = []
        while self._waiting:
            session, view, vertices, pair, mode, everything = self._waiting.popleft()
            inside = session.rows_in_polygon(
                vertices,
                pair,
                view=view,
                everything=everything,
                cancelled=job.cancelled,
            )
            found.append((session, inside, mode))
        return found

    def _take(self, found: list[tuple[Session, np.ndarray, str]]) -> None:
        for session, inside, mode in found:
            if session.is_closed:
                continue
            try:
                session.select_rows(inside, mode)
            except SeeSpotError as error:
                self._report(error)

    def cancel(self) -> None:
        """Select nothing of what was drawn."""
        self._waiting.clear()
        self._worker.cancel()

    def close(self) -> None:
        """End for good."""
        self._waiting.clear()
        self._worker.close()
