"""Which level of an image can be shown as a volume, if any."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot._level_array import LevelArray
    from napari_seespot.images import ChannelImage

__all__ = [
    "TEXTURE_LIMIT",
    "VOLUME_BYTES",
    "VOLUME_VOXELS",
    "VolumeLevels",
    "can_be_volume",
    "level_for_volume",
]

VOLUME_VOXELS = 24_000_000
"""Of all channels together: what software OpenGL turns in about a second."""

VOLUME_BYTES = 2**28
"""Of one channel. A coarsest level may have more voxels than `VOLUME_VOXELS`, and is
shown slowly rather than not; beyond this it would take the machine's memory, since
napari and OpenGL each keep a copy, for every channel."""

TEXTURE_LIMIT = 2048
"""Voxels along an axis. What the graphics card takes is known to napari, but not in
public; OpenGL promises 256 and every card since 2010 takes this. napari refuses a
level of a pyramid that is longer than the card's limit, and thins a single level."""


def can_be_volume(array: LevelArray) -> bool:
    """Whether a level is small enough to be put together and drawn in 3-D."""
    single = len(array.image.arrays) == 1
    short = single or max(array.shape) <= TEXTURE_LIMIT
    return short and math.prod(array.shape) * array.dtype.itemsize <= VOLUME_BYTES


def level_for_volume(image: ChannelImage, voxels: int) -> int | None:
    """Return the finest level that is drawn fluently; else the coarsest.

    Parameters
    ----------
    image : ChannelImage
    voxels : int
        The most that are drawn fluently.

    Returns
    -------
    int or None
        None where even the coarsest level is too large.
    """
    for number, array in enumerate(image.arrays):
        if math.prod(array.shape) <= voxels and can_be_volume(array):
            return number
    coarsest = image.arrays[-1]
    return coarsest.level if can_be_volume(coarsest) else None


class VolumeLevels:
    """The levels that the layers of one viewer show in 3-D.

    Attributes
    ----------
    too_large : frozenset of str
        Names of visible images that cannot be shown in 3-D, while that is asked for.
    """

    def __init__(self) -> None:
        self.too_large: frozenset[str] = frozenset()
        self._chosen: dict[ChannelImage, int] = {}

    def choose(self, layers: Mapping[ChannelImage, Any], *, flat: bool) -> None:
        """Lock the layers to the finest levels that can be drawn together.

        A level that the user has locked stays.

        Parameters
        ----------
        layers : mapping of ChannelImage to napari layer
        flat : bool
            In 2-D the choice is napari's again.
        """
        seen = [image for image, layer in layers.items() if layer.visible]
        large = [image for image in seen if not can_be_volume(image.arrays[-1])]
        self.too_large = frozenset(() if flat else (image.name for image in large))
        voxels = VOLUME_VOXELS // max(1, len(seen))
        for image, layer in layers.items():
            chosen = self._chosen.pop(image, None)
            if not layer.multiscale or layer.locked_data_level != chosen:
                continue
            level = None if flat else level_for_volume(image, voxels)
            if level is not None:
                self._chosen[image] = level
            if level != chosen:
                layer.locked_data_level = level
