"""Undo and redo of a state's changes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psygnal import SignalInstance

from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_seespot.state import State

__all__ = ["History"]

_MERGE_SECONDS = 0.6  # a slider drag is one step
_DEPTH = 200  # a snapshot holds a few numbers, and shares the selection's mask


class History:
    """Snapshots of a state, one for each change that a user would call one.

    Changes of the same field in quick succession are one step.

    Parameters
    ----------
    state : State
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self, state: State, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._state = state
        self._clock = clock
        self._past: list[dict[str, Any]] = []
        self._future: list[dict[str, Any]] = []
        self._present = state.snapshot()
        self._last: tuple[str, float] = ("", float("-inf"))
        self._steps = 0
        self._touched = False
        self.changed = SignalInstance((), name="changed")
        state.changed.connect(self._record)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change that was taken back."""
        return bool(self._future)

    def undo(self) -> bool:
        """Take the last change back; return whether there was one.

        Raises
        ------
        StateError
            Within `one_step`, whose changes are not complete yet.
        """
        return self._move(self._past, self._future)

    def redo(self) -> bool:
        """Make the change that was last taken back; return whether there was one."""
        return self._move(self._future, self._past)

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Make all changes within one step."""
        self._steps += 1  # a step within a step belongs to it
        try:
            yield
        finally:
            self._steps -= 1
            if self._touched and not self._steps:
                self._last = ("", float("-inf"))
                self._push()

    def _record(self, field: str) -> None:
        if self._steps:
            self._touched = True
            return
        now = self._clock()
        name, then = self._last
        self._last = (field, now)
        if field == name and now - then < _MERGE_SECONDS and self._past:
            self._present = self._state.snapshot()
            return
        self._push()

    def _push(self) -> None:
        self._touched = False
        self._past.append(self._present)
        del self._past[:-_DEPTH]
        self._future.clear()
        self._present = self._state.snapshot()
        self.changed.emit()

    def _move(self, source: list[dict[str, Any]], target: list[dict[str, Any]]) -> bool:
        if self._steps:
            raise StateError("a change is being made: it cannot be undone within it")
        if not source:
            return False
        target.append(self._present)
        self._present = source.pop()
        self._last = ("", float("-inf"))
        self._steps = 1
        try:
            self._state.restore(self._present)
        finally:
            self._steps, self._touched = 0, False
        self.changed.emit()
        return True
