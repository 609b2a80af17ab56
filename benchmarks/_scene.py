"""What the benchmarks of spots and opening look at: a round as large as real ones.

1,200 x 12,000 x 12,000 voxels, five channels, a third of the spots removed; spots
lie in clumps, as cells do, so that slabs and windows are not all alike.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.dataset import Dataset
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CHANNELS",
    "VOLUME",
    "Window",
    "make_columns",
    "make_dataset",
    "make_image",
    "make_spots",
]

CHANNELS = ("488", "514", "561", "594", "638")
VOLUME = (1_200, 12_000, 12_000)
VOXEL_UM = (1.0, 0.24, 0.24)


class Names:
    """A column of names as small codes, as sources hand them over."""

    def __init__(self, codes: np.ndarray, categories: tuple[str, ...]) -> None:
        self.codes = codes
        self.categories = categories

    def __len__(self) -> int:
        return len(self.codes)


def make_columns(n: int, seed: int = 0) -> dict[str, Any]:
    """Return the columns of a merged table, as they come: 16 of them, not ordered."""
    rng = np.random.default_rng(seed)
    chan = rng.choice(5, n, p=(0.3, 0.25, 0.2, 0.15, 0.1)).astype(np.int8)
    fate = rng.random(n, np.float32)
    unmixed = np.where(fate < 0.8, chan, rng.integers(0, 5, n)).astype(np.int8)
    unmixed[fate < 0.34] = -1
    cells = rng.random((4_000, 3), np.float32) * np.array(VOLUME, np.float32)
    cell = rng.integers(0, len(cells), n)
    columns: dict[str, Any] = {
        "chan": Names(chan, CHANNELS),
        "unmixed_chan": Names(unmixed, CHANNELS),
        "chan_spot_id": np.arange(n, dtype=np.int32),
        "cell_id": (cell + 1).astype(np.int32),
    }
    spread = np.float32([60, 300, 300])
    for axis, name in enumerate("zyx"):
        place = cells[cell, axis] + spread[axis] * rng.standard_normal(n, np.float32)
        columns[name] = np.abs(place) % np.float32(VOLUME[axis])
    columns["r"] = rng.beta(6, 2, n).astype(np.float32)
    columns["dist"] = rng.gamma(2, 0.3, n).astype(np.float32)
    columns["dye_line_dist_ratio"] = rng.gamma(2, 1, n).astype(np.float32)
    columns["valid_spot"] = rng.random(n, np.float32) < 0.22
    brightness = rng.lognormal(6, 0.8, n).astype(np.float32)
    for place, name in enumerate(CHANNELS):
        bleed = np.exp(-np.abs(chan.astype(np.float32) - place))
        noise = 20 * rng.standard_normal(n, np.float32)
        columns[f"chan_{name}_intensity"] = brightness * bleed + noise
    return columns


def make_spots(n: int, seed: int = 0) -> Spots:
    """Return the table in row order."""
    return Spots.from_columns(make_columns(n, seed), channels=CHANNELS)


def make_dataset(n: int, seed: int = 0) -> Dataset:
    """Return a dataset without images."""
    return Dataset(name="benchmark", uri="benchmark", spots=make_spots(n, seed))


def make_image(viewer: Any) -> Any:
    """Add an image of the whole volume at a coarse level, as a background."""
    step = (8, 64, 64)
    shape = tuple(-(-size // by) for size, by in zip(VOLUME, step, strict=True))
    data = np.random.default_rng(0).integers(0, 400, shape, dtype=np.uint16)
    scale = [voxel * by for voxel, by in zip(VOXEL_UM, step, strict=True)]
    units = ("micrometer",) * 3
    return viewer.add_image(data, scale=scale, units=units, contrast_limits=(0, 500))


class Window:
    """A napari window, and what a step in it takes."""

    def __init__(self) -> None:
        import napari

        self.viewer = napari.Viewer()
        self.viewer.window.resize(1400, 950)
        self._canvas = self.viewer.window._qt_viewer.canvas
        self._draws = 0
        self._canvas._scene_canvas.events.draw.connect(self._drawn, position="last")
        self.settle()

    def _drawn(self, _event: Any) -> None:
        self._draws += 1

    def settle(self, seconds: float = 0.3) -> None:
        """Let everything that waits be done: drawing, timers, threads."""
        from qtpy.QtWidgets import QApplication

        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    def drawn(self, change: Callable[[], Any]) -> None:
        """Make a change, and return when the canvas has been painted with it."""
        from qtpy.QtWidgets import QApplication

        change()
        before = self._draws
        self._canvas.native.update()
        while self._draws == before:
            QApplication.processEvents()

    def close(self) -> None:
        self.settle()
        self.viewer.layers.clear()  # one by one, points crash at the next paint
        self.settle()
        self.viewer.close()
