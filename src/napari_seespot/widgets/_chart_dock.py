"""What the docks with charts share: theme, worker, filters, clicks."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, Label
from qtpy.QtWidgets import QSizePolicy

from napari_seespot.errors import SeeSpotError
from napari_seespot.picks import Pick
from napari_seespot.plots.drawable_chart import DrawableChart
from napari_seespot.plots.theme import DARK
from napari_seespot.widgets._defer import once
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._outline_tools import Outliner, OutlineTools
from napari_seespot.widgets._theme import plot_theme
from napari_seespot.widgets._wakefulness import Wakefulness
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["ChartDock"]


class ChartDock(SessionDock):
    """A dock whose charts are computed in a worker and follow the filters.

    A dock supplies `_compute`, which submits to `_worker` what is to be shown;
    it is called once the state has rested, and only while the dock is seen.

    Parameters
    ----------
    viewer : napari.Viewer
    worker : str
        Name of the worker's thread.
    rest_ms : int
        How long the state must rest before anything is computed.
    """

    depends_on: frozenset[str] = frozenset({"dataset", "mask"})
    """Fields of a view that the charts depend on."""

    def __init__(self, viewer: Any, worker: str, rest_ms: int = 120) -> None:
        super().__init__(viewer)
        self.theme = DARK
        self.charts: list[DrawableChart] = []
        self.follow_box: CheckBox | None = None
        self._note = Label(value="")
        self._note.visible = False
        self._content = Container[Any](labels=False, widgets=[])
        layout = self._content.native.layout()
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        self._stale = False
        self._parts = deque[tuple[str, Any]]()
        self._worker = Worker(worker, self._on_busy)
        self._outliner = Outliner(self.report)
        self._request = once(self._update, rest_ms)
        self._awake = Wakefulness(self.native, self._on_awake)
        self.native.destroyed.connect(partial(_close, self._worker, self._outliner))
        theme = getattr(getattr(self._viewer, "events", None), "theme", None)
        if theme is not None:
            theme.connect(self._on_theme)  # napari refers to it weakly

    def begin(self) -> None:
        """Show the dock's content, and follow the viewer."""
        self._content.visible = False
        self.add_scrolled(self._content)
        self._on_theme()
        self.follow()

    def new_follow_box(self) -> CheckBox:
        """Return a check box by which the charts can ignore the filters."""
        self.follow_box = CheckBox(
            value=True,
            text="Follow the filters",
            tooltip="Count the spots that pass the filters; otherwise all spots",
        )
        self.follow_box.changed.connect(self._on_follow)
        return self.follow_box

    @property
    def follows(self) -> bool:
        """Whether only spots that pass the filters count."""
        return self.follow_box is None or bool(self.follow_box.value)

    def new_chart(self) -> DrawableChart:
        """Return a chart's widget that follows the theme and selects rows."""
        chart = DrawableChart()
        policy = chart.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
        chart.setSizePolicy(policy)
        chart.picked.connect(self._on_picked)
        chart.drawn.connect(partial(self._on_drawn, chart))
        chart.set_theme(self.theme)
        self.charts.append(chart)
        return chart

    def new_tools(self) -> OutlineTools:
        """Return the tools that draw in the charts whose plane is one of spots."""
        tools = OutlineTools()
        tools.tool_chosen.connect(self._on_tool)
        tools.mode_chosen.connect(self._on_mode)
        return tools

    def _on_tool(self, name: str) -> None:
        for chart in self.charts:
            chart.tool = name

    def _on_mode(self, mode: str) -> None:
        for chart in self.charts:
            chart.mode = mode

    def _on_drawn(self, chart: DrawableChart, vertices: np.ndarray, mode: str) -> None:
        session, columns = self._session, chart.chart.columns
        if session is not None and columns is not None:
            session.outline = (vertices, columns, mode)
            self._outliner.select(
                session, vertices, columns, mode, everything=not self.follows
            )

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._content.visible = True
        self._request()

    def _detach(self) -> None:
        self._worker.cancel()
        self._outliner.cancel()
        self._parts.clear()
        self._content.visible = False
        self.say("")

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        depends = self.depends_on
        if not self.follows:
            depends = depends - {"mask"}
        if names & depends:
            self._request()

    def _update(self) -> None:
        if self._session is None:
            return
        self._stale = not self._awake.awake
        if not self._stale:
            self._compute(self._session.view)

    def _compute(self, view: View) -> None:
        """Have the worker make what is to be shown."""

    def run(self, make: Callable[[Job], Iterator[tuple[str, Any]]]) -> None:
        """Have the worker make parts, and show each as soon as it is there.

        Parameters
        ----------
        make : callable
            Called with the job in the worker's thread; yields names and what
            `_show_part` is to show.
        """
        self._parts = parts = deque[tuple[str, Any]]()

        def work(job: Job) -> None:
            for part in make(job):
                job.check()
                parts.append(part)
                job.progress(0.5)

        def show(*_: Any) -> None:
            while parts and self._session is not None:
                self._show_part(*parts.popleft())

        self._worker.submit(work, done=show, failed=self.report, progress=show)

    def _show_part(self, name: str, part: Any) -> None:
        """Show something that the worker has made."""

    def where(self, view: View) -> np.ndarray | None:
        """Return the rows that count; None for all. Slow the first time."""
        return view.where if self.follows else None

    # ---- what happens

    def _on_picked(self, key: object, mode: str) -> None:
        session = self._session
        if session is None or not isinstance(key, Pick):
            return
        mask = key.mask(session.dataset.spots, self.where(session.view))
        session.select_rows(mask, mode)

    def _on_follow(self, _on: bool) -> None:
        self._request()

    def _on_awake(self, awake: bool) -> None:
        if not awake:
            self._stale = self._stale or self._worker.busy
            self._worker.cancel()
        elif self._stale:
            self._request()

    def _on_theme(self, *_: Any) -> None:
        self.theme = plot_theme(self._viewer)
        for chart in self.charts:
            chart.set_theme(self.theme)
        self._themed()

    def _themed(self) -> None:
        """Make what depends on the colours of the window anew."""

    def _on_busy(self, busy: bool) -> None:
        """Show whether something is being computed."""

    def say(self, text: str) -> None:
        """Show a sentence in the dock; the empty one takes it away."""
        self._note.value = text
        self._note.visible = bool(text)

    def report(self, error: Exception) -> None:
        """Show an error in the dock and, where there is one, in napari."""
        self.say(str(error))
        if hasattr(self._viewer, "window"):
            from napari.utils.notifications import show_error

            show_error(str(error))

    def guarded(self, action: Any, *args: Any) -> None:
        """Call a function; show what it raises on purpose."""
        try:
            action(*args)
        except SeeSpotError as error:
            self.report(error)


def _close(worker: Worker, outliner: Outliner, *_: Any) -> None:
    """End all work; Qt passes on what it has destroyed as well."""
    worker.close()
    outliner.close()
