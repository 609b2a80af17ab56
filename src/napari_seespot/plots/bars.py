"""A spot's intensities beside what a dye would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.plots._qt import pg
from napari_seespot.plots.base import PlotPanel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.plots.theme import PlotTheme

__all__ = ["IntensityBars"]

_WIDTH = 0.7


class IntensityBars(PlotPanel):
    """One bar a channel, and the levels that dyes would give as lines across it."""

    def __init__(self) -> None:
        super().__init__(pg.ViewBox(enableMouse=False, enableMenu=False))
        self.set_labels("", "intensity")
        self.bars = pg.BarGraphItem(x=[0], height=[0], width=_WIDTH)
        self.addItem(self.bars)
        self.levels: dict[str, Any] = {}
        self._legend = self.addLegend(offset=(-6, 4), labelTextSize="8pt")

    def show_spot(
        self,
        names: Sequence[str],
        heights: np.ndarray,
        colors: Sequence[str],
        expected: dict[str, tuple[np.ndarray, str]],
    ) -> None:
        """Show a spot.

        Parameters
        ----------
        names : sequence of str
            The channels.
        heights : ndarray, shape (n,)
            Their intensities.
        colors : sequence of str
            One a channel.
        expected : dict of str to (ndarray of shape (n,), str)
            By the name in the legend: intensities that a dye would give, and a
            colour.
        """
        places = np.arange(len(names))
        finite = np.nan_to_num(np.asarray(heights, float), nan=0, posinf=0, neginf=0)
        brushes = [pg.mkBrush(color) for color in colors]
        self.bars.setOpts(x=places, height=finite, width=_WIDTH, brushes=brushes)
        self.getAxis("bottom").setTicks([list(zip(places, names, strict=True))])
        for item in self.levels.values():
            self.removeItem(item)
        self.levels = {
            name: self._level(name, places, values, color)
            for name, (values, color) in expected.items()
        }
        tops = [finite, *(values for values, _ in expected.values())]
        low = min(0.0, *(float(np.min(values)) for values in tops))
        high = max(1.0, *(float(np.max(values)) for values in tops))
        room = 0.05 * (high - low)
        self.set_limits((-0.6, len(names) - 0.4, low - room, high + 4 * room))

    def _level(
        self, name: str, places: np.ndarray, values: np.ndarray, color: str
    ) -> Any:
        x = np.column_stack([places - 0.45, places + 0.45]).ravel()
        pen = pg.mkPen(color, width=2)
        return self.plot(x, np.repeat(values, 2), pen=pen, connect="pairs", name=name)

    def _paint_theme(self, theme: PlotTheme) -> None:
        legend = getattr(self, "_legend", None)
        if legend is not None:
            legend.setLabelTextColor(theme.text)
