"""One viewer that looks at five channels of a server; prints what it took as JSON.

Run by `images.py` in a process of its own, with this package (``seespot``) or with
the reader that users install today (``napari-ome-zarr``).
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from urllib.request import urlopen

import napari
import numpy as np
from _image_server import BUCKET, CHANNELS, chunk_number, templates
from qtpy.QtWidgets import QApplication

CANVAS = (1000, 800)
ZOOM = 1 / (0.24 * 4)  # one pixel of the screen is a voxel of level 2
JUMP_UM, STEP_UM = 700.0, 4.0
WALK_UM = 16.0  # from one block of a chunk of level 2 to the next
CONTRAST = (100.0, 200.0)
QUIET = 1.0  # s without anything to do


def stats(url: str) -> np.ndarray:
    """Return requests and bytes so far."""
    with urlopen(f"{url}/stats") as answer:
        return np.array(json.loads(answer.read()))


class Watch:
    """Turns the event loop and notes its longest pause."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app = QApplication.instance()

    def run(self, act, layers, pending) -> dict[str, float]:
        """Do something; return what it took until all was there, and sharp."""
        old = {id(layer): middle_row(layer) for layer in layers()}
        before, begin = stats(self.url), time.perf_counter()
        stall, first, done, last = 0.0, None, None, begin
        act()
        while True:
            self.app.processEvents()
            now = time.perf_counter()
            stall, last = max(stall, now - last), now
            shown = layers()
            new = shown and all(is_new(layer, old.get(id(layer))) for layer in shown)
            if first is None and new:
                first = now - begin
            settled = shown and not pending()
            if settled and (done or all(map(is_sharp, shown))):
                done = done or now - begin
                if now - begin - done > QUIET:
                    break
            else:
                done = None
            if now - begin > 180:
                raise TimeoutError(f"not sharp after {now - begin:.0f} s")
            time.sleep(0.002)
        requests, size = stats(self.url) - before
        return {
            "first": first,
            "sharp": done,
            "stall": stall,
            "requests": int(requests),
            "bytes": int(size),
        }


def plane_of(layer):
    """Return what a layer shows, and which voxels of its level these are."""
    view = np.asarray(layer._slice.image.view)
    return view, layer.data_level, layer.corner_pixels


def plane_number(layer, level: int) -> int:
    """Return the plane that a level is to show: napari rounds, this package looks."""
    depth, planes = layer.data[0].shape[-3], layer.data[level].shape[-3]
    point = layer.world_to_data(WORLD["point"])[-3]
    if WORLD["kind"] == "seespot":
        return int((np.round(point) + 0.5) * planes / depth)
    return int(np.clip(np.round(point * planes / depth), 0, planes - 1))


def expected_row(layer, number: int) -> np.ndarray:
    """Return the true voxels of the middle row of what a layer shows."""
    view, level, corners = plane_of(layer)
    z = plane_number(layer, level)
    y = int(corners[0, -2]) + view.shape[-2] // 2
    xs = int(corners[0, -1]) + np.arange(view.shape[-1])
    chunks = [(z // 128, y // 128, int(x) // 128) for x in xs]
    kinds = [chunk_number(CHANNELS[number], level, chunk) for chunk in chunks]
    rows = np.stack([t[z % 128, y % 128] for t in TEMPLATES])
    return rows[kinds, xs % 128]


def middle_row(layer) -> np.ndarray:
    """Return the middle row of what a layer shows."""
    view, _, _ = plane_of(layer)
    return view[view.shape[-2] // 2].copy()


def is_new(layer, before: np.ndarray | None) -> bool:
    """Whether another picture shows than before, be it a coarse one."""
    row = middle_row(layer)
    return bool(row.max() > 0) and not (
        before is not None and before.shape == row.shape and (row == before).all()
    )


def is_sharp(layer) -> bool:
    """Whether the voxels of the right level are all there."""
    view, level, _ = plane_of(layer)
    if level != WORLD["level"]:
        return False
    row = view[view.shape[-2] // 2]
    wanted = expected_row(layer, WORLD["layers"].index(layer))
    return row.shape == wanted.shape and bool((row == wanted).all())


TEMPLATES = templates()
WORLD: dict = {"point": None, "level": 2, "layers": [], "kind": ""}


def look(viewer, z_um: float) -> None:
    """Go to a plane."""
    point = list(viewer.dims.point)
    point[-3] = z_um
    viewer.dims.point = point
    WORLD["point"] = list(viewer.dims.point)


def place(viewer) -> None:
    """Look at the middle, one pixel a voxel of level 2."""
    camera = viewer.scene.camera
    camera.center = (0.0, 1440.0, 1440.0)
    camera.zoom = ZOOM
    look(viewer, 300.0)


def open_seespot(viewer, url: str):
    """Open the channels with this package; return what adds its layers."""
    from napari_seespot._addresses import StorageOptions
    from napari_seespot.image_layers import ImageLayers
    from napari_seespot.images import open_channels
    from napari_seespot.layers import load_units
    from napari_seespot.turns import Turns
    from napari_seespot.widgets._defer import once

    storage = StorageOptions(url, "us-east-1", anonymous=True)
    uris = {c: f"s3://{BUCKET}/channel_{c}.zarr" for c in CHANNELS}
    images, errors = open_channels(uris, storage=storage)
    if errors:
        raise SystemExit(str(errors))
    load_units()  # as `open_images` does
    for image in images.values():
        # the same for both readers, so that it costs neither a request
        image._contrast = CONTRAST

    def add():
        shown, turns = ImageLayers(viewer, once), Turns(once)

        def step(image):
            WORLD["layers"].append(shown.add(image))

        first, *others = images.values()
        step(first)
        turns.add(*(partial(step, image) for image in others))
        return lambda: turns.busy or not shown.screen.resting

    return add


def open_today(viewer, url: str):
    """Open the channels with napari-ome-zarr."""
    from napari_ome_zarr import napari_get_reader

    layers = []
    for channel in CHANNELS:
        uri = f"s3://{BUCKET}/channel_{channel}.zarr"
        layers += napari_get_reader(uri)(uri)

    def add():
        for data, arguments, *_ in layers:
            arguments["contrast_limits"] = CONTRAST
            added = viewer.add_image(data, **arguments)
            WORLD["layers"] += added if isinstance(added, list) else [added]
        return lambda: False

    return add


def summed(steps: list[dict[str, float]]) -> dict[str, float]:
    """Return what a walk took: of a step in the median, at most, and in all."""
    return {
        "sharp": float(np.median([step["sharp"] for step in steps])),
        "slowest": max(step["sharp"] for step in steps),
        "stall": max(step["stall"] for step in steps),
        "requests": sum(step["requests"] for step in steps),
        "bytes": sum(step["bytes"] for step in steps),
    }


def main(kind: str, url: str, steps: int) -> None:
    """Open, look, jump, step, walk."""
    WORLD["kind"] = kind
    viewer = napari.Viewer(show=True)
    viewer.window.resize(CANVAS[0] + 400, CANVAS[1] + 150)
    watch = Watch(url)
    for _ in range(50):
        watch.app.processEvents()
        time.sleep(0.01)
    import dask.array  # noqa: F401  # what both import anyway is not measured
    import s3fs  # noqa: F401
    import zarr  # noqa: F401

    opened = open_seespot if kind == "seespot" else open_today
    before, begin = stats(url), time.perf_counter()
    add = opened(viewer, url)
    took, (requests, size) = time.perf_counter() - begin, stats(url) - before
    found = {"open": {"sharp": took, "requests": int(requests), "bytes": int(size)}}
    pending = []

    def begin_looking() -> None:
        pending.append(add())
        place(viewer)

    def asked() -> bool:
        return pending[0]()

    def shown() -> list:
        return WORLD["layers"] if len(WORLD["layers"]) == len(CHANNELS) else []

    found["first"] = watch.run(begin_looking, shown, asked)
    found["jump"] = watch.run(lambda: look(viewer, JUMP_UM), shown, asked)
    found["step"] = watch.run(lambda: look(viewer, JUMP_UM + STEP_UM), shown, asked)
    places = [JUMP_UM - WALK_UM * number for number in range(1, steps + 1)]
    walk = [watch.run(partial(look, viewer, z), shown, asked) for z in places]
    found["walk"] = summed(walk)
    found["canvas"] = list(viewer.canvas.size)
    print(json.dumps(found), flush=True)
    viewer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
