"""Saved sessions, read again: on the dataset that they were of, or on another."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot import looks
from napari_seespot._user_data import read_document
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.saving import SCHEMA, SCHEMA_VERSION, unpack_ids
from napari_seespot.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_seespot.dataset import Dataset
    from napari_seespot.session import Session

__all__ = ["SavedSession", "load_session", "restore_camera"]

_DAMAGED = (KeyError, TypeError, ValueError, AttributeError, zlib.error)


@dataclass(frozen=True)
class SavedSession:
    """What a file says of a session.

    Attributes
    ----------
    path : Path
    state : State
        Without the selection, which depends on the dataset; see `state_for`.
    source : str or None
        Where the dataset was.
    options : mapping
        With what, besides, it was opened.
    dataset : (str, int)
        Its name, and how many spots it had.
    selected : ndarray of int64 or None
        Ids of the selected spots.
    labels : sequence of mapping
        See `Labels.merge`.
    camera : mapping or None
    layers : mapping
        How images, masks and spots were shown; see `saving`.
    """

    path: Path
    state: State
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    dataset: tuple[str, int] = ("", 0)
    selected: np.ndarray | None = None
    labels: Sequence[Mapping[str, Any]] = ()
    camera: Mapping[str, Any] | None = None
    layers: Mapping[str, Any] = field(default_factory=dict)

    def options_for(self, source: str | Path) -> dict[str, Any]:
        """Return with what to open the dataset, at its place or at another.

        How a bucket is reached belongs to its address; what was chosen in the dataset
        goes along.
        """
        same = str(source) == self.source
        return {
            name: value
            for name, value in self.options.items()
            if same or name in ("min_dist", "tile", "column_map")
        }

    def state_for(self, dataset: Dataset) -> tuple[State, tuple[str, ...]]:
        """Return the state on a dataset, and what a user should know of it."""
        if self.selected is None:
            return self.state, ()
        name, count = self.dataset
        # A folder may have been renamed, and a server draws other samples.
        if name != dataset.name and count != len(dataset.spots):
            return self.state, (
                f"The selection was one of {name}, whose spots have other numbers: it "
                "is left out.",
            )
        ids = dataset.spots.column("spot_id")
        mask = np.isin(ids, self.selected)
        found = int(np.count_nonzero(mask))
        self.state.selection.mask = mask if found else None
        lost = len(self.selected) - found
        if lost <= 0:
            return self.state, ()
        return self.state, (
            f"{lost:,} of the {len(self.selected):,} spots that were selected are not "
            f"in {dataset.name} as it is open now.",
        )

    def more_images(self, dataset: Dataset) -> tuple[tuple[str, str], ...]:
        """Return the images that were shown besides the spots' channels.

        Returns
        -------
        tuple of (str, str)
            ``("images", channel)`` or ``("masks", name)``, of those that the
            dataset has.
        """
        shown = self.layers.get("images", {}).get("channels", {})
        found = [
            ("images", name)
            for name in shown
            if name in dataset.images and name not in dataset.channels
        ]
        masks = self.layers.get("masks", {})
        return (*found, *(("masks", n) for n in masks if n in dataset.masks))

    def restore(self, session: Session) -> None:
        """Bring back labels, the place and how the layers were shown.

        In a window the layers follow once all of them are there.

        Raises
        ------
        SeeSpotError
            When labels cannot be written. What a layer does not take is told in
            napari.
        """
        if self.labels:
            session.labels.merge(self.labels)
        if session.viewing is None:
            return
        if self.camera:
            restore_camera(session.viewer, self.camera)
        session.viewing.turns.add(lambda: self._restore_layers(session))

    def _restore_layers(self, session: Session) -> None:
        if session.viewing is None:
            return
        try:
            self._apply(session)
        except SeeSpotError as error:  # the dataset is open all the same
            from napari.utils.notifications import show_error

            show_error(f"{self.path}: {error}")

    def _apply(self, session: Session) -> None:
        images, look = session.viewing.images, self.layers.get("images")
        if look:
            looks.apply_look(images.channels, look)
        for name, values in self.layers.get("masks", {}).items():
            if name in images.masks:
                looks.apply_settings(images.masks[name], name, values)
        spots = {layer.name: layer for layer in session.viewing.overlay.layers}
        for name, values in self.layers.get("spots", {}).items():
            if name in spots:
                looks.apply_settings(spots[name], name, values)


def load_session(path: str | Path) -> SavedSession:
    """Return the session that a file holds.

    Raises
    ------
    StateError
        When the file is no session, is of a newer schema, or is damaged.
    """
    path = Path(path)
    document = read_document(path, SCHEMA, SCHEMA_VERSION, "a session")
    values = document.get("state")
    if not isinstance(values, dict):
        raise StateError("the session holds no state", where=path)
    try:
        return _session(path, document, values)
    except StateError as error:
        raise StateError(
            error.found, where=path, expected=error.expected, hint=error.hint
        ) from error
    except _DAMAGED as error:
        raise StateError(f"the session is damaged: {error}", where=path) from error


def _session(
    path: Path, document: dict[str, Any], values: dict[str, Any]
) -> SavedSession:
    camera, packed = document.get("camera"), document.get("selection")
    if camera is not None:
        _check_camera(camera)
    layers = _mapping(document, "layers")
    for part in layers:
        _mapping(layers, part)
    if layers.get("images"):
        looks.check_look(layers["images"], path)
    source = document.get("source")
    return SavedSession(
        path,
        _state(values),
        source if isinstance(source, str) and source else None,
        _mapping(document, "options"),
        (str(document.get("dataset", "")), int(document.get("spots", 0))),
        None if packed is None else unpack_ids(packed),
        document.get("labels") or (),
        camera,
        layers,
    )


def _mapping(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} is {value!r}"[:200])
    return value or {}


def _state(values: dict[str, Any]) -> State:
    values = dict(values)
    filters = values.pop("filters", None) or {}
    limits = values.pop("limits", None) or {}
    state = State(**values)
    ranges = filters.pop("ranges", {})
    for name, value in filters.items():
        setattr(state.filters, name, value)
    state.filters.ranges.replace(ranges)
    for name, value in limits.items():
        setattr(state.limits, name, value)
    return state


def _check_camera(camera: Any) -> None:
    """Raise a ValueError, TypeError or KeyError for what no viewer could look by."""
    numbers = [float(camera["zoom"]), *camera["point"]]
    for name in ("center", "angles"):
        if len(camera[name]) != 3:
            raise ValueError(f"the camera's {name} is {camera[name]!r}")
        numbers += camera[name]
    if not np.isfinite(np.array(numbers, float)).all() or camera["zoom"] <= 0:
        raise ValueError("the camera has numbers that are none")
    if camera["ndisplay"] not in (2, 3):
        raise ValueError(f"{camera['ndisplay']!r} dimensions cannot be displayed")


def restore_camera(viewer: Any, camera: Mapping[str, Any]) -> None:
    """Look where a saved session looked; `load_session` has checked the numbers."""
    viewer.dims.ndisplay = int(camera["ndisplay"])
    saved: Sequence[float] = camera["point"]
    point = list(viewer.dims.point)
    shared = min(len(saved), len(point))  # axes that both viewers have: the last
    point[len(point) - shared :] = map(float, saved[len(saved) - shared :])
    viewer.dims.point = point
    viewer.scene.camera.center = tuple(float(value) for value in camera["center"])
    viewer.scene.camera.zoom = float(camera["zoom"])
    viewer.scene.camera.angles = tuple(float(value) for value in camera["angles"])
