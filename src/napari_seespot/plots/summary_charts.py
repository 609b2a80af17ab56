"""The charts of a summary: counts, ratios, distributions, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.coloring import class_colors, gradient
from napari_seespot.palette import STATUS_COLORS, channel_colors
from napari_seespot.picks import Pick, Span
from napari_seespot.plots.charts import (
    NOTHING,
    Axis,
    Chart,
    Ramp,
    number_text,
    stacked,
)
from napari_seespot.plots.marks import Bar, Mark

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset
    from napari_seespot.densities import Histogram

__all__ = [
    "channels_chart",
    "chart_colors",
    "histogram_chart",
    "no_column",
    "ratio_chart",
    "status_chart",
]


def status_chart(
    table: pd.DataFrame, dataset: Dataset, told: pd.DataFrame | None = None
) -> Chart:
    """Draw unchanged, reassigned and removed spots of each channel of detection.

    Parameters
    ----------
    table : DataFrame
        From `status_table`.
    dataset : Dataset
    told : DataFrame, optional
        From `compare_summary`; says in the caption how the pipeline's summary
        differs.
    """
    marks: list[Mark] = []
    for place, (channel, counts) in enumerate(table.iterrows()):
        total = int(counts.sum())
        for (low, high), (status, count) in zip(
            stacked(counts.tolist()), counts.items(), strict=True
        ):
            name, chan = str(status), str(channel)
            tip = f"{dataset.label(chan)}: {count:,} {name} ({_share(count, total)})"
            if count:
                marks.append(
                    Bar(
                        (low, high),
                        (place + 0.12, place + 0.88),
                        STATUS_COLORS[name],
                        Pick(chan=chan, status=name),
                        tip,
                        f"{count:,}",
                    )
                )
    top = float(table.sum(axis=1).max() or 1) if len(table) else 1.0
    totals = table.sum()
    return Chart(
        "Spots by channel of detection",
        tuple(marks),
        Axis((0, top * 1.02), "spots"),
        Axis((len(table), 0), names=_labels(table.index, dataset)),
        legend=tuple(
            (f"{name} {int(totals[name]):,}", color)
            for name, color in STATUS_COLORS.items()
        ),
        caption=_difference_text(told),
        data=table.rename_axis("chan"),
        aspect=0.16 * max(len(table), 2) + 0.25,
    )


def _difference_text(told: pd.DataFrame | None) -> str:
    if told is None or not len(told):
        return ""
    off = told[told["difference"] != 0]
    if not len(off):
        return f"The pipeline's summary agrees in all {len(told)} numbers."
    largest = int(off["difference"].abs().max())
    return (
        f"The pipeline's summary differs in {len(off)} of {len(told)} numbers, "
        f"by {largest:,} at most: see the table."
    )


def channels_chart(counts: pd.Series[int], dataset: Dataset) -> Chart:
    """Draw how many spots each channel of detection has."""
    colors = channel_colors(dataset.channels)
    marks = tuple(
        Bar(
            (place + 0.15, place + 0.85),
            (0, float(count)),
            colors[str(chan)],
            Pick(chan=str(chan)),
            f"{dataset.label(str(chan))}: {count:,} spots",
            f"{count:,}",
        )
        for place, (chan, count) in enumerate(counts.items())
    )
    return Chart(
        "Spots per channel",
        marks,
        Axis((0, max(len(counts), 1)), names=_labels(counts.index, dataset, "\n")),
        Axis((0, 1.05 * float(max(counts.max(), 1)) if len(counts) else 1), "spots"),
        data=counts.rename("spots").rename_axis("chan").to_frame(),
    )


def ratio_chart(dataset: Dataset) -> Chart:
    """Draw the ratio matrix: how strongly each dye shows in each channel."""
    ratios = dataset.ratios
    if ratios is None:
        return Chart("Unmixing ratios", caption="This dataset has no ratios.")
    steps = gradient()
    values = ratios.to_numpy(float)
    high = float(np.nanmax(values)) if values.size else 1.0
    marks: list[Mark] = []
    for row, dye in enumerate(map(str, ratios.index)):
        for column, channel in enumerate(map(str, ratios.columns)):
            value = values[row, column]
            share = value / high if high > 0 else 0.0
            red, green, blue = steps[int(255 * min(max(share, 0), 1))][:3]
            chan = channel if channel in dataset.channels else None
            pick = None if chan is None else Pick(chan=chan, unmixed_chan=dye)
            if dye not in dataset.channels:
                pick = None
            tip = (
                f"Dye {dye} shows in channel {channel} with {value:g}; a click "
                f"selects the spots detected in {channel} and given to {dye}"
            )
            marks.append(
                Bar(
                    (column, column + 1), (row, row + 1),
                    f"#{red:02x}{green:02x}{blue:02x}", pick, tip, f"{value:g}",
                )
            )  # fmt: skip
    return Chart(
        "Unmixing ratios",
        tuple(marks),
        Axis(
            (0, len(ratios.columns)),
            "channel",
            names=_labels(ratios.columns, dataset, "\n"),
        ),
        Axis((len(ratios), 0), "dye", names=tuple(map(str, ratios.index))),
        ramp=Ramp(steps, "0", f"{high:g}", "signal"),
        data=ratios.rename_axis("dye"),
        aspect=0.75,
    )


def histogram_chart(
    counted: Histogram,
    dataset: Dataset,
    by: str = "status",
    label: str = "",
    caption: str = "",
) -> Chart:
    """Draw a histogram, its classes, by `by`, on top of each other."""
    classes = counted.classes or ("all",)
    counts = np.atleast_2d(counted.counts)
    colors = chart_colors(classes, dataset)
    edges, marks = counted.edges, list[Mark]()
    ends = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, 0)])
    last = counts.shape[1] - 1
    for code, name in enumerate(classes):
        for place in np.flatnonzero(counts[code]):
            low, high = float(edges[place]), float(edges[place + 1])
            span = Span(counted.column, low, high, bool(place == last))
            kind = {by: name} if counted.classes else {}
            marks.append(
                Bar(
                    (low, high),
                    (float(ends[code, place]), float(ends[code + 1, place])),
                    colors[name],
                    Pick(**kind, spans=(span,)),
                    f"{number_text(low)} to {number_text(high)}: "
                    f"{counts[code, place]:,} {name}",
                )
            )
    top = float(max(counts.sum(axis=0).max(initial=0), 1))
    table = pd.DataFrame(counts.T, columns=list(classes))
    table.insert(0, "high", edges[1:])
    table.insert(0, "low", edges[:-1])
    return Chart(
        f"Distribution of {counted.column}",
        tuple(marks),
        Axis((float(edges[0]), float(edges[-1])), label or counted.column),
        Axis((0, 1.04 * top), "spots"),
        legend=tuple(
            (f"{name} {int(count):,}", colors[name])
            for name, count in zip(classes, counts.sum(axis=1), strict=True)
            if len(classes) > 1
        ),
        caption=caption,
        data=table,
    )


def no_column(*names: str) -> Chart:
    """Return what stands in the place of a chart of columns that a table lacks."""
    return Chart(
        f"No {' and no '.join(names)}",
        x=Axis(shown=False),
        y=Axis(shown=False),
        caption="The table has no such column.",
    )


def chart_colors(classes: tuple[str, ...], dataset: Dataset) -> dict[str, str]:
    """Return the colours of classes, of whatever kind; ``"all"`` has one too."""
    channels = tuple(dataset.channels)
    known = {
        **class_colors("unmixed_chan", channels),
        **class_colors("status", channels),
        "all": "#56b4e9",
    }
    return {name: known[name] for name in classes}


def _labels(
    channels: pd.Index, dataset: Dataset, between: str = " · "
) -> tuple[str, ...]:
    return tuple(dataset.label(str(name)).replace(" · ", between) for name in channels)


def _share(part: float, total: float) -> str:
    return f"{part / total:.1%}" if total else NOTHING
