"""Keys that act on the canvas for a while, in the place of napari's own.

In napari a key goes to the active layer first, to what is bound to this one
layer before what all of its kind have; then to the viewer. So a key that shall
act with one of our layers active is bound to that layer, and given back when
another becomes active: that of another plugin keeps its keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_seespot.session import Session

__all__ = ["CanvasKeys"]


class CanvasKeys:
    """Keys that are bound while something goes on, and given back then."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._viewer: Any = None  # a session forgets its own when it ends
        self._actions: dict[str, Callable[[Any], None]] = {}
        self._layer: Any = None
        self._bound: list[tuple[Any, str]] = []

    @property
    def bound(self) -> bool:
        """Whether the keys act now."""
        return self._session is not None

    def bind(self, session: Session, actions: Mapping[str, Callable[[], None]]) -> None:
        """Have keys act on the canvas of a session's viewer, where it has one.

        A key that somebody has bound to this viewer or layer stays theirs.
        """
        self.release()
        if session.viewing is None or session.is_closed:
            return
        self._session, self._viewer = session, session.viewer
        self._actions = {key: _with_owner(act) for key, act in actions.items()}
        viewer = self._viewer
        taken = {str(key) for kind in type(viewer).__mro__ for key in _class_keys(kind)}
        self._take(viewer, [key for key in actions if key not in taken])
        viewer.layers.selection.events.active.connect(self._follow)
        self._follow()

    def release(self, *_: Any) -> None:
        """Give the keys back. Safe to call twice."""
        viewer = vars(self).get("_viewer")
        if viewer is None:
            return  # or emptied by Python, which collects it with a dock
        self._viewer = self._session = None
        viewer.layers.selection.events.active.disconnect(self._follow)
        for owner, key in self._bound:
            self._give_back(owner, key)
        self._bound.clear()
        self._actions = {}
        self._layer = None

    def _follow(self, _event: Any = None) -> None:
        """Have the keys act on the layer that is active now, if it is ours."""
        session = self._session
        if session is None or session.viewing is None:
            return
        before, layer = self._layer, self._viewer.layers.selection.active
        if layer is before:
            return
        for owner, key in [one for one in self._bound if one[0] is before]:
            self._give_back(owner, key)
            self._bound.remove((owner, key))
        parts = (session.viewing.overlay, session.viewing.images)
        ours = [one for part in parts if part is not None for one in part.layers]
        self._layer = layer if any(layer is one for one in ours) else None
        if self._layer is not None:
            self._take(layer, self._actions)

    def _take(self, owner: Any, keys: Any) -> None:
        taken = {str(key) for key in owner.keymap}
        for key in keys:
            if key not in taken:
                owner.bind_key(key, self._actions[key])
                self._bound.append((owner, key))

    def _give_back(self, owner: Any, key: str) -> None:
        found = owner.bind_key(key, None)
        if found is not None and found is not self._actions.get(key):
            owner.bind_key(key, found)  # somebody has taken it meanwhile


def _with_owner(act: Callable[[], None]) -> Callable[[Any], None]:
    """Return an action as napari calls it: with what the key is bound to."""

    def called(_owner: Any) -> None:
        act()

    return called


def _class_keys(kind: type) -> Any:
    return vars(kind).get("class_keymap", {})
