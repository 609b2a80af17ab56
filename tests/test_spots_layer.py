"""Led layers: the same picture as napari's own, and napari's own way as fallback."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seespot import spots_layer
from napari_seespot.spots_layer import Image, Points


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


def make_points(viewer, led=True):
    data = np.random.default_rng(0).uniform(0, 20, (500, 3))
    layer = Points(data, size=1)
    layer.led = led
    return viewer.add_layer(layer)


def step(viewer, place, axis=0):
    point = list(viewer.dims.point)
    point[axis] = place
    viewer.dims.point = point


def in_view(layer):
    return layer._view_data.copy()


def slabs(viewer, layer, planes=range(5, 9)):
    found = []
    for plane in planes:
        step(viewer, plane)
        layer.refresh(extent=False, thumbnail=False, highlight=False)
        found.append(in_view(layer))
    return found


def test_a_led_layer_shows_after_its_refresh_what_napari_would(viewer):
    led, plain = make_points(viewer), make_points(viewer, led=False)
    for ours, theirs in zip(slabs(viewer, led), slabs(viewer, plain), strict=True):
        assert len(ours)
        np.testing.assert_array_equal(ours, theirs)


def test_a_led_layer_is_not_sliced_by_a_step(viewer):
    led = make_points(viewer)
    calls = []
    led.events.set_data.connect(lambda event: calls.append(event))
    step(viewer, 7)
    assert not calls
    led.led = False
    step(viewer, 8)
    assert len(calls) == 1


def test_other_axes_are_sliced_by_napari(viewer):
    led = make_points(viewer)
    plain = make_points(viewer, led=False)
    viewer.dims.order = (1, 0, 2)
    np.testing.assert_array_equal(in_view(led), in_view(plain))
    viewer.dims.ndisplay = 3
    assert in_view(led).shape == (500, 3)


def test_a_hidden_layer_shows_the_plane_of_now_when_it_appears(viewer):
    led, plain = make_points(viewer), make_points(viewer, led=False)
    led.visible = False
    step(viewer, 11)
    led.visible = True
    np.testing.assert_array_equal(in_view(led), in_view(plain))


@pytest.mark.parametrize("missing", spots_layer._NAMES)
def test_without_napari_s_own_names_each_step_is_sliced_by_napari(
    viewer, missing, monkeypatch
):
    led, plain = make_points(viewer), make_points(viewer, led=False)
    names = [name if name != missing else "gone" for name in spots_layer._NAMES]
    monkeypatch.setattr(spots_layer, "_NAMES", names)
    step(viewer, 6)
    np.testing.assert_array_equal(in_view(led), in_view(plain))


def test_a_led_image_shows_what_was_written_into_its_data(viewer):
    data = np.zeros((1, 4, 5, 4), np.uint8)
    layer = Image(data, rgb=True, scale=(20, 1, 1))
    layer.led = True
    viewer.add_layer(layer)
    make_points(viewer)
    data[...] = 7
    step(viewer, 3)
    layer.refresh(extent=False, thumbnail=False, highlight=False)
    assert (layer._data_view == 7).all()
