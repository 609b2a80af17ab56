"""From an address to a window in one call: `view`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_seespot.preparing import prepare
from napari_seespot.viewing import show_session, tell

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset
    from napari_seespot.overlay import Defer
    from napari_seespot.session import Session
    from napari_seespot.state import State

__all__ = ["view"]


def view(
    source: str | Path | Dataset,
    viewer: Any = None,
    *,
    state: str | Path | State | None = None,
    docks: bool = True,
    **options: Any,
) -> Session:
    """Show a dataset in a viewer: its images, its spots and the docks.

    Parameters
    ----------
    source : str, Path or Dataset
        A dataset, or what `open_dataset` takes.
    viewer : napari.Viewer or ViewerModel, optional
        A new window by default. A dataset that it shows is replaced, once this
        one could be opened.
    state : str, Path or State, optional
        How to look at it: a file that `Session.save` wrote, or a state.
    docks : bool
        Whether to open the docks *Spots* and *Channel pairs*.
    **options
        For `open_dataset`.

    Returns
    -------
    Session

    Raises
    ------
    SeeSpotError
        When the dataset or the state cannot be opened; the viewer stays as it
        was.
    """
    from napari_seespot.dataset import Dataset

    saved = None
    if isinstance(state, (str, Path)):
        from napari_seespot.restoring import load_session

        saved = load_session(state)
        state = None
    if not isinstance(source, Dataset):
        from napari_seespot.sources import open_dataset

        if saved is not None:
            options = {**saved.options_for(source), **options}
        source = open_dataset(source, **options)
    prepared = prepare(source, state, saved=saved)
    session = prepared.session
    if viewer is None:
        from napari import Viewer

        viewer = Viewer(title=f"{source.name} - napari")
    defer: Defer | None = None
    if hasattr(viewer, "window"):  # a ViewerModel has none, and needs no Qt
        from napari_seespot.widgets._defer import once

        defer = once
    viewing = show_session(viewer, session, prepared.images, docks=docks, defer=defer)
    if saved is not None:
        saved.restore(session)
    viewing.finish()  # a script goes on with all layers there
    tell(prepared.messages)
    return session
