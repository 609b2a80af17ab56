"""Which spots a figure counts, in words."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from napari_seespot.spots import STATUSES

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_seespot.state import State

__all__ = ["cells_text", "filters_text"]

_MOST_CELLS = 12  # stretches of cells that are named


def filters_text(state: State, follow: bool = True) -> str:
    """Return the filters of a state in a sentence.

    Parameters
    ----------
    state : State
    follow : bool
        Whether they are applied at all.
    """
    if not follow:
        return "All spots count, whatever the filters."
    filters = state.filters
    parts = []
    if set(filters.status) != set(STATUSES):
        parts.append(f"status {_names(filters.status)}")
    # These are filters of the channel that the colours tell.
    shown = "unmixed" if state.color_by == "unmixed_chan" else "detected"
    for kind, chosen in (
        (shown, filters.channels),
        ("detected", filters.chan),
        ("unmixed", filters.unmixed_chan),
    ):
        if chosen is not None:
            parts.append(f"{kind} channel {_names(chosen)}")
    if filters.cells is not None:
        parts.append(cells_text(filters.cells))
    for column, (low, high) in sorted(filters.ranges.items()):
        low_text = "" if low is None else f"{low:g} ≤ "
        high_text = "" if high is None else f" ≤ {high:g}"
        parts.append(f"{low_text}{column}{high_text}")
    if filters.valid_only:
        parts.append("valid only")
    return f"Filters: {'; '.join(parts)}." if parts else "No filters."


def _names(chosen: Collection[str]) -> str:
    return ", ".join(sorted(chosen)) or "none"


def cells_text(cells: Collection[int]) -> str:
    """Return cells in words, as stretches: ``"cells 1-3, 7"``; of many, the first."""
    if not cells:
        return "no cell"
    ordered = sorted(cells)
    breaks = [b for a, b in pairwise(ordered) if b > a + 1]
    starts = [ordered[0], *breaks]
    ends = [a for a, b in pairwise(ordered) if b > a + 1] + [ordered[-1]]
    stretches = [
        f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)
    ]
    text = ", ".join(stretches[:_MOST_CELLS])
    if len(stretches) > _MOST_CELLS:
        text += f" and others, {len(ordered):,} in all"
    return f"{'cell' if len(ordered) == 1 else 'cells'} {text}"
