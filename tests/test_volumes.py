"""Images in 3-D: the finest level that can be drawn, and none that is too large."""

from __future__ import annotations

import tracemalloc

import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from tests._pyramids import Window, shown, write

from napari_seespot import volumes
from napari_seespot._chunk_reader import reader
from napari_seespot.image_layers import ImageLayers
from napari_seespot.volumes import can_be_volume, level_for_volume


@pytest.fixture(autouse=True)
def fresh():
    reader().clear()
    yield
    reader().clear()


@pytest.fixture
def pair(tmp_path):
    return [write(tmp_path, channel)[0] for channel in ("488", "514")]


def voxels(image):
    return [array.shape[0] * array.shape[1] * array.shape[2] for array in image.arrays]


def told():
    return [str(each.message) for each in notification_manager.records]


def test_the_finest_level_that_can_be_drawn(pair, monkeypatch):
    image, sizes = pair[0], voxels(pair[0])
    assert level_for_volume(image, sizes[0]) == 0
    assert level_for_volume(image, sizes[1]) == 1
    assert level_for_volume(image, 10) == 2  # slow, but it can be shown
    monkeypatch.setattr(volumes, "TEXTURE_LIMIT", 128)
    assert level_for_volume(image, sizes[0]) == 1
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layer = layers.add(image)
    viewer.dims.ndisplay = 3
    assert layer.locked_data_level == 1
    assert shown(layer).shape == (32, 128, 128)
    viewer.dims.ndisplay = 2
    assert layer.locked_data_level is None


def test_levels_that_are_all_too_large(pair, monkeypatch):
    image = pair[0]
    monkeypatch.setattr(volumes, "VOLUME_BYTES", 2 * voxels(image)[2] - 1)
    assert not can_be_volume(image.arrays[2])
    assert level_for_volume(image, 10**9) is None


@pytest.mark.parametrize("deferred", [False, True])
def test_what_is_too_large_shows_nothing_and_says_so(pair, monkeypatch, deferred):
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer if deferred else None)
    for image in pair:
        layers.add(image)
    monkeypatch.setattr(volumes, "VOLUME_BYTES", 1000)
    before = len(told())
    viewer.dims.ndisplay = 3
    (message,) = told()[before:]
    assert message.startswith("488, 514: too large to be shown in 3-D")
    assert "'Crop at full resolution' in the Images dock" in message
    if deferred:
        window.settle(layers)
    text = viewer.canvas.overlays["napari-seespot-loading"]
    assert text.text == "Too large for 3-D: 488, 514"
    for layer in layers.channels.values():
        assert shown(layer).shape == (1, 1, 1)
        assert not shown(layer).any()
    layers.channels["488"].visible = False
    layers.channels["488"].visible = True
    assert len(told()) == before + 2  # shown again, told again
    viewer.dims.ndisplay = 2
    if deferred:
        window.settle(layers)
        window.turn()
    assert text.text == ""
    assert shown(layers.channels["488"]).any()
    viewer.dims.ndisplay = 3
    assert len(told()) == before + 3
    layers.close()


@pytest.mark.parametrize("labels", [False, True])
def test_a_huge_image_of_one_level_takes_no_memory(tmp_path, monkeypatch, labels):
    image, stored = write(tmp_path, "7", labels=labels, levels=1)
    monkeypatch.setattr(volumes, "VOLUME_BYTES", 2 * stored[0].size - 1)
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layer = layers.add(image)
    tracemalloc.start()
    viewer.dims.ndisplay = 3
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < stored[0].nbytes / 4
    assert shown(layer).shape == (1, 1, 1)
    assert "too large" in told()[-1]


def test_the_level_is_chosen_anew_when_layers_are_hidden(pair, monkeypatch):
    monkeypatch.setattr(volumes, "VOLUME_VOXELS", voxels(pair[0])[1])
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    one, other = (layers.add(image) for image in pair)
    viewer.dims.ndisplay = 3
    assert (one.locked_data_level, other.locked_data_level) == (2, 2)
    other.visible = False
    assert one.locked_data_level == 1
    other.visible = True
    assert (one.locked_data_level, other.locked_data_level) == (2, 2)
    one.locked_data_level = 0  # in napari's controls
    other.visible = False
    assert one.locked_data_level == 0
    layers.close()
