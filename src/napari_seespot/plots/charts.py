"""What a figure shows, as data: axes and marks, without a screen.

One painter draws every chart, in a dock, in a file and on a page of a report;
the table behind it comes with it. Places are in data units.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.plots.marks import Bar, Limits, Mark, Ribbon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.plots.shades import Shades

__all__ = [
    "NOTHING",
    "Axis",
    "Chart",
    "Ramp",
    "nice_ticks",
    "number_text",
    "short_number",
    "stacked",
]

NOTHING = "\N{EN DASH}"
"""Stands where there is no number."""


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Attributes
    ----------
    limits : (float, float)
        The first is left or below; (high, low) turns the axis round.
    label : str
    names : tuple of str
        Of categories: the i-th lies in the middle of i and i + 1. They may have
        several lines.
    ticks : tuple of (float, str)
        Places and what is written there, where the axis is not linear.
    shown : bool
        Whether ticks and label are drawn.
    """

    limits: Limits = (0.0, 1.0)
    label: str = ""
    names: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    shown: bool = True


@dataclass(frozen=True, eq=False)
class Ramp:
    """A gradient in the legend, with what its ends stand for.

    `table` has the colours from low to high: ndarray of uint8, shape (n, 4); or
    Shades that give it.
    """

    table: np.ndarray | Shades
    low: str
    high: str
    label: str = ""


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure.

    Attributes
    ----------
    title : str
    marks : tuple of Mark
        Drawn one after the other.
    x, y : Axis
    legend : tuple of (str, str)
        Names and their colours.
    ramp : Ramp or None
    caption : str
        A sentence below the title: what is counted, and how.
    data : DataFrame
        What the figure was drawn from; what its CSV holds.
    aspect : float
        Height over width that suits it.
    equal : bool
        A unit of x is as long as one of y: a map.
    columns : tuple of str or None
        What x and y are, channels or numeric columns, where an outline in the plane
        selects spots.
    """

    title: str
    marks: tuple[Mark, ...] = ()
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    legend: tuple[tuple[str, str], ...] = ()
    ramp: Ramp | None = None
    caption: str = ""
    data: pd.DataFrame = field(default_factory=pd.DataFrame)
    aspect: float = 0.62
    equal: bool = False
    columns: tuple[str, str] | None = None

    def with_marks(self, *marks: Mark) -> Chart:
        """Return the chart with more marks on top."""
        return replace(self, marks=(*self.marks, *marks))

    @property
    def keys(self) -> tuple[Any, ...]:
        """The keys of what can be clicked, in order, each once."""
        found = {
            mark.key: None
            for mark in self.marks
            if isinstance(mark, (Bar, Ribbon)) and mark.key is not None
        }
        return tuple(found)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two values, `most` of them or a few less.

    Steps are 1, 2 or 5 times a power of ten, after P. S. Heckbert, "Nice
    numbers for graph labels", Graphics Gems, 1990.
    """
    low, high = sorted((float(low), float(high)))
    span = high - low
    if not np.isfinite(span) or span <= 0 or most < 1:
        return [low] if np.isfinite(low) else []
    rough = span / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next((m * power for m in (1, 2, 5) if m * power >= rough), 10 * power)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(step * i) for i in np.arange(first, last + 1)]


def short_number(value: float) -> str:
    """Return a tick's number: ``"0.25"``, ``"1,500"``, ``"20k"``, ``"1.5M"``."""
    size = abs(value)
    for limit, divisor, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= limit:
            return f"{value / divisor:.4g}{unit}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.4g}"


def number_text(value: float) -> str:
    """Return a number of a table or a tip: whole ones in full, others rounded."""
    if not np.isfinite(value):
        return NOTHING
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.4g}"


def stacked(values: Sequence[float]) -> list[Limits]:
    """Return the stretches of values laid end to end, from 0."""
    ends = np.concatenate([[0.0], np.cumsum(np.asarray(values, float))]).tolist()
    return list(pairwise(ends))
