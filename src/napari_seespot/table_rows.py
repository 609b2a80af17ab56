"""A table's rows in order, and the text of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import NULL_BOOL
from napari_seespot.spots import CLASSES
from napari_seespot.typed import BOOLEANS

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.labels import Labels
    from napari_seespot.spots import Spots

__all__ = ["LABEL", "cell_text", "ordered_rows", "table_columns"]

LABEL = "label"
"""The column that a user writes."""

_LEAD = ("label", "spot_id", "chan", "unmixed_chan", "status", "r", "dist")


def table_columns(spots: Spots) -> tuple[str, ...]:
    """Return the names of the columns, those that one looks at most first."""
    names = (LABEL, *spots.column_names)
    first = [name for name in _LEAD if name in names]
    return (*first, *(name for name in names if name not in first))


def ordered_rows(
    spots: Spots,
    labels: Labels | None,
    where: np.ndarray | None,
    column: str,
    descending: bool = False,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return the numbers of rows, ordered by a column.

    Parameters
    ----------
    spots : Spots
    labels : Labels or None
    where : ndarray of bool, shape (n,), or None
        The rows to return; None for all.
    column : str
        Of `table_columns`.
    descending : bool
        Rows without a value come last either way, and rows of the same value in
        the order of the table.
    check : callable
        Called between the steps; what it raises ends the work.

    Returns
    -------
    ndarray of int32, shape (m,)
    """
    n = len(spots)
    rows = np.arange(n) if where is None else np.flatnonzero(where)
    rows = rows.astype(np.int32)
    check()
    keys, empty = _keys(spots, labels, column, rows)
    check()
    if descending:  # backwards, so that equal ones keep their order
        order = len(keys) - 1 - np.argsort(keys[::-1], kind="stable")[::-1]
    else:
        order = np.argsort(keys, kind="stable")
    check()
    if empty is not None and empty.any():
        last = empty[order]
        order = np.concatenate([order[~last], np.flatnonzero(empty)])
    return np.asarray(rows[order])


def _keys(
    spots: Spots, labels: Labels | None, column: str, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what to sort by, and which rows have no value."""
    if column == LABEL:
        if labels is None:
            return np.zeros(len(rows), np.uint8), None
        codes = labels.codes(rows)
        return labels.ranks[codes], codes == 0
    if column in CLASSES:
        codes = spots.class_of_code(column)[spots.code[rows]]
        removed = len(spots.channels)
        return codes, codes == removed if column == "unmixed_chan" else None
    if column in spots.categories:
        names = spots.categories[column]
        ranks = np.empty(len(names), np.int32)
        ranks[np.argsort(np.array(names, str), kind="stable")] = np.arange(len(names))
        return ranks[spots.codes(column)[rows]], None
    values = spots.column(column)[rows]
    if column in BOOLEANS:
        return values, values == NULL_BOOL
    return values, np.isnan(values) if values.dtype.kind == "f" else None


def cell_text(spots: Spots, labels: Labels | None, column: str) -> Callable[[int], str]:
    """Return what gives the text of a row's cell; ``""`` where there is no value."""
    if column == LABEL:
        return lambda row: "" if labels is None else str(labels.get([row])[0])
    if column in CLASSES:
        names: Any = spots.class_names(column)
        if column == "unmixed_chan":
            names = (*spots.channels, "")
        texts = [names[code] for code in spots.class_of_code(column)]
        code = spots.code
        return lambda row: str(texts[code[row]])
    if column in spots.categories:
        names, codes = spots.categories[column], spots.codes(column)
        return lambda row: str(names[codes[row]])
    values = spots.column(column)
    if column in BOOLEANS:
        words = {0: "no", 1: "yes"}
        return lambda row: words.get(int(values[row]), "")
    if values.dtype.kind == "f":
        return lambda row: _number(float(values[row]))
    return lambda row: str(values[row])


def _number(value: float) -> str:
    if value != value:  # NaN
        return ""
    return f"{value:.1f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"
