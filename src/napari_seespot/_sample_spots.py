"""The sample's spots as they were measured: positions, quality, counts.

The columns live in one block a dtype from the start, as they do in a pickled
frame: with millions of spots there is no memory for a second copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot._sample_scene import MEASURING_REACH, random_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_seespot._sample_scene import Scene

    Measure = Callable[
        [int, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.float32]]
    ]

__all__ = [
    "SpotColumns",
    "background_level",
    "measure_by_model",
    "measured_columns",
]

_BACKGROUND = (150.0, 110.0, 157.0, 100.0, 97.0)


def background_level(channel: int) -> float:
    """Return a channel's background in counts, by the channel's place."""
    return _BACKGROUND[channel % len(_BACKGROUND)]


def _fg_bg(channel: str) -> tuple[str, str]:
    return f"chan_{channel}_fg", f"chan_{channel}_bg"


class SpotColumns:
    """The numeric columns of a spot table in two blocks, int64 and float64.

    Parameters
    ----------
    n : int
        Rows.
    channels : tuple of str

    Attributes
    ----------
    n : int
    integers, floats : tuple of str
        Names, in the order of the real tables.
    """

    def __init__(self, n: int, channels: tuple[str, ...]) -> None:
        self.n = n
        self.integers = ("spot_id", "chan_spot_id", "cell_id", "z", "y", "x")
        counts = [name for c in channels for name in reversed(_fg_bg(c))]
        self.floats = (
            *("z_center", "y_center", "x_center", "dist", "r"),
            *counts,
            *(f"chan_{c}_intensity" for c in channels),
        )
        self._integers = np.zeros(len(self.integers) * n, dtype=np.int64)
        self._floats = np.zeros(len(self.floats) * n, dtype=np.float64)

    @property
    def blocks(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The columns as rows of two C-ordered arrays."""
        ints, floats = len(self.integers), len(self.floats)
        return (
            self._integers[: ints * self.n].reshape(ints, self.n),
            self._floats[: floats * self.n].reshape(floats, self.n),
        )

    def integer(self, name: str) -> NDArray[np.int64]:
        """Return an integer column, writable in place."""
        column: NDArray[np.int64] = self.blocks[0][self.integers.index(name)]
        return column

    def number(self, name: str) -> NDArray[np.float64]:
        """Return a float column, writable in place."""
        column: NDArray[np.float64] = self.blocks[1][self.floats.index(name)]
        return column

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all other rows in place: columns move to the front of their block."""
        kept = int(rows.sum())
        for block, flat in zip(
            self.blocks, (self._integers, self._floats), strict=True
        ):
            for i, column in enumerate(block):
                flat[i * kept : (i + 1) * kept] = column[rows]
        self.n = kept


def measured_columns(
    scene: Scene, measure: Measure, mask: NDArray[np.uint32] | None
) -> SpotColumns:
    """Fill the numeric columns of the mixed table.

    Parameters
    ----------
    scene : Scene
    measure : callable
        ``measure(channel, voxels)`` returns foreground and background of that
        channel at the detections; `voxels` has the shape (3, n). It is called
        once a channel.
    mask : ndarray of uint32 or None
        Cell numbers in the volume; None takes them from the molecules.
    """
    molecule, channel = scene.detections
    columns = SpotColumns(len(molecule), scene.channels)
    columns.integer("spot_id")[:] = np.arange(1, columns.n + 1)
    columns.integer("chan_spot_id")[:] = _number_within(channel)
    _fill_positions(columns, scene)
    voxels = columns.blocks[0][3:]
    if mask is None:
        columns.integer("cell_id")[:] = scene.molecules.cell[molecule] + 1
    else:
        columns.integer("cell_id")[:] = mask[tuple(voxels)]
    _fill_correlation(columns, scene)
    for i, name in enumerate(scene.channels):
        fg, bg = (columns.number(column) for column in _fg_bg(name))
        fg[:], bg[:] = measure(i, voxels)
        np.subtract(fg, bg, out=columns.number(f"chan_{name}_intensity"))
    return columns


def _number_within(channel: NDArray[np.int8]) -> NDArray[np.int64]:
    """Count 1, 2, ... within each run of equal channels."""
    counts = np.bincount(channel)
    before = np.cumsum(counts) - counts
    return np.arange(1, len(channel) + 1) - before[channel]


def _fill_positions(columns: SpotColumns, scene: Scene) -> None:
    rng = random_stream(scene.seed, 4)
    molecule, channel = scene.detections
    squares = np.zeros(columns.n, dtype=np.float32)
    for axis, name in enumerate("zyx"):
        true = scene.molecules.position[molecule, axis] + scene.shift[channel, axis]
        peak = true + 0.35 * rng.standard_normal(columns.n, dtype=np.float32)
        last = scene.shape[axis] - 1 - MEASURING_REACH
        voxel = np.clip(np.rint(peak), MEASURING_REACH, last)
        columns.integer(name)[:] = voxel
        fit = true + 0.12 * rng.standard_normal(columns.n, dtype=np.float32)
        offset = np.clip(fit - voxel, -1.6, 1.6)
        columns.number(f"{name}_center")[:] = offset
        squares += offset * offset
    columns.number("dist")[:] = np.sqrt(squares)


def _fill_correlation(columns: SpotColumns, scene: Scene) -> None:
    """Bright spots resemble the point-spread function, dim and crowded ones less."""
    rng = random_stream(scene.seed, 5)
    molecule, channel = scene.detections
    height = np.empty(columns.n, dtype=np.float32)
    for i in range(len(scene.channels)):
        here = channel == i
        height[here] = scene.height(i)[molecule[here]]
    r = 0.92 * height / (height + 110)
    r += 0.14 * rng.standard_normal(columns.n, dtype=np.float32)
    crowded = np.flatnonzero(rng.random(columns.n, dtype=np.float32) < 0.08)
    r[crowded] = rng.uniform(-0.6, 0.5, len(crowded))
    np.clip(r, -0.99, 0.985, out=r)
    r[rng.random(columns.n, dtype=np.float32) < 0.004] = np.nan  # the fit failed
    columns.number("r")[:] = r


def measure_by_model(scene: Scene) -> Measure:
    """Return a measurement that draws what a picture would have shown.

    The factor from a spot's height to its foreground is that of the mean over
    a ball of radius 3 around a point with the pictures' point-spread function.
    """
    rng = random_stream(scene.seed, 6)
    molecule = scene.detections.molecule
    dyes = scene.molecules.dye
    # Full cells: many molecules lie beside another one, often of the same gene.
    n = len(dyes)
    other = rng.integers(0, len(scene.channels), n, dtype=np.int8)
    same = rng.random(n, dtype=np.float32) < 0.5
    other[same] = dyes[same]
    other_height = rng.exponential(450, n).astype(np.float32)
    other_height[rng.random(n, dtype=np.float32) > 0.4] = 0
    other_height[scene.molecules.cell < 0] = 0

    def measure(
        channel: int, voxels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = (voxels.shape[1],)
        percent = scene.ratios[:, channel].astype(np.float32)
        height = scene.height(channel) + other_height * percent[other] / 100
        fg = (0.18 * height[molecule]).astype(np.float32)
        fg *= 1 + np.float32(0.08) * rng.standard_normal(size, dtype=np.float32)
        fg += np.float32(2.2) * rng.standard_normal(size, dtype=np.float32)
        bg = np.float32(5) * rng.standard_normal(size, dtype=np.float32)
        bg += np.float32(1.15 * background_level(channel))
        fg += bg
        return fg, bg

    return measure
