"""Shapes and points that a user has selected in a layer of their own select spots.

Any shapes layer and any points layer serves, whatever its scale, its affine and its
units. Spots are chosen from all that pass the filters, drawn or not:

* the spots inside the selected polygons, rectangles and ellipses;
* of each selected point the nearest spot, within a radius.

The spots' own layer cannot be edited, so napari's select tool does nothing there: draw
a rectangle on a shapes layer, or use the tool on a copy (*Duplicate layer*), whose
points lie where the spots do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.errors import StateError
from napari_seespot.index import Box
from napari_seespot.layer_places import (
    layer_of,
    nothing_selected,
    outlines,
    plane_of,
    voxels_of,
)
from napari_seespot.polygons import inside_polygon

if TYPE_CHECKING:
    from napari_seespot.session import Session

__all__ = [
    "NEAR_UM",
    "nearest_rows",
    "rows_in_shapes",
    "select_near_points",
    "select_shapes",
]

NEAR_UM = 2.0
"""A spot farther from a point than this is another one."""

_MOST_POINTS = 10_000  # each is looked up by itself


def select_shapes(
    session: Session,
    layer: Any = None,
    mode: str = "replace",
    all_planes: bool = False,
) -> int:
    """Select the spots that pass and lie in any of a layer's selected shapes.

    Parameters
    ----------
    session : Session
    layer : napari.layers.Shapes, optional
        The viewer's active layer by default.
    mode : str
        ``"replace"``, ``"add"``, ``"subtract"`` or ``"intersect"``.
    all_planes : bool
        Select through the whole depth; else the slab around each shape's plane. A
        shape of two dimensions lies in the plane that the viewer shows.

    Returns
    -------
    int
        How many rows are selected then.

    Raises
    ------
    StateError
        When there is no such layer, or no shape of it that can be used.

    Examples
    --------
    >>> shapes = session.viewer.layers["Shapes"]  # doctest: +SKIP
    >>> shapes.selected_data = {0, 1}  # doctest: +SKIP
    >>> select_shapes(session, shapes, mode="add")  # doctest: +SKIP
    """
    rows = rows_in_shapes(session, layer, all_planes)
    return session.select_rows(_mask(session, rows), mode)


def select_near_points(
    session: Session,
    layer: Any = None,
    mode: str = "replace",
    radius_um: float = NEAR_UM,
) -> int:
    """Select the spots that are nearest to a layer's selected points.

    Parameters
    ----------
    session : Session
    layer : napari.layers.Points, optional
        The viewer's active layer by default.
    mode : str
        ``"replace"``, ``"add"``, ``"subtract"`` or ``"intersect"``.
    radius_um : float
        See `nearest_rows`.

    Returns
    -------
    int
        How many rows are selected then.

    Raises
    ------
    StateError
        As `nearest_rows`.
    """
    rows = nearest_rows(session, layer, radius_um)
    return session.select_rows(_mask(session, rows[rows >= 0]), mode)


def rows_in_shapes(
    session: Session, layer: Any = None, all_planes: bool = False
) -> np.ndarray:
    """Return the rows that `select_shapes` selects, int64, in row order.

    Parameters
    ----------
    session, layer, all_planes
        As in `select_shapes`.
    """
    layer = layer_of(session, layer, "shape_type", "shapes")
    half = session.view.slab_planes + 0.5
    found = [np.zeros(0, np.int64)]
    for corners in outlines(layer):
        outline = voxels_of(session, layer, corners)
        planes = (-np.inf, np.inf)
        if not all_planes:
            z = plane_of(session, layer, outline)
            planes = (z - half, z + half)
        found.append(_rows_inside(session, outline[:, -2:], planes))
    return np.unique(np.concatenate(found))


def nearest_rows(
    session: Session, layer: Any = None, radius_um: float = NEAR_UM
) -> np.ndarray:
    """Return the row of the spot that is nearest to each selected point.

    Parameters
    ----------
    session : Session
    layer : napari.layers.Points, optional
        The viewer's active layer by default.
    radius_um : float
        Spots farther away are not looked at. Of points of two dimensions, which lie
        in each plane, the spots in the slab that the viewer shows are looked at, and
        the distance is that in the plane.

    Returns
    -------
    ndarray of int64, shape (n_points,)
        -1 where there is none.

    Raises
    ------
    StateError
        When there is no such layer, no point of it is selected, or more than 10,000
        are.
    """
    layer = layer_of(session, layer, "symbol", "points")
    selected = sorted(layer.selected_data)
    if not radius_um > 0:
        raise StateError(f"nothing lies within {radius_um} um", expected="more than 0")
    if not selected:
        raise nothing_selected(layer, "point")
    if len(selected) > _MOST_POINTS:
        raise StateError(
            f"{len(selected):,} points of the layer {layer.name} are selected",
            expected=f"{_MOST_POINTS:,} at most",
            hint="Draw a shape around them",
        )
    places = voxels_of(session, layer, np.asarray(layer.data)[selected])
    rows = (_nearest(session, layer, place, radius_um) for place in places)
    return np.fromiter(rows, np.int64, len(places))


def _nearest(session: Session, layer: Any, place: np.ndarray, radius_um: float) -> int:
    """Return the row of the spot nearest to a place in voxels; -1 for none."""
    voxel = np.array(session.dataset.voxel_size)
    reach = radius_um / voxel
    flat = len(place) == 2
    if flat:
        place = np.array([plane_of(session, layer, place[None]), *place])
        reach[0] = session.view.slab_planes + 0.5
    rows = _rows_between(session, place - reach, place + reach)
    away = np.stack([session.dataset.spots.column(a)[rows] for a in "zyx"], axis=1)
    away = (away - place) * voxel
    if flat:
        away[:, 0] = 0
    far = (away**2).sum(axis=1)
    if not len(far) or far.min() > radius_um**2:
        return -1
    return int(rows[far.argmin()])


def _rows_inside(
    session: Session, outline: np.ndarray, planes: tuple[float, float]
) -> np.ndarray:
    """Return the rows that pass inside an outline, (m, 2) as y and x in voxels."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    # A voxel wider: it only leaves out what need not be tested.
    rows = _rows_between(
        session, [planes[0] - 1, *(low - 1)], [planes[1] + 1, *(high + 1)]
    )
    z, y, x = (session.dataset.spots.column(axis)[rows] for axis in "zyx")
    deep = (z >= planes[0]) & (z <= planes[1])
    return np.asarray(rows[inside_polygon(y, x, outline, deep)])


def _rows_between(session: Session, low: Any, high: Any) -> np.ndarray:
    """Return the rows that pass in a box, in voxels."""
    (z0, y0, x0), (z1, y1, x1) = map(float, low), map(float, high)
    mask = session.view.mask
    box = Box((z0, y0, x0), (z1, y1, x1))
    return mask.passing(session.index.rows_in(box, mask.codes))


def _mask(session: Session, rows: np.ndarray) -> np.ndarray:
    mask = np.zeros(len(session.dataset.spots), np.bool_)
    mask[rows] = True
    return mask
