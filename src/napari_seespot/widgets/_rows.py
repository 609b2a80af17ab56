"""Widgets beside each other."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container

__all__ = ["row_of"]


def row_of(*widgets: Any, labels: bool = False) -> Container[Any]:
    """Return widgets beside each other, without a margin of their own."""
    row: Container[Any] = Container(
        widgets=list(widgets), layout="horizontal", labels=labels
    )
    row.margins = (0, 0, 0, 0)
    return row
