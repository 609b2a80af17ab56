"""From a click in a plot to the spot that was meant, unless it was a double click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_seespot.plots.pair_rows import nearest_row
from napari_seespot.plots.scales import LINEAR
from napari_seespot.widgets._worker import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

    from napari_seespot.plots.scales import PlotScale
    from napari_seespot.resolve import View

__all__ = ["NEAR_PIXELS", "SpotSeeker"]

NEAR_PIXELS = 10.0
"""A click means a spot that is no farther away, in pixels."""

_CLICK_MS = 250  # a second click within this makes a double click of the first


class SpotSeeker:
    """Looks for the row nearest to a click, among all rows that pass.

    The answer is held back until no second click can follow: the first click
    of a double click must not send the viewer away.

    Parameters
    ----------
    parent : QWidget
        Owns the timer.
    found : callable
        Called with the row; not called where no spot is near.
    failed : callable
        Called with what went wrong.
    """

    def __init__(
        self,
        parent: QWidget,
        found: Callable[[int], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._found = found
        self._failed = failed
        self._row: int | None = None
        self._worker = Worker("seespot-seek")
        self._pause = QTimer(parent)
        self._pause.setSingleShot(True)
        self._pause.setInterval(min(_CLICK_MS, QApplication.doubleClickInterval()))
        self._pause.timeout.connect(self._tell)

    def seek(
        self,
        view: View,
        place: tuple[float, float],
        unit: tuple[float, float],
        scale: PlotScale = LINEAR,
    ) -> None:
        """Look for the spot at a place of the view's pair.

        Parameters
        ----------
        view : View
        place : (float, float)
            In data units.
        unit : (float, float)
            A pixel along x and y, on the axes' scale.
        scale : PlotScale
            Of the axes.
        """
        assert view.pair is not None  # without one there is no plot to click in
        x, y = (view.spots.intensity(channel) for channel in view.pair)
        self._row = None
        self._pause.start()

        def search(job: Job) -> int | None:
            return nearest_row(
                (x, y), place, unit, NEAR_PIXELS, view.where, job.cancelled, scale
            )

        self._worker.submit(search, done=self._on_row, failed=self._failed)

    def cancel(self) -> None:
        """Forget the click."""
        self._row = None
        self._pause.stop()
        self._worker.cancel()

    def close(self) -> None:
        """End all work; for when Qt has destroyed the parent, and the timer."""
        self._worker.close()

    def _on_row(self, row: int | None) -> None:
        self._row = row
        if not self._pause.isActive():
            self._tell()

    def _tell(self) -> None:
        row, self._row = self._row, None
        if row is not None:
            self._found(row)
