"""A spatial map as a layer over the tissue, in any number of dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot.maps import SpatialMap

__all__ = ["MapLayer"]


class MapLayer:
    """Keeps one image layer in step with a map, and takes the clicks on its tiles.

    The layer has two dimensions, y and x: napari shows it in every plane.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    origin_um : tuple of float
        (y, x) in world coordinates of the voxels' zero.
    above : callable
        Returns the layers that are to be drawn on top of the map.
    clicked : callable
        Called with (y, x), in um from that origin, of a click on a tile.
    takers : list of callable
        `SpotPicker.others`, where whoever takes clicks on the viewer is listed.
    """

    def __init__(
        self,
        viewer: Any,
        origin_um: tuple[float, float],
        above: Callable[[], Sequence[Any]],
        clicked: Callable[[tuple[float, float]], None],
        takers: list[Callable[[tuple[float, ...]], bool]],
    ) -> None:
        self._viewer = viewer
        self._origin = origin_um
        self._above = above
        self._clicked: Callable[[tuple[float, float]], None] | None = clicked
        self._takers = takers
        self._map: SpatialMap | None = None
        self.layer: Any = None
        takers.append(self._take)

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    def show(self, found: SpatialMap, name: str, limits: tuple[float, float]) -> None:
        """Show a map in the place of the one before."""
        from napari.layers import Image

        self._map = found
        step = found.tile_um
        # A tile's value belongs to its middle, where napari has its pixels.
        corner = [
            start + offset + step / 2
            for start, offset in zip(self._origin, found.origin_um, strict=True)
        ]
        values = found.values.astype(np.float32)
        values[found.counts == 0] = np.nan  # no spots: nothing is drawn
        if not self.shown:
            self.layer = Image(
                values,
                name=name,
                scale=(step, step),
                translate=corner,
                units=("um", "um"),
                colormap="viridis",
                blending="translucent",
                opacity=0.6,
                contrast_limits=limits,
                interpolation2d="nearest",
            )
            active = self._viewer.layers.selection.active
            layers = self._viewer.layers
            on_top = [layers.index(other) for other in self._above() if other in layers]
            layers.insert(min(on_top, default=len(layers)), self.layer)
            # Adding selects it, and the status bar would tell of tiles, not of spots.
            self._viewer.layers.selection.active = active
            return
        layer = self.layer
        layer.data = values
        layer.scale = (step, step)
        layer.translate = corner
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits
        layer.name = name

    def _take(self, position: tuple[float, ...]) -> bool:
        """Take a click at a place in the world, where a tile with spots is seen."""
        if self._clicked is None or not self.shown or not self.layer.visible:
            return False
        if {*self._viewer.dims.displayed} != {*range(self._viewer.dims.ndim)[-2:]}:
            return False  # not y against x: the map is a line, or inside a volume
        y, x = position[-2] - self._origin[0], position[-1] - self._origin[1]
        tile = None if self._map is None else self._map.tiles.at_um(y, x)
        if tile is None or np.isnan(self.layer.data[tile]):
            return False
        self._clicked((y, x))
        return True

    def remove(self) -> None:
        """Take the layer out of the viewer. Safe to call twice."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Remove the layer and let go of whoever listens."""
        self._clicked = None
        if self._take in self._takers:
            self._takers.remove(self._take)
        self.remove()
