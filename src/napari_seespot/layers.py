"""A dataset's images as layers of a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_seespot.errors import SeeSpotError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot.dataset import Dataset
    from napari_seespot.images import ChannelImage

__all__ = ["add_image_layer", "image_arguments", "open_images"]


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
        A message for each channel that cannot be opened; the others are.
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
            image = dataset.images[channel]
            _ = image.contrast_limits  # read here, not in the viewer's thread
        except SeeSpotError as error:
            problems.append(f"Channel {channel} is left out. {error}")
        else:
            images.append(image)
    return images, problems


def add_image_layer(viewer: Any, image: ChannelImage, **options: Any) -> Any:
    """Add a channel as a multiscale image layer; return the layer."""
    data, arguments = image_arguments(image)
    return viewer.add_image(data, **arguments, **options)


def image_arguments(image: ChannelImage) -> tuple[Any, dict[str, Any]]:
    """Return the data of a channel's layer, and how napari shows it."""
    many = len(image.levels) > 1
    return image.levels if many else image.levels[0], {
        "multiscale": many,
        "name": image.name,
        "scale": image.scale,
        "translate": image.translate,
        "axis_labels": ("z", "y", "x"),
        "units": image.units,
        "colormap": image.colormap,
        "contrast_limits": image.contrast_limits,
        "blending": "additive",
        "metadata": {"napari-seespot": {"channel": image.channel, "uri": image.uri}},
    }
