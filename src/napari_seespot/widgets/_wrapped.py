"""Text of a form that breaks where the dock ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QSizePolicy

if TYPE_CHECKING:
    from magicgui.widgets import Label

__all__ = ["wrap"]


def wrap(label: Label) -> None:
    """Let a label take the whole width of its dock, and as many lines as it needs.

    magicgui's labels have the width of their text: a narrow dock cuts them off, and
    Qt breaks the lines of wrapped ones long before the edge.
    """
    policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    policy.setHeightForWidth(True)
    label.native.setWordWrap(True)
    label.native.setSizePolicy(policy)
