"""Boxes read together: as many requests as may be, given up when nobody waits."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc

import napari_seespot as nss
from napari_seespot import _chunk_reader
from napari_seespot._box_reading import BoxOf, read_boxes
from napari_seespot._chunk_cache import Piece
from napari_seespot._chunk_reader import reader
from napari_seespot._reading_pool import THREADS, Urgency
from napari_seespot._zarr_store import Folder
from napari_seespot.errors import CancelledError
from napari_seespot.evidence import crops
from napari_seespot.gallery import strips
from napari_seespot.images import ChannelImage


@pytest.fixture
def dataset(sample_folder):
    """Return the sample with all images opened and nothing kept of their pixels."""
    dataset = nss.open_dataset(sample_folder, cache=False)
    for channel in dataset.channels:
        _ = dataset.images[channel]
    return dataset


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Give each test a reader of its own: a pool without threads of others."""
    monkeypatch.setattr(_chunk_reader, "_shared", {})
    yield
    assert idle()


class SlowStore:
    """Lets requests wait, and counts how many do so at the same time."""

    def __init__(self, monkeypatch, enough):
        self.enough = enough
        self.most = self.now = self.asked = 0
        self.release = threading.Event()
        self._lock = threading.Lock()
        self._read = read = Folder.read_now
        store = self

        def slow(folder, key, span=None):
            store._wait()
            return read(folder, key, span)

        monkeypatch.setattr(Folder, "read_now", slow)

    def _wait(self):
        with self._lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now >= self.enough:
                self.release.set()
        self.release.wait(5)
        with self._lock:
            self.now -= 1


def middle(dataset):
    """Return the row nearest to where four columns of chunks meet."""
    frame = dataset.spots.to_pandas()
    _, height, width = dataset.images["488"].arrays[0].chunks
    away = (frame["y"] - height).abs() + (frame["x"] - width).abs()
    return int(away.argmin())


def test_all_requests_of_a_spot_are_on_the_way_at_once(dataset, monkeypatch):
    row = middle(dataset)
    wanted = 4 * len(dataset.channels)  # with two threads of dask: 2
    store = SlowStore(monkeypatch, wanted)
    found, problems = crops(dataset, row, radius=40, radius_z=3)
    assert store.most >= wanted
    assert not problems
    assert set(found) == set(dataset.channels)


def test_a_gallery_asks_for_all_its_chunks_at_once(dataset, monkeypatch):
    # each of them once, however many spots lie in it
    store = SlowStore(monkeypatch, 20)
    found = strips(dataset, np.arange(200), 4)
    assert store.most == 20
    assert not found.unread.any()


@pytest.fixture
def level(tmp_path):
    """Return an array of 64 small chunks."""
    values = np.arange(32 * 64 * 64, dtype=np.uint32).reshape(32, 64, 64)
    return written(tmp_path / "small.zarr", values, (8, 16, 16))


def written(path, values, chunks):
    axes = [{"name": a, "type": "space"} for a in "zyx"]
    document = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    zarr.create_group(path, zarr_format=2, attributes=document)
    array = zarr.create_array(
        path, name="0", shape=values.shape, dtype=values.dtype, chunks=chunks,
        zarr_format=2, chunk_key_encoding={"name": "v2", "separator": "/"},
        compressors=Blosc("zstd", 3, Blosc.SHUFFLE),
    )  # fmt: skip
    array[:] = values
    return ChannelImage.open(path, channel="488").arrays[0]


def test_who_gives_up_waits_for_nothing_and_asks_no_more(level, monkeypatch):
    store = SlowStore(monkeypatch, 10_000)
    polls = []

    def cancelled():
        polls.append(store.now)
        return store.now == THREADS

    with pytest.raises(CancelledError):
        read_boxes([BoxOf(level, (0, 0, 0), level.shape)], cancelled=cancelled)
    assert len(polls) > 1
    assert store.asked == THREADS
    store.release.set()
    assert idle()
    assert store.asked == THREADS  # of 64


def idle():
    end = time.monotonic() + 20
    while reader().pool.busy and time.monotonic() < end:
        time.sleep(0.01)
    return not reader().pool.busy


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_boxes_hold_the_voxels(tmp_path_factory, data):
    values = np.arange(20 * 30 * 40, dtype=np.uint16).reshape(20, 30, 40)
    path = tmp_path_factory.getbasetemp() / "voxels.zarr"
    if path.exists():
        array = ChannelImage.open(path, channel="488").arrays[0]
    else:
        array = written(path, values, (8, 16, 16))
    padded = np.pad(values, 60)
    reader().clear()
    count = data.draw(st.integers(1, 6))
    boxes = []
    for _ in range(count):
        low = tuple(data.draw(st.integers(-15, 45)) for _ in range(3))
        size = tuple(data.draw(st.integers(1, 15)) for _ in range(3))
        boxes.append(BoxOf(array, low, size))
    for box, pixels in zip(boxes, read_boxes(boxes), strict=True):
        z, y, x = (
            slice(low + 60, low + size + 60)
            for low, size in zip(box.low, box.size, strict=True)
        )
        assert (pixels.values == padded[z, y, x]).all()
        inside = np.zeros(box.size, bool)
        inside[pixels.inside] = True
        assert (inside == (np.pad(np.ones(values.shape), 60)[z, y, x] > 0)).all()


def test_crops_are_given_up_while_they_are_read(dataset, monkeypatch):
    store = SlowStore(monkeypatch, 10_000)
    assert crops(dataset, 5, cancelled=lambda: store.now > 0) == ({}, {})
    store.release.set()


def test_a_task_of_another_asker_with_other_planes(tmp_path):
    """A task that was joined may bring another block of the chunk."""
    rng = np.random.default_rng(0)
    values = (rng.gamma(2.0, 40.0, (64, 128, 128)) + 100).astype("uint16")
    level = written(tmp_path / "a.zarr", values, (64, 128, 128))
    shared = reader()
    release = threading.Event()
    want = shared.wants(level, (slice(1, 3), slice(0, 9), slice(0, 9)))[0]
    piece = level[1:3]

    def part_of_it():
        release.wait(20)
        return Piece(1, np.array(piece))

    shared.clear()
    shared.pool.submit(shared.task_key(want), part_of_it, Urgency.IDLE, "another")
    threading.Timer(0.2, release.set).start()
    (found,) = read_boxes([BoxOf(level, (20, 0, 0), (3, 9, 9))])
    assert (found.values == values[20:23, :9, :9]).all()


def test_boxes_outside_the_image_ask_for_nothing(dataset, monkeypatch):
    store = SlowStore(monkeypatch, 1)
    array = dataset.images["488"].arrays[0]
    far = [(-9, 0, 0), (array.shape[0], 0, 0), (0, -50, 0), (0, 0, array.shape[2])]
    found = read_boxes([BoxOf(array, low, (3, 9, 9)) for low in far])
    assert store.asked == 0
    for pixels in found:
        assert not pixels.values.any()
        assert not pixels.values[pixels.inside].size
        assert not pixels.unread


def test_progress_grows_to_the_end(dataset):
    told = []
    strips(dataset, np.arange(150), 4, progress=lambda share, _text: told.append(share))
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == pytest.approx(1)
