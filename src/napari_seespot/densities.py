"""Counting millions of spots into pictures: all rows, exact, in a blink.

Rows are binned as `numpy.histogram2d` bins them, to the count. A row's bin is
guessed by scaling and then corrected against the edges, as numpy does for
equal bins: scaling alone puts a row now and then beside its bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_seespot._chunks import each_chunk, frozen, number_chunks, row_mask
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
    "to_scale",
    "warm_up",
]

AxisScale = Literal["linear", "log", "asinh"]
"""How an axis is scaled: bins are equally wide on that scale."""

Limits = tuple[float, float]

COUNTS_BYTES = 1 << 28
"""Memory that the threads' own counts may take; large ones get fewer threads."""

NO_MASK = frozen([], np.bool_)
NO_CODES = frozen([], np.uint8)

MAX_CLASSES = 255


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

    @property
    def guess(self) -> tuple[float, float]:
        """The first edge on the scale, and how many bins a unit of it has."""
        first, last = to_scale(self.edges[[0, -1]], self.scale, self.width)
        # 0 for a span too small to divide by: the correction then does all.
        per_unit = (
            (len(self.edges) - 1) / (last - first) if last - first > 1e-300 else 0
        )
        return float(first), float(per_unit)

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
    where: np.ndarray | None = None,
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
    where : ndarray of bool, shape (n,), optional
        The rows to count, in row order.
    axes : (str, str)
        The scales of x and y, each ``"linear"``, ``"log"`` or ``"asinh"``.
        Bins are equally wide on the scale; `x_edges` and `y_edges` are in data
        units, and it is against these that rows are counted.
    asinh_width : float
        The scale ``"asinh"`` is ``arcsinh(value / asinh_width)``: linear below
        this value, logarithmic above.
    cancelled : callable, optional
        Asked every 65,536 rows; the count ends when it says True.

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
    names = (column_name(spots, x_channel), column_name(spots, y_channel))
    x, y = (spots.column(name) for name in names)
    scales = _checked_scales(axes, asinh_width)
    n_bins = _checked_bins(bins)
    keep = row_mask(where, len(spots))
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


def histogram(
    spots: Spots,
    column: str,
    bins: int = 256,
    limits: Limits | None = None,
    by: str | None = None,
    where: np.ndarray | None = None,
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
    keep: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> tuple[Limits, Limits]:
    """Return the limits of the rows that have a place on both axes."""
    from napari_seespot._kernels import widen_extent

    x_above, y_above = (0.0 if scale == "log" else -np.inf for scale in scales)

    def step(extent: np.ndarray, rows: slice) -> None:
        x_rows, y_rows = number_chunks(x, y, rows)
        kept = NO_MASK if keep is None else keep[rows]
        widen_extent(extent, x_rows, y_rows, x_above, y_above, kept)

    parts = each_chunk(
        len(x),
        lambda: np.array([np.inf, -np.inf, np.inf, -np.inf]),
        step,
        cancelled=cancelled,
    )
    low, high = np.min(parts, axis=0), np.max(parts, axis=0)
    if low[0] > high[1]:  # no row
        return _empty(scales[0]), _empty(scales[1])
    return (float(low[0]), float(high[1])), (float(low[2]), float(high[3]))


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


def _count(
    spots: Spots,
    x: np.ndarray,
    y: np.ndarray,
    x_axis: _Axis,
    y_axis: _Axis,
    by: str | None,
    n_classes: int,
    keep: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> np.ndarray:
    """Return counts by class, shape (n_classes or 1, bins_y, bins_x)."""
    from napari_seespot._kernels import add_to_counts

    codes, class_of_code = _classes(spots, by, n_classes)
    x_guess, y_guess = x_axis.guess, y_axis.guess
    shape = (max(n_classes, 1), len(y_axis.edges) - 1, len(x_axis.edges) - 1)

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
            NO_MASK if keep is None else keep[rows],
            codes(rows),
            class_of_code,
        )

    # 32 bits hold any number of rows that fits into one machine's memory, and
    # half the size keeps more of the picture in the processor's cache.
    parts = each_chunk(
        len(x),
        lambda: np.zeros(shape, np.uint32),
        step,
        max_threads=max(1, COUNTS_BYTES // (4 * int(np.prod(shape)))),
        cancelled=cancelled,
    )
    counts = parts[0].astype(np.int64)
    for part in parts[1:]:
        counts += part
    return counts


def _classes(
    spots: Spots, by: str | None, n_classes: int
) -> tuple[Callable[[slice], np.ndarray], np.ndarray]:
    """Return what gives the codes of a chunk, and the class of each code."""
    unchanged = np.arange(256).astype(np.uint8)
    if by is None:
        return lambda rows: NO_CODES, unchanged
    if n_classes > MAX_CLASSES:
        raise StateError(
            f"{by} has {n_classes} classes",
            expected=f"at most {MAX_CLASSES} to count by",
        )
    if by in spots.categories:
        codes = spots.codes(by)
        return lambda rows: frozen(codes[rows], np.uint8), unchanged
    code, class_of_code = spots.code, spots.class_of_code(by)
    if code.dtype == np.uint8:  # the kernel looks them up by the way
        unchanged[: len(class_of_code)] = class_of_code
        return lambda rows: frozen(code[rows], np.uint8), unchanged
    return lambda rows: frozen(class_of_code[code[rows]], np.uint8), unchanged
