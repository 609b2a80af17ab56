"""A spot's intensities beside what dyes would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QFont, QFontMetricsF
from qtpy.QtWidgets import QToolTip

from napari_seespot.plots._qt import pg
from napari_seespot.plots.base import PlotPanel
from napari_seespot.plots.tight_text import fitting_font

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

__all__ = ["LINES", "IntensityBars", "Level"]

_WIDTH = 0.7
_SMALLEST_FONT = 7  # pixels
_TICKS = 8  # pixels between the axis and its texts

LINES = ("solid", "dashed", "dotted")
"""How a dye's levels may be drawn."""

_PENS = {
    "solid": Qt.PenStyle.SolidLine,
    "dashed": Qt.PenStyle.DashLine,
    "dotted": Qt.PenStyle.DotLine,
}


@dataclass(frozen=True, eq=False)
class Level:
    """What a dye would give in each channel.

    Attributes
    ----------
    values : ndarray, shape (n,)
    color : str
    line : str
        One of `LINES`.
    """

    values: np.ndarray
    color: str
    line: str = LINES[0]


class IntensityBars(PlotPanel):
    """One bar a channel, and the levels that dyes would give as lines across it.

    What the lines mean is told beside the plot, where it covers no bar.

    Attributes
    ----------
    levels : dict of str to pyqtgraph.PlotDataItem
        By dye.
    names, tips : list of str
        Of each bar: what stands below it, and its tool tip.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.tips: list[str] = []
        super().__init__(pg.ViewBox(enableMouse=False, enableMenu=False))
        self.set_labels("", "intensity")
        self.bars = pg.BarGraphItem(x=[], height=[], width=_WIDTH)
        self.addItem(self.bars)
        self.levels: dict[str, Any] = {}
        self.setAccessibleName("Intensities of the spot")

    def show_spot(
        self,
        names: Sequence[str],
        heights: np.ndarray,
        colors: Sequence[str],
        levels: dict[str, Level],
        tips: Sequence[str] = (),
    ) -> None:
        """Show a spot.

        Parameters
        ----------
        names : sequence of str
            The channels; one or more lines each.
        heights : ndarray, shape (n,)
            Their intensities.
        colors : sequence of str
            One a channel.
        levels : dict of str to Level
            By dye.
        tips : sequence of str
            One a channel.
        """
        self.names, self.tips = list(names), list(tips)
        places = np.arange(len(names))
        finite = np.nan_to_num(np.asarray(heights, float), nan=0, posinf=0, neginf=0)
        brushes = [pg.mkBrush(color) for color in colors]
        self.bars.setOpts(x=places, height=finite, width=_WIDTH, brushes=brushes)
        for item in self.levels.values():
            self.removeItem(item)
        self.levels = {
            dye: self._draw_level(places, level) for dye, level in levels.items()
        }
        shown = np.concatenate(
            [[0.0, 1.0], finite, *(v.values for v in levels.values())]
        )
        low, high = float(shown.min()), float(shown.max())
        room = 0.05 * (high - low)
        self.set_limits((-0.6, len(names) - 0.4, low - room, high + room))
        self._fit_names()

    def clear_spot(self) -> None:
        """Show nothing."""
        self.show_spot([], np.zeros(0), [], {})

    def _draw_level(self, places: np.ndarray, level: Level) -> Any:
        x = np.column_stack([places - 0.45, places + 0.45]).ravel()
        pen = pg.mkPen(level.color, width=2, style=_PENS[level.line])
        return self.plot(x, np.repeat(level.values, 2), pen=pen, connect="pairs")

    # --- names below the bars

    def _fit_names(self) -> None:
        """Choose a font in which no name reaches into the next, and make room."""
        if not self.names:
            self.getAxis("bottom").setTicks([[]])
            return
        room = self.view_box.size().width() / (len(self.names) + 0.2) - 2
        lines = [line for name in self.names for line in name.split("\n")]
        font = fitting_font(self.font(), lines, room, _SMALLEST_FONT)
        metrics = QFontMetricsF(font)
        texts = [
            "\n".join(
                metrics.elidedText(line, Qt.TextElideMode.ElideRight, max(room, 1))
                for line in name.split("\n")
            )
            for name in self.names
        ]
        most = max(name.count("\n") + 1 for name in self.names)
        axis = self.getAxis("bottom")
        axis.setTickFont(font)
        axis.setTicks([list(enumerate(texts))])
        axis.setHeight(most * metrics.lineSpacing() + _TICKS)

    def _paint_font(self, font: QFont) -> None:
        if self.names:
            self._fit_names()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # Qt's name
        """Keep the names readable."""
        super().resizeEvent(event)
        if self.names and self.plotItem is not None:  # it is none while Qt closes
            self._fit_names()

    # --- tool tips

    def viewportEvent(self, event: QEvent | None) -> bool:  # Qt's name
        """Tell about the bar under the mouse."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            help_event: Any = event
            place = self.view_box.mapSceneToView(self.mapToScene(help_event.pos()))
            QToolTip.showText(help_event.globalPos(), self.tip_at(place.x()), self)
            return True
        return bool(super().viewportEvent(event))

    def tip_at(self, x: float) -> str:
        """Return the tool tip of the bar that is nearest to a place of the axis."""
        bar = round(x)
        return self.tips[bar] if 0 <= bar < len(self.tips) else ""
