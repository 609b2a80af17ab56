"""One column's filter: its name, its range as text, and its histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container, Label, LineEdit, PushButton
from psygnal import Signal
from qtpy.QtCore import Qt

from napari_seespot.columns import NULL_BOOL
from napari_seespot.densities import histogram
from napari_seespot.errors import StateError
from napari_seespot.typed import BOOLEANS
from napari_seespot.widgets._flow import flow_row
from napari_seespot.widgets._range_histogram import Axis, Ends, RangeHistogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.resolve import Mask
    from napari_seespot.spots import Spots

__all__ = ["BINS", "ColumnFilter", "axis_of", "count_column"]

BINS = 120
"""Bars of a histogram; a dock is two to three times as many pixels wide."""

_SAMPLE = 100_000
_TAILS = (0.1, 99.9)  # percentiles; what lies beyond is let pass by an open end

TIPS = {
    "r": "Correlation with the point-spread function, -1 to 1",
    "dist": "Distance of the detected voxel from the fitted centre, voxels",
    "dye_line_dist_ratio": "Distance to the second-nearest dye line over the nearest",
    "cell_id": "Segmented cell; 0 is none",
}


def axis_of(spots: Spots, column: str) -> Axis:
    """Return the axis that shows most of a column, found on 100,000 rows at most.

    Intensities lie on an asinh scale: linear near zero, logarithmic above.
    """
    values = spots.column(column)[:: max(1, len(spots) // _SAMPLE)]
    if column in BOOLEANS:
        values = values[values != NULL_BOOL]
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return Axis(0.0, 1.0)
    low, high = (float(end) for end in np.percentile(values, _TAILS))
    if values.dtype.kind == "f" and low == high:
        low, high = low - 0.5, high + 0.5
    if not column.endswith("_intensity"):
        return Axis(low, high)
    return Axis(low, high, "asinh", max(float(np.median(np.abs(values))) / 4, 1e-6))


def count_column(
    mask: Mask, column: str, axis: Axis, cancelled: Callable[[], bool]
) -> np.ndarray:
    """Count the rows that pass all filters but the column's own.

    Returns
    -------
    ndarray of int64, shape (BINS,)
    """
    return histogram(
        mask.spots,
        column,
        BINS,
        (axis.low, axis.high),
        where=mask.without(column).rows,
        axis=axis.scale,
        asinh_width=axis.width,
        cancelled=cancelled,
    ).counts


class ColumnFilter(Container[Any]):
    """A range of one column, as text and on a histogram.

    Attributes
    ----------
    moved : psygnal.Signal
        Emitted with the column and the range, while it is dragged too.
    failed : psygnal.Signal
        Emitted with what is wrong about a range that was typed.
    closed : psygnal.Signal
        Emitted with the column when it is to be taken away.

    Parameters
    ----------
    spots : Spots
    column : str
    closable : bool
        Whether there is a button to take it away.
    """

    moved = Signal(str, object)
    failed = Signal(Exception)
    closed = Signal(str)

    def __init__(self, spots: Spots, column: str, closable: bool = False) -> None:
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self.column = column
        tip = TIPS.get(column, f"Column {column}")
        self.low, self.high = (
            LineEdit(tooltip=f"{column} {side}; empty: any")
            for side in ("at least", "at most")
        )
        title = Label(value=_title(column), tooltip=tip)
        title.native.setAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self.close_button = PushButton(
            text="\N{MULTIPLICATION SIGN}",
            tooltip=f"Take the filter of {column} away",
            visible=closable,
        )
        self.close_button.native.setAccessibleName(f"Remove {column}")
        self.close_button.changed.connect(lambda: self.closed.emit(self.column))
        for edit in (self.low, self.high):
            edit.native.setPlaceholderText("any")
            edit.native.editingFinished.connect(self._on_typed)
        ends = flow_row(self.low, self.high, digits=6)  # which stay together
        head = flow_row(title, ends, self.close_button, grow=[title])
        self.plot = RangeHistogram(tip)
        self.plot.show_axis(axis_of(spots, column))
        self.plot.dragged.connect(self._on_dragged)
        self.append(head)
        self.native.layout().addWidget(self.plot)
        self.native.layout().setSpacing(2)

    def show_ends(self, ends: Ends) -> None:
        """Show a range, unless it is being dragged: the hand is ahead."""
        if not self.plot.dragging:
            self._show(ends)

    def _show(self, ends: Ends) -> None:
        self.plot.show_ends(ends)
        for edit, end in zip((self.low, self.high), ends, strict=True):
            text = "" if end is None else f"{end:.10g}"
            if edit.value != text:
                edit.value = text

    def _on_dragged(self, ends: Ends) -> None:
        self._show(ends)
        self.moved.emit(self.column, ends)

    def _on_typed(self) -> None:
        try:
            ends = (_end(self.low.value), _end(self.high.value))
        except ValueError as error:
            self.failed.emit(
                StateError(
                    f"the range of {self.column} has an end that is no number",
                    expected="a number, or nothing for any",
                )
            )
            del error
            return
        if ends != self.plot.ends:
            self.moved.emit(self.column, ends)


def _end(text: str) -> float | None:
    text = text.strip().lower()
    return None if text in ("", "any") else float(text)


def _title(column: str) -> str:
    parts = column.split("_")
    if len(parts) == 3 and parts[0] == "chan" and parts[2] == "intensity":
        return f"Intensity {parts[1]}"
    return column
