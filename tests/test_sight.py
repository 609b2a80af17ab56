"""The geometry of a look, with a viewer's model and by plain arithmetic."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_seespot.index import Box
from napari_seespot.sight import Sight, look

SCALE, ORIGIN = (1.0, 0.25, 0.5), (10.0, -3.0, 0.0)
VOLUME = Box((-0.5, -0.5, -0.5), (29.5, 99.5, 199.5))


def viewer(displayed=(1, 2), point=(15.0, 0.0, 0.0), center=(0, 5, 50), zoom=2.0,
           canvas=(60, 80), ndim=3):  # fmt: skip
    camera = SimpleNamespace(center=center, zoom=zoom)
    return SimpleNamespace(
        dims=SimpleNamespace(ndim=ndim, displayed=displayed, point=point),
        scene=SimpleNamespace(camera=camera),
        camera=camera,
        canvas=SimpleNamespace(size=canvas),
    )


def test_a_plane():
    sight = look(viewer(), SCALE, ORIGIN, VOLUME)
    assert sight.flat
    assert sight.sliced == (0,)
    assert sight.plane[0] == 5.0  # (15 um - 10 um) / 1 um
    assert sight.pixel_um == 0.5
    # y: 5 um is voxel 32; 60 pixels of 0.5 um are 30 um, 120 voxels, in the volume
    assert (sight.low[1], sight.high[1]) == (-0.5, 92.0)
    # x: 50 um is voxel 100; 80 pixels are 40 um, 80 voxels
    assert (sight.low[2], sight.high[2]) == (60.0, 140.0)
    box = sight.box(2)
    assert (box.low[0], box.high[0]) == (2.5, 7.5)
    assert box.low[1:] == sight.low[1:]
    assert not sight.empty


@pytest.mark.parametrize("displayed", [(1, 2), (2, 1), (0, 2), (2, 0), (0, 1), (1, 0)])
def test_transposed_planes(displayed):
    sight = look(
        viewer(displayed, point=(15, 5, 50), center=(0, 12, 20)), SCALE, ORIGIN, VOLUME
    )
    (sliced,) = sight.sliced
    point = (15, 5, 50)[sliced]
    assert sight.plane[sliced] == (point - ORIGIN[sliced]) / SCALE[sliced]
    for axis, middle, pixels in zip(displayed, (12, 20), (60, 80), strict=True):
        center = (middle - ORIGIN[axis]) / SCALE[axis]
        half = pixels / 2 * 0.5 / SCALE[axis]
        assert sight.low[axis] == max(center - half, -0.5)
        assert sight.high[axis] == min(center + half, VOLUME.high[axis])
    box = sight.box(0)
    assert box.high[sliced] - box.low[sliced] == 1


def test_a_volume_is_seen_as_far_as_any_turn_reaches():
    sight = look(
        viewer((0, 1, 2), center=(20, 5, 50), zoom=10, canvas=(60, 80)),
        SCALE, ORIGIN, VOLUME,
    )  # fmt: skip
    assert not sight.flat
    assert sight.sliced == ()
    half = 50 * 0.1  # the canvas' half diagonal, in um
    assert (sight.low[0], sight.high[0]) == (10 - half, 10 + half)
    assert (sight.low[2], sight.high[2]) == (100 - half / 0.5, 100 + half / 0.5)
    assert sight.box(7).low == sight.low  # no slab where nothing is sliced


def test_a_window_beside_the_volume_is_empty():
    assert look(viewer(center=(0, 5, 900)), SCALE, ORIGIN, VOLUME).empty
    assert look(viewer(center=(0, -90, 50)), SCALE, ORIGIN, VOLUME).empty


def test_our_axes_are_the_last_three():
    four = viewer((2, 3), point=(7, 15, 0, 0), ndim=4)
    assert look(four, SCALE, ORIGIN, VOLUME) == look(viewer(), SCALE, ORIGIN, VOLUME)
    assert look(viewer((0, 3), (7, 15, 0, 0), ndim=4), SCALE, ORIGIN, VOLUME) is None


@pytest.mark.parametrize(
    "other", [viewer((0, 1), (0, 0), ndim=2), viewer(zoom=0), viewer(zoom=-1)]
)
def test_viewers_that_show_none_of_our_axes(other):
    assert look(other, SCALE, ORIGIN, VOLUME) is None


@given(st.floats(-50, 250), st.floats(0.01, 50), st.floats(0, 30))
def test_the_window_is_never_larger_than_the_volume(center, zoom, slab):
    sight = look(viewer(center=(0, center, center), zoom=zoom), SCALE, ORIGIN, VOLUME)
    for axis in (1, 2):
        assert sight.low[axis] >= VOLUME.low[axis]
        assert sight.high[axis] <= VOLUME.high[axis]
    box = sight.box(slab)
    assert box.high[0] - box.low[0] == pytest.approx(2 * slab + 1)


def test_a_sight_is_plain_data():
    one = Sight((1, 2), (0, 0, 0), (0, 0, 0), (1, 1, 1), 0.5)
    assert one == Sight((1, 2), (0, 0, 0), (0, 0, 0), (1, 1, 1), 0.5)
    assert np.isinf(Box().ends[1]).all()


def test_a_real_viewers_model(model):
    model.add_image(np.zeros((30, 100, 200), np.uint8), scale=SCALE, translate=ORIGIN)
    model.dims.point = (15, 0, 0)
    model.scene.camera.center = (0, 5, 50)
    model.scene.camera.zoom = 2
    model.canvas.size = (60, 80)
    assert look(model, SCALE, ORIGIN, VOLUME) == look(viewer(), SCALE, ORIGIN, VOLUME)
