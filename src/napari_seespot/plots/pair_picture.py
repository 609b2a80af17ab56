"""What a channel-pair plot shows, computed without a screen.

`PairPainter.paint` is meant for a worker's thread: it turns a `View` into
arrays that a plot only has to put on the screen.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.densities import Density, density, means
from napari_seespot.plots.pair_axes import Limits, above_zero, automatic_axis
from napari_seespot.plots.pair_rows import rows_inside
from napari_seespot.plots.scales import PlotScale
from napari_seespot.plots.shading import (
    FADED,
    faded,
    selection_shade,
    shade_classes,
    shade_counts,
    shade_means,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.index import SpotIndex
    from napari_seespot.resolve import Mask, View

__all__ = [
    "MAX_BINS",
    "MAX_POINTS",
    "PairPainter",
    "PairPicture",
    "PairPoints",
    "PairRequest",
    "bins_for",
    "selected_passing",
    "shade",
    "unfaded",
]

MAX_BINS, MIN_BINS = 512, 32
MOVING_BINS = 256  # while a slider is dragged: a quarter of the bins to colour
MAX_POINTS = 5_000  # pyqtgraph draws these in 20 ms, ten times as many in 190


@dataclass(frozen=True, eq=False)
class PairRequest:
    """What to paint.

    Attributes
    ----------
    view : View
        Its pair is not None.
    zoom : Limits or None
        What the user has zoomed to; None for fixed or automatic limits.
    size : (int, int)
        Width and height of the plot in pixels of the screen.
    dark : bool
        The plot's background is dark.
    marker_color : str
        ``#rrggbb`` of the tint over selected spots.
    moving : bool
        More changes follow at once (a slider is dragged): the automatic axes
        stay as they are and bins are larger. Counts are exact all the same.
    """

    view: View
    zoom: Limits | None = None
    size: tuple[int, int] = (MAX_BINS, MAX_BINS)
    dark: bool = True
    marker_color: str = "#ffffff"
    moving: bool = False

    @property
    def pair(self) -> tuple[str, str]:
        """Channels of the x and the y axis."""
        assert self.view.pair is not None  # the plot shows a message instead
        return self.view.pair

    @property
    def scale(self) -> PlotScale:
        """The scale of both axes."""
        name = self.view.axis_scale
        return PlotScale(name, self.view.asinh_width if name == "asinh" else 1.0)


@dataclass(frozen=True, eq=False)
class PairPoints:
    """Single spots to draw.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
    x, y : ndarray of float, shape (m,)
        The intensities.
    rgba : ndarray of uint8, shape (m, 4)
    selected : ndarray of bool, shape (m,)
    """

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    rgba: np.ndarray
    selected: np.ndarray


@dataclass(frozen=True, eq=False)
class PairPicture:
    """What a channel-pair plot shows.

    Attributes
    ----------
    request : PairRequest
    limits : Limits
        Of the axes; the picture fills them.
    density : Density
        All spots that pass and lie within the limits, by class where the
        colours come from a class.
    rgba : ndarray of uint8, shape (lines, columns, 4)
        The first line is the lowest.
    points : PairPoints or None
        What to draw instead, where single points were asked for.
    tint : ndarray of uint8, shape (lines, columns, 4), or None
        Over `rgba`: where selected spots are.
    n_inside, n_passing, n_total, n_selected, n_selected_passing : int
        Spots within the limits that pass; that pass; in the table; selected;
        selected that pass.
    means : ndarray of float64, shape (lines, columns), or None
        Of the column that the colours come from; None where they come from a
        class.
    """

    request: PairRequest
    limits: Limits
    density: Density
    rgba: np.ndarray
    points: PairPoints | None
    tint: np.ndarray | None
    n_inside: int
    n_passing: int
    n_total: int
    n_selected: int
    n_selected_passing: int
    means: np.ndarray | None = None

    @property
    def class_counts(self) -> dict[str, int]:
        """How many spots of each class lie within the limits."""
        if not self.density.classes:
            return {}
        sums = self.density.counts.sum(axis=(1, 2))
        return {
            name: int(n) for name, n in zip(self.density.classes, sums, strict=True)
        }

    @property
    def fullest(self) -> int:
        """How many spots the fullest bin holds."""
        return int(_total(self.density).max(initial=0))

    def bin_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return line and column of the bin at a place, None beside the picture."""
        place = []
        edges: np.ndarray
        for value, edges in ((y, self.density.y_edges), (x, self.density.x_edges)):
            if not edges[0] <= value <= edges[-1]:
                return None
            bin_ = int(np.searchsorted(edges, value, "right")) - 1
            place.append(min(bin_, len(edges) - 2))
        return place[0], place[1]

    def counts_at(self, line: int, column: int) -> dict[str, int]:
        """Return how many spots of each class are in a bin; ``""`` without classes."""
        counts = self.density.counts[..., line, column]
        names = self.density.classes or ("",)
        return {
            name: int(n) for name, n in zip(names, np.atleast_1d(counts), strict=True)
        }


class PairPainter:
    """Paints channel-pair pictures, and keeps what the next one can use.

    For one thread at a time.

    Parameters
    ----------
    index : SpotIndex
        Of the dataset's spots: chooses which points are drawn.
    """

    def __init__(self, index: SpotIndex) -> None:
        self._index = index
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._axes: dict[tuple[Any, ...], Limits] = {}

    def paint(
        self,
        request: PairRequest,
        cancelled: Callable[[], bool] | None = None,
    ) -> PairPicture:
        """Compute what a plot shows.

        Raises
        ------
        CancelledError
            When `cancelled` said True.
        """
        view = request.view
        limits = self._limits(request)
        by = view.coloring.by if view.coloring.names else None
        counted = self._density(request, limits, by, view.mask, cancelled)
        bins = bins_for(counted.total, request.size)
        shown = _coarser(counted, bins)
        chosen = selected_passing(view)
        tint = None
        points = None
        mean = None
        if view.plot == "points" or (
            view.plot == "auto" and counted.total <= MAX_POINTS
        ):
            points = self._points(request, limits, counted.total, chosen, cancelled)
        elif by is None and view.coloring.limits is not None:
            mean = self._means(request, shown, cancelled)
        rgba = shade(view, shown, mean, dark=request.dark)
        if points is None:
            if view.highlight is not None:
                kept = unfaded(view, chosen)
                bright = None
                if kept is not None:
                    counts = self._density(request, limits, by, kept, cancelled)
                    counts = _coarser(counts, bins)
                    part = None
                    if mean is not None:  # of the bright ones alone
                        column = view.coloring.by
                        part = means(
                            counts, view.spots, column, kept, cancelled=cancelled
                        )
                    bright = shade(view, counts, part, dark=request.dark)
                rgba = faded(rgba, bright)
            if chosen is not None:
                marked = self._density(request, limits, None, chosen, cancelled)
                marked = _coarser(marked, bins)
                color = request.marker_color
                tint = selection_shade(marked.counts, _total(shown), color)
        return PairPicture(
            request=request,
            limits=limits,
            density=shown,
            rgba=rgba,
            points=points,
            tint=tint,
            n_inside=counted.total,
            n_passing=view.mask.count,
            n_total=len(view.spots),
            n_selected=_count(view.selected),
            n_selected_passing=_count(chosen),
            means=mean,
        )

    def _limits(self, request: PairRequest) -> Limits:
        view = request.view
        limits = request.zoom or view.limits
        if limits is not None and (view.axis_scale != "log" or min(limits) > 0):
            return limits
        key = (
            request.pair,
            view.limits_mode,
            view.axis_rules.percentiles,
            request.scale,
        )
        if not request.moving or key not in self._axes:
            self._axes = {key: self._automatic(request)}
        found = self._axes[key]
        if limits is None:
            return found
        return above_zero(limits, found)

    def _means(
        self,
        request: PairRequest,
        shown: Density,
        cancelled: Callable[[], bool] | None,
    ) -> np.ndarray:
        view = request.view
        by = view.coloring.by
        ends = tuple(shown.x_edges[[0, -1]]) + tuple(shown.y_edges[[0, -1]])
        key = ("means", request.pair, by, ends, shown.counts.shape, request.scale)

        def add_up() -> np.ndarray:
            return means(shown, view.spots, by, view.mask, cancelled=cancelled)

        return np.asarray(self._keep((*key, view.mask.key), add_up))

    def _density(
        self,
        request: PairRequest,
        limits: Limits,
        by: str | None,
        where: Mask | np.ndarray,
        cancelled: Callable[[], bool] | None,
    ) -> Density:
        x0, x1, y0, y1 = limits
        most = MOVING_BINS if request.moving else MAX_BINS
        bins = tuple(_finest(pixels, most) for pixels in request.size)
        scale = request.scale

        def count() -> Density:
            return density(
                request.view.spots,
                *request.pair,
                bins=(bins[0], bins[1]),
                limits=((x0, x1), (y0, y1)),
                by=by,
                where=where,
                axes=(scale.name, scale.name),
                asinh_width=scale.width,
                cancelled=cancelled,
            )

        # An array is kept with its answer: while it is, its id is its own.
        which = id(where) if isinstance(where, np.ndarray) else where.key
        key = (which, request.pair, limits, by, bins, scale)
        found: Density = self._keep(key, count, where)
        return found

    def _automatic(self, request: PairRequest) -> Limits:
        view = request.view
        low_high = []
        for channel in request.pair:
            mode, ends = view.limits_mode, view.axis_rules.percentiles
            key = (channel, mode, ends, request.scale, view.mask.key)
            find = partial(automatic_axis, view, channel, request.scale, mode)
            low_high += self._keep(key, find)
        x0, x1, y0, y1 = low_high
        return (x0, x1, y0, y1)

    def _keep(self, key: tuple[Any, ...], make: Callable[[], Any], *alive: Any) -> Any:
        if key not in self._kept:
            self._kept[key] = (make(), alive)
            while len(self._kept) > 12:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def _points(
        self,
        request: PairRequest,
        limits: Limits,
        total: int,
        chosen: np.ndarray | None,
        cancelled: Callable[[], bool] | None,
    ) -> PairPoints:
        """Choose what is drawn: of many spots the selected ones first."""
        view = request.view
        x, y = (view.spots.intensity(channel) for channel in request.pair)
        rows = rows_inside(
            view.spots,
            self._index,
            (x, y),
            limits,
            view.where,
            total,
            MAX_POINTS,
            cancelled,
        )
        if chosen is not None and len(rows) < total:
            count = int(np.count_nonzero(chosen))
            marked = rows_inside(
                view.spots,
                self._index,
                (x, y),
                limits,
                chosen,
                count,
                MAX_POINTS,
                cancelled,
            )
            others = np.setdiff1d(rows, marked)
            others = self._index.most_important(others, MAX_POINTS - len(marked))
            rows = np.union1d(marked, others)
        selected = np.zeros(len(rows), np.bool_)
        if view.selected is not None:
            selected = view.selected[rows]
        colors = view.coloring.table[view.coloring.index(view.spots, rows)]
        fades = view.faded(rows)
        if view.highlight is not None:
            fades = np.ones(len(rows), np.bool_) if fades is None else fades
            colors[fades, 3] = colors[fades, 3] * FADED
        return PairPoints(rows, x[rows], y[rows], colors, selected)


def bins_for(total: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return how many bins x and y are divided into.

    A bin is at least a pixel, for none must get lost on the screen, and there
    are not many more bins than spots, for single specks show no density.
    """
    bins = [_finest(pixels) for pixels in size]
    while bins[0] * bins[1] > 2 * total and max(bins) > MIN_BINS:
        bins = [max(MIN_BINS, n // 2) for n in bins]
    return bins[0], bins[1]


def _finest(pixels: int, most: int = MAX_BINS) -> int:
    """Return the largest power of two that is not above the pixels, within limits."""
    return int(2 ** np.floor(np.log2(np.clip(pixels, MIN_BINS, most))))


def _coarser(counted: Density, bins: tuple[int, int]) -> Density:
    """Return the density in fewer bins, each the sum of some; exact."""
    lines, columns = counted.counts.shape[-2:]
    down, across = max(1, lines // bins[1]), max(1, columns // bins[0])
    if down == across == 1:
        return counted
    blocks = counted.counts.reshape(-1, lines // down, down, columns // across, across)
    counts = blocks.sum(axis=(2, 4))
    shape = (*counted.counts.shape[:-2], lines // down, columns // across)
    return replace(
        counted,
        counts=counts.reshape(shape),
        x_edges=counted.x_edges[::across],
        y_edges=counted.y_edges[::down],
    )


def _total(counted: Density) -> np.ndarray:
    counts = counted.counts
    return np.asarray(counts.sum(axis=0)) if counted.classes else counts


def shade(
    view: View, shown: Density, mean: np.ndarray | None = None, *, dark: bool
) -> np.ndarray:
    """Return the colours of a density, as the view colours spots.

    Parameters
    ----------
    view : View
    shown : Density
        By class, where the colours come from one.
    mean : ndarray, shape (lines, columns), optional
        Of the column that the colours come from.
    dark : bool
        The plot's background is dark.

    Returns
    -------
    ndarray of uint8, shape (lines, columns, 4)
    """
    scale: Any = view.count_scale
    if mean is not None:
        ends = view.coloring.limits or (0.0, 1.0)
        return shade_means(mean, shown.counts, view.coloring.table, ends, scale)
    if shown.classes:
        return shade_classes(shown.counts, view.coloring.table, scale, dark=dark)
    return shade_counts(shown.counts, scale, dark=dark)


def unfaded(view: View, chosen: np.ndarray | None) -> Mask | np.ndarray | None:
    """Return which rows stay bright while others fade; None where no row does.

    Parameters
    ----------
    view : View
        With a `highlight`.
    chosen : ndarray of bool, shape (n,), or None
        From `selected_passing`.
    """
    if view.highlight == "selected":
        return chosen
    status = view.spots.class_names("status").index(str(view.highlight))
    named = view.spots.class_of_code("status") == status
    return replace(view.mask, codes=view.mask.codes & named)


def selected_passing(view: View) -> np.ndarray | None:
    """Return the selected rows that pass, None where nothing is selected."""
    if view.selected is None or view.where is None:
        return view.selected
    return np.asarray(np.logical_and(view.selected, view.where))


def _count(mask: np.ndarray | None) -> int:
    return 0 if mask is None else int(np.count_nonzero(mask))
