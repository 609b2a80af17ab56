"""A channel's layer in a window: napari notes a step, `ImageLayers` has it drawn.

napari 0.9 slices each layer twice at a step, all layers in one go: five channels
hold the window up ten times. Led layers are sliced once, and no more of them in a
turn of the event loop than fit a frame.
"""

from __future__ import annotations

from typing import Any

from napari_seespot import spots_layer

__all__ = ["Image"]


# The name stays: napari takes a layer's icon and its kind in files from it.
class Image(spots_layer.Image):
    """napari's image, sliced by its leader.

    Attributes
    ----------
    stale : bool
        Whether a step was noted that is not drawn yet.
    """

    stale = False

    def _take_note(self, dims: Any) -> bool:
        state: Any = getattr(self, "_slicing_state", None)
        before = getattr(state, "_slice_input", None)
        noted = super()._take_note(dims)
        if noted and state._slice_input != before:
            self.stale = True
        return noted

    def refresh(self, *args: Any, **options: Any) -> None:
        """Slice and draw; see napari."""
        self.stale = False
        super().refresh(*args, **options)
