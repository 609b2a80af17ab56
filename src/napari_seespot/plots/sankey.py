"""The flow from the channel of detection to the unmixed channel, drawn to scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.palette import CELL_COLOR, REMOVED, channel_colors
from napari_seespot.picks import Pick
from napari_seespot.plots.charts import Axis, Chart
from napari_seespot.plots.marks import Bar, Labels, Mark, Ribbon

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["sankey_chart"]

_NODE = 0.035  # width of a node's bar, of the whole
_GAP = 0.03  # between nodes, of the height
_LEFT, _RIGHT = 0.28, 0.72


def sankey_chart(flow: pd.DataFrame, labels: Mapping[str, str]) -> Chart:
    """Draw exact counts from detected to unmixed channel.

    Parameters
    ----------
    flow : DataFrame of int
        From `Spots.flow`: rows `chan`, columns `unmixed_chan` and
        ``"removed"``.
    labels : mapping of str to str
        What to call a channel.

    Returns
    -------
    Chart
        All heights have one scale. The keys of nodes and ribbons are the rows
        that they stand for.
    """
    sources, targets = list(map(str, flow.index)), list(map(str, flow.columns))
    counts = flow.to_numpy(np.int64)
    colors = {**channel_colors(sources), REMOVED: CELL_COLOR}
    total = int(counts.sum())
    tidy = pd.DataFrame(
        [
            (source, target, int(counts[i, j]))
            for i, source in enumerate(sources)
            for j, target in enumerate(targets)
        ],
        columns=["chan", "unmixed_chan", "spots"],
    )
    n = max(len(sources), len(targets))
    scale = (1 - _GAP * (n - 1)) / max(total, 1)
    left = _stack(counts.sum(axis=1), scale)
    right = _stack(counts.sum(axis=0), scale)
    marks: list[Mark] = []
    starts, ends = [top for top, _ in left], [top for top, _ in right]
    for i, source in enumerate(sources):
        for j, target in enumerate(targets):
            height = counts[i, j] * scale
            if counts[i, j]:
                marks.append(
                    Ribbon(
                        (_LEFT + _NODE, _RIGHT - _NODE),
                        (starts[i], starts[i] - height),
                        (ends[j], ends[j] - height),
                        colors[source],
                        Pick(chan=source, unmixed_chan=target),
                        f"{_name(source, labels)} → {_name(target, labels)}: "
                        f"{counts[i, j]:,} spots "
                        f"({counts[i, j] / counts[i].sum():.1%} of the detected)",
                    )
                )
            starts[i] -= height
            ends[j] -= height
    for side, names, places, sums in (
        ("chan", sources, left, counts.sum(axis=1)),
        ("unmixed_chan", targets, right, counts.sum(axis=0)),
    ):
        texts = []
        for name, (top, bottom), count in zip(names, places, sums, strict=True):
            if count:
                y = (bottom, top)
                marks.append(_node(side, name, y, int(count), colors[name], labels))
                texts.append((sum(y) / 2, _name(name, labels), f"{count:,}"))
        left_side = side == "chan"
        marks.append(Labels(_LEFT if left_side else _RIGHT, tuple(texts), left_side))
    return Chart(
        "Detected → unmixed channel",
        tuple(marks),
        Axis((0, 1), shown=False),
        Axis((-0.02, 1.02), shown=False),
        caption=f"{total:,} spots; left: detected, right: given by the unmixing",
        data=tidy,
        aspect=0.9,
    )


def _stack(sums: np.ndarray, scale: float) -> list[tuple[float, float]]:
    """Return (top, bottom) of each node, from the top downwards."""
    places = []
    used = float(sums.sum()) * scale + _GAP * (len(sums) - 1)
    top = 0.5 + used / 2
    for count in sums:
        places.append((top, top - count * scale))
        top -= count * scale + _GAP
    return places


def _node(
    side: str,
    name: str,
    y: tuple[float, float],
    count: int,
    color: str,
    labels: Mapping[str, str],
) -> Bar:
    left = side == "chan"
    x = (_LEFT, _LEFT + _NODE) if left else (_RIGHT - _NODE, _RIGHT)
    pick = Pick(chan=name) if left else Pick(unmixed_chan=name)
    what = "detected in" if left else "given to"
    label = _name(name, labels)
    tip = f"{count:,} {what} {label}" if name != REMOVED else f"{count:,} removed"
    return Bar(x, y, color, pick, tip)


def _name(name: str, labels: Mapping[str, str]) -> str:
    return labels.get(name, name)
