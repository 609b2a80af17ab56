"""The pointer over the chart of a map: what a tile holds, and a click on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QToolTip

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.plots.charts import number_text

if TYPE_CHECKING:
    from napari_seespot.maps import SpatialMap
    from napari_seespot.plots.chart_view import ChartView

__all__ = ["TilePointer"]


class TilePointer(QObject):
    """Watches the mouse over a map's chart.

    Parameters
    ----------
    chart : ChartView
        Lives as long as this does.

    Signals
    -------
    clicked : float, float
        y and x, in um, of a click on a tile that holds spots.
    """

    clicked = Signal(float, float)

    def __init__(self, chart: ChartView) -> None:
        super().__init__(chart)
        self._chart = chart
        self._map: SpatialMap | None = None
        chart.installEventFilter(self)

    def show_map(self, found: SpatialMap | None) -> None:
        """Take the map that the chart shows."""
        self._map = found

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Point out the tile under the pointer; tell of a click on it."""
        if event is None or self._map is None:
            return False
        if event.type() == QEvent.Type.MouseMove:
            return self._on_move(self._map, event)
        if event.type() == QEvent.Type.MouseButtonRelease:
            self._on_release(self._map, event)
        return False

    def _on_move(self, found: SpatialMap, event: Any) -> bool:
        place = self._place(event)
        tile = None if place is None else _tile(found, place)
        if tile is None:
            return False
        count = int(found.counts[tile])
        noun = "spot" if count == 1 else "spots"
        text = f"{number_text(float(found.values[tile]))} ({count:,} {noun})"
        QToolTip.showText(event.globalPosition().toPoint(), text, self._chart)
        self._chart.setCursor(Qt.CursorShape.PointingHandCursor)
        return True  # or the chart would say that there is nothing to click

    def _on_release(self, found: SpatialMap, event: Any) -> None:
        place = self._place(event)
        if event.button() != Qt.MouseButton.LeftButton or place is None:
            return
        if _tile(found, place) is not None:
            self.clicked.emit(*place)

    def _place(self, event: Any) -> tuple[float, float] | None:
        """Return (y, x) in um of what the pointer is over."""
        layout, pixel = self._chart.layout_, event.position()
        if layout is None or not layout.plot.contains(pixel):
            return None
        x, y = layout.value(pixel)
        return (y, x)


def _tile(found: SpatialMap, place: tuple[float, float]) -> tuple[int, int] | None:
    """Return row and column of the tile at a place, if it holds spots."""
    tile = found.tiles.at_um(*place)
    return None if tile is None or not found.counts[tile] else tile
