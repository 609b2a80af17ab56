"""A session as the lines of Python that bring it about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.recent import without_credentials
from napari_seespot.state import State

if TYPE_CHECKING:
    from napari_seespot.session import Session

__all__ = ["MOST_IDS", "script_of"]

MOST_IDS = 10_000
"""A larger selection is not written out spot by spot."""

_PARTS = ("filters", "limits")


def script_of(session: Session) -> str:
    """Return a script that opens the same dataset and looks at it the same way.

    Only what differs from the start is in it. A selection is given by its
    spot ids, up to `MOST_IDS` of them.

    Parameters
    ----------
    session : Session
    """
    source = without_credentials(session.dataset.uri)
    told = session.dataset.opened_with
    options = [f"{name}={value!r}" for name, value in told.items()]
    lines = [
        "import napari",
        "import napari_seespot as nss",
        "",
        f"session = nss.view({', '.join([repr(source), *options])})",
        "state = session.state",
        *_changes(session),
        *_gates(session),
        *_selection(session),
        "napari.run()",
    ]
    return "\n".join(lines) + "\n"


def _changes(session: Session) -> list[str]:
    now, start = session.state.snapshot(), State().snapshot()
    lines = [
        f"state.{name} = {_literal(value)}"
        for name, value in now.items()
        if name not in (*_PARTS, "selection", "gates") and value != start[name]
    ]
    for part in _PARTS:
        lines += [
            f"state.{part}.{name} = {_literal(value)}"
            for name, value in now[part].items()
            if value != start[part][name]
        ]
    return lines


def _literal(value: Any) -> str:
    if isinstance(value, frozenset):
        # Sorted: the same state gives the same script.
        return "{" + ", ".join(map(repr, sorted(value))) + "}" if value else "set()"
    if isinstance(value, dict):
        items = (f"{key!r}: {_literal(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, tuple):
        items = (_literal(item) for item in value)
        return f"({', '.join(items)}{',' * (len(value) == 1)})"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)


def _gates(session: Session) -> list[str]:
    return [
        f"session.add_gate({name!r}, {[*gate.vertices]!r}, "
        f"({gate.x!r}, {gate.y!r}), mode={gate.mode!r})"
        for name, gate in session.state.gates.items()
    ]


def _selection(session: Session) -> list[str]:
    mask = session.state.selection.mask
    if mask is None:
        return []
    count = int(np.count_nonzero(mask))
    if count > MOST_IDS:
        return [f"# {count:,} spots were selected: save the session to keep them."]
    ids = [int(spot_id) for spot_id in session.dataset.spots.column("spot_id")[mask]]
    return [f"session.select({ids!r})"]
