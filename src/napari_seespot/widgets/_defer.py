"""Updates that are put off to the end of the event loop's turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["once"]


def once(update: Callable[[], None], delay_ms: int) -> Callable[[], None]:
    """Return a function that has `update` called once, however often it is called.

    A slow update is followed by one more for all that came meanwhile: steps
    that take longer than a frame are dropped in favour of the newest.

    Parameters
    ----------
    update : callable
    delay_ms : int
        0: at the end of the event loop's turn in which it was first asked for.
        More: so long after it was last asked for.
    """
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(delay_ms)
    timer.timeout.connect(update)

    def request() -> None:
        if delay_ms or not timer.isActive():
            timer.start()

    return request
