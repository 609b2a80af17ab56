"""Contrast limits: which of those that are told to believe, and how to measure."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["full_range", "is_sane", "robust_limits"]

# Of the voxels of the central chunk, which is mostly background with few and
# small bright spots: less than 99.9 % would leave the spots saturated.
_PERCENTILES = (1.0, 99.9)


def full_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the ends of a type of voxel."""
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        return float(info.min if dtype.kind == "i" else 0), float(info.max)
    return 0.0, 1.0


def is_sane(window: tuple[float, float], dtype: np.dtype[Any]) -> bool:
    """Whether somebody chose a window; writers fill in 0..1 and 0..65535 unasked."""
    if dtype.kind not in "ui":
        return True
    low, high = window
    lowest, highest = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    inside = lowest <= low and high <= highest
    return inside and high - low >= 2 and (low, high) != (lowest, highest)


def robust_limits(values: np.ndarray[Any, Any]) -> tuple[float, float] | None:
    """Return percentiles of voxels that hold something; None where none do."""
    held = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    held = held[held != 0]  # 0 pads what no tile covers
    if held.size == 0:
        return None
    low, high = (float(v) for v in np.percentile(held, _PERCENTILES))
    if not low < high:
        low, high = float(held.min()), float(held.max())
    return (low, high) if low < high else None
