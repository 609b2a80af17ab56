"""Pixels whose colours depend on what is behind them.

Few spots are dark on a dark window and light on white paper: a picture that was
coloured for one cannot be shown on the other. A chart therefore holds the way from
counts to colours, and whoever draws it says on what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from napari_seespot.plots.theme import PlotTheme

__all__ = ["Shades", "pixels_on"]


class Shades:
    """A picture in all themes; each of its looks is made once, when it is drawn.

    Parameters
    ----------
    make : callable
        Returns the pixels for a theme: ndarray of uint8, shape (lines, columns, 4),
        or None for nothing.
    made : mapping of PlotTheme to ndarray, optional
        What is known already.
    """

    def __init__(
        self,
        make: Callable[[PlotTheme], np.ndarray | None],
        made: Mapping[PlotTheme, np.ndarray | None] | None = None,
    ) -> None:
        self._make = make
        self._made = dict(made or {})

    def on(self, theme: PlotTheme) -> np.ndarray | None:
        """Return the pixels as they look in a theme."""
        if theme not in self._made:
            self._made[theme] = self._make(theme)
        return self._made[theme]


def pixels_on(pixels: np.ndarray | Shades, theme: PlotTheme) -> np.ndarray | None:
    """Return pixels as they look in a theme."""
    return pixels.on(theme) if isinstance(pixels, Shades) else pixels
