"""The *Keys* dock: all keys, as they are set now."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Label
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy

from napari_seespot.keys import DOCK_KEYS, KEYS, shortcuts
from napari_seespot.widgets._dock import scrolled
from napari_seespot.widgets._placing import Placing

if TYPE_CHECKING:
    from collections.abc import Iterable

    import napari.viewer

__all__ = ["KeysWidget"]

_HINT = (
    "Preferences > Shortcuts changes the keys on the viewer. A key that napari has "
    "bound stays napari's, and the keys of the layer that is active come first."
)


class KeysWidget(Container[Any]):
    """Lists the keys on the viewer and in the docks.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.text = Label(value="")
        self.text.native.setWordWrap(True)
        # A long line must wrap, not widen the dock.
        self.text.native.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.text.native.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.text.native.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        body: Container[Any] = Container(labels=False, widgets=[self.text])
        self.native.layout().addWidget(scrolled(body))
        self._placing = Placing(self.native, 400)
        self.show_keys()
        settings = _shortcut_settings()
        settings.events.shortcuts.connect(self.show_keys)  # napari refers to it weakly

    def show_keys(self, _event: Any = None) -> None:
        """Show the keys as they are set now."""
        viewer = ((" or ".join(shortcuts(key)) or "none", key.text) for key in KEYS)
        parts = [_table("On the viewer, while a dataset is open", viewer)]
        parts += [
            _table(f"In the {name} dock", keys.items())
            for name, keys in DOCK_KEYS.items()
        ]
        self.text.value = f"{''.join(parts)}<p>{escape(_HINT)}</p>"


def _shortcut_settings() -> Any:
    from napari.settings import get_settings

    return get_settings().shortcuts


def _table(title: str, keys: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><td width=38%><b>{escape(key)}</b></td><td>{escape(text)}</td></tr>"
        for key, text in keys
    )
    return f"<h4>{escape(title)}</h4><table width=100%>{rows}</table>"
