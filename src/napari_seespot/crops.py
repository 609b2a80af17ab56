"""A box of an image at one resolution, placed right among the other layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from napari_seespot._level_array import Region
    from napari_seespot.images import ChannelImage

__all__ = ["CROP_VOXELS", "Crop", "crop", "voxel_at"]

CROP_VOXELS = (64, 256, 256)
"""(z, y, x) of the box that is cut out unless another size is asked for."""

_MOST_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Crop:
    """A box of one channel.

    Attributes
    ----------
    image : ChannelImage
    level : int
    data : numpy.ndarray
        (z, y, x)
    scale, translate : tuple of float
        (z, y, x) in um: a voxel's size, and the centre of the first.
    """

    image: ChannelImage
    level: int
    data: np.ndarray[Any, Any]
    scale: tuple[float, float, float]
    translate: tuple[float, float, float]


def voxel_at(
    image: ChannelImage, place_um: Sequence[float]
) -> tuple[float, float, float]:
    """Return a place in um as (z, y, x) in voxels of an image's level 0."""
    z, y, x = (
        (place - start) / step
        for place, start, step in zip(
            place_um, image.translate, image.scale, strict=True
        )
    )
    return (z, y, x)


def crop(
    image: ChannelImage,
    center: Sequence[float],
    size: Sequence[int] = CROP_VOXELS,
    level: int = 0,
) -> Crop:
    """Read a box around a place; waits for it.

    Parameters
    ----------
    image : ChannelImage
    center : sequence of float
        (z, y, x) in voxels of level 0.
    size : sequence of int
        (z, y, x) in voxels of level 0; cut off at the image's border.
    level : int
        The resolution.

    Raises
    ------
    ImageError
        There is no such level, the box lies outside the image, or it would take
        more than a gigabyte.
    """
    if not 0 <= level < len(image.levels):
        raise ImageError(
            f"there is no level {level}",
            where=image.uri,
            expected=f"0 to {len(image.levels) - 1}",
        )
    array = image.arrays[level]
    scale, translate = image.level_scales[level], image.level_translates[level]
    region = _region(image, center, size, level)
    nbytes = array.dtype.itemsize * math.prod(s.stop - s.start for s in region)
    if not nbytes:
        raise ImageError(
            f"the box around {tuple(round(c) for c in center)} is outside the image",
            where=image.uri,
            expected=f"a place within {image.shape}",
        )
    if nbytes > _MOST_BYTES:
        raise ImageError(
            f"the box would take {nbytes / 2**30:.1f} GiB",
            where=image.uri,
            expected="at most 1 GiB",
            hint="Choose a smaller box or a coarser level",
        )
    z, y, x = (
        start + span.start * step
        for start, span, step in zip(translate, region, scale, strict=True)
    )
    return Crop(image, level, array[region], scale, (z, y, x))


def _region(
    image: ChannelImage, center: Sequence[float], size: Sequence[int], level: int
) -> Region:
    """Return the voxels of a level whose centres are in a box of level 0."""
    spans = []
    for axis in range(3):
        fine, coarse = image.scale[axis], image.level_scales[level][axis]
        shift = image.level_translates[level][axis] - image.translate[axis]
        # From centre to centre: voxel i of level 0 is at i * fine.
        low = (center[axis] - size[axis] / 2) * fine
        start = math.ceil(round((low - shift) / coarse, 6))
        count = max(1, round(size[axis] * fine / coarse))
        length = image.arrays[level].shape[axis]
        first = min(max(start, 0), length)
        spans.append(slice(first, max(first, min(start + count, length))))
    z, y, x = spans
    return (z, y, x)
