"""Which spots are drawn as points where there are too many: the selected ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.index import FLOOR, Chosen

if TYPE_CHECKING:
    from napari_seespot.index import Box, SpotIndex
    from napari_seespot.resolve import View

__all__ = ["choose_in_box", "most_important"]

_FEW_ROWS = 100_000  # looking them up costs less than looking through all rows


def most_important(
    view: View, index: SpotIndex, rows: np.ndarray, limit: int
) -> np.ndarray:
    """Return at most `limit` of some rows, the selected ones first, then by priority.

    Parameters
    ----------
    view : View
    index : SpotIndex
    rows : ndarray of int64, shape (m,)
        In row order, as those that are returned.
    limit : int
    """
    if view.selected is None or len(rows) <= limit:
        return index.most_important(rows, limit)
    chosen = view.selected[rows]
    first = index.most_important(rows[chosen], limit)
    others = index.most_important(rows[~chosen], limit - len(first))
    return np.sort(np.concatenate([first, others]))


def choose_in_box(
    view: View,
    index: SpotIndex,
    box: Box,
    limit: int,
    counts: np.ndarray | None = None,
) -> Chosen:
    """Return the spots to draw in a box, about `limit`: the selected ones first.

    Parameters
    ----------
    view : View
    index : SpotIndex
    box : Box
    limit : int
    counts : ndarray of int64, optional
        As for `SpotIndex.choose`, which chooses the others.
    """
    mask = view.mask
    chosen = index.choose(box, limit, mask.codes, mask.outside_codes, counts)
    if view.selected is None or not chosen.limited:
        return chosen
    first = _selected(view, view.selected, index, box, limit)
    others = np.setdiff1d(chosen.rows, first, assume_unique=True)
    if len(others) > limit - len(first):
        others = _fair_share(index, view.spots.code, others, limit - len(first))
    return Chosen(np.sort(np.concatenate([first, others])), chosen.total)


def _selected(
    view: View, selected: np.ndarray, index: SpotIndex, box: Box, limit: int
) -> np.ndarray:
    """Return at most `limit` selected rows of a box that pass, in row order."""
    mask = view.mask
    if np.count_nonzero(selected) > _FEW_ROWS:
        where = mask.outside_codes
        where = selected if where is None else selected & where
        # Of no code there has to be one: the levels are read until there are enough.
        none = np.zeros(len(mask.codes), np.int64)
        rows = index.choose(box, limit, mask.codes, where, none).rows
    else:
        rows = np.flatnonzero(selected)
        low, high = box.ends
        for axis, name in enumerate("zyx"):
            values = view.spots.column(name)[rows]
            rows = rows[(values >= low[axis]) & (values <= high[axis])]
        rows = rows[mask.of(rows)]
    return index.most_important(rows, limit)


def _fair_share(
    index: SpotIndex, code: np.ndarray, rows: np.ndarray, limit: int
) -> np.ndarray:
    """Return the `limit` most important rows, and some of each code among them."""
    kept, codes = index.most_important(rows, limit), code[rows]
    there, left = (np.bincount(part, minlength=256) for part in (codes, code[kept]))
    poor = np.flatnonzero(left < np.minimum(there, FLOOR))
    parts = [index.most_important(rows[codes == one], FLOOR) for one in poor]
    return np.unique(np.concatenate([kept, *parts]))
