"""Image layers: never waiting in a window, true in the end."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from tests._pyramids import VOXEL, Gate, Window, shown, true_plane, write

from napari_seespot import _requests
from napari_seespot._chunk_reader import reader
from napari_seespot.errors import NotFoundError, StateError
from napari_seespot.image_layers import ImageLayers


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_requests, "FIRST_PAUSE", 0.01)
    reader().clear()
    yield
    reader().clear()


@pytest.fixture
def gate(monkeypatch):
    gate = Gate(monkeypatch)
    yield gate
    gate.set()


@pytest.fixture
def pair(tmp_path):
    return [write(tmp_path, channel) for channel in ("488", "514")]


def test_without_a_window_slicing_waits(pair):
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    for image, stored in pair:
        layer = layers.add(image)
        viewer.dims.point = (40, 0, 0)
        np.testing.assert_array_equal(shown(layer), true_plane(layer, stored))
    assert [layer.name for layer in viewer.layers] == ["488", "514"]
    layers.close()


def test_without_a_window_the_channels_come_together(pair, gate):
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    for image, _ in pair:
        layers.add(image)
    layers.channels["488"].data_level = 0
    gate.reads.clear()
    seen, image = [], pair[0][0]
    read = image.arrays[0]
    layers.screen.picture(read, (slice(40, 41), slice(0, 64), slice(0, 64)))
    end = time.monotonic() + 10
    while reader().pool.busy and time.monotonic() < end:
        time.sleep(0.01)
    sibling = pair[1][0].arrays[0]
    wants = reader().wants(sibling, (slice(40, 41), slice(0, 64), slice(0, 64)))
    seen = [reader().known(want) for want in wants]
    assert all(seen)


def test_in_a_window_slicing_never_waits(pair, gate):
    reader().clear()
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    gate.clear()  # nothing arrives
    begin = time.monotonic()
    for image, _ in pair:
        layers.add(image)
    viewer.dims.point = (40, 0, 0)
    window.turn()
    assert time.monotonic() - begin < 10
    assert (shown(layers.channels["488"]) == 0).all()
    assert "Loading" in viewer.canvas.overlays["napari-seespot-loading"].text
    gate.set()
    window.settle(layers)
    for image, stored in pair:
        layer = layers.layer_of(image)
        np.testing.assert_array_equal(shown(layer), true_plane(layer, stored))
    assert viewer.canvas.overlays["napari-seespot-loading"].text == ""


def test_the_coarse_level_shows_until_the_fine_one_is_there(pair, gate):
    image, stored = pair[0]
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    layers.add(image)
    window.settle(layers)
    gate.clear()
    region = (slice(40, 41), slice(10, 200), slice(30, 90))
    coarse = layers.screen.picture(image.arrays[0], region)
    rows, columns = np.arange(10, 200) // 4, np.arange(30, 90) // 4
    np.testing.assert_array_equal(coarse[0], stored[2][10][np.ix_(rows, columns)])
    gate.set()
    window.settle(layers)
    fine = layers.screen.picture(image.arrays[0], region)
    np.testing.assert_array_equal(fine[0], stored[0][40, 10:200, 30:90])


def test_a_step_in_z_makes_no_request(pair, gate):
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    for image, _ in pair:
        layers.add(image)
    viewer.dims.point = (8, 0, 0)
    window.settle(layers)
    while reader().pool.busy:
        time.sleep(0.01)
    gate.reads.clear()
    for z in range(8, 20):
        viewer.dims.point = (z, 0, 0)
        window.settle(layers)
    assert gate.keys == []


def test_others_get_the_true_voxels(pair, gate):
    image, stored = pair[0]
    window = Window()
    layers = ImageLayers(ViewerModel(), window.defer)
    layer = layers.add(image)
    view = layer.data[0]
    np.testing.assert_array_equal(np.asarray(view[5]), stored[0][5])
    np.testing.assert_array_equal(view[:, 3:9][4], stored[0][:, 3:9][4])
    np.testing.assert_array_equal(
        np.asarray(view[10:20, 7, ::2]), stored[0][10:20, 7, ::2]
    )
    np.testing.assert_array_equal(view[[1, 5]], stored[0][[1, 5]])
    np.testing.assert_array_equal(np.asarray(view[-3:, ..., 0]), stored[0][-3:, ..., 0])
    np.testing.assert_array_equal(view.compute(), stored[0])
    assert np.asarray(view[5], "float32").dtype == "float32"
    assert (view.ndim, view.size, view.nbytes) == (3, 2**22, 2**23)
    assert len(view) == 64
    assert "LevelView" in repr(view)


def test_masks_are_labels(tmp_path):
    image, stored = write(tmp_path, "mask", labels=True)
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layer = layers.add(image)
    viewer.dims.point = (8, 0, 0)
    assert type(layer).__name__ == "Labels"
    assert not layer.editable
    np.testing.assert_array_equal(layer._slice.image.raw, true_plane(layer, stored))
    assert layers.channels == {}


def test_a_mask_of_one_level(tmp_path):
    image, stored = write(tmp_path, "mask", labels=True, levels=1)
    viewer = ViewerModel()
    layer = ImageLayers(viewer).add(image)
    viewer.dims.point = (0, 0, 0)
    np.testing.assert_array_equal(layer._slice.image.raw, stored[0][0])


def test_new_layers_go_below_what_was_drawn_on_top(pair):
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layers.add(pair[0][0])
    spots = viewer.add_points([[0, 0, 0]], name="Spots")
    added = layers.add(pair[1][0])
    assert [layer.name for layer in viewer.layers] == ["488", "514", "Spots"]
    assert viewer.layers.selection.active is spots
    assert layers.add(pair[1][0]) is added


def test_contrast_of_what_is_in_view(pair):
    layers = ImageLayers(ViewerModel())
    for image, _ in pair:
        layer = layers.add(image)
        layer.contrast_limits = (0, 65535)
    found = layers.auto_contrast()
    assert set(found) == {"488", "514"}
    low, high = layers.channels["488"].contrast_limits
    assert 99 < low < 115
    assert 300 < high < 800
    assert set(layers.auto_contrast(["514"])) == {"514"}
    with pytest.raises(
        NotFoundError, match=r"channel 405 is not shown. Expected one of"
    ):
        layers.image_of("405")


def test_a_crop_becomes_a_layer(pair):
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    with pytest.raises(StateError, match="no channel is visible"):
        layers.crop((30, 100, 120))
    source = layers.add(pair[0][0])
    source.contrast_limits = (120, 500)
    place = np.array((30, 100, 120)) * VOXEL
    (layer,) = layers.crop(place, (8, 32, 32))
    assert layer.name == "488 · crop"
    assert layer.contrast_limits == [120, 500]
    assert tuple(layer.data.shape) == (8, 32, 32)
    assert layer in layers.layers
    # its voxels lie on those of the channel, to the last bit of half a voxel
    first = np.array(source.world_to_data(layer.data_to_world((0, 0, 0))))
    np.testing.assert_allclose(first, (26, 84, 104), atol=1e-9)
    np.testing.assert_array_equal(layer.data, pair[0][1][0][26:34, 84:116, 104:136])


def test_a_crop_of_a_coarse_level_lies_where_its_voxels_are(pair):
    layers = ImageLayers(ViewerModel())
    source = layers.add(pair[0][0])
    (layer,) = layers.crop(np.array((30, 100, 120)) * VOXEL, (8, 32, 32), level=1)
    first = np.array(source.world_to_data(layer.data_to_world((0, 0, 0))))
    voxel = (first - 0.5) / 2  # the first two voxels of level 0 have their centre there
    np.testing.assert_allclose(voxel, np.round(voxel), atol=1e-9)
    z, y, x = np.round(voxel).astype(int)
    np.testing.assert_array_equal(
        layer.data, pair[0][1][1][z : z + 4, y : y + 16, x : x + 16]
    )


def test_each_channel_is_cropped_at_the_same_place(tmp_path, pair, monkeypatch):
    other = pair[1][0]
    level = replace(
        other.pyramid.levels[0], scale=(2.0, 0.48, 0.48), translate=(1.0, 0, 0)
    )
    levels = (level, *other.pyramid.levels[1:])
    monkeypatch.setattr(other, "pyramid", replace(other.pyramid, levels=levels))
    layers = ImageLayers(ViewerModel())
    for image, _ in pair:
        layers.add(image)
    place = np.array((31.0, 24.0, 24.0))  # um
    for layer, image in zip(
        layers.crop(place, (8, 32, 32)), (pair[0][0], other), strict=True
    ):
        middle = layer.data_to_world((np.array(layer.data.shape) - 1) / 2)
        assert (np.abs(middle - place) <= image.scale).all()


def test_closing_reads_nothing_more(pair, gate):
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    layers.add(pair[0][0])
    layers.close()
    layers.close()
    window.turn()
    assert window.asked == []
    layers.retry()
    assert "napari-seespot-loading" not in viewer.canvas.overlays


def test_a_layer_that_the_user_removed(pair):
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    layer = layers.add(pair[0][0])
    viewer.layers.remove(layer)
    assert layers.screen.images == ()
    window.turn()
    again = layers.add(pair[0][0])
    assert again is not layer
    viewer.layers.remove(again)
    viewer.add_layer(layer)  # by undo, or a script
    viewer.dims.point = (40, 0, 0)
    np.testing.assert_array_equal(shown(layer), true_plane(layer, pair[0][1]))
    layers.close()


def test_a_level_that_the_user_locked_stays(pair):
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layer = layers.add(pair[0][0])
    layer.locked_data_level = 1
    layers.add(pair[1][0]).visible = False
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert layer.locked_data_level == 1


@pytest.mark.parametrize(("painting", "turns"), [(0.01, 3), (0.5, 2)])
def test_where_painting_takes_long_more_layers_are_drawn_a_turn(
    pair, monkeypatch, painting, turns
):
    """A layer takes 20 ms here: two fit into a turn, or five where painting is slow."""
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    for image, _ in pair:
        layers.add(image)
    window.settle(layers)
    window.turn()
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)

    class Slow:
        stale = visible = True

        def refresh(self, **_):
            nonlocal now
            now += 0.02

    for _ in range(2):  # the first time it is not known how long painting takes
        layers._queue.update({Slow(): False for _ in range(5)})
        layers.viewer = SimpleNamespace(layers=[*layers._queue])
        layers._drawn()
        count = 0
        while layers._queue:
            window.turn()
            now += painting
            count += 1
    assert count <= turns
    assert painting > 0.1 or count == 3
    monkeypatch.undo()
    layers.viewer = viewer
    layers.close()
