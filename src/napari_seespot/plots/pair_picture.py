"""What a channel-pair plot shows, computed without a screen.

`PairPainter.paint` is meant for a worker's thread: it turns a `View` into
arrays that a plot only has to put on the screen.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.densities import Density, density
from napari_seespot.plots.pair_rows import level_stop, rows_inside
from napari_seespot.plots.shading import selection_shade, shade_classes, shade_counts
from napari_seespot.priority import LEVEL_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.index import SpotIndex
    from napari_seespot.resolve import View

__all__ = [
    "MAX_BINS",
    "MAX_POINTS",
    "Limits",
    "PairPainter",
    "PairPicture",
    "PairPoints",
    "PairRequest",
    "automatic_axis",
    "bins_for",
    "selected_passing",
]

Limits = tuple[float, float, float, float]
"""x low, x high, y low, y high."""

MAX_BINS, MIN_BINS = 512, 32
MAX_POINTS = 5_000  # pyqtgraph draws these in 20 ms, ten times as many in 190
PERCENTILES = (0.1, 99.9)
PADDING = 0.03  # of the span, so that the outermost spots do not touch the frame
ENOUGH_ROWS = 250_000  # percentiles of more are taken from the first levels of detail


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
    """

    view: View
    zoom: Limits | None = None
    size: tuple[int, int] = (MAX_BINS, MAX_BINS)
    dark: bool = True
    marker_color: str = "#ffffff"

    @property
    def pair(self) -> tuple[str, str]:
        """Channels of the x and the y axis."""
        assert self.view.pair is not None  # the plot shows a message instead
        return self.view.pair


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
        limits = request.zoom or view.limits or self._automatic(request)
        by = view.coloring.by if view.coloring.names else None
        counted = self._density(request, limits, by, view.where, "all", cancelled)
        bins = bins_for(counted.total, request.size)
        shown = _coarser(counted, bins)
        chosen = selected_passing(view)
        tint = None
        points = None
        if view.plot == "points":
            points = self._points(request, limits, counted.total, cancelled)
        elif chosen is not None:
            marked = self._density(request, limits, None, chosen, "selected", cancelled)
            marked = _coarser(marked, bins)
            tint = selection_shade(marked.counts, _total(shown), request.marker_color)
        return PairPicture(
            request=request,
            limits=limits,
            density=shown,
            rgba=_shade(shown, request),
            points=points,
            tint=tint,
            n_inside=counted.total,
            n_passing=len(view.spots) if view.where is None else _count(view.where),
            n_total=len(view.spots),
            n_selected=_count(view.selected),
            n_selected_passing=_count(chosen),
        )

    def _density(
        self,
        request: PairRequest,
        limits: Limits,
        by: str | None,
        where: np.ndarray | None,
        what: str,
        cancelled: Callable[[], bool] | None,
    ) -> Density:
        x0, x1, y0, y1 = limits
        bins = tuple(_finest(pixels) for pixels in request.size)

        def count() -> Density:
            return density(
                request.view.spots,
                *request.pair,
                bins=(bins[0], bins[1]),
                limits=((x0, x1), (y0, y1)),
                by=by,
                where=where,
                cancelled=cancelled,
            )

        # `where` is kept with its answer: while it is, its id is its own.
        key = (what, request.pair, limits, by, bins, id(where))
        return self._keep(key, count, where)  # type: ignore[no-any-return]  # mixed store

    def _automatic(self, request: PairRequest) -> Limits:
        view = request.view
        low_high = []
        for channel in request.pair:
            key = ("limits", channel, view.limits_mode, view.mask.key)
            low_high += self._keep(key, partial(automatic_axis, view, channel))
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
        cancelled: Callable[[], bool] | None,
    ) -> PairPoints:
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
        selected = np.zeros(len(rows), np.bool_)
        if view.selected is not None:
            selected = view.selected[rows]
        colors = view.coloring.table[view.coloring.index(view.spots, rows)]
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


def _finest(pixels: int) -> int:
    """Return the largest power of two that is not above the pixels, within limits."""
    return int(2 ** np.floor(np.log2(np.clip(pixels, MIN_BINS, MAX_BINS))))


def _coarser(counted: Density, bins: tuple[int, int]) -> Density:
    """Return the density in fewer bins, each the sum of some; exact."""
    lines, columns = counted.counts.shape[-2:]
    down, across = lines // bins[1], columns // bins[0]
    if down == across == 1:
        return counted
    blocks = counted.counts.reshape(-1, bins[1], down, bins[0], across)
    counts = blocks.sum(axis=(2, 4))
    return Density(
        counts.reshape(*counted.counts.shape[:-2], bins[1], bins[0]),
        counted.x_edges[::across],
        counted.y_edges[::down],
        counted.classes,
        counted.x,
        counted.y,
    )


def _total(counted: Density) -> np.ndarray:
    counts = counted.counts
    return np.asarray(counts.sum(axis=0)) if counted.classes else counts


def _shade(shown: Density, request: PairRequest) -> np.ndarray:
    view = request.view
    scale: Any = view.count_scale
    if shown.classes:
        colors = view.coloring.table
        return shade_classes(shown.counts, colors, scale, dark=request.dark)
    return shade_counts(shown.counts, scale, dark=request.dark)


def selected_passing(view: View) -> np.ndarray | None:
    """Return the selected rows that pass, None where nothing is selected."""
    if view.selected is None or view.where is None:
        return view.selected
    return np.asarray(np.logical_and(view.selected, view.where))


def _count(mask: np.ndarray | None) -> int:
    return 0 if mask is None else int(np.count_nonzero(mask))


def automatic_axis(view: View, channel: str) -> tuple[float, float]:
    """Return the ends of an axis for the rows that pass.

    Where none passes, for all rows: the axes then stay where they can be read.
    """
    exact = view.limits_mode == "minmax"
    values = _finite(view, channel, view.where, exact)
    if values.size == 0:
        values = _finite(view, channel, None, exact)
    if values.size == 0:
        return (0.0, 1.0)
    if exact:
        low, high = float(values.min()), float(values.max())
    else:
        low, high = (float(end) for end in np.percentile(values, PERCENTILES))
    span = high - low
    padding = PADDING * span if span > 0 else max(0.5, abs(low) * PADDING)
    return (low - padding, high + padding)


def _finite(
    view: View, channel: str, where: np.ndarray | None, exact: bool
) -> np.ndarray:
    """Return finite values of rows that pass: all of them, or enough of them."""
    spots = view.spots
    column = spots.intensity(channel)
    stops = [level_stop(spots, level) for level in range(len(LEVEL_LIMITS))]
    for stop in stops[-1:] if exact else stops:
        values = column[:stop]
        if where is not None:
            values = values[where[:stop]]
        values = values[np.isfinite(values)]
        if values.size >= ENOUGH_ROWS:
            break
    return np.asarray(values)
