"""Crops: the right voxels at the right place."""

from __future__ import annotations

import numpy as np
import pytest
from tests._pyramids import VOXEL, write

from napari_seespot.crops import crop, voxel_at
from napari_seespot.errors import ImageError


@pytest.fixture
def pair(tmp_path):
    return [write(tmp_path, channel) for channel in ("488", "514")]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_crop_lies_where_its_voxels_are(pair, level):
    image, stored = pair[0]
    box = crop(image, (30, 100, 120), (16, 64, 64), level)
    start = np.round(
        (np.array(box.translate) - image.level_translates[level]) / box.scale
    ).astype(int)
    stop = start + box.data.shape
    inner = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    np.testing.assert_array_equal(box.data, stored[level][inner])
    np.testing.assert_allclose(
        box.translate,
        np.array(image.level_translates[level]) + start * np.array(box.scale),
    )
    # the box's middle is the place, to half a voxel of the level
    middle = (
        np.array(box.translate)
        + np.array(box.scale) * (np.array(box.data.shape) - 1) / 2
    )
    wanted = np.array([30, 100, 120]) * VOXEL
    assert (np.abs(middle - wanted) <= np.array(box.scale) * 0.51).all()


def test_crops_at_the_border_and_beyond(pair, monkeypatch):
    image, stored = pair[0]
    box = crop(image, (0, 0, 0), (8, 32, 32))
    np.testing.assert_array_equal(box.data, stored[0][:4, :16, :16])
    with pytest.raises(ImageError, match="outside the image"):
        crop(image, (0, 5000, 0))
    with pytest.raises(ImageError, match=r"there is no level 7.* Expected 0 to 2"):
        crop(image, (0, 0, 0), level=7)
    monkeypatch.setattr("napari_seespot.crops._MOST_BYTES", 100)
    with pytest.raises(ImageError, match=r"would take .* GiB"):
        crop(image, (0, 0, 0))


def test_a_place_in_voxels(pair):
    image, _ = pair[0]
    assert voxel_at(image, image.translate) == (0, 0, 0)
    place = np.array(image.translate) + np.array((3, 5, 7.5)) * image.scale
    np.testing.assert_allclose(voxel_at(image, place), (3, 5, 7.5))
