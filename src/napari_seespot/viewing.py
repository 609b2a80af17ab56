"""A dataset in a viewer: images, spots, docks, and what ties them together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_seespot import sessions
from napari_seespot.cell_picking import CellPicker
from napari_seespot.image_layers import ImageLayers
from napari_seespot.keys import offer_keys
from napari_seespot.overlay import SpotOverlay
from napari_seespot.spot_picking import SpotPicker
from napari_seespot.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.images import ChannelImage
    from napari_seespot.overlay import Defer
    from napari_seespot.session import Session

__all__ = [
    "PLUGIN",
    "Viewing",
    "raise_dock",
    "show_session",
    "tell",
]

PLUGIN = "napari-seespot"
_DOCKS = ("Spots", "Channel pairs")


def show_session(
    viewer: Any,
    session: Session,
    images: Sequence[ChannelImage],
    *,
    docks: bool = True,
    defer: Defer | None = None,
) -> Viewing:
    """Show an opened session; quick, for the viewer's own thread.

    In a window, the first channel and the spots come at once; the other channels
    and the docks follow, one at each turn of the event loop (`Viewing.finish` has
    them come now).

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        The session that it shows is closed.
    session : Session
    images : sequence of ChannelImage
        What `open_images` opened.
    docks : bool
        Whether to open the docks, where the viewer has a window.
    defer : callable, optional
        How a window puts updates off; see `SpotOverlay`.
    """
    viewer = sessions.unwrap(viewer)
    sessions.attach(viewer, None)
    try:
        viewing = Viewing(viewer, session, images, defer)
    except BaseException:  # whatever it is: nothing half-open stays
        session.close()
        raise
    sessions.attach(viewer, session)
    if docks and hasattr(viewer, "window"):
        viewing.open_docks()
    return viewing


@dataclass(frozen=True)
class Place:
    """Where a viewer looks at: planes and camera."""

    point: tuple[float, ...]
    center: tuple[float, ...]
    zoom: float


class Viewing:
    """What a session has put into a viewer; it all goes when the session ends.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    session : Session
    images : sequence of ChannelImage
    defer : callable, optional
        See `SpotOverlay`.
    """

    def __init__(
        self,
        viewer: Any,
        session: Session,
        images: Sequence[ChannelImage],
        defer: Defer | None = None,
    ) -> None:
        self.viewer = viewer
        self.session = session
        session.viewer = viewer
        session.viewing = self
        self.overlay: Any = None
        self.images: Any = None
        self._cells: CellPicker | None = None
        self.picker: Any = None
        self.borrowed: list[Any] = []
        self._window_is_gone = False
        self.turns = Turns()
        session.closed.connect(self._close)
        first = len(viewer.layers) == 0
        self.images = ImageLayers(viewer, defer)
        for image in images[:1]:  # it tells the viewer how large the world is
            self.images.add(image)
        self.overlay = SpotOverlay(viewer, session, defer)
        session.moved.connect(self._fly)
        session.returned.connect(self._return)
        session.dock_wanted.connect(self._raise_dock)
        offer_keys()
        self._cells = CellPicker(viewer, session)
        self.picker = SpotPicker(viewer, session)
        if hasattr(viewer, "window"):
            # napari tells nobody that a window was closed; its menu bar is public.
            window = viewer.window.main_menu.window()
            window.destroyed.connect(self._on_window_gone)
        # So that napari's status bar tells about the spot under the pointer.
        viewer.layers.selection.active = self.overlay.points
        if first:
            self._start_view()
        self.turns = Turns(defer)
        self.turns.add(*(partial(self.images.add, image) for image in images[1:]))

    def open_docks(self) -> None:
        """Open the docks that belong to every session, where they are closed."""
        self.turns.add(*(partial(self._open_dock, name) for name in _DOCKS))

    def _open_dock(self, name: str) -> None:
        window = self.viewer.window
        if f"{name} ({PLUGIN})" not in window.dock_widgets:
            window.add_plugin_dock_widget(PLUGIN, name, tabify=False)

    def _raise_dock(self, name: str) -> None:
        raise_dock(self.viewer, name)

    def finish(self) -> None:
        """Add now the channels and docks that are still to come."""
        self.turns.finish()

    def _start_view(self) -> None:
        """Look at the middle plane, the whole of it in the window."""
        self.viewer.reset_view()
        self.overlay.update()

    def _fly(self, row: int) -> None:
        """Centre the viewer on a spot, and mark it."""
        self.fly_to(self.session.position(row))
        self.overlay.mark(row)

    def fly_to(self, position: tuple[float, float, float]) -> None:
        """Centre the viewer on a place, at its plane, and keep the zoom.

        Parameters
        ----------
        position : tuple of float
            (z, y, x) in voxels of level 0.
        """
        self.session.remember_place(self._place())
        place = self.overlay.world(position)
        viewer = self.viewer
        offset = viewer.dims.ndim - 3
        point = list(viewer.dims.point)
        point[offset:] = place
        viewer.dims.point = point
        center = [place[axis - offset] for axis in viewer.dims.displayed]
        # In 2-D napari's camera has three numbers too; the first is not used.
        viewer.scene.camera.center = (0.0,) * (3 - len(center)) + tuple(center)

    def _place(self) -> Place:
        camera = self.viewer.scene.camera
        return Place(
            tuple(map(float, self.viewer.dims.point)),
            tuple(map(float, camera.center)),
            float(camera.zoom),
        )

    def _return(self, place: Place) -> None:
        """Look again at what was looked at before a flight."""
        if len(place.point) == self.viewer.dims.ndim:
            self.viewer.dims.point = place.point
        self.viewer.scene.camera.center = place.center
        self.viewer.scene.camera.zoom = place.zoom

    def _on_window_gone(self, *_: Any) -> None:
        """End with the window; its viewer has nothing left to draw on."""
        self._window_is_gone = True
        self.session.close()

    def _close(self) -> None:
        self.session.moved.disconnect(self._fly, missing_ok=True)
        self.session.returned.disconnect(self._return, missing_ok=True)
        self.session.dock_wanted.disconnect(self._raise_dock, missing_ok=True)
        if self._cells is not None:
            self._cells.close()
        if self.picker is not None:
            self.picker.close()
        self.turns.clear()
        sessions.forget(self.viewer, self.session)
        if self.overlay is not None:
            self.overlay.close(window_is_gone=self._window_is_gone)
        if self.images is not None:
            self.images.close()
        if not self._window_is_gone:
            self._remove_layers()

    def _remove_layers(self) -> None:
        overlays = () if self.overlay is None else self.overlay.layers
        images = () if self.images is None else self.images.layers
        ours = {id(layer) for layer in (*images, *overlays, *self.borrowed)}
        others = [layer for layer in self.viewer.layers if id(layer) not in ours]
        place, order = self._place(), self.viewer.dims.order
        # All at once: napari 0.9 crashes at the next paint when two points
        # layers are removed one after the other.
        self.viewer.layers.clear()
        self.viewer.layers.extend(others)
        if others:  # napari has forgotten it when there were no layers
            if self.viewer.dims.ndim == len(order):
                self.viewer.dims.order = order
            self._return(place)


def raise_dock(viewer: Any, name: str) -> None:
    """Show a dock of this plugin in front; open it where it is closed.

    Parameters
    ----------
    viewer : napari.Viewer
        Nothing happens where it has no window.
    name : str
        As in napari's menu.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return
    # The one that is there is returned; napari opens no dock twice.
    dock, _widget = window.add_plugin_dock_widget(PLUGIN, name, tabify=False)
    if hasattr(dock, "raise_"):
        dock.show()
        dock.raise_()


def tell(messages: Sequence[str]) -> None:
    """Show what a user should know, each as a notification of napari."""
    from napari.utils.notifications import show_info

    for message in messages:
        show_info(message)
