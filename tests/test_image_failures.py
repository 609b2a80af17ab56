"""Parts of images that cannot be read: told once, crossed out, and retried."""

from __future__ import annotations

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from tests._pyramids import DEEP, Looking, Window, pattern, shown, true_plane, write

from napari_seespot import _chunk_reader, _requests, _zarr_store
from napari_seespot._chunk_reader import reader
from napari_seespot.image_layers import ImageLayers
from napari_seespot.images import ChannelImage


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_requests, "FIRST_PAUSE", 0.01)
    reader().clear()
    yield
    reader().clear()


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
        if fault is None or not re.search(self.server.where, self.path):
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
        server.where = r"488\.zarr/\d(/\d+)+$"
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.fault = None
        server.shutdown()


@pytest.mark.parametrize("fault", [403, 503, 429, 500, "lost", "drip", "rubbish"])
def test_a_failing_server(faulty, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(_zarr_store, "OBJECT_SECONDS", 0.5)
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


def test_stuck_requests_hold_up_a_jump_no_longer_than_the_time_limit(
    faulty, tmp_path, monkeypatch
):
    monkeypatch.setattr(_chunk_reader, "CHUNK_SECONDS", 2.5)
    _, stored = write(tmp_path, "488", values=pattern(DEEP))
    address = f"http://127.0.0.1:{faulty.server_port}/channel_488.zarr"
    image = ChannelImage.open(address, channel="488")
    reader().clear()
    looking = Looking([image])
    faulty.where = r"488\.zarr/0/0/"
    faulty.fault = "drip"
    looking.at(5)  # more chunks than threads
    time.sleep(0.2)
    (picture,) = looking.settle(70)
    np.testing.assert_array_equal(picture[0], stored[0][70])
    looking.screen.close()


def spoil(path):
    """Cut a chunk's file off; return what mends it."""
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    return lambda: path.write_bytes(good)


def test_a_failing_mask_is_told_as_one_and_retried(tmp_path):
    image, stored = write(tmp_path, "cells", labels=True)
    mend = spoil(tmp_path / "channel_cells.zarr" / "2" / "0" / "0" / "0")
    reader().clear()
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    before = len(notification_manager.records)
    layer = layers.add(image)
    viewer.dims.point = (8, 0, 0)
    window.settle(layers)
    window.turn()
    (told,) = notification_manager.records[before:]
    assert told.message.startswith("Mask cells: parts of the image could not be read")
    assert (layer._slice.image.raw == 0).all()
    assert viewer.layers["Unreadable"].visible
    mend()
    told.actions[0][1]()
    window.settle(layers)
    window.turn()
    np.testing.assert_array_equal(layer._slice.image.raw, true_plane(layer, stored))
    assert not viewer.layers["Unreadable"].visible
    layers.close()


@pytest.mark.parametrize("deferred", [False, True])
def test_contrast_is_found_after_a_retry(tmp_path, deferred):
    write(tmp_path, "488")
    mend = spoil(tmp_path / "channel_488.zarr" / "2" / "0" / "0" / "0")
    reader().clear()
    image = ChannelImage.open(tmp_path / "channel_488.zarr", channel="488")
    assert image.contrast_limits == (0, 65535)
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer if deferred else None)
    layer = layers.add(image)
    if deferred:
        window.settle(layers)
    assert layer.contrast_limits == [0, 65535]
    layers.retry()  # it fails again
    if deferred:
        window.settle(layers)
    assert layer.contrast_limits == [0, 65535]
    mend()
    layers.retry()
    if deferred:
        window.settle(layers)
    assert layer.contrast_limits == list(image.contrast_limits)
    assert layer.contrast_limits[1] < 2000
    layer.contrast_limits = (1, 2)
    layers.retry()
    if deferred:
        window.settle(layers)
    assert layer.contrast_limits == [1, 2]
    layers.close()


def test_marks_are_of_the_level_in_view_only(tmp_path):
    image, _ = write(tmp_path, "488")
    spoil(tmp_path / "channel_488.zarr" / "0" / "0" / "1" / "1")
    reader().clear()
    window, viewer = Window(), ViewerModel()
    layers = ImageLayers(viewer, window.defer)
    layer = layers.add(image)
    layer.locked_data_level = 0
    window.settle(layers)
    window.turn()
    (failed,) = layers.screen.failed_regions()
    assert failed[1].level == 0
    layer.locked_data_level = 2
    window.settle(layers)
    window.turn()
    assert not list(layers.screen.failed_regions())
    assert not viewer.layers["Unreadable"].visible
    layers.close()
