"""Where the pictures of one spot lie, and which other spots are seen in each.

Three rows (`VIEWS`) of a column a channel. Nothing here needs a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from napari_seespot._level_array import Region
    from napari_seespot.evidence import Crop

__all__ = ["VIEWS", "CropCells", "CropScene", "Neighbour", "Place", "Rect"]

VIEWS = ("xy", "max", "xz")
"""The plane of the spot, the maximum over near planes, and the side view."""

Place = tuple[float, float, float]
"""(z, y, x) in voxels."""

Rect = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the screen."""

_GAP = 3.0  # pixels between pictures
_LARGEST = 160.0  # pixels: wider ones would leave no height for what is below
_NEAR = 1.0  # voxels before or behind the plane in which a spot still shows


@dataclass(frozen=True)
class Neighbour:
    """Another spot in the crop.

    Attributes
    ----------
    place : tuple of float
        (z, y, x) in voxels.
    color : str
    text : str
        What the tool tip tells.
    """

    place: Place
    color: str
    text: str


@dataclass(frozen=True, eq=False)
class CropScene:
    """All that the pictures of a spot show.

    Attributes
    ----------
    titles : mapping of str to str
        What stands above each channel's column, one or two lines.
    crops : mapping of str to Crop
        A channel without one could not be read.
    position : tuple of float
        (z, y, x) of the spot, in voxels.
    reach : tuple of int
        (z, y and x) voxels to either side.
    depth : int
        Planes to either side that the projection takes in.
    aspect : float
        Voxel size in z over that in x, for the side view.
    others : tuple of Neighbour
    kept : Neighbour or None
        The kept spot that this one repeats.
    """

    titles: Mapping[str, str]
    crops: Mapping[str, Crop]
    position: Place
    reach: tuple[int, int]
    depth: int
    aspect: float = 1.0
    others: tuple[Neighbour, ...] = ()
    kept: Neighbour | None = None

    @property
    def middle(self) -> tuple[int, int, int]:
        """The voxel that the planes are taken through."""
        z, y, x = (round(value) for value in self.position)
        return (z, y, x)

    def picture(self, channel: str, view: str) -> np.ndarray | None:
        """Return the pixels of a channel in a view; None where there are none."""
        crop = self.crops.get(channel)
        if crop is None:
            return None
        return {"xy": crop.plane, "max": crop.projection, "xz": crop.side}[view]

    def distance(self, place: Place, view: str) -> float:
        """Return how far a place lies before or behind what a view shows."""
        axis = 1 if view == "xz" else 0
        away = abs(place[axis] - self.middle[axis])
        return max(away - self.depth, 0.0) if view == "max" else away

    def seen(self, view: str) -> list[Neighbour]:
        """Return the other spots that show in a view."""
        near = 0.5 if view == "max" else _NEAR
        return [
            other for other in self.others if self.distance(other.place, view) <= near
        ]

    def kept_is_in_plane(self, view: str) -> bool:
        """Whether the kept spot lies in the plane (or planes) of a view."""
        kept = self.kept
        return kept is not None and self.distance(kept.place, view) <= 0.5

    def unread(self, channel: str, view: str) -> list[tuple[int, int, int, int]]:
        """Return parts of a picture that could not be read.

        Returns
        -------
        list of tuple of int
            First and last row, first and last column, the last not included.
        """
        crop = self.crops.get(channel)
        if crop is None:
            return []
        parts = []
        for part in crop.unread:
            if self._touches(crop, part, view):
                down, across = part[0 if view == "xz" else 1], part[2]
                parts.append((down.start, down.stop, across.start, across.stop))
        return parts

    def _touches(self, crop: Crop, part: Region, view: str) -> bool:
        axis = 1 if view == "xz" else 0
        reach = crop.depth if view == "max" else 0
        middle = crop.volume.shape[axis] // 2
        span = part[axis]
        return bool(span.start <= middle + reach and span.stop > middle - reach)


@dataclass(frozen=True)
class CropCells:
    """How the pictures of a scene share a width.

    Attributes
    ----------
    scene : CropScene
    width : float
        Pixels of the screen.
    title, label : float
        Height of the titles above, width of the rows' labels to the left.
    """

    scene: CropScene
    width: float
    title: float
    label: float

    @property
    def step(self) -> float:
        """Pixels a voxel in y and x."""
        columns = max(1, len(self.scene.titles))
        room = (self.width - self.label - _GAP) / columns - _GAP
        return max(8.0, min(room, _LARGEST)) / (2 * self.scene.reach[1] + 1)

    def steps(self, view: str) -> tuple[float, float]:
        """Return pixels a voxel down and across."""
        step = self.step
        return (step * self.scene.aspect if view == "xz" else step, step)

    def size(self, view: str) -> tuple[float, float]:
        """Return height and width of a view's pictures."""
        down, across = self.steps(view)
        reach_z, reach = self.scene.reach
        rows = 2 * (reach_z if view == "xz" else reach) + 1
        return (rows * down, (2 * reach + 1) * across)

    def top(self, view: str) -> float:
        """Return where a view's row begins."""
        above = VIEWS[: VIEWS.index(view)]
        return self.title + sum(self.size(other)[0] + _GAP for other in above)

    @property
    def height(self) -> float:
        """Pixels that all of it needs."""
        return self.top(VIEWS[-1]) + self.size(VIEWS[-1])[0] + _GAP

    def rect(self, channel: str, view: str) -> Rect:
        """Return where a picture lies."""
        height, width = self.size(view)
        column = list(self.scene.titles).index(channel)
        left = self.label + _GAP + column * (width + _GAP)
        return (left, self.top(view), width, height)

    def point(self, channel: str, view: str, place: Place) -> tuple[float, float]:
        """Return where a place is drawn, (x, y) in pixels.

        A voxel's centre is its coordinate: the picture begins half of one before.
        """
        left, top, _, _ = self.rect(channel, view)
        down, across = self.steps(view)
        first = self._first(view)
        v = place[0] if view == "xz" else place[1]
        return (
            left + (place[2] - first[1] + 0.5) * across,
            top + (v - first[0] + 0.5) * down,
        )

    def voxel(self, x: float, y: float) -> tuple[str, str, int, int] | None:
        """Return channel, view, row and column of the pixel under a point."""
        for view in VIEWS:
            for channel in self.scene.titles:
                left, top, width, height = self.rect(channel, view)
                if left <= x < left + width and top <= y < top + height:
                    down, across = self.steps(view)
                    return (
                        channel,
                        view,
                        int((y - top) / down),
                        int((x - left) / across),
                    )
        return None

    def _first(self, view: str) -> tuple[int, int]:
        """Return the coordinates of the first voxel, down and across."""
        (z, y, x), (reach_z, reach) = self.scene.middle, self.scene.reach
        return (z - reach_z if view == "xz" else y - reach, x - reach)
