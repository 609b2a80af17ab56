"""Which session belongs to which viewer.

A dock that is opened from the menu is given a viewer and finds its session
here; it is told when the viewer gets another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psygnal import SignalInstance

if TYPE_CHECKING:
    from napari_seespot.session import Session

__all__ = ["attach", "current", "forget", "session_changed", "unwrap"]

_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()

session_changed = SignalInstance((object,), name="session_changed")
"""Emitted with a viewer when its session begins, is replaced or ends."""


def unwrap(viewer: Any) -> Any:
    """Return the viewer itself; napari hands plugins a proxy of it."""
    return getattr(viewer, "__wrapped__", viewer)


def current(viewer: Any) -> Session | None:
    """Return the viewer's open session, or None."""
    return _sessions.get(unwrap(viewer))


def attach(viewer: Any, session: Session | None) -> None:
    """Make a session the viewer's own; the one before is closed."""
    viewer = unwrap(viewer)
    before = _sessions.pop(viewer, None)
    if before is not None and before is not session:
        before.close()
    if session is not None:
        _sessions[viewer] = session
    session_changed.emit(viewer)


def forget(viewer: Any, session: Session) -> None:
    """Tell that a session has ended, unless its viewer has another one already."""
    viewer = unwrap(viewer)
    if _sessions.get(viewer) is session:
        del _sessions[viewer]
        session_changed.emit(viewer)
