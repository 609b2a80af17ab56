"""Counting millions of spots into pictures: all rows, exact, in a blink.

Rows are binned as `numpy.histogram2d` bins them, to the count. A row's bin is
guessed by scaling; rows so near to an edge that a rounding may have put them
beside their bin are compared with the edges, as numpy does with all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunks import (
    CHUNK_ROWS,
    LONG_CHUNK_ROWS,
    RowFilter,
    each_chunk,
    frozen,
    number_chunks,
)
from napari_seespot.axis_scales import (
    BinAxis,
    bin_edges,
    checked_limits,
    checked_scales,
)
from napari_seespot.errors import NotFoundError, StateError
from napari_seespot.kept_rows import KeptRows, limits_of_extent, raw_extent

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.axis_scales import AxisScale, Limits
    from napari_seespot.spots import Spots

__all__ = [
    "Density",
    "Histogram",
    "column_name",
    "density",
    "histogram",
    "means",
    "warm_up",
]

COUNTS_BYTES = 1 << 28
"""Memory that the threads' own counts may take; large ones get fewer threads."""

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
            where=KeptRows(len(spots), where).mask,
            axes=axes,
            asinh_width=asinh_width,
            cancelled=cancelled,
        )
        return counted
    names = (column_name(spots, x_channel), column_name(spots, y_channel))
    x, y = (spots.column(name) for name in names)
    scales = checked_scales(axes, asinh_width)
    n_bins = _checked_bins(bins)
    keep = KeptRows(len(spots), where)
    given = checked_limits(limits, scales)
    if None in given:
        found = limits_of_extent(raw_extent(x, y, scales, keep, cancelled), scales)
        given = (given[0] or found[0], given[1] or found[1])
    x_axis, y_axis = (
        BinAxis(bin_edges(ends, count, scale, asinh_width), scale, asinh_width)
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
        BinAxis(edges, scale, counted.asinh_width)
        for edges, scale in zip(
            (counted.x_edges, counted.y_edges), counted.axes, strict=True
        )
    )
    keep = KeptRows(len(spots), where)
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


def _count(
    spots: Spots,
    x: np.ndarray,
    y: np.ndarray,
    x_axis: BinAxis,
    y_axis: BinAxis,
    by: str | None,
    n_classes: int,
    keep: KeptRows,
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
    spots: Spots, by: str | None, n_classes: int, size: int, keep: KeptRows
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
