"""Counting millions of spots into pictures: all rows, exact, in a blink.

Rows are binned as `numpy.histogram2d` bins them, to the count. A row's bin is
guessed by scaling; rows so near to an edge that a rounding may have put them
beside their bin are compared with the edges, as numpy does with all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_seespot._chunks import (
    CHUNK_ROWS,
    LONG_CHUNK_ROWS,
    RowFilter,
    each_chunk,
    frozen,
    number_chunks,
    row_mask,
)
from napari_seespot.errors import NotFoundError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot.spots import Spots

__all__ = [
    "AxisScale",
    "Density",
    "Histogram",
    "density",
    "from_scale",
    "histogram",
    "limits_of_extent",
    "means",
    "raw_extent",
    "to_scale",
    "warm_up",
    "wider",
]

AxisScale = Literal["linear", "log", "asinh"]
"""How an axis is scaled: bins are equally wide on that scale."""

Limits = tuple[float, float]

COUNTS_BYTES = 1 << 28
"""Memory that the threads' own counts may take; large ones get fewer threads."""

NO_MASK = frozen([], np.bool_)
NO_CODES = frozen([], np.uint8)

MAX_CLASSES = 255

MAX_BINS = 1 << 30
"""Of one picture; bins are told by 32-bit numbers."""


@dataclass(frozen=True, eq=False)
class Density:
    """How many spots lie in each bin of two columns.

    Attributes
    ----------
    counts : ndarray of int64
        Shape (bins_y, bins_x), or (n_classes, bins_y, bins_x).
    x_edges, y_edges : ndarray of float64
        In data units, shapes (bins_x + 1,) and (bins_y + 1,).
    classes : tuple of str
        Names of the classes, empty when rows were not counted by class.
    x, y : str
        Names of the columns.
    axes : tuple of str
        The scales of x and y: bins are equally wide on them.
    asinh_width : float
        Where an "asinh" axis turns from linear to logarithmic.
    """

    counts: np.ndarray
    x_edges: np.ndarray
    y_edges: np.ndarray
    classes: tuple[str, ...]
    x: str
    y: str
    axes: tuple[AxisScale, AxisScale] = ("linear", "linear")
    asinh_width: float = 1.0

    @property
    def total(self) -> int:
        """How many rows the picture counts."""
        return int(self.counts.sum())


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many spots lie in each bin of one column.

    Attributes
    ----------
    counts : ndarray of int64
        Shape (bins,), or (n_classes, bins).
    edges : ndarray of float64
        Shape (bins + 1,).
    classes : tuple of str
        Names of the classes, empty when rows were not counted by class.
    column : str
        Name of the column.
    """

    counts: np.ndarray
    edges: np.ndarray
    classes: tuple[str, ...]
    column: str

    @property
    def total(self) -> int:
        """How many rows are counted."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class _Axis:
    """A column's edges, and the way from a value to a guess of its bin."""

    edges: np.ndarray
    scale: AxisScale
    width: float

    def guess(self, dtype: Any) -> tuple[float, ...]:
        """Return how the kernel guesses bins, in the precision of the columns.

        Returns
        -------
        tuple of float
            The lowest and the highest value inside; the first edge on the
            scale; how many bins a unit of it has; how near to an edge, in bins,
            a guess is unsure.
        """
        kind = np.dtype(dtype).type
        first, last = to_scale(self.edges[[0, -1]], self.scale, self.width)
        n = len(self.edges) - 1
        # 0 for a span too small to divide by: the correction then does all.
        per_unit = n / (last - first) if last - first > 1e-300 else 0
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = kind(self.edges[0]), kind(self.edges[-1])
            # Rounded inwards, a comparison says what it says in float64.
            if low < self.edges[0]:
                low = np.nextafter(low, kind(np.inf))
            if high > self.edges[-1]:
                high = np.nextafter(high, kind(-np.inf))
            start, step = kind(first), kind(per_unit)
            places = (self.along(self.edges.astype(dtype)) - start) * step
            off = float(np.abs(places - np.arange(n + 1)).max())
        # Scaling never changes the order of two values: one that is guessed
        # farther from an edge than the edge itself is on the right side of it.
        # A curve may, by some roundings.
        least = 1e-5 if self.scale == "linear" else 1e-3
        margin = max(least, 4 * off) if off < 0.1 else 1.0
        return (low, high, start, step, kind(margin))

    def along(self, values: np.ndarray) -> np.ndarray:
        """Return values on the scale, in their own precision: for guesses."""
        if self.scale == "linear":
            return values
        return frozen(_along(values, self.scale, self.width), values.dtype)


def density(
    spots: Spots,
    x_channel: str,
    y_channel: str,
    bins: int | tuple[int, int] = 512,
    limits: tuple[Limits | None, Limits | None] | None = None,
    by: str | None = None,
    where: np.ndarray | RowFilter | None = None,
    *,
    axes: tuple[AxisScale, AxisScale] = ("linear", "linear"),
    asinh_width: float = 1.0,
    cancelled: Callable[[], bool] | None = None,
) -> Density:
    """Count all spots into a picture of one column against another.

    Parameters
    ----------
    spots : Spots
    x_channel, y_channel : str
        A channel (``"488"``: its intensity) or any numeric column (``"r"``).
    bins : int or (int, int)
        Of both axes, or of x and of y.
    limits : ((x0, x1), (y0, y1)), optional
        In data units, both ends included. None, for both or for one axis, is
        the smallest and the largest value of the rows that `where` keeps and
        that have a place on both axes.
    by : str, optional
        Count by class: ``"chan"``, ``"unmixed_chan"``, ``"status"``, or a
        column of categories.
    where : ndarray of bool, shape (n,), or RowFilter, optional
        The rows to count, in row order; or a rule that tells them (a `Mask`),
        of which no array of all rows is made.
    axes : (str, str)
        The scales of x and y, each ``"linear"``, ``"log"`` or ``"asinh"``.
        Bins are equally wide on the scale; `x_edges` and `y_edges` are in data
        units, and it is against these that rows are counted.
    asinh_width : float
        The scale ``"asinh"`` is ``arcsinh(value / asinh_width)``: linear below
        this value, logarithmic above.
    cancelled : callable, optional
        Asked every million rows or more often; the count ends when it says True.

    Returns
    -------
    Density
        ``counts`` equals ``numpy.histogram2d(y, x, bins=(y_edges, x_edges))[0]``
        on float64 columns, to the count: the last bin is closed; NaN, infinities
        and what lies outside are dropped. As numpy does, limits that are
        equal are widened by 0.5 on both sides (on a log axis: by half a
        decade), and a table without rows gets limits 0 and 1 (log: 1 and 10).

    Raises
    ------
    NotFoundError
        When there is no such channel, column or class.
    StateError
        When bins, limits, axes or `where` cannot be used.
    CancelledError
        When `cancelled` said True.
    """
    if spots.counter is not None:
        counted: Density = spots.counter.density(
            spots,
            x_channel,
            y_channel,
            bins=bins,
            limits=limits,
            by=by,
            where=_Keep(len(spots), where).mask,
            axes=axes,
            asinh_width=asinh_width,
            cancelled=cancelled,
        )
        return counted
    names = (column_name(spots, x_channel), column_name(spots, y_channel))
    x, y = (spots.column(name) for name in names)
    scales = _checked_scales(axes, asinh_width)
    n_bins = _checked_bins(bins)
    keep = _Keep(len(spots), where)
    given = _checked_limits(limits, scales)
    if None in given:
        found = _extent(x, y, scales, keep, cancelled)
        given = (given[0] or found[0], given[1] or found[1])
    x_axis, y_axis = (
        _Axis(_edges(ends, count, scale, asinh_width), scale, asinh_width)
        for ends, count, scale in zip(given, n_bins, scales, strict=True)
    )
    classes = () if by is None else spots.class_names(by)
    counts = _count(spots, x, y, x_axis, y_axis, by, len(classes), keep, cancelled)
    return Density(
        counts if classes else counts[0],
        x_axis.edges,
        y_axis.edges,
        classes,
        *names,
        scales,
        asinh_width,
    )


def means(
    counted: Density,
    spots: Spots,
    column: str,
    where: np.ndarray | RowFilter | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Return the mean of a column in each bin of a density.

    Parameters
    ----------
    counted : Density
        Tells columns, edges and scales of the bins.
    spots : Spots
    column : str
        A channel or any numeric column. Values that are not finite, and nulls,
        are left out.
    where : ndarray of bool, shape (n,), or RowFilter, optional
    cancelled : callable, optional
        Asked every 262,144 rows; the work ends when it says True.

    Returns
    -------
    ndarray of float64, shape (bins_y, bins_x)
        NaN in bins without a value.
    """
    from napari_seespot._kernels import add_to_sums
    from napari_seespot.columns import NULL_BOOL
    from napari_seespot.typed import BOOLEANS

    x, y, third = (
        spots.column(column_name(spots, name))
        for name in (counted.x, counted.y, column)
    )
    x_axis, y_axis = (
        _Axis(edges, scale, counted.asinh_width)
        for edges, scale in zip(
            (counted.x_edges, counted.y_edges), counted.axes, strict=True
        )
    )
    keep = _Keep(len(spots), where)
    dtype = number_chunks(x, y, slice(0, 0))[0].dtype
    x_guess, y_guess = x_axis.guess(dtype), y_axis.guess(dtype)
    size = counted.counts.shape[-2] * counted.counts.shape[-1]
    null = NULL_BOOL if column in BOOLEANS else None

    def step(parts: tuple[np.ndarray, np.ndarray], rows: slice) -> None:
        x_rows, y_rows = number_chunks(x, y, rows)
        values = third[rows]
        if null is not None:
            values = np.where(values == null, np.float32(np.nan), values)
        with np.errstate(over="ignore"):
            values = frozen(values, np.float32)
        add_to_sums(
            *parts,
            x_rows,
            y_rows,
            x_axis.along(x_rows),
            y_axis.along(y_rows),
            x_axis.edges,
            y_axis.edges,
            x_guess,
            y_guess,
            keep.of(rows),
            values,
        )

    parts = each_chunk(
        len(x),
        lambda: (np.zeros(size), np.zeros(size, np.uint32)),
        step,
        rows_per_chunk=4 * CHUNK_ROWS,
        cancelled=cancelled,
    )
    total = np.sum([sums for sums, _ in parts], axis=0)
    number = np.sum([n for _, n in parts], axis=0)
    with np.errstate(invalid="ignore"):
        mean = total / number
    return np.asarray(mean.reshape(counted.counts.shape[-2:]))


def histogram(
    spots: Spots,
    column: str,
    bins: int = 256,
    limits: Limits | None = None,
    by: str | None = None,
    where: np.ndarray | RowFilter | None = None,
    *,
    axis: AxisScale = "linear",
    asinh_width: float = 1.0,
    cancelled: Callable[[], bool] | None = None,
) -> Histogram:
    """Count all spots into bins of one column.

    Parameters and exceptions are those of `density`, for one axis. Counts
    equal ``numpy.histogram(values, edges)[0]`` on float64 values, to the count.
    """
    # One line of a picture of the column against itself: no kernel of its own.
    picture = density(
        spots,
        column,
        column,
        bins=(bins, 1),
        limits=(limits, limits),
        by=by,
        where=where,
        axes=(axis, axis),
        asinh_width=asinh_width,
        cancelled=cancelled,
    )
    return Histogram(
        picture.counts[..., 0, :], picture.x_edges, picture.classes, picture.x
    )


def warm_up() -> None:
    """Load or compile what the first picture needs; for a background thread.

    Numba takes some tenths of a second to import, and some seconds to compile
    when the kernels are not yet on disk.
    """
    import pandas as pd

    from napari_seespot.spots import Spots

    one = {"chan": ["1"], "unmixed_chan": ["1"], "z": [0.0], "y": [0.0], "x": [0.0]}
    spots = Spots.from_pandas(pd.DataFrame({**one, "chan_1_intensity": [1.0]}))
    density(spots, "1", "1", bins=1, by="status", where=np.ones(1, np.bool_))


def column_name(spots: Spots, name: str) -> str:
    """Return the numeric column that a channel or a column's name stands for.

    Raises
    ------
    NotFoundError
        When it is neither a channel nor a numeric column.
    """
    name = str(name)
    intensity = f"chan_{name}_intensity"
    if name in spots.channels and intensity in spots.numeric_columns:
        return intensity
    if name in spots.numeric_columns:
        return name
    raise NotFoundError(
        f"there is no channel or numeric column {name!r}",
        expected=f"a channel ({', '.join(spots.channels)}) or one of "
        f"{', '.join(spots.numeric_columns)}",
    )


def to_scale(values: Any, scale: AxisScale, asinh_width: float = 1.0) -> np.ndarray:
    """Return where values lie on a scaled axis: float64, same shape.

    What has no place on a logarithmic axis becomes NaN (0: -inf).
    """
    numbers: np.ndarray = np.asarray(values, np.float64)
    return numbers if scale == "linear" else _along(numbers, scale, asinh_width)


def from_scale(places: Any, scale: AxisScale, asinh_width: float = 1.0) -> np.ndarray:
    """Return the values at places of a scaled axis; undoes `to_scale`."""
    along: np.ndarray = np.asarray(places, np.float64)
    if scale == "linear":
        return along
    with np.errstate(over="ignore"):
        if scale == "log":
            return np.asarray(10.0**along)
        return np.asarray(np.sinh(along) * asinh_width)


def _along(values: np.ndarray, scale: AxisScale, width: float) -> np.ndarray:
    """Return values on a curved scale, in their own precision."""
    # errstate belongs to a thread: it must be set in the one that calculates.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if scale == "log":
            return np.asarray(np.log10(values))
        return np.asarray(np.arcsinh(values / values.dtype.type(width)))


def _checked_scales(
    axes: Sequence[str], asinh_width: float
) -> tuple[AxisScale, AxisScale]:
    known: tuple[AxisScale, ...] = get_args(AxisScale)
    pair = () if isinstance(axes, str) else tuple(axes)
    chosen = [scale for name in pair for scale in known if scale == name]
    if len(pair) != 2 or len(chosen) != 2:
        raise StateError(
            f"the axes are {axes!r}",
            expected=f"the scales of x and y, each one of {', '.join(known)}",
        )
    if not 0 < asinh_width < np.inf:
        raise StateError(
            f"the width of the asinh scale is {asinh_width}",
            expected="a finite number above 0",
        )
    return chosen[0], chosen[1]


def _checked_bins(bins: Any) -> tuple[int, int]:
    pair = tuple(bins) if isinstance(bins, (tuple, list)) else (bins, bins)
    whole = all(
        isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        for count in pair
    )
    if len(pair) != 2 or not whole or min(pair) < 1:
        raise StateError(
            f"the bins are {bins!r}",
            expected="a whole number of at least 1, or one for x and one for y",
        )
    if pair[0] * pair[1] > MAX_BINS:
        raise StateError(
            f"a picture of {pair[0]:,} x {pair[1]:,} bins is too large",
            expected=f"at most {MAX_BINS:,} bins",
        )
    return int(pair[0]), int(pair[1])


def _checked_limits(
    limits: Any, scales: tuple[AxisScale, AxisScale]
) -> tuple[Limits | None, Limits | None]:
    if limits is None:
        return None, None
    try:
        x, y = (None if ends is None else _ends(*ends) for ends in limits)
    except (TypeError, ValueError) as error:
        raise StateError(
            f"the limits are {limits!r}",
            expected="((x0, x1), (y0, y1)), with None where they are to be found",
        ) from error
    for ends, scale, axis in zip((x, y), scales, "xy", strict=True):
        if ends is None:
            continue
        lowest = 0.0 if scale == "log" else -np.inf
        if not lowest < ends[0] <= ends[1] < np.inf:
            raise StateError(
                f"the limits of {axis} are {ends[0]} and {ends[1]}",
                expected="two finite numbers, the smaller one first"
                + (", both above 0 on a log axis" if scale == "log" else ""),
            )
    return x, y


def _ends(low: Any, high: Any) -> Limits:
    return float(low), float(high)


def _extent(
    x: np.ndarray,
    y: np.ndarray,
    scales: tuple[AxisScale, AxisScale],
    keep: _Keep,
    cancelled: Callable[[], bool] | None,
) -> tuple[Limits, Limits]:
    """Return the limits of the rows that have a place on both axes."""
    return limits_of_extent(raw_extent(x, y, scales, keep, cancelled), scales)


def raw_extent(
    x: np.ndarray,
    y: np.ndarray,
    scales: tuple[AxisScale, AxisScale],
    keep: np.ndarray | _Keep | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Return lowest and highest x and y of rows with a place on both axes.

    Returns
    -------
    ndarray of float64, shape (4,)
        x low, x high, y low, y high; infinite, the wrong way round, without a row.
    """
    from napari_seespot._kernels import widen_extent

    x_above, y_above = (0.0 if scale == "log" else -np.inf for scale in scales)
    kept = keep if isinstance(keep, _Keep) else _Keep(len(x), keep)

    def step(extent: np.ndarray, rows: slice) -> None:
        x_rows, y_rows = number_chunks(x, y, rows)
        widen_extent(extent, x_rows, y_rows, x_above, y_above, kept.of(rows))

    parts = each_chunk(
        len(x),
        lambda: np.array([np.inf, -np.inf, np.inf, -np.inf]),
        step,
        cancelled=cancelled,
    )
    return wider(*parts)


def wider(*extents: np.ndarray) -> np.ndarray:
    """Return the extent that holds those of `raw_extent`."""
    low, high = np.min(extents, axis=0), np.max(extents, axis=0)
    return np.array([low[0], high[1], low[2], high[3]])


def limits_of_extent(
    extent: np.ndarray, scales: tuple[AxisScale, AxisScale]
) -> tuple[Limits, Limits]:
    """Return what `raw_extent` found as limits of x and y."""
    x_low, x_high, y_low, y_high = map(float, extent)
    if x_low > x_high:  # no row
        return _empty(scales[0]), _empty(scales[1])
    return (x_low, x_high), (y_low, y_high)


def _empty(scale: AxisScale) -> Limits:
    return (1.0, 10.0) if scale == "log" else (0.0, 1.0)


def _edges(
    limits: Limits | None, bins: int, scale: AxisScale, width: float
) -> np.ndarray:
    """Return edges in data units, equally spaced on the scale."""
    assert limits is not None  # found by now where not given
    low, high = limits
    if low == high:
        half = np.sqrt(10.0)
        ends = (low / half, high * half) if scale == "log" else (low - 0.5, high + 0.5)
        low, high = ends
    with np.errstate(over="ignore", invalid="ignore"):
        places = np.linspace(
            to_scale(low, scale, width), to_scale(high, scale, width), bins + 1
        )
        edges = from_scale(places, scale, width)
    if not np.isfinite(edges).all():
        raise StateError(
            f"the limits {low} and {high} are too far apart for float64",
            expected="limits of which the difference is a number",
        )
    if scale != "linear":
        # Mapped back, ends may miss the limits by a rounding: the largest
        # value would then fall outside.
        edges = np.clip(edges, low, high)
        edges[0], edges[-1] = low, high
    return edges


class _Keep:
    """Which rows are counted, a part of the rows at a time.

    Parameters
    ----------
    n_rows : int
    where : ndarray of bool, RowFilter or None
    """

    def __init__(self, n_rows: int, where: np.ndarray | RowFilter | None) -> None:
        # Not `isinstance` of the protocol: that would look at all of it.
        self._rule: Any = where if hasattr(where, "in_ranges") else None
        self._mask = row_mask(where, n_rows) if self._rule is None else None

    @property
    def mask(self) -> np.ndarray | None:
        """Whether each row passes; None where all do."""
        return self._mask if self._rule is None else self._rule.of(slice(None))

    @property
    def codes(self) -> np.ndarray | None:
        """Which codes pass; None where all do."""
        codes: np.ndarray | None = None if self._rule is None else self._rule.codes
        return codes

    def of(self, rows: slice) -> np.ndarray:
        """Return which rows pass; of size zero where all do."""
        if self._rule is not None:
            return frozen(self._rule.of(rows), np.bool_)
        return NO_MASK if self._mask is None else self._mask[rows]

    def but_codes(self, rows: slice) -> np.ndarray:
        """Return which rows pass, whatever their codes."""
        if self._rule is None:
            return self.of(rows)
        passes = self._rule.in_ranges(rows)
        return NO_MASK if passes is None else frozen(passes, np.bool_)


def _count(
    spots: Spots,
    x: np.ndarray,
    y: np.ndarray,
    x_axis: _Axis,
    y_axis: _Axis,
    by: str | None,
    n_classes: int,
    keep: _Keep,
    cancelled: Callable[[], bool] | None,
) -> np.ndarray:
    """Return counts by class, shape (n_classes or 1, bins_y, bins_x)."""
    from napari_seespot._kernels import add_to_counts

    shape = (max(n_classes, 1), len(y_axis.edges) - 1, len(x_axis.edges) - 1)
    rows_of = _classes(spots, by, n_classes, shape[1] * shape[2], keep)
    dtype = number_chunks(x, y, slice(0, 0))[0].dtype
    x_guess, y_guess = x_axis.guess(dtype), y_axis.guess(dtype)

    def step(counts: np.ndarray, rows: slice) -> None:
        x_rows, y_rows = number_chunks(x, y, rows)
        add_to_counts(
            counts,
            x_rows,
            y_rows,
            x_axis.along(x_rows),
            y_axis.along(y_rows),
            x_axis.edges,
            y_axis.edges,
            x_guess,
            y_guess,
            *rows_of(rows),
        )

    plain = x_axis.scale == y_axis.scale == "linear" and dtype == np.float32
    size = int(np.prod(shape))
    # 32 bits hold any number of rows that fits into one machine's memory, and
    # half the size keeps more of the picture in the processor's cache.
    parts = each_chunk(
        len(x),
        lambda: np.zeros(size, np.uint32),
        step,
        max_threads=max(1, COUNTS_BYTES // (4 * size)),
        rows_per_chunk=LONG_CHUNK_ROWS if plain else 4 * CHUNK_ROWS,
        cancelled=cancelled,
    )
    counts = parts[0].astype(np.int64)
    for part in parts[1:]:
        counts += part
    return counts.reshape(shape)


def _classes(
    spots: Spots, by: str | None, n_classes: int, size: int, keep: _Keep
) -> Callable[[slice], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return what gives a chunk's mask, codes, and where each code's picture begins.

    `size` is a picture's number of bins.
    """
    offsets = np.arange(256, dtype=np.int64) * size
    offsets[max(n_classes, 1) :] = -1
    if by is not None and n_classes > MAX_CLASSES:
        raise StateError(
            f"{by} has {n_classes} classes",
            expected=f"at most {MAX_CLASSES} to count by",
        )
    if by is not None and by in spots.categories:
        own = spots.codes(by)
        return lambda rows: (keep.of(rows), frozen(own[rows], np.uint8), offsets)
    if by is None and keep.codes is None:
        return lambda rows: (keep.of(rows), NO_CODES, offsets)
    n_codes = len(spots.class_of_code("status"))
    class_of_code = (
        np.zeros(n_codes, np.intp) if by is None else spots.class_of_code(by)
    )
    code = spots.code
    if code.dtype != np.uint8:
        small = class_of_code.astype(np.uint8)
        return lambda rows: (keep.of(rows), small[code[rows]], offsets)
    # The kernel looks class and filter up by the way, in one small table.
    of_code = np.full(256, -1, np.int64)
    of_code[:n_codes] = offsets[class_of_code]
    if keep.codes is not None:
        of_code[:n_codes][~keep.codes] = -1
    return lambda rows: (keep.but_codes(rows), frozen(code[rows], np.uint8), of_code)
