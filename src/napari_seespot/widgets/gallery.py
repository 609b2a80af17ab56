"""The *Gallery* dock: the selection, or a sample of it, as strips of crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, Label, PushButton, SpinBox
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QFileDialog

from napari_seespot.errors import SeeSpotError
from napari_seespot.gallery import ORDERS, mosaic, ordered, place_in_mosaic, strips
from napari_seespot.plots._qt import pg
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    import napari.viewer

    from napari_seespot.dataset import Dataset
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["GalleryWidget"]

_SOURCES = ("selected spots", "spots that pass")


@dataclass(frozen=True, eq=False)
class _Wall:
    """The strips that are shown."""

    rows: np.ndarray
    pixels: np.ndarray
    channels: list[str]


class GalleryWidget(SessionDock):
    """Crops of many spots; a click goes to the spot.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.wall: _Wall | None = None
        self.which = ComboBox(
            choices=[*_SOURCES], tooltip="Where the spots are drawn from, at random"
        )
        self.order = ComboBox(choices=[*ORDERS], tooltip="What comes first")
        self.number = SpinBox(value=64, min=1, max=1000, tooltip="How many spots")
        self.radius = SpinBox(
            value=8, min=3, max=32, tooltip="Voxels to either side of a spot"
        )
        self.load = PushButton(text="Show", tooltip="Read the crops")
        self.save = PushButton(text="Export …", tooltip="The picture as PNG")
        self.text = Label(value="")
        self.columns = 1
        self.picture = pg.ImageItem(axisOrder="row-major")
        self.canvas = pg.GraphicsLayoutWidget()
        self._box = self.canvas.addViewBox(
            enableMenu=False, lockAspect=True, invertY=True
        )
        self._box.addItem(self.picture)
        self._worker = Worker("seespot-gallery")
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        self.native.destroyed.connect(self._worker.close)
        self.follow()

    def _lay_out(self) -> None:
        rows: list[Container[Any]] = [
            Container(widgets=widgets, layout="horizontal", labels=False)
            for widgets in (
                [self.which, self.order],
                [self.number, self.radius, self.load, self.save],
            )
        ]
        for row in rows:
            row.margins = (0, 0, 0, 0)
        self._body.extend([*rows, self.text])
        self.text.native.setWordWrap(True)
        self.canvas.setMinimumHeight(240)
        self._body.native.layout().addWidget(self.canvas, 1)
        self.add_scrolled(self._body)
        self._body.visible = False
        self.load.changed.connect(self.show_spots)
        self.order.changed.connect(self.show_spots)
        self.save.changed.connect(self._ask_export)
        self.canvas.scene().sigMouseClicked.connect(self._on_click)

    # --- the session

    def _attach(self, session: Session) -> None:
        self._body.visible = True
        self._clear("Choose spots and press Show.")

    def _detach(self) -> None:
        self._worker.cancel()
        self._clear("")
        self._body.visible = False

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        """Wait for *Show*: a gallery reads pixels, which is slow."""

    def _clear(self, text: str) -> None:
        self.wall = None
        self.picture.clear()
        self.text.value = text

    # --- reading

    def show_spots(self, *_: Any) -> None:
        """Draw spots, read their crops and show them."""
        session = self._session
        if session is None:
            return
        view = session.view
        where = view.selected if self.which.value == _SOURCES[0] else view.where
        if where is None and self.which.value == _SOURCES[0]:
            self._clear("Nothing is selected: draw a lasso, or take spots that pass.")
            return
        dataset, by = session.dataset, str(self.order.value)
        count, radius = int(self.number.value), int(self.radius.value)

        def read(job: Job) -> _Wall:
            rows = dataset.spots.sample_rows(count, by=None, where=where)
            rows = ordered(dataset, rows, by)
            pixels, channels = strips(
                dataset, rows, radius, progress=job.progress, cancelled=job.cancelled
            )
            return _Wall(rows, pixels, channels)

        self.text.value = "Reading …"
        self._worker.submit(
            read, done=self._show, failed=self._show_error, progress=self._show_progress
        )

    def _show_progress(self, _share: float, text: str) -> None:
        self.text.value = f"Reading {text} …"

    def _show_error(self, error: Exception) -> None:
        if not isinstance(error, SeeSpotError):
            raise error
        self._clear(str(error))

    def _show(self, wall: _Wall) -> None:
        session = self._session
        if session is None:
            return
        self.wall = wall
        self.columns = self._fitting_columns(wall)
        self.picture.setImage(self._mosaic(session.dataset, wall), levels=(0, 255))
        self._box.autoRange(padding=0.01)
        names = ", ".join(session.dataset.label(channel) for channel in wall.channels)
        noun = "spot" if len(wall.rows) == 1 else "spots"
        self.text.value = f"{len(wall.rows):,} {noun}; each {names}. Click to go there."

    def _mosaic(self, dataset: Dataset, wall: _Wall) -> np.ndarray:
        limits = [
            dataset.images[c].contrast_limits or (0, 65535) for c in wall.channels
        ]
        return mosaic(wall.pixels, limits, self.columns)

    def _fitting_columns(self, wall: _Wall) -> int:
        """Return how many strips in a row give a picture of the canvas's shape."""
        n, n_channels, *_ = wall.pixels.shape
        aspect = self.canvas.width() / max(self.canvas.height(), 1)
        return max(1, round(float(np.sqrt(n * aspect / n_channels))))

    # --- what the user does

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        place = self._box.mapSceneToView(event.scenePos())
        self.go_to_place(place.y(), place.x())

    def go_to_place(self, y: float, x: float) -> None:
        """Fly to the spot whose strip lies under a pixel of the picture."""
        wall, session = self.wall, self._session
        if wall is None or session is None:
            return
        n, n_channels, size, _ = wall.pixels.shape
        place = place_in_mosaic(y, x, n, n_channels, size, self.columns)
        if place is not None:
            try:
                session.go_to_row(int(wall.rows[place]), wall.rows[place + 1 :])
            except SeeSpotError as error:
                self.text.value = str(error)

    def _ask_export(self, *_: Any) -> None:
        text, _filter = QFileDialog.getSaveFileName(
            self.native, "Export the gallery", "gallery.png", "PNG (*.png)"
        )
        if text:
            self.export(Path(text))

    def export(self, path: Path) -> None:
        """Write the picture to a PNG file, a pixel a voxel."""
        if self.wall is None or self._session is None:
            return
        picture = np.ascontiguousarray(self._mosaic(self._session.dataset, self.wall))
        height, width = picture.shape
        form = QImage.Format.Format_Grayscale8
        image = QImage(picture.tobytes(), width, height, width, form)
        if not image.save(str(path), "PNG"):
            self.text.value = f"{path}: the picture cannot be written."
