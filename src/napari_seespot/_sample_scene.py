"""The invented tissue of the sample: cells, molecules, and which are detected.

Everything here is the truth that the pictures and the tables are made from.
Positions are (z, y, x) in voxels of level 0. A *dye* has the index of the
channel that its laser excites best; a *detection* is one molecule found in
one channel, and so one row of the table of mixed spots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Int64 = NDArray[np.int64]

__all__ = [
    "MEASURING_REACH",
    "Cells",
    "Detections",
    "Molecules",
    "Scene",
    "bleed_through_ratios",
    "make_scene",
    "random_stream",
]

MEASURING_REACH = 6
"""Voxels around a detection that measuring it needs."""

_MARGIN = MEASURING_REACH + 2  # a detected voxel may lie two from its molecule
_REAL_SHAPE = (1_200, 12_000, 12_000)
_REAL_SHAPE_FROM = 1_000_000
_VOXELS_PER_SPOT = 840
_SPOTS_PER_CELL = 100

# About 15 um thick and 13 um wide with voxels of 1.0 x 0.24 x 0.24 um.
_RADIUS_LOW = (6.0, 23.0, 23.0)
_RADIUS_HIGH = (9.0, 33.0, 33.0)
_PITCH = (16.0, 56.0, 56.0)

# Chosen so that, with the default channels, about a third of the detections
# are duplicates, and about a fifth of the molecules are found only in a
# channel that is not their dye's.
_BRIGHTNESS = 700.0
_DETECTION_LIMIT = 205.0
_OWN_CHANNEL_MISSED = 0.23
_OUTSIDE_CELLS = 0.06


def random_stream(seed: int, *purpose: int) -> np.random.Generator:
    """Return the random numbers for one purpose, independent of all others."""
    return np.random.default_rng([seed, *purpose])


def bleed_through_ratios(channels: tuple[str, ...]) -> NDArray[np.int64]:
    """Return how strongly each dye shows in each channel, in per cent.

    Emission spectra have a long tail towards red, so a dye bleeds further
    into longer wavelengths than into shorter ones.

    Parameters
    ----------
    channels : tuple of str
        Wavelengths in nm, ascending.

    Returns
    -------
    ndarray of int64, shape (dyes, channels)
        100 on the diagonal, at least 1 elsewhere.
    """
    wavelength = np.array([float(name) for name in channels])
    gap = wavelength[None, :] - wavelength[:, None]
    reach = np.where(gap > 0, 34.0, 27.0)
    percent = 100 * np.exp(-((gap / reach) ** 2))
    off_diagonal = np.clip(np.rint(percent), 1, 95).astype(np.int64)
    return np.where(gap == 0, 100, off_diagonal)


@dataclass(frozen=True)
class Cells:
    """Bodies of cells: tilted ellipsoids with a wobbling outline.

    Attributes
    ----------
    centre, radius : ndarray of float32, shape (n, 3)
        (z, y, x) in voxels; ascending z.
    angle : ndarray of float32, shape (n,)
        Rotation in the y-x plane, radians.
    phase : ndarray of float32, shape (n, 2)
        Where the two waves of the outline begin, radians.
    """

    centre: Float32
    radius: Float32
    angle: Float32
    phase: Float32

    def __len__(self) -> int:
        return len(self.centre)

    def outline(self, which: NDArray[np.intp] | int, theta: Float32) -> Float32:
        """Return the radius in the y-x plane, as a multiple of the ellipsoid's."""
        phase = self.phase[which]
        two = np.float32(0.10) * np.sin(2 * theta + phase[..., 0])
        three = np.float32(0.07) * np.sin(3 * theta + phase[..., 1])
        outline: Float32 = 1 + two + three
        return outline

    def to_volume(self, which: NDArray[np.intp], ball: Float32) -> Float32:
        """Move points of the unit ball, shape (m, 3), into their cells' bodies."""
        theta = np.arctan2(ball[:, 1], ball[:, 2])
        body = ball * self.radius[which]
        body[:, 1:] *= self.outline(which, theta)[:, None]
        cos, sin = np.cos(self.angle[which]), np.sin(self.angle[which])
        z, y, x = body.T
        turned = np.stack([z, cos * y - sin * x, sin * y + cos * x], axis=1)
        moved: Float32 = turned + self.centre[which]
        return moved

    def depth(self, which: int, z: Float32, y: Float32, x: Float32) -> Float32:
        """Return the distance from the centre, 1 at the surface, on a grid.

        Parameters
        ----------
        which : int
            The cell's index.
        z, y, x : ndarray of float32
            Open grid of coordinates: shapes (nz, 1, 1), (1, ny, 1), (1, 1, nx).
        """
        cos, sin = np.cos(self.angle[which]), np.sin(self.angle[which])
        dz, dy, dx = (
            c - centre for c, centre in zip((z, y, x), self.centre[which], strict=True)
        )
        radius = self.radius[which]
        v = (cos * dy + sin * dx) / radius[1]
        u = (cos * dx - sin * dy) / radius[2]
        outline = self.outline(which, np.arctan2(v, u))
        depth: Float32 = np.sqrt((dz / radius[0]) ** 2 + (v * v + u * u) / outline**2)
        return depth


class Molecules(NamedTuple):
    """True molecules, ordered by cell; those outside of cells come last.

    Attributes
    ----------
    cell : ndarray of int32
        Index of the cell, or -1.
    dye : ndarray of int8
    position : ndarray of float32, shape (n, 3)
    brightness : ndarray of float32
        Height of the spot above its surroundings in the dye's own channel.
    """

    cell: NDArray[np.int32]
    dye: NDArray[np.int8]
    position: Float32
    brightness: Float32

    def take(self, rows: NDArray[np.intp] | slice) -> Molecules:
        """Return some of the molecules."""
        return Molecules(
            cell=self.cell[rows],
            dye=self.dye[rows],
            position=self.position[rows],
            brightness=self.brightness[rows],
        )


class Detections(NamedTuple):
    """Which molecule was found in which channel, ordered by channel.

    Attributes
    ----------
    molecule : ndarray of int32
    channel : ndarray of int8
    """

    molecule: NDArray[np.int32]
    channel: NDArray[np.int8]


@dataclass(frozen=True)
class Scene:
    """All that is true in one sample.

    Attributes
    ----------
    seed : int
    channels : tuple of str
        Ascending.
    shape : tuple of int
        (z, y, x) of the volume in voxels.
    ratios : ndarray of int64, shape (dyes, channels)
    shift : ndarray of float32, shape (channels, 3)
        Chromatic displacement of each channel's picture, voxels.
    cells, molecules, detections
    """

    seed: int
    channels: tuple[str, ...]
    shape: tuple[int, int, int]
    ratios: NDArray[np.int64]
    shift: Float32
    cells: Cells
    molecules: Molecules
    detections: Detections

    def height(self, channel: int) -> Float32:
        """Return the height of each molecule's spot in a channel, in counts."""
        percent = self.ratios[:, channel].astype(np.float32)
        height: Float32 = (
            self.molecules.brightness * percent[self.molecules.dye] / np.float32(100)
        )
        return height


def make_scene(
    n_spots: int, seed: int, channels: tuple[str, ...], *, images: bool
) -> Scene:
    """Invent cells and molecules so that exactly `n_spots` are detected.

    Parameters
    ----------
    n_spots : int
        Rows of the table of mixed spots.
    seed : int
    channels : tuple of str
        Ascending.
    images : bool
        Whether pictures will be made; without them a million spots and more
        are spread over a volume of real size.
    """
    shape = _volume_shape(n_spots, images=images)
    ratios = bleed_through_ratios(channels)
    cells = _make_cells(random_stream(seed, 1), n_spots, shape)
    molecules, detected = _enough_molecules(seed, n_spots, shape, ratios, cells)
    rng = random_stream(seed, 3)
    shift = rng.normal(0, 0.12, (len(channels), 3)).astype(np.float32)
    channel, molecule = np.nonzero(detected.T)
    return Scene(
        seed=seed,
        channels=channels,
        shape=shape,
        ratios=ratios,
        shift=shift,
        cells=cells,
        molecules=molecules,
        detections=Detections(molecule.astype(np.int32), channel.astype(np.int8)),
    )


def _volume_shape(n_spots: int, *, images: bool) -> tuple[int, int, int]:
    if not images and n_spots >= _REAL_SHAPE_FROM:
        return _REAL_SHAPE
    voxels = n_spots * _VOXELS_PER_SPOT
    depth = 32 if n_spots < 4_000 else 64 if n_spots <= 100_000 else 128
    side = max(2, round((voxels / depth) ** 0.5 / 64)) * 64
    return (depth, side, side)


def _make_cells(
    rng: np.random.Generator, n_spots: int, shape: tuple[int, int, int]
) -> Cells:
    size = np.array(shape, dtype=np.float64)
    pitch = np.array(_PITCH)
    wanted = max(3.0, n_spots / _SPOTS_PER_CELL)
    pitch *= max(1.0, (size.prod() / wanted / pitch.prod()) ** (1 / 3))
    counts = np.maximum(1, np.rint(size / pitch)).astype(int)
    layer, row, column = (axis.ravel() for axis in np.indices(counts))
    stagger = np.stack([column % 2 * 0.3, layer % 2 * 0.5, row % 2 * 0.5], axis=1)
    grid = np.stack([layer, row, column], axis=1) + 0.25 + stagger
    grid += rng.uniform(-0.25, 0.25, grid.shape)
    centre = grid * size / counts
    # Gaps, so that the grid behind the places cannot be seen.
    centre = centre[rng.permutation(len(centre))[: -(-len(centre) * 9 // 10)]]
    centre = centre[np.argsort(centre[:, 0], kind="stable")]
    n = len(centre)
    return Cells(
        centre=centre.astype(np.float32),
        radius=rng.uniform(_RADIUS_LOW, _RADIUS_HIGH, (n, 3)).astype(np.float32),
        angle=rng.uniform(0, np.pi, n).astype(np.float32),
        phase=rng.uniform(0, 2 * np.pi, (n, 2)).astype(np.float32),
    )


def _enough_molecules(
    seed: int,
    n_spots: int,
    shape: tuple[int, int, int],
    ratios: NDArray[np.int64],
    cells: Cells,
) -> tuple[Molecules, NDArray[np.bool_]]:
    """Draw molecules until they give `n_spots` detections, and no more."""
    n = n_spots + 64
    while True:
        rng = random_stream(seed, 2, n)
        molecules = _draw_molecules(rng, n, shape, len(ratios), cells)
        detected = _detect(rng, molecules, ratios)
        found = np.cumsum(detected.sum(axis=1))
        if len(found) and found[-1] >= n_spots:
            break
        n *= 2
    end = int(np.searchsorted(found, n_spots)) + 1
    molecules, detected = molecules.take(slice(end)), detected[:end]
    surplus = int(found[end - 1]) - n_spots
    last = np.flatnonzero(detected[-1])
    detected[-1, last[len(last) - surplus :]] = False
    by_cell = np.where(molecules.cell < 0, len(cells), molecules.cell)
    order = np.argsort(by_cell, kind="stable")
    return molecules.take(order), detected[order]


def _draw_molecules(
    rng: np.random.Generator,
    n: int,
    shape: tuple[int, int, int],
    n_dyes: int,
    cells: Cells,
) -> Molecules:
    cumulative = np.cumsum(_expression(rng, len(cells), n_dyes).ravel())
    place = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    cell, dye = np.divmod(np.minimum(place, cumulative.size - 1), n_dyes)
    ball = rng.standard_normal((n, 3), dtype=np.float32)
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    # Outside of the nucleus (0.4 of the radius) and below the membrane.
    ball *= np.cbrt(rng.uniform(0.35**3, 0.94**3, n)).astype(np.float32)[:, None]
    position = cells.to_volume(cell, ball)
    outside = np.flatnonzero(rng.random(n) < _OUTSIDE_CELLS)
    position[outside] = rng.uniform(0, shape, (len(outside), 3))
    cell[outside] = -1
    brightness = np.exp(rng.standard_normal(n, dtype=np.float32) * np.float32(0.5))
    molecules = Molecules(
        cell=cell.astype(np.int32),
        dye=dye.astype(np.int8),
        position=position,
        brightness=brightness * np.float32(_BRIGHTNESS),
    )
    high = np.array(shape, dtype=np.float32) - (_MARGIN + 1)
    inside = ((position >= _MARGIN) & (position <= high)).all(axis=1)
    return molecules.take(np.flatnonzero(inside))


def _expression(
    rng: np.random.Generator, n_cells: int, n_dyes: int
) -> NDArray[np.float64]:
    """Return how much of each gene each cell expresses: most express one well."""
    amount = rng.gamma(0.3, 1.0, (n_cells, n_dyes)) + 0.02
    kind = rng.integers(0, n_dyes + 1, n_cells)
    marked = np.flatnonzero(kind < n_dyes)
    amount[marked, kind[marked]] += 3.0
    level: NDArray[np.float64] = amount * rng.lognormal(0, 0.35, (n_cells, 1))
    return level


def _detect(
    rng: np.random.Generator, molecules: Molecules, ratios: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return in which channels each molecule is found, shape (molecules, channels)."""
    n, n_channels = len(molecules.dye), ratios.shape[1]
    detected = np.empty((n, n_channels), dtype=bool)
    for channel in range(n_channels):
        share = ratios[:, channel].astype(np.float32)[molecules.dye] / 100
        luck = np.exp(rng.standard_normal(n, dtype=np.float32) * np.float32(0.25))
        missed = rng.random(n, dtype=np.float32) < _OWN_CHANNEL_MISSED
        detected[:, channel] = molecules.brightness * share * luck > _DETECTION_LIMIT
        detected[:, channel] &= ~(missed & (molecules.dye == channel))
    return detected
