"""One napari image layer with the picture of all spots in view.

Its data is a plane at screen resolution, laid over the window that the camera sees
and over every plane of the sliced axis, so that a step draws into the same memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.points_pool import CANVAS_SIZES
from napari_seespot.raster import Canvas
from napari_seespot.spot_looks import (
    SELECTED_COLOR,
    SELECTED_PIXELS,
    SELECTED_RIM,
    SELECTED_SIZE,
)

if TYPE_CHECKING:
    from napari_seespot.index import Box
    from napari_seespot.resolve import View
    from napari_seespot.sight import Sight

__all__ = ["RasterLayer"]


class RasterLayer:
    """An image layer into which spots are drawn.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    voxel_um : tuple of float
        (z, y, x) of a voxel.
    translate : tuple of float
        (z, y, x) of the first voxel's centre, in um.
    extent : Box
        The volume, in voxels.
    name : str
    """

    def __init__(
        self,
        viewer: Any,
        voxel_um: tuple[float, float, float],
        translate: tuple[float, float, float],
        extent: Box,
        name: str,
    ) -> None:
        from napari_seespot.spots_layer import Image

        self._scale = voxel_um
        self._translate = translate
        self._extent = extent
        self._canvas = Canvas()
        layer = Image(
            np.zeros((1, 1, 1, 4), np.uint8),
            rgb=True,
            name=name,
            blending="translucent",
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
            scale=voxel_um,
            translate=self._middle,
            visible=False,
        )
        layer.led = layer.kept = True
        self.layer: Any = viewer.add_layer(layer)

    @property
    def _middle(self) -> np.ndarray:
        """A place in the volume, where a layer widens napari's world least; in um."""
        middle = np.array([self._extent.low, self._extent.high]).mean(axis=0)
        return np.asarray(middle * self._scale + self._translate)

    def show(
        self, view: View, sight: Sight, rows: np.ndarray, alpha: np.ndarray
    ) -> None:
        """Draw spots.

        Parameters
        ----------
        view : View
        sight : Sight
            A flat one.
        rows : ndarray of int64, shape (m,)
            Spots in the window.
        alpha : ndarray of float32, shape (m,)
            How opaque they are.
        """
        low, high, pixel = self._window(sight)
        height, width = (int(n) for n in np.maximum(1, np.ceil((high - low) / pixel)))
        places = [
            (view.spots.column("zyx"[axis])[rows] - start) / step
            for axis, start, step in zip(sight.displayed, low, pixel, strict=True)
        ]
        # Those on the window's far border, and roundings, belong to it too.
        down = np.clip(places[0], 0, height - 0.5)
        across = np.clip(places[1], 0, width - 0.5)
        smallest, largest = CANVAS_SIZES
        diameter = view.point_size_um / sight.pixel_um
        picture = self._canvas.draw(
            down,
            across,
            view.coloring.index(view.spots, rows),
            view.coloring.table,
            alpha,
            (height, width),
            float(np.clip(diameter, smallest, largest)),
        )
        if view.selected is not None:
            chosen = np.flatnonzero(view.selected[rows])
            size = np.clip(SELECTED_SIZE * diameter, SELECTED_PIXELS, largest)
            self._canvas.put(
                down[chosen],
                across[chosen],
                SELECTED_COLOR,
                float(size),
                SELECTED_RIM,
            )
        self._place(picture, sight, low, pixel)

    def _window(self, sight: Sight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the window's ends and a pixel's size along its axes, in voxels."""
        axes = list(sight.displayed)
        pixel = sight.pixel_um / np.array(self._scale)[axes]
        return np.array(sight.low)[axes], np.array(sight.high)[axes], pixel

    def _place(
        self, picture: np.ndarray, sight: Sight, low: np.ndarray, pixel: np.ndarray
    ) -> None:
        """Put the picture on the window, and on every plane of the sliced axis."""
        vertical, across = sight.displayed
        (depth,) = sight.sliced
        scale, translate = np.array(self._scale), np.array(self._translate)
        ends = np.array([self._extent.low, self._extent.high])
        # One voxel as deep as the volume: stepping never leaves it.
        depth_um = (ends[1, depth] - ends[0, depth]) * scale[depth]
        translate[depth] += ends[:, depth].mean() * scale[depth]
        for place, axis in enumerate((vertical, across)):
            translate[axis] += (low[place] + pixel[place] / 2) * scale[axis]
            scale[axis] *= pixel[place]
        scale[depth] = max(depth_um, scale[depth])
        if vertical > across:
            picture = picture.transpose(1, 0, 2)
        data = np.expand_dims(picture, depth)
        layer = self.layer
        same = layer.data.shape == data.shape and np.may_share_memory(layer.data, data)
        if not same:
            # First: a hidden layer's extent, and with it napari's sliders and home
            # view, follows its place but not its data.
            layer.data = data
        if not np.allclose(layer.scale, scale):
            layer.scale = scale
        if not same or not np.allclose(layer.translate, translate):
            layer.translate = translate
        if same:
            layer.refresh(extent=False, thumbnail=False, highlight=False)

    def free_slider(self, depth: int) -> None:
        """Shrink a hidden picture of another slicing axis to a voxel.

        napari's sliders step by the smallest scale of all layers: the pixels of a
        picture across the planes would make a step in z a fraction of a plane.
        """
        layer = self.layer
        if layer.data.shape[depth] > 1:
            layer.data = np.zeros((1, 1, 1, 4), np.uint8)
            layer.scale = self._scale
            layer.translate = self._middle
