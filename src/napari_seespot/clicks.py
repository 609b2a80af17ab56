"""Clicks on a viewer: a press and a release in the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CLICK_PIXELS", "ClickListener"]

CLICK_PIXELS = 4.0
"""That a hand may move while it clicks."""


class ClickListener:
    """Listens for clicks of the left button, whichever layer is active.

    A listener supplies `_wants` and `_click`.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        viewer.mouse_drag_callbacks.append(self._on_press)

    def close(self) -> None:
        """Listen no more."""
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _wants(self, active: Any) -> bool:
        """Return whether a click is meant for this, with the layer that is active."""
        raise NotImplementedError

    def _click(self, event: Any) -> None:
        """Take a click."""
        raise NotImplementedError

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or not self._wants(self._viewer.layers.selection.active):
            return
        pressed = np.asarray(event.pos)
        moved = False
        yield
        while event.type == "mouse_move":
            moved = moved or _is_far(event, pressed)
            yield
        if not moved and not _is_far(event, pressed):  # else the view was dragged
            self._click(event)


def _is_far(event: Any, pressed: np.ndarray) -> bool:
    return bool(np.abs(np.asarray(event.pos) - pressed).max() > CLICK_PIXELS)
