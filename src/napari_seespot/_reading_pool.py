"""Threads that read: the most urgent first, each piece of work once.

Reading waits for the network far more than it computes, so there are many more
threads than cores. They end when there was nothing to do for a while.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from napari_seespot.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

__all__ = ["ReadingPool", "Task", "Urgency"]

THREADS = 32
IDLE_THREADS = 12  # of them, for what nobody asked for yet
_LINGER = 5.0  # s without work after which a thread ends


class Urgency(IntEnum):
    """How soon a piece of work is wanted; the smallest number first."""

    COARSE = 0
    NOW = 1
    SIBLING = 2
    IDLE = 3
    """Only while nothing else is to be done."""


class Task:
    """One piece of work, which any number of askers wait for.

    Attributes
    ----------
    key : hashable
    result
        What the function returned, once `done`.
    error : Exception or None
        What it raised; a `CancelledError` when it was dropped unbegun.
    """

    def __init__(self, key: Hashable, function: Callable[[], Any]) -> None:
        self.key = key
        self.function = function
        self.urgency = Urgency.IDLE
        self.rank = 0.0
        self.owners: set[Hashable] = set()
        self.running = False
        self.result: Any = None
        self.error: Exception | None = None
        self._finished = threading.Event()

    @property
    def done(self) -> bool:
        """Whether it was finished or dropped."""
        return self._finished.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is done; return whether it is."""
        return self._finished.wait(seconds)

    def run(self) -> None:
        """Do the work; called in a thread of the pool."""
        try:
            self.result = self.function()
        except Exception as error:  # noqa: BLE001
            # whoever waits gets it; the thread has to live on
            self.error = error

    def finish(self) -> None:
        """Let go whoever waits."""
        self._finished.set()


class ReadingPool:
    """Does tasks by urgency, then by rank, then in the order of asking.

    Parameters
    ----------
    threads : int
        The most that work at the same time.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self.threads = threads
        self._changed = threading.Condition()
        self._tasks: dict[Hashable, Task] = {}
        self._owned: dict[Hashable, dict[Hashable, Task]] = {}
        self._queue: list[tuple[int, float, int, Task]] = []
        self._numbers = itertools.count()
        self._alive = self._sleeping = 0
        self._running_idle = self._running_asked = 0

    def submit(
        self,
        key: Hashable,
        function: Callable[[], Any],
        urgency: Urgency,
        owner: Hashable,
        rank: float = 0.0,
    ) -> Task:
        """Ask for work; join the task with the same key, if it is not done yet.

        Parameters
        ----------
        key : hashable
            What tells that two askers want the same.
        function : callable
        urgency : Urgency
        owner : hashable
            Who wants it: when all owners gave it up unbegun, it is dropped.
        rank : float
            Order among tasks of the same urgency, small first.
        """
        with self._changed:
            task = self._tasks.get(key)
            if task is None:
                task = self._tasks[key] = Task(key, function)
                self._push(task, urgency, rank)
            elif not task.running and (urgency, rank) < (task.urgency, task.rank):
                self._push(task, urgency, rank)
            elif task.running and task.urgency is Urgency.IDLE > urgency:
                # its thread counts among those that are busy for somebody
                task.urgency = urgency
                self._running_idle -= 1
                self._running_asked += 1
            task.owners.add(owner)
            self._owned.setdefault(owner, {})[key] = task
            return task

    def _push(self, task: Task, urgency: Urgency, rank: float) -> None:
        task.urgency, task.rank = urgency, rank
        entry = (int(urgency), rank, next(self._numbers), task)
        heapq.heappush(self._queue, entry)
        if self._sleeping:
            self._changed.notify()
        # One that was woken still counts as sleeping until it runs: of a burst,
        # only so many can be left to those that sleep.
        if len(self._queue) > self._sleeping and self._alive < self.threads:
            self._alive += 1
            threading.Thread(
                target=self._work, name="seespot-reading", daemon=True
            ).start()

    def drop(self, owner: Hashable, keep: Collection[Hashable] = ()) -> None:
        """Give up what an owner asked for, but for the keys to keep.

        What no other owner wants and no thread has begun is never done.
        """
        with self._changed:
            for key, task in list(self._owned.get(owner, {}).items()):
                if key not in keep:
                    self._disown(task, owner)
                    if not task.owners and not task.running:
                        del self._tasks[key]
                        task.error = CancelledError("nobody wants it any more")
                        task.finish()

    def _disown(self, task: Task, owner: Hashable) -> None:
        task.owners.discard(owner)
        held = self._owned[owner]
        del held[task.key]
        if not held:
            del self._owned[owner]

    def pending(self, owner: Hashable) -> int:
        """Return how many tasks of an owner are not done yet."""
        return len(self._owned.get(owner, ()))

    @property
    def busy(self) -> bool:
        """Whether anything is waiting or being done."""
        return bool(self._tasks)

    def _work(self) -> None:
        while True:
            task = self._next()
            if task is None:
                return
            task.run()
            with self._changed:
                del self._tasks[task.key]
                for owner in list(task.owners):
                    self._disown(task, owner)
                if task.urgency is Urgency.IDLE:
                    self._running_idle -= 1
                else:
                    self._running_asked -= 1
                if not self._running_asked and self._queue:
                    self._changed.notify_all()  # idle work may begin
            task.finish()

    def _next(self) -> Task | None:
        """Return the next task, begun; None when the thread is to end."""
        with self._changed:
            while True:
                task = self._pop()
                if task is not None:
                    task.running = True
                    if task.urgency is Urgency.IDLE:
                        self._running_idle += 1
                    else:
                        self._running_asked += 1
                    return task
                self._sleeping += 1
                woken = self._changed.wait(_LINGER)
                self._sleeping -= 1
                # With work left that waits for others, somebody has to stay.
                if not woken and not self._queue:
                    self._alive -= 1
                    return None

    def _pop(self) -> Task | None:
        while self._queue:
            urgency, rank, _, task = self._queue[0]
            stale = (urgency, rank) != (task.urgency, task.rank)
            if task.running or task.done or stale:
                heapq.heappop(self._queue)
                continue
            if urgency == Urgency.IDLE and not self._may_idle():
                return None
            heapq.heappop(self._queue)
            return task
        return None

    def _may_idle(self) -> bool:
        return not self._running_asked and self._running_idle < IDLE_THREADS
