"""Densities as charts: their colours on any background, their bins to be clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.coloring import gradient
from napari_seespot.picks import Pick, Span
from napari_seespot.plots.charts import Axis, Chart, Ramp, number_text
from napari_seespot.plots.dye_line_marks import line_marks
from napari_seespot.plots.marks import Mark, Picture
from napari_seespot.plots.shades import Shades
from napari_seespot.plots.shading import shade_classes, shade_counts
from napari_seespot.plots.summary_charts import chart_colors

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from napari_seespot.dataset import Dataset
    from napari_seespot.densities import Density
    from napari_seespot.plots.shading import CountScale

__all__ = ["bin_teller", "count_ramp", "density_chart", "density_table"]

_GREY = np.array([[128, 128, 128, 255]], np.uint8)


def density_chart(
    counted: Density,
    dataset: Dataset,
    *,
    title: str,
    labels: tuple[str, str],
    pair: tuple[str, str] | None = None,
    caption: str = "",
) -> Chart:
    """Draw a density, its hue by class where it was counted by class.

    Parameters
    ----------
    counted : Density
        On linear axes.
    dataset : Dataset
    title : str
    labels : (str, str)
        Of x and y.
    pair : (str, str), optional
        Channels of which to draw the dye lines.
    caption : str

    Returns
    -------
    Chart
        A click on a bin is a `Pick` of the spots in it.
    """
    x = (float(counted.x_edges[0]), float(counted.x_edges[-1]))
    y = (float(counted.y_edges[0]), float(counted.y_edges[-1]))
    legend: tuple[tuple[str, str], ...] = ()
    total = counted.counts
    if counted.classes:
        total = counted.counts.sum(axis=0)
        colors = chart_colors(counted.classes, dataset)
        table = np.array([_bytes(colors[name]) for name in counted.classes], np.uint8)
        shades = Shades(
            lambda theme: shade_classes(counted.counts, table, "log", dark=theme.dark)
        )
        sums = counted.counts.sum(axis=(1, 2))
        legend = tuple(
            (f"{name} {int(count):,}", colors[name])
            for name, count in zip(counted.classes, sums, strict=True)
        )
    else:
        shades = Shades(
            lambda theme: shade_counts(counted.counts, "log", dark=theme.dark)
        )
    marks: list[Mark] = [Picture(shades, x, y, bin_teller(counted))]
    if pair is not None:
        marks += line_marks(dataset, pair, (*x, *y))
    return Chart(
        title,
        tuple(marks),
        Axis(x, labels[0]),
        Axis(y, labels[1]),
        legend,
        count_ramp(int(total.max(initial=0)), "log", by_class=bool(counted.classes)),
        caption,
        density_table(counted),
        aspect=0.85,
        columns=(counted.x, counted.y),
    )


def count_ramp(most: int, scale: CountScale, *, by_class: bool) -> Ramp | None:
    """Return the colour bar of counts; None where no bin holds more than one spot.

    Parameters
    ----------
    most : int
        Spots in the fullest bin.
    scale : str
    by_class : bool
        Hue tells the class: only the lightness tells how many.
    """
    if most <= 1:
        return None
    share = np.linspace(0, 1, 216)
    counts = most**share if scale == "log" else 1 + (most - 1) * share

    def table(theme: Any) -> np.ndarray:
        if by_class:
            line = counts[None, None]
            return np.asarray(shade_classes(line, _GREY, scale, dark=theme.dark)[0])
        return (gradient() if theme.dark else gradient()[::-1])[40:]

    return Ramp(Shades(table), "1", f"{most:,}", f"spots a bin ({scale})")


def bin_teller(
    counted: Density,
) -> Callable[[int, int], tuple[Hashable, str] | None]:
    """Return what tells which rows a bin holds, by line and column."""
    names = counted.classes

    def tell(line: int, column: int) -> tuple[Hashable, str] | None:
        held = counted.counts[..., line, column]
        total = int(held.sum())
        if not total:
            return None
        spans = (
            _span(counted.x, counted.x_edges, column),
            _span(counted.y, counted.y_edges, line),
        )
        where = ", ".join(
            f"{span.column} {number_text(span.low)} to {number_text(span.high)}"
            for span in spans
        )
        kinds = ", ".join(
            f"{int(count):,} {name}"
            for name, count in zip(names, np.atleast_1d(held), strict=False)
            if count
        )
        spots = "spot" if total == 1 else "spots"
        tip = f"{total:,} {spots}{': ' + kinds if kinds else ''}\n{where}"
        return Pick(spans=spans), tip

    return tell


def _span(column: str, edges: np.ndarray, place: int) -> Span:
    low, high = float(edges[place]), float(edges[place + 1])
    return Span(column, low, high, closed=place == len(edges) - 2)


def density_table(counted: Density) -> pd.DataFrame:
    """Return the bins that hold spots: their edges and counts, by class."""
    counts = counted.counts if counted.classes else counted.counts[None]
    lines, columns = np.nonzero(counts.sum(axis=0))
    table = {
        "x_low": counted.x_edges[columns],
        "x_high": counted.x_edges[columns + 1],
        "y_low": counted.y_edges[lines],
        "y_high": counted.y_edges[lines + 1],
    }
    for place, name in enumerate(counted.classes or ("spots",)):
        table[name] = counts[place, lines, columns]
    return pd.DataFrame(table)


def _bytes(color: str) -> list[int]:
    return [*(int(color[i : i + 2], 16) for i in (1, 3, 5)), 255]
