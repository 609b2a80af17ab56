"""An outline drawn on the image selects all spots inside it, drawn or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from psygnal import Signal

from napari_seespot.errors import SeeSpotError, StateError

if TYPE_CHECKING:
    from napari_seespot.overlay import Defer
    from napari_seespot.session import Session

__all__ = ["ImageLasso", "Outline"]

Outline = Literal["lasso", "polygon", "rectangle"]

_MODES = {
    "lasso": "add_polygon_lasso",
    "polygon": "add_polygon",
    "rectangle": "add_rectangle",
}


class ImageLasso:
    """Lets a user draw one outline on a shapes layer that lives as long as that.

    Parameters
    ----------
    session : Session
        One with a viewer.
    defer : callable, optional
        See `SpotOverlay`; napari is not yet done with a shape when it tells of it.

    Attributes
    ----------
    selected : psygnal.Signal
        Emitted with how many spots are selected after an outline was drawn.
    failed : psygnal.Signal
        Emitted with the error where an outline cannot be used.
    """

    selected = Signal(int)
    failed = Signal(Exception)

    def __init__(self, session: Session, defer: Defer | None = None) -> None:
        self._session = session
        self._layer: Any = None
        self._mode = "replace"
        self._all_planes = False
        self._take_later = self._take if defer is None else defer(self._take, 0)

    @property
    def drawing(self) -> bool:
        """Whether an outline is waited for."""
        return self._layer is not None

    def start(
        self,
        outline: Outline = "lasso",
        mode: str = "replace",
        all_planes: bool = False,
    ) -> None:
        """Wait for an outline.

        Parameters
        ----------
        outline : str
            ``"lasso"``, ``"polygon"`` or ``"rectangle"``.
        mode : str
            See `Session.select_region`.
        all_planes : bool
            Select through the whole depth; else the slab that is shown.

        Raises
        ------
        StateError
            When the viewer does not show y against x.
        """
        viewer, session = self._session.viewer, self._session
        session.check_open()
        if viewer is None or session.viewing is None:
            raise StateError("the session has no viewer to draw in")
        if tuple(viewer.dims.displayed) != _flat(viewer):
            raise StateError(
                "the viewer does not show y against x",
                hint="Leave 3-D and put the axes back to draw on the image",
            )
        self.cancel()
        self._mode, self._all_planes = mode, all_planes
        overlay = session.viewing.overlay
        layer = viewer.add_shapes(
            ndim=3,
            name="Select spots",
            scale=session.dataset.voxel_size,
            translate=overlay.world((0.0, 0.0, 0.0)),
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
            face_color="transparent",
            edge_color="magenta",  # seen on a dark image and on a white canvas
            edge_width=2 * viewer.scene.camera.zoom**-1 / session.dataset.voxel_size[2],
        )
        session.viewing.borrowed.append(layer)
        layer.mode = _MODES[outline]
        viewer.layers.selection.active = layer
        layer.events.data.connect(self._on_data)
        self._layer = layer

    def cancel(self) -> None:
        """Wait no more; the layer goes."""
        layer, self._layer = self._layer, None
        viewer, viewing = self._session.viewer, self._session.viewing
        if layer is None:
            return
        layer.events.data.disconnect(self._on_data)
        if viewer is None or layer not in viewer.layers:
            return
        layer.mode = "pan_zoom"
        viewing.borrowed.remove(layer)
        viewer.layers.remove(layer)
        if viewing.overlay.points in viewer.layers:
            viewer.layers.selection.active = viewing.overlay.points

    def _on_data(self, event: Any) -> None:
        # napari tells of a shape when it is begun, too, by another action.
        if str(getattr(event.action, "value", event.action)) == "added":
            self._take_later()

    def _take(self) -> None:
        """Select what lies inside the outline."""
        layer, session = self._layer, self._session
        if layer is None or not len(layer.data):
            return
        vertices = np.asarray(layer.data[-1], np.float64)[:, -3:]
        self.cancel()
        if session.is_closed:
            return
        z, half = float(vertices[0, 0]), session.view.slab_planes + 0.5
        planes = None if self._all_planes else (z - half, z + half)
        try:
            count = session.select_region(vertices[:, 1:], planes, self._mode)
        except SeeSpotError as error:
            self.failed.emit(error)
            return
        self.selected.emit(count)


def _flat(viewer: Any) -> tuple[int, int]:
    """Return y and x among the viewer's axes."""
    return (viewer.dims.ndim - 2, viewer.dims.ndim - 1)
