"""Bringing another dock of the plugin to the front."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget

from napari_seespot import viewing

__all__ = ["raise_dock"]


def raise_dock(viewer: Any, name: str) -> None:
    """Show a dock of this plugin in front; open it where it is closed.

    Parameters
    ----------
    viewer : napari.Viewer
        Nothing happens where it has no window.
    name : str
        As in napari's menu.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return
    # The one that is there is returned; napari opens no dock twice.
    dock, _widget = window.add_plugin_dock_widget(viewing.PLUGIN, name, tabify=False)
    if isinstance(dock, QDockWidget):
        dock.show()
        dock.raise_()
