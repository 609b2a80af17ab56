"""The dock that sums a dataset up: counts, flow, quality, a pair, ratios, memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Label, PushButton
from qtpy.QtWidgets import QLabel

from napari_seespot.figures import report_pages
from napari_seespot.filter_text import filters_text
from napari_seespot.plots import exports
from napari_seespot.plots.chart_menu import ask_path
from napari_seespot.plots.summary_charts import ratio_chart
from napari_seespot.widgets._chart_dock import ChartDock
from napari_seespot.widgets._frame_table import FrameTable
from napari_seespot.widgets._pages import Pages
from napari_seespot.widgets._pair_page import PairPage
from napari_seespot.widgets._summary_parts import (
    Part,
    counts_parts,
    flow_parts,
    pair_parts,
    quality_parts,
)
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari.viewer
    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.plots.pages import Page
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["SummaryWidget"]

_CLASSES = [
    ("status", "status"),
    ("detected channel", "chan"),
    ("unmixed channel", "unmixed_chan"),
]


_PLANES = ("Quality", "Pair")
"""Pages with a plane of two columns, in which one can draw."""


class SummaryWidget(ChartDock):
    """Counts of one dataset, drawn and in numbers; a click selects the spots.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    depends_on = frozenset({"dataset", "mask", "pair", "dye_lines"})

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
        self.tools = self.new_tools()
        self.pair_page = PairPage(
            self.new_chart, self._on_pair, lambda: self._request(), self.guarded
        )
        self.differences = FrameTable("Summary of the pipeline against the table")
        self.flow_table = FrameTable("Flow")
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
                    views["r_dist"],
                    views["r"],
                    views["dist"],
                ],
                "Pair": self.pair_page.widgets,
                "Ratios": [views["ratios"]],
                "Memory": [self._memory_text, self.memory],
            }
        )
        self.report_button = PushButton(
            text="Report (PDF)…",
            tooltip="Write all figures, of the spots that are counted here, on the "
            "pages of a PDF",
        )
        self._content.extend(
            [
                self.new_follow_box(),
                self.counted,
                self.report_button,
                self.tools,
                self._note,
            ]
        )
        self._content.native.layout().addWidget(self.pages)
        self._content.native.layout().addStretch(1)
        self.pages.turned.connect(self._on_turned)
        self.by_box.changed.connect(lambda _by: self._request())
        self.report_button.changed.connect(lambda: self._on_report())
        self.begin()
        self._on_turned(self.pages.current)

    def _attach(self, session: Session) -> None:
        for chart in self.charts:
            chart.show_message("")
        self.pair_page.show_view(session.view)
        super()._attach(session)

    def _detach(self) -> None:
        super()._detach()
        self._reporter.cancel()
        self._told = None
        self.pair_page.show_view(None)

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if names & {"dataset", "pair", "dye_lines"}:
            self.pair_page.show_view(view)
        super()._refresh(view, names)

    def _on_turned(self, page: str) -> None:
        self.tools.visible = page in _PLANES
        self._request()

    def _on_pair(self, pair: tuple[str, str] | None) -> None:
        if self._session is not None and pair is not None:
            self._session.state.pair = pair

    # ---- making

    def _compute(self, view: View) -> None:
        page, by = self.pages.current, str(self.by_box.value)
        told, axes = self._told, self.pair_page.axes
        # Evaluated in the worker: masks of all rows are slow the first time.
        follows = self.follows

        def make(job: Job) -> Iterator[Part]:
            where = view.where if follows else None
            if page == "Counts":
                yield from counts_parts(view, where, told, job.cancelled)
            elif page == "Flow":
                yield from flow_parts(view, where)
            elif page == "Quality":
                yield from quality_parts(view, where, by, job.cancelled)
            elif page == "Pair":
                yield from pair_parts(view, where, axes, job.cancelled)
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
        view, follows = session.view, self.follows
        filters = filters_text(session.state, follows)
        title = session.dataset.name

        def count(job: Job) -> list[Page]:
            pages = []
            for page in report_pages(view, filters, follows, job.cancelled):
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
        elif name == "pair":
            self.pair_page.show(part)
        else:
            self.say(part)

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
