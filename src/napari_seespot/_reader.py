"""napari's way in: dropped folders, *File > Open*, ``--plugin napari-seespot``.

What is opened becomes a session of the viewer, with its docks; napari gets no
layers of its own to add. Without a viewer it gets plain layers.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from napari_seespot.errors import SeeSpotError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["NO_LAYERS", "get_reader", "read"]

NO_LAYERS: list[tuple[Any, ...]] = [(None,)]
"""How a reader tells napari that it did what was to be done."""

_SERVER = re.compile(r"https?://[^/\s]+:\d+(/?|/\?.*)", re.IGNORECASE)
_BUCKET = re.compile(r"s3://[^/\s]+/\S+", re.IGNORECASE)
_HEAD = 4096


def get_reader(path: str | Sequence[str]) -> Callable[..., list[Any]] | None:
    """Return a function that opens a path, or None when it is not ours.

    Parameters
    ----------
    path : str or sequence of str
        A dataset folder, a table of spots, a saved answer, ``s3://bucket/name``
        or ``http://host:port``. Several paths at once are no dataset.
    """
    if not isinstance(path, (str, os.PathLike)):
        return None
    text = os.fspath(path)
    try:
        ours = _is_ours(text)
    except (SeeSpotError, OSError, ValueError):  # unreadable: not ours to complain
        ours = False
    return read if ours else None


def _is_ours(path: str) -> bool:
    if "://" in path and not path.lower().startswith("file://"):
        return bool(_SERVER.fullmatch(path) or _BUCKET.fullmatch(path))
    from napari_seespot.sources import _local_path

    local = _local_path(path)
    suffix = local.suffix.lower()
    if local.is_dir():
        return _holds_spots(str(local))
    if not local.is_file():
        return False
    if suffix == ".json":
        with local.open("rb") as file:
            return _looks_like_answer(file.read(_HEAD))
    return suffix in (".parquet", ".csv", ".feather") and _looks_like_spots(local)


def _holds_spots(folder: str) -> bool:
    from napari_seespot.sources._layout import TABLES, looks_like_dataset

    names = os.listdir(folder)
    return looks_like_dataset(names) or os.path.basename(folder) == TABLES


def _looks_like_answer(head: bytes) -> bool:
    keys = (b'"spots_data"', b'"channel_pairs"', b'"spot_details"', b'"fused_s3_paths"')
    return head.lstrip()[:1] == b"{" and any(key in head for key in keys)


def _looks_like_spots(path: Any) -> bool:
    """Whether a table has coordinates and channels, perhaps under other names."""
    from napari_seespot.sources.table import guess_columns, table_columns

    names = table_columns(path)
    known = {*names, *guess_columns(names).values()}
    return {"z", "y", "x", "chan"} <= known


def read(path: str, **_: Any) -> list[Any]:
    """Open a dataset in the current viewer, or return its layers without one."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        return _layers(path)
    from napari_seespot.widgets._opening import in_event_loop, opening_of

    opening = opening_of(viewer)
    if in_event_loop():  # a user who waits for the window, not for a function
        opening.open(path)
    else:
        opening.open_now(path)
    return NO_LAYERS


def _layers(path: str) -> list[Any]:
    from napari_seespot.layer_tuples import layer_tuples
    from napari_seespot.preparing import prepare
    from napari_seespot.sources import open_dataset

    return list(layer_tuples(prepare(open_dataset(path))))
