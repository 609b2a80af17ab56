"""A channel pair's large plot as a chart: to be saved as it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import SeeSpotError
from napari_seespot.palette import channel_colors
from napari_seespot.plots.charts import (
    Axis,
    Chart,
    Dots,
    Mark,
    Path,
    Picture,
    Word,
    short_number,
)
from napari_seespot.plots.dye_line_items import line_places
from napari_seespot.plots.gate_items import outline_places
from napari_seespot.plots.scales import PlotScale
from napari_seespot.plots.summary_charts import density_table
from napari_seespot.unmixing import dye_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.plots.gate_items import Outline
    from napari_seespot.plots.pair_picture import Limits, PairPicture
    from napari_seespot.resolve import View

__all__ = ["gate_marks", "line_marks", "pair_chart", "scaled_axis", "view_scale"]


def pair_chart(
    picture: PairPicture, *, lines: bool = True, gates: Sequence[Outline] = ()
) -> Chart:
    """Return what a channel-pair plot shows.

    Parameters
    ----------
    picture : PairPicture
    lines : bool
        Whether dye lines are shown.
    gates : sequence of (str, ndarray)
        Names and corners of the gates to outline.

    Returns
    -------
    Chart
        Its data are the bins that hold spots with their counts, or the spots
        where these are drawn one by one.
    """
    view, pair = picture.request.view, picture.request.pair
    dataset, scale = view.dataset, picture.request.scale
    x0, x1, y0, y1 = scale.limits_to(picture.limits)
    marks: list[Mark] = []
    if picture.points is None:
        marks.append(Picture(picture.rgba, (x0, x1), (y0, y1)))
        data = density_table(picture.density)
    else:
        points = picture.points
        marks.append(
            Dots(scale.to(points.x), scale.to(points.y), size=5, rgba=points.rgba)
        )
        data = _spots(picture)
    if picture.tint is not None:
        marks.append(Picture(picture.tint, (x0, x1), (y0, y1)))
    if lines:
        marks += line_marks(dataset, pair, (x0, x1, y0, y1), scale)
    marks += gate_marks(gates, scale)
    counts, colors = picture.class_counts, view.coloring.table
    legend = tuple(
        (f"{_label(picture, name)} {count:,}", "#{:02x}{:02x}{:02x}".format(*color[:3]))
        for (name, count), color in zip(counts.items(), colors.tolist(), strict=False)
    )
    a, b = (dataset.label(channel) for channel in pair)
    return Chart(
        f"{a} / {b}",
        tuple(marks),
        scaled_axis((x0, x1), f"{a} intensity", scale),
        scaled_axis((y0, y1), f"{b} intensity", scale),
        legend,
        caption=f"{picture.n_inside:,} of {picture.n_total:,} spots",
        data=data,
        aspect=0.8,
    )


def _label(picture: PairPicture, name: str) -> str:
    dataset = picture.request.view.dataset
    return dataset.label(name) if name in dataset.channels else name


def _spots(picture: PairPicture) -> pd.DataFrame:
    points, spots = picture.points, picture.request.view.spots
    assert points is not None  # asked before
    first, second = picture.request.pair
    columns = ["spot_id", f"chan_{first}_intensity", f"chan_{second}_intensity"]
    columns += ["chan", "unmixed_chan", "status"]
    return spots.to_pandas(columns, points.rows).reset_index(drop=True)


def line_marks(
    dataset: Dataset,
    pair: tuple[str, str],
    limits: Limits,
    scale: PlotScale,
    width: float = 1.6,
) -> list[Mark]:
    """Return the visible dye lines of a pair; none where the ratios have none.

    Parameters
    ----------
    limits : (float, float, float, float)
        Places along the axes: x low, x high, y low, y high.
    """
    try:
        found = dye_lines(dataset.ratios, pair)
    except SeeSpotError:  # the docks tell of it
        return []
    colors = channel_colors(dataset.channels)
    marks: list[Mark] = []
    for line in found:
        places = line_places(line.direction, limits, scale)
        if places is not None:
            color = colors.get(line.channel, "axis")
            marks.append(Path(places[:, 0], places[:, 1], color, width))
    return marks


def gate_marks(
    gates: Sequence[Outline], scale: PlotScale, width: float = 1.4
) -> list[Mark]:
    """Return the outlines of gates, each with its name."""
    marks: list[Mark] = []
    for name, corners in gates:
        outline = outline_places(corners, scale)
        marks.append(Path(outline[:, 0], outline[:, 1], "text", width, dashed=True))
        x, y = outline[np.argmax(outline[:, 1])].tolist()
        marks.append(Word(x, y, name, (0.0, 1.0), boxed=True))
    return marks


def scaled_axis(limits: tuple[float, float], label: str, scale: PlotScale) -> Axis:
    """Return an axis over places of a scale, with ticks at round values."""
    if scale.name == "linear":
        return Axis(limits, label)
    values = scale.ticks(*limits, most=5)
    places = scale.to(values).tolist()
    ticks = zip(places, map(short_number, values), strict=True)
    return Axis(limits, label, ticks=tuple(ticks))


def view_scale(view: View) -> PlotScale:
    """Return the scale of the axes of all channel-pair plots."""
    name = view.axis_scale
    return PlotScale(name, view.asinh_width if name == "asinh" else 1.0)
