"""All spots of a slab as one picture at screen resolution: none is dropped.

Each spot is a small disc. Where discs overlap, a pixel shows the mean of their
colours, weighted by their opacities, and is the more opaque the more there are.
What stands out from all of them is put on top afterwards, since a mean would hide it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_seespot import _raster_kernels

# numba's stubs take a compiled function to have no arguments.
_kernels: Any = _raster_kernels

__all__ = ["Canvas", "disc", "rasterize"]

Color = tuple[int, int, int, int]


def disc(diameter: float) -> np.ndarray:
    """Return the pixel offsets of a disc, int32, shape (m, 2).

    Parameters
    ----------
    diameter : float
        In pixels; at least the pixel in the middle belongs to it.
    """
    radius = max(diameter, 1.0) / 2
    reach = int(np.ceil(radius))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = rows**2 + columns**2 <= radius**2
    return np.stack([rows[inside], columns[inside]], axis=1).astype(np.int32)


def rasterize(
    rows: np.ndarray,
    columns: np.ndarray,
    color: np.ndarray,
    table: np.ndarray,
    alpha: np.ndarray,
    shape: tuple[int, int],
    diameter: float = 3.0,
) -> np.ndarray:
    """Return spots as a picture.

    Parameters
    ----------
    rows, columns : ndarray of float, shape (m,)
        Where the spots are, in pixels; those whose middle is outside `shape` are
        left out.
    color : ndarray of uint8, shape (m,)
        Each spot's place in `table`.
    table : ndarray of uint8, shape (k, 4)
        Red, green, blue and alpha.
    alpha : ndarray of float32, shape (m,)
        Each spot's opacity, 0 to 1.
    shape : tuple of int
        Height and width.
    diameter : float
        Of a disc, in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 4)
    """
    return Canvas().draw(rows, columns, color, table, alpha, shape, diameter)


class Canvas:
    """Draws one picture after the other into the same memory.

    Memory that is asked for anew has to be filled with zeros by the system, which
    takes as long as drawing does.
    """

    def __init__(self) -> None:
        self._sums = np.zeros(0, np.uint64)
        self._picture = np.zeros((0, 0, 4), np.uint8)

    def draw(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        color: np.ndarray,
        table: np.ndarray,
        alpha: np.ndarray,
        shape: tuple[int, int],
        diameter: float = 3.0,
    ) -> np.ndarray:
        """Return spots as a picture; see `rasterize`.

        The next picture of the same shape is drawn into the same array.
        """
        offsets = disc(diameter)
        margin = int(offsets.max())
        padded = (shape[0] + 2 * margin, shape[1] + 2 * margin)
        if len(self._sums) != padded[0] * padded[1]:
            self._sums = np.zeros(padded[0] * padded[1], np.uint64)
        if self._picture.shape[:2] != shape:
            self._picture = np.zeros((*shape, 4), np.uint8)
        near, pixels = _flat(rows + margin, columns + margin, padded, margin)
        _kernels.splat(
            pixels,
            _packed(table)[color[near], _step(alpha[near])],
            offsets[:, 0] * padded[1] + offsets[:, 1],
            self._sums,
        )
        sums = self._sums.reshape(padded)
        _kernels.tone(sums, margin, _OPACITY, _whole(self._picture))
        return self._picture

    def put(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        color: Color,
        diameter: float,
        rim: Color,
    ) -> None:
        """Put opaque discs on top of the picture that was drawn last.

        One after the other, each with its rim: however many overlap, they are told
        from what is below, whatever colour that has.

        Parameters
        ----------
        rows, columns : ndarray of float, shape (m,)
            Their middles, in pixels.
        color, rim : tuple of int
            Red, green, blue and alpha, 0 to 255.
        diameter : float
            In pixels, with the rim of one pixel.
        """
        offsets, inner = disc(diameter), max(diameter - 2, 1.0) / 2
        inside = (offsets.astype(np.int64) ** 2).sum(axis=1) <= inner**2
        both = np.array([rim, color], np.uint8).view(np.uint32)[:, 0]
        _kernels.stamp(
            rows.astype(np.int32),
            columns.astype(np.int32),
            offsets,
            both[inside.astype(np.intp)],
            _whole(self._picture),
        )


def _whole(picture: np.ndarray) -> np.ndarray:
    """Return a view of a picture in which a pixel is one number.

    Four bytes at a time; every processor that napari runs on is little-endian.
    """
    return np.asarray(picture.view(np.uint32)[:, :, 0])


def _flat(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which spots' discs lie in the picture, and their flat pixels."""
    height, width = shape
    inside = (rows >= margin) & (rows < height - margin)
    inside &= (columns >= margin) & (columns < width - margin)
    near = np.flatnonzero(inside)
    row = rows[near].astype(np.int64)
    pixels = row * width + columns[near].astype(np.int64)
    if height < 2**16:
        # Row by row: neighbours in the picture are then neighbours in memory.
        order = np.argsort(row.astype(np.uint16), kind="stable")
        near, pixels = near[order], pixels[order]
    return near, pixels


# 1 - exp(-2 n) of n opaque spots: 0.86 for one and near 1 for two, so that the
# picture looks like points where spots are few.
_OPACITY = np.round(
    255 * -np.expm1(-2 * np.arange(2**16, dtype=np.float64) / 255)
).astype(np.uint8)

_STEPS = 16  # of opacity; a slab has fewer planes than the eye tells apart


def _step(alpha: np.ndarray) -> np.ndarray:
    return np.asarray((np.clip(alpha, 0, 1) * (_STEPS - 1) + 0.5).astype(np.uint8))


def _packed(table: np.ndarray) -> np.ndarray:
    """Return red, green, blue and alpha in one number, (k, steps) uint64."""
    alpha = np.linspace(0, 255, _STEPS).round()
    fields = np.empty((len(table), _STEPS, 4), np.uint64)
    fields[..., :3] = np.round(table[:, None, :3] * alpha[None, :, None] / 255)
    fields[..., 3] = alpha
    shifts = np.array([48, 32, 16, 0], np.uint64)
    return np.asarray((fields << shifts).sum(axis=-1, dtype=np.uint64))
