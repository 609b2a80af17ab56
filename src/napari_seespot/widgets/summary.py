"""The dock that sums a dataset up: counts, flow, quality, a pair, ratios, memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Label, PushButton
from qtpy.QtWidgets import QLabel

from napari_seespot.densities import density, histogram
from napari_seespot.errors import SeeSpotError
from napari_seespot.figures import filters_text, report_pages
from napari_seespot.overview import overview
from napari_seespot.plots import exports
from napari_seespot.plots.chart_menu import ask_path
from napari_seespot.plots.sankey import sankey_chart
from napari_seespot.plots.summary_charts import (
    channels_chart,
    density_chart,
    histogram_chart,
    ratio_chart,
    status_chart,
)
from napari_seespot.summary import compare_summary, status_table
from napari_seespot.unmixing import dye_lines
from napari_seespot.widgets._chart_dock import ChartDock
from napari_seespot.widgets._frame_table import FrameTable
from napari_seespot.widgets._pages import Pages
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari.viewer
    import numpy as np
    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.exports import Page
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["SummaryWidget"]

Part = tuple[str, Any]

_CLASSES = [
    ("status", "status"),
    ("detected channel", "chan"),
    ("unmixed channel", "unmixed_chan"),
]
_LABELS = {
    "r": "r: correlation with the point-spread function",
    "dist": "dist: voxels from the fitted centre",
}
_BINS = 60


class SummaryWidget(ChartDock):
    """Counts of one dataset, drawn and in numbers; a click selects the spots.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    depends_on = frozenset({"dataset", "mask", "pair"})

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "seespot-summary")
        # A worker of its own: a new filter must not end a report.
        self._reporter = Worker("seespot-report")
        self.native.destroyed.connect(partial(_close, self._reporter))
        self._told: tuple[Dataset, pd.DataFrame] | None = None
        self.by_box = ComboBox(
            choices=_CLASSES, tooltip="What the colours of the histograms tell"
        )
        self.counted = Label(value="")
        names = ("status", "channels", "flow", "r", "dist", "r_dist", "ratios")
        self.views = {name: self.new_chart() for name in names}
        self.pair_views = {
            name: self.new_chart() for name in ("picture", "r", "dist", "channels")
        }
        self.differences = FrameTable("Summary of the pipeline against the table")
        self.flow_table = FrameTable("Flow")
        self.statistics = FrameTable("Statistics of the pair")
        self.memory = FrameTable("Memory by column")
        self._memory_text = QLabel()
        self._told_text = QLabel()
        for label in (self._memory_text, self._told_text):
            label.setWordWrap(True)
        views = self.views
        self.pages = Pages(
            {
                "Counts": [
                    views["status"],
                    self._told_text,
                    self.differences,
                    views["channels"],
                ],
                "Flow": [views["flow"], self.flow_table],
                "Quality": [
                    self.by_box.native,
                    views["r"],
                    views["dist"],
                    views["r_dist"],
                ],
                "Pair": [self.statistics, *self.pair_views.values()],
                "Ratios": [views["ratios"]],
                "Memory": [self._memory_text, self.memory],
            }
        )
        self.report_button = PushButton(
            text="Report (PDF)…",
            tooltip="Write all figures, of the spots that pass, on the pages of a PDF",
        )
        self._content.extend(
            [self.new_follow_box(), self.counted, self.report_button, self._note]
        )
        self._content.native.layout().addWidget(self.pages)
        self._content.native.layout().addStretch(1)
        self.pages.turned.connect(lambda _name: self._request())
        self.by_box.changed.connect(lambda _by: self._request())
        self.report_button.changed.connect(lambda: self._on_report())
        self.begin()

    def _attach(self, session: Session) -> None:
        for chart in self.charts:
            chart.show_message("")
        super()._attach(session)

    def _detach(self) -> None:
        super()._detach()
        self._reporter.cancel()
        self._told = None

    def _themed(self) -> None:
        self._request()  # densities are shaded for their background

    # ---- making

    def _compute(self, view: View) -> None:
        page, by = self.pages.current, str(self.by_box.value)
        dark, told = self.theme.dark, self._told
        # Evaluated in the worker: masks of all rows are slow the first time.
        follows = self.follows

        def make(job: Job) -> Iterator[Part]:
            where = view.where if follows else None
            if page == "Counts":
                yield from _counts(view, where, told, job)
            elif page == "Flow":
                yield from _flow(view, where)
            elif page == "Quality":
                yield from _quality(view, where, by, dark, job)
            elif page == "Pair":
                yield from _pair(view, where, dark)
            elif page == "Ratios":
                yield "ratios", ratio_chart(view.dataset)
            else:
                yield "memory", view.spots.memory_report()

        n, passing = len(view.spots), view.mask.count if follows else len(view.spots)
        self.counted.value = f"<b>{passing:,} of {n:,} spots</b>"
        self.run(make)

    # ---- the report

    def _on_report(self) -> None:
        session = self._session
        if session is None:
            return
        path = ask_path(self.native, f"{session.dataset.name} report", ".pdf")
        if path is not None:
            self.write_report(path)

    def write_report(self, path: Path) -> None:
        """Have all figures counted, and write them once they are."""
        session = self._session
        if session is None:
            return
        view, filters = session.view, filters_text(session)
        title = session.dataset.name

        def count(job: Job) -> list[Page]:
            pages = []
            for page in report_pages(view, filters, job.cancelled):
                job.check()
                job.progress(0.0, f"Report: {page.heading.partition(chr(10))[0]} …")
                pages.append(page)
            return pages

        def write(pages: list[Page]) -> None:
            self.guarded(save_pages, pages, path)

        def save_pages(pages: list[Page], path: Path) -> None:
            exports.save_pages(pages, path, title=title)
            self.say(f"Written: {path}")

        self._reporter.submit(
            count,
            done=write,
            failed=self.report,
            progress=lambda _share, text: self.say(text),
        )

    # ---- showing

    def _show_part(self, name: str, part: Any) -> None:
        self.say("")
        if name in self.views:
            self.views[name].show_chart(part)
        elif name == "flow_table":
            self.flow_table.show_frame(part)
        elif name == "told":
            self._show_told(part)
        elif name == "memory":
            self._show_memory(part)
        elif name == "statistics":
            self.statistics.show_frame(part)
        elif name == "say":
            self.say(part)
        else:
            self.pair_views[name.removeprefix("pair ")].show_chart(part)

    def _show_told(self, told: pd.DataFrame) -> None:
        if self._session is not None:
            self._told = (self._session.dataset, told)
        self.differences.setVisible(len(told) > 0)
        self.differences.show_frame(told)
        self._told_text.setText(
            "The pipeline's summary against all rows of the table, each counted in "
            "the same way: its totals are by nearest dye line, not by the channel "
            "of detection as in the bars above."
            if len(told)
            else "This dataset has no summary of the pipeline to compare with."
        )

    def _show_memory(self, report: pd.DataFrame) -> None:
        here, plain = int(report["bytes"].sum()), int(report["pandas_bytes"].sum())
        n = max(1, len(self._session.dataset.spots) if self._session else 1)
        self._memory_text.setText(
            f"{_megabytes(here)} here, {here / n:.1f} bytes a spot; as pandas holds "
            f"the same columns: {_megabytes(plain)}, {plain / n:.1f} bytes a spot. "
            "A cached table is mapped from its file, not held in memory."
        )
        self.memory.show_frame(report)


def _close(worker: Worker, *_: Any) -> None:
    """End all work; Qt passes on what it has destroyed as well."""
    worker.close()


def _megabytes(n: int) -> str:
    return f"{n / 1e6:,.1f} MB"


def _counts(
    view: View,
    where: np.ndarray | None,
    told: tuple[Dataset, pd.DataFrame] | None,
    job: Job,
) -> Iterator[Part]:
    dataset = view.dataset
    table = status_table(view.spots, where)
    known = told[1] if told is not None and told[0] is dataset else None
    yield "status", status_chart(table, dataset, known)
    yield "channels", channels_chart(table.sum(axis=1), dataset)
    if known is None:
        known = compare_summary(dataset, job.cancelled)
        yield "status", status_chart(table, dataset, known)
    yield "told", known


def _flow(view: View, where: np.ndarray | None) -> Iterator[Part]:
    flow = view.spots.flow(where)
    labels = {name: view.dataset.label(name) for name in view.spots.channels}
    yield "flow", sankey_chart(flow, labels)
    yield "flow_table", flow


def _quality(
    view: View, where: np.ndarray | None, by: str, dark: bool, job: Job
) -> Iterator[Part]:
    spots, dataset = view.spots, view.dataset
    missing = [name for name in _LABELS if name not in spots.columns]
    for name, label in _LABELS.items():
        if name not in missing:
            counted = histogram(
                spots, name, _BINS, by=by, where=where, cancelled=job.cancelled
            )
            yield name, histogram_chart(counted, dataset, by, label)
    if missing:
        yield "say", f"This table has no column {' and no '.join(missing)}."
        return
    picture = density(
        spots, "r", "dist", 128, by=by, where=where, cancelled=job.cancelled
    )
    yield (
        "r_dist",
        density_chart(
            picture, dataset, title="r against dist", labels=("r", "dist"), dark=dark
        ),
    )


def _pair(view: View, where: np.ndarray | None, dark: bool) -> Iterator[Part]:
    dataset, pair = view.dataset, view.pair
    if pair is None:
        yield "say", "A pair needs two spot channels."
        return
    summed = overview(view.spots, pair, where)
    statistics = summed.statistics.rename("value").rename_axis("statistic")
    yield "statistics", statistics.to_frame()
    labels = tuple(f"{dataset.label(name)} intensity" for name in pair)
    try:
        lines = tuple(dye_lines(dataset.ratios, pair))
    except SeeSpotError as error:
        lines = ()
        yield "say", str(error)
    charts: dict[str, Chart] = {
        "picture": density_chart(
            summed.picture,
            dataset,
            title=" / ".join(map(dataset.label, pair)),
            labels=(labels[0], labels[1]),
            dark=dark,
            lines=lines,
            caption="All spots, from the lowest to the highest intensity",
        ),
        "channels": channels_chart(summed.channels, dataset),
    }
    for name, counted in (("r", summed.r), ("dist", summed.dist)):
        if counted is not None:
            charts[name] = histogram_chart(counted, dataset, label=_LABELS[name])
    for name, chart in charts.items():
        yield f"pair {name}", chart
