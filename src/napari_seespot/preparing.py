"""All that is slow about showing a dataset, done before a viewer is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import StateError
from napari_seespot.layers import open_images, open_more
from napari_seespot.session import Session
from napari_seespot.sources._task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.dataset import Dataset
    from napari_seespot.images import ChannelImage
    from napari_seespot.restoring import SavedSession
    from napari_seespot.sources._task import Cancelled, Progress
    from napari_seespot.state import State

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A dataset that is ready to be shown.

    Attributes
    ----------
    session : Session
    images : sequence of ChannelImage
        Opened, with their contrast.
    messages : tuple of str
        What the user should know: notes of the dataset, and a message for each
        channel that cannot be opened.
    """

    session: Session
    images: Sequence[ChannelImage]
    messages: tuple[str, ...] = ()


def prepare(
    dataset: Dataset,
    state: State | None = None,
    *,
    saved: SavedSession | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Prepared:
    """Open a dataset's images and load what the first picture needs.

    Meant for a worker, or for a script.

    Parameters
    ----------
    dataset : Dataset
    state : State, optional
        How to look at it; as at the start by default.
    saved : SavedSession, optional
        Whose state, and images besides the spots' channels, to take instead.
    progress : callable, optional
        Called with the share done, 0 to 1, and a text.
    cancelled : callable, optional
        Asked between steps.

    Raises
    ------
    StateError
        When the dataset cannot show the state.
    CancelledError
        When the user has cancelled.
    """
    task = Task(progress, cancelled)
    task.check()
    told: tuple[str, ...] = ()
    if saved is not None:
        state, told = saved.state_for(dataset)
    _check_selection(dataset, state)
    session = Session(dataset, state)
    images, problems = open_images(dataset, progress=task.part(0.0, 0.8).step)
    if saved is not None:
        more, worse = open_more(dataset, saved.more_images(dataset))
        images, problems = [*images, *more], [*problems, *worse]
    task.step(0.8, "Preparing the first picture")
    _ = dataset.voxel_size  # may open an image; kept from here on
    _warm_up(session)
    task.step(1.0, f"{len(dataset.spots):,} spots")
    return Prepared(session, images, (*dataset.notes, *told, *problems))


def _check_selection(dataset: Dataset, state: State | None) -> None:
    if state is None or state.selection.mask is None:
        return
    if len(state.selection.mask) != len(dataset.spots):
        raise StateError(
            f"the selection is of {len(state.selection.mask):,} spots, the dataset "
            f"has {len(dataset.spots):,}",
            where=dataset.name,
            hint="The state was saved with another dataset",
        )


def _warm_up(session: Session) -> None:
    """Load or compile what the first pictures need, and count what passes."""
    from napari_seespot.densities import warm_up
    from napari_seespot.index import Box
    from napari_seespot.raster import rasterize

    warm_up()
    one = np.zeros(1)
    table = np.zeros((1, 4), np.uint8)
    rasterize(one, one, one.astype(np.uint8), table, one, (1, 1))
    mask, n = session.view.mask, len(session.dataset.spots)
    _ = mask.count
    if n and np.isfinite(place := session.position(0)).all():
        # numba compiles anew for a mask that is read-only, as those of filters are.
        where = np.zeros(n, np.bool_)
        where.flags.writeable = False
        box = Box(place, place)
        for rows in (None, where):
            session.index.rows_in(box, mask.codes, rows)
            session.index.choose(box, 1, mask.codes, rows)
