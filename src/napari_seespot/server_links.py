"""Neuroglancer links that a SeeSpot server makes, of the dataset that it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_seespot.errors import ServerError, StateError
from napari_seespot.server import SeeSpotClient, StatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from napari_seespot.dataset import Dataset

__all__ = ["ServerLink", "server_link"]


@dataclass(frozen=True)
class ServerLink:
    """A link as a server made it.

    Attributes
    ----------
    url : str
    marked, missing : int
        Spots that it marks, and those that the server does not know.
    """

    url: str
    marked: int
    missing: int = 0


def server_link(
    dataset: Dataset,
    rows: np.ndarray,
    *,
    color: str = "#ffff00",
    zoom: float = 0.2,
    name: str = "Spots",
    cancelled: Callable[[], bool] | None = None,
) -> ServerLink:
    """Have the server that a dataset came from make a link; slow, for a worker.

    Parameters
    ----------
    dataset : Dataset
        With a `server`.
    rows : ndarray of int, shape (m,)
        The spots to mark, one or more.
    color, name : str
        Of the marks, and of their layer where they are several.
    zoom : float
        Voxels a pixel of the cross section.
    cancelled : callable, optional
        Asked ten times a second.

    Raises
    ------
    StateError
        When the dataset came from no server, or there is no spot to mark.
    ServerError
        When the server serves another dataset by now, cannot be reached, or
        refuses.
    CancelledError
        When `cancelled` said True.
    """
    if dataset.server is None:
        raise StateError(
            "the dataset came from no SeeSpot server",
            where=dataset.name,
            hint="Have the link made by this computer",
        )
    if not len(rows):
        raise StateError("there is no spot to mark", hint="Select spots first")
    ids = [int(spot_id) for spot_id in dataset.spots.column("spot_id")[rows]]
    with SeeSpotClient(dataset.server, cancelled=cancelled) as client:
        _check_served(client, dataset)
        if len(ids) == 1:
            return _one(client, dataset, int(rows[0]), ids[0], color, zoom)
        found = client.neuroglancer_links(
            ids, annotation_color=color, cross_section_scale=zoom, layer_name=name
        )
        return ServerLink(found.url, found.annotation_count, found.missing_spots)


def _one(
    client: SeeSpotClient,
    dataset: Dataset,
    row: int,
    spot_id: int,
    color: str,
    zoom: float,
) -> ServerLink:
    spots = dataset.spots
    cell: Any = spots.column("cell_id")[row] if "cell_id" in spots.columns else 0
    url = client.neuroglancer_link(
        [str(path) for path in dataset.info.get("fused_s3_paths") or ()],
        [float(spots.column(axis)[row]) for axis in "zyx"],
        spot_id,
        cell_id=int(cell) or None,
        annotation_color=color,
        cross_section_scale=zoom,
    )
    return ServerLink(url, 1)


def _check_served(client: SeeSpotClient, dataset: Dataset) -> None:
    """Make sure that the server means the same spots by the same numbers."""
    try:
        served = [entry.name for entry in client.datasets() if entry.active]
    except StatusError as error:
        if error.status != 404:
            raise
        return  # it serves but one dataset, and has no list
    if served and dataset.name not in served:
        raise ServerError(
            f"the server serves {served[0]} by now",
            where=dataset.uri,
            expected=dataset.name,
            hint="Open the dataset again, or have the link made by this computer",
        )
