"""One napari points layer with the ring around a spot that was flown to or picked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_seespot.sight import Sight

__all__ = ["MarkLayer"]

_SIZE = 3.0  # the ring, relative to the spot
_CANVAS_SIZES = (18, 120)  # of the ring, in pixels


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
            canvas_size_limits=_CANVAS_SIZES,
            visible=False,
        )
        layer.kept = True
        self.layer: Any = viewer.add_layer(layer)

    def show(self, position: tuple[float, float, float], spot_um: float) -> None:
        """Draw the ring around a spot.

        Parameters
        ----------
        position : tuple of float
            (z, y, x) in voxels.
        spot_um : float
            The spot's diameter.
        """
        layer = self.layer
        if len(layer.data) == 1:
            layer.data[0] = position  # much cheaper than new data
        else:  # a script has put others into its place
            layer.data = [position]
        layer.size = _SIZE * spot_um / self._voxel_um[2]
        layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def see(self, sight: Sight | None, slab_planes: float) -> None:
        """Take note of what the viewer looks at.

        Where no point is in its slab, napari draws one of no size in the corner,
        which the least size on the canvas would bring out.
        """
        layer, limits = self.layer, _CANVAS_SIZES
        if sight is not None:
            low, high = (end[list(sight.sliced)] for end in sight.box(slab_planes).ends)
            places = np.asarray(layer.data, np.float32)[:, list(sight.sliced)]
            if not ((places >= low) & (places <= high)).all(axis=1).any():
                limits = (0, 0)
        if layer.canvas_size_limits != limits:
            layer.canvas_size_limits = limits
