"""The colours of a plot on a dark or a light window."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "PAPER", "PlotTheme"]


@dataclass(frozen=True)
class PlotTheme:
    """Colours, each ``#rrggbb``.

    Attributes
    ----------
    background : str
        Behind the data.
    axis : str
        Axes and ticks.
    text : str
        Labels; also what marks the selection and a picked spot.
    dark : bool
        Whether the background is darker than the text.
    """

    background: str
    axis: str
    text: str
    dark: bool


DARK = PlotTheme("#000000", "#868e93", "#f0f1f2", True)
LIGHT = PlotTheme("#ffffff", "#6b6966", "#3b3a39", False)
PAPER = PlotTheme("#ffffff", "#5a5a5a", "#111111", False)
