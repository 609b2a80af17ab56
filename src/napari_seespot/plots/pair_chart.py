"""A channel pair's large plot as a chart: to be saved as it is seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.index import SpotIndex
from napari_seespot.plots.charts import Axis, Chart, Ramp, number_text, short_number
from napari_seespot.plots.density_charts import count_ramp, density_table
from napari_seespot.plots.dye_line_marks import line_marks
from napari_seespot.plots.gate_items import outline_places
from napari_seespot.plots.marks import Dots, Mark, Path, Picture, Word
from napari_seespot.plots.pair_picture import PairPainter
from napari_seespot.plots.scales import PlotScale
from napari_seespot.plots.shades import Shades

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_seespot.plots.gate_items import Outline
    from napari_seespot.plots.pair_picture import PairPicture
    from napari_seespot.plots.theme import PlotTheme
    from napari_seespot.resolve import View

__all__ = ["gate_marks", "pair_chart", "scaled_axis", "view_scale"]


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
        where these are drawn one by one. It can be drawn on any background.
    """
    view, pair = picture.request.view, picture.request.pair
    dataset, scale = view.dataset, picture.request.scale
    x0, x1, y0, y1 = scale.limits_to(picture.limits)
    marks: list[Mark] = []
    painted = cache(lambda theme: _painted(picture, theme))
    if picture.points is None:
        shades = Shades(lambda theme: painted(theme).rgba)
        marks.append(Picture(shades, (x0, x1), (y0, y1)))
        data = density_table(picture.density)
    else:
        points = picture.points
        marks.append(
            Dots(scale.to(points.x), scale.to(points.y), size=5, rgba=points.rgba)
        )
        data = _spots(picture)
    if picture.tint is not None:
        tints = Shades(lambda theme: painted(theme).tint)
        marks.append(Picture(tints, (x0, x1), (y0, y1)))
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
        _ramp(picture),
        caption=_caption(picture),
        data=data,
        aspect=0.8,
    )


def _painted(picture: PairPicture, theme: PlotTheme) -> PairPicture:
    """Return the picture as it looks in a theme: counted again where it is another."""
    request = picture.request
    wanted: dict[str, Any] = {"dark": theme.dark, "marker_color": theme.text}
    if all(getattr(request, name) == value for name, value in wanted.items()):
        return picture
    request = replace(request, zoom=picture.limits, moving=False, **wanted)
    return PairPainter(SpotIndex(request.view.spots)).paint(request)


def _caption(picture: PairPicture) -> str:
    """Return what is counted and what is marked, in words."""
    parts = [f"{picture.n_inside:,} of {picture.n_total:,} spots"]
    points = picture.points
    if points is not None and len(points.rows) < picture.n_inside:
        parts.append(f"{len(points.rows):,} of them drawn")
    if picture.n_selected_passing:
        parts.append(f"{picture.n_selected_passing:,} selected")
    highlight = picture.request.view.highlight
    if highlight is not None:
        parts.append(f"{highlight} ones highlighted")
    return ", ".join(parts)


def _ramp(picture: PairPicture) -> Ramp | None:
    """Return the colour bar: of the column that colours, else of the counts."""
    view = picture.request.view
    coloring = view.coloring
    if coloring.limits is not None:
        low, high = map(number_text, coloring.limits)
        one_by_one = picture.points is not None
        label = coloring.by if one_by_one else f"mean {coloring.by} of a bin"
        return Ramp(coloring.table, low, high, label)
    if picture.points is not None:
        return None
    scale: Any = view.count_scale
    return count_ramp(picture.fullest, scale, by_class=bool(picture.density.classes))


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
