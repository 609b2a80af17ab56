"""A picture of a whole viewer, once everything in it has been drawn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["screenshot", "settle"]


def settle(seconds: float = 1.0) -> None:
    """Let Qt draw and workers report for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def screenshot(viewer: Any, path: Path, size: tuple[int, int]) -> Path:
    """Write a picture of the viewer's window to a PNG file and close the viewer."""
    viewer.window.resize(*size)
    settle(3.0)
    viewer.reset_view()  # the window was smaller when its view was chosen
    settle(0.5)
    viewer.window.screenshot(path=str(path), canvas_only=False, flash=False)
    viewer.close()
    settle(0.2)
    return path.resolve()
