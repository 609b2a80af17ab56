"""The crops around a spot: a row of pictures for each view, a column a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtGui import QColor

from napari_seespot.plots._qt import pg
from napari_seespot.plots.theme import DARK, PlotTheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_seespot.evidence import Crop

__all__ = ["VIEWS", "CropGrid", "Neighbour"]

VIEWS = ("xy", "max", "xz")
"""The plane of the spot, the maximum over near planes, and the side view."""

_RING = 14  # pixels; the spot itself stays visible inside
_OTHER = 8


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

    place: tuple[float, float, float]
    color: str
    text: str


class CropGrid(pg.GraphicsLayoutWidget):  # type: ignore[misc]  # pyqtgraph is Any
    """Pictures of one spot in all channels, seen from above, projected and aside."""

    def __init__(self) -> None:
        super().__init__()
        self.ci.layout.setContentsMargins(2, 2, 2, 2)
        self.ci.layout.setSpacing(3)
        self.theme = DARK
        self.images: dict[tuple[str, str], Any] = {}
        self.setBackground(DARK.background)

    def set_theme(self, theme: PlotTheme) -> None:
        """Take other colours; pixels stay on black, as in the viewer."""
        self.theme = theme
        self.setBackground(theme.background)

    def show_crops(
        self,
        crops: Mapping[str, Crop],
        titles: Mapping[str, str],
        limits: Mapping[str, tuple[float, float]],
        position: tuple[float, float, float],
        others: Sequence[Neighbour] = (),
        aspect: float = 1.0,
    ) -> None:
        """Show a spot.

        Parameters
        ----------
        crops : mapping of str to Crop
            By channel.
        titles : mapping of str to str
            What stands above a channel's column.
        limits : mapping of str to (low, high)
            Contrast of each channel.
        position : tuple of float
            (z, y, x) of the spot, in voxels.
        others : sequence of Neighbour
        aspect : float
            Voxel size in z over that in x, for the side view.
        """
        self.clear()
        self.images = {}
        for column, (channel, crop) in enumerate(crops.items()):
            text = titles[channel].replace("\n", "<br>")
            title = self.addLabel("", row=0, col=column)
            title.setText(text, color=self.theme.text, size="8pt")
            for row, view in enumerate(VIEWS, start=1):
                box = self._add_box(row, column, view, aspect)
                self._draw(box, channel, crop, view, limits[channel])
                self._draw_spots(box, crop, view, position, others)

    def _add_box(self, row: int, column: int, view: str, aspect: float) -> Any:
        box = self.addViewBox(row=row, col=column, enableMouse=False, enableMenu=False)
        box.setAspectLocked(True, ratio=1 / aspect if view == "xz" else 1)
        box.invertY(True)
        box.setDefaultPadding(0)
        return box

    def _draw(
        self,
        box: Any,
        channel: str,
        crop: Crop,
        view: str,
        limits: tuple[float, float],
    ) -> None:
        pixels = {"xy": crop.plane, "max": crop.projection, "xz": crop.side}[view]
        item = pg.ImageItem(np.asarray(pixels).T, levels=limits)
        z, y, x = crop.origin
        # A voxel's centre is its coordinate: the picture begins half of one before.
        item.setPos(x - 0.5, (z if view == "xz" else y) - 0.5)
        box.addItem(item)
        box.autoRange(padding=0)
        self.images[channel, view] = item

    def _draw_spots(
        self,
        box: Any,
        crop: Crop,
        view: str,
        position: tuple[float, float, float],
        others: Sequence[Neighbour],
    ) -> None:
        depth = {"xy": 1.0, "max": crop.depth + 0.5, "xz": np.inf}[view]
        near = [
            spot
            for spot in others
            if abs(spot.place[0] - position[0]) <= depth
            and (view != "xz" or abs(spot.place[1] - position[1]) <= 1)
        ]
        self._add_rings(box, view, [n.place for n in near], near, _OTHER)
        self._add_rings(box, view, [position], [], _RING)

    def _add_rings(
        self,
        box: Any,
        view: str,
        places: Sequence[tuple[float, float, float]],
        spots: Sequence[Neighbour],
        size: int,
    ) -> None:
        if not places:
            return
        colors = [spot.color for spot in spots] or ["#ff00ff"] * len(places)
        rings = pg.ScatterPlotItem(
            x=[place[2] for place in places],
            y=[place[0] if view == "xz" else place[1] for place in places],
            size=size,
            brush=None,
            pen=[pg.mkPen(QColor(color), width=1.5) for color in colors],
            data=[spot.text for spot in spots] or None,
            hoverable=bool(spots),
            tip=(lambda x, y, data: data) if spots else None,
        )
        box.addItem(rings, ignoreBounds=True)
