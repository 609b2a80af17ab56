"""A range's slider dragged over 8 million spots: pictures a second, plot and viewer.

The window is as a user has it: image, spots, the docks Filters, Channel pairs and,
behind it, Spots. The lower end of r goes from 0.2 to 0.8 in steps as fast as the window
takes them, for some seconds. A picture counts when it is on the screen and shows
another range than the one before; the slower of plot and viewer is the value.

Run ``python benchmarks/drag.py [n_spots]`` with a screen (xvfb will do).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from _bench import report
from _scene import Window, make_dataset, make_image

from napari_seespot.session import Session
from napari_seespot.viewing import show_session
from napari_seespot.widgets._defer import once
from napari_seespot.widgets.channel_pairs import ChannelPairsWidget
from napari_seespot.widgets.filters import FiltersWidget

SECONDS = 4.0
TARGET = 8.0  # pictures a second


class Drag:
    """Moves the end of a range and counts what has been drawn of it."""

    def __init__(self, window: Window, session: Session, dock: Any) -> None:
        self._window = window
        self._session = session
        self._plot = dock.plot
        self._canvas = window.viewer.window._qt_viewer.canvas._scene_canvas
        self.longest = 0.0
        self.cpu_ms = 0.0  # of the window's thread, a picture of the viewer

    def run(self, seconds: float) -> tuple[float, float]:
        """Return pictures a second of the plot and of the viewer."""
        from qtpy.QtWidgets import QApplication

        plotted: set[int] = set()
        drawn: set[int] = set()
        overlay = self._session.viewing.overlay
        kept: list[Any] = []  # an id is its own while the mask is kept
        finish = overlay._finish

        def finished(shown: Any) -> None:
            finish(shown)
            kept.append(self._session.view.mask)

        def on_draw(_event: Any) -> None:
            if kept:
                drawn.add(id(kept[-1]))

        overlay._finish = finished
        self._canvas.events.draw.connect(on_draw, position="last")
        pictures: list[Any] = []
        cpu = time.thread_time()
        start = last = time.perf_counter()
        step = 0
        while last - start < seconds:
            step += 1
            low = 0.5 - 0.3 * np.cos(step / 10)
            self._session.state.filters.ranges["r"] = (float(low), 1.0)
            QApplication.processEvents()
            plotted.add(id(self._plot.picture))
            pictures.append(self._plot.picture)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now
        self._canvas.events.draw.disconnect(on_draw)
        overlay._finish = finish
        self.cpu_ms = 1e3 * (time.thread_time() - cpu) / max(len(drawn), 1)
        return len(plotted) / (last - start), len(drawn) / (last - start)


def main(n: int) -> None:
    window = Window()
    make_image(window.viewer)
    session = Session(make_dataset(n))
    show_session(window.viewer, session, (), defer=once)
    session.viewing.finish()
    viewer = window.viewer
    viewer.window.add_dock_widget(FiltersWidget(viewer), area="left", name="Filters")
    docks = viewer.window.dock_widgets
    dock = next(d for d in docks.values() if isinstance(d, ChannelPairsWidget))
    window.settle(3)
    drag = Drag(window, session, dock)
    drag.run(1)  # compiles, and loads what is loaded late
    window.settle(2)
    drag.longest = 0.0
    plot, viewer = drag.run(SECONDS)
    window.settle(2)
    exact = not dock.plot.picture.request.moving
    report("drag_pictures", min(plot, viewer), "pictures/s", limit=TARGET, n=n)
    report("drag_plot", plot, "pictures/s", limit=TARGET, n=n)
    report("drag_viewer", viewer, "pictures/s", limit=TARGET, n=n)
    report("drag_window_cpu", drag.cpu_ms, "ms/picture", limit=1e3 / TARGET, n=n)
    report("drag_longest_stall", 1e3 * drag.longest, "ms", n=n)
    assert exact
    window.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
