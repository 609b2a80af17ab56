"""A step in z with 8 million spots: as points, and as the density of all of them.

The baseline is napari's own Points layer with all spots and the same slab, in the
same window and the same run. CPU is that of the whole process, without painting:
napari's slicing and what it hands to the painter are part of it. The time with
painting ends when the canvas has been painted (software OpenGL on a virtual screen).

Run ``python benchmarks/z_step.py [n_spots]``, on a screen or under xvfb-run.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from _bench import RUNS, report
from _scene import VOLUME, VOXEL_UM, Window, make_dataset, make_image

from napari_seespot.overlay import SpotOverlay
from napari_seespot.session import Session
from napari_seespot.widgets._defer import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_seespot.dataset import Dataset

POINTS = 20_000
SLAB_PLANES = 2


class Steps:
    """Steps through the middle of the volume, one plane each."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._planes: Iterator[int] = itertools.count(VOLUME[0] // 2)

    def step(self) -> None:
        """Go to the next plane."""
        point = list(self._window.viewer.dims.point)
        point[0] = next(self._planes) * VOXEL_UM[0]
        self._window.viewer.dims.point = point

    def cpu_ms(self, runs: int) -> float:
        """Return the CPU time of a step without painting, in the median."""
        times = []
        for _ in range(runs + 1):
            self._window.settle()
            start = time.process_time()
            self.step()
            times.append(1e3 * (time.process_time() - start))
        return statistics.median(times[1:])

    def painted_ms(self, runs: int) -> float:
        """Return the time until a step is on the screen, in the median."""
        times = []
        for _ in range(runs + 1):
            self._window.settle()
            start = time.perf_counter()
            self._window.drawn(self.step)
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times[1:])


def plain_layer(window: Window, dataset: Dataset) -> Any:
    """Add all spots as napari does, and the slab as its users set it."""
    spots = dataset.spots
    data = np.stack([spots.column(axis) for axis in "zyx"], axis=1)
    layer = window.viewer.add_points(
        data,
        size=8,
        scale=VOXEL_UM,
        units=("micrometer",) * 3,
        border_width=0,
        face_color="yellow",
        projection_mode="all",
    )
    half = SLAB_PLANES + 0.5
    window.viewer.dims.margin_left = window.viewer.dims.margin_right = (half, 0, 0)
    return layer


def zoom_to(window: Window, dataset: Dataset, wanted: int) -> None:
    """Zoom in around the middle until about this many spots are in view."""
    z, y, x = (dataset.spots.column(axis) for axis in "zyx")
    slab = np.abs(z - VOLUME[0] / 2) <= SLAB_PLANES + 0.5
    height, width = window.viewer.canvas.size
    reach = np.maximum(
        np.abs(y[slab] - VOLUME[1] / 2) / height,
        np.abs(x[slab] - VOLUME[2] / 2) / width,
    )
    largest = np.partition(reach, min(wanted, len(reach) - 1))[: wanted + 1].max()
    window.viewer.scene.camera.center = tuple(
        size / 2 * voxel for size, voxel in zip(VOLUME, VOXEL_UM, strict=True)
    )
    window.viewer.scene.camera.zoom = 1 / (2 * largest * VOXEL_UM[1])


def defer(update: Callable[[], None], delay_ms: int) -> Callable[[], None]:
    """Update at once, so that it is measured, and rest when a user would."""
    return once(update, delay_ms) if delay_ms else update


def main(n: int) -> None:
    dataset = make_dataset(n)
    window = Window()
    make_image(window.viewer)
    window.viewer.reset_view()
    steps = Steps(window)
    image = (steps.cpu_ms(RUNS), steps.painted_ms(RUNS))
    report("z_step_image_alone", image[0], "ms of CPU", n=n)
    report("z_step_image_alone_painted", image[1], "ms", n=n)

    plain_layer(window, dataset)
    plain = (steps.cpu_ms(RUNS), steps.painted_ms(RUNS))
    report("z_step_plain", plain[0], "ms of CPU", n=n)
    report("z_step_plain_painted", plain[1], "ms", n=n)
    window.viewer.layers.pop()
    window.settle()

    session = Session(dataset)
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    session.state.slab_planes = SLAB_PLANES
    session.state.max_points = POINTS
    overlay = SpotOverlay(window.viewer, session, defer)
    for picture, cpu_limit in (("points", 45), ("density", 25)):
        if picture == "points":
            zoom_to(window, dataset, int(0.9 * POINTS))
        else:
            window.viewer.reset_view()
        session.state.picture = picture
        cpu, painted = steps.cpu_ms(2 * RUNS), steps.painted_ms(2 * RUNS)
        shown = overlay.shown.drawn
        name = f"z_step_{picture}"
        report(name, cpu, "ms of CPU", baseline=plain[0], limit=cpu_limit, n=shown)
        limit = plain[1] / (5 if picture == "points" else 9)
        report(
            f"{name}_painted", painted, "ms", baseline=plain[1], limit=limit, n=shown
        )
    overlay.close()
    window.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
