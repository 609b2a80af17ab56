"""Levels over each other: the coarse voxel that a place lies in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_seespot._level_geometry import covering, nearest, under


@given(st.integers(1, 3000), st.integers(0, 5), st.data())
def test_a_voxel_lies_in_the_coarse_one_that_covers_its_centre(size, level, data):
    coarse = -(-size // 2**level)
    voxel = data.draw(st.integers(0, size - 1))
    found = under(voxel, size, coarse)
    edges = np.linspace(0, size, coarse + 1)  # in voxels, each as long as the others
    assert edges[found] <= voxel + 0.5 + 1e-6
    assert voxel + 0.5 <= edges[found + 1] + 1e-6
    assert found == nearest(slice(voxel, voxel + 1), size, coarse)[0]
    if size % 2**level == 0:
        assert found == voxel // 2**level


@pytest.mark.parametrize(("place", "found"), [(-7.0, 0), (2.4, 1), (2.6, 1), (99, 3)])
def test_places_between_and_beyond(place, found):
    assert under(place, 8, 4) == found


def test_what_covers_a_region():
    region = (slice(3, 4), slice(0, 8), slice(5, 7))
    covered = covering(region, (8, 8, 8), (4, 4, 4))
    assert covered == (slice(1, 2), slice(0, 4), slice(2, 4))
