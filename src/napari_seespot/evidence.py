"""What speaks for and against one spot's verdict: pixels, intensities, neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot._box_reading import BoxOf, part_inside, read_boxes
from napari_seespot._chunk_reader import reader
from napari_seespot._reading_pool import Urgency
from napari_seespot.dataset import opened
from napari_seespot.errors import (
    CancelledError,
    NotFoundError,
    SeeSpotError,
    StateError,
)
from napari_seespot.index import Box
from napari_seespot.unmixing import dye_distances

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot._box_reading import Pixels
    from napari_seespot._level_array import Region
    from napari_seespot.dataset import Dataset
    from napari_seespot.index import SpotIndex
    from napari_seespot.spots import Spots

__all__ = [
    "Crop",
    "CropsAhead",
    "Duplicate",
    "cells_known",
    "crops",
    "duplicate_of",
    "dye_fits",
    "radius_of",
    "spots_near",
]

_BLOCK = 1 << 18  # rows
_USUAL_RADIUS = 3.0  # voxels


@dataclass(frozen=True, eq=False)
class Crop:
    """The pixels around a spot in one channel, at full resolution.

    Attributes
    ----------
    channel : str
    volume : ndarray, shape (2 dz + 1, 2 dy + 1, 2 dx + 1)
        The spot's voxel is in the middle; 0 outside the image.
    origin : tuple of int
        (z, y, x) of the first voxel; negative where the crop begins outside.
    depth : int
        Planes before and behind that the projection takes in.
    inside : tuple of slice
        The part of `volume` that lies in the image.
    unread : tuple of tuple of slice
        Parts of `volume` that could not be read: what they show is no signal, nor
        the lack of one.
    """

    channel: str
    volume: np.ndarray
    origin: tuple[int, int, int]
    depth: int
    inside: Region
    unread: tuple[Region, ...] = ()

    @property
    def value_range(self) -> tuple[float, float]:
        """The least and the greatest voxel that was read; (0, 1) where none was."""
        known = np.ones(self.volume.shape, bool)
        for part in self.unread:
            known[part] = False
        values = self.volume[self.inside][known[self.inside]]
        if not values.size:
            return (0.0, 1.0)
        return (float(values.min()), float(values.max()))

    @property
    def plane(self) -> np.ndarray:
        """The xy plane of the spot, shape (2 dy + 1, 2 dx + 1)."""
        return np.asarray(self.volume[self.volume.shape[0] // 2])

    @property
    def projection(self) -> np.ndarray:
        """The maximum over the planes near the spot's, in the shape of `plane`."""
        middle = self.volume.shape[0] // 2
        near = self.volume[max(middle - self.depth, 0) : middle + self.depth + 1]
        return np.asarray(near.max(axis=0))

    @property
    def side(self) -> np.ndarray:
        """The xz plane through the spot, shape (2 dz + 1, 2 dx + 1)."""
        return np.asarray(self.volume[:, self.volume.shape[1] // 2])


def crops(
    dataset: Dataset,
    row: int,
    *,
    radius: int = 12,
    radius_z: int = 6,
    depth: int = 3,
    channels: Sequence[str] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[dict[str, Crop], dict[str, str]]:
    """Read the pixels around a spot in all spot channels, in parallel.

    Only the box itself is read, from level 0. Slow: meant for a worker.

    Parameters
    ----------
    dataset : Dataset
    row : int
    radius, radius_z : int
        Voxels to either side in y and x, and in z.
    depth : int
        Planes to either side that `Crop.projection` takes in.
    channels : sequence of str, optional
        The spot channels that have an image, by default.
    cancelled : callable, optional
        Asked before and while reading; the result is empty then.

    Returns
    -------
    crops : dict of str to Crop
    problems : dict of str to str
        A message for each channel that cannot be read, or not all of it.

    Raises
    ------
    NotFoundError
        When the spot's position is not known.
    """
    center = _voxel(dataset, row)
    reach = (radius_z, radius, radius)
    origin, size = _minus(center, reach), _size(reach)
    if channels is None:
        channels = [name for name in dataset.channels if name in dataset.images]
    boxes: dict[str, BoxOf] = {}
    problems: dict[str, str] = {}
    for channel in channels:
        try:
            boxes[channel] = BoxOf(dataset.images[channel].arrays[0], origin, size)
        except SeeSpotError as error:
            problems[channel] = str(error)
    try:
        if cancelled is not None and cancelled():
            return {}, problems
        read = read_boxes(list(boxes.values()), cancelled=cancelled)
    except CancelledError:
        return {}, problems
    found = {}
    for channel, pixels in zip(boxes, read, strict=True):
        unread = tuple(pixels.unread)
        found[channel] = Crop(
            channel, pixels.values, origin, depth, pixels.inside, unread
        )
        if unread:
            problems[channel] = _told(pixels)
    return found, problems


def _told(pixels: Pixels) -> str:
    n = len(pixels.unread)
    parts = "a part of the crop" if n == 1 else f"{n} parts of the crop"
    return f"{parts} could not be read ({pixels.reasons[0]}); crossed out."


class CropsAhead:
    """Has the chunks read that the crops of the next spots lie in.

    Only while nothing else is to be done; what is not begun is dropped when other
    spots come next. It waits for nothing.
    """

    def read(
        self, dataset: Dataset, rows: Sequence[int], radius: int, radius_z: int
    ) -> None:
        """Have the boxes around some spots read; see `crops`.

        Parameters
        ----------
        dataset : Dataset
            Channels that were not opened before are left out.
        rows : sequence of int
        radius, radius_z : int
        """
        shared = reader()
        shared.pool.drop(self)
        reach = (radius_z, radius, radius)
        for row in rows:
            try:
                origin = _minus(_voxel(dataset, row), reach)
            except NotFoundError:
                continue
            for channel in dataset.channels:
                image = opened(dataset.images, channel)
                if image is None:
                    continue
                box = BoxOf(image.arrays[0], origin, _size(reach))
                for want in shared.wants(box.array, part_inside(box)):
                    if shared.known(want) is None and not want.failed:
                        shared.start(want, Urgency.IDLE, self)

    def drop(self, *_: object) -> None:
        """Read nothing ahead any more."""
        reader().pool.drop(self)


def _voxel(dataset: Dataset, row: int) -> tuple[int, int, int]:
    position = [float(dataset.spots.column(axis)[row]) for axis in "zyx"]
    if not np.isfinite(position).all():
        raise NotFoundError(
            f"spot {dataset.spots.column('spot_id')[row]} has no position",
            where=dataset.name,
        )
    z, y, x = (round(value) for value in position)
    return (z, y, x)


def _minus(
    center: tuple[int, int, int], reach: tuple[int, int, int]
) -> tuple[int, int, int]:
    z, y, x = (middle - half for middle, half in zip(center, reach, strict=True))
    return (z, y, x)


def _size(reach: tuple[int, int, int]) -> tuple[int, int, int]:
    z, y, x = (2 * half + 1 for half in reach)
    return (z, y, x)


def dye_fits(dataset: Dataset, row: int) -> pd.DataFrame:
    """Compare a spot's intensities with what each dye would give.

    Parameters
    ----------
    dataset : Dataset
        With ratios.
    row : int

    Returns
    -------
    DataFrame
        One row a dye, sorted by `distance`: `distance` of the intensities from the
        dye's line (see `dye_distances`), `scale` (the dye's amount: the
        projection on its line, in intensity of its brightest channel), and a
        column ``expected_<channel>`` for each channel: the point of the line
        that is nearest to the spot.

    Raises
    ------
    StateError
        When the dataset has no ratios.
    """
    ratios = dataset.ratios
    if ratios is None:
        raise StateError(
            "there are no ratios to compare with",
            where=dataset.name,
            hint="The dataset folder holds no *_ratios.txt",
        )
    vector = np.array(
        [dataset.spots.intensity(channel)[row] for channel in ratios.columns], float
    )
    matrix = ratios.to_numpy(np.float64)
    norms = np.square(matrix).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        amount = matrix @ vector / norms
    expected = amount[:, None] * matrix
    table = pd.DataFrame(
        expected, index=ratios.index, columns=[f"expected_{c}" for c in ratios.columns]
    )
    table.insert(0, "distance", dye_distances(vector[None], ratios)[0])
    table.insert(1, "scale", amount * matrix.max(axis=1))
    return table.sort_values("distance", kind="stable")


@dataclass(frozen=True)
class Duplicate:
    """The kept spot that a removed one repeats.

    Attributes
    ----------
    row : int
    distance : float
        In voxels.
    """

    row: int
    distance: float


def duplicate_of(
    dataset: Dataset,
    index: SpotIndex,
    row: int,
    min_dist: float | None = None,
    *,
    same_cell: bool = True,
) -> Duplicate | None:
    """Return the nearest kept spot of the same cell within the radius, or None.

    A `cell_id` of 0 means that a spot lies in no cell: it shares none with another
    such spot, and has no duplicate. Where cells are not known at all (no `cell_id`,
    or 0 throughout), distance alone decides.

    Parameters
    ----------
    dataset : Dataset
    index : SpotIndex
    row : int
    min_dist : float, optional
        The de-duplication radius in voxels; see `radius_of` for the default.
    same_cell : bool
        False looks at spots of all cells, and of none.
    """
    spots = dataset.spots
    radius = radius_of(dataset) if min_dist is None else min_dist
    center = np.array([spots.column(axis)[row] for axis in "zyx"], float)
    if not np.isfinite(center).all():
        return None
    near = spots_near(index, center, radius)
    removed = spots.class_of_code("status")[spots.code[near]] == 2
    near = near[~removed & (near != row)]
    if same_cell and cells_known(spots):
        cells = spots.column("cell_id")
        near = near[(cells[near] == cells[row]) & (cells[row] != 0)]
    points = np.stack([spots.column(axis)[near] for axis in "zyx"], axis=1)
    distance = np.linalg.norm(points - center, axis=1)
    inside = distance <= radius
    if not inside.any():
        return None
    best = int(np.flatnonzero(inside)[np.argmin(distance[inside])])
    return Duplicate(int(near[best]), float(distance[best]))


def radius_of(dataset: Dataset) -> float:
    """Return the de-duplication radius in voxels; 3 where it is not known."""
    return float(dataset.min_dist) if dataset.min_dist else _USUAL_RADIUS


def cells_known(spots: Spots) -> bool:
    """Whether any spot is told to lie in a cell."""
    if "cell_id" not in spots.columns:
        return False
    cells = spots.column("cell_id")
    # By blocks: of most tables the first one tells.
    starts = range(0, len(cells), _BLOCK)
    return any(cells[start : start + _BLOCK].any() for start in starts)


def spots_near(index: SpotIndex, center: np.ndarray, radius: object) -> np.ndarray:
    """Return the rows in a box around a place.

    Parameters
    ----------
    index : SpotIndex
    center : array-like, shape (3,)
        (z, y, x) in voxels.
    radius : float or array-like of shape (3,)
        Voxels to either side.
    """
    half = np.broadcast_to(np.asarray(radius, float), 3)
    low, high = np.asarray(center) - half, np.asarray(center) + half
    z0, y0, x0 = (float(value) for value in low)
    z1, y1, x1 = (float(value) for value in high)
    return index.rows_in(Box((z0, y0, x0), (z1, y1, x1)))
