"""The *Selection* dock: outlines on the image, gates, and what to do with them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSpinBox,
    Label,
    LineEdit,
    PushButton,
)
from qtpy.QtWidgets import QFileDialog

from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.gates import SELECT_MODES
from napari_seespot.image_lasso import ImageLasso
from napari_seespot.layer_selections import (
    NEAR_UM,
    nearest_rows,
    rows_in_shapes,
)
from napari_seespot.widgets._defer import once
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._rows import row_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["SelectionWidget"]

_GATE = "no gate"
_FILES = "Gates (*.json)"


class SelectionWidget(SessionDock):
    """The selection of a viewer's session.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari passes its viewer by this annotation, which it compares as text.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._showing = False
        self.lasso: ImageLasso | None = None
        self.counts, self.message = Label(value=""), Label(value="")
        self.mode = ComboBox(
            label="Mode",
            choices=SELECT_MODES,
            tooltip="What becomes of the spots that are selected already",
        )
        self.outline = ComboBox(
            label="Outline",
            choices=["lasso", "polygon", "rectangle"],
            tooltip="Polygon: a click a corner, a double click to end it",
        )
        self.all_planes = CheckBox(
            text="Through all planes",
            tooltip="Otherwise only the slab that the viewer shows",
        )
        self.draw = PushButton(
            text="Draw on the image", tooltip="All spots inside are selected"
        )
        self.use_shapes = PushButton(
            text="Use selected shapes",
            tooltip="Select the spots inside the polygons, rectangles and ellipses "
            "that are selected in the active shapes layer, whichever it is",
        )
        self.use_points = PushButton(
            text="Use selected points",
            tooltip="Select the spots nearest to the points that are selected in the "
            "active points layer: one of your own, or a duplicate of the spots' layer",
        )
        self.radius = FloatSpinBox(
            label="Within (um)",
            min=0.01,
            max=1000,
            step=0.5,
            value=NEAR_UM,
            tooltip="A spot farther from a point is not taken for it",
        )
        self.invert = PushButton(
            text="Invert", tooltip="Select the other spots that pass (Ctrl+I)"
        )
        self.grow = PushButton(
            text="Grow to whole cells",
            tooltip="Select all spots of the cells that are hit",
        )
        self.clear_button = PushButton(text="Clear", tooltip="Select nothing (Ctrl+D)")
        self.gate = ComboBox(
            label="Gate",
            choices=self._gate_names,
            tooltip="Polygons in the units of two columns, kept under a name",
        )
        self.use = PushButton(text="Select", tooltip="Select what the gate holds")
        self.use_all = PushButton(
            text="All", tooltip="Select by all gates, each in its own way"
        )
        self.delete = PushButton(text="Delete", tooltip="Forget the gate")
        self.gate_name = LineEdit(label="Name", tooltip="Of a gate that is kept")
        self.keep = PushButton(
            text="Keep as gate",
            tooltip="Keep the outline that was drawn last in a plot as a gate of this "
            "name; without one, the fixed axes of the pair's plot",
        )
        self.save_button = PushButton(
            text="Save gates...", tooltip="Write all gates to a file"
        )
        self.load_button = PushButton(
            text="Load gates...", tooltip="Take gates over from another dataset"
        )
        self._body = self._lay_out()
        self._connect()
        self._body.visible = False
        self.follow()

    # ---- building

    def _lay_out(self) -> Container[Any]:
        for text in (self.counts, self.message):
            text.native.setWordWrap(True)
        body = Container[Any](
            labels=False,
            widgets=[
                self.counts,
                self.message,
                row_of(self.invert, self.clear_button),
                self.grow,
                Label(value="<b>On the image</b>"),
                row_of(self.outline, labels=True),
                row_of(self.mode, labels=True),
                self.all_planes,
                self.draw,
                self.use_shapes,
                self.use_points,
                row_of(self.radius, labels=True),
                Label(value="<b>Gates</b>"),
                row_of(self.gate, labels=True),
                row_of(self.use, self.use_all, self.delete),
                row_of(self.gate_name, labels=True),
                self.keep,
                row_of(self.save_button, self.load_button),
            ],
        )
        self.message.visible = False
        body.native.layout().addStretch(1)
        self.add_scrolled(body)
        return body

    def _connect(self) -> None:
        for button, action in (
            (self.draw, self._draw),
            (self.use_shapes, self._use_shapes),
            (self.use_points, self._use_points),
            (self.invert, lambda session: session.invert_selection()),
            (self.grow, lambda session: session.select_cells()),
            (self.clear_button, lambda session: session.clear_selection()),
            (self.use, self._use),
            (self.use_all, lambda session: session.apply_gates()),
            (self.delete, self._delete),
            (self.keep, self._keep),
            (self.save_button, self._save_gates),
            (self.load_button, self._load_gates),
        ):
            button.changed.connect(partial(self._on_button, action))

    def _on_button(self, action: Callable[[Session], Any], _pressed: bool) -> None:
        self.do(action)

    def do(self, action: Callable[[Session], Any]) -> None:
        """Do something to the session; what goes wrong is told in the dock."""
        if self._session is None:
            return
        self._say("")
        try:
            action(self._session)
        except SeeSpotError as error:
            self._report(error)

    def _gate_names(self, _widget: Any) -> list[str]:
        return [_GATE] if self._session is None else [*self._session.state.gates, _GATE]

    # ---- the session

    def _attach(self, session: Session) -> None:
        self.lasso = ImageLasso(session, once)
        self.listen(self.lasso.selected, self._on_selected)
        self.listen(self.lasso.failed, self._report)
        self._body.visible = True
        self._say("")
        self._show(session.view)

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if names & {"dataset", "selected", "gates"}:
            self._show(view)

    def _detach(self) -> None:
        if self.lasso is not None:
            self.lasso.cancel()
        self.lasso = None
        self._body.visible = False

    def _show(self, view: View) -> None:
        n = 0 if self._session is None else self._session.state.selection.count
        noun = "spot" if n == 1 else "spots"
        self.counts.value = f"<b>{n:,} {noun} selected</b> of {len(view.spots):,}"
        shown = self.gate.value
        self.gate.reset_choices()
        if shown in self.gate.choices:
            self.gate.value = shown

    # ---- what the user does

    def _draw(self, session: Session) -> None:
        assert self.lasso is not None  # there is one with every session
        self.lasso.start(
            self.outline.value, str(self.mode.value), bool(self.all_planes.value)
        )
        self._say(f"Draw a {self.outline.value} on the image.")

    def _on_selected(self, count: int) -> None:
        self._say("" if count else "No spot that passes lies inside.")

    def _use_shapes(self, session: Session) -> None:
        rows = rows_in_shapes(session, all_planes=bool(self.all_planes.value))
        self._take(session, rows)
        self._say("" if len(rows) else "No spot that passes lies inside.")

    def _use_points(self, session: Session) -> None:
        rows = nearest_rows(session, radius_um=float(self.radius.value))
        self._take(session, rows[rows >= 0])
        alone = int((rows < 0).sum())
        if alone:
            self._say(f"{alone:,} of {len(rows):,} points have no spot near them.")

    def _take(self, session: Session, rows: np.ndarray) -> None:
        mask = np.zeros(len(session.dataset.spots), np.bool_)
        mask[rows] = True
        session.select_rows(mask, str(self.mode.value))

    def _use(self, session: Session) -> None:
        session.select_gate(str(self.gate.value), str(self.mode.value))

    def _delete(self, session: Session) -> None:
        session.state.gates.pop(str(self.gate.value), None)

    def _keep(self, session: Session) -> None:
        """Keep what was drawn last in a plot; without that, its fixed axes."""
        name, limits = str(self.gate_name.value).strip(), session.view.limits
        if not name or (session.outline is None and limits is None):
            raise StateError(
                "no gate was made",
                expected="a name, and an outline drawn in a plot of two channels, or "
                "fixed axes in Channel pairs",
            )
        mode = self.mode.value
        if session.outline is not None:
            vertices, columns, _ = session.outline
            session.add_gate(name, vertices, columns, mode=mode)
        elif limits is not None:
            x0, x1, y0, y1 = limits
            corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            session.add_gate(name, corners, mode=mode)
        self.gate.value = name

    def _save_gates(self, session: Session) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save gates", "gates.json", _FILES
        )
        if path:
            session.save_gates(Path(path))
            self._say(f"Wrote {path}.")

    def _load_gates(self, session: Session) -> None:
        path, _ = QFileDialog.getOpenFileName(self.native, "Load gates", "", _FILES)
        if path:
            names = session.load_gates(Path(path))
            self._say(f"Loaded {', '.join(names) or 'no gates'}.")

    # ---- telling

    def _say(self, text: str) -> None:
        self.message.value = text
        self.message.visible = bool(text)

    def _report(self, error: Exception) -> None:
        self._say(str(error))
