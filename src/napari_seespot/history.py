"""Undo and redo of a state's changes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from psygnal import SignalInstance

from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_seespot.state import State

__all__ = ["History"]

_MERGE_SECONDS = 0.6  # a slider drag is one step
_DEPTH = 200  # a snapshot holds a few numbers, and a bit for each row

_DRAGGED = frozenset(
    {"filters.ranges", "limits.fixed", "point_size_um", "slab_planes", "max_points"}
    | {"asinh_width"}
)
"""Fields that follow a mouse. Of others, such as the selection, each change counts."""


class _Packed:
    """A selection's mask of a step that is past, in an eighth of the memory."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = ref(mask)  # while it lives, it need not be made again
        self._rows = len(mask)
        self._bits = np.packbits(mask)

    def unpacked(self) -> np.ndarray:
        mask = self.mask()
        if mask is None:
            mask = np.unpackbits(self._bits, count=self._rows).view(np.bool_)
            mask.flags.writeable = False
            self.mask = ref(mask)
        return mask


class History:
    """Snapshots of a state, one for each change that a user would call one.

    Changes that a drag makes, of the same field in quick succession, are one step.

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
        self._last_packed: _Packed | None = None
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
        dragged = field in _DRAGGED and field == name
        if dragged and now - then < _MERGE_SECONDS and self._past:
            self._present = self._state.snapshot()
            return
        self._push()

    def _push(self) -> None:
        self._touched = False
        self._past.append(self._packed(self._present))
        del self._past[:-_DEPTH]
        self._future.clear()
        self._present = self._state.snapshot()
        self.changed.emit()

    def _move(self, source: list[dict[str, Any]], target: list[dict[str, Any]]) -> bool:
        if self._steps:
            raise StateError("a change is being made: it cannot be undone within it")
        if not source:
            return False
        target.append(self._packed(self._present))
        self._present = _unpacked(source.pop())
        self._last = ("", float("-inf"))
        self._steps = 1
        try:
            self._state.restore(self._present)
        finally:
            self._steps, self._touched = 0, False
        self.changed.emit()
        return True

    def _packed(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Return a snapshot whose mask takes little memory; equal ones share it."""
        mask = snapshot["selection"]["mask"]
        if mask is None:
            return snapshot
        packed = self._last_packed
        if packed is None or packed.mask() is not mask:
            packed = self._last_packed = _Packed(mask)
        return {**snapshot, "selection": {**snapshot["selection"], "mask": packed}}


def _unpacked(snapshot: dict[str, Any]) -> dict[str, Any]:
    packed = snapshot["selection"]["mask"]
    if not isinstance(packed, _Packed):
        return snapshot
    mask = packed.unpacked()
    return {**snapshot, "selection": {**snapshot["selection"], "mask": mask}}
