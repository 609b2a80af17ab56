"""How spots look on the image: what fades, and what is selected.

A selected spot must be seen on any background, a dark image as well as the white
canvas of a light theme, and among any number of others: it is white with a black rim,
opaque, drawn after the others, and never smaller than a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_seespot.resolve import View

__all__ = [
    "NO_POINTS",
    "SELECTED_COLOR",
    "SELECTED_PIXELS",
    "SELECTED_RIM",
    "SELECTED_SIZE",
    "PointLooks",
    "faded",
    "nearness",
    "point_looks",
]

SELECTED_COLOR, SELECTED_RIM = (255, 255, 255, 255), (0, 0, 0, 255)
SELECTED_SIZE = 1.7
"""A selected spot's diameter, relative to the others."""

SELECTED_PIXELS = 7.0
"""A selected spot's smallest diameter on the canvas, with its rim."""

_RIM = 0.12  # the width of the rim of a selected point, relative to its diameter
_FADED = 0.12  # opacity of what is not highlighted, relative to what is
_FADE = 0.75  # how much a spot at the slab's border is fainter


@dataclass(frozen=True, eq=False)
class PointLooks:
    """Spots as points, in the order in which they are drawn.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        The selected ones last: they hide the others.
    face_color, border_color : ndarray of float32, shape (m, 4)
    sizes : ndarray of float32, shape (m,)
        Diameters in voxels.
    border_width : ndarray of float32, shape (m,)
        Relative to the diameter.
    """

    rows: np.ndarray
    face_color: np.ndarray
    border_color: np.ndarray
    sizes: np.ndarray
    border_width: np.ndarray


_NONE, _NO_COLORS = np.zeros(0, np.float32), np.zeros((0, 4), np.float32)
NO_POINTS = PointLooks(np.zeros(0, np.int64), _NO_COLORS, _NO_COLORS, _NONE, _NONE)


def point_looks(
    view: View, rows: np.ndarray, alpha: np.ndarray, um: float, pixel_um: float
) -> PointLooks:
    """Return how spots look as points.

    Parameters
    ----------
    view : View
    rows : ndarray of int64, shape (m,)
    alpha : ndarray of float32, shape (m,)
        How opaque they are, unless they are selected.
    um : float
        Size of a voxel.
    pixel_um : float
        Size of a canvas pixel.
    """
    first = len(rows)
    if view.selected is not None:
        chosen = view.selected[rows]
        order = np.argsort(chosen, kind="stable")
        first -= int(np.count_nonzero(chosen))
        rows, alpha = rows[order], alpha[order]
    colors = view.coloring.rgba(view.spots, rows)
    colors[:, 3] *= alpha
    colors[first:] = np.array(SELECTED_COLOR, np.float32) / 255
    sizes = np.full(len(rows), view.point_size_um / um, np.float32)
    smallest = SELECTED_PIXELS * pixel_um / um
    sizes[first:] = np.maximum(SELECTED_SIZE * sizes[first:], smallest)
    borders = colors.copy()
    borders[first:] = np.array(SELECTED_RIM, np.float32) / 255
    widths = np.zeros(len(rows), np.float32)
    widths[first:] = _RIM
    return PointLooks(rows, colors, borders, sizes, widths)


def nearness(view: View, rows: np.ndarray, axis: int, plane: float) -> np.ndarray:
    """Return how opaque spots are by their distance from a plane, float32, (m,)."""
    values = view.spots.column("zyx"[axis])[rows]
    distance = np.abs(values - np.float32(plane))
    half = np.float32(view.slab_planes + 0.5)
    alpha = np.asarray(1 - _FADE * np.minimum(distance / half, 1), np.float32)
    return faded(view, rows, alpha)


def faded(view: View, rows: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return opacities with those of spots lowered that are not highlighted."""
    fades = view.faded(rows)
    return alpha if fades is None else np.where(fades, _FADED * alpha, alpha)
