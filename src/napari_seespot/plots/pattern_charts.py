"""The charts of patterns: boxes of flows, shares along a column, clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.palette import STATUS_COLORS
from napari_seespot.picks import Pick
from napari_seespot.plots.charts import (
    Axis,
    Bar,
    Chart,
    Dots,
    Mark,
    Path,
    number_text,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from napari_seespot.dataset import Dataset

__all__ = ["GROUPS", "clustering_chart", "flow_chart", "share_chart"]

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
        from the 5th to the 95th, and the mean as a dot.
    """
    shown = table[table["measure"] == measure]
    if chan is not None:
        shown = shown[shown["chan"] == chan]
    flows = list(dict.fromkeys(zip(shown["chan"], shown["unmixed_chan"], strict=True)))
    marks: list[Mark] = []
    for line in shown.to_dict("records"):
        place = flows.index((line["chan"], line["unmixed_chan"]))
        step = list(GROUPS).index(line["group"])
        marks += _box(line, place + 0.5 + (step - 1) * 1.15 * _WIDTH)
    ends = shown[["q05", "q95"]].to_numpy(float)
    low, high = _limits(ends)
    return Chart(
        f"{measure} of reassigned spots",
        tuple(marks),
        Axis(
            (0, max(len(flows), 1)),
            names=tuple(f"{a}\n→ {b}" for a, b in flows),
        ),
        Axis((low, high), measure),
        legend=tuple((_GROUP_NAMES[name], GROUPS[name]) for name in GROUPS),
        caption="" if flows else "No spot that counts was reassigned.",
        data=shown.reset_index(drop=True),
        aspect=0.75,
    )


def _box(line: dict[Hashable, Any], x: float) -> list[Mark]:
    if not line["count"]:
        return []
    q = {name: float(line[name]) for name in ("q05", "q25", "q50", "q75", "q95")}
    color = GROUPS[str(line["group"])]
    half = _WIDTH / 2
    whisker = (np.array([x, x]),)
    tip = (
        f"{line['chan']} → {line['unmixed_chan']}, {_GROUP_NAMES[str(line['group'])]}: "
        f"{int(line['count']):,} spots, median {number_text(q['q50'])}, "
        f"half of them from {number_text(q['q25'])} to {number_text(q['q75'])}"
    )
    return [
        Path(*whisker, np.array([q["q05"], q["q25"]]), color),
        Path(*whisker, np.array([q["q75"], q["q95"]]), color),
        Bar((x - half, x + half), (q["q25"], q["q75"]), color, _rows(line), tip),
        Path(
            np.array([x - half, x + half]),
            np.array([q["q50"], q["q50"]]),
            "background",
            2.0,
        ),
        Dots(np.array([x]), np.array([float(line["mean"])]), "background", 5.0),
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
        Lines through the middles of the bins, with 95 % intervals (mean +- 1.96
        standard errors of a share, sqrt(p (1 - p) / n)).
    """
    middle = (table["low"].to_numpy(float) + table["high"].to_numpy(float)) / 2
    names = ("reassigned", "removed") if counts_removed else ("reassigned",)
    marks: list[Mark] = []
    top = 0.0
    for name in names:
        share = table[name].to_numpy(float)
        count = table["count"].to_numpy(float)
        kept = count * (1 - np.nan_to_num(table["removed"].to_numpy(float)))
        n = np.maximum(kept if name == "reassigned" else count, 1)
        error = 1.96 * np.sqrt(share * (1 - share) / n)
        color = STATUS_COLORS[name]
        low, high = np.clip(share - error, 0, 1), np.clip(share + error, 0, 1)
        marks += [
            Path(middle, high, color, band=low),
            Path(middle, share, color, 2.0),
            Dots(middle, share, color, 6.0),
        ]
        top = max(top, float(np.nanmax(high, initial=0.0)))
    ends = table[["low", "high"]].to_numpy(float)
    kinds = {"reassigned": "reassigned, of the kept", "removed": "removed, of all"}
    caption = "" if len(table) else "No spot to count."
    if len(table) and not counts_removed:
        caption = "Removed spots do not pass the filters: their share is not known."
    return Chart(
        f"Shares against {column}",
        tuple(marks),
        Axis(_limits(ends), f"{column}, bins of equal counts"),
        Axis((0, 1.05 * top or 1.0), "share"),
        legend=tuple((kinds[name], STATUS_COLORS[name]) for name in names),
        caption=caption,
        data=table,
    )


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
