"""The dock that shows all channel pairs at once."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, PushButton
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QWidget

# Where it lives depends on the Qt version, which mypy cannot follow.
from qtpy.QtGui import QShortcut  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.plots.pair_cell import PairCell
from napari_seespot.plots.pair_chart import view_scale
from napari_seespot.plots.pair_grid import (
    GridRequest,
    PairCellPicture,
    PairGridPainter,
    cell_chart,
)
from napari_seespot.widgets._chart_dock import ChartDock

if TYPE_CHECKING:
    import napari.viewer

    from napari_seespot.plots.pair_axes import Limits
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["AllPairsWidget"]

Pair = tuple[str, str]

_CELL = 90  # pixels across that a cell wants; as many fit beside each other, up to
_MOST_COLUMNS = 5
_DRAGGED = frozenset({"mask", "selected"})


class AllPairsWidget(ChartDock):
    """Plots every channel pair, all spots that pass in each.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    depends_on = frozenset(
        {"dataset", "mask", "coloring", "axis_rules", "selected"}
        | {"count_scale", "axis_scale", "asinh_width", "dye_lines", "gates"}
        | {"highlight"}
    )

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "seespot-all-pairs", rest_ms=0)
        self.cells: dict[Pair, PairCell] = {}
        self._painter = PairGridPainter()
        self._ready: deque[tuple[GridRequest, PairCellPicture]] = deque()
        self._zooms: dict[Pair, Limits] = {}
        self._axes: dict[str, tuple[float, float]] = {}
        self._keep_running = False
        self._columns = 0
        self.link_box = CheckBox(
            value=True,
            text="Link axes",
            tooltip="A channel has the same axis in all pairs, also when one zooms",
        )
        self.dye_box = CheckBox(
            value=True, text="Dye lines", tooltip="Where pure spots of each dye lie"
        )
        self.reset_button = PushButton(
            text="Auto", tooltip="Automatic axes in all pairs  A"
        )
        row: Container[Any] = Container(
            layout="horizontal",
            labels=False,
            widgets=[self.link_box, self.dye_box, self.reset_button],
        )
        row.margins = (0, 0, 0, 0)
        self.tools = self.new_tools()
        self._content.extend([row, self.tools, self._note])
        self._grid = QWidget()
        self._cells_layout = QGridLayout(self._grid)
        self._cells_layout.setContentsMargins(0, 0, 0, 0)
        self._cells_layout.setSpacing(4)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self._grid.setSizePolicy(policy)
        self._content.native.layout().addWidget(self._grid)
        self._content.native.layout().addStretch(1)
        self._watch = _WidthWatch(self._grid, self._arrange)
        self._connect()
        self.begin()

    def _connect(self) -> None:
        self.link_box.changed.connect(self._on_link)
        self.dye_box.changed.connect(self._on_dyes)
        self.reset_button.changed.connect(lambda: self.reset_axes())
        for key, step in (("[", -1), ("]", 1)):
            shortcut = QShortcut(QKeySequence(key), self.native)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self.step_pair, step))

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._forget_zooms()
        with self.dye_box.changed.blocked():
            self.dye_box.value = session.view.dye_lines
        self._painter = PairGridPainter()
        self._build(session)
        self._show_current(session.view)
        super()._attach(session)

    def _detach(self) -> None:
        super()._detach()
        self._ready.clear()
        self._painter = PairGridPainter()
        self._clear()

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if "pair" in names:
            self._show_current(view)
        if names & {"axis_scale", "asinh_width"}:
            self._forget_zooms()  # places on the other scale mean nothing here
        with self.dye_box.changed.blocked():
            self.dye_box.value = view.dye_lines
        self._keep_running = names <= _DRAGGED
        super()._refresh(view, names)

    def _build(self, session: Session) -> None:
        self._clear()
        for pair in session.dataset.channel_pairs:
            cell = PairCell(pair, self._grid)
            cell.set_theme(self.theme)
            cell.zoomed.connect(partial(self._on_zoomed, pair))
            cell.chosen.connect(partial(self._on_chosen, pair))
            cell.reset.connect(self.reset_axes)
            cell.drawn.connect(partial(self._on_drawn, cell))
            cell.mode = str(self.tools.mode_box.value)
            self.cells[pair] = cell
            self.charts.append(cell)
        self._columns = 0
        self._arrange()
        if not self.cells:
            n = len(session.dataset.channels)
            self.say(f"A pair needs two spot channels; this dataset has {n}.")

    def _clear(self) -> None:
        for cell in self.cells.values():
            self._cells_layout.removeWidget(cell)
            cell.setParent(None)
            cell.deleteLater()
        self.cells.clear()
        self.charts.clear()

    def _arrange(self) -> None:
        """Put as many cells beside each other as the dock is wide."""
        self._request()  # pictures of another size have other bins
        most = min(len(self.cells), _MOST_COLUMNS)
        columns = max(1, min(most, self._grid.width() // _CELL))
        if columns == self._columns:
            return
        self._columns = columns
        for place, cell in enumerate(self.cells.values()):
            self._cells_layout.removeWidget(cell)
            self._cells_layout.addWidget(cell, *divmod(place, columns))
            cell.show()
        for column in range(self._cells_layout.columnCount()):
            self._cells_layout.setColumnStretch(column, int(column < columns))

    def _show_current(self, view: View) -> None:
        chosen = frozenset(view.pair or ())
        for pair, cell in self.cells.items():
            cell.set_current(frozenset(pair) == chosen)

    # ---- painting

    def _compute(self, view: View) -> None:
        if not self.cells:
            return
        first = next(iter(self.cells.values()))
        ratio = first.devicePixelRatioF()
        size = (int(first.width() * ratio), int(first.height() * ratio))
        # The pair that one looks at comes first.
        pairs = sorted(self.cells, key=lambda pair: not self.cells[pair].current)
        request = GridRequest(view, pairs, self._wanted_axes(), size, self.theme)
        painter, ready = self._painter, self._ready

        def paint(job: Job) -> None:
            for done, picture in enumerate(painter.paint(request, job.cancelled), 1):
                ready.append((request, picture))
                job.progress(done / len(pairs))

        self._worker.submit(
            paint,
            done=self._show_ready,
            failed=self.report,
            progress=self._show_ready,
            keep_running=self._keep_running,
        )
        self._keep_running = False

    def _wanted_axes(self) -> dict[Pair, Limits]:
        """Return the axes that were zoomed to, as values."""
        if self._session is None:
            return {}
        scale = view_scale(self._session.view)
        return {pair: scale.limits_back(zoom) for pair, zoom in self._zooms.items()}

    def _show_ready(self, *_: Any) -> None:
        """Show the pictures that have come; the others follow."""
        session = self._session
        while self._ready:
            request, picture = self._ready.popleft()
            if session is None or request.view.dataset is not session.dataset:
                continue
            cell = self.cells[picture.pair]
            view, theme = request.view, request.theme
            chart = cell_chart(picture, view, theme, lines=view.dye_lines)
            cell.scale = view_scale(request.view)
            cell.show_picture(chart, self._zooms.get(picture.pair))
            empty = not picture.counted.total
            cell.show_message("No spot here" if empty else "")

    def _themed(self) -> None:
        self._request()

    # ---- what the user does

    def _on_zoomed(self, pair: Pair, limits: Limits) -> None:
        x0, x1, y0, y1 = limits
        if not (x0 < x1 and y0 < y1):  # as far as numbers go
            return
        self._zooms[pair] = limits
        if self.link_box.value:
            self._axes.update({pair[0]: (x0, x1), pair[1]: (y0, y1)})
            for other, cell in self.cells.items():
                if set(other) & set(self._axes):
                    self._zooms[other] = self._linked(other, cell.limits)
        for other, zoom in self._zooms.items():
            self.cells[other].set_limits(zoom)
        self._request()

    def _linked(self, pair: Pair, shown: Limits) -> Limits:
        """Return a pair's axes: those zoomed to, else those shown."""
        x = self._axes.get(pair[0], shown[:2])
        y = self._axes.get(pair[1], shown[2:])
        return (x[0], x[1], y[0], y[1])

    def reset_axes(self) -> None:
        """Go back to automatic axes, or fixed ones, in all pairs."""
        self._forget_zooms()
        self._request()

    def _forget_zooms(self) -> None:
        self._zooms.clear()
        self._axes.clear()

    def _on_link(self, _linked: bool) -> None:
        self.reset_axes()

    def _on_dyes(self, shown: bool) -> None:
        if self._session is not None:
            self._session.state.dye_lines = shown

    def _on_chosen(self, pair: Pair) -> None:
        if self._session is None:
            return
        self._session.state.pair = pair
        if self._session is not None:
            self._session.want_dock("Channel pairs")

    def step_pair(self, step: int) -> None:
        """Make the next pair the current one, or the one before (-1)."""
        session = self._session
        if session is None or session.view.pair is None or not self.cells:
            return
        pairs = list(self.cells)
        x, y = session.view.pair
        here = pairs.index((x, y) if (x, y) in self.cells else (y, x))
        session.state.pair = pairs[(here + step) % len(pairs)]


class _WidthWatch(QObject):
    """Calls a function when a widget has another width."""

    def __init__(self, widget: QWidget, changed: Any) -> None:
        super().__init__(widget)
        self._changed = changed
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Watch for changes of size."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._changed()
        return False
