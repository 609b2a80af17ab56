"""Sessions as readable JSON files: where the data are, and how they are looked at."""

from __future__ import annotations

import base64
import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.gates import Gate
from napari_seespot.recent import without_credentials
from napari_seespot.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from napari_seespot.session import Session

__all__ = ["SCHEMA_VERSION", "load_state", "save_session"]

SCHEMA_VERSION = 1


def save_session(session: Session, path: Path) -> Path:
    """Write a session to a file, by way of a temporary one.

    Raises
    ------
    SeeSpotError
        When the file cannot be written.
    """
    from napari_seespot._version import __version__

    document = {
        "schema": "napari-seespot-session",
        "schema_version": SCHEMA_VERSION,
        "napari_seespot": __version__,
        "source": without_credentials(session.dataset.uri),
        "dataset": session.dataset.name,
        "spots": len(session.dataset.spots),
        "state": _plain(session.state.snapshot()),
        "labels": session.labels.entries(),
        "camera": _camera(session.viewer),
    }
    if not path.name:
        raise SeeSpotError(f"{str(path)!r} is no name of a file to write")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise SeeSpotError(
            f"the session cannot be written: {error.strerror}", where=path
        ) from error
    return path


def load_state(path: Path) -> tuple[State, dict[str, Any]]:
    """Return the state that a file holds, and the whole document.

    Raises
    ------
    StateError
        When the file is no session, is of a newer schema, or is damaged.
    """
    document = _read(path)
    version = document.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise StateError(
            f"the session has schema version {version!r}",
            where=path,
            expected=f"version {SCHEMA_VERSION} or older",
            hint="Update napari-seespot to open it",
        )
    values = document.get("state")
    if not isinstance(values, dict):
        raise StateError("the session holds no state", where=path)
    try:
        _check_camera(document.get("camera"))
        return _state(values), document
    except StateError as error:
        raise StateError(
            error.found, where=path, expected=error.expected, hint=error.hint
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise StateError(f"the state is damaged: {error}", where=path) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StateError(
            f"the session cannot be read: {error.strerror}", where=path
        ) from error
    except (ValueError, RecursionError) as error:
        raise StateError(f"the file is no JSON: {error}", where=path) from error
    if (
        not isinstance(document, dict)
        or document.get("schema") != "napari-seespot-session"
    ):
        raise StateError(
            "the file is not a session of napari-seespot",
            where=path,
            expected='"schema": "napari-seespot-session"',
        )
    return document


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, (frozenset, set)):
        return sorted(values)
    if isinstance(values, tuple):
        return [_plain(value) for value in values]
    if isinstance(values, Gate):
        return _plain(asdict(values))
    if isinstance(values, np.ndarray):
        packed = zlib.compress(np.packbits(values).tobytes())
        return {"rows": len(values), "bits": base64.b64encode(packed).decode("ascii")}
    return values


def _state(values: dict[str, Any]) -> State:
    values = dict(values)
    selection = values.pop("selection", None) or {}
    filters = values.pop("filters", None) or {}
    limits = values.pop("limits", None) or {}
    state = State(**values)
    ranges = filters.pop("ranges", {})
    for name, value in filters.items():
        setattr(state.filters, name, value)
    state.filters.ranges.replace(ranges)
    for name, value in limits.items():
        setattr(state.limits, name, value)
    packed = selection.get("mask")
    if packed:
        bits = zlib.decompress(base64.b64decode(packed["bits"]))
        rows = int(packed["rows"])
        if (rows + 7) // 8 != len(bits):
            raise ValueError(f"the selection has {8 * len(bits)} of {rows} rows")
        mask = np.unpackbits(np.frombuffer(bits, np.uint8), count=rows)
        state.selection.mask = mask.astype(np.bool_)
    return state


def _check_camera(camera: Any) -> None:
    """Raise a ValueError, TypeError or KeyError for what no viewer could look by."""
    if camera is None:
        return
    numbers = [float(camera["zoom"]), *camera["point"]]
    for name in ("center", "angles"):
        if len(camera[name]) != 3:
            raise ValueError(f"the camera's {name} is {camera[name]!r}")
        numbers += camera[name]
    if not np.isfinite(np.array(numbers, float)).all() or camera["zoom"] <= 0:
        raise ValueError("the camera has numbers that are none")
    if camera["ndisplay"] not in (2, 3):
        raise ValueError(f"{camera['ndisplay']!r} dimensions cannot be displayed")


def _camera(viewer: Any) -> dict[str, Any] | None:
    if viewer is None:
        return None
    return {
        "center": [float(value) for value in viewer.scene.camera.center],
        "zoom": float(viewer.scene.camera.zoom),
        "angles": [float(value) for value in viewer.scene.camera.angles],
        "point": [float(value) for value in viewer.dims.point],
        "ndisplay": int(viewer.dims.ndisplay),
    }
