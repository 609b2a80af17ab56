"""Where the axes of a channel pair end, for the rows that pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.plots.pair_rows import level_stop
from napari_seespot.plots.scales import LINEAR
from napari_seespot.priority import LEVEL_LIMITS

if TYPE_CHECKING:
    from napari_seespot.plots.scales import PlotScale
    from napari_seespot.resolve import Mask, View

__all__ = ["Limits", "above_zero", "automatic_axis"]

Limits = tuple[float, float, float, float]
"""x low, x high, y low, y high."""

PERCENTILES = (0.1, 99.9)  # of automatic axes
LOG_PERCENTILES = (2.0, 99.9)  # noise around 0 would take decades of the axis
PADDING = 0.03  # of the span, so that the outermost spots do not touch the frame
ENOUGH_ROWS = 250_000  # percentiles of more are taken from the first levels of detail


def above_zero(limits: Limits, found: Limits) -> Limits:
    """Return limits that were fixed on another scale as a logarithmic one takes them.

    What has no place on it begins where `found`, which it takes, does.
    """
    x0, x1, y0, y1 = (a if a > 0 else b for a, b in zip(limits, found, strict=True))
    return (min(x0, x1 / 10), x1, min(y0, y1 / 10), y1)


def automatic_axis(
    view: View, channel: str, scale: PlotScale = LINEAR, mode: str | None = None
) -> tuple[float, float]:
    """Return the ends of an axis for the rows that pass.

    Where none passes, for all rows: the axes then stay where they can be read.

    Parameters
    ----------
    view : View
    channel : str
    scale : PlotScale
    mode : str, optional
        One of `LIMITS_MODES`; the view's own by default.
    """
    mode = mode or view.limits_mode
    exact = mode == "minmax"
    above = 0.0 if scale.name == "log" else -np.inf
    values = _finite(view, channel, view.mask, exact, above)
    if values.size == 0:
        values = _finite(view, channel, None, exact, above)
    if values.size == 0:
        return (1.0, 10.0) if scale.name == "log" else (0.0, 1.0)
    if exact:
        ends = np.array([values.min(), values.max()], np.float64)
    else:
        share = LOG_PERCENTILES if scale.name == "log" else PERCENTILES
        if mode == "percentile":
            share = view.axis_rules.percentiles
        ends = np.percentile(values, share).astype(np.float64)
    low, high = map(float, scale.to(ends))
    span = high - low
    padding = PADDING * span if span > 0 else max(0.5, abs(low) * PADDING)
    low, high = map(float, scale.back([low - padding, high + padding]))
    return (low, high)


def _finite(
    view: View, channel: str, mask: Mask | None, exact: bool, above: float
) -> np.ndarray:
    """Return finite values of rows that pass: all of them, or enough of them."""
    spots = view.spots
    column = spots.intensity(channel)
    stops = [level_stop(spots, level) for level in range(len(LEVEL_LIMITS))]
    for stop in stops[-1:] if exact else stops:
        values = column[:stop]
        if mask is not None:
            values = values[mask.of(slice(stop))]
        values = values[(values > above) & (values < np.inf)]
        if values.size >= ENOUGH_ROWS:
            break
    return np.asarray(values)
