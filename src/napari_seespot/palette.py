"""Colours that plots and viewer share.

Channels and statuses began with the palette of Okabe and Ito
(https://jfly.uni-koeln.de/color/). Each was moved in lightness until those of one
picture stay apart with any of the common forms of colour blindness: a test simulates
them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "CELL_COLOR",
    "CELL_COLORS",
    "REMOVED",
    "STATUS_COLORS",
    "channel_color",
    "channel_colors",
    "rgba",
    "wavelength",
]

REMOVED = "removed"

STATUS_COLORS: dict[str, str] = {
    "unchanged": "#56b4e9",
    "reassigned": "#f5a300",
    REMOVED: "#b8439a",
}

CELL_COLOR = "#9a9a9a"
"""What belongs to no channel, or lies in no cell."""

CELL_COLORS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#5b8fd6", "#d55e00", "#cc79a7",
    "#cc6677", "#ddcc77", "#44aa99", "#999933", "#88ccee", "#aa4499", "#b0e06b",
)  # fmt: skip
"""Of segmented cells, beside the palette of Okabe and Ito that of Tol
(https://personal.sron.nl/~pault/), without what is dark on a dark canvas."""

# Laser lines in nm, and the colour in which their channel is drawn.
_LASERS: dict[int, str] = {
    405: "#8c9eff",
    488: "#56b4e9",
    514: "#00936a",
    561: "#fff27a",
    594: "#e69f00",
    638: "#d9400f",
    700: "#d873b1",
    750: "#b8b8b8",
}


def wavelength(channel: str) -> int | None:
    """Return the wavelength in nm that a channel's name holds, or None."""
    match = re.search(r"(?<!\d)(\d{3,4})(?!\d)", channel)
    return int(match[1]) if match else None


def channel_color(channel: str) -> str:
    """Return the colour, as ``#rrggbb``, of a channel on its own.

    Parameters
    ----------
    channel : str
        A name with a wavelength in it (``"488"``); others are grey.
    """
    nm = wavelength(channel)
    if nm is None:
        return CELL_COLOR
    return _LASERS[min(_LASERS, key=lambda laser: abs(laser - nm))]


def channel_colors(channels: Iterable[str]) -> dict[str, str]:
    """Return a colour for each channel, all different while the palette lasts."""
    colors: dict[str, str] = {}
    spare = [*_LASERS.values()]
    for channel in channels:
        wanted = channel_color(channel)
        free = [color for color in spare if color not in colors.values()]
        colors[channel] = wanted if wanted in free or not free else free[0]
    return colors


def rgba(color: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """Return ``#rrggbb`` as four numbers from 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return (red, green, blue, alpha)


def rgba_table(colors: Sequence[str]) -> list[tuple[float, float, float, float]]:
    """Return the colours as rows of a table with red, green, blue and alpha."""
    return [rgba(color) for color in colors]
