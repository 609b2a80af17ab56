"""Pictures of all channel pairs, computed without a screen, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_seespot.densities import Density, density, means
from napari_seespot.plots.charts import Chart
from napari_seespot.plots.density_charts import density_table
from napari_seespot.plots.dye_line_marks import line_marks
from napari_seespot.plots.gate_items import gates_of
from napari_seespot.plots.marks import Mark, Picture
from napari_seespot.plots.pair_axes import above_zero, automatic_axis
from napari_seespot.plots.pair_chart import gate_marks, scaled_axis, view_scale
from napari_seespot.plots.pair_picture import (
    bins_for,
    selected_passing,
    shade,
    unfaded,
)
from napari_seespot.plots.shades import Shades
from napari_seespot.plots.shading import faded, selection_shade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from napari_seespot.plots.pair_axes import Limits
    from napari_seespot.plots.scales import PlotScale
    from napari_seespot.plots.theme import PlotTheme
    from napari_seespot.resolve import Mask, View

__all__ = ["GridRequest", "PairCellPicture", "PairGridPainter", "cell_chart"]

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class GridRequest:
    """What to paint.

    Attributes
    ----------
    view : View
    pairs : sequence of (str, str)
        In the order in which they are to be painted.
    zooms : mapping of pair to Limits
        Axes that the user has zoomed to; others as the view's rules say.
    size : (int, int)
        Width and height of a picture in pixels of the screen.
    theme : PlotTheme
    """

    view: View
    pairs: Sequence[Pair]
    zooms: Mapping[Pair, Limits]
    size: tuple[int, int]
    theme: PlotTheme

    @property
    def scale(self) -> PlotScale:
        """The scale of all axes."""
        return view_scale(self.view)


@dataclass(frozen=True, eq=False)
class PairCellPicture:
    """One pair's picture.

    Attributes
    ----------
    pair : (str, str)
    limits : Limits
        x low, x high, y low, y high.
    counted : Density
        All spots that pass and lie within the limits.
    rgba : ndarray of uint8, shape (lines, columns, 4)
        The first line is the lowest.
    tint : ndarray of uint8, same shape, or None
        Over `rgba`: where selected spots are.
    """

    pair: Pair
    limits: Limits
    counted: Density
    rgba: np.ndarray
    tint: np.ndarray | None


class PairGridPainter:
    """Paints all pairs, and keeps those that need not be painted again.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._kept: dict[Pair, tuple[tuple[Any, ...], PairCellPicture]] = {}
        self._axes: dict[
            tuple[str, str], tuple[tuple[Any, ...], tuple[float, float]]
        ] = {}

    def paint(
        self, request: GridRequest, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[PairCellPicture]:
        """Yield the pairs' pictures, in the order of the request.

        Raises
        ------
        CancelledError
            When `cancelled` said True.
        """
        chosen = selected_passing(request.view)
        for pair in request.pairs:
            limits = self._limits(request, pair)
            key = _key(request, limits)
            known = self._kept.get(pair)
            if known is not None and known[0] == key:
                yield known[1]
                continue
            picture = _paint(request, pair, limits, chosen, cancelled)
            self._kept[pair] = (key, picture)
            yield picture

    def _limits(self, request: GridRequest, pair: Pair) -> Limits:
        fixed, mode = request.view.axis_rules.of(pair)
        fixed = request.zooms.get(pair, fixed)
        if fixed is not None and (request.scale.name != "log" or min(fixed) > 0):
            return fixed
        (x0, x1), (y0, y1) = (self._axis(request, name, mode) for name in pair)
        found = (x0, x1, y0, y1)
        return found if fixed is None else above_zero(fixed, found)

    def _axis(
        self, request: GridRequest, channel: str, mode: str
    ) -> tuple[float, float]:
        """Return a channel's axis, the same in all pairs that find it the same way."""
        view = request.view
        key = (view.dataset, view.mask, view.axis_rules.percentiles, request.scale)
        known = self._axes.get((channel, mode))
        if known is None or known[0] != key:
            found = automatic_axis(view, channel, request.scale, mode)
            known = self._axes[channel, mode] = (key, found)
        return known[1]


def _key(request: GridRequest, limits: Limits) -> tuple[Any, ...]:
    """Return what a picture depends on; masks and colourings compare as objects."""
    view = request.view
    selected = None if view.selected is None else _Same(view.selected)
    shown = (view.dataset, view.mask, view.coloring, selected, view.count_scale)
    return (
        *shown,
        view.highlight,
        limits,
        request.scale,
        _bins(request),
        request.theme,
    )


def _bins(request: GridRequest) -> tuple[int, int]:
    return bins_for(max(request.view.mask.count, 1), request.size)


class _Same:
    """Compares an array by what it is, not by what it holds."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._array is self._array

    __hash__ = None  # type: ignore[assignment]  # it is only compared


def _paint(
    request: GridRequest,
    pair: Pair,
    limits: Limits,
    chosen: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> PairCellPicture:
    view, theme = request.view, request.theme
    x0, x1, y0, y1 = limits
    by = view.coloring.by if view.coloring.names else None
    bins, along = _bins(request), request.scale

    def count(by: str | None, where: Mask | np.ndarray | None) -> Density:
        return density(
            view.spots,
            *pair,
            bins=bins,
            limits=((x0, x1), (y0, y1)),
            by=by,
            where=where,
            axes=(along.name, along.name),
            asinh_width=along.width,
            cancelled=cancelled,
        )

    counted = count(by, view.where)
    mean = None
    if by is None and view.coloring.limits is not None:
        column = view.coloring.by
        mean = means(counted, view.spots, column, view.where, cancelled=cancelled)
    rgba = shade(view, counted, mean, dark=theme.dark)
    if view.highlight is not None:
        kept = unfaded(view, chosen)
        bright = None
        if kept is not None:
            counts, part = count(by, kept), None
            if mean is not None:  # of the bright ones alone
                column = view.coloring.by
                part = means(counts, view.spots, column, kept, cancelled=cancelled)
            bright = shade(view, counts, part, dark=theme.dark)
        rgba = faded(rgba, bright)
    tint = None
    if chosen is not None:
        total = counted.counts.sum(axis=0) if counted.classes else counted.counts
        tint = selection_shade(count(None, chosen).counts, total, theme.text)
    return PairCellPicture(pair, limits, counted, rgba, tint)


def cell_chart(
    picture: PairCellPicture,
    view: View,
    theme: PlotTheme,
    *,
    lines: bool = True,
    labels: bool = False,
) -> Chart:
    """Return a pair's picture as a chart, which can be drawn on any background.

    Parameters
    ----------
    picture : PairCellPicture
    view : View
        That was painted.
    theme : PlotTheme
        In which it was painted; in others it is painted again when it is drawn.
    lines : bool
        Whether to draw the dye lines.
    labels : bool
        Whether the axes have labels of their own, beside the title.
    """
    dataset, (a, b), scale = view.dataset, picture.pair, view_scale(view)
    x0, x1, y0, y1 = scale.limits_to(picture.limits)
    painted = cache(lambda other: _painted(picture, view, other))
    shades = Shades(lambda other: painted(other).rgba, {theme: picture.rgba})
    marks: list[Mark] = [Picture(shades, (x0, x1), (y0, y1))]
    if picture.tint is not None:
        tints = Shades(lambda other: painted(other).tint, {theme: picture.tint})
        marks.append(Picture(tints, (x0, x1), (y0, y1)))
    if lines:
        places = (x0, x1, y0, y1)
        marks += line_marks(dataset, picture.pair, places, scale, 1.2, short=True)
    marks += gate_marks(gates_of(view.gates, picture.pair), scale, 1.0)
    names = [f"{dataset.label(name)} intensity" if labels else "" for name in (a, b)]
    return Chart(
        f"{dataset.label(a)} / {dataset.label(b)}",
        tuple(marks),
        scaled_axis((x0, x1), names[0], scale),
        scaled_axis((y0, y1), names[1], scale),
        data=density_table(picture.counted),
        aspect=0.8,
        columns=picture.pair,
    )


def _painted(picture: PairCellPicture, view: View, theme: PlotTheme) -> PairCellPicture:
    """Return a picture as it looks in another theme."""
    size = picture.rgba.shape[1], picture.rgba.shape[0]
    zooms = {picture.pair: picture.limits}
    request = GridRequest(view, (picture.pair,), zooms, size, theme)
    return next(PairGridPainter().paint(request))
