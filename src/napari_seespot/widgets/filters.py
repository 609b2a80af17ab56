"""The *Filters* dock: which spots pass, on histograms of what they are like."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    Label,
    LineEdit,
    PushButton,
)

from napari_seespot import filter_sets
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.spots import STATUSES
from napari_seespot.widgets._column_filter import ColumnFilter, count_column
from napari_seespot.widgets._defer import once
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._flow import flow_grid, flow_row, narrow
from napari_seespot.widgets._wakefulness import Wakefulness
from napari_seespot.widgets._worker import Job, Worker
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    import napari.viewer

    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.spots import Spots
    from napari_seespot.widgets._range_histogram import Ends

__all__ = ["FiltersWidget"]

_QUALITY = ("r", "dist", "dye_line_dist_ratio")
_REST_MS = 250  # histograms follow a drag once it rests
_HIGHLIGHTS = {
    "nothing": None,
    "reassigned": "reassigned",
    "removed": "removed",
    "selected": "selected",
}
_COLUMN, _SET = "add a column ...", "saved filters ..."
_CLASSES = {
    "status": "Status",
    "chan": "Detected in",
    "unmixed_chan": "Unmixed to",
}


class FiltersWidget(SessionDock):
    """All filters of a viewer's session.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari passes its viewer by this annotation, which it compares as text.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._showing = False
        self._stale = True
        self._pending: dict[str, Ends] = {}
        self.columns: dict[str, ColumnFilter] = {}
        self.boxes: dict[str, dict[str, CheckBox]] = {}
        self.counts = Label(value="")
        self.message = Label(value="")
        self.valid_only = CheckBox(
            text="Only valid spots",
            tooltip="Spots that passed the pipeline's gates: r > 0.25, dist < 1.25 ...",
        )
        self.cells = LineEdit(tooltip="Numbers of cells, such as 12, 40-45; empty: any")
        self.highlight = ComboBox(
            choices=[*_HIGHLIGHTS],
            tooltip="Fade all other spots on the image",
        )
        self.add_column = ComboBox(
            choices=self._other_columns, tooltip="Filter by any other column"
        )
        self.reset = PushButton(
            text="Reset", tooltip="Let pass what passed at the start"
        )
        self.saved = ComboBox(
            choices=self._saved_names, tooltip="Use filters that were saved"
        )
        self.save_name = LineEdit(tooltip="A name for the present filters")
        self.save_set = PushButton(text="Save", tooltip="Keep them under that name")
        self.delete_set = PushButton(text="Delete", tooltip="Forget those of that name")
        self.elsewhere = Label(value="")
        self.clear_elsewhere = PushButton(
            text="Clear", tooltip="Let the spots of all channels pass"
        )
        self._elsewhere_row = flow_row(
            self.elsewhere, self.clear_elsewhere, grow=[self.elsewhere]
        )
        self._classes, self._ranges = (Container[Any](labels=False) for _ in "12")
        self._cells_row = flow_row(Label(value="Cells"), self.cells, grow=[self.cells])
        self._body = self._lay_out()
        self._worker = Worker("seespot-filters")
        self._counter = Worker("seespot-filter-counts")
        self._awake = Wakefulness(self.native, self._on_awake)
        self._set_ranges = once(self._set_pending, 0)
        self._rest = once(self._count_columns, _REST_MS)
        self._connect()
        self.native.destroyed.connect(partial(_close, self._worker, self._counter))
        self._body.visible = False
        self.follow()

    # ---- building

    def _lay_out(self) -> Container[Any]:
        for part in (self._classes, self._ranges):
            part.margins = (0, 0, 0, 0)
        for label in (self.counts, self.message, self.elsewhere):
            wrap(label)
        for box in (self.saved, self.add_column, self.highlight):
            narrow(box, 12)
        body = Container[Any](
            labels=False,
            widgets=[
                self.counts,
                self.message,
                flow_row(self.saved, self.reset, grow=[self.saved]),
                self._elsewhere_row,
                self._classes,
                self.valid_only,
                self._cells_row,
                flow_row(
                    Label(value="Highlight"), self.highlight, grow=[self.highlight]
                ),
                Label(value="<b>Ranges</b>"),
                self._ranges,
                self.add_column,
                Label(value="<b>Keep these filters</b>"),
                flow_row(
                    self.save_name,
                    self.save_set,
                    self.delete_set,
                    grow=[self.save_name],
                ),
            ],
        )
        body.margins = (6, 6, 6, 6)
        self.add_scrolled(body)
        return body

    def _connect(self) -> None:
        self.valid_only.changed.connect(partial(self._set, "valid_only"))
        self.cells.native.editingFinished.connect(self._on_cells)
        self.highlight.changed.connect(self._on_highlight)
        self.add_column.changed.connect(self._on_add_column)
        self.reset.changed.connect(self._on_reset)
        self.saved.changed.connect(self._on_use_set)
        self.save_set.changed.connect(self._on_save_set)
        self.delete_set.changed.connect(self._on_delete_set)
        self.clear_elsewhere.changed.connect(lambda: self._set("channels", None))

    def _build(self, session: Session) -> None:
        dataset, spots = session.dataset, session.dataset.spots
        self.boxes = {by: {} for by in _CLASSES}
        for by, boxes in self.boxes.items():
            for name in STATUSES if by == "status" else spots.class_names(by):
                text = name if by == "status" else dataset.label(name)
                boxes[name] = CheckBox(text=text, tooltip=f"{_CLASSES[by]} {text}")
                boxes[name].changed.connect(partial(self._on_box, by))
        for by, boxes in self.boxes.items():
            self._classes.append(Label(value=f"<b>{_CLASSES[by]}</b>"))
            self._classes.append(flow_grid(*boxes.values()))
        self.valid_only.visible = "valid_spot" in spots.columns
        self._cells_row.visible = "cell_id" in spots.columns
        self.columns = {}
        for column in _first_columns(spots):
            self.show_column(column)

    def show_column(self, column: str) -> None:
        """Show a column's filter, if it is not shown yet."""
        session = self._session
        if session is None or column in self.columns:
            return
        spots = session.dataset.spots
        shown = ColumnFilter(spots, column, column not in _first_columns(spots))
        shown.moved.connect(self._on_moved)
        shown.failed.connect(self._report)
        shown.closed.connect(self._on_close_column)
        self.columns[column] = shown
        self._ranges.append(shown)
        shown.show_ends(session.state.filters.ranges.get(column, (None, None)))

    # magicgui asks anew whenever a combo box changes its place.

    def _other_columns(self, _widget: Any) -> list[str]:
        if self._session is None:
            return [_COLUMN]
        names = self._session.dataset.spots.numeric_columns
        shown = {"spot_id", *self.columns}
        return [_COLUMN, *(name for name in names if name not in shown)]

    def _saved_names(self, _widget: Any) -> list[str]:
        try:
            return [_SET, *filter_sets.filter_sets()]
        except SeeSpotError as error:
            self._say(str(error))
            return [_SET]

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._say("")
        self._showing = True
        self._build(session)
        self.add_column.reset_choices()
        self.saved.reset_choices()
        self._showing = False
        self._body.visible = True
        self._show(session.view)
        self._rest()

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if names & {"dataset", "mask", "highlight"}:
            self._show(view)
        if names & {"dataset", "mask"}:
            self._stale = True
            self._rest()

    def _detach(self) -> None:
        self._worker.cancel()
        self._counter.cancel()
        self._pending.clear()
        self.columns, self.boxes = {}, {}
        self._body.visible = False
        _discard(self._classes)
        _discard(self._ranges)

    def _show(self, view: View) -> None:
        session = self._session
        if session is None:
            return
        filters = session.state.filters
        self._showing = True
        for by, boxes in self.boxes.items():
            allowed = getattr(filters, by)
            for name, box in boxes.items():
                box.value = allowed is None or name in allowed
        self._show_elsewhere(session)
        self.valid_only.value = filters.valid_only
        self.cells.value = _cells_text(filters.cells)
        self.highlight.value = str(session.state.highlight or "nothing")
        for column in filters.ranges:
            self.show_column(column)
        for column, shown in self.columns.items():
            shown.show_ends(filters.ranges.get(column, (None, None)))
        self._showing = False
        self._count(view)

    def _show_elsewhere(self, session: Session) -> None:
        """Tell of the one filter that has its boxes in the *Spots* dock."""
        channels = session.state.filters.channels
        self._elsewhere_row.visible = channels is not None
        if channels is not None:
            known = [*session.dataset.spots.channels, "removed"]
            names = [name for name in known if name in channels]
            kind = "channel" if len(names) == 1 else "channels"
            text = f"{kind} {', '.join(names)}" if names else "no channel passes"
            self.elsewhere.value = f"Also filtered in Spots: {text}"

    def _count(self, view: View) -> None:
        """Tell how many pass; counted beside the window, newest wins."""

        def count(_: Job) -> str:
            return view.count_text

        self._counter.submit(count, done=self._show_count, keep_running=True)

    def _show_count(self, text: str) -> None:
        self.counts.value = f"<b>{text}</b> pass"

    def _count_columns(self) -> None:
        """Count the histograms anew, once the filters rest."""
        session = self._session
        self._stale = not self._awake.awake
        if session is None or self._stale:
            return
        mask = session.view.mask
        axes = {name: shown.plot.axis for name, shown in self.columns.items()}

        def count(job: Job) -> dict[str, np.ndarray]:
            return {
                name: count_column(mask, name, axis, job.cancelled)
                for name, axis in axes.items()
            }

        self._worker.submit(count, done=self._show_histograms, failed=self._report)

    def _show_histograms(self, found: dict[str, np.ndarray]) -> None:
        for name, counts in found.items():
            if name in self.columns:
                self.columns[name].plot.show_counts(counts)

    def _on_awake(self, awake: bool) -> None:
        if not awake:
            self._stale = self._stale or self._worker.busy
            self._worker.cancel()
        elif self._stale:
            self._rest()

    # ---- what the user does

    def _set(self, name: str, value: Any) -> None:
        if self._showing or self._session is None:
            return
        try:
            setattr(self._session.state.filters, name, value)
        except SeeSpotError as error:
            self._report(error)
        else:
            self._say("")

    def _on_box(self, by: str, _value: bool) -> None:
        boxes = self.boxes.get(by, {})
        chosen = {name for name, box in boxes.items() if box.value}
        # All of them is no filter; a status is always named.
        every = len(chosen) == len(boxes) and by != "status"
        self._set(by, None if every else chosen)

    def _on_cells(self) -> None:
        try:
            self._set("cells", _cells(self.cells.value))
        except StateError as error:
            self._report(error)

    def _on_highlight(self, value: str) -> None:
        if not self._showing and self._session is not None:
            self._session.state.highlight = _HIGHLIGHTS[value]  # type: ignore[assignment]  # checked by the state

    def _on_moved(self, column: str, ends: Ends) -> None:
        self._pending[column] = ends
        self._set_ranges()

    def _set_pending(self) -> None:
        """Set what was dragged since the last turn of the event loop."""
        pending, self._pending = self._pending, {}
        if self._session is None:
            return
        ranges = {**self._session.state.filters.ranges, **pending}
        kept = {name: ends for name, ends in ranges.items() if ends != (None, None)}
        try:
            self._session.state.filters.ranges.replace(kept)
        except SeeSpotError as error:
            self._report(error)
            self._show(self._session.view)
        else:
            self._say("")

    def _on_add_column(self, name: str) -> None:
        if self._showing or self._session is None or name == _COLUMN:
            return
        self.show_column(name)
        self._showing = True
        self.add_column.reset_choices()
        self.add_column.value = _COLUMN
        self._showing = False
        self._rest()

    def _on_close_column(self, name: str) -> None:
        """Take a column's filter away, and with it what it let not pass."""
        session = self._session
        if session is None or name not in self.columns:
            return
        shown = self.columns.pop(name)
        self._pending.pop(name, None)
        self._ranges.remove(shown)
        shown.native.hide()
        shown.native.deleteLater()
        with session.one_change():  # not a part of the drag before
            session.state.filters.ranges.pop(name, None)
        self._showing = True
        self.add_column.reset_choices()
        self._showing = False

    def _on_reset(self) -> None:
        if self._session is not None:
            with self._session.one_change():
                self._session.state.filters.reset()

    # ---- saved filters

    def _on_use_set(self, name: str) -> None:
        if self._showing or self._session is None or name == _SET:
            return
        try:
            filter_sets.use_filter_set(self._session, name)
        except SeeSpotError as error:
            self._report(error)
        self.save_name.value = name
        self._list_sets()

    def _on_save_set(self) -> None:
        if self._session is None:
            return
        try:
            name = self.save_name.value
            filter_sets.save_filter_set(name, self._session.state.filters)
        except SeeSpotError as error:
            self._report(error)
            return
        self._list_sets()
        self._say(f"Saved as {name}.")

    def _on_delete_set(self) -> None:
        try:
            filter_sets.delete_filter_set(self.save_name.value)
        except SeeSpotError as error:
            self._report(error)
            return
        self._list_sets()
        self._say("")

    def _list_sets(self) -> None:
        self._showing = True
        self.saved.reset_choices()
        self.saved.value = _SET
        self._showing = False

    # ---- telling

    def _say(self, text: str) -> None:
        self.message.value = text
        self.message.visible = bool(text)

    def _report(self, error: Exception) -> None:
        self._say(str(error))


def _first_columns(spots: Spots) -> list[str]:
    """Return the columns that are filtered by most: quality and intensities."""
    intensities = [f"chan_{channel}_intensity" for channel in spots.channels]
    return [name for name in (*_QUALITY, *intensities) if name in spots.numeric_columns]


def _cells(text: str) -> set[int] | None:
    """Return the cells that a text names: ``"12, 40-45"``; None for an empty one."""
    cells: set[int] = set()
    for part in text.replace(";", ",").split(","):
        if not part.strip():
            continue
        low, dash, high = part.partition("-")
        try:
            first, last = int(low), int(high if dash else low)
        except ValueError:
            first, last = 1, 0
        if first > last or last - first > 100_000:
            raise StateError(
                f"{part.strip()!r} names no cells", expected="such as 12, 40-45"
            )
        cells.update(range(first, last + 1))
    return cells or None


def _cells_text(cells: frozenset[int] | None) -> str:
    """Return how `_cells` would be told of cells."""
    numbers = np.array(sorted(cells or ()), np.int64)
    stretches = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(
        str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}"
        for part in stretches
        if len(part)
    )


def _discard(container: Container[Any]) -> None:
    """Remove and destroy what a container holds; it was made for one dataset."""
    for widget in list(container):
        container.remove(widget)
        widget.native.deleteLater()


def _close(*workers: Worker | Any) -> None:
    """End all work; Qt passes on what it has destroyed as well."""
    for worker in workers:
        if isinstance(worker, Worker):
            worker.close()
