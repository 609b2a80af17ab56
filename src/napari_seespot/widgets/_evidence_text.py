"""What the Evidence dock says of a spot, as rich text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.coloring import class_colors
from napari_seespot.evidence import radius_of
from napari_seespot.palette import CELL_COLOR, channel_colors
from napari_seespot.plots.bars import LINES
from napari_seespot.spot_facts import DETECTED, NEAREST, VERDICT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot.dataset import Dataset
    from napari_seespot.spot_facts import Facts

__all__ = [
    "bar_tips",
    "fit_text",
    "flow_text",
    "legend_text",
    "line_of",
    "spot_tip",
    "title_text",
    "verdict_text",
]

_SAMPLES = {"solid": "━━", "dashed": "╍╍", "dotted": "┅┅"}
_ROLES = {
    DETECTED: (LINES[0], "detected"),
    VERDICT: (LINES[1], "verdict"),
    NEAREST: (LINES[2], "nearest"),
}


def title_text(record: Mapping[Any, Any]) -> str:
    """Return which spot it is, and where."""
    parts = [f"<b>Spot {record['spot_id']}</b>"]
    if "cell_id" in record:
        cell = record["cell_id"]
        parts.append(f"cell {cell}" if cell else "in no cell")
    place = [float(record[axis]) for axis in "zyx"]
    if np.isfinite(place).all():
        named = (f"{axis}&nbsp;{at:.1f}" for axis, at in zip("zyx", place, strict=True))
        where = " &nbsp;".join(named)
    else:
        where = "no position: nothing to be seen of it"
    return f"{' · '.join(parts)}<br>{where}"


def flow_text(record: Mapping[Any, Any]) -> str:
    """Return from which channel to which a spot goes."""
    unmixed = record["unmixed_chan"]
    return f"{record['chan']} → {unmixed if isinstance(unmixed, str) else 'removed'}"


def spot_tip(record: Mapping[Any, Any]) -> str:
    """Return the tool tip of another spot."""
    return f"spot {record['spot_id']}: {flow_text(record)}, {record['status']}"


def verdict_text(
    facts: Facts, dataset: Dataset, problems: Mapping[str, str] | None = None
) -> str:
    """Return the verdict, the measures, and what could not be read."""
    record = facts.record
    unmixed = record["unmixed_chan"]
    target = dataset.label(unmixed) if isinstance(unmixed, str) else "removed"
    status = record["status"]
    color = class_colors("status", ())[status]
    lines = [
        f"{dataset.label(record['chan'])} → {target} "
        f'<font color="{color}">●&nbsp;{status}</font>',
        " &nbsp; ".join(_measures(facts)),
    ]
    if status == "removed":
        lines.append(_repeated(facts, dataset))
    lines += [f"Channel&nbsp;{name}: {text}" for name, text in (problems or {}).items()]
    return "<br>".join(line for line in lines if line)


def _measures(facts: Facts) -> list[str]:
    parts = [
        f"{name}&nbsp;{facts.record[name]:.3f}"
        for name in ("r", "dist")
        if name in facts.record
    ]
    if not np.isnan(facts.line_ratio):
        how = " (computed)" if facts.line_ratio_computed else ""
        parts.append(f"dye_line_dist_ratio&nbsp;{facts.line_ratio:.3f}{how}")
    return parts


def _repeated(facts: Facts, dataset: Dataset) -> str:
    if facts.duplicate is not None and facts.kept is not None:
        return (
            f"repeats kept spot {facts.kept['spot_id']} ({flow_text(facts.kept)}), "
            f"{facts.duplicate.distance:.2f} voxels away"
        )
    radius = f"{radius_of(dataset):g} voxels"
    if not facts.cells_known:
        return f"no kept spot lies within {radius}"
    cell = facts.record["cell_id"]
    text = f"no kept spot of its cell lies within {radius}"
    if not cell:
        text = "it lies in no cell, so that it repeats no spot of its cell"
    if facts.stranger is not None:
        other = int(dataset.spots.column("spot_id")[facts.stranger.row])
        whose = int(dataset.spots.column("cell_id")[facts.stranger.row])
        text += (
            f"; kept spot {other}, {facts.stranger.distance:.2f} voxels away, lies in "
            + (f"cell {whose}" if whose else "none")
        )
    return text


def line_of(roles: tuple[str, ...]) -> str:
    """Return how the levels of a dye are drawn: by the first of its roles."""
    return _ROLES[roles[0]][0]


def legend_text(facts: Facts, dataset: Dataset) -> str:
    """Return what the lines across the bars mean."""
    colors = channel_colors(dataset.channels)
    lines = []
    for dye, roles in facts.dyes.items():
        sample = _SAMPLES[line_of(roles)]
        why = ", ".join(_ROLES[role][1] for role in roles)
        lines.append(
            f'<font color="{colors.get(dye, CELL_COLOR)}">{sample}</font> '
            f"dye&nbsp;{dataset.label(dye)} ({why})"
        )
    return "<br>".join(lines)


def bar_tips(facts: Facts, dataset: Dataset) -> list[str]:
    """Return the tool tip of each channel's bar: what is expected, what is left."""
    tips = []
    for channel in dataset.channels:
        value = float(facts.record[f"chan_{channel}_intensity"])
        lines = [f"{dataset.label(channel)}: {value:.1f}"]
        for dye in facts.dyes:
            if facts.residuals is None or channel not in facts.residuals.index:
                continue
            left = float(facts.residuals[dye][channel])
            lines.append(
                f"dye {dye} would give {value - left:.1f}, which leaves {left:+.1f}"
            )
        tips.append("\n".join(lines))
    return tips


def fit_text(facts: Facts, dataset: Dataset) -> str:
    """Return the tables: what each dye leaves, and what is left in each channel."""
    if facts.fits is None:
        return "The dataset has no ratios: dyes cannot be compared."
    dyes = [
        [dataset.label(str(dye)), f"{fit['distance']:.1f}", f"{fit['scale']:.1f}"]
        for dye, fit in facts.fits.iterrows()
    ]
    text = _table(["dye", "residual", "amount"], dyes)
    if facts.residuals is None or not len(facts.residuals.columns):
        return text
    left = [
        [dataset.label(str(channel)), *(f"{value:+.1f}" for value in values)]
        for channel, values in facts.residuals.iterrows()
    ]
    names = [f"dye {dye}" for dye in facts.residuals.columns]
    return f"{text}<br>Left over in each channel by{_table(['', *names], left)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = []
    for cells in (head, *rows):
        first, *others = cells
        right = "".join(f"<td align=right>&nbsp; {cell}</td>" for cell in others)
        lines.append(f"<tr><td>{first}</td>{right}</tr>")
    return f"<table>{''.join(lines)}</table>"
