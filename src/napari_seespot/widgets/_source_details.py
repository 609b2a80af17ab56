"""What a source offers, asked in a worker: its datasets, and what can be chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_seespot.sources import _layout, list_datasets
from napari_seespot.sources._location import LocalFolder
from napari_seespot.sources.cache import cache_info, clear_cache
from napari_seespot.widgets._column_mapping import table_path
from napari_seespot.widgets._dataset_list import Entry, entry_of_info

if TYPE_CHECKING:
    from napari_seespot.widgets._worker import Job

__all__ = ["Details", "details_of", "list_entries", "remove_from_cache"]


@dataclass(frozen=True)
class Details:
    """What can be chosen before a dataset is opened.

    Attributes
    ----------
    min_dists : tuple of str
        The de-duplication radii of a folder's unmixed tables.
    is_table : bool
        It is a table whose columns can be mapped.
    """

    min_dists: tuple[str, ...] = ()
    is_table: bool = False


def list_entries(uri: str, options: dict[str, Any], job: Job) -> list[Entry]:
    """Return the datasets that a source offers."""
    if uri.lower().startswith(("http://", "https://")):
        options = {**options, "progress": job.progress, "cancelled": job.cancelled}
        options.pop("storage", None)
    found = list_datasets(uri, **options)
    job.check()
    cached = {entry.uri for entry in cache_info()}
    return [entry_of_info(info, cached) for info in found]


def details_of(uri: str) -> Details:
    """Return what can be chosen about a local dataset; nothing of others."""
    if table_path(uri) is not None:
        return Details(is_table=True)
    if not uri or "://" in uri:
        return Details()
    location = LocalFolder(uri)
    named = _layout.split_tile(location.name)
    tile = None
    if named and not location.names():
        location = LocalFolder(LocalFolder(uri).uri.removesuffix(f"_{named[1]}"))
        tile = next(
            (t for t in _layout.find_tiles(location) if t.endswith(named[1])), None
        )
    return Details(min_dists=_layout.find_tables(location, tile=tile).min_dists)


def remove_from_cache(uri: str) -> int:
    """Remove a dataset's tables from the cache; return how many bytes became free."""
    freed = clear_cache(uri)
    named = _layout.split_tile(uri)
    # A tile's table is kept under the name of the dataset that it belongs to.
    return freed or (clear_cache(named[0]) if named else 0)
