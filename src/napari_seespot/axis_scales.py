"""Scales of axes: where a value lies, and the edges of equally wide bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_seespot._chunks import frozen
from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AxisScale",
    "BinAxis",
    "Limits",
    "bin_edges",
    "checked_limits",
    "checked_scales",
    "empty_limits",
    "from_scale",
    "to_scale",
]

AxisScale = Literal["linear", "log", "asinh"]
"""How an axis is scaled: bins are equally wide on that scale."""

Limits = tuple[float, float]


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


def checked_scales(
    axes: Sequence[str], asinh_width: float
) -> tuple[AxisScale, AxisScale]:
    """Return the scales of x and y; raise a StateError for what are none."""
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


def checked_limits(
    limits: Any, scales: tuple[AxisScale, AxisScale]
) -> tuple[Limits | None, Limits | None]:
    """Return the limits of x and y, None where they are to be found.

    Raises
    ------
    StateError
        For what are no limits on these scales.
    """
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


def empty_limits(scale: AxisScale) -> Limits:
    """Return the limits of an axis without a row."""
    return (1.0, 10.0) if scale == "log" else (0.0, 1.0)


def bin_edges(
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


@dataclass(frozen=True)
class BinAxis:
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
