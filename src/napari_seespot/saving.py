"""Sessions as readable JSON files: where the data are, and how they are looked at.

What is written here, `restoring` reads.
"""

from __future__ import annotations

import base64
import platform
import zlib
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot import looks
from napari_seespot._user_data import write_whole
from napari_seespot.gates import Gate
from napari_seespot.recent import without_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from napari_seespot.session import Session

__all__ = ["SCHEMA", "SCHEMA_VERSION", "pack_ids", "save_session", "unpack_ids"]

SCHEMA = "napari-seespot-session"
SCHEMA_VERSION = 1

_PACKAGES = ("napari-seespot", "napari", "numpy", "pandas", "zarr", "dask")


def save_session(session: Session, path: Path) -> Path:
    """Write a session to a file, by way of a temporary one.

    Raises
    ------
    SeeSpotError
        When the file cannot be written.
    """
    dataset, state = session.dataset, session.state.snapshot()
    mask = state.pop("selection")["mask"]
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "versions": _versions(),
        "source": without_credentials(dataset.uri),
        "options": dict(dataset.opened_with),
        "dataset": dataset.name,
        "spots": len(dataset.spots),
        "state": _plain(state),
        "selection": None,
        "labels": session.labels.entries(),
        "camera": _camera(session.viewer),
        "layers": _layers(session),
    }
    if mask is not None:
        document["selection"] = pack_ids(dataset.spots.column("spot_id")[mask])
    return write_whole(path, document, "the session", make_folders=False)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # used without being installed
            continue
    return found


def pack_ids(ids: np.ndarray) -> dict[str, Any]:
    """Return spot ids as JSON: sorted, as differences, compressed.

    By their ids, not their rows, the same spots are found in another sample or order
    of the same dataset.
    """
    steps = np.diff(np.sort(ids.astype("<i8")), prepend=np.int64(0)).astype("<i8")
    packed = base64.b64encode(zlib.compress(steps.tobytes())).decode("ascii")
    return {"count": len(ids), "spot_ids": packed}


def unpack_ids(packed: dict[str, Any]) -> np.ndarray:
    """Return the spot ids that `pack_ids` packed; int64, sorted.

    Raises
    ------
    KeyError, TypeError, ValueError, zlib.error
        When something else was.
    """
    count = int(packed["count"])
    if count < 0:
        raise ValueError(f"{count} spots are selected")
    data = base64.b64decode(packed["spot_ids"], validate=True)
    # A few bytes may claim to be many.
    raw = zlib.decompressobj().decompress(data, 8 * count + 1)
    if len(raw) != 8 * count:
        raise ValueError(f"the selection does not hold {count:,} spots, as it says")
    return np.cumsum(np.frombuffer(raw, "<i8"), dtype=np.int64)


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, (frozenset, set)):
        return sorted(values)
    if isinstance(values, tuple):
        return [_plain(value) for value in values]
    if isinstance(values, Gate):
        return _plain(asdict(values))
    if isinstance(values, float) and not np.isfinite(values):
        return str(values)  # JSON has no number for it; a range takes the text
    return values


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


def _layers(session: Session) -> dict[str, Any] | None:
    """Return how the layers are shown; None without a viewer."""
    if session.viewing is None:
        return None
    session.viewing.finish()  # channels that are still to come are meant too
    images = session.viewing.images
    return {
        "images": looks.look_of(images.channels),
        "masks": {
            name: looks.settings_of(layer) for name, layer in images.masks.items()
        },
        "spots": {
            layer.name: {"opacity": float(layer.opacity)}
            for layer in session.viewing.overlay.layers
        },
    }
