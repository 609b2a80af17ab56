"""Another colour, another filter: all 8 million rows judged again, the view updated.

The CPU time of setting one field of the state, until the layers have the new
spots; painting is left out. A filter is four conditions: status, channel and two
ranges. The baseline is napari's own Points with all spots: `face_color` and
`shown` set anew.

Run ``python benchmarks/recolour.py [n_spots]``, on a screen or under xvfb-run.
"""

from __future__ import annotations

import statistics
import sys
import time
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from _bench import RUNS, report
from _scene import Window, make_dataset, make_image
from z_step import POINTS, SLAB_PLANES, defer, plain_layer, zoom_to

from napari_seespot.overlay import SpotOverlay
from napari_seespot.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MS = 60


def cpu_ms(window: Window, change: Callable[[], None], runs: int) -> float:
    """Return the CPU time of a change, in the median, after a warm-up."""
    times = []
    for _ in range(runs + 1):
        window.settle()
        start = time.process_time()
        change()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times[1:])


def main(n: int) -> None:
    dataset = make_dataset(n)
    window = Window()
    make_image(window.viewer)
    window.viewer.reset_view()

    layer = plain_layer(window, dataset)
    status = dataset.spots.codes("status")
    tables = cycle([np.eye(4)[:3], 1 - np.eye(4)[1:]])

    def plain_colour() -> None:
        layer.face_color = next(tables)[status]

    r, dist = dataset.spots.column("r"), dataset.spots.column("dist")
    ends = cycle([0.5, 0.6, 0.7])

    def plain_filter() -> None:
        layer.shown = (status != 2) & (r >= next(ends)) & (dist <= 1.25)

    plain = (cpu_ms(window, plain_colour, RUNS), cpu_ms(window, plain_filter, RUNS))
    window.viewer.layers.pop()
    window.settle()

    session = Session(dataset)
    state = session.state
    state.slab_planes, state.max_points = SLAB_PLANES, POINTS
    overlay = SpotOverlay(window.viewer, session, defer)
    colours = cycle(["chan", "unmixed_chan", "r", "status"])

    def colour() -> None:
        state.color_by = next(colours)

    def choose() -> None:
        with session.one_change():
            state.filters.status = {"unchanged", "reassigned"}
            state.filters.chan = {"488", "514", "561", "594"}
            state.filters.ranges["r"] = (next(ends), 1.0)
            state.filters.ranges["dist"] = (None, 1.25)

    for picture in ("points", "density"):
        if picture == "points":
            zoom_to(window, dataset, int(0.9 * POINTS))
        else:
            window.viewer.reset_view()
        state.picture = picture
        state.filters.reset()
        value = cpu_ms(window, colour, 2 * RUNS)
        name = f"recolour_{picture}"
        report(name, value, "ms of CPU", baseline=plain[0], limit=LIMIT_MS, n=n)
        value = cpu_ms(window, choose, 2 * RUNS)
        name = f"filter_{picture}"
        report(name, value, "ms of CPU", baseline=plain[1], limit=LIMIT_MS, n=n)
    overlay.close()
    window.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
