"""The volume that a dataset fills: where it begins in the world, and how large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import SeeSpotError
from napari_seespot.index import Box

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset

__all__ = ["origin", "volume"]


def origin(dataset: Dataset) -> tuple[float, float, float]:
    """Return (z, y, x) of the first voxel's centre, in um."""
    for channel in dataset.images:
        try:
            z, y, x = dataset.images[channel].translate
        except SeeSpotError:  # that channel is reported where it is shown
            continue
        return (z, y, x)
    return (0.0, 0.0, 0.0)


def volume(dataset: Dataset) -> Box:
    """Return the volume that images and spots fill: whole voxels, to their faces."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for axis, name in enumerate("zyx"):
        values = dataset.spots.column(name)
        if len(values) and not np.isnan(values).all():
            low[axis] = np.round(np.nanmin(values)) - 0.5
            high[axis] = np.round(np.nanmax(values)) + 0.5
    for channel in dataset.images:
        try:
            shape = dataset.images[channel].shape
        except SeeSpotError:
            continue
        low, high = np.minimum(low, -0.5), np.maximum(high, np.array(shape) - 0.5)
        break
    low, high = np.where(low <= high, low, 0), np.where(low <= high, high, 0)
    z0, y0, x0 = (float(value) for value in low)
    z1, y1, x1 = (float(value) for value in high)
    return Box((z0, y0, x0), (z1, y1, x1))
