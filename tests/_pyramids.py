"""Small image pyramids on disk, a window that turns by hand, and a gate for chunks."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import zarr
from numcodecs import Blosc

from napari_seespot._chunk_reader import reader
from napari_seespot._zarr_store import Folder
from napari_seespot.images import ChannelImage
from napari_seespot.screen import Screen

SHAPE = (64, 256, 256)
DEEP = (96, 512, 512)
PLANE = (slice(0, 512), slice(0, 512))  # of it
VOXEL = (1.0, 0.24, 0.24)


class Gate:
    """Chunks are read while it is open; lists what was asked for.

    `held` are beginnings of keys that wait even so.
    """

    def __init__(self, monkeypatch):
        self.reads, self.held = [], ()  # folder and key of each request
        self._open = threading.Event()
        self._open.set()
        read = Folder.read_now

        def gated(folder, key, span=None):
            self.reads.append((folder, key))
            self._open.wait(20)
            while self.held and key.startswith(self.held):
                time.sleep(0.005)
            return read(folder, key, span)

        monkeypatch.setattr(Folder, "read_now", gated)

    @property
    def keys(self):
        return [key for _, key in list(self.reads)]

    def set(self):
        self._open.set()
        self.held = ()

    def clear(self):
        self._open.clear()

    def begun(self):
        """Wait until no more is asked for; return what was."""
        before = -1
        while before != len(self.reads) or not self.reads:
            before = len(self.reads)
            time.sleep(0.2)
        return self.keys

    def places(self):
        """Return level and z chunk of what was asked for, each once."""
        return {tuple(key.split("/")[:2]) for key in self.keys}


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
        end = time.monotonic() + 20
        while not layers.screen.resting or layers._contrast.busy:
            assert time.monotonic() < end
            self.turn()
            layers._on_sliced()
            time.sleep(0.01)


def until(true):
    """Wait until something is true."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def noise(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.gamma(2.0, 40.0, shape) + 100).astype("uint16")


def pattern(shape):
    """Return voxels of which any two near each other differ."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (z * 531 + y * 37 + x * 3 + 100).astype("uint16")


def write(folder, channel, labels=False, levels=3, values=None):
    """Write a pyramid; return its image, and the voxels of each level."""
    path = folder / f"channel_{channel}.zarr"
    if values is None:
        values = noise(SHAPE, int(channel) if channel.isdigit() else 0)
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


def shown(layer):
    return np.asarray(layer._slice.image.view)


def true_plane(layer, stored):
    """Return the voxels under the plane of level 0 that a layer is sliced at."""
    level, corners = layer.data_level, layer.corner_pixels
    z = round(layer._slice_input.world_slice.point[0]) // 2**level
    (y0, x0), (y1, x1) = corners[0, 1:], corners[1, 1:] + 1
    return stored[level][z, y0:y1, x0:x1]


class Looking:
    """A screen without napari: layers that are told what to show."""

    def __init__(self, images, waits=False):
        self.screen = Screen(waits=waits)
        self.images = images
        for image in images:
            self.screen.views(image)
            layer = SimpleNamespace(visible=True, data_level=0)
            self.screen.show(image, layer)

    def at(self, z, level=0, y=PLANE[0], x=PLANE[1]):
        """Slice all layers as napari does; return what they show."""
        region = (slice(z, z + 1), y, x)
        for image in self.images:
            self.screen.layer_of(image).data_level = level
        return [self.screen.picture(i.arrays[level], region) for i in self.images]

    def settle(self, z, **where):
        """Look until all is there, and what is read ahead too."""
        pictures = self.at(z, **where)

        def rests():
            nonlocal pictures
            if self.screen.poll().refresh:
                pictures = self.at(z, **where)
            return self.screen.resting

        until(rests)
        return pictures

    def settle_all(self, z, **where):
        pictures = self.settle(z, **where)
        until(lambda: not reader().pool.busy)
        return pictures
