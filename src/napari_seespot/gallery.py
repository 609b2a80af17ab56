"""Many spots side by side: a strip of channels for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import CancelledError, SeeSpotError, StateError
from napari_seespot.unmixing import dye_distances

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_seespot.dataset import Dataset

__all__ = ["ORDERS", "mosaic", "ordered", "place_in_mosaic", "strips"]

ORDERS = ("table order", "r", "dist", "residual", "intensity ratio")
"""What strips can be sorted by: see `ordered`."""

_BATCH = 16  # spots read together: enough to keep the reading threads busy
_GAP = 2  # pixels between channels; twice as many between spots


def ordered(dataset: Dataset, rows: np.ndarray, by: str) -> np.ndarray:
    """Return rows in the order of a measure, those without a value last.

    Parameters
    ----------
    dataset : Dataset
    rows : ndarray of int, shape (n,)
    by : str
        One of `ORDERS`. ``"r"`` and ``"dist"``: lowest first. ``"residual"``:
        distance from the nearest dye's line, largest first. ``"intensity
        ratio"``: intensity in the unmixed channel over that in the detected
        one, lowest first; removed spots have none.

    Raises
    ------
    StateError
        For another order, or one that the dataset has no data for.
    """
    if by not in ORDERS:
        raise StateError(f"no order {by!r}", expected=f"one of {', '.join(ORDERS)}")
    if by == "table order":
        return rows
    key = _key(dataset, rows, by)
    key = np.where(np.isfinite(key), key, np.inf)
    return np.asarray(rows[np.argsort(key, kind="stable")])


def _key(dataset: Dataset, rows: np.ndarray, by: str) -> np.ndarray:
    spots = dataset.spots
    if by in ("r", "dist"):
        return np.asarray(spots.column(by)[rows], np.float64)
    vectors = np.stack([spots.intensity(c)[rows] for c in spots.channels], axis=1)
    vectors = vectors.astype(np.float64)
    if by == "residual":
        if dataset.ratios is None:
            raise StateError("there are no ratios to find residuals with")
        return np.asarray(-dye_distances(vectors, dataset.ratios).min(axis=1))
    n = len(spots.channels)
    chan, unmixed = np.divmod(spots.code[rows].astype(int), n + 1)
    ratio = np.full(len(rows), np.nan)
    kept = np.flatnonzero(unmixed < n)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio[kept] = vectors[kept, unmixed[kept]] / vectors[kept, chan[kept]]
    return ratio


def strips(
    dataset: Dataset,
    rows: np.ndarray,
    radius: int = 8,
    *,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Read the plane around each spot in all channels; slow, for a worker.

    Parameters
    ----------
    dataset : Dataset
    rows : ndarray of int, shape (n,)
    radius : int
        Voxels to either side in y and x.
    progress : callable, optional
        Called with a share from 0 to 1 and a text.
    cancelled : callable, optional

    Returns
    -------
    pixels : ndarray of float32, shape (n, n_channels, 2 radius + 1, 2 radius + 1)
        NaN outside the image, and for spots without a position.
    channels : list of str
        Those that have an image.

    Raises
    ------
    StateError
        When the dataset has no image that can be read.
    CancelledError
        When `cancelled` returned true.
    """
    levels = _finest(dataset)
    if not levels:
        raise StateError(
            "there are no images to show spots in",
            where=dataset.name,
            hint="Open a dataset with fused channels",
        )
    size = 2 * radius + 1
    pixels = np.full((len(rows), len(levels), size, size), np.nan, np.float32)
    places = np.stack([dataset.spots.column(axis)[rows] for axis in "zyx"], axis=1)
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    for start in range(0, len(known), _BATCH):
        if cancelled is not None and cancelled():
            raise CancelledError("reading the gallery was cancelled")
        if progress is not None:
            progress(start / len(known), f"{start:,} of {len(known):,} spots")
        batch = known[start : start + _BATCH]
        _read_batch(levels, np.rint(places[batch]).astype(int), radius, pixels, batch)
    return pixels, [*levels]


def _finest(dataset: Dataset) -> dict[str, Any]:
    levels = {}
    for channel in dataset.channels:
        if channel in dataset.images:
            try:
                levels[channel] = dataset.images[channel].levels[0]
            except SeeSpotError:  # that channel is reported where it is shown
                continue
    return levels


def _read_batch(
    levels: Mapping[str, Any],
    centers: np.ndarray,
    radius: int,
    pixels: np.ndarray,
    batch: np.ndarray,
) -> None:
    import dask.array as da

    wanted = []
    for place, (z, y, x) in zip(batch, centers, strict=True):
        for channel, level in enumerate(levels.values()):
            depth, height, width = level.shape
            top, left = max(y - radius, 0), max(x - radius, 0)
            bottom, right = min(y + radius + 1, height), min(x + radius + 1, width)
            if 0 <= z < depth and top < bottom and left < right:
                inner = (
                    slice(top - y + radius, bottom - y + radius),
                    slice(left - x + radius, right - x + radius),
                )
                part = level[z, top:bottom, left:right]
                wanted.append(((place, channel, *inner), part))
    parts: Any = da.compute(*(part for _, part in wanted))  # type: ignore[no-untyped-call]  # dask's
    for (target, _), part in zip(wanted, parts, strict=True):
        pixels[target] = part


def mosaic(
    pixels: np.ndarray,
    limits: Sequence[tuple[float, float]],
    columns: int,
    gap: int = _GAP,
) -> np.ndarray:
    """Put strips side by side, each channel stretched to its limits.

    Parameters
    ----------
    pixels : ndarray, shape (n, n_channels, s, s)
    limits : sequence of (low, high)
        One a channel.
    columns : int
        Strips in a row.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Black between strips and where there are no pixels.
    """
    n, n_channels, size, _ = pixels.shape
    columns = max(1, min(columns, max(n, 1)))
    rows = -(-n // columns)
    step_y, step_x = size + 2 * gap, n_channels * (size + gap) + gap
    picture = np.zeros((rows * step_y, columns * step_x), np.uint8)
    low = np.array([limit[0] for limit in limits], np.float32)
    high = np.array([max(limit[1], limit[0] + 1e-6) for limit in limits], np.float32)
    scale = (high - low)[:, None, None]
    for k in range(n):
        share = (pixels[k] - low[:, None, None]) / scale
        gray = (np.clip(np.nan_to_num(share), 0, 1) * 255 + 0.5).astype(np.uint8)
        top, left = (k // columns) * step_y, (k % columns) * step_x
        for channel in range(n_channels):
            x = left + channel * (size + gap)
            picture[top : top + size, x : x + size] = gray[channel]
    return picture


def place_in_mosaic(
    y: float,
    x: float,
    n: int,
    n_channels: int,
    size: int,
    columns: int,
    gap: int = _GAP,
) -> int | None:
    """Return which strip of a mosaic lies under a pixel, or None."""
    columns = max(1, min(columns, max(n, 1)))
    row, column = (
        int(y // (size + 2 * gap)),
        int(x // (n_channels * (size + gap) + gap)),
    )
    place = row * columns + column
    inside = y >= 0 and 0 <= column < columns and 0 <= place < n
    return place if inside else None
