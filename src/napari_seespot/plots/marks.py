"""What is drawn within the axes of a chart, as data; places are in data units.

Colours are "#rrggbb", or the name of a colour of the theme: "text", "axis",
"background".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_seespot.plots.shades import pixels_on

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import numpy as np

    from napari_seespot.plots.shades import Shades
    from napari_seespot.plots.theme import PlotTheme

__all__ = [
    "Bar",
    "Cell",
    "Dots",
    "Labels",
    "Limits",
    "Mark",
    "Path",
    "Picture",
    "Ribbon",
    "Word",
]

Limits = tuple[float, float]


@dataclass(frozen=True)
class Bar:
    """A rectangle; with a `key` it can be clicked, with a `text` it is written in."""

    x: Limits
    y: Limits
    color: str
    key: Hashable | None = None
    tip: str = ""
    text: str = ""
    outline: str | None = None
    alpha: int = 255


@dataclass(frozen=True, eq=False)
class Path:
    """A line through points; `band` fills the area between two lines."""

    x: np.ndarray
    y: np.ndarray
    color: str
    width: float = 1.6
    dashed: bool = False
    band: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Dots:
    """Single places, of `size` pixels; `rgba` colours them one by one."""

    x: np.ndarray
    y: np.ndarray
    color: str = "text"
    size: float = 6.0
    rgba: np.ndarray | None = None


@dataclass(frozen=True)
class Cell:
    """A pixel of a picture that can be clicked: its key, tip and area."""

    key: Hashable
    tip: str
    x: Limits
    y: Limits


@dataclass(frozen=True, eq=False)
class Picture:
    """An image; its first line is the lowest.

    Attributes
    ----------
    rgba : ndarray of uint8, shape (lines, columns, 4), or Shades
    x, y : (float, float)
        Where its sides lie.
    tell : callable, optional
        Called with line and column of a pixel; returns its key and its tip, or None
        where there is nothing. Without it, the picture cannot be clicked.
    """

    rgba: np.ndarray | Shades
    x: Limits
    y: Limits
    tell: Callable[[int, int], tuple[Hashable, str] | None] | None = None

    def pixels(self, theme: PlotTheme) -> np.ndarray | None:
        """Return the image as it looks in a theme; None where there is none."""
        return pixels_on(self.rgba, theme)

    def cell_at(self, x: float, y: float, shape: tuple[int, ...]) -> Cell | None:
        """Return what can be clicked at a place, in an image of some shape."""
        place = []
        for value, (low, high), count in ((y, self.y, shape[0]), (x, self.x, shape[1])):
            share = (value - low) / ((high - low) or 1.0)
            if not 0 <= share <= 1:
                return None
            place.append(min(int(share * count), count - 1))
        return self.cell(place[0], place[1], shape)

    def cell(self, line: int, column: int, shape: tuple[int, ...]) -> Cell | None:
        """Return what can be clicked at a pixel."""
        told = None if self.tell is None else self.tell(line, column)
        if told is None:
            return None
        (x0, x1), (y0, y1) = self.x, self.y
        across, up = (x1 - x0) / shape[1], (y1 - y0) / shape[0]
        return Cell(
            *told,
            (x0 + column * across, x0 + (column + 1) * across),
            (y0 + line * up, y0 + (line + 1) * up),
        )


@dataclass(frozen=True)
class Ribbon:
    """A band that flows from a stretch of y at one x to another."""

    x: Limits
    start: Limits
    end: Limits
    color: str
    key: Hashable | None = None
    tip: str = ""
    alpha: int = 130


@dataclass(frozen=True)
class Word:
    """A text at a place; `anchor` is the share of its box that lies there.

    A `frame` is the colour of what it names.
    With `elsewhere`, more places (x, y, anchor), it takes the first that is free of
    other such words; one that finds none is left out.
    """

    x: float
    y: float
    text: str
    anchor: tuple[float, float] = (0.5, 0.5)
    color: str = "text"
    boxed: bool = False
    frame: str | None = None
    elsewhere: tuple[tuple[float, float, tuple[float, float]], ...] = ()


@dataclass(frozen=True)
class Labels:
    """Names and numbers one below the other, each as near to its place as may be.

    None covers another; one that had to give way is tied to its place by a line.
    They are written smaller rather than cut, but names that are too long are.

    Attributes
    ----------
    x : float
        Where the texts begin; with `to_left`, where they end.
    texts : tuple of (float, str, str)
        The place along y, the name and the number.
    to_left : bool
    """

    x: float
    texts: tuple[tuple[float, str, str], ...]
    to_left: bool = False


Mark = Bar | Path | Dots | Picture | Ribbon | Word | Labels
