"""Keys on the viewer: undo, pairs, the way back.

A key that napari or another plugin has bound to the viewer stays theirs. A
layer's own keys come before the viewer's, as everywhere in napari: with a
labels layer active, ``[`` still makes the brush smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.session import Session

__all__ = ["KEYS", "Key", "ViewerKeys", "step_pair"]


def step_pair(session: Session, step: int) -> None:
    """Go on to the next pair of channels, or back (-1); around at the ends."""
    pairs, pair = session.dataset.channel_pairs, session.state.pair
    if pair is None or not pairs:
        return
    here = pairs.index(pair if pair in pairs else (pair[1], pair[0]))
    session.state.pair = pairs[(here + step) % len(pairs)]


@dataclass(frozen=True)
class Key:
    """A key, and what it does.

    Attributes
    ----------
    name : str
        As napari calls it.
    text : str
        What it does, for tool tips and the list of keys.
    do : callable
        Called with the session.
    """

    name: str
    text: str
    do: Callable[[Session], Any]

    @property
    def shown(self) -> str:
        """The key as keyboards and menus call it."""
        return self.name.replace("Control", "Ctrl").replace("-", "+")


KEYS = (
    Key("Control-Z", "Take the last change back", lambda session: session.undo()),
    Key("Control-Shift-Z", "Make it again", lambda session: session.redo()),
    Key("[", "Previous pair of channels", lambda session: step_pair(session, -1)),
    Key("]", "Next pair of channels", lambda session: step_pair(session, 1)),
    Key("Alt-Left", "Return to where one was", lambda session: session.go_back()),
    Key("Control-D", "Select nothing", lambda session: session.clear_selection()),
    Key(
        "Control-I", "Invert the selection", lambda session: session.invert_selection()
    ),
)
"""In the order in which they are listed."""


class ViewerKeys:
    """The keys of a session on its viewer.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    session : Session

    Attributes
    ----------
    bound : tuple of Key
        Those that nobody else had bound.
    """

    def __init__(self, viewer: Any, session: Session) -> None:
        self._viewer = viewer
        self._actions: dict[str, Callable[[Any], None]] = {}
        bound = []
        for key in KEYS:
            action = _action(key, session)
            try:
                if _is_taken(viewer, key):
                    continue
                viewer.bind_key(key.name, action)
            except ValueError:  # bound to this viewer
                continue
            self._actions[key.name] = action
            bound.append(key)
        self.bound = tuple(bound)

    def close(self) -> None:
        """Give back the keys that are still ours."""
        for name, action in self._actions.items():
            if any(bound is action for bound in self._viewer.keymap.values()):
                self._viewer.bind_key(name, None)
        self._actions.clear()


def _action(key: Key, session: Session) -> Callable[[Any], None]:
    def act(_viewer: Any) -> None:
        if not session.is_closed:
            key.do(session)

    act.__doc__ = f"{key.text} (napari SeeSpot)."  # napari lists it
    return act


def _is_taken(viewer: Any, key: Key) -> bool:
    # napari binds its shortcuts to the class of the viewer's model, whatever class
    # the viewer itself is of.
    keymaps = (vars(kind).get("class_keymap", {}) for kind in type(viewer).__mro__)
    return any(str(binding) == key.shown for keymap in keymaps for binding in keymap)
