"""Whether a store can be reached at all: who finds out tells all others.

Without it each of 360 chunks would wait for its own time limit, 32 at a time, before
the user is told that the network is gone.
"""

from __future__ import annotations

import errno
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Line", "line_to"]

LOST = 6  # connections in a row, with no answer between them
LOST_SECONDS = 3.0  # that this must have lasted: a short break heals by another try
PAUSE = 5.0  # s for which nothing is tried; then one request is

_NAMES = (
    "Connect",
    "Disconnect",
    "Timeout",
)  # in the names of aiohttp's and botocore's
_LOST_ERRNOS = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EPIPE,
    errno.ETIMEDOUT,
}


def _is_lost(error: Exception) -> bool:
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    named = any(name in type(error).__name__ for name in _NAMES)
    return named or (isinstance(error, OSError) and error.errno in _LOST_ERRNOS)


class Line:
    """The way to one store; safe to use from any thread.

    Parameters
    ----------
    clock : callable, optional
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.mend()

    def mend(self) -> None:
        """Forget what was lost: the next request is tried."""
        with self._lock:
            self._lost = 0
            self._since = 0.0
            self._closed_until: float | None = None

    @property
    def closed(self) -> bool:
        """Whether the store could not be reached a moment ago."""
        return self._closed_until is not None

    def check(self) -> None:
        """Let a request pass, or not.

        Raises
        ------
        ConnectionError
            The store could not be reached a moment ago.
        """
        with self._lock:
            if self._closed_until is None:
                return
            if self._clock() >= self._closed_until:
                # this one finds out, for all others
                self._closed_until = self._clock() + PAUSE
                return
        raise ConnectionError(
            errno.ENETUNREACH, "the store cannot be reached: several connections failed"
        )

    def note(self, error: Exception | None, begin: float) -> None:
        """Take in how a request ended.

        Parameters
        ----------
        error : Exception or None
            What it raised.
        begin : float
            When it was sent, by the clock.
        """
        if error is None or not _is_lost(error):
            if self._lost:
                self.mend()
            return
        with self._lock:
            now = self._clock()
            self._since = min(self._since, begin) if self._lost else begin
            self._lost += 1
            if self._lost >= LOST and now - self._since >= LOST_SECONDS:
                self._closed_until = now + PAUSE


_lines: dict[str, Line] = {}
_lock = threading.Lock()


def line_to(place: str) -> Line:
    """Return the line to a host or bucket, shared by all who read from it."""
    with _lock:
        return _lines.setdefault(place, Line())
