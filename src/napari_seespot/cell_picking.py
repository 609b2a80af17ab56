"""A click on a cell of a segmentation selects the cell's spots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_seespot.clicks import ClickListener
from napari_seespot.errors import SeeSpotError
from napari_seespot.gates import select_mode

if TYPE_CHECKING:
    from napari_seespot.gates import SelectMode
    from napari_seespot.session import Session

__all__ = ["CellPicker", "cell_at"]


class CellPicker(ClickListener):
    """Listens for clicks while a segmentation of the session is the active layer.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    session : Session
        Shown in that viewer; its `cell_picked` tells which cell it was.
    """

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__(viewer)
        self._session = session

    def _click(self, event: Any) -> None:
        layer = self._viewer.layers.selection.active
        cell = cell_at(layer, event)
        if cell:
            adds, takes = "Shift" in event.modifiers, "Alt" in event.modifiers
            self.pick(cell, select_mode(adds, takes))

    def pick(self, cell: int, mode: SelectMode = "replace") -> None:
        """Select the spots of a cell; tell of an error in napari."""
        try:
            self._session.select_cells([cell], mode)
        except SeeSpotError as error:
            from napari.utils.notifications import show_error

            show_error(str(error))
            return
        self._session.cell_picked.emit(cell)

    def _wants(self, active: Any) -> bool:
        images = self._session.viewing.images
        return active is not None and any(
            image.kind == "labels" and images.layer_of(image) is active
            for image in images.screen.images
        )


def cell_at(layer: Any, event: Any) -> int:
    """Return the cell under a click, as it is shown; 0 where there is none."""
    value = layer.get_value(
        event.position,
        view_direction=event.view_direction,
        dims_displayed=event.dims_displayed,
        world=True,
    )
    if layer.multiscale and value is not None:
        value = value[1]  # the level is the other part
    return int(value or 0)
