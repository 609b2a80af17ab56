"""Selecting rows: by ids, by polygons in a plot or in the image, by gates.

All of it decides over all rows, drawn or not, and exactly.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from napari_seespot.dataset import Dataset
    from napari_seespot.gates import Gate, SelectMode
    from napari_seespot.resolve import View
    from napari_seespot.state import State

    Vertices = Sequence[Sequence[float]] | np.ndarray

__all__ = ["Selecting"]


class Selecting:
    """What a session can do to its selection; see `Session`."""

    dataset: Dataset
    state: State
    if TYPE_CHECKING:

        @property
        def view(self) -> View:
            """What is to be shown now."""

        def one_change(self) -> AbstractContextManager[None]:
            """Make several changes that are shown, and undone, as one."""

    def select(self, spot_ids: Any, mode: str = "replace") -> int:
        """Select spots by their ids; return how many are selected then.

        Raises
        ------
        NotFoundError
            When an id is not in the table; the selection stays as it was.
        StateError
            For a mask, which `select_rows` takes.
        """
        if np.asarray(spot_ids).dtype == np.bool_:  # not the spots 0 and 1
            raise StateError(
                "spots cannot be selected by a mask of booleans",
                expected="spot ids; for a mask, session.select_rows(mask)",
            )
        mask = np.zeros(len(self.dataset.spots), np.bool_)
        mask[self.dataset.spots.rows_of(spot_ids)] = True
        return self.select_rows(mask, mode)

    def select_polygon(
        self,
        vertices: Vertices,
        pair: tuple[str, str] | None = None,
        mode: str = "replace",
    ) -> int:
        """Select all rows that pass and lie inside a polygon, drawn or not.

        Parameters
        ----------
        vertices : array-like, shape (m, 2)
            (x, y) in the units of the two columns.
        pair : tuple of str, optional
            What x and y are, each a channel (its intensity) or a numeric column; the
            state's pair by default.
        mode : str
            ``"replace"``, ``"add"``, ``"subtract"`` or ``"intersect"``.

        Returns
        -------
        int
            How many rows are selected then.
        """
        return self.select_rows(self.rows_in_polygon(vertices, pair), mode)

    def rows_in_polygon(
        self,
        vertices: Vertices,
        pair: tuple[str, str] | None = None,
        *,
        view: View | None = None,
        everything: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """Return which rows pass and lie inside a polygon; nothing is selected.

        It changes nothing, and may be called in a worker's thread.

        Parameters
        ----------
        vertices : array-like, shape (m, 2)
            (x, y) in the units of the two columns.
        pair : tuple of str, optional
            As in `select_polygon`.
        view : View, optional
            Whose filters the rows pass; the session's own by default.
        everything : bool
            Also rows that do not pass.
        cancelled : callable, optional
            Asked while it runs; it ends when it says True.

        Returns
        -------
        ndarray of bool, shape (n,)

        Raises
        ------
        StateError
            When the vertices cannot be used.
        CancelledError
            When `cancelled` said True.
        """
        from napari_seespot.densities import column_name
        from napari_seespot.polygons import inside_polygon

        spots = self.dataset.spots
        x, y = (
            spots.column(column_name(spots, name)) for name in self._checked_pair(pair)
        )
        where = None if everything else (view or self.view).where
        inside = inside_polygon(x, y, vertices, where, cancelled=cancelled)
        inside.flags.writeable = False  # a selection then keeps it without a copy
        return inside

    def select_region(
        self,
        vertices: Vertices,
        z_range: tuple[float, float] | None = None,
        mode: str = "replace",
    ) -> int:
        """Select all rows that pass and lie inside a polygon in the image.

        Parameters
        ----------
        vertices : array-like, shape (m, 2)
            (y, x) in voxels of level 0.
        z_range : tuple of float, optional
            First and last z, in voxels, both included; all by default.
        mode : str
            ``"replace"``, ``"add"``, ``"subtract"`` or ``"intersect"``.

        Returns
        -------
        int
            How many rows are selected then.
        """
        from napari_seespot.polygons import inside_polygon

        spots, where = self.dataset.spots, self.view.where
        if z_range is not None:
            low, high = _ends(z_range)
            z = spots.column("z")
            deep = (z >= low) & (z <= high)
            where = deep if where is None else deep & where
        y, x = spots.column("y"), spots.column("x")
        return self.select_rows(inside_polygon(y, x, vertices, where), mode)

    def select_rows(self, mask: np.ndarray, mode: str = "replace") -> int:
        """Select rows by a boolean mask of shape (n,); return how many then are.

        Raises
        ------
        StateError
            When the mask is not of this dataset's rows, or the mode is unknown.
        """
        n = len(self.dataset.spots)
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != (n,):
            raise StateError(
                f"rows cannot be selected by {mask.dtype} values of shape {mask.shape}",
                expected=f"a boolean array of shape ({n},)",
            )
        new = _combine(self._selected(), mask, mode)
        self.state.selection.mask = new if new.any() else None
        return int(np.count_nonzero(new))

    def clear_selection(self) -> None:
        """Select nothing."""
        self.state.selection.mask = None

    def invert_selection(self) -> int:
        """Select the rows that pass and were not selected; return how many."""
        where = self.view.where
        others = ~self._selected()
        return self.select_rows(others if where is None else others & where)

    def select_cells(
        self, cells: Iterable[int] | None = None, mode: str = "replace"
    ) -> int:
        """Select the spots of some cells, or grow the selection to whole cells.

        Parameters
        ----------
        cells : iterable of int, optional
            Of which all spots are selected, also those that do not pass: a cell's
            counts before the unmixing need its removed spots. By default the
            cells of the selected spots, of which those that pass are added; spots
            that lie in no cell stay selected, and add none.
        mode : str
            ``"replace"``, ``"add"``, ``"subtract"`` or ``"intersect"``, where
            cells are given.

        Returns
        -------
        int
            How many rows are selected then.

        Raises
        ------
        NotFoundError
            When the dataset does not tell cells.
        """
        from napari_seespot.cells import cells_of, rows_of_cells

        if cells is not None:
            return self.select_rows(rows_of_cells(self.dataset, cells), mode)
        selected = self._selected()
        inside = rows_of_cells(self.dataset, cells_of(self.dataset, selected))
        where = self.view.where
        return self.select_rows(inside if where is None else inside & where, "add")

    def add_gate(
        self,
        name: str,
        vertices: Vertices,
        pair: tuple[str, str] | None = None,
        mode: SelectMode = "replace",
    ) -> Gate:
        """Keep a polygon under a name, in the place of one of that name.

        Parameters
        ----------
        name : str
        vertices : array-like, shape (m, 2)
            (x, y) in the units of the two columns.
        pair : tuple of str, optional
            What x and y are, each a channel or a numeric column; the state's
            pair by default.
        mode : str
            What `apply_gates` does with it: ``"replace"``, ``"add"``,
            ``"subtract"`` or ``"intersect"``.
        """
        from napari_seespot.gates import Gate

        x, y = self._checked_pair(pair)
        corners = tuple(tuple(corner) for corner in np.asarray(vertices).tolist())
        self.state.gates[name] = Gate(x, y, corners, mode)
        return self.state.gates[name]

    def select_gate(self, name: str, mode: str = "replace") -> int:
        """Select all rows that pass and lie inside a gate; return how many then are.

        Raises
        ------
        StateError
            When there is no such gate.
        """
        inside = self._gate(name).inside(self.dataset.spots, self.view.where)
        return self.select_rows(inside, mode)

    def apply_gates(self, names: Iterable[str] | None = None) -> int:
        """Select by several gates, one after the other, each by its own mode.

        Parameters
        ----------
        names : iterable of str, optional
            All gates, in the order in which they were made, by default.

        Returns
        -------
        int
            How many rows are selected then. Without any gate, the selection
            stays as it was.
        """
        selected = self._selected()
        for name in list(self.state.gates) if names is None else names:
            gate = self._gate(name)
            inside = gate.inside(self.dataset.spots, self.view.where)
            selected = _combine(selected, inside, gate.mode)
        return self.select_rows(selected)

    def save_gates(self, path: str | Path) -> Path:
        """Write the gates to a JSON file, for other datasets."""
        from napari_seespot.gates import save_gates

        return save_gates(self.state.gates, Path(path))

    def load_gates(self, path: str | Path) -> tuple[str, ...]:
        """Take over the gates of a file, beside those that there are.

        Returns
        -------
        tuple of str
            Their names; a gate of the same name is replaced.

        Raises
        ------
        StateError
            When the file holds no gates, or this dataset has not the columns of
            one; the gates stay as they were.
        """
        from napari_seespot.gates import load_gates

        gates = load_gates(Path(path))
        self.state.gates.update(gates)
        return tuple(gates)

    def _gate(self, name: str) -> Gate:
        gates = self.state.gates
        if name not in gates:
            raise StateError(
                f"there is no gate {name!r}",
                expected=f"one of {', '.join(gates) or 'none: no gate was made'}",
            )
        return gates[name]

    def _checked_pair(self, pair: tuple[str, str] | None) -> tuple[str, str]:
        pair = pair or self.state.pair
        if pair is None:
            raise StateError("there is no channel pair to draw a polygon in")
        if isinstance(pair, str) or len(pair) != 2:
            raise StateError(
                f"{pair!r} is no channel pair", expected='two channels: ("488", "514")'
            )
        return pair

    def _selected(self) -> np.ndarray:
        mask = self.state.selection.mask
        return np.zeros(len(self.dataset.spots), np.bool_) if mask is None else mask


def _combine(old: np.ndarray, new: np.ndarray, mode: str) -> np.ndarray:
    try:
        return _COMBINE[mode](old, new)
    except KeyError:
        raise StateError(
            f"a selection cannot be changed by {mode!r}",
            expected=f"one of {', '.join(_COMBINE)}",
        ) from None


_COMBINE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "replace": lambda _old, new: new,
    "add": np.logical_or,
    "subtract": lambda old, new: old & ~new,
    "intersect": np.logical_and,
}


def _ends(z_range: Any) -> tuple[float, float]:
    try:
        low, high = map(float, z_range)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low <= high:
        raise StateError(
            f"the range of z cannot be {z_range!r}",
            expected="first and last plane, the smaller one first",
        )
    return low, high
