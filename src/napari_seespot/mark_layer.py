"""One napari points layer with the ring around a spot that was flown to or picked."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["MarkLayer"]

_SIZE = 3.0  # the ring, relative to the spot
_PIXELS, _MOST_PIXELS = 18, 120  # of the ring, on the canvas


class MarkLayer:
    """A layer with one ring, hidden until there is something to mark.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    voxel_um : tuple of float
        (z, y, x) of a voxel.
    translate : tuple of float
        (z, y, x) of the first voxel's centre, in um.
    start : tuple of float
        (z, y, x) in voxels, where the ring waits.
    name : str
    """

    def __init__(
        self,
        viewer: Any,
        voxel_um: tuple[float, float, float],
        translate: tuple[float, float, float],
        start: tuple[float, ...],
        name: str,
    ) -> None:
        from napari_seespot.spots_layer import Points

        self._voxel_um = voxel_um
        layer = Points(
            [start],
            ndim=3,
            name=name,
            symbol="disc",
            face_color=[0.0, 0.0, 0.0, 0.0],
            border_color="magenta",
            border_width=0.08,
            scale=voxel_um,
            translate=translate,
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
            projection_mode="all",
            canvas_size_limits=(0, _MOST_PIXELS),
            visible=False,
        )
        layer.kept = True
        self.layer: Any = viewer.add_layer(layer)

    def show(self, position: tuple[float, float, float]) -> None:
        """Draw the ring around a place, (z, y, x) in voxels."""
        layer = self.layer
        if len(layer.data) == 1:
            layer.data[0] = position  # much cheaper than new data
        else:  # a script has put others into its place
            layer.data = [position]
        layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def see(self, spot_um: float, pixel_um: float) -> None:
        """Keep the ring as large as it has to be on the canvas.

        Not by the layer's least size on the canvas: napari thickens the borders of
        what it enlarges, and where no point is in view it draws one of no size, which
        would be enlarged too.

        Parameters
        ----------
        spot_um : float
            Diameter of the spots.
        pixel_um : float
            Size of a canvas pixel.
        """
        size = max(_SIZE * spot_um, _PIXELS * pixel_um) / self._voxel_um[2]
        layer = self.layer
        if not np.allclose(layer.size, size, rtol=1e-3):
            layer.size[:] = size
            layer.refresh(extent=False, thumbnail=False, highlight=False)
