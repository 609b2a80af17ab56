"""A slider drag over 8 million spots: how often plots, image and counts follow.

xvfb-run python benchmarks/slider_drag.py [n_spots]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

os.environ.setdefault("NAPARI_SEESPOT_DATA", tempfile.mkdtemp())

from _bench import report
from _scene import Window, make_dataset
from qtpy.QtWidgets import QApplication

import napari_seespot as nss

SECONDS = 4.0
LIMIT = 8.0  # updates a second, at least


def main(n: int) -> None:
    window = Window()
    session = nss.view(make_dataset(n), viewer=window.viewer)
    _, filters = window.viewer.window.add_plugin_dock_widget(
        "napari-seespot", "Filters"
    )
    _, pairs = window.viewer.window.add_plugin_dock_widget(
        "napari-seespot", "Channel pairs"
    )
    window.settle(8)
    updates = {"state": 0, "image": 0, "plot": 0, "count": 0}

    def count(what: str) -> None:
        updates[what] += 1

    session.changed.connect(lambda *_: count("state"))
    show = pairs.plot.show_picture
    pairs.plot.show_picture = lambda picture: (show(picture), count("plot"))
    tell = filters._show_count
    filters._show_count = lambda text: (tell(text), count("count"))
    draw = session.viewing.overlay._finish
    session.viewing.overlay._finish = lambda shown: (draw(shown), count("image"))
    plot = filters.columns["r"].plot
    start, cpu = time.perf_counter(), time.thread_time()
    while (spent := time.perf_counter() - start) < SECONDS:
        plot.dragged.emit((0.05 + 0.5 * spent / SECONDS, 0.97))
        QApplication.processEvents()
    # Of the window's own thread, drawing included: what the machine's other users
    # cannot take away.
    free = updates["image"] / (time.thread_time() - cpu)
    report("drag_image_by_cpu", free, "1/s", ratio=free / LIMIT, limit=LIMIT, n=n)
    for what, seen in updates.items():
        # The limit is a least rate: so the ratio, too, is to be at least 1.
        rate = seen / spent
        report(f"drag_{what}", rate, "1/s", ratio=rate / LIMIT, limit=LIMIT, n=n)
    session.close()
    window.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
