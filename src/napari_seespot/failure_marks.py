"""Crosses over the parts of an image that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_seespot._level_array import LevelArray, Region
    from napari_seespot.screen import Screen

__all__ = ["FailureMarks", "cross"]

_NAME = "Unreadable"


class FailureMarks:
    """A layer of crosses, made when the first is needed.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._drawn: object = ()

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layer, if there is one."""
        return () if self._layer is None else (self._layer,)

    def update(self, screen: Screen) -> None:
        """Cross out what is in view and failed."""
        failed = list(screen.failed_regions())
        if not failed and self._layer is None:
            return
        dims = self._viewer.dims
        shown = tuple(axis - (dims.ndim - 3) for axis in dims.displayed)
        point = tuple(dims.point[-3:])
        drawn = (shown, point, [(a.token, str(region)) for _, a, region in failed])
        if drawn == self._drawn:
            return
        self._drawn = drawn
        lines = [cross(array, region, shown[-2:], point) for _, array, region in failed]
        data = np.concatenate(lines) if lines else np.zeros((0, 2, 3))
        if self._layer is None:
            self._layer = self._new_layer()
        if self._layer in self._viewer.layers:
            self._layer.data = data
            self._layer.edge_width = _width(data)
            self._layer.visible = bool(len(data))

    def _new_layer(self) -> Any:
        # the marked place is the user's: a new layer must not take the selection
        selected = set(self._viewer.layers.selection)
        layer = self._viewer.add_vectors(
            np.zeros((0, 2, 3)),
            ndim=3,
            name=_NAME,
            edge_color="red",
            vector_style="line",
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
        )
        self._viewer.layers.selection = selected
        return layer


def cross(
    array: LevelArray,
    region: Region,
    shown: tuple[int, ...],
    point: tuple[float, ...],
) -> np.ndarray:
    """Return the frame and the diagonals of a region in the plane that is shown.

    Parameters
    ----------
    array : LevelArray
    region : tuple of slice
        In voxels of that level.
    shown : tuple of int
        The two displayed axes.
    point : tuple of float
        (z, y, x) in um, where the others are sliced.

    Returns
    -------
    ndarray, shape (6, 2, 3)
        Starts and lengths in um.
    """
    image = array.image
    low, high = np.empty(3), np.empty(3)
    for axis, span in enumerate(region):
        # napari takes a level's factor from the shapes
        step = image.scale[axis] * image.shape[axis] / array.shape[axis]
        edge = image.translate[axis] - image.scale[axis] / 2
        low[axis], high[axis] = edge + span.start * step, edge + span.stop * step
    corners = np.tile(np.asarray(point, float), (4, 1))
    a, b = shown
    corners[:, a] = low[a], low[a], high[a], high[a]
    corners[:, b] = low[b], high[b], high[b], low[b]
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)]
    return np.array([[corners[i], corners[j] - corners[i]] for i, j in pairs])


def _width(data: np.ndarray) -> float:
    """Return a line's width in um that is seen but hides nothing."""
    return float(np.abs(data[:, 1]).max()) / 100 if len(data) else 1.0
