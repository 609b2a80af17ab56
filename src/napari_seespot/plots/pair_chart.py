"""A channel pair's large plot as a chart: to be saved as it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import SeeSpotError
from napari_seespot.palette import channel_colors
from napari_seespot.plots.charts import Axis, Chart, Dots, Mark, Path, Picture
from napari_seespot.plots.dye_line_items import visible_part
from napari_seespot.plots.summary_charts import density_table
from napari_seespot.unmixing import dye_lines

if TYPE_CHECKING:
    import pandas as pd

    from napari_seespot.plots.pair_picture import Limits, PairPicture

__all__ = ["pair_chart"]


def pair_chart(picture: PairPicture, *, lines: bool = True) -> Chart:
    """Return what a channel-pair plot shows.

    Parameters
    ----------
    picture : PairPicture
    lines : bool
        Whether dye lines are shown.

    Returns
    -------
    Chart
        Its data are the bins that hold spots with their counts, or the spots
        where these are drawn one by one.
    """
    view, pair = picture.request.view, picture.request.pair
    dataset, (x0, x1, y0, y1) = view.dataset, picture.limits
    marks: list[Mark] = []
    if picture.points is None:
        marks.append(Picture(picture.rgba, (x0, x1), (y0, y1)))
        data = density_table(picture.density)
    else:
        points = picture.points
        marks.append(Dots(points.x, points.y, size=5, rgba=points.rgba))
        data = _spots(picture)
    if picture.tint is not None:
        marks.append(Picture(picture.tint, (x0, x1), (y0, y1)))
    if lines:
        marks += _lines(picture, (x0, x1, y0, y1))
    counts, colors = picture.class_counts, view.coloring.table
    legend = tuple(
        (f"{_label(picture, name)} {count:,}", "#{:02x}{:02x}{:02x}".format(*color[:3]))
        for (name, count), color in zip(counts.items(), colors.tolist(), strict=False)
    )
    a, b = (dataset.label(channel) for channel in pair)
    return Chart(
        f"{a} / {b}",
        tuple(marks),
        Axis((x0, x1), f"{a} intensity"),
        Axis((y0, y1), f"{b} intensity"),
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


def _lines(picture: PairPicture, limits: Limits) -> list[Mark]:
    dataset, pair = picture.request.view.dataset, picture.request.pair
    try:
        found = dye_lines(dataset.ratios, pair)
    except SeeSpotError:  # the dock has told of it
        return []
    colors = channel_colors(dataset.channels)
    marks: list[Mark] = []
    for line in found:
        part = visible_part(line.direction, limits)
        if part is not None:
            ends = np.array(part)
            color = colors.get(line.channel, "axis")
            marks.append(Path(ends * line.dx, ends * line.dy, color))
    return marks
