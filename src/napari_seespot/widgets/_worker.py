"""Work beside the window: in one thread, told of in the window's own, newest wins.

A thread lives while there is work and ends with it, so that an idle dock has
none. Answers come back through a signal into the thread of the window; one
that nobody waits for any more is dropped there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtCore import QObject, Qt

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Job", "Worker"]

T = TypeVar("T")

_CLOSE_SECONDS = 5.0  # a task asks far more often whether it shall go on


def _ignore(*_: Any) -> None:
    """Do nothing with an answer that nobody asked for."""


@dataclass(eq=False)
class Job:
    """One request, as the function sees it that fulfils it.

    Its methods fit what functions of this package take as ``progress`` and
    ``cancelled``.
    """

    number: int
    function: Callable[[Job], Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]
    on_progress: Callable[[float, str], None]
    tell: Callable[[Job], None]
    stop: bool = False
    finished: bool = False
    told: bool = False
    error: Exception | None = None
    result: Any = None
    news: list[tuple[float, str]] = field(default_factory=list)

    def cancelled(self) -> bool:
        """Return whether the answer is not wanted any more."""
        return self.stop

    def check(self) -> None:
        """Raise a CancelledError when the answer is not wanted any more."""
        if self.stop:
            raise CancelledError("the task was cancelled")

    def progress(self, share: float, text: str = "") -> None:
        """Tell the window which share is done, 0 to 1, and what is being done."""
        # The window gets the newest one when it has time, not a queue of all.
        waiting = bool(self.news)
        self.news.append((share, text))
        if not waiting:
            self.tell(self)

    def run(self) -> None:
        """Fulfil the request; called in the worker's thread."""
        try:
            self.result = self.function(self)
        # Whatever goes wrong has to reach the window: this thread has no other
        # way to tell, and the next request must find it alive.
        except Exception as error:  # noqa: BLE001
            self.error = error
        self.finished = True


class _Mailbox(QObject):
    """Brings what a thread has to tell into the thread of the window."""

    arrived = Signal(object)


class Worker:
    """Runs one function at a time in a thread of its own; the newest wins.

    All methods are for the thread of the window, in which all callbacks are
    called.

    Parameters
    ----------
    name : str
        Of the thread, for whoever debugs.
    on_busy : callable, optional
        Called with True when work begins and with False when none is left.
    """

    def __init__(
        self, name: str, on_busy: Callable[[bool], None] | None = None
    ) -> None:
        self._name = name
        self._on_busy = on_busy or _ignore
        self._busy = False
        self._lock = Lock()
        self._thread: Thread | None = None
        self._waiting: Job | None = None
        self._number = 0  # of the newest request
        self._wanted_from = 0  # answers to earlier requests are stale
        self._current: Job | None = None
        self._mailbox: _Mailbox | None = _Mailbox()
        self._mailbox.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._busy

    def submit(
        self,
        function: Callable[[Job], T],
        *,
        done: Callable[[T], None],
        failed: Callable[[Exception], None] = _ignore,
        progress: Callable[[float, str], None] = _ignore,
        keep_running: bool = False,
    ) -> None:
        """Ask for an answer in the place of all that were asked for before.

        Parameters
        ----------
        function : callable
            Called with its `Job` in the thread of the worker.
        done : callable
            Called with what the function returned.
        failed : callable
            Called with what the function raised, unless it was cancelled.
        progress : callable
            Called with a share and a text, at times.
        keep_running : bool
            Do not cancel the request that is being worked on: its answer comes
            first, then this one's. While requests come faster than answers
            (a slider is dragged) that shows something on the way. Requests
            that still wait are replaced all the same.
        """
        if self._mailbox is None:
            return
        self._number += 1
        job = Job(self._number, function, done, failed, progress, self._post)
        if not keep_running:
            self._wanted_from = job.number
        with self._lock:
            if self._current is not None and not keep_running:
                self._current.stop = True
            self._waiting = job
            if self._thread is None:
                self._thread = Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        self._set_busy(True)

    def cancel(self) -> None:
        """Ask for nothing more: no callback of an earlier request is called."""
        self._wanted_from = self._number + 1
        with self._lock:
            if self._current is not None:
                self._current.stop = True
            self._waiting = None
        self._set_busy(False)

    def close(self) -> None:
        """End all work and wait for the thread; nothing is accepted afterwards."""
        if vars(self).get("_mailbox") is None:
            return  # closed, or emptied by Python, which collects it with a dock
        self._on_busy = _ignore
        self.cancel()
        with self._lock:
            # From here on the thread finds nobody to tell: the mailbox dies in
            # the thread it belongs to, this one.
            self._mailbox = None
            thread = self._thread
        if thread is not None:
            thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        while True:
            with self._lock:
                job, self._waiting = self._waiting, None
                self._current = job
                if job is None:
                    self._thread = None
                    return
            job.run()
            self._post(job)

    def _post(self, job: Job) -> None:
        with self._lock:
            if self._mailbox is not None:
                self._mailbox.arrived.emit(job)

    def _deliver(self, job: Job) -> None:
        if job.number < self._wanted_from or job.told:
            return
        if job.news:
            share, text = job.news[-1]
            job.news.clear()
            job.on_progress(share, text)
        if not job.finished:
            return
        job.told = True  # news that came with the end posted a letter of their own
        if job.number == self._number:
            self._set_busy(False)
        if job.error is None:
            job.done(job.result)
        elif not isinstance(job.error, CancelledError):
            job.failed(job.error)

    def _set_busy(self, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            self._on_busy(busy)
