"""Docks that scroll rather than overflow a small screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from magicgui.widgets import Container

__all__ = ["make_scrollable"]


def make_scrollable(container: Container[Any]) -> QScrollArea:
    """Put everything in a container into a scroll area inside it.

    magicgui's own ``scrollable=True`` puts the scroll area around the
    container, where napari loses it: it docks what is inside.

    Widgets that are added to the container later go into the scroll area too.
    """
    outside = container.native
    inside = QWidget()
    inside.setLayout(outside.layout())  # takes the widgets along
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    scroll.setWidget(inside)
    layout = QVBoxLayout(outside)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(scroll)
    return scroll
