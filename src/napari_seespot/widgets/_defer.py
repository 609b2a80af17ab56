"""Updates that are put off to the end of the event loop's turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["once_per_turn"]


def once_per_turn(update: Callable[[], None]) -> Callable[[], None]:
    """Return a function that has `update` called once, however often it is called.

    A slow update is followed by one more for all that came meanwhile: steps
    that take longer than a frame are dropped in favour of the newest.
    """
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(0)
    timer.timeout.connect(update)

    def request() -> None:
        if not timer.isActive():
            timer.start()

    return request
