"""What is in view: held whatever the cache keeps, read once, and nothing else read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from napari.components import ViewerModel
from tests._pyramids import (
    DEEP,
    PLANE,
    Gate,
    Looking,
    Window,
    pattern,
    shown,
    until,
    write,
)

from napari_seespot import _requests
from napari_seespot._chunk_reader import reader
from napari_seespot.image_layers import ImageLayers

CHUNKS = 64  # of a plane of level 0
CHUNK_MB = 32 * 64 * 64 * 2 / 1e6


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


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Two channels of 3 x 8 x 8 chunks, and the voxels of their levels."""
    folder = tmp_path_factory.mktemp("deep")
    images = [write(folder, c, values=pattern(DEEP)) for c in ("488", "514")]
    return [image for image, _ in images], images[0][1]


def cache_of(monkeypatch, megabytes):
    monkeypatch.setenv("NAPARI_SEESPOT_CHUNKS_MB", f"{megabytes:.3f}")


# --- what is in view stays


def test_a_view_larger_than_the_cache_comes_to_rest(deep, gate, monkeypatch):
    images, stored = deep
    cache_of(monkeypatch, 20 * CHUNK_MB)  # of 128 in view
    looking = Looking(images)
    for z in (5, 6):
        gate.reads.clear()
        for picture in looking.settle(z):
            np.testing.assert_array_equal(picture[0], stored[0][z])
        reads = Counter(gate.reads)
        assert len(reads) >= CHUNKS
        assert [key for key, times in reads.items() if times > 1] == []
    looking.screen.close()


def test_layers_larger_than_the_cache_become_sharp(deep, gate, monkeypatch):
    images, stored = deep
    cache_of(monkeypatch, 20 * CHUNK_MB)
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    for image in images:
        layers.add(image).locked_data_level = 0
    viewer.dims.point = (40, 0, 0)
    window.settle(layers)
    window.turn()
    for layer in layers.channels.values():
        np.testing.assert_array_equal(shown(layer), stored[0][40])
    gate.reads.clear()
    for layer in layers.channels.values():
        layer.refresh()
    assert gate.keys == []
    layers.close()


def test_panning_reads_only_what_comes_into_view(deep, gate, monkeypatch):
    images, stored = deep
    cache_of(monkeypatch, 2 * CHUNK_MB)
    looking = Looking(images[:1])
    looking.settle(5, x=slice(0, 256))
    gate.reads.clear()
    (picture,) = looking.settle(5, x=slice(64, 320))
    np.testing.assert_array_equal(picture[0], stored[0][5][:, 64:320])
    fine = [key for key in gate.keys if key.startswith("0/")]
    assert sorted(fine) == [f"0/0/{y}/4" for y in range(8)]
    looking.screen.close()


def test_the_reader_is_told_how_much_is_in_view(deep):
    images, _ = deep
    looking, claims = Looking(images), reader()._claims
    others = set(claims)
    looking.settle(5)
    mine = set(claims) - others
    assert len(mine) == 2
    assert all(claims[one] >= CHUNKS * CHUNK_MB * 1e6 for one in mine)
    looking.screen.layer_of(images[0]).visible = False
    looking.screen.poll()
    assert len(set(claims) - others) == 1
    looking.screen.close()
    assert set(claims) == others


# --- what is not in view is not read


def test_what_left_the_view_is_not_read(deep, gate):
    looking = Looking(deep[0][:1])
    looking.settle_all(5, level=2, y=slice(0, 128), x=slice(0, 128))
    gate.reads.clear()
    gate.clear()
    looking.at(5)
    begun = gate.begun()
    assert 0 < len(begun) < CHUNKS
    looking.at(70)
    gate.set()
    looking.settle_all(70)
    left = [key for key in gate.keys if key.startswith("0/0/")]
    assert len(left) <= len(begun)
    seen = [key for key in gate.keys if key.startswith("0/2/")]
    assert len(seen) == CHUNKS
    looking.screen.close()


def test_zooming_out_lets_go_of_the_finer_level(deep, gate):
    images, stored = deep
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    layer = layers.add(images[0])
    viewer.dims.point = (5, 0, 0)
    window.settle(layers)
    until(lambda: not reader().pool.busy)
    gate.reads.clear()
    gate.clear()
    layer.locked_data_level = 0
    begun = gate.begun()
    assert 0 < len(begun) < CHUNKS
    layer.locked_data_level = 2
    gate.set()
    window.settle(layers)
    until(lambda: not reader().pool.busy)
    assert len([key for key in gate.keys if key.startswith("0/")]) <= len(begun)
    in_view = layers.screen.values_in_view(images[0])
    np.testing.assert_array_equal(in_view[0], stored[2][1])
    layers.close()


def test_a_removed_layer_is_read_no_more_as_a_sibling(tmp_path, gate):
    images = [write(tmp_path, channel)[0] for channel in ("488", "514")]
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    one, other = (layers.add(image) for image in images)
    window.settle(layers)
    until(lambda: not reader().pool.busy)
    gate.reads.clear()
    viewer.layers.remove(other)
    one.locked_data_level = 0
    window.settle(layers)
    assert {folder for folder, _ in gate.reads} == {images[0].folder}
    layers.close()


# --- coarse first


def test_the_coarsest_level_is_asked_for_with_the_first(deep, gate):
    looking = Looking(deep[0][:1])
    gate.held = ("0/", "1/")
    (picture,) = looking.at(5)
    until(lambda: looking.screen.poll().refresh)
    (picture,) = looking.at(5)
    rows = np.arange(512) // 4
    np.testing.assert_array_equal(picture[0], deep[1][2][1][np.ix_(rows, rows)])
    looking.screen.close()


def test_a_coarse_plane_is_the_one_below_the_place(tmp_path):
    values = np.empty((64, 128, 128), "uint16")
    values[...] = np.arange(64)[:, None, None] + 100  # tells its plane
    image, _ = write(tmp_path, "488", values=values)
    for window in (None, Window()):
        viewer = ViewerModel()
        layers = ImageLayers(viewer, window and window.defer)
        layer = layers.add(image)
        for level in (1, 2):
            layer.locked_data_level = level
            for z in (0, 1, 2, 3, 4, 5, 6, 7, 33, 62, 63):
                viewer.dims.point = (z, 0, 0)
                if window:
                    window.settle(layers)
                    window.turn()
                plane = (int(shown(layer)[0, 0]) - 100) // 2**level
                assert plane == z // 2**level
        layers.close()


def test_a_coarse_plane_across_y(tmp_path):
    values = np.empty((64, 128, 128), "uint16")
    values[...] = np.arange(128)[:, None] + 100
    image, _ = write(tmp_path, "488", values=values)
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layer = layers.add(image)
    layer.locked_data_level = 1
    viewer.dims.order = (1, 0, 2)
    for y in range(8):
        viewer.dims.point = (0, y * 0.24, 0)
        assert (int(shown(layer)[0, 0]) - 100) // 2 == y // 2
    layers.close()


# --- reading ahead


@pytest.mark.parametrize(
    ("before", "z", "ahead"),
    [(5, 40, {("0", "2"), ("1", "0")}), (70, 40, {("0", "0"), ("1", "0")})],
    ids=["forwards", "backwards"],
)
def test_the_next_planes_are_read_in_the_direction_of_travel(
    deep, gate, before, z, ahead
):
    looking = Looking(deep[0][:1])
    view = {"y": slice(0, 128), "x": slice(0, 128)}
    looking.settle_all(before, **view)
    reader().clear()
    looking.settle(z, **view)
    asked = {("0", str(z // 32)), ("2", "0")}  # the coarsest shows meanwhile
    until(lambda: not reader().pool.busy)
    assert gate.places() >= asked | ahead
    gate.reads.clear()
    looking.settle(z + (24 if before < z else -24), **view)
    assert gate.keys == []
    looking.screen.close()


def test_what_was_read_ahead_goes_no_further_than_needed(deep, gate):
    looking = Looking(deep[0][:1])
    gate.held = ("0/1/",)
    looking.settle(5)
    until(lambda: any(key.startswith("0/1/") for key in gate.keys))
    begun = [key for key in gate.begun() if key.startswith("0/1/")]
    assert len(begun) < CHUNKS
    looking.at(5, level=2, y=slice(0, 128), x=slice(0, 128))
    gate.held = ()
    looking.settle(5, level=2, y=slice(0, 128), x=slice(0, 128))
    until(lambda: not reader().pool.busy)
    assert len([key for key in gate.keys if key.startswith("0/1/")]) == len(begun)
    looking.screen.close()


@pytest.mark.parametrize("room", [0, 10])
def test_reading_ahead_pushes_nothing_out_that_is_in_view(
    deep, gate, monkeypatch, room
):
    image = deep[0][0]
    coarse = 4  # chunks of the coarsest level
    cache_of(monkeypatch, (CHUNKS + coarse + room + 0.5) * CHUNK_MB)
    looking = Looking([image])
    looking.settle_all(5)
    ahead = [key for key in gate.keys if key.startswith(("0/1/", "1/"))]
    assert 0 < len(ahead) <= room + coarse if room else len(ahead) <= coarse
    wants = reader().wants(image.arrays[0], (slice(5, 6), *PLANE))
    assert all(reader().known(want) for want in wants)
    looking.screen.close()
