"""The *Images* dock: more channels and masks, crops, contrast, looks, another try."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, Label, PushButton
from qtpy.QtWidgets import QFileDialog

from napari_seespot.crops import crop, voxel_at
from napari_seespot.dataset import LazyMapping
from napari_seespot.errors import SeeSpotError
from napari_seespot.layers import (
    auto_contrast,
    left_out,
    load_look,
    marked_place,
    middle_of_view,
    notes_of,
    open_images,
    other_channels,
    retry_images,
    save_look,
)
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._flow import flow_row, narrow
from napari_seespot.widgets._worker import Worker
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_seespot.crops import Crop
    from napari_seespot.images import ChannelImage
    from napari_seespot.session import Session

__all__ = ["ImagesWidget"]

_LOOKS = "Look (*.json)"


class ImagesWidget(SessionDock):
    """Images beyond the channels of the spots, and how all of them are shown.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    preferred_height = 220

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._worker = Worker("seespot-images")
        self.image = ComboBox(
            choices=(),
            tooltip="Images of the dataset: channels without spots, such as a nuclear "
            "stain, first, then the channels of the spots, then segmentations.",
        )
        self.add_button = self._button(
            "Add", self.add, "Show this image as a layer below the spots."
        )
        self.crop_button = self._button(
            "Crop at full resolution",
            self.crop,
            "Load a box at full resolution around the marked spot, or else the middle "
            "of the view, a layer for each visible channel: what to look at in 3-D.",
        )
        self.contrast_button = self._button(
            "Fit contrast",
            self.fit_contrast,
            "Fit the contrast of the visible channels to what is in view.",
        )
        self.retry_button = self._button(
            "Retry",
            self.retry,
            "Ask again for the parts of images that could not be read, those that are "
            "crossed out, and for channels that could not be opened.",
        )
        self.save_button = self._button(
            "Save look...",
            self._ask_save,
            "Save contrast, colours and visibility of all channels to a file.",
        )
        self.load_button = self._button(
            "Load look...", self._ask_load, "Show the channels as a saved look says."
        )
        self.text = Label(value="")
        self.content: Container[Any] = Container(labels=False)
        for row in (
            [self.image, self.add_button],
            [self.contrast_button, self.crop_button],
            [self.save_button, self.load_button, self.retry_button],
        ):
            self.content.append(flow_row(*row, grow=row))
        narrow(self.image, 12)
        wrap(self.text)
        self.content.append(self.text)
        self.add_scrolled(self.content)
        self.content.enabled = False
        self.native.destroyed.connect(_Close(self._worker))
        self.follow()

    def _button(self, text: str, do: Callable[[], object], tip: str) -> PushButton:
        button = PushButton(text=text, tooltip=tip)
        button.changed.connect(lambda *_: do())
        return button

    # --- the session

    def _attach(self, session: Session) -> None:
        dataset = session.dataset
        channels = [*other_channels(dataset)]
        channels += [name for name in dataset.images if name not in channels]
        choices = [(f"Channel {name}", ("images", name)) for name in channels]
        choices += [(f"Mask {name}", ("masks", name)) for name in dataset.masks]
        self.image.choices = choices
        self.content.enabled = session.viewing is not None and bool(choices)
        self.text.value = "" if choices else "This dataset has no images."

    def _detach(self) -> None:
        self._worker.cancel()
        self.image.choices = ()
        self.content.enabled = False
        self.text.value = ""

    # --- what the buttons do

    def add(self) -> None:
        """Show the chosen image; its metadata are read beside the window."""
        session = self._session
        if session is None or self.image.value is None:
            return
        kind, name = self.image.value
        dataset = session.dataset

        def read(_job: Any) -> ChannelImage:
            images = dataset.masks if kind == "masks" else dataset.images
            if isinstance(images, LazyMapping):
                images.retry()  # who asks by hand wants to know how it is now
            image: ChannelImage = images[name]  # raises what `open_images` collects
            if kind == "images":
                open_images(dataset, [name])
            return image

        def show(image: ChannelImage) -> None:
            if self._session is session:
                self._show(image)
                told = [f"{image.name} is shown.", *notes_of(image)]
                self.text.value = "\n".join(told)

        self._begin(f"Opening {name}", read, show)

    def _show(self, image: ChannelImage) -> None:
        """Put an opened image into the viewer, visible also where it was hidden."""
        session = self._session
        if session is not None and session.viewing is not None:
            session.viewing.finish()
            session.viewing.images.add(image).visible = True

    def crop(self) -> None:
        """Load a box around the marked spot, or the middle of the view."""
        session = self._session
        if session is None or session.viewing is None:
            return
        session.viewing.finish()
        images = session.viewing.images
        shown = [c for c, layer in images.channels.items() if layer.visible]
        if not shown:
            self.text.value = "No channel is visible."
            return
        marked = marked_place(session)
        place = marked or middle_of_view(session)
        where = "the marked spot" if marked else "the middle of the view"
        sources = [images.image_of(channel) for channel in shown]

        def read(job: Any) -> list[Crop]:
            boxes = []
            for source in sources:
                job.check()
                boxes.append(crop(source, voxel_at(source, place)))
            return boxes

        def show(boxes: list[Crop]) -> None:
            if self._session is session and session.viewing is not None:
                turns = session.viewing.turns
                turns.add(*(lambda box=box: images.add_crop(box) for box in boxes))
                self.text.value = f"Cropped {len(boxes)} channels around {where}."

        self._begin("Reading the crop", read, show)

    def fit_contrast(self) -> None:
        """Fit the visible channels' contrast to what is in view."""
        self._try(lambda session: f"Fitted {len(auto_contrast(session))} channels.")

    def retry(self) -> None:
        """Ask again for what could not be read, and for channels left out."""
        session = self._session
        if session is None:
            return
        self._try(self._ask_again)
        channels = left_out(session)
        if not channels or session.viewing is None:
            return

        def read(_job: Any) -> tuple[list[ChannelImage], list[str]]:
            return open_images(session.dataset, channels)

        def show(opened: tuple[list[ChannelImage], list[str]]) -> None:
            if self._session is session:
                images, problems = opened
                for image in images:
                    self._show(image)
                self.text.value = "\n".join(["Asked again.", *problems])

        self._begin(f"Opening {', '.join(channels)}", read, show)

    def _ask_again(self, session: Session) -> str:
        retry_images(session)
        return "Asked again."

    def save_to(self, path: Path) -> None:
        """Write how all channels are shown to a file."""
        self._try(lambda session: f"Saved to {save_look(session, path)}.")

    def load_from(self, path: Path) -> None:
        """Show the channels as a file says."""

        def load(session: Session) -> str:
            unknown = load_look(session, path)
            rest = f" Without {', '.join(unknown)}." if unknown else ""
            return f"Shown as {path.name} says.{rest}"

        self._try(load)

    def _ask_save(self) -> None:
        text, _ = QFileDialog.getSaveFileName(
            self.native, "Save look", "look.json", _LOOKS
        )
        if text:
            self.save_to(Path(text))

    def _ask_load(self) -> None:
        text, _ = QFileDialog.getOpenFileName(self.native, "Load look", "", _LOOKS)
        if text:
            self.load_from(Path(text))

    # --- work

    def _try(self, do: Callable[[Session], str]) -> None:
        """Do what is quick, and say what came of it."""
        if self._session is None:
            return
        try:
            self.text.value = do(self._session)
        except (SeeSpotError, OSError) as error:
            self._failed(error)

    def _begin(
        self,
        text: str,
        read: Callable[[Any], Any],
        show: Callable[[Any], None],
    ) -> None:
        self.text.value = f"{text} ..."
        self._worker.submit(read, done=show, failed=self._failed)

    def _failed(self, error: Exception) -> None:
        self.text.value = str(error)


class _Close:
    """Ends the worker once Qt has destroyed the dock's widget."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self, *_: Any) -> None:
        self._worker.close()
