"""Gates: polygons in data units that select the same kind of spots again.

A gate knows its two columns and its corners, not the rows that were inside:
it can be kept in a file and applied to another dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_seespot._user_data import read_document, write_whole
from napari_seespot.densities import column_name
from napari_seespot.errors import StateError
from napari_seespot.polygons import checked_vertices, inside_polygon

if TYPE_CHECKING:
    from pathlib import Path

    from napari_seespot.spots import Spots

__all__ = [
    "SELECT_MODES",
    "Gate",
    "SelectMode",
    "as_gate",
    "load_gates",
    "save_gates",
    "select_mode",
]

SelectMode = Literal["replace", "add", "subtract", "intersect"]
SELECT_MODES: tuple[SelectMode, ...] = get_args(SelectMode)


def select_mode(adds: bool, subtracts: bool) -> SelectMode:
    """Return what Shift (`adds`), Alt (`subtracts`) or both make of a selection."""
    if adds:
        return "intersect" if subtracts else "add"
    return "subtract" if subtracts else "replace"


_SCHEMA = "napari-seespot-gates"
_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Gate:
    """A polygon in the plane of two columns.

    Attributes
    ----------
    x, y : str
        Each a channel (its intensity) or any numeric column.
    vertices : tuple of (float, float)
        The corners, in the columns' units.
    mode : str
        What becomes of what was selected before, when the gate is one of
        several: ``"replace"``, ``"add"``, ``"subtract"`` or ``"intersect"``.
    """

    x: str
    y: str
    vertices: tuple[tuple[float, float], ...]
    mode: SelectMode = "replace"

    def __post_init__(self) -> None:
        corners = checked_vertices(self.vertices).tolist()
        object.__setattr__(self, "vertices", tuple((x, y) for x, y in corners))
        object.__setattr__(self, "x", str(self.x))
        object.__setattr__(self, "y", str(self.y))
        if self.mode not in SELECT_MODES:
            raise StateError(
                f"a gate cannot {self.mode!r}",
                expected=f"one of {', '.join(SELECT_MODES)}",
            )

    def corners(self, pair: tuple[str, str]) -> np.ndarray | None:
        """Return the corners in a plot of two channels; None where it is of others.

        Parameters
        ----------
        pair : tuple of str
            Channels of the plot's x and y axis.

        Returns
        -------
        ndarray of float64, shape (m, 2), or None
        """
        own = tuple(map(_channel, (self.x, self.y)))
        corners = np.array(self.vertices, np.float64)
        if own == tuple(pair):
            return corners
        return corners[:, ::-1] if own == tuple(pair[::-1]) else None

    def inside(self, spots: Spots, where: np.ndarray | None = None) -> np.ndarray:
        """Return which rows lie inside, exactly; bool, shape (n,).

        Parameters
        ----------
        spots : Spots
        where : ndarray of bool, shape (n,), optional
            The rows to look at; the others count as outside.

        Raises
        ------
        NotFoundError
            When the table has not both columns.
        """
        x, y = (spots.column(column_name(spots, name)) for name in (self.x, self.y))
        return inside_polygon(x, y, self.vertices, where)


def _channel(name: str) -> str:
    """Return the channel whose intensity a column is; other names as they are."""
    found = re.fullmatch(r"chan_(.+)_intensity", name)
    return found[1] if found else name


def as_gate(value: Any) -> Gate:
    """Return a gate, from one or from a mapping of its attributes.

    Raises
    ------
    StateError
        For anything else.
    """
    if isinstance(value, Gate):
        return value
    if isinstance(value, Mapping):
        try:
            return Gate(**value)
        except TypeError:
            pass  # told below, as for everything else
    raise StateError(
        f"a gate cannot be {value!r}", expected="a Gate, or its x, y and vertices"
    )


def save_gates(gates: Mapping[str, Gate], path: Path) -> Path:
    """Write gates to a JSON file.

    Raises
    ------
    SeeSpotError
        When it cannot be written.
    """
    document = {
        "schema": _SCHEMA,
        "schema_version": _SCHEMA_VERSION,
        "gates": {name: asdict(gate) for name, gate in gates.items()},
    }
    return write_whole(path, document, "the gates")


def load_gates(path: Path) -> dict[str, Gate]:
    """Return the gates that a file holds, in their order.

    Raises
    ------
    StateError
        When the file cannot be read, holds no gates, or damaged ones.
    """
    document = read_document(path, _SCHEMA, _SCHEMA_VERSION, "the gates")
    gates = document.get("gates")
    if not isinstance(gates, dict):
        raise StateError("the file holds no gates", where=path)
    try:
        return {name: as_gate(value) for name, value in gates.items()}
    except StateError as error:
        raise StateError(f"a gate is damaged: {error.found}", where=path) from error
