"""The *Gallery* dock: the selection, or a sample of it, as strips of crops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, Label, PushButton, SpinBox
from qtpy.QtWidgets import QFileDialog

from napari_seespot.coloring import class_colors
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.gallery import ORDERS, Strips, WallLayout, mosaic, ordered, strips
from napari_seespot.plots._qt import pg
from napari_seespot.plots.strips import StripView, StripWall, WallPicture, wall_image
from napari_seespot.spots import STATUSES
from napari_seespot.widgets._defer import once
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._evidence_text import spot_tip
from napari_seespot.widgets._layer_limits import (
    LayerLimits,
    drop_limits,
    image_limits,
)
from napari_seespot.widgets._rows import row_of
from napari_seespot.widgets._theme import plot_theme
from napari_seespot.widgets._worker import Worker
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_seespot.dataset import Dataset
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["GalleryWidget"]

_SELECTED, _PASSING, _RANDOM = SOURCES = (
    "selected spots",
    "spots that pass",
    "random spots that pass",
)
_REST_MS = 30  # between two pictures while a contrast or the dock's edge is dragged
_READABLE = 1.5  # pixels of the screen a voxel; what needs smaller ones is scrolled


@dataclass(frozen=True, eq=False)
class _Shown:
    """The strips that are shown, and what they were chosen from."""

    dataset: Dataset
    radius: int
    strips: Strips
    limits: dict[str, tuple[float, float]]
    total: int
    source: str
    order: str
    descending: bool


class GalleryWidget(SessionDock):
    """Crops of many spots; a click goes to the spot.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    wall : Strips or None
        What is shown, in the order in which it is shown.
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._shown: _Shown | None = None
        self.columns = 1
        self._make_widgets()
        self.picture = StripWall(self._tip)
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.box = StripView()
        self.canvas.addItem(self.box)
        self.box.addItem(self.picture)
        self._worker = Worker("seespot-gallery")
        self._redraw = once(self._draw, _REST_MS)
        self._refit = once(self._fit, _REST_MS)
        self._limits = LayerLimits(self._redraw)
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        self._connect()
        self.native.destroyed.connect(self._worker.close)
        self.native.destroyed.connect(partial(drop_limits, self._limits))
        self.follow()

    def _make_widgets(self) -> None:
        self.which = ComboBox(
            choices=[*SOURCES],
            tooltip="The first of these in the order below; of random ones, all that "
            "were drawn",
        )
        self.order = ComboBox(choices=[*ORDERS], tooltip="What comes first")
        self.descending = CheckBox(
            text="Largest first", tooltip="Otherwise the smallest comes first"
        )
        self.number = SpinBox(value=64, min=1, max=1000, tooltip="How many spots")
        self.radius = SpinBox(
            value=8, min=3, max=32, tooltip="Voxels to either side of a spot"
        )
        self.seed = SpinBox(
            value=0, min=0, max=999_999, tooltip="The same seed draws the same spots"
        )
        self.load = PushButton(text="Show", tooltip="Read the crops")
        self.save = PushButton(
            text="Export …", tooltip="The picture, with channels and frames, as PNG"
        )
        self.scale = SpinBox(
            value=4, min=1, max=16, tooltip="Pixels a voxel of the exported picture"
        )
        self.text = Label(value="")

    def _lay_out(self) -> None:
        self._seed_row = row_of(Label(value="seed"), self.seed)
        self._body.extend(
            [
                self.which,
                self._seed_row,
                row_of(self.order, self.descending),
                row_of(Label(value="n"), self.number, Label(value="±"), self.radius),
                self.load,
                self.text,
                row_of(self.save, self.scale, Label(value="px a voxel")),
            ]
        )
        wrap(self.text)
        self.canvas.setMinimumHeight(240)
        self.canvas.setMinimumWidth(120)
        layout = self._body.native.layout()
        layout.insertWidget(layout.count() - 1, self.canvas, 1)
        self.add_scrolled(self._body)
        self._body.visible = False
        self._seed_row.visible = False

    def _connect(self) -> None:
        self.load.changed.connect(self.show_spots)
        self.order.changed.connect(self._on_order)
        self.descending.changed.connect(self._on_order)
        self.which.changed.connect(self._on_which)
        self.save.changed.connect(self._ask_export)
        self.picture.clicked.connect(self.go_to_strip)
        self.box.sigResized.connect(lambda *_: self._refit())
        theme = getattr(getattr(self._viewer, "events", None), "theme", None)
        if theme is not None:
            theme.connect(self._on_theme)  # napari refers to it weakly
        self._on_theme()

    def _on_theme(self, _event: Any = None) -> None:
        self.canvas.setBackground(plot_theme(self._viewer).background)

    @property
    def wall(self) -> Strips | None:
        """What is shown."""
        return None if self._shown is None else self._shown.strips

    # --- the session

    def _attach(self, session: Session) -> None:
        self._body.visible = True
        self._limits.follow(session)
        self._clear("Choose spots and press Show.")
        self._on_which()

    def _detach(self) -> None:
        self._worker.cancel()
        self._limits.drop()
        self._clear("")
        self._body.visible = False

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        """Wait for *Show*: a gallery reads pixels, which is slow."""

    def _clear(self, text: str) -> None:
        self._shown = None
        self.picture.show_picture(None)
        self.text.value = text

    def _on_which(self, *_: Any) -> None:
        self._seed_row.visible = self.which.value == _RANDOM

    def _on_order(self, *_: Any) -> None:
        if self._shown is not None:
            self.show_spots()

    # --- reading

    def show_spots(self, *_: Any) -> None:
        """Choose spots, read those crops that are not shown yet, and show all."""
        session = self._session
        if session is None:
            return
        source = str(self.which.value)
        if source == _SELECTED and session.view.selected is None:
            self._clear("Nothing is selected: draw a lasso, or take spots that pass.")
            return
        dataset, radius = session.dataset, int(self.radius.value)
        order, descending = str(self.order.value), bool(self.descending.value)
        choose = self._chooser(session, source, order, descending)
        before = self._shown
        if before is not None and before.dataset is dataset and before.radius == radius:
            known = before.strips
        else:
            known = None

        def read(job: Job) -> _Shown:
            rows, total = choose()
            job.check()
            found = strips(
                dataset,
                rows,
                radius,
                known=known,
                progress=job.progress,
                cancelled=job.cancelled,
            )
            limits = image_limits(dataset, found.channels)
            return _Shown(
                dataset, radius, found, limits, total, source, order, descending
            )

        self.text.value = "Reading …"
        self._worker.submit(
            read, done=self._show, failed=self._show_error, progress=self._show_progress
        )

    def _chooser(
        self, session: Session, source: str, order: str, descending: bool
    ) -> Callable[[], tuple[np.ndarray, int]]:
        """Return what chooses the rows, and counts those they are chosen from.

        For the worker: masks of all rows are slow the first time.
        """
        dataset, view = session.dataset, session.view
        count, seed = int(self.number.value), int(self.seed.value)

        def choose() -> tuple[np.ndarray, int]:
            where = view.selected if source == _SELECTED else view.where
            total = len(dataset.spots) if where is None else np.count_nonzero(where)
            if source == _RANDOM:
                rows = dataset.spots.sample_rows(count, by=None, seed=seed, where=where)
            elif where is None:
                rows = np.arange(total)
            else:
                rows = np.flatnonzero(where)
            first = ordered(dataset, rows, order, descending=descending, n=count)
            return first, int(total)

        return choose

    def _show_progress(self, _share: float, text: str) -> None:
        self.text.value = f"Reading {text} …"

    def _show_error(self, error: Exception) -> None:
        self._clear(str(error) or type(error).__name__)
        if not isinstance(error, SeeSpotError):
            raise error

    def _show(self, shown: _Shown) -> None:
        if self._session is None:
            return
        self._shown = shown
        self.text.value = self._told(shown)
        self._fit()

    def _told(self, shown: _Shown) -> str:
        wall, dataset = shown.strips, shown.dataset
        n = len(wall.rows)
        several = "" if shown.total == 1 else "s"
        what = f"{n:,} of {shown.total:,} spot{several}"
        if shown.source == _SELECTED:
            what += " selected"
        if shown.order != ORDERS[0]:
            end = "largest" if shown.descending else "smallest"
            what += f", {end} {shown.order} first"
        colors = class_colors("status", ())
        frames = " ".join(
            f'<font color="{color}">▢</font>&nbsp;{status}'
            for status, color in colors.items()
        )
        lines = [f"{what}. Click to go there; Ctrl + wheel zooms.", frames]
        lost = int(np.isnan(_positions(dataset, wall.rows)).any(axis=1).sum())
        if lost:
            lines.append(f"{lost:,} without a position: black.")
        lines += [
            f"Channel&nbsp;{name}: {why}; crossed out."
            if name in wall.channels
            else f"Channel&nbsp;{name}: {why}"
            for name, why in wall.problems.items()
        ]
        return "<br>".join(lines)

    # --- the picture

    def _fit(self) -> None:
        """Arrange the strips for the size of the canvas, and look at the first."""
        if self._session is None or self._shown is None:
            return
        whole = self._choose_columns(self._shown.strips)
        self._draw()
        if whole or self.picture.picture is None:
            self.box.autoRange(padding=0)
        else:
            self.box.begin_at_top(self.picture.picture)

    def _draw(self) -> None:
        if self._session is not None and self._shown is not None:
            self.picture.set_font(self.canvas.font())
            self.picture.show_picture(self._picture(self._shown))

    def _picture(self, shown: _Shown) -> WallPicture:
        wall, dataset = shown.strips, shown.dataset
        layout = self._layout_of(wall)
        limits = [self._limits.of(c) or shown.limits[c] for c in wall.channels]
        spots = dataset.spots
        colors = class_colors("status", ())
        status = spots.class_of_code("status")[spots.code[wall.rows]]
        return WallPicture(
            layout,
            mosaic(wall.pixels, limits, layout),
            [colors[STATUSES[code]] for code in status],
            [dataset.label(channel).replace(" · ", "\n") for channel in wall.channels],
            wall.unread,
        )

    def _layout_of(self, wall: Strips) -> WallLayout:
        n, n_channels, size, _ = wall.pixels.shape
        return WallLayout(n, n_channels, size, self.columns)

    def _choose_columns(self, wall: Strips) -> bool:
        """Choose how many strips stand in a row; return whether all can be seen."""
        width, height = self.canvas.width(), max(self.canvas.height(), 1)
        n, n_channels, *_ = wall.pixels.shape
        self.columns = max(1, round(float(np.sqrt(n * width / height / n_channels))))
        high, wide = self._layout_of(wall).shape
        if min(width / wide, height / high) >= _READABLE:
            return True
        _, step = self._layout_of(wall).step
        self.columns = max(1, int(width / (_READABLE * step)))
        return False

    def _tip(self, place: int, channel: int) -> str:
        shown = self._shown
        if shown is None:
            return ""
        row, dataset = int(shown.strips.rows[place]), shown.dataset
        record = dataset.spots.to_pandas(rows=np.array([row])).iloc[0].to_dict()
        measures = [
            f"{name} {record[name]:.3f}" for name in ("r", "dist") if name in record
        ]
        name = shown.strips.channels[channel]
        lines = [spot_tip(record), ", ".join(measures), dataset.label(name)]
        if shown.strips.unread[place, channel]:
            lines[-1] += ": could not be read"
        return "\n".join(lines)

    # --- what the user does

    def go_to_strip(self, place: int) -> None:
        """Fly to the spot of a strip."""
        wall, session = self.wall, self._session
        if wall is None or session is None:
            return
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
        """Write the picture, with channels, frames and crosses, to a PNG file."""
        if self._shown is None or self._session is None:
            return
        picture = self._picture(self._shown)
        try:
            image = wall_image(picture, int(self.scale.value), self.canvas.font())
            if not image.save(str(path), "PNG"):
                raise StateError(f"{path}: the picture cannot be written")
        except SeeSpotError as error:
            self.text.value = str(error)


def _positions(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    return np.stack([dataset.spots.column(axis)[rows] for axis in "zyx"], axis=1)
