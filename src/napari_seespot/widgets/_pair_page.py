"""The page of the Summary dock about one channel pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from magicgui.widgets import ComboBox, PushButton

from napari_seespot.figures import overview_page
from napari_seespot.plots.chart_menu import ask_path
from napari_seespot.plots.charts import Chart
from napari_seespot.plots.exports import PICTURES, save_page
from napari_seespot.plots.overview_charts import overview_charts
from napari_seespot.plots.summary_charts import no_column
from napari_seespot.widgets._flow import flow_row, narrow
from napari_seespot.widgets._frame_table import FrameTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

    from napari_seespot.overview import Axes, Overview
    from napari_seespot.plots.chart_view import ChartView
    from napari_seespot.resolve import View

__all__ = ["PairPage"]

_AXES = [("axes: percentiles", "percentile"), ("axes: min to max", "minmax")]
Pair = tuple[str, str]


class PairPage:
    """Four panels and the numbers of a pair that is chosen here or anywhere.

    Parameters
    ----------
    new_chart : callable
        Makes a panel.
    choose : callable
        Called with the pair that the user wants, or None.
    changed : callable
        Called when the panels are to be counted anew.
    guarded : callable
        Calls a function with arguments, and shows its errors.
    """

    def __init__(
        self,
        new_chart: Callable[[], ChartView],
        choose: Callable[[Pair | None], None],
        changed: Callable[[], None],
        guarded: Callable[..., None],
    ) -> None:
        self._view: View | None = None
        self._guarded = guarded
        self.summed: Overview | None = None
        # A function: magicgui asks again whenever a widget gets another parent.
        self.pair_box = ComboBox(
            choices=self._pairs, tooltip="Channels of the x and the y axis"
        )
        self.axes_box = ComboBox(
            choices=_AXES,
            tooltip="Whether a few odd values may press all others into a corner; the "
            "numbers count all spots either way",
        )
        self.save_button = PushButton(
            text="Save page…", tooltip="Panels and numbers as PNG, SVG or PDF"
        )
        boxes = (self.pair_box, self.axes_box)
        for box in boxes:
            narrow(box, 12)
        for widget in (*boxes, self.save_button):
            widget.native.setAccessibleName(widget.tooltip)
        self._row = flow_row(*boxes, self.save_button, grow=boxes)
        self.statistics = FrameTable("Statistics of the pair")
        self.views = {
            name: new_chart() for name in ("picture", "r", "dist", "channels")
        }
        self.pair_box.changed.connect(choose)
        self.axes_box.changed.connect(lambda _axes: changed())
        self.save_button.changed.connect(lambda: self._on_save())

    @property
    def widgets(self) -> list[QWidget]:
        """What the page holds, from the top."""
        return [self._row.native, self.statistics, *self.views.values()]

    @property
    def axes(self) -> Axes:
        """How the axes end."""
        axes: Any = self.axes_box.value
        return axes  # type: ignore[no-any-return]  # one of its choices

    def show_view(self, view: View | None) -> None:
        """Offer the pairs of a view, with the one that it shows; None: of nothing."""
        self._view = view
        if view is None or view.pair is None:
            self._clear()
        with self.pair_box.changed.blocked():
            self.pair_box.reset_choices()
            if view is not None and view.pair is not None:
                self.pair_box.value = view.pair

    def _pairs(self, _box: Any = None) -> list[tuple[str, Pair]]:
        view = self._view
        if view is None:
            return []
        pairs = view.dataset.channel_pairs
        if view.pair is not None and view.pair not in pairs:  # the other way round
            pairs = [view.pair, *pairs]
        label = view.dataset.label
        return [(f"{label(a)} / {label(b)}", (a, b)) for a, b in pairs]

    def show(self, summed: Overview) -> None:
        """Show a pair's summary."""
        self.summed = summed
        numbers = summed.statistics.rename("value").rename_axis("statistic")
        self.statistics.show_frame(numbers.to_frame())
        charts = overview_charts(summed, lines=self._lines)
        for name, view in self.views.items():
            view.show_chart(charts.get(name, no_column(name)))

    def _clear(self) -> None:
        self.summed = None
        self.statistics.show_frame(pd.DataFrame())
        for view in self.views.values():
            view.show_chart(Chart(""))

    @property
    def _lines(self) -> bool:
        return self._view is None or self._view.dye_lines

    def _on_save(self) -> None:
        if self.summed is None:
            return
        name = " ".join(self.summed.pair)
        path = ask_path(self._row.native, f"pair {name}", *PICTURES)
        if path is not None:
            self._guarded(self.save, path)

    def save(self, path: Path) -> None:
        """Write panels and numbers to a file."""
        if self.summed is not None:
            save_page(overview_page(self.summed, lines=self._lines), path)
