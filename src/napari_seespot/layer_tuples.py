"""A dataset as plain layers, for viewers that have no window.

Without a session nothing follows the camera, so the spots are points of fixed
number: all where they are few, else the most important ones, which the name
tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.coloring import class_colors
from napari_seespot.layers import image_arguments
from napari_seespot.spots import STATUSES

if TYPE_CHECKING:
    from napari_seespot.preparing import Prepared

__all__ = ["MOST_POINTS", "layer_tuples"]

MOST_POINTS = 50_000
"""Of each status; napari takes seconds for each step through many more."""


def layer_tuples(prepared: Prepared) -> list[tuple[Any, dict[str, Any], str]]:
    """Return images, and points of each status, as napari's readers do."""
    layers = [(*image_arguments(image), "image") for image in prepared.images]
    translate = prepared.images[0].translate if prepared.images else (0.0, 0.0, 0.0)
    for status in STATUSES:
        layers.append(_points(prepared, status, translate))
    return layers


def _points(
    prepared: Prepared, status: str, translate: tuple[float, float, float]
) -> tuple[Any, dict[str, Any], str]:
    session = prepared.session
    spots, view = session.dataset.spots, session.view
    wanted = np.equal(spots.class_of_code("status"), STATUSES.index(status))
    all_rows = np.flatnonzero(wanted[spots.code])
    rows = session.index.most_important(all_rows, MOST_POINTS)
    name = f"Spots: {status}"
    if len(rows) < len(all_rows):
        name += f" ({len(rows):,} of {len(all_rows):,})"
    scale = session.dataset.voxel_size
    data = np.stack([spots.column(axis)[rows] for axis in "zyx"], axis=1)
    return (
        data,
        {
            "name": name,
            "ndim": 3,
            "scale": scale,
            "translate": translate,
            "axis_labels": ("z", "y", "x"),
            "units": ("micrometer",) * 3,
            "features": spots.to_pandas(rows=rows).reset_index(drop=True),
            "face_color": class_colors("status", spots.channels)[status],
            "size": view.point_size_um / scale[2],
            "symbol": "ring",
            "border_width": 0,
            "blending": "translucent",
            "visible": status in session.state.filters.status,
        },
        "points",
    )
