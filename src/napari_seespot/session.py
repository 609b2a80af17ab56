"""One dataset under inspection: its state, what it resolves to, its selection.

A session needs no screen: `Session(dataset)` serves a script. With a viewer,
layers and docks listen to `Session.changed`; none of them knows another.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_seespot.errors import NotFoundError, SeeSpotError, StateError
from napari_seespot.evented import Domain
from napari_seespot.history import History
from napari_seespot.index import SpotIndex
from napari_seespot.resolve import View, changes, resolve
from napari_seespot.selecting import Selecting
from napari_seespot.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.labels import Labels
    from napari_seespot.overview import Axes, Overview

__all__ = ["AHEAD", "Session"]

AHEAD = 3
"""So many spots that come next in a list are read ahead."""

_PLACES = 50  # to go back to, one after the other


class Session(Selecting):
    """A dataset and the state in which it is looked at.

    Parameters
    ----------
    dataset : Dataset
    state : State, optional
        A state of its own by default. One that is given is checked against the
        dataset and shared, not copied.

    Attributes
    ----------
    changed : psygnal.Signal
        Emitted after each change with the new `View` and the names of those of
        its fields that changed.
    following : tuple of int
        The rows that come after the one that was flown to last, where it is one of
        a list.
    outline : tuple or None
        What was drawn last in a plot: vertices, the columns of x and y, and how it
        changed the selection. It can be kept as a gate.
    closed : psygnal.Signal
        Emitted once, when the session ends.
    moved : psygnal.Signal
        Emitted by `go_to` with the row to fly to.
    picked : psygnal.Signal
        Emitted with the row of a spot that was clicked on in the viewer.
    cell_picked : psygnal.Signal
        Emitted with the cell_id of a cell that was clicked on in the viewer.
    returned : psygnal.Signal
        Emitted by `go_back` with the `Place` to go back to.
    dock_wanted : psygnal.Signal
        Emitted with the name of a dock to show in front.

    Raises
    ------
    StateError
        When the given state asks for what the dataset does not have.
    """

    changed = Signal(View, frozenset)
    closed = Signal()
    moved = Signal(int)
    picked = Signal(int)
    cell_picked = Signal(int)
    returned = Signal(object)
    dock_wanted = Signal(str)

    def __init__(self, dataset: Dataset, state: State | None = None) -> None:
        self.dataset = dataset
        self.index = SpotIndex(dataset.spots)
        self.state = State() if state is None else state
        spots = dataset.spots
        self.state.bind(Domain(spots.channels, spots.numeric_columns, rows=len(spots)))
        if self.state.pair is None and dataset.channel_pairs:
            self.state.pair = dataset.channel_pairs[0]
        self.history = History(self.state)
        self.viewer: Any = None
        self.viewing: Any = None
        self.is_closed = False
        self._view = resolve(self.state, dataset)
        self._batches = 0
        self._stale = False
        self._places: list[Any] = []
        self.following: tuple[int, ...] = ()
        self.outline: tuple[np.ndarray, tuple[str, str], str] | None = None
        self.state.changed.connect(self._refresh)

    def __repr__(self) -> str:
        return f"<Session {self.dataset.name}: {self.view.count_text}>"

    @property
    def view(self) -> View:
        """What is to be shown now."""
        if self._stale:
            self._update()
        return self._view

    @contextmanager
    def one_change(self) -> Iterator[None]:
        """Make several changes that are shown, and undone, as one."""
        self._batches += 1
        try:
            with self.history.one_step():
                yield
        finally:
            self._batches -= 1
            if self._stale and not self._batches:
                self._update()

    def undo(self) -> bool:
        """Take the last change of the state back."""
        return self._quietly(self.history.undo)

    def redo(self) -> bool:
        """Make again the change that was last taken back."""
        return self._quietly(self.history.redo)

    def _quietly(self, move: Any) -> bool:
        self._batches += 1
        try:
            return bool(move())
        finally:
            self._batches -= 1
            if self._stale:
                self._update()

    def _refresh(self, _field: str) -> None:
        self._stale = True
        if not self._batches:
            self._update()

    def _update(self) -> None:
        self._stale = False
        before, self._view = self._view, resolve(self.state, self.dataset, self._view)
        changed = changes(before, self._view)
        if changed:
            self.changed.emit(self._view, changed)

    @cached_property
    def labels(self) -> Labels:
        """The labels of the dataset's spots, from the user's data folder."""
        from napari_seespot.labels import Labels

        return Labels(self.dataset)

    def visible(self) -> pd.DataFrame:
        """Return the rows that pass the filters; its index holds the row numbers."""
        return self.view.visible()

    def selected(self) -> pd.DataFrame:
        """Return the selected rows; its index holds the row numbers."""
        return self.view.selection()

    def cells(self, visible: bool = False) -> pd.DataFrame:
        """Return counts by cell, before and after unmixing, most changed first.

        Parameters
        ----------
        visible : bool
            Count only the spots that pass the filters. All by default, since
            removed spots belong to the comparison.
        """
        from napari_seespot.cells import cell_table

        return cell_table(self.dataset, self.view.where if visible else None)

    def overview(
        self, pair: tuple[str, str] | None = None, axes: Axes = "percentile"
    ) -> Overview:
        """Summarise a channel pair over all spots that pass the filters.

        Its `Overview.figure` writes the four panels and the numbers to a file.

        Parameters
        ----------
        pair : tuple of str, optional
            Any two channels; the state's pair by default.
        axes : str
            ``"percentile"``: the panels leave out a few odd values, the numbers do
            not. ``"minmax"``: the panels reach as far as the values do.

        Raises
        ------
        StateError
            Where there is no pair, or for other axes.
        NotFoundError
            When there is no such channel.
        """
        from napari_seespot.overview import overview

        pair = pair or self.state.pair
        if pair is None:
            raise StateError("there is no channel pair to summarise")
        return overview(self.dataset, pair, self.view.where, axes=axes)

    def figure(self, path: str | Path, *, follow: bool = True) -> Path:
        """Write all figures on the pages of a PDF; all spots that pass count.

        Counts and flow, quality, the pair, all pairs, patterns and maps. It needs
        Qt's painter, but neither a viewer nor a screen.

        Parameters
        ----------
        path : str or Path
            Ends in ``.pdf``.
        follow : bool
            Count the spots that pass the filters; otherwise all spots.

        Raises
        ------
        StateError
            For another ending.
        SeeSpotError
            When the file cannot be written.
        """
        import napari_seespot as nss

        # By the public name: an import from here would point up to the screen.
        return nss.figure(self, path, follow=follow)

    def go_to(self, spot_id: int) -> None:
        """Fly to a spot: its plane, its place in the middle, the zoom kept.

        Raises
        ------
        NotFoundError
            When there is no such spot, or its position is not known.
        SeeSpotError
            When the session was closed.
        """
        row = int(self.dataset.spots.rows_of([spot_id])[0])
        self.go_to_row(row)

    def go_to_row(self, row: int, following: Sequence[int] | np.ndarray = ()) -> None:
        """Fly to the spot in a row.

        Parameters
        ----------
        row : int
        following : sequence or ndarray of int
            The rows that come next, where the spot is one of a list: views read
            ahead what they need of the first `AHEAD` of them.
        """
        self.check_open()
        if not np.isfinite(self.position(row)).all():
            spot_id = int(self.dataset.spots.column("spot_id")[row])
            raise NotFoundError(
                f"spot {spot_id} has no position", where=self.dataset.name
            )
        self.following = tuple(int(other) for other in following[:AHEAD])
        self.moved.emit(row)

    def remember_place(self, place: Any) -> None:
        """Keep where the viewer was before it flew away; see `go_back`."""
        self._places.append(place)
        del self._places[:-_PLACES]

    def go_back(self) -> bool:
        """Return to where the viewer was before `go_to`; whether it had been.

        Each call goes back one flight more.

        Raises
        ------
        SeeSpotError
            When the session was closed.
        """
        self.check_open()
        if not self._places:
            return False
        self.returned.emit(self._places.pop())
        return True

    def want_dock(self, name: str) -> None:
        """Have a dock of this plugin shown in front, where there is a window."""
        self.dock_wanted.emit(name)

    def position(self, row: int) -> tuple[float, float, float]:
        """Return a row's (z, y, x) in voxels of level 0."""
        z, y, x = (float(self.dataset.spots.column(axis)[row]) for axis in "zyx")
        return (z, y, x)

    def export(self, path: str | Path, which: str = "selected") -> Path:
        """Write rows with all columns, and their labels, to a CSV or Parquet file.

        Parameters
        ----------
        path : str or Path
            The ending tells the format: ``.csv`` or ``.parquet``.
        which : str
            ``"selected"``, ``"visible"`` or ``"all"``.

        Raises
        ------
        StateError
            For another `which`, another ending, or nothing to write.
        """
        from napari_seespot.sources.table import write_table

        rows = {"selected": self.view.selected, "visible": None, "all": None}
        if which not in rows:
            raise StateError(
                f"cannot export {which!r}", expected=f"one of {', '.join(rows)}"
            )
        if which == "selected" and self.view.selected is None:
            raise StateError("nothing is selected", hint="Select spots to export first")
        chosen = self.view.where if which == "visible" else rows[which]
        labels = {"label": self.labels.column} if self.labels.count else None
        return write_table(self.dataset.spots, Path(path), rows=chosen, more=labels)

    def save(self, path: str | Path) -> Path:
        """Write source, state and labels to a JSON file, without credentials."""
        from napari_seespot.saving import save_session

        return save_session(self, Path(path))

    def close(self) -> None:
        """End the session: layers and docks let go of it. Safe to call twice.

        Its dataset, and what it showed last, can still be asked for.
        """
        if self.is_closed:
            return
        self.is_closed = True
        self.closed.emit()
        self.state.changed.disconnect(self._refresh)
        self.viewer = self.viewing = None

    def check_open(self) -> None:
        """Raise a SeeSpotError when the session was closed."""
        if self.is_closed:
            raise SeeSpotError(f"the session of {self.dataset.name} was closed")
