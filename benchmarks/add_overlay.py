"""The spots put into a viewer: 8 million of them, on an image that is there already.

CPU until the layers are there, and the time until they are painted; what opening
the dataset takes is another target. The baseline is napari's own `add_points` with
all spots, which takes seconds: it is run once after a warm-up with a thousand.

Run ``python benchmarks/add_overlay.py [n_spots]``, on a screen or under xvfb-run.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

from _bench import RUNS, report
from _scene import Window, make_dataset, make_image
from z_step import defer, plain_layer

from napari_seespot.overlay import SpotOverlay
from napari_seespot.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.dataset import Dataset

LIMIT_S = 0.5


def seconds(window: Window, add: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time of adding, and the time until it is on the screen."""
    window.settle()
    cpu, start = time.process_time(), time.perf_counter()
    add()
    cpu = time.process_time() - cpu
    window.drawn(lambda: None)
    return cpu, time.perf_counter() - start


def with_overlay(dataset: Dataset) -> tuple[float, float]:
    """Add the overlay to a viewer with an image."""
    window = Window()
    make_image(window.viewer)
    window.viewer.reset_view()
    overlays = []

    def add() -> None:
        overlays.append(SpotOverlay(window.viewer, Session(dataset), defer))

    value = seconds(window, add)
    overlays[0].close()
    window.close()
    return value


def plain(dataset: Dataset) -> tuple[float, float]:
    """Add all spots as napari does."""
    window = Window()
    make_image(window.viewer)
    window.viewer.reset_view()
    value = seconds(window, lambda: plain_layer(window, dataset))
    window.close()
    return value


def main(n: int) -> None:
    dataset, small = make_dataset(n), make_dataset(min(n, 1_000))
    plain(small)
    slow = plain(dataset)
    runs = [with_overlay(dataset) for _ in range(RUNS + 1)][1:]
    cpu, painted = (statistics.median(times) for times in zip(*runs, strict=True))
    report("add_overlay", cpu, "s of CPU", baseline=slow[0], limit=LIMIT_S, n=n)
    report("add_overlay_painted", painted, "s", baseline=slow[1], n=n)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
