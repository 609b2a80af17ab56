"""The pictures of the sample: painted, noisy, written as OME-Zarr, measured.

Spots are points blurred by a Gaussian point-spread function, in every channel
with the height that the dye's ratios give; so what the tables say about a
spot can be seen, and was in fact measured, in the pixels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numcodecs import Blosc  # type: ignore[import-untyped]  # it has no stubs

from napari_seespot._sample_scene import MEASURING_REACH, random_stream
from napari_seespot._sample_spots import background_level

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_seespot._sample_scene import Cells, Float32, Scene

__all__ = [
    "Painter",
    "Tissue",
    "measure",
    "paint_tissue",
    "write_labels",
    "write_pyramid",
]

_VOXEL_SIZE = (1.0, 0.24, 0.24)  # z, y, x in micrometre
_PSF_SIGMA = (1.0, 1.2, 1.2)
_PSF_REACH = (3, 4, 4)
_CHUNK = 128
_MAX_LEVELS = 6
_MIN_SIDE = 32
_STAMPS_AT_ONCE = 4_000
_SLAB = 16
_COLORS = {
    **{"405": "ffffff", "488": "00ff00", "514": "ff0000"},
    **{"561": "0000ff", "594": "00ffff", "638": "ff00ff"},
}


@dataclass(frozen=True)
class Tissue:
    """The cells as pictures.

    Attributes
    ----------
    mask : ndarray of uint32, shape (z, y, x)
        Cell numbers from 1, in the cells' order; 0 outside.
    depth : ndarray of float32, shape (z, y, x)
        0 in a cell's centre, 1 at its surface and outside.
    """

    mask: NDArray[np.uint32]
    depth: Float32

    def volumes(self, n_cells: int) -> NDArray[np.int64]:
        """Return the voxels of each cell number, shape (n_cells + 1,)."""
        return np.bincount(self.mask.ravel(), minlength=n_cells + 1)

    def centroids(self, n_cells: int) -> NDArray[np.float64]:
        """Return z, y, x, cell number of the cells that can be seen, shape (n, 4)."""
        flat = np.flatnonzero(self.mask)
        number = self.mask.ravel()[flat]
        count = np.bincount(number, minlength=n_cells + 1)
        seen = np.flatnonzero(count)
        places = np.unravel_index(flat, self.mask.shape)
        means = [
            np.bincount(number, weights=place, minlength=n_cells + 1)[seen]
            / count[seen]
            for place in places
        ]
        return np.stack([*means, seen], axis=1).astype(np.float64)


def paint_tissue(cells: Cells, shape: tuple[int, int, int]) -> Tissue:
    """Paint cells into a volume; where two overlap, the deeper one shows."""
    mask = np.zeros(shape, dtype=np.uint32)
    depth = np.ones(shape, dtype=np.float32)
    reach = 1.2 * cells.radius[:, 0], 1.2 * cells.radius[:, 1:].max(axis=1)
    for i, centre in enumerate(cells.centre):
        half = np.array([reach[0][i], reach[1][i], reach[1][i]])
        low = np.maximum(np.floor(centre - half), 0).astype(int)
        high = np.minimum(np.ceil(centre + half) + 1, shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        z, y, x = np.ogrid[box]
        here = cells.depth(
            i, z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)
        )
        nearer = here < depth[box]
        depth[box][nearer] = here[nearer]
        mask[box][nearer] = i + 1
    return Tissue(mask, depth)


class Painter:
    """Paints the channels of one scene and measures its detections in them.

    Parameters
    ----------
    scene : Scene
    tissue : Tissue
    """

    def __init__(self, scene: Scene, tissue: Tissue) -> None:
        self._scene = scene
        self._tissue = tissue
        self._body = np.clip((1 - tissue.depth) / 0.4, 0, 1)

    def structure(self) -> NDArray[np.uint16]:
        """Return a picture without spots: bright cell bodies with dark nuclei."""
        rng = random_stream(self._scene.seed, 7)
        glow = self._glow(rng, np.full(len(self._scene.cells), 260.0))
        nucleus = np.clip((0.46 - self._tissue.depth) / 0.12, 0, 1)
        glow *= 1 - np.float32(0.6) * nucleus
        # A nucleolus, where ribosomal RNA is made.
        glow *= 1 + 2 * (self._tissue.depth < 0.13)
        glow += _uneven(rng, glow.shape) * np.float32(130)
        return _with_noise(rng, glow)

    def channel(self, channel: int) -> NDArray[np.uint16]:
        """Return the picture of a spot channel, by the channel's place."""
        scene = self._scene
        rng = random_stream(scene.seed, 8, channel)
        height = scene.height(channel)
        inside = scene.molecules.cell >= 0
        light = np.bincount(
            scene.molecules.cell[inside],
            weights=height[inside],
            minlength=len(scene.cells),
        )
        # Autofluorescence, and the light that scatters within a full cell.
        picture = self._glow(rng, (22 + 0.0022 * light).astype(np.float64))
        picture += _uneven(rng, picture.shape) * np.float32(background_level(channel))
        shown = height > 1
        position = scene.molecules.position[shown] + scene.shift[channel]
        _stamp(picture, position, height[shown])
        return _with_noise(rng, picture)

    def _glow(self, rng: np.random.Generator, level: NDArray[np.float64]) -> Float32:
        each = level * rng.lognormal(0, 0.3, len(level))
        table = np.concatenate([[0], each]).astype(np.float32)
        glow: Float32 = table[self._tissue.mask]
        glow *= self._body
        return glow


def measure(
    picture: NDArray[np.uint16], voxels: NDArray[np.int64]
) -> tuple[Float32, Float32]:
    """Measure a picture at voxels.

    Parameters
    ----------
    picture : ndarray of uint16, shape (z, y, x)
    voxels : ndarray of int64, shape (3, n)
        At least `MEASURING_REACH` voxels away from each face.

    Returns
    -------
    fg : ndarray of float32, shape (n,)
        Mean over the ball of radius 3 (123 voxels).
    bg : ndarray of float32, shape (n,)
        Median over a part of the shell around it.
    """
    flat = picture.ravel()
    at = np.ravel_multi_index(tuple(voxels), picture.shape)
    ball = _offsets(picture.shape, 0, 3)
    shell = _offsets(picture.shape, 4.6, MEASURING_REACH - 0.6)[::4]
    fg = np.empty(len(at), dtype=np.float32)
    bg = np.empty(len(at), dtype=np.float32)
    for start in range(0, len(at), _STAMPS_AT_ONCE):
        rows = slice(start, start + _STAMPS_AT_ONCE)
        fg[rows] = flat[at[rows, None] + ball].mean(axis=1, dtype=np.float32)
        bg[rows] = np.median(flat[at[rows, None] + shell], axis=1)
    return fg, bg


def _offsets(shape: tuple[int, ...], low: float, high: float) -> NDArray[np.int64]:
    """Return flat offsets of the voxels at a distance from `low` to `high`."""
    reach = int(high)
    z, y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    distance = np.sqrt(z**2 + y**2 + x**2)
    near = (distance >= low) & (distance <= high)
    flat: NDArray[np.int64] = ((z * shape[1] + y) * shape[2] + x)[near]
    return flat


def _uneven(rng: np.random.Generator, shape: tuple[int, ...]) -> Float32:
    """Return illumination around 1 that varies gently along each axis."""
    lines = []
    for size in shape:
        along = np.linspace(0, 1, size)
        slope, height = rng.uniform(-0.08, 0.08, 2)
        wave, phase = rng.uniform(3, 7), rng.uniform(0, 2 * np.pi)
        line = slope * along + height * np.cos(wave * along + phase)
        lines.append(line.astype(np.float32))
    z, y, x = np.ix_(*lines)
    level: Float32 = 1 + z + y + x
    return level


def _stamp(picture: Float32, position: Float32, height: Float32) -> None:
    """Add blurred points, in place; all lie far enough from the faces."""
    flat = picture.reshape(-1)
    reach = [np.arange(-r, r + 1) for r in _PSF_REACH]
    z, y, x = np.meshgrid(*reach, indexing="ij")
    window = ((z * picture.shape[1] + y) * picture.shape[2] + x).ravel()
    for start in range(0, len(height), _STAMPS_AT_ONCE):
        rows = slice(start, start + _STAMPS_AT_ONCE)
        voxel = np.rint(position[rows]).astype(np.int64)
        rest = position[rows] - voxel.astype(np.float32)
        wz, wy, wx = (
            np.exp(-0.5 * ((step[None] - rest[:, axis, None]) / sigma) ** 2)
            for axis, (step, sigma) in enumerate(zip(reach, _PSF_SIGMA, strict=True))
        )
        weight = height[rows, None, None, None] * wz[:, :, None, None]
        weight = weight * wy[:, None, :, None] * wx[:, None, None, :]
        at = np.ravel_multi_index(tuple(voxel.T), picture.shape)
        where = (at[:, None] + window).ravel()
        np.add.at(flat, where, weight.ravel().astype(np.float32))


def _with_noise(rng: np.random.Generator, picture: Float32) -> NDArray[np.uint16]:
    """Add shot noise (Gaussian, as good as Poisson at these counts) and read noise."""
    noisy = np.empty(picture.shape, dtype=np.uint16)
    for start in range(0, len(picture), _SLAB):
        slab = picture[start : start + _SLAB]
        noise = rng.standard_normal(slab.shape, dtype=np.float32)
        noise *= np.sqrt(np.float32(0.8) * slab + np.float32(9))
        noise += slab
        noisy[start : start + _SLAB] = np.clip(np.rint(noise, out=noise), 0, 65535)
    return noisy


def write_pyramid(path: Path, picture: NDArray[np.uint16], place: int) -> None:
    """Write an OME-Zarr 0.4 image of one channel.

    Parameters
    ----------
    path : Path
        ``channel_XXX.zarr``.
    picture : ndarray of uint16, shape (z, y, x)
    place : int
        The channel's place in the microscope, its OMERO id.
    """
    levels = [picture]
    while len(levels) < _MAX_LEVELS and _can_halve(levels[-1].shape):
        levels.append(_half(levels[-1]))
    for i, level in enumerate(levels):
        _write_array(path / str(i), level)
    middle = levels[min(1, len(levels) - 1)]
    start, end = np.percentile(middle[:: max(1, len(middle) // 8)], (2, 99.9))
    omero = _omero(path, place, (float(start), float(end)), len(picture) // 2)
    scales = _multiscales(path.name, len(levels), "windowed_mean")
    _write_group(path, {"omero": omero, "multiscales": scales})


def write_labels(path: Path, mask: NDArray[np.uint32]) -> None:
    """Write cell numbers as an OME-Zarr 0.4 image with a single level."""
    _write_array(path / "0", mask)
    _write_group(path, {"multiscales": _multiscales(path.name, 1, "nearest")})


def _can_halve(shape: tuple[int, ...]) -> bool:
    return all(size % 2 == 0 for size in shape) and min(shape[1:]) > _MIN_SIDE


def _half(level: NDArray[np.uint16]) -> NDArray[np.uint16]:
    total = level[0::2].astype(np.uint32) + level[1::2]
    total = total[:, 0::2] + total[:, 1::2]
    total = total[:, :, 0::2] + total[:, :, 1::2]
    return ((total + 4) >> 3).astype(np.uint16)


def _write_array(path: Path, volume: NDArray[np.generic]) -> None:
    array = zarr.create_array(
        path,
        shape=(1, 1, *volume.shape),
        chunks=(1, 1, *(min(_CHUNK, size) for size in volume.shape)),
        dtype=volume.dtype,
        compressors=Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE),
        fill_value=0,
        zarr_format=2,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    array[0, 0] = volume


def _write_group(path: Path, attributes: dict[str, Any]) -> None:
    (path / ".zgroup").write_text(json.dumps({"zarr_format": 2}, indent=2))
    (path / ".zattrs").write_text(json.dumps(attributes, indent=2))


def _multiscales(name: str, n_levels: int, method: str) -> list[dict[str, Any]]:
    axes: list[dict[str, str]] = [
        {"name": "t", "type": "time", "unit": "millisecond"},
        {"name": "c", "type": "channel"},
    ]
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    datasets = [
        {"path": str(i), "coordinateTransformations": _transforms(2**i)}
        for i in range(n_levels)
    ]
    return [
        {
            "version": "0.4",
            "name": name,
            "axes": axes,
            "datasets": datasets,
            "type": method,
        }
    ]


def _transforms(factor: int) -> list[dict[str, Any]]:
    """Return scale and, since a mean lies amid its voxels, half a voxel step."""
    scale = [round(factor * size, 6) for size in _VOXEL_SIZE]
    shift = [round((factor - 1) / 2 * size, 6) for size in _VOXEL_SIZE]
    transforms: list[dict[str, Any]] = [{"type": "scale", "scale": [1.0, 1.0, *scale]}]
    if factor > 1:
        transforms.append({"type": "translation", "translation": [0.0, 0.0, *shift]})
    return transforms


def _omero(
    path: Path, place: int, window: tuple[float, float], z: int
) -> dict[str, Any]:
    name = path.name
    color = _COLORS.get(path.stem.removeprefix("channel_"), "ffff00")
    channel = {
        "active": True,
        "coefficient": 1,
        "color": color,
        "family": "linear",
        "inverted": False,
        "label": f"Channel:{name}:0",
        "window": {
            "start": float(round(window[0])),
            "end": float(round(window[1])),
            "min": 0.0,
            "max": 65535.0,
        },
    }
    return {
        "id": place,
        "name": name,
        "version": "0.4",
        "channels": [channel],
        "rdefs": {"defaultT": 0, "defaultZ": z, "model": "color"},
    }
