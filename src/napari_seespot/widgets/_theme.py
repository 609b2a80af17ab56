"""napari's theme, as plots take it."""

from __future__ import annotations

from typing import Any

from napari_seespot.plots.theme import DARK, PlotTheme

__all__ = ["plot_theme"]


def plot_theme(viewer: Any) -> PlotTheme:
    """Return the colours of the viewer's theme; dark where it has none."""
    name = getattr(viewer, "theme", None)
    if not isinstance(name, str):
        return DARK
    from napari.utils.theme import get_theme

    theme = get_theme(name)
    return PlotTheme(
        background=theme.canvas.as_hex("long"),
        axis=theme.secondary.as_hex("long"),
        text=theme.text.as_hex("long"),
        dark=theme.type == "dark",
    )
