"""The charts of patterns: boxes of flows, shares along a column, clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.palette import STATUS_COLORS
from napari_seespot.picks import Pick, Span
from napari_seespot.plots.charts import Axis, Chart, number_text, short_number
from napari_seespot.plots.marks import Bar, Dots, Mark, Path
from napari_seespot.plots.scales import LINEAR, PlotScale

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from napari_seespot.dataset import Dataset

__all__ = ["GROUPS", "clustering_chart", "flow_chart", "share_chart"]

_QUANTILES = ("q05", "q25", "q50", "q75", "q95")

GROUPS = {
    "flow": STATUS_COLORS["reassigned"],
    "unchanged chan": "#56b4e9",
    "unchanged unmixed_chan": "#1fc491",
}
"""Groups of `flow_distributions` and their colours."""

_GROUP_NAMES = {
    "flow": "the flow",
    "unchanged chan": "unchanged of the detected channel",
    "unchanged unmixed_chan": "unchanged of the unmixed channel",
}
_WIDTH = 0.24
_RATIO = PlotScale("asinh", 0.1)
"""Of intensity ratios: over channels with little light they reach hundreds and, where
the background was brighter, below 0; of interest are those from 0.01 to 10."""


def flow_chart(
    table: pd.DataFrame, dataset: Dataset, measure: str, chan: str | None = None
) -> Chart:
    """Draw the distributions of a measure for each flow, as boxes.

    Parameters
    ----------
    table : DataFrame
        From `flow_distributions`.
    dataset : Dataset
    measure : str
    chan : str, optional
        Only flows from this channel.

    Returns
    -------
    Chart
        Boxes from the 25th to the 75th percentile with the median, whiskers
        from the 5th to the 95th, and the mean as a dot where it is in view. The
        axis of intensity ratios is an asinh.
    """
    shown = table[table["measure"] == measure]
    if chan is not None:
        shown = shown[shown["chan"] == chan]
    scale = _RATIO if measure == "intensity_ratio" else LINEAR
    flows = list(dict.fromkeys(zip(shown["chan"], shown["unmixed_chan"], strict=True)))
    marks: list[Mark] = []
    for line in shown.to_dict("records"):
        place = flows.index((line["chan"], line["unmixed_chan"]))
        step = list(GROUPS).index(line["group"])
        marks += _box(line, place + 0.5 + (step - 1) * 1.15 * _WIDTH, scale)
    limits = _limits(scale.to(shown[["q05", "q95"]].to_numpy(float)))
    caption = "" if flows else "No spot that counts was reassigned."
    if flows and scale is not LINEAR:
        caption = f"Linear from -{scale.width:g} to {scale.width:g}, log beyond."
    return Chart(
        f"{measure} of reassigned spots",
        tuple(marks),
        Axis(
            (0, max(len(flows), 1)),
            names=tuple(f"{a}\n→ {b}" for a, b in flows),
        ),
        Axis(limits, measure, ticks=_ticks(limits, scale)),
        legend=tuple((_GROUP_NAMES[name], GROUPS[name]) for name in GROUPS),
        caption=caption,
        data=shown.reset_index(drop=True),
        aspect=0.75,
    )


def _ticks(
    limits: tuple[float, float], scale: PlotScale
) -> tuple[tuple[float, str], ...]:
    """Return the ticks of an axis; none, for round ones, where it is linear."""
    if scale is LINEAR:
        return ()
    powers = [10.0**power for power in range(0, 12, 2)]
    values = [*(-power for power in reversed(powers)), 0.0, *powers]
    places = [(float(scale.to(value)), short_number(value)) for value in values]
    return tuple(tick for tick in places if limits[0] <= tick[0] <= limits[1])


def _box(line: dict[Hashable, Any], x: float, scale: PlotScale) -> list[Mark]:
    if not line["count"]:
        return []
    q = {name: float(line[name]) for name in _QUANTILES}
    at = {name: float(scale.to(value)) for name, value in q.items()}
    color = GROUPS[str(line["group"])]
    half = _WIDTH / 2
    whisker = (np.array([x, x]),)
    tip = (
        f"{line['chan']} → {line['unmixed_chan']}, {_GROUP_NAMES[str(line['group'])]}: "
        f"{int(line['count']):,} spots, median {number_text(q['q50'])}, "
        f"half of them from {number_text(q['q25'])} to {number_text(q['q75'])}"
    )
    return [
        Path(*whisker, np.array([at["q05"], at["q25"]]), color),
        Path(*whisker, np.array([at["q75"], at["q95"]]), color),
        Bar((x - half, x + half), (at["q25"], at["q75"]), color, _rows(line), tip),
        Path(
            np.array([x - half, x + half]),
            np.array([at["q50"], at["q50"]]),
            "text",
            1.6,
        ),
        Dots(np.array([x]), scale.to([float(line["mean"])]), "text", 4.0),
    ]


def _rows(line: dict[Hashable, Any]) -> Pick:
    chan, unmixed = str(line["chan"]), str(line["unmixed_chan"])
    if line["group"] == "unchanged chan":
        unmixed = chan
    elif line["group"] == "unchanged unmixed_chan":
        chan = unmixed
    return Pick(chan=chan, unmixed_chan=unmixed)


def share_chart(table: pd.DataFrame, column: str, counts_removed: bool) -> Chart:
    """Draw the shares reassigned and removed along quantiles of a column.

    Parameters
    ----------
    table : DataFrame
        From `share_by_column`.
    column : str
    counts_removed : bool
        Whether removed spots were counted at all.

    Returns
    -------
    Chart
        Steps as wide as the bins, with 95 % intervals (mean +- 1.96 standard errors
        of a share, sqrt(p (1 - p) / n)). A click on one selects the reassigned or
        removed spots of that bin.
    """
    names = ("reassigned", "removed") if counts_removed else ("reassigned",)
    marks: list[Mark] = []
    lines: list[Mark] = []
    top = 0.0
    for name in names:
        steps = [
            _step(line, name, column, closed=place == len(table) - 1)
            for place, line in enumerate(table.to_dict("records"))
        ]
        marks += [step for step in steps if step is not None]
        top = max([top, *(step.y[1] for step in steps if step is not None)])
        edges = table[["low", "high"]].to_numpy(float).ravel()
        share = table[name].to_numpy(float).repeat(2)
        lines.append(Path(edges, share, STATUS_COLORS[name], 2.0))
    ends = table[["low", "high"]].to_numpy(float)
    caption = "" if len(table) else "No spot to count."
    if len(table) and not counts_removed:
        caption = "Removed spots do not pass the filters: their share is not known."
    return Chart(
        f"Shares against {column}",
        (*marks, *lines),
        Axis(_limits(ends), f"{column}, bins of equal counts"),
        Axis((0, 1.05 * top or 1.0), "share"),
        legend=tuple((_OF[name], STATUS_COLORS[name]) for name in names),
        caption=caption,
        data=table,
    )


_OF = {"reassigned": "reassigned, of the kept", "removed": "removed, of all"}


def _step(
    line: dict[Hashable, Any], name: str, column: str, closed: bool
) -> Bar | None:
    """Return the interval of a bin's share; None where there is no share."""
    share, count, low = (float(line[part]) for part in (name, "count", "low"))
    if not np.isfinite(share):
        return None
    high = float(line["high"])
    kept = round(count * (1 - float(line["removed"])))
    n = kept if name == "reassigned" else count
    error = 1.96 * np.sqrt(share * (1 - share) / n)
    ends = (max(share - error, 0.0), min(share + error, 1.0))
    tip = (
        f"{column} {number_text(low)} to {number_text(high)}: {share:.1%} of "
        f"{n:,.0f} {'kept ' if name == 'reassigned' else ''}spots {name} "
        f"({ends[0]:.1%} to {ends[1]:.1%})"
    )
    rows = Pick(status=name, spans=(Span(column, low, high, closed),))
    return Bar((low, high), ends, STATUS_COLORS[name], rows, tip, alpha=70)


def clustering_chart(table: pd.DataFrame, k: int) -> Chart:
    """Draw how much spots of a status lie among their own kind.

    Parameters
    ----------
    table : DataFrame
        From `clustering`.
    k : int
        Neighbours.
    """
    marks: list[Mark] = []
    top = 0.05
    for place, (name, line) in enumerate(table.iterrows()):
        status = str(name)
        share, low, high = (float(line[part]) for part in ("share", "low", "high"))
        expected = float(line["expected"])
        if not np.isfinite(share):
            continue
        top = max(top, high, expected)
        x = place + 0.5
        ratio = f", {share / expected:.2f} times as many" if expected > 0 else ""
        tip = (
            f"{status}: {share:.1%} of the {k} nearest are {status} too "
            f"({low:.1%} to {high:.1%}); by chance {expected:.1%}{ratio}"
        )
        marks += [
            Bar(
                (x - 0.28, x + 0.28),
                (0, share),
                STATUS_COLORS[status],
                Pick(status=status),
                tip,
                f"{share:.1%}",
            ),
            Path(np.array([x, x]), np.array([low, high]), "text", 2.0),
            Path(
                np.array([x - 0.38, x + 0.38]),
                np.array([expected, expected]),
                "text",
                1.5,
                dashed=True,
            ),
        ]
    names = tuple(
        f"{name}\n{int(line['spots']):,} sampled" for name, line in table.iterrows()
    )
    return Chart(
        f"Own kind among the {k} nearest",
        tuple(marks),
        Axis((0, max(len(table), 1)), names=names),
        Axis((0, 1.1 * top), "share of the same status"),
        caption="Bars: mean and 95 % interval of a sample; dashed: by chance.",
        data=table,
    )


def _limits(ends: np.ndarray) -> tuple[float, float]:
    finite = ends[np.isfinite(ends)]
    if not finite.size:
        return (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    pad = 0.06 * (high - low) or 0.5
    return (low - pad, high + pad)
