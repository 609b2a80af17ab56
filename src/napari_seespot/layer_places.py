"""Where a user's own shapes and points lie, in voxels, however their layer lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import StateError
from napari_seespot.volume import origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_seespot.session import Session

__all__ = ["layer_of", "nothing_selected", "outlines", "plane_of", "voxels_of"]

_CLOSED = ("polygon", "rectangle", "ellipse")
_ELLIPSE_CORNERS = 180


def layer_of(session: Session, layer: Any, trait: str, kind: str) -> Any:
    """Return a layer of shapes or points; the active one where none is given."""
    session.check_open()
    if layer is None and session.viewer is not None:
        layer = session.viewer.layers.selection.active
    # By what they have: this module serves without napari.
    if layer is None or not hasattr(layer, trait):
        what = "no layer" if layer is None else f"the layer {layer.name}"
        raise StateError(
            f"{what} is active" if layer is None else f"{what} holds no {kind}",
            expected=f"a {kind} layer",
            hint=f"Click a {kind} layer of yours in the layer list, and select in it",
        )
    return layer


def nothing_selected(layer: Any, kind: str) -> StateError:
    """Return the error that no shape, or no point, of a layer is selected."""
    return StateError(
        f"no {kind} of the layer {layer.name} is selected",
        hint=f"Select {kind}s with the layer's select tool: click one, or drag a box",
    )


def outlines(layer: Any) -> Iterator[np.ndarray]:
    """Yield the corners of the selected shapes that have an inside, (m, ndim)."""
    selected = sorted(layer.selected_data)
    if not selected:
        raise nothing_selected(layer, "shape")
    kinds = [str(layer.shape_type[place]) for place in selected]
    if not set(kinds) & set(_CLOSED):
        raise StateError(
            f"the selected shapes of the layer {layer.name} have no inside",
            expected=f"one of {', '.join(_CLOSED)}",
        )
    for place, kind in zip(selected, kinds, strict=True):
        corners = np.asarray(layer.data[place], np.float64)
        if kind in _CLOSED:
            yield _ellipse(corners) if kind == "ellipse" else corners


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Return the outline of the ellipse in a box of four corners."""
    middle = corners.mean(axis=0)
    one, other = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    return np.asarray(middle + np.cos(turn) * one + np.sin(turn) * other)


def voxels_of(session: Session, layer: Any, places: np.ndarray) -> np.ndarray:
    """Return places of a layer in voxels: (z, y, x), or (y, x) of a flat layer."""
    world = np.array([layer.data_to_world(place) for place in places], np.float64)
    spatial = min(world.shape[1], 3)
    um = world[:, -spatial:] * [_um(unit) for unit in layer.units[-spatial:]]
    start, voxel = origin(session.dataset), session.dataset.voxel_size
    return np.asarray((um - start[-spatial:]) / voxel[-spatial:])


def _um(unit: Any) -> float:
    """Return how many um a unit is; napari takes pixels for what others count in."""
    if unit.dimensionality != {"[length]": 1}:
        return 1.0
    return float((1 * unit).to("micrometer").magnitude)


def plane_of(session: Session, layer: Any, places: np.ndarray) -> float:
    """Return the z of a shape in voxels; of a flat layer, of what the viewer shows."""
    if places.shape[1] == 3:
        z = places[:, 0]
        if np.ptp(z) > 0.5:
            raise StateError(
                f"a shape of the layer {layer.name} lies across the planes",
                expected="one that was drawn while y is shown against x",
            )
        return float(z.mean())
    viewer = session.viewer
    n = 0 if viewer is None else viewer.dims.ndim
    if n < 3 or tuple(viewer.dims.displayed) != (n - 2, n - 1):
        raise StateError(
            f"the layer {layer.name} is flat, and no plane of y and x is shown",
            hint="Leave 3-D, or select through all planes",
        )
    start, voxel = origin(session.dataset)[0], session.dataset.voxel_size[0]
    return float((viewer.dims.point[n - 3] - start) / voxel)
