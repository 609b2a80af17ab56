"""Keys on the viewer: undo, pairs, the way back, help; and a list of all keys.

They are napari's actions: *Preferences > Shortcuts* lists them, and a user may change
them there. A key that napari has bound stays napari's. Whatever is bound to one viewer
comes before them, and so does a layer's own key, as everywhere in napari: with a
labels layer active, ``[`` still makes the brush smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_seespot import sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.session import Session

__all__ = ["DOCK_KEYS", "KEYS", "Key", "offer_keys", "shortcuts", "step_pair"]


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
    action : str
        As napari's settings call what it does.
    text : str
        What it does, for tool tips and the list of keys.
    do : callable
        Called with the session.
    """

    name: str
    action: str
    text: str
    do: Callable[[Session], Any]

    @property
    def shown(self) -> str:
        """The key as keyboards and menus call it."""
        return _shown(self.name)


def _shown(name: str) -> str:
    return name.replace("Control", "Ctrl").replace("-", "+")


def _key(name: str, action: str, text: str, do: Callable[[Session], Any]) -> Key:
    return Key(name, f"napari-seespot:{action}", text, do)


KEYS = (
    _key("Control-Z", "undo", "Take the last change back", lambda one: one.undo()),
    _key("Control-Shift-Z", "redo", "Make it again", lambda one: one.redo()),
    _key(
        "[",
        "previous_pair",
        "Previous pair of channels",
        lambda one: step_pair(one, -1),
    ),
    _key("]", "next_pair", "Next pair of channels", lambda one: step_pair(one, 1)),
    _key("Alt-Left", "go_back", "Return to where one was", lambda one: one.go_back()),
    _key(
        "Control-D",
        "select_nothing",
        "Select nothing",
        lambda one: one.clear_selection(),
    ),
    _key(
        "Control-I",
        "invert_selection",
        "Invert the selection",
        lambda one: one.invert_selection(),
    ),
    _key(
        "Control-K",
        "list_keys",
        "List all keys",
        lambda one: one.want_dock("Keys"),
    ),
)
"""In the order in which they are listed."""

DOCK_KEYS: dict[str, dict[str, str]] = {
    "Channel pairs": {
        "[ ]": "Previous and next pair",
        "A": "Automatic axes",
        "Shift, Alt or both while drawing": (
            "Add to the selection, subtract from it, intersect with it"
        ),
        "Enter": "Close a polygon that is being drawn",
        "Backspace": "Take its last corner back",
        "Esc": "Give it up",
    },
    "Table": {
        "1 to 9": "Give the chosen spots the label of that key",
        "0 or Delete": "Take their label away",
        "Up, Down, Page up, Page down": (
            "Walk through the spots; the viewer flies along"
        ),
        "Enter": "Fly to the spot again",
        "F2": "Write a label",
        "Ctrl+C": "Copy the chosen rows",
    },
    "Filters": {
        "Left, Right": (
            "On a histogram: move the chosen end of the range; with Shift ten times "
            "as far"
        ),
        "Space": "Choose the other end",
        "Home, End": "Move the chosen end to where the column begins or ends",
        "Delete": "Let the range go",
    },
    "Review": {
        "1 2 3 4": (
            "Right, wrong, unsure, skip; while one judges also on the image, unless "
            "a layer of yours is active"
        )
    },
}
"""What keys do while a dock has the focus."""


def shortcuts(key: Key) -> tuple[str, ...]:
    """Return the keys that do what this one does by default, as menus call them.

    Others where the user has changed them in napari's preferences.
    """
    from napari.settings import get_settings

    chosen = get_settings().shortcuts.shortcuts.get(key.action)
    return (key.shown,) if chosen is None else tuple(str(one) for one in chosen)


def offer_keys() -> None:
    """Have napari know the keys, once; they act on the session of their viewer."""
    from napari.components import ViewerModel
    from napari.settings import get_settings
    from napari.utils.action_manager import action_manager

    chosen = get_settings().shortcuts.shortcuts
    for key in KEYS:
        if key.action in _offered:
            continue
        _offered.add(key.action)
        text = f"{key.text} (napari-seespot)"
        action_manager.register_action(key.action, _command(key), text, ViewerModel)
        for name in chosen.get(key.action, (key.name,)):
            if not _is_taken(ViewerModel, _shown(str(name))):
                action_manager.bind_shortcut(key.action, name)


_offered: set[str] = set()


def _command(key: Key) -> Callable[[Any], None]:
    def act(viewer: Any) -> None:
        session = sessions.current(viewer)
        if session is not None:
            key.do(session)

    act.__doc__ = f"{key.text} (napari-seespot)."
    return act


def _is_taken(model: Any, shown: str) -> bool:
    return any(str(binding) == shown for binding in model.class_keymap)
