"""Many spots side by side: a strip of channels for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_seespot._box_reading import BoxOf, read_boxes
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.unmixing import dye_distances

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_seespot._level_array import LevelArray
    from napari_seespot.dataset import Dataset

__all__ = ["ORDERS", "Strips", "WallLayout", "mosaic", "ordered", "strips"]

ORDERS = ("table order", "r", "dist", "residual", "intensity ratio")
"""What strips can be sorted by: see `ordered`."""

_BLOCK = 1 << 18  # rows that are measured at once


def ordered(
    dataset: Dataset,
    rows: np.ndarray,
    by: str,
    *,
    descending: bool = False,
    n: int | None = None,
) -> np.ndarray:
    """Return rows in the order of a measure, those without a value last.

    Parameters
    ----------
    dataset : Dataset
    rows : ndarray of int, shape (m,)
        In row order.
    by : str
        One of `ORDERS`. ``"residual"``: distance from the nearest dye's line;
        ``"intensity ratio"``: intensity in the unmixed channel over that in the
        detected one, which removed spots do not have.
    descending : bool
        The largest first.
    n : int, optional
        Return the first `n` only.

    Raises
    ------
    StateError
        For another order, or one that the dataset has no data for.
    """
    if by not in ORDERS:
        raise StateError(f"no order {by!r}", expected=f"one of {', '.join(ORDERS)}")
    if by == "table order":
        return np.asarray(rows[::-1] if descending else rows)[:n]
    key = np.concatenate(
        [np.zeros(0)]
        + [
            _key(dataset, rows[start : start + _BLOCK], by)
            for start in range(0, len(rows), _BLOCK)
        ]
    )
    key = np.where(np.isfinite(key), -key if descending else key, np.inf)
    return np.asarray(rows[np.argsort(key, kind="stable")[:n]])


def _key(dataset: Dataset, rows: np.ndarray, by: str) -> np.ndarray:
    spots = dataset.spots
    if by in ("r", "dist"):
        return np.asarray(spots.column(by)[rows], np.float64)
    vectors = np.stack([spots.intensity(c)[rows] for c in spots.channels], axis=1)
    vectors = vectors.astype(np.float64)
    if by == "residual":
        if dataset.ratios is None:
            raise StateError("there are no ratios to find residuals with")
        return np.asarray(dye_distances(vectors, dataset.ratios).min(axis=1))
    n = len(spots.channels)
    chan, unmixed = np.divmod(spots.code[rows].astype(int), n + 1)
    ratio = np.full(len(rows), np.nan)
    kept = np.flatnonzero(unmixed < n)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio[kept] = vectors[kept, unmixed[kept]] / vectors[kept, chan[kept]]
    return ratio


@dataclass(frozen=True, eq=False)
class Strips:
    """The pixels of spots: of each its plane in all channels.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
    channels : list of str
        Those that have an image.
    pixels : ndarray of float32, shape (n, n_channels, 2 radius + 1, 2 radius + 1)
        NaN outside the image, where it could not be read, and for spots without
        a position.
    unread : ndarray of bool, shape (n, n_channels)
        Crops that could not be read, or not all of them.
    problems : mapping of str to str
        Why, by channel; also for channels that have no strip at all.
    """

    rows: np.ndarray
    channels: list[str]
    pixels: np.ndarray
    unread: np.ndarray
    problems: Mapping[str, str] = field(default_factory=dict)

    def taken(self, rows: np.ndarray) -> Strips:
        """Return these rows, all of which are here, in this order."""
        order = np.argsort(self.rows, kind="stable")
        places = order[np.searchsorted(self.rows, rows, sorter=order)]
        return Strips(
            rows,
            self.channels,
            self.pixels[places],
            self.unread[places],
            self.problems,
        )

    def joined(self, other: Strips) -> Strips:
        """Return the rows of both; of the same channels and radius."""
        return Strips(
            np.concatenate([self.rows, other.rows]),
            self.channels,
            np.concatenate([self.pixels, other.pixels]),
            np.concatenate([self.unread, other.unread]),
            {**self.problems, **other.problems},
        )


def strips(
    dataset: Dataset,
    rows: np.ndarray,
    radius: int = 8,
    *,
    known: Strips | None = None,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Strips:
    """Read the plane around each spot in all channels; slow, for a worker.

    Parameters
    ----------
    dataset : Dataset
    rows : ndarray of int, shape (n,)
    radius : int
        Voxels to either side in y and x.
    known : Strips, optional
        Of the same dataset and radius: what was read of them is not read again.
    progress : callable, optional
        Called with a share from 0 to 1 and a text.
    cancelled : callable, optional
        Asked often while reading.

    Raises
    ------
    StateError
        When the dataset has no image that can be read.
    CancelledError
        When `cancelled` returned true.
    """
    arrays, problems = _finest(dataset)
    if not arrays:
        raise StateError(
            "there are no images to show spots in",
            where=dataset.name,
            hint="Open a dataset with fused channels",
        )
    channels = [*arrays]
    if known is None or known.channels != channels or not len(known.rows):
        return _read(dataset, rows, radius, arrays, problems, progress, cancelled)
    there = known.rows[~known.unread.any(axis=1)]
    missing = rows[~np.isin(rows, there)]
    old = known.taken(there)
    old = Strips(old.rows, channels, old.pixels, old.unread, problems)
    if not len(missing):
        return old.taken(rows)
    new = _read(dataset, missing, radius, arrays, problems, progress, cancelled)
    return old.joined(new).taken(rows)


def _finest(dataset: Dataset) -> tuple[dict[str, LevelArray], dict[str, str]]:
    arrays, problems = {}, {}
    for channel in dataset.channels:
        if channel in dataset.images:
            try:
                arrays[channel] = dataset.images[channel].arrays[0]
            except SeeSpotError as error:
                problems[channel] = str(error)
    return arrays, problems


def _read(
    dataset: Dataset,
    rows: np.ndarray,
    radius: int,
    arrays: Mapping[str, LevelArray],
    problems: Mapping[str, str],
    progress: Callable[[float, str], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Strips:
    size = 2 * radius + 1
    pixels = np.full((len(rows), len(arrays), size, size), np.nan, np.float32)
    unread = np.zeros(pixels.shape[:2], bool)
    places = np.stack([dataset.spots.column(axis)[rows] for axis in "zyx"], axis=1)
    where, boxes = [], []
    for place in np.flatnonzero(np.isfinite(places).all(axis=1)):
        z, y, x = (round(float(value)) for value in places[place])
        for channel, array in enumerate(arrays.values()):
            where.append((place, channel))
            boxes.append(BoxOf(array, (z, y - radius, x - radius), (1, size, size)))

    def tell(share: float) -> None:
        if progress is not None:
            progress(share, f"{round(share * len(rows)):,} of {len(rows):,} spots")

    tell(0.0)
    found = read_boxes(boxes, progress=tell, cancelled=cancelled)
    told = dict(problems)
    names = [*arrays]
    for (place, channel), part in zip(where, found, strict=True):
        _, down, across = part.inside
        if part.values[part.inside].size:  # else the spot lies outside the image
            pixels[place, channel][down, across] = part.values[0][down, across]
        for region, why in zip(part.unread, part.reasons, strict=True):
            pixels[place, channel][region[1:]] = np.nan
            unread[place, channel] = True
            told.setdefault(names[channel], f"crops could not be read ({why})")
    return Strips(rows, names, pixels, unread, told)


@dataclass(frozen=True)
class WallLayout:
    """Where strips lie in one picture, in voxels.

    Attributes
    ----------
    n, n_channels, size : int
        Strips, crops in each, and voxels along an edge of a crop.
    columns : int
        Strips in a row.
    gap : int
        Voxels between crops; twice as many around a strip, for its frame.
    header : int
        Voxels above everything, for the names of the channels.
    """

    n: int
    n_channels: int
    size: int
    columns: int
    gap: int = 1
    header: int = 8

    @property
    def used_columns(self) -> int:
        """`columns`, but no more than there are strips, and one at least."""
        return max(1, min(self.columns, max(self.n, 1)))

    @property
    def step(self) -> tuple[int, int]:
        """From one strip to the next, down and across."""
        across = self.n_channels * (self.size + self.gap) - self.gap + 4 * self.gap
        return (self.size + 4 * self.gap, across)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        down, across = self.step
        rows = -(-self.n // self.used_columns)
        return (self.header + rows * down, self.used_columns * across)

    def corner(self, place: int, channel: int = 0) -> tuple[int, int]:
        """Return the first row and column of a crop."""
        down, across = self.step
        row, column = divmod(place, self.used_columns)
        margin = 2 * self.gap
        return (
            self.header + row * down + margin,
            column * across + margin + channel * (self.size + self.gap),
        )

    def place_at(self, y: float, x: float) -> tuple[int, int] | None:
        """Return strip and channel under a pixel, or None.

        Between two crops it is the channel to the left.
        """
        down, across = self.step
        row, left = int((y - self.header) // down), x % across
        column = int(x // across)
        place = row * self.used_columns + column
        inside = y >= self.header and 0 <= column < self.used_columns
        if not inside or not 0 <= place < self.n:
            return None
        channel = int((left - 2 * self.gap) // (self.size + self.gap))
        return place, min(max(channel, 0), self.n_channels - 1)


def mosaic(
    pixels: np.ndarray, limits: Sequence[tuple[float, float]], layout: WallLayout
) -> np.ndarray:
    """Put strips side by side, each channel stretched to its limits.

    Parameters
    ----------
    pixels : ndarray, shape (n, n_channels, s, s)
    limits : sequence of (low, high)
        One a channel.
    layout : WallLayout

    Returns
    -------
    ndarray of uint8, of the layout's shape
        Black between strips and where there are no pixels.
    """
    picture = np.zeros(layout.shape, np.uint8)
    size = layout.size
    for channel, (low, high) in enumerate(limits):
        share = (pixels[:, channel] - low) / max(high - low, 1e-6)
        gray = (np.clip(np.nan_to_num(share), 0, 1) * 255 + 0.5).astype(np.uint8)
        for place in range(layout.n):
            top, left = layout.corner(place, channel)
            picture[top : top + size, left : left + size] = gray[place]
    return picture
