"""What a source offers, asked in a worker: its datasets, and what can be chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_seespot import settings
from napari_seespot._addresses import normalize
from napari_seespot.errors import SeeSpotError
from napari_seespot.sample import SAMPLES
from napari_seespot.sources import (
    _layout,
    _local_dataset,
    _local_path,
    iter_datasets,
)
from napari_seespot.sources.cache import cache_info, clear_cache
from napari_seespot.widgets._column_mapping import table_path
from napari_seespot.widgets._dataset_list import Entry, entry_of_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot.sources._location import Location
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


def list_entries(
    uri: str, options: Mapping[str, Any], job: Job, found: list[Entry]
) -> None:
    """Append the datasets that a source offers to a list, as they are found."""
    cached = {entry.uri for entry in cache_info()}
    for info in iter_datasets(uri, **options):
        job.check()
        found.append(entry_of_info(info, cached))
        job.progress(0.0, f"{len(found):,} datasets found")


def details_of(uri: str, options: Mapping[str, Any]) -> Details:
    """Return what can be chosen about a dataset; nothing where that is unknown."""
    if table_path(uri) is not None:
        return Details(is_table=True)
    location: Location
    try:
        if uri.lower().startswith("s3://"):
            from napari_seespot.sources._bucket import locate

            location, tile = locate(uri, options.get("storage"))
        elif uri and "://" not in uri:
            location, tile = _local_dataset(_local_path(uri), uri)
        else:
            return Details()
        folder = _layout.tile_folder(location, tile) if tile else None
        return Details(_layout.find_tables(location, tile=folder).min_dists)
    except SeeSpotError:  # opening it says what is wrong with it
        return Details()


def remove_from_cache(uri: str) -> int:
    """Remove a dataset's tables from the cache; return how many bytes became free.

    Those of a tile are removed with those of all tiles.
    """
    if uri in SAMPLES:
        kept = str(settings.cache_folder() / "samples" / SAMPLES[uri][0])
    elif uri.lower().startswith("s3://"):
        kept = normalize(uri)
    elif uri and ("://" not in uri or uri.lower().startswith("file://")):
        path = _local_path(uri)
        kept = str(path.parent if path.name == _layout.TABLES else path)
    else:
        return 0
    tile = _layout.split_tile(kept)
    # A tile's table is kept under the name of the dataset that it belongs to.
    return clear_cache(kept) or (clear_cache(tile[0]) if tile else 0)
