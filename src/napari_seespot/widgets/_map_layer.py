"""A spatial map as a layer over the tissue, in any number of dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot.maps import SpatialMap

__all__ = ["MapLayer"]


class MapLayer:
    """Keeps one image layer in step with a map, and tells of clicks on it.

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
    """

    def __init__(
        self,
        viewer: Any,
        origin_um: tuple[float, float],
        above: Callable[[], Sequence[Any]],
        clicked: Callable[[tuple[float, float]], None],
    ) -> None:
        self._viewer = viewer
        self._origin = origin_um
        self._above = above
        self._clicked: Callable[[tuple[float, float]], None] | None = clicked
        self.layer: Any = None

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    def show(self, found: SpatialMap, name: str, limits: tuple[float, float]) -> None:
        """Show a map in the place of the one before."""
        from napari.layers import Image

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
            self.layer.mouse_drag_callbacks.append(self._on_press)
            active = self._viewer.layers.selection.active
            layers = self._viewer.layers
            on_top = [layers.index(other) for other in self._above() if other in layers]
            layers.insert(min(on_top, default=len(layers)), self.layer)
            # Adding selects it, and the spots would not be picked any more.
            self._viewer.layers.selection.active = active
            return
        layer = self.layer
        layer.data = values
        layer.scale = (step, step)
        layer.translate = corner
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits
        layer.name = name

    def _on_press(self, layer: Any, event: Any) -> Any:
        """Tell of a click, not of a drag."""
        start = tuple(event.position)
        yield
        while event.type == "mouse_move":
            yield
        if self._clicked is not None and tuple(event.position) == start:
            y, x = start[-2:]
            self._clicked((y - self._origin[0], x - self._origin[1]))

    def remove(self) -> None:
        """Take the layer out of the viewer. Safe to call twice."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Remove the layer and let go of whoever listens."""
        self._clicked = None
        self.remove()
