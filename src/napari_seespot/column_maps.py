"""How the columns of tables were mapped, remembered by the columns' names.

A table with the same columns comes from the same program: what was answered
for one holds for the next.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from napari_seespot import _memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MOST", "recall_columns", "remember_columns"]

MOST = 50
"""So many mappings are remembered."""

_FILE = "columns.json"


def recall_columns(names: Iterable[str]) -> dict[str, str | None] | None:
    """Return the mapping of a table with these columns, or None.

    Parameters
    ----------
    names : iterable of str
        The names in the table, in any order.

    Returns
    -------
    dict of str to str or None
        Our name by theirs, as `open_dataset` takes it as ``column_map``.
    """
    names = set(map(str, names))
    wanted = _digest(names)
    for item in _memory.recall(_FILE):
        if not isinstance(item, dict) or item.get("columns") != wanted:
            continue
        found = item.get("map")
        if isinstance(found, dict) and found.keys() <= names and _are_names(found):
            return dict(found)
    return None


def remember_columns(
    names: Iterable[str], column_map: Mapping[str, str | None]
) -> None:
    """Remember a mapping for tables with these columns."""
    wanted = _digest(set(map(str, names)))
    others = [
        item
        for item in _memory.recall(_FILE)
        if isinstance(item, dict) and item.get("columns") != wanted
    ]
    items = [{"columns": wanted, "map": dict(column_map)}, *others]
    _memory.remember(_FILE, items[:MOST])


def _are_names(found: Mapping[str, object]) -> bool:
    return all(value is None or isinstance(value, str) for value in found.values())


def _digest(names: set[str]) -> str:
    text = "\0".join(sorted(names))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
