"""A click on the image marks the spot there, whichever picture of the spots is shown.

It is the viewer that listens, not a layer: a click is meant for what is seen under the
pointer, whichever layer is active. Only while a layer is being drawn on, and over a
segmentation, where clicks select cells, does it do nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.clicks import CLICK_PIXELS, ClickListener
from napari_seespot.index import Box
from napari_seespot.points_pool import CANVAS_SIZES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.session import Session
    from napari_seespot.sight import Sight

__all__ = ["SpotPicker", "spot_at"]


class SpotPicker(ClickListener):
    """Listens for clicks on spots.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    session : Session
        Shown in that viewer; its `picked` tells which row it was.

    Attributes
    ----------
    others : list of callable
        Whatever else can be clicked on, asked one after the other where no point of
        a spot is: called with the place in the world, each returns whether the click
        was meant for it. They come before the picture of all spots, in which there is
        hardly a place without one.
    """

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__(viewer)
        self._session = session
        self.others: list[Callable[[tuple[float, ...]], bool]] = []

    def close(self) -> None:
        """Listen no more."""
        self.others.clear()
        super().close()

    def _wants(self, active: Any) -> bool:
        return _idle(active)

    def _click(self, event: Any) -> None:
        session = self._session
        if session.is_closed:
            return
        row = spot_at(session, event)
        drawn = session.viewing.overlay.shown.picture == "points"
        if row is None or not drawn:
            position = tuple(float(value) for value in event.position)
            if any(takes(position) for takes in list(self.others)):
                return
        if row is not None:
            session.viewing.overlay.mark(row)
            session.picked.emit(row)


def _idle(layer: Any) -> bool:
    """Return whether a click does nothing to the active layer."""
    if layer is None:
        return True
    return str(layer.mode) == "pan_zoom" and not hasattr(layer, "selected_label")


def spot_at(session: Session, event: Any) -> int | None:
    """Return the row of the spot under the pointer, or within a few pixels of it.

    Parameters
    ----------
    session : Session
        One with a viewer.
    event : napari's mouse event

    Returns
    -------
    int or None
        Of the spots that are drawn: in the picture of all spots, of all in view.
    """
    overlay = session.viewing.overlay
    picture, sight = overlay.shown.picture, overlay.sight
    layer = overlay.points if picture == "points" else overlay.raster
    if picture == "nothing" or sight is None or not layer.visible:
        return None
    if not sight.flat:
        place = overlay.points.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        row: int | None = overlay.row_at(place)
        return row
    return _nearest(session, sight, np.array(overlay.voxel(event.position[-3:])))


def _nearest(session: Session, sight: Sight, place: np.ndarray) -> int | None:
    """Return the drawn spot that is nearest in the plane to a place in voxels."""
    overlay, view = session.viewing.overlay, session.view
    um = np.array(session.dataset.voxel_size)
    smallest, largest = CANVAS_SIZES
    radius = np.clip(view.point_size_um / sight.pixel_um, smallest, largest) / 2
    reach_um = max(CLICK_PIXELS, radius) * sight.pixel_um
    low, high = (ends.astype(float) for ends in sight.box(view.slab_planes).ends)
    axes = list(sight.displayed)
    low[axes], high[axes] = (place - reach_um / um)[axes], (place + reach_um / um)[axes]
    rows = session.index.rows_in(_box(low, high), view.mask.codes)
    rows = view.mask.passing(rows)
    if overlay.shown.picture == "points":
        rows = rows[np.isin(rows, overlay.drawn_rows)]
    places = [session.dataset.spots.column("zyx"[axis])[rows] for axis in axes]
    far = (((np.stack(places, axis=1) - place[axes]) * um[axes]) ** 2).sum(axis=1)
    if not len(far) or far.min() > reach_um**2:
        return None
    return int(rows[far.argmin()])


def _box(low: np.ndarray, high: np.ndarray) -> Box:
    (z0, y0, x0), (z1, y1, x1) = low.tolist(), high.tolist()
    return Box((z0, y0, x0), (z1, y1, x1))
