"""The dock that shows what reassigned and removed spots have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, SpinBox

from napari_seespot.neighbours import clustering
from napari_seespot.patterns import flow_distributions, share_by_column
from napari_seespot.plots.pattern_charts import (
    clustering_chart,
    flow_chart,
    share_chart,
)
from napari_seespot.widgets._chart_dock import ChartDock
from napari_seespot.widgets._frame_table import FrameTable
from napari_seespot.widgets._pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari.viewer
    import pandas as pd

    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["PatternsWidget"]

_ALL = "all channels"
_NOT_ALONG = ("spot_id", "chan_spot_id")


class PatternsWidget(ChartDock):
    """Distributions by flow, shares along a column, and clustering.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "seespot-patterns", rest_ms=400)
        self._flows: pd.DataFrame | None = None
        self.measure_box = ComboBox(
            choices=self._measures, tooltip="What the boxes show the distribution of"
        )
        self.chan_box = ComboBox(
            choices=self._channels, tooltip="Flows from this channel of detection"
        )
        self.column_box = ComboBox(
            choices=self._columns, tooltip="Along which column the shares are counted"
        )
        self.bins_box = SpinBox(
            min=2, max=100, value=10, tooltip="Bins of equal counts"
        )
        self.k_box = SpinBox(min=1, max=100, value=10, tooltip="Nearest neighbours")
        self.sample_box = SpinBox(
            min=100,
            max=200_000,
            value=5000,
            step=1000,
            tooltip="Spots sampled of each status; more make the interval narrower",
        )
        self.views = {
            name: self.new_chart() for name in ("flow", "share", "clustering")
        }
        self.tables = {
            "flow": FrameTable("Distributions by flow"),
            "share": FrameTable("Shares"),
            "clustering": FrameTable("Clustering"),
        }
        self.pages = Pages(
            {
                "Flows": [
                    _row("", self.measure_box, self.chan_box).native,
                    self.views["flow"],
                    self.tables["flow"],
                ],
                "Shares": [
                    _row("Along", self.column_box, self.bins_box).native,
                    self.views["share"],
                    self.tables["share"],
                ],
                "Clustering": [
                    _row("Neighbours, sample", self.k_box, self.sample_box).native,
                    self.views["clustering"],
                    self.tables["clustering"],
                ],
            }
        )
        self._content.extend([self.new_follow_box(), self._note])
        self._content.native.layout().addWidget(self.pages)
        self._content.native.layout().addStretch(1)
        self._connect()
        self.begin()

    def _connect(self) -> None:
        self.pages.turned.connect(lambda _name: self._request())
        for box in (self.column_box, self.bins_box, self.k_box, self.sample_box):
            box.changed.connect(lambda _value: self._request())
        for box in (self.measure_box, self.chan_box):
            box.changed.connect(lambda _value: self._show_flows())

    # ---- choices: functions, for magicgui asks again when a box gets a parent

    def _measures(self, _box: Any = None) -> list[str]:
        if self._flows is None:
            return []
        return list(dict.fromkeys(self._flows["measure"]))

    def _channels(self, _box: Any = None) -> list[tuple[str, str]]:
        if self._session is None:
            return [(_ALL, _ALL)]
        dataset = self._session.dataset
        named = [(f"from {dataset.label(name)}", name) for name in dataset.channels]
        return [(_ALL, _ALL), *named]

    def _columns(self, _box: Any = None) -> list[str]:
        if self._session is None:
            return []
        columns = self._session.dataset.spots.numeric_columns
        first = [name for name in ("r", "z") if name in columns]
        return [
            *first,
            *(name for name in columns if name not in (*first, *_NOT_ALONG)),
        ]

    # ---- the session

    def _attach(self, session: Session) -> None:
        self._flows = None
        for box in (self.chan_box, self.column_box, self.measure_box):
            with box.changed.blocked():
                box.reset_choices()
        with self.chan_box.changed.blocked():
            # All flows at once are too many to tell apart.
            self.chan_box.value = next(iter(session.dataset.channels), _ALL)
        super()._attach(session)

    def _detach(self) -> None:
        super()._detach()
        self._flows = None

    def _compute(self, view: View) -> None:
        page, follows = self.pages.current, self.follows
        column, bins = self.column_box.value, int(self.bins_box.value)
        k, n = int(self.k_box.value), int(self.sample_box.value)
        counts_removed = not follows or _removed_pass(view)

        def make(job: Job) -> Iterator[tuple[str, Any]]:
            where = view.where if follows else None
            job.check()
            if page == "Flows":
                yield "flow", flow_distributions(view.spots, where, job.cancelled)
            elif page == "Clustering":
                voxel = view.dataset.voxel_size
                table = clustering(
                    view.spots,
                    voxel,
                    k,
                    n,
                    where=where,
                    cancelled=job.cancelled,
                )
                yield "clustering", (table, k)
            elif column is not None:
                table = share_by_column(view.spots, str(column), bins, where)
                yield "share", (table, str(column), counts_removed)

        for chart in self.views.values():
            chart.show_message("" if chart.chart.marks else "Counting …")
        self.run(make)

    # ---- showing

    def _on_busy(self, busy: bool) -> None:
        self.say("Counting …" if busy else "")

    def _show_part(self, name: str, part: Any) -> None:
        if name == "flow":
            self._flows = part
            with self.measure_box.changed.blocked():
                self.measure_box.reset_choices()
            self._show_flows()
        elif name == "share":
            table, column, counts_removed = part
            self.views[name].show_chart(share_chart(table, column, counts_removed))
            if not counts_removed:
                table = table.drop(columns="removed")
            self.tables[name].show_frame(table)
        else:
            table, k = part
            self.views[name].show_chart(clustering_chart(table, k))
            self.tables[name].show_frame(table)

    def _show_flows(self) -> None:
        if self._flows is None or self._session is None:
            return
        measure, chan = self.measure_box.value or "r", self.chan_box.value
        only = None if chan in (None, _ALL) else str(chan)
        chart = flow_chart(self._flows, self._session.dataset, str(measure), only)
        self.views["flow"].show_chart(chart)
        self.tables["flow"].show_frame(chart.data)


def _removed_pass(view: View) -> bool:
    """Return whether the filters let removed spots pass at all."""
    return bool(view.mask.codes[view.spots.class_of_code("status") == 2].any())


def _row(label: str, *widgets: Any) -> Container[Any]:
    row: Container[Any] = Container(
        layout="horizontal", labels=False, widgets=list(widgets)
    )
    row.margins = (0, 0, 0, 0)
    for widget in widgets:
        widget.native.setMinimumWidth(60)
        widget.native.setAccessibleName(label or widget.tooltip)
    return row
