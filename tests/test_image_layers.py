"""Image layers: never waiting in a window, true in the end, honest about failures."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from numcodecs import Blosc

from napari_seespot import _requests, _zarr_store, looks
from napari_seespot._chunk_reader import reader
from napari_seespot._zarr_store import Folder
from napari_seespot.crops import crop, level_for_volume
from napari_seespot.errors import ImageError, NotFoundError, StateError
from napari_seespot.image_layers import ImageLayers
from napari_seespot.images import ChannelImage

SHAPE = (64, 256, 256)
VOXEL = (1.0, 0.24, 0.24)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_requests, "FIRST_PAUSE", 0.01)
    reader().clear()
    yield
    reader().clear()


@pytest.fixture
def gate(monkeypatch):
    """Chunks are read while it is open; lists what was asked for."""
    opened = threading.Event()
    opened.set()
    opened.keys = []
    read = Folder.read_now

    def gated(self, key, span=None):
        opened.keys.append(key)
        opened.wait(20)
        return read(self, key, span)

    monkeypatch.setattr(Folder, "read_now", gated)
    yield opened
    opened.set()


class Window:
    """Puts updates off until the test turns the loop."""

    def __init__(self):
        self.asked = []

    def defer(self, update, _delay_ms):
        return lambda: self.asked.append(update)

    def turn(self):
        asked, self.asked[:] = list(self.asked), []
        for update in asked:
            update()

    def settle(self, layers):
        end = time.monotonic() + 10
        while not layers.screen.resting:
            assert time.monotonic() < end
            self.turn()
            layers._on_sliced()
            time.sleep(0.01)


def write(folder, channel, labels=False, levels=3):
    path = folder / f"channel_{channel}.zarr"
    rng = np.random.default_rng(int(channel) if channel.isdigit() else 0)
    values = (rng.gamma(2.0, 40.0, SHAPE) + 100).astype("uint16")
    datasets, stored = [], []
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    for n in range(levels):
        size = [v * 2**n for v in VOXEL]
        shift = [v * (2**n - 1) / 2 for v in VOXEL]
        steps = [{"type": "scale", "scale": size}]
        steps.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(n), "coordinateTransformations": steps})
    document = {"multiscales": [{"axes": axes, "datasets": datasets}]}
    zarr.create_group(path, zarr_format=2, attributes=document)
    for n in range(levels):
        array = zarr.create_array(
            path, name=str(n), shape=values.shape, dtype="uint16", zarr_format=2,
            chunks=(32, 64, 64), compressors=Blosc("zstd", 1, Blosc.SHUFFLE),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )  # fmt: skip
        array[...] = values
        stored.append(values)
        values = values[::2, ::2, ::2]
    kind = "labels" if labels else "image"
    image = ChannelImage.open(path, channel=channel, kind=kind)
    _ = image.contrast_limits  # as `open_images` does, in a worker
    return image, stored


@pytest.fixture
def pair(tmp_path):
    return [write(tmp_path, channel) for channel in ("488", "514")]


def shown(layer):
    return np.asarray(layer._slice.image.view)


def true_plane(layer, stored):
    level, corners = layer.data_level, layer.corner_pixels
    z = round(layer._slice_input.world_slice.point[0]) // 2**level
    (y0, x0), (y1, x1) = corners[0, 1:], corners[1, 1:] + 1
    return stored[level][z, y0:y1, x0:x1]


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
    gate.keys.clear()
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


def test_what_left_the_view_is_not_read(pair, gate):
    image, _ = pair[0]
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    layers.add(image)
    window.settle(layers)
    gate.clear()
    for z in range(0, 64, 32):
        for y in range(0, 256, 64):
            region = (slice(z, z + 1), slice(y, y + 64), slice(0, 256))
            layers.screen.picture(image.arrays[0], region)
    screen = layers.screen._shown[image]
    assert reader().pool.pending(screen.owner(0)) >= 4
    begun = sum(task.running for task in reader().pool._tasks.values())
    assert len(reader().pool._tasks) <= max(begun, 32) + 4
    gate.set()
    window.settle(layers)


def test_a_step_in_z_makes_no_request(pair, gate):
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    for image, _ in pair:
        layers.add(image)
    viewer.dims.point = (8, 0, 0)
    window.settle(layers)
    while reader().pool.busy:
        time.sleep(0.01)
    gate.keys.clear()
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


def test_failures_are_told_once_crossed_out_and_retried(tmp_path):
    image, stored = write(tmp_path, "488")
    victims = sorted((tmp_path / "channel_488.zarr" / "2").rglob("0/0/0"))
    good = victims[0].read_bytes()
    victims[0].write_bytes(good[: len(good) // 2])
    reader().clear()
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    before = len(notification_manager.records)
    layer = layers.add(image)
    viewer.dims.point = (2, 0, 0)
    window.settle(layers)
    window.turn()
    told = notification_manager.records[before:]
    assert len(told) == 1
    assert "Channel 488: parts of the image could not be read" in told[0].message
    assert (shown(layer) == 0).all() or layer.data_level != 2
    (marks,) = (one for one in viewer.layers if one.name == "Unreadable")
    assert marks.visible
    assert len(marks.data) == 6
    # the frame of the whole level, which is one chunk: half a voxel around it
    np.testing.assert_allclose(marks.data[0][0][1:], [-0.12, -0.12])
    np.testing.assert_allclose(
        marks.data[:, 0].max(axis=0)[1:], [256 * 0.24 - 0.12] * 2
    )
    viewer.dims.point = (4, 0, 0)
    window.settle(layers)
    assert len(notification_manager.records) == before + 1
    victims[0].write_bytes(good)
    told[0].actions[0][1]()
    window.settle(layers)
    window.turn()
    np.testing.assert_array_equal(shown(layer), true_plane(layer, stored))
    assert not marks.visible
    assert image.failures == set()


class FaultyHandler(BaseHTTPRequestHandler):
    """Serves a folder; chunks of channel 488 as badly as the server is told to."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Keep the output of the tests clean."""

    def do_GET(self):
        fault = self.server.fault
        if fault is None or not re.search(r"488\.zarr/\d(/\d+)+$", self.path):
            path = self.server.folder / self.path.lstrip("/")
            found = path.is_file()
            self.answer(200 if found else 404, path.read_bytes() if found else b"")
        elif isinstance(fault, int):
            self.answer(fault, b"SlowDown")
        elif fault == "lost":
            self.close_connection = True
        elif fault == "rubbish":
            self.answer(200, b"no frame of any codec" * 9)
        else:
            self.drip()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        """Send a byte now and then, so that no single read takes long."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        try:
            while self.server.fault == "drip":
                self.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:  # the reader has had enough
            return


@pytest.fixture
def faulty(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), FaultyHandler) as server:
        server.folder, server.fault = tmp_path, None
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.fault = None
        server.shutdown()


@pytest.mark.parametrize("fault", [403, 503, 429, 500, "lost", "drip", "rubbish"])
def test_a_failing_server(faulty, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(_zarr_store, "CHUNK_SECONDS", 0.5)
    pairs = []
    for channel in ("488", "514"):
        _, stored = write(tmp_path, channel)
        address = f"http://127.0.0.1:{faulty.server_port}/channel_{channel}.zarr"
        image = ChannelImage.open(address, channel=channel)
        _ = image.contrast_limits
        pairs.append((image, stored))
    reader().clear()
    faulty.fault = fault
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    before = len(notification_manager.records)
    bad, good = (layers.add(image) for image, _ in pairs)
    viewer.dims.point = (8, 0, 0)
    window.settle(layers)
    viewer.dims.point = (40, 0, 0)
    window.settle(layers)
    window.turn()
    (told,) = notification_manager.records[before:]
    assert told.message.startswith("Channel 488: parts of the image could not be read")
    assert (shown(bad) == 0).all()
    np.testing.assert_array_equal(shown(good), true_plane(good, pairs[1][1]))
    assert viewer.layers["Unreadable"].visible
    assert not pairs[1][0].failures
    faulty.fault = None
    told.actions[0][1]()
    window.settle(layers)
    window.turn()
    np.testing.assert_array_equal(shown(bad), true_plane(bad, pairs[0][1]))
    assert not viewer.layers["Unreadable"].visible
    assert len(notification_manager.records) == before + 1
    layers.close()


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


def test_a_look_is_kept_and_used_again(pair, tmp_path):
    layers = ImageLayers(ViewerModel())
    for image, _ in pair:
        layers.add(image)
    one = layers.channels["488"]
    one.contrast_limits, one.gamma, one.colormap = (110, 333), 0.7, "magma"
    path = looks.save_look(tmp_path / "look.json", looks.look_of(layers.channels))
    colors = one.colormap.colors.copy()
    one.contrast_limits, one.gamma, one.colormap = (0, 9), 1.0, "gray"
    one.visible = False
    assert looks.apply_look(layers.channels, looks.load_look(path)) == ()
    assert (one.contrast_limits, one.gamma, one.visible) == ([110, 333], 0.7, True)
    np.testing.assert_allclose(one.colormap.colors, colors)
    look = looks.load_look(path)
    del look["channels"]["514"]
    assert looks.apply_look(layers.channels, look) == ("514",)
    look["channels"]["488"]["gamma"] = "wide"
    with pytest.raises(StateError, match="channel 488 cannot be shown with gamma"):
        looks.apply_look(layers.channels, look)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a look"),
        ('{"kind": "other", "channels": {}}', "is not a look"),
        (
            json.dumps({"kind": "napari-seespot look", "version": 9, "channels": {}}),
            "version 9",
        ),
        (
            json.dumps({"kind": "napari-seespot look", "channels": {"1": {"data": 1}}}),
            "is not a look",
        ),
    ],
)
def test_what_is_no_look(tmp_path, text, message):
    path = tmp_path / "look.json"
    path.write_text(text)
    with pytest.raises(StateError, match=message):
        looks.load_look(path)
    with pytest.raises(StateError, match="cannot be read"):
        looks.load_look(tmp_path / "none.json")


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


def test_a_crop_becomes_a_layer(pair):
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    with pytest.raises(StateError, match="no channel is visible"):
        layers.crop((30, 100, 120))
    source = layers.add(pair[0][0])
    source.contrast_limits = (120, 500)
    (layer,) = layers.crop((30, 100, 120), (8, 32, 32))
    assert layer.name == "488 · crop"
    assert layer.contrast_limits == [120, 500]
    assert tuple(layer.data.shape) == (8, 32, 32)
    assert layer in layers.layers


def test_volumes_show_the_finest_level_that_can_be_drawn(pair, monkeypatch):
    image = pair[0][0]
    sizes = [array.shape[0] * array.shape[1] * array.shape[2] for array in image.arrays]
    assert level_for_volume(image, sizes[0]) == 0
    assert level_for_volume(image, sizes[1]) == 1
    assert level_for_volume(image, 10) == 2
    monkeypatch.setattr("napari_seespot.crops.TEXTURE_LIMIT", 128)
    assert level_for_volume(image, sizes[0]) == 1
    viewer = ViewerModel()
    layers = ImageLayers(viewer)
    layer = layers.add(image)
    viewer.dims.ndisplay = 3
    assert layer.locked_data_level == 1
    assert shown(layer).shape == (32, 128, 128)
    viewer.dims.ndisplay = 2
    assert layer.locked_data_level is None


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
    window.turn()
    assert layers.screen.images == ()
    assert layers.add(pair[0][0]) is not layer
    layers.close()
