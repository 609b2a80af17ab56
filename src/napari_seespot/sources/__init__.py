"""Where datasets come from: `open_dataset` and `list_datasets`.

The address tells the source: a folder, a table, an S3 bucket, a SeeSpot server
or the built-in sample. Sources are imported when they are first used.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from napari_seespot.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_seespot._addresses import StorageOptions
    from napari_seespot.dataset import Dataset, DatasetInfo
    from napari_seespot.sources._task import Cancelled, Progress, Task

__all__ = ["ACCEPTED", "iter_datasets", "list_datasets", "open_dataset"]

ACCEPTED = (
    "a dataset folder, s3://bucket/name, http://host:port of a SeeSpot server, "
    "a .parquet, .csv or .feather table, a saved answer .json, or 'sample'"
)
"""What `open_dataset` takes, for messages."""

_TABLES = (".parquet", ".csv", ".feather")


def open_dataset(
    uri: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    min_dist: str | float | None = None,
    tile: str | None = None,
    column_map: Mapping[str, str | None] | None = None,
    cache: bool = True,
    scheduler: str | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    **options: Any,
) -> Dataset:
    """Open a dataset, wherever it lies.

    Parameters
    ----------
    uri : str, path or sequence of them
        A dataset folder (``~`` and ``file://`` too), ``s3://bucket/name``, the
        address of a SeeSpot server, a ``.parquet``, ``.csv`` or ``.feather``
        table, a saved answer ``.json``, ``"sample"`` or ``"sample-million"`` (1,000,000
        spots, no images). The name of a folder
        or bucket prefix followed by ``_X_0001_Y_0000_Z_0000`` is a tile of it.
        Several, in a list, separated by ``" | "`` or as a pattern
        (``rounds/*.parquet``), are opened as one, larger than memory.
    min_dist : str or number, optional
        The de-duplication radius, in voxels, of the unmixed table to read; the
        smallest by default (`Dataset.min_dists` lists all).
    tile : str, optional
        A tile of a tiled dataset; all of them together by default.
    column_map : mapping of str to str or None, optional
        For tables: our column name by the file's where they differ; None
        leaves a column out.
    cache : bool
        Keep imported tables in the user's cache, and take them from there.
    scheduler : str, optional
        Where counts over all spots run: the address of a `dask.distributed` cluster
        (``"tcp://host:8786"``), or dask's ``"threads"``, ``"processes"`` or
        ``"synchronous"`` on this computer. By default the one of the settings, for
        several datasets; a single one is counted without dask.
    progress : callable, optional
        Called with the share done, 0 to 1, and a text.
    cancelled : callable, optional
        Asked between steps; true ends the work with `CancelledError`.
    **options
        For buckets `endpoint_url`, `region` and `anonymous`, which are otherwise
        taken from the environment, or `storage`, all of them together
        (`StorageOptions`). For servers what `open_server` takes.

    Raises
    ------
    NotFoundError
        When there is nothing of this name, or not what was asked for in it.
    SeeSpotError
        When what is there cannot be read.
    """
    from napari_seespot import settings
    from napari_seespot.sources._expand import expand

    own: dict[str, Any] = {
        "min_dist": min_dist,
        "tile": tile,
        "column_map": column_map,
        "cache": cache,
        "cancelled": cancelled,
        **options,
    }
    addresses = expand(uri)
    if addresses is None:
        assert isinstance(uri, (str, os.PathLike))  # what `expand` leaves alone
        dataset = _open_one(uri, progress=progress, **own)
    else:
        dataset = _open_several(addresses, progress, own)
        scheduler = scheduler or settings.scheduler() or "threads"
    dataset = replace(dataset, opened_with=_told(own))
    return dataset if scheduler is None else _counted_by(scheduler, dataset)


_STORAGE = ("endpoint_url", "region", "anonymous")


def _told(own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options that opening the same again needs, without credentials."""
    told = {name: own.get(name) for name in ("min_dist", "tile", "column_map")}
    storage = own.get("storage")
    for name in _STORAGE:
        told[name] = own.get(name, getattr(storage, name, None))
    if told["endpoint_url"]:
        told["endpoint_url"] = _without_secrets(str(told["endpoint_url"]))
    if told["min_dist"] is not None:
        told["min_dist"] = str(told["min_dist"])
    if told["column_map"] is not None:
        told["column_map"] = dict(told["column_map"])
    known = {name: value for name, value in told.items() if value is not None}
    return MappingProxyType(known)


def _open_several(
    addresses: Sequence[str], progress: Progress | None, own: dict[str, Any]
) -> Dataset:
    from napari_seespot.sources._task import Task
    from napari_seespot.sources.several import join_datasets

    task = Task(progress, own["cancelled"])
    datasets = []
    for place, address in enumerate(addresses):
        part = task.part(
            0.5 * place / len(addresses), 0.5 * (place + 1) / len(addresses)
        )
        datasets.append(_open_one(address, progress=part.step, **own))
    return join_datasets(datasets, cache=own["cache"], task=task.part(0.5, 1.0))


def _counted_by(scheduler: str, dataset: Dataset) -> Dataset:
    from napari_seespot.distributed import DaskCounter
    from napari_seespot.sources.cache import read_spots

    counter = DaskCounter(scheduler, read_spots)
    return replace(dataset, spots=dataset.spots.replace(counter=counter))


def _open_one(
    uri: str | os.PathLike[str],
    *,
    min_dist: str | float | None,
    tile: str | None,
    column_map: Mapping[str, str | None] | None,
    cache: bool,
    progress: Progress | None,
    cancelled: Cancelled | None,
    **options: Any,
) -> Dataset:
    from napari_seespot.sources._task import Task

    task = Task(progress, cancelled)
    text = _text(uri)
    if text in ("sample", "sample-million"):
        return _open_sample(text, cache, task, progress, cancelled)
    scheme = _scheme(text)
    if scheme in ("http", "https"):
        from napari_seespot.sources.server import open_server

        return open_server(text, progress=progress, cancelled=cancelled, **options)
    if scheme == "s3":
        return _open_bucket(text, min_dist, tile, cache, task, options)
    path = _local_path(text)
    suffix = path.suffix.lower()
    if suffix == ".json" and not path.is_dir():
        from napari_seespot.sources.server import dataset_from_answer

        return dataset_from_answer(
            path, progress=progress, cancelled=cancelled, **options
        )
    _no_options(options, path)
    if suffix in _TABLES and not path.is_dir():
        from napari_seespot.sources.table import open_table

        return open_table(path, column_map=column_map, cache=cache, task=task)
    location, own_tile = _local_dataset(path, text)
    from napari_seespot.sources.folder import open_folder

    return open_folder(
        location, min_dist=min_dist, tile=tile or own_tile, cache=cache, task=task
    )


def list_datasets(uri: str | os.PathLike[str], **options: Any) -> list[DatasetInfo]:
    """Return the datasets that a parent folder, bucket or server offers.

    Parameters
    ----------
    uri : str or path
        A folder with dataset folders in it, or one of these; a bucket or a
        prefix in it; the address of a SeeSpot server.
    **options
        As `open_dataset` takes them for servers and buckets.

    Returns
    -------
    list of DatasetInfo
        The tiles of a tiled dataset follow it.

    Raises
    ------
    NotFoundError
        When there is nothing of this name.
    """
    return list(iter_datasets(uri, **options))


def iter_datasets(uri: str | os.PathLike[str], **options: Any) -> Iterator[DatasetInfo]:
    """Yield what `list_datasets` returns, as it is found.

    A bucket may hold many thousands: its first datasets come at once, the next
    page is asked for when they have been taken.
    """
    text = _text(uri)
    scheme = _scheme(text)
    if scheme in ("http", "https"):
        from napari_seespot.sources.server import list_server

        yield from list_server(text, **options)
        return
    if scheme == "s3":
        from napari_seespot.sources._bucket import iter_bucket

        yield from iter_bucket(text, _storage(options))
        return
    from napari_seespot.sources._listing import list_folder

    path = _local_path(text)
    _no_options(options, path)
    if not path.is_dir():
        raise _nothing(text, path)
    yield from list_folder(path)


def _open_bucket(
    uri: str,
    min_dist: str | float | None,
    tile: str | None,
    cache: bool,
    task: Task,
    options: dict[str, Any],
) -> Dataset:
    from napari_seespot.sources._bucket import locate
    from napari_seespot.sources.folder import open_folder

    storage = _storage(options)
    task.step(0.0, f"looking into {uri}")
    location, own_tile = locate(uri, storage)
    location.look()
    return open_folder(
        location,
        min_dist=min_dist,
        tile=tile or own_tile,
        cache=cache,
        task=task,
        storage=storage,
    )


def _storage(options: dict[str, Any]) -> StorageOptions | None:
    """Return how a bucket is reached; TypeError for an option that it has not."""
    from napari_seespot._addresses import StorageOptions

    storage: StorageOptions | None = options.pop("storage", None)
    if options:
        return replace(storage or StorageOptions(), **options)
    return storage


def _no_options(options: Mapping[str, Any], path: Path) -> None:
    if options:
        raise TypeError(
            f"open_dataset takes no {', '.join(map(repr, options))} for {path}"
        )


def _text(uri: str | os.PathLike[str]) -> str:
    text = os.fspath(uri).strip()
    if not text or "\0" in text:
        raise NotFoundError(f"{text!r} is no address of a dataset", expected=ACCEPTED)
    return text


def _scheme(text: str) -> str:
    # A single letter is a drive of Windows.
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    scheme = found[1].lower() if found else ""
    if scheme not in ("", "file", "s3", "http", "https"):
        raise NotFoundError(
            f"addresses of the kind {scheme}:// are not known",
            where=_without_secrets(text),
            expected=ACCEPTED,
        )
    return scheme


def _without_secrets(text: str) -> str:
    from napari_seespot._addresses import redact

    return redact(text)


def _local_path(text: str) -> Path:
    if _scheme(text) == "file":
        parts = urlsplit(text)
        text = url2pathname(parts.path)
    return Path(os.path.abspath(os.path.expanduser(text)))


def _local_dataset(path: Path, text: str) -> tuple[Any, str | None]:
    """Return a dataset folder as a location, and the tile that its name asks for."""
    from napari_seespot.sources._layout import TABLES, split_tile
    from napari_seespot.sources._location import LocalFolder

    if path.is_dir():
        if path.name == TABLES:  # one step too deep
            path = path.parent
        return LocalFolder(path), None
    named = split_tile(path.name)
    if named and (path.parent / named[0]).is_dir():
        return LocalFolder(path.parent / named[0]), named[1]
    raise _nothing(text, path)


def _nothing(text: str, path: Path) -> NotFoundError:
    found = "there is no such file or folder"
    if path.is_file():
        found = f"files that end in {path.suffix or 'nothing'!r} are not opened"
    return NotFoundError(found, where=path, expected=ACCEPTED)


def _open_sample(
    which: str,
    cache: bool,
    task: Task,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Dataset:
    from napari_seespot import settings
    from napari_seespot.sample import sample_folder
    from napari_seespot.sources._location import LocalFolder
    from napari_seespot.sources.folder import open_folder

    folder = sample_folder(settings.cache_folder(), progress, cancelled, which)
    return open_folder(LocalFolder(folder), cache=cache, task=task)
