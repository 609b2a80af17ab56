"""What a viewer looks at, in numbers: slab, window and their place in the world.

Pure geometry between three frames: voxels of level 0 (inside), micrometres
(napari's world) and pixels of the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_seespot.index import Box

__all__ = ["Sight", "look"]

_SPATIAL = 3


@dataclass(frozen=True)
class Sight:
    """One look at the volume.

    Attributes
    ----------
    displayed : tuple of int
        The displayed axes, 0 for z, in the order rows, columns (two of them), or
        all three.
    plane : tuple of float
        (z, y, x) of the slicing point, in voxels; only the axes that are not
        displayed count.
    low, high : tuple of float
        (z, y, x) ends of the window, in voxels, clipped to the volume.
    pixel_um : float
        Size of a canvas pixel in the world.
    """

    displayed: tuple[int, ...]
    plane: tuple[float, float, float]
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    pixel_um: float

    @property
    def flat(self) -> bool:
        """Whether a plane is shown rather than a volume."""
        return len(self.displayed) == 2

    @property
    def sliced(self) -> tuple[int, ...]:
        """The axes that are not displayed."""
        return tuple(axis for axis in range(_SPATIAL) if axis not in self.displayed)

    @property
    def empty(self) -> bool:
        """Whether the window lies outside the volume."""
        return any(low > high for low, high in zip(self.low, self.high, strict=True))

    def box(self, slab_planes: float) -> Box:
        """Return what is in view: the window, and the slab around the plane.

        Parameters
        ----------
        slab_planes : float
            How many planes before and behind the current one belong to the slab;
            0 is the plane itself, half a voxel to either side.
        """
        low, high = list(self.low), list(self.high)
        for axis in self.sliced:
            low[axis] = self.plane[axis] - slab_planes - 0.5
            high[axis] = self.plane[axis] + slab_planes + 0.5
        return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def look(
    viewer: Any,
    scale: tuple[float, float, float],
    translate: tuple[float, float, float],
    extent: Box,
) -> Sight | None:
    """Return what a viewer looks at; None when it does not show our axes.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Our layers are its last three dimensions.
    scale, translate : tuple of float
        (z, y, x) of a voxel and of the origin, in um.
    extent : Box
        The volume, in voxels.
    """
    offset = viewer.dims.ndim - _SPATIAL
    displayed = tuple(axis - offset for axis in viewer.dims.displayed)
    if offset < 0 or min(displayed) < 0 or viewer.scene.camera.zoom <= 0:
        return None
    origin, voxel = np.array(translate, float), np.array(scale, float)
    point = (np.array(viewer.dims.point[offset:], float) - origin) / voxel
    pixel_um = 1 / viewer.scene.camera.zoom
    center = np.array(viewer.scene.camera.center[-len(displayed) :], float)
    half = _half_window(viewer.canvas.size, len(displayed)) * pixel_um
    low, high = np.array(extent.low, float), np.array(extent.high, float)
    for place, axis in enumerate(displayed):
        middle = (center[place] - origin[axis]) / voxel[axis]
        low[axis] = max(low[axis], middle - half[place] / voxel[axis])
        high[axis] = min(high[axis], middle + half[place] / voxel[axis])
    return Sight(
        displayed, _triple(point), _triple(low), _triple(high), float(pixel_um)
    )


def _half_window(canvas: tuple[int, int], ndisplay: int) -> np.ndarray:
    """Return half of the visible window, in pixels, for each displayed axis."""
    height, width = canvas
    if ndisplay == 2:
        return np.array([height, width]) / 2
    # However the volume is turned, nothing farther than this can be seen.
    return np.full(3, np.hypot(height, width) / 2)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return (z, y, x)
