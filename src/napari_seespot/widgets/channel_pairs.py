"""The dock that shows the intensity in one channel against another."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import Container, Label
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QLabel, QSizePolicy

# Where it lives depends on the Qt version, which mypy cannot follow.
from qtpy.QtGui import QShortcut  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.coloring import class_colors
from napari_seespot.errors import SeeSpotError
from napari_seespot.plots.gate_items import gates_of
from napari_seespot.plots.pair import PairPlot
from napari_seespot.plots.pair_picture import PairPainter, PairPicture, PairRequest
from napari_seespot.unmixing import DyeLine, dye_lines
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._limits_dialog import LimitsDialog
from napari_seespot.widgets._outline_tools import Outliner
from napari_seespot.widgets._pair_controls import PairControls
from napari_seespot.widgets._pair_text import (
    counts_text,
    describe_bin,
    describe_row,
    legend_html,
    selected_text,
)
from napari_seespot.widgets._plot_note import PlotNote
from napari_seespot.widgets._spot_seeker import SpotSeeker
from napari_seespot.widgets._theme import plot_theme
from napari_seespot.widgets._wakefulness import Wakefulness
from napari_seespot.widgets._worker import Job, Worker

if TYPE_CHECKING:
    import napari.viewer
    import numpy as np

    from napari_seespot.plots.pair_axes import Limits
    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["ChannelPairsWidget"]

_PAINTED = frozenset(
    {"dataset", "mask", "coloring", "pair", "limits", "limits_mode", "selected"}
    | {"axis_rules", "plot", "count_scale", "axis_scale", "asinh_width", "highlight"}
)
"""Fields of a view that the picture depends on."""

_DRAGGED = frozenset({"mask", "selected", "limits"})
"""Fields that follow a mouse: the picture being painted is shown on the way."""

_PLOT_HEIGHT = 250  # pixels, its axes included

_NOTE_SECONDS = 6.0  # that a spot chosen elsewhere is told of, over the plot

_DRAG_MS = 250
"""Changes that follow each other faster belong to one movement of the mouse."""


class ChannelPairsWidget(SessionDock):
    """Plots all spots that pass in one channel against another.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    least_height: ClassVar[int] = 470  # the plot is what the dock is for
    preferred_height: ClassVar[int] = 510

    too_few_channels: ClassVar[str] = (
        "A pair needs two spot channels; this dataset has {n}."
    )

    # napari passes its viewer by this annotation, which it compares as text.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._painter: PairPainter | None = None
        self._zoom: Limits | None = None
        self._marked: int | None = None
        self.dialog: LimitsDialog | None = None
        self._stale = False
        self._moving = False
        self.controls = PairControls()
        self._message = Label(value="")
        self._content = Container[Any](
            labels=False, widgets=[self.controls, self._message]
        )
        self.plot = PairPlot()
        self._legend, self._counts = _text_label(), _text_label()
        self._pointed = PlotNote(self.plot)
        self._lay_out()
        self._worker = Worker("seespot-pair-plot", self._show_busy)
        self._selecting = Outliner(self._report, self._show_busy)
        self._seeker = SpotSeeker(self.native, self._on_found, self._report)
        self._awake = Wakefulness(self.native, self._on_awake)
        self._connect()
        self._follow_theme()
        workers = (self._worker, self._selecting, self._seeker)
        self.native.destroyed.connect(partial(_close, workers))
        self._show_parts(None)
        self.follow()

    # ---- building

    def _lay_out(self) -> None:
        self.plot.setMinimumHeight(_PLOT_HEIGHT)
        self._counts.setToolTip("Spots that pass the filters, of all there are")
        layout = self._content.native.layout()
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        for part in (self._counts, self.plot, self._legend):
            layout.addWidget(part)
        layout.setStretchFactor(self.plot, 1)
        self.add_scrolled(self._content)

    def _connect(self) -> None:
        controls, plot, box = self.controls, self.plot, self.plot.view_box
        controls.asked.connect(self._change)
        controls.stepped.connect(self.step_pair)
        controls.reset.connect(self.reset_axes)
        controls.limits_chosen.connect(self._on_limits)
        controls.numbers_asked.connect(self._ask_numbers)
        controls.tool_chosen.connect(self._on_tool)
        controls.mode_chosen.connect(self._on_mode)
        controls.inverted.connect(self._on_invert)
        controls.cleared.connect(self._on_clear)
        self._drag = QTimer(self.native)
        self._drag.setSingleShot(True)
        self._drag.setInterval(_DRAG_MS)
        self._drag.timeout.connect(self._on_drag_end)
        plot.rested.connect(self._on_rested)
        plot.resized.connect(self._on_resized)
        plot.hovered.connect(self._on_hovered)
        plot.drawn.connect(self._on_drawn)
        plot.clicked.connect(self._on_clicked)
        box.double_clicked.connect(self.reset_axes)
        self._counts.linkActivated.connect(self._on_clear)
        self._shortcut("[", partial(self.step_pair, -1))
        self._shortcut("]", partial(self.step_pair, 1))
        self._shortcut("A", self.reset_axes)

    def _shortcut(self, key: str, action: Any) -> None:
        shortcut = QShortcut(QKeySequence(key), self.native)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(action)

    def _follow_theme(self) -> None:
        theme = getattr(getattr(self._viewer, "events", None), "theme", None)
        if theme is not None:
            theme.connect(self._on_theme)  # napari refers to it weakly
        self._on_theme()

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._painter = PairPainter(session.index)
        self._zoom = self._marked = None
        self.listen(session.moved, self._mark_row)
        self.listen(session.picked, self._mark_row)
        self._refresh(session.view, _PAINTED)

    def _detach(self) -> None:
        self._drag.stop()
        self._moving = False
        for worker in (self._worker, self._selecting, self._seeker):
            worker.cancel()
        self._painter = None
        self.controls.forget()
        self.plot.clear_picture()
        self.plot.show_dye_lines([], {}, {})
        self.plot.show_gates(())
        for label in (self._legend, self._counts):
            label.setText("")
        self._pointed.show_text("")
        self._show_parts(None)

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if "dye_lines" in names:
            self.controls.show_view(view)
            self._show_dye_lines()
        if names & {"dataset", "pair", "gates"}:
            self._show_gates()
        if not names & _PAINTED:
            return
        if names & {"dataset", "pair", "limits", "limits_mode", "axis_scale"}:
            self._zoom = None
        self._show_parts(view)
        self.controls.show_view(view)
        if names & {"dataset", "pair"}:
            self._show_axes(view)
        dragged = names <= _DRAGGED
        # The first change of a drag looks like any other.
        self._moving = dragged and self._drag.isActive()
        self._paint(keep_running=dragged)
        if dragged:
            self._drag.start()

    def _show_parts(self, view: View | None) -> None:
        """Show the plot, or a message in its place."""
        plotted = view is not None and view.pair is not None
        for widget in (self.plot, self._legend, self._counts):
            widget.setVisible(plotted)
        self.controls.visible = plotted
        if view is None or plotted:
            self._say("")
        else:
            self._say(self.too_few_channels.format(n=len(view.spots.channels)))

    def _say(self, text: str) -> None:
        self._message.value = text
        self._message.visible = bool(text)

    def _show_axes(self, view: View) -> None:
        if view.pair is None:
            return
        x, y = (f"{view.dataset.label(channel)} intensity" for channel in view.pair)
        self.plot.set_labels(x, y)
        self._show_dye_lines()
        self._mark_row(self._marked)

    def _show_dye_lines(self, *_: Any) -> None:
        session = self._plotted_session()
        if session is None:
            return
        dataset, lines = session.dataset, self._dye_lines(session)
        names = {line.channel: dataset.label(line.channel) for line in lines}
        known = class_colors("chan", dataset.spots.channels)
        colors = {name: known.get(name, self.plot.theme.axis) for name in names}
        self.plot.show_dye_lines(lines, names, colors)

    def _show_gates(self) -> None:
        session = self._plotted_session()
        if session is not None and session.view.pair is not None:
            self.plot.show_gates(gates_of(session.view.gates, session.view.pair))

    def _dye_lines(self, session: Session) -> list[DyeLine]:
        if not session.view.dye_lines or session.view.pair is None:
            return []
        try:
            return dye_lines(session.dataset.ratios, session.view.pair)
        except SeeSpotError as error:
            self._report(error)
            return []

    def _plotted_session(self) -> Session | None:
        """Return the session if it has a pair to plot."""
        session = self._session
        return None if session is None or session.view.pair is None else session

    # ---- painting

    def _paint(self, keep_running: bool = False) -> None:
        session, painter = self._plotted_session(), self._painter
        if session is None or painter is None:
            self._worker.cancel()
            return
        self._stale = not self._awake.awake
        if self._stale:  # painted when the dock comes back
            return
        theme = self.plot.theme
        request = PairRequest(
            session.view,
            self._zoom,
            self.plot.pixels,
            theme.dark,
            theme.text,
            self._moving,
        )

        def paint(job: Job) -> PairPicture:
            return painter.paint(request, job.cancelled)

        self._worker.submit(
            paint, done=self._show, failed=self._report, keep_running=keep_running
        )

    def _show(self, picture: PairPicture) -> None:
        session = self._session
        if session is None or picture.request.view.dataset is not session.dataset:
            return
        self._say("")
        self.plot.show_picture(picture)
        self._legend.setText(legend_html(picture, session.dataset))
        texts = [counts_text(picture)]
        if picture.n_selected:
            style = f"color:{self.plot.theme.text}"
            link = f'<a href="clear" style="{style}">clear</a>'
            texts += [selected_text(picture), link]
        self._counts.setText(" · ".join(texts))

    def _show_busy(self, _busy: bool) -> None:
        self.plot.set_busy(self._worker.busy or self._selecting.busy)

    def _report(self, error: Exception) -> None:
        """Tell of an error in the dock and, where there is one, in napari."""
        self._say(str(error))
        if hasattr(self._viewer, "window"):
            from napari.utils.notifications import show_error

            show_error(str(error))

    def _on_awake(self, awake: bool) -> None:
        if not awake:
            self._stale = self._stale or self._worker.busy
            self._worker.cancel()
            self._seeker.cancel()
        elif self._stale:
            self._paint()

    def _on_theme(self, *_: Any) -> None:
        self.plot.set_theme(plot_theme(self._viewer))
        self._pointed.set_theme(self.plot.theme)
        self._show_dye_lines()
        self._paint()

    # ---- what the user does

    def _change(self, field: str, value: Any) -> None:
        if self._session is None or value is None:
            return
        try:
            setattr(self._session.state, field, value)
        except SeeSpotError as error:
            self._report(error)

    def step_pair(self, step: int) -> None:
        """Go on to the next pair of channels, or back (-1); around at the ends."""
        session = self._plotted_session()
        if session is None or session.view.pair is None:
            return
        pairs = session.dataset.channel_pairs
        x, y = session.view.pair
        here = pairs.index((x, y) if (x, y) in pairs else (y, x))
        self._change("pair", pairs[(here + step) % len(pairs)])

    def reset_axes(self) -> None:
        """Go back to automatic axes."""
        self._seeker.cancel()
        session = self._plotted_session()
        if session is None or session.view.pair is None:
            return
        self._zoom = None
        if session.view.limits is None:
            self._paint()
        else:
            session.state.limits.fix(session.view.pair, None)

    def _on_limits(self, mode: str) -> None:
        session = self._plotted_session()
        if session is None or session.view.pair is None:
            return
        limits, pair = session.state.limits, session.view.pair
        if mode == "fixed":
            limits.fix(pair, self.plot.data_limits)
            return
        self._zoom = None
        with session.one_change():
            limits.fix(pair, None, mode)

    def _ask_numbers(self) -> None:
        session = self._plotted_session()
        if session is not None:
            self.dialog = LimitsDialog(session, self.plot.data_limits, self.native)
            self.dialog.open()

    def _on_rested(self) -> None:
        session = self._plotted_session()
        if session is None or session.view.pair is None:
            return
        if session.view.limits is None:
            self._zoom = self.plot.data_limits
            self._paint()
        else:
            session.state.limits.fix(session.view.pair, self.plot.data_limits)

    def _on_resized(self) -> None:
        self._pointed.place()
        picture = self.plot.picture
        if picture is not None and picture.request.size != self.plot.pixels:
            self._paint(keep_running=True)

    def _on_tool(self, name: str) -> None:
        self.plot.view_box.tool = name
        if name:
            self.plot.setFocus()  # for Escape, Enter and Backspace

    def _on_mode(self, mode: str) -> None:
        self.plot.view_box.mode = mode

    def _on_drag_end(self) -> None:
        """Paint exactly what the last pictures of a drag showed in larger bins."""
        if self._moving:
            self._moving = False
            self._paint(keep_running=True)

    def _on_drawn(self, vertices: np.ndarray, mode: str) -> None:
        session = self._plotted_session()
        if session is None:
            return
        pair = session.view.pair
        if pair is not None:
            session.outline = (vertices, pair, mode)
            self._selecting.select(session, vertices, pair, mode)

    def _on_clear(self, _link: str = "") -> None:
        if self._session is not None:
            self._session.clear_selection()

    def _on_invert(self) -> None:
        if self._session is not None:
            self._session.invert_selection()

    def _on_clicked(self, x: float, y: float) -> None:
        session = self._plotted_session()
        if session is not None:
            self._seeker.seek(
                session.view, (x, y), self.plot.unit, self.plot.plot_scale
            )

    def _on_found(self, row: int) -> None:
        if self._session is None:
            return
        self._mark_row(row)
        try:
            self._session.go_to_row(row)
        except SeeSpotError as error:
            self._report(error)

    def _mark_row(self, row: int | None) -> None:
        self._marked = row
        session = self._plotted_session()
        if session is None or session.view.pair is None or row is None:
            self.plot.mark(None)
            return
        spots, pair = session.dataset.spots, session.view.pair
        x, y = (float(spots.intensity(channel)[row]) for channel in pair)
        self.plot.mark((x, y))
        self._pointed.show_text(describe_row(session.dataset, row, pair), _NOTE_SECONDS)

    def _on_hovered(self, place: tuple[float, float] | None) -> None:
        session, picture = self._session, self.plot.picture
        text = ""
        if session is not None and picture is not None and place is not None:
            row = self.plot.point_near(*place)
            if row is not None:
                text = describe_row(session.dataset, row, picture.request.pair)
            elif picture.points is None:
                text = describe_bin(picture, *place)
        self._pointed.show_text(text)


def _text_label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.LinksAccessibleByMouse
    )
    # A long text must wrap, not widen the dock.
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    return label


def _close(workers: tuple[Worker | Outliner | SpotSeeker, ...], *_: Any) -> None:
    """End all work; Qt passes on what it has destroyed as well."""
    for worker in workers:
        # Python's garbage collector may have emptied one before Qt tells: a worker
        # whose thread still runs is held by that thread, and is whole.
        with suppress(AttributeError):
            worker.close()
