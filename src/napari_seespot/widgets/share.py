"""The *Share* dock: sessions as files and scripts, views as Neuroglancer links."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, Label, LineEdit, PushButton
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_seespot.errors import CancelledError, SeeSpotError, StateError
from napari_seespot.neuroglancer import (
    LONGEST_LINK,
    ChannelLook,
    link,
    position_of,
    state_of,
    viewer_state,
)
from napari_seespot.recent import without_credentials
from napari_seespot.restoring import load_session
from napari_seespot.scripting import script_of
from napari_seespot.server_links import server_link
from napari_seespot.session import Session
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._opening import opening_of
from napari_seespot.widgets._source_dialog import SourceDialog
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_seespot.resolve import View
    from napari_seespot.server_links import ServerLink

__all__ = ["ShareWidget"]

_WHAT = ("the current view", "the marked spot", "the selected spots")


class ShareWidget(SessionDock):
    """Saves and opens sessions; makes and reads Neuroglancer links.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._row: int | None = None
        self._loaded: tuple[Path, str] | None = None
        self.dialog: SourceDialog | None = None
        self.save = PushButton(
            text="Save session …",
            tooltip="Where the data are, and how they are seen",
        )
        self.load = PushButton(
            text="Open session …", tooltip="Open the dataset of a saved session"
        )
        self.script = PushButton(
            text="Copy as script", tooltip="The lines of Python that bring this about"
        )
        self.what = ComboBox(choices=[*_WHAT], tooltip="What the link shows")
        self.by_server = CheckBox(
            text="Made by the SeeSpot server",
            tooltip="The server puts the marks into a view of its own; without, the "
            "link is made here, with these colours and this contrast",
        )
        self.copy_link = PushButton(text="Copy link", tooltip="To the clipboard")
        self.browse = PushButton(text="Open in browser", tooltip="Shows the link")
        self.pasted = LineEdit(
            tooltip="Paste a Neuroglancer link and press Go: the viewer flies there"
        )
        self.go = PushButton(
            text="Go to link", tooltip="Fly to the place that the pasted link looks at"
        )
        self.text = Label(value="")
        self._worker = Worker("seespot-link")
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        self._connect()
        self.native.destroyed.connect(self._worker.close)
        self.follow()

    def _lay_out(self) -> None:
        links: Container[Any] = Container(
            widgets=[self.copy_link, self.browse], layout="horizontal", labels=False
        )
        links.margins = (0, 0, 0, 0)
        self._needing: list[Any] = [
            self.save,
            self.script,
            Label(value="<b>Neuroglancer</b>"),
            self.what,
            self.by_server,
            links,
            self.pasted,
            self.go,
        ]
        self.text.native.setWordWrap(True)
        self.pasted.native.setPlaceholderText("Paste a Neuroglancer link")
        self._body.extend([self.load, *self._needing, self.text])
        self._body.native.layout().addStretch(1)
        self.add_scrolled(self._body)
        self._show_needing(False)

    def _connect(self) -> None:
        self.save.changed.connect(self._ask_save)
        self.load.changed.connect(self._ask_load)
        self.script.changed.connect(self._copy_script)
        self.copy_link.changed.connect(self._copy_link)
        self.browse.changed.connect(self._browse)
        self.go.changed.connect(self._go)

    def _show_needing(self, shown: bool) -> None:
        for widget in self._needing:
            widget.visible = shown

    # --- the session

    def _attach(self, session: Session) -> None:
        self.listen(session.moved, self._mark)
        self.listen(session.picked, self._mark)
        self._show_needing(True)
        self.by_server.visible = session.dataset.server is not None
        self.by_server.value = False

    def _detach(self) -> None:
        self._worker.cancel()
        self._row = None
        self._show_needing(False)

    def _mark(self, row: int) -> None:
        self._row = row

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        """Nothing here follows the view."""

    def _report(self, error: SeeSpotError) -> None:
        from napari.utils.notifications import show_error

        self.text.value = str(error)
        show_error(str(error))

    # --- sessions

    def _ask_save(self, *_: Any) -> None:
        name, _filter = QFileDialog.getSaveFileName(
            self.native, "Save the session", "session.json", "Sessions (*.json)"
        )
        if name:
            self.save_to(Path(name))

    def save_to(self, path: Path) -> None:
        """Write the session to a file."""
        if self._session is None:
            return
        try:
            self.text.value = f"Saved to {self._session.save(path)}."
        except SeeSpotError as error:
            self._report(error)

    def _ask_load(self, *_: Any) -> None:
        name, _filter = QFileDialog.getOpenFileName(
            self.native, "Open a session", "", "Sessions (*.json)"
        )
        if name:
            self.load_from(Path(name))

    def load_from(self, path: Path, source: str | None = None) -> None:
        """Open the dataset of a saved session, and look at it as it was.

        Parameters
        ----------
        path : Path
        source : str, optional
            Where the dataset is now; by default where it was.
        """
        try:
            saved = load_session(path)
        except SeeSpotError as error:
            self._report(error)
            return
        where = source or saved.source
        if where is None:
            self._ask_source(path, "")
            return
        opening = opening_of(self._viewer)
        opening.open(where, saved=saved, **saved.options_for(where))
        if opening.busy:  # what else was being opened has ended by now
            self._loaded = path, where
            opening.ended.connect(self._on_opened)

    def _on_opened(self, result: object) -> None:
        opening_of(self._viewer).ended.disconnect(self._on_opened, missing_ok=True)
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        path, where = loaded
        if isinstance(result, Session):
            self.text.value = f"Opened {path}."
        elif isinstance(result, SeeSpotError) and not isinstance(
            result, (CancelledError, StateError)
        ):
            self._ask_source(path, where)  # the opening has told why

    def _ask_source(self, path: Path, where: str) -> None:
        """Ask where the dataset of a session is now."""
        self.dialog = SourceDialog(
            without_credentials(where), partial(self.load_from, path), self.native
        )
        self.dialog.open()

    def _copy_script(self, *_: Any) -> None:
        if self._session is not None:
            _copy(script_of(self._session))
            self.text.value = "The script is in the clipboard."

    # --- Neuroglancer

    def state(self) -> dict[str, Any]:
        """Return the Neuroglancer state of what is chosen.

        Raises
        ------
        StateError
            When there is no dataset, no marked spot or no selection.
        """
        session = self._session
        if session is None:
            raise StateError("there is no dataset")
        rows, name = self._rows(session)
        place = self._place(session, rows)
        zoom = 1.0
        if hasattr(self._viewer, "scene"):
            # Voxels a pixel: what napari shows of the world, in x.
            size = session.dataset.voxel_size[2]
            zoom = 1 / (self._viewer.scene.camera.zoom * size)
        return viewer_state(
            session.dataset,
            place,
            rows=rows,
            name=name,
            looks=_looks(session),
            zoom=zoom,
        )

    def _rows(self, session: Session) -> tuple[np.ndarray | None, str]:
        what = self.what.value
        if what == _WHAT[0]:
            return None, ""
        if what == _WHAT[1]:
            if self._row is None:
                raise StateError("no spot is marked", hint="Click a spot first")
            spot_id = session.dataset.spots.column("spot_id")[self._row]
            return np.array([self._row]), f"Spot {spot_id}"
        if session.view.selected is None:
            raise StateError("nothing is selected", hint="Select spots first")
        return np.flatnonzero(session.view.selected), "Selected spots"

    def _place(
        self, session: Session, rows: np.ndarray | None
    ) -> tuple[float, float, float]:
        if rows is not None:
            columns = (session.dataset.spots.column(axis)[rows] for axis in "zyx")
            z, y, x = (float(np.median(c[np.isfinite(c)])) for c in columns)
            return (z, y, x)
        overlay = session.viewing.overlay
        point = np.array(self._viewer.dims.point[-3:], float)
        center = self._viewer.scene.camera.center
        displayed = self._viewer.dims.displayed
        offset = self._viewer.dims.ndim - 3
        for axis, value in zip(displayed, center[-len(displayed) :], strict=True):
            point[axis - offset] = value
        z, y, x = overlay.voxel(tuple(point))
        return (z, y, x)

    def _with_link(self, use: Callable[[str], None]) -> None:
        """Make the link, and do something with it once it is there."""
        session = self._session
        if session is None:
            return
        try:
            if not self.by_server.value:
                self._use(self.state(), use)
                return
            rows, name = self._rows(session)
            if rows is None:
                raise StateError(
                    "the server marks spots only",
                    hint="Choose the marked or the selected spots, or have the link "
                    "made here",
                )
        except SeeSpotError as error:
            self._report(error)
            return
        self.text.value = "The server makes the link …"
        self._worker.submit(
            lambda job: server_link(
                session.dataset, rows, name=name, cancelled=job.cancelled
            ),
            done=partial(self._on_made, use),
            failed=self._on_failed,
        )

    def _on_made(self, use: Callable[[str], None], made: ServerLink) -> None:
        if len(made.url) > LONGEST_LINK:
            self._ask_save_state(state_of(made.url))
            return
        use(made.url)
        if made.missing:
            self.text.value += (
                f" It marks {made.marked:,} spots; the server does not know "
                f"{made.missing:,}."
            )

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, SeeSpotError):
            raise error
        self._report(error)

    def _use(self, state: dict[str, Any], use: Callable[[str], None]) -> None:
        """Use a state as a link; one that is too long becomes a file instead."""
        try:
            text = link(state)
        except StateError:
            self._ask_save_state(state)
        else:
            use(text)

    def _ask_save_state(self, state: dict[str, Any]) -> None:
        name, _filter = QFileDialog.getSaveFileName(
            self.native,
            "The link would be too long: save the state as a file",
            "neuroglancer.json",
            "Neuroglancer states (*.json)",
        )
        if not name:
            return
        try:
            Path(name).write_text(json.dumps(state, indent=1), encoding="utf-8")
        except OSError as error:
            self._report(
                SeeSpotError(f"cannot be written: {error.strerror}", where=name)
            )
        else:
            self.text.value = (
                f"The link would be too long for browsers: its state is in {name}."
            )

    def _copy_link(self, *_: Any) -> None:
        self._with_link(self._copy_text)

    def _copy_text(self, text: str) -> None:
        _copy(text)
        self.text.value = f"A link of {len(text):,} characters is in the clipboard."

    def _browse(self, *_: Any) -> None:
        self._with_link(lambda text: _open(QUrl(text)))

    def _go(self, *_: Any) -> None:
        session = self._session
        if session is None:
            return
        try:
            place = position_of(self.pasted.value, session.dataset.voxel_size)
        except SeeSpotError as error:
            self._report(error)
            return
        session.viewing.fly_to(place)
        z, y, x = place
        text = f"At z {z:g}, y {y:g}, x {x:g}."
        world = session.viewing.overlay.world(place)
        ranges = self._viewer.dims.range[-3:]
        if not all(
            axis.start - axis.step <= at <= axis.stop + axis.step
            for at, axis in zip(world, ranges, strict=True)
        ):
            text += " That is outside of this dataset."
        self.text.value = text


def _open(url: QUrl) -> None:
    QDesktopServices.openUrl(url)


def _copy(text: str) -> None:
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)


def _looks(session: Session) -> dict[str, ChannelLook]:
    """Return how the channels are shown in the viewer."""
    return {
        channel: ChannelLook(
            (float(layer.contrast_limits[0]), float(layer.contrast_limits[1])),
            _hex(layer.colormap.colors[-1]),
            bool(layer.visible),
        )
        for channel, layer in session.viewing.images.channels.items()
    }


def _hex(color: Any) -> str:
    red, green, blue = (round(255 * float(part)) for part in color[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"
