"""Dye lines in a chart, each with its name beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import SeeSpotError
from napari_seespot.palette import channel_colors
from napari_seespot.plots.dye_line_items import line_places
from napari_seespot.plots.marks import Mark, Path, Word
from napari_seespot.plots.scales import LINEAR, PlotScale
from napari_seespot.unmixing import dye_lines

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset

__all__ = ["line_marks"]

_NAME_AT = (0.94, 0.82, 0.70, 0.58, 0.46, 0.34)
"""Where a name may stand, as a share of the line's visible part."""

_SIDES = ((1.04, 0.5), (-0.04, 0.5))
"""Anchors: on the left of the line, on its right."""


def line_marks(
    dataset: Dataset,
    pair: tuple[str, str],
    limits: tuple[float, float, float, float],
    scale: PlotScale = LINEAR,
    width: float = 1.6,
    *,
    short: bool = False,
) -> list[Mark]:
    """Return the visible dye lines of a pair; none where the ratios have none.

    Parameters
    ----------
    dataset : Dataset
    pair : (str, str)
    limits : (float, float, float, float)
        Places along the axes: x low, x high, y low, y high.
    scale : PlotScale
    width : float
        Of the lines, in pixels.
    short : bool
        Name the channels only, without their genes.
    """
    try:
        found = dye_lines(dataset.ratios, pair)
    except SeeSpotError:  # the docks tell of it
        return []
    colors = channel_colors(dataset.channels)
    marks: list[Mark] = []
    words: list[Mark] = []
    for line in found:
        places = line_places(line.direction, limits, scale)
        if places is not None:
            color = colors.get(line.channel, "axis")
            marks.append(Path(places[:, 0], places[:, 1], color, width))
            name = line.channel if short else dataset.label(line.channel)
            words.append(_name(name, color, places, limits))
    return marks + words


def _name(
    text: str,
    color: str,
    places: np.ndarray,
    limits: tuple[float, float, float, float],
) -> Word:
    """Return a line's name, with all places in which it may stand."""
    x0, x1, y0, y1 = limits
    steps = np.diff(places, axis=0) / ((x1 - x0) or 1.0, (y1 - y0) or 1.0)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])
    at = np.array(_NAME_AT) * along[-1]
    xs, ys = (np.interp(at, along, axis).tolist() for axis in places.T)
    spots = [(x, y, side) for x, y in zip(xs, ys, strict=True) for side in _SIDES]
    (x, y, anchor), *others = spots
    return Word(x, y, text, anchor, boxed=True, frame=color, elsewhere=tuple(others))
