"""A dataset's images as layers of a viewer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot import looks
from napari_seespot.crops import CROP_VOXELS
from napari_seespot.dataset import LazyMapping, opened
from napari_seespot.errors import NotFoundError, SeeSpotError
from napari_seespot.image_layers import ImageLayers, appearance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_seespot.dataset import Dataset
    from napari_seespot.images import ChannelImage
    from napari_seespot.session import Session

__all__ = [
    "ImageLayers",
    "add_channel",
    "add_crop",
    "add_image_layer",
    "add_mask",
    "auto_contrast",
    "crop_place",
    "image_arguments",
    "left_out",
    "load_look",
    "load_units",
    "marked_place",
    "middle_of_view",
    "notes_of",
    "open_images",
    "open_more",
    "other_channels",
    "retry_images",
    "save_look",
]


def open_images(
    dataset: Dataset,
    channels: Sequence[str] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[list[ChannelImage], list[str]]:
    """Open images and find their contrast; slow, so meant for a worker.

    Parameters
    ----------
    dataset : Dataset
    channels : sequence of str, optional
        The spot channels that have an image, by default.
    progress : callable, optional
        Called with a share from 0 to 1 and a text.

    Returns
    -------
    images : list of ChannelImage
    problems : list of str
        A message for each channel that cannot be opened; the others are. And what
        was assumed about those, where their metadata do not tell.
    """
    if channels is None:
        channels = [
            channel for channel in dataset.channels if channel in dataset.images
        ]
    images, problems = [], []
    for place, channel in enumerate(channels):
        if progress is not None:
            progress(place / len(channels), f"Opening channel {channel}")
        try:
            images.append(dataset.images[channel])
        except SeeSpotError as error:
            problems.append(f"Channel {channel} is left out. {error}")
    load_units()
    if images:
        # read here, not in the viewer's thread, and of all channels together
        with ThreadPoolExecutor(len(images)) as pool:
            list(pool.map(lambda image: image.contrast_limits, images))
    return images, [*problems, *(note for each in images for note in notes_of(each))]


def notes_of(image: ChannelImage) -> list[str]:
    """Return what was assumed about an image, as messages."""
    kind = "Mask" if image.kind == "labels" else "Channel"
    return [f"{kind} {image.name}: {note}" for note in image.notes]


def open_more(
    dataset: Dataset, names: Sequence[tuple[str, str]]
) -> tuple[list[ChannelImage], list[str]]:
    """Open other channels and masks; slow, as `open_images`, whose results it has.

    Parameters
    ----------
    dataset : Dataset
    names : sequence of (str, str)
        ``("images", channel)`` or ``("masks", name)``.
    """
    channels = [name for kind, name in names if kind == "images"]
    images, problems = open_images(dataset, channels) if channels else ([], [])
    for name in (name for kind, name in names if kind == "masks"):
        try:
            images.append(dataset.masks[name])
        except SeeSpotError as error:
            problems.append(f"Mask {name} is left out. {error}")
        else:
            problems += notes_of(images[-1])
    return images, problems


def load_units() -> None:
    """Have napari's table of units read, which its first layer would wait for."""
    import pint

    # pint reads its table when it is first asked, and has no unit for another
    # thread that asks meanwhile: two datasets may be opened side by side.
    with _UNITS:
        # pint leaves this function without types
        registry = pint.get_application_registry()  # type: ignore[no-untyped-call]
        registry.Unit("micrometer")


_UNITS = Lock()


def add_image_layer(viewer: Any, image: ChannelImage, **options: Any) -> Any:
    """Add a channel as a multiscale image layer of its own; return the layer."""
    data, arguments = image_arguments(image)
    return viewer.add_image(data, **arguments, **options)


def image_arguments(image: ChannelImage) -> tuple[Any, dict[str, Any]]:
    """Return the data of a channel's layer, and how napari shows it."""
    many = len(image.levels) > 1
    # no cache of napari's: chunks that were read are kept by this package
    arguments = {**appearance(image), "multiscale": many, "cache": False}
    return image.levels if many else image.levels[0], arguments


def other_channels(dataset: Dataset) -> tuple[str, ...]:
    """Return the channels with an image but without spots: 405, a nuclear stain."""
    return tuple(name for name in dataset.images if name not in dataset.channels)


def add_channel(session: Session, channel: str) -> Any:
    """Show a channel that is not shown, also one without spots; return its layer.

    Reads the image's metadata when it was not opened before: open it in a worker
    (`open_images`) where a window must not wait.

    Raises
    ------
    NotFoundError
        The dataset has no such image, or the session has no viewer.
    ImageError
        It cannot be opened.
    """
    return _add(session, _find(session, channel, "images"))


def add_mask(session: Session, name: str) -> Any:
    """Show a segmentation as a labels layer; return the layer.

    Raises
    ------
    NotFoundError
        The dataset has no such mask, or the session has no viewer.
    ImageError
        It cannot be opened.
    """
    return _add(session, _find(session, name, "masks"))


def _add(session: Session, image: ChannelImage) -> Any:
    from napari.utils.notifications import show_info

    layer = _images_of(session).add(image)
    for note in notes_of(image):
        show_info(note)
    return layer


def add_crop(
    session: Session,
    row: int | None = None,
    size: Sequence[int] = CROP_VOXELS,
    channels: Sequence[str] | None = None,
) -> list[Any]:
    """Load a box at full resolution around a spot, a layer for each channel.

    Parameters
    ----------
    session : Session
    row : int, optional
        The table's row of the spot; by default the one that is marked in the
        viewer, and the middle of the view where none is.
    size : sequence of int
        (z, y, x) in voxels.
    channels : sequence of str, optional
        The visible ones by default.

    Raises
    ------
    ImageError
        The spot lies outside the image, or the box is too large.
    StateError
        No channel is visible.
    NotFoundError
        The session has no viewer.
    """
    images = _images_of(session)
    return images.crop(crop_place(session, row), size, channels)


def crop_place(session: Session, row: int | None = None) -> tuple[float, float, float]:
    """Return what a crop is taken around, as (z, y, x) in um.

    Parameters
    ----------
    session : Session
    row : int, optional
        Of a spot; see `add_crop`.

    Raises
    ------
    NotFoundError
        The spot has no position.
    """
    if row is None:
        return marked_place(session) or middle_of_view(session)
    position = session.position(row)
    if not np.isfinite(position).all():
        raise NotFoundError(
            f"the spot in row {row} has no position", where=session.dataset.name
        )
    z, y, x = session.viewing.overlay.world(position)
    return (z, y, x)


def marked_place(session: Session) -> tuple[float, float, float] | None:
    """Return where the ring around the marked spot is, in um; None without one."""
    ring = session.viewing.overlay.ring
    if not ring.visible or len(ring.data) != 1:
        return None
    z, y, x = (float(value) for value in ring.data_to_world(ring.data[0])[-3:])
    return (z, y, x)


def auto_contrast(
    session: Session, channels: Sequence[str] | None = None
) -> dict[str, tuple[float, float]]:
    """Fit the visible channels' contrast to what is in view; return the limits."""
    return _images_of(session).auto_contrast(channels)


def retry_images(session: Session) -> None:
    """Ask again for the parts of images that could not be read.

    An image that could not be opened is tried again when it is asked for next.
    """
    _images_of(session).retry()
    for images in (session.dataset.images, session.dataset.masks):
        if isinstance(images, LazyMapping):
            images.retry()


def left_out(session: Session) -> list[str]:
    """Return the spot channels with an image that could not be opened so far."""
    dataset = session.dataset
    return [
        channel
        for channel in dataset.channels
        if channel in dataset.images and opened(dataset.images, channel) is None
    ]


def save_look(session: Session, path: str | Path) -> Path:
    """Write how all channels are shown to a JSON file."""
    return looks.save_look(path, looks.look_of(_images_of(session).channels))


def load_look(session: Session, path: str | Path) -> tuple[str, ...]:
    """Show the channels as a saved look says; return those that it does not know.

    Raises
    ------
    StateError
        The file is not a look, or asks for what a layer does not take.
    """
    return looks.apply_look(_images_of(session).channels, looks.load_look(path))


def _images_of(session: Session) -> ImageLayers:
    if session.viewing is None:
        raise NotFoundError(
            "the session has no viewer",
            where=session.dataset.name,
            hint="Show the dataset first",
        )
    session.viewing.finish()  # who asks means all channels
    images: ImageLayers = session.viewing.images
    return images


def _find(session: Session, name: str, where: str) -> ChannelImage:
    images = getattr(session.dataset, where)
    if name not in images:
        raise NotFoundError(
            f"there is no image {name!r}",
            where=session.dataset.name,
            expected=f"one of {', '.join(images) or 'none'}",
        )
    image: ChannelImage = images[name]
    return image


def middle_of_view(session: Session) -> tuple[float, float, float]:
    """Return the middle of what a session's viewer shows.

    Returns
    -------
    tuple of float
        (z, y, x) in um.
    """
    viewer = session.viewer
    place = [float(value) for value in viewer.dims.point[-3:]]
    for axis, value in zip(
        reversed(viewer.dims.displayed), reversed(_camera(viewer).center), strict=False
    ):
        place[axis - (viewer.dims.ndim - 3)] = float(value)
    z, y, x = place
    return (z, y, x)


def _camera(viewer: Any) -> Any:
    return viewer.scene.camera
