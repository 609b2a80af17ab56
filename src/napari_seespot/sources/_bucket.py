"""A folder of an S3 bucket, read with the code that reads local folders.

Listings and versions are asked for once for each `BucketFolder`: what is opened
is one state of the dataset. Tables are downloaded whole, images never.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_seespot._addresses import StorageError, StorageOptions, join, normalize
from napari_seespot._stores import filesystem, list_names, read_bytes
from napari_seespot.errors import NotFoundError
from napari_seespot.sources import _layout
from napari_seespot.sources._download import (
    RefusedError,
    RemoteFile,
    ask,
    download,
    remote_file,
)
from napari_seespot.sources._listing import describe, has_date

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_seespot.dataset import DatasetInfo
    from napari_seespot.sources._task import Task

__all__ = ["BucketFolder", "iter_bucket", "locate"]

PAGE = 200
"""Names that are listed at once: few enough for the first to be there at once."""

LISTERS = 16
"""Threads that look into folders at the same time."""

SMALL_PAGE = 50
"""So few folders are all looked into, whatever their names are."""


class BucketFolder:
    """A folder of a bucket.

    Parameters
    ----------
    uri : str
        ``s3://bucket/path``.
    storage : StorageOptions, optional
        Endpoint, region, and whether requests are anonymous.
    """

    def __init__(self, uri: str, storage: StorageOptions | None = None) -> None:
        self._uri = normalize(uri)
        self._storage = storage
        self._names: dict[str, tuple[str, ...]] = {}
        self._files: dict[str, RemoteFile] = {}
        self._local: dict[str, Path] = {}

    def __repr__(self) -> str:
        return f"BucketFolder({self._uri!r})"

    @property
    def uri(self) -> str:
        """The address, ``s3://bucket/path``."""
        return self._uri

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._uri.rpartition("/")[2]

    def look(self) -> None:
        """List the folders of a dataset together, which saves round trips."""
        self.names()
        usual = ("derived", _layout.TABLES, _layout.FUSED, _layout.SEGMENTATION)
        with ThreadPoolExecutor(len(usual)) as pool:
            list(pool.map(self.names, usual))

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Return the names in a folder, sorted, hidden ones left out.

        Raises
        ------
        StorageError
            When the store refuses or does not answer.
        """
        if folder not in self._names:
            found: tuple[str, ...] = ()
            # What the folder above does not name need not be asked for.
            if not folder or folder.partition("/")[0] in self.names():
                with suppress(NotFoundError):
                    found = list_names(self.uri_of(folder), self._storage)
            self._names[folder] = tuple(n for n in found if not n.startswith("."))
        return self._names[folder]

    def read(self, path: str) -> bytes:
        """Return a small file's bytes."""
        return read_bytes(self.uri_of(path), self._storage)

    def local_path(self, path: str, task: Task) -> Path:
        """Return a verified local copy of a file."""
        if path not in self._local:
            self._local[path] = download(self._file(path), self._storage, task)
        return self._local[path]

    def release(self, path: str) -> None:
        """Remove the local copy."""
        local = self._local.pop(path, None)
        if local is not None:
            with suppress(OSError):  # Windows keeps a file that is open
                local.unlink()

    def fingerprint(self, path: str) -> str:
        """Return the version (etag) and the size."""
        return self._file(path).fingerprint

    def _file(self, path: str) -> RemoteFile:
        if path not in self._files:
            self._files[path] = remote_file(self.uri_of(path), self._storage)
        return self._files[path]

    def uri_of(self, path: str) -> str:
        """Return the address of a file or folder inside."""
        return join(self._uri, path)


def locate(uri: str, storage: StorageOptions | None) -> tuple[BucketFolder, str | None]:
    """Return a dataset of a bucket, and the tile that its name asks for.

    Raises
    ------
    NotFoundError
        When there is nothing of this name.
    """
    location = BucketFolder(uri, storage)
    if location.names():
        return location, None
    named = _layout.split_tile(location.name)
    if named:
        parent = location.uri[: -len(location.name)]
        tiled = BucketFolder(parent + named[0], storage)
        if tiled.names():
            return tiled, named[1]
    raise NotFoundError(
        "there is no such folder in the bucket",
        where=location.uri,
        expected="s3://bucket/name of a dataset",
        hint="list_datasets('s3://bucket') tells which there are",
    )


def iter_bucket(uri: str, storage: StorageOptions | None) -> Iterator[DatasetInfo]:
    """Yield the datasets in a bucket or below a prefix, page by page.

    Folders whose names hold a date are looked into; where there are few, all.

    Raises
    ------
    NotFoundError
        When there is no such bucket.
    StorageError
        When the store refuses or does not answer.
    """
    base = normalize(uri)
    for place, names in enumerate(_pages(base, storage)):
        if place == 0 and _layout.looks_like_dataset(names):
            yield from describe(BucketFolder(base, storage))
            return
        wanted = names if len(names) <= SMALL_PAGE else filter(has_date, names)
        with ThreadPoolExecutor(LISTERS) as pool:
            folders = (BucketFolder(join(base, name), storage) for name in wanted)
            for found in pool.map(_described, folders):
                yield from found


def _described(folder: BucketFolder) -> list[DatasetInfo]:
    if not _layout.looks_like_dataset(folder.names()):
        return []
    return describe(folder)


def _pages(uri: str, storage: StorageOptions | None) -> Iterator[list[str]]:
    """Yield the names of folders right below an address, page by page."""
    options = storage or StorageOptions()
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    request: dict[str, Any] = {"Bucket": bucket, "Delimiter": "/", "MaxKeys": PAGE}
    if prefix:
        request["Prefix"] = prefix.rstrip("/") + "/"
    while True:
        try:
            answer = _page(uri, options, request)
        except RefusedError as refused:
            if options.anonymous is not None:
                raise
            options = replace(options, anonymous=False)  # with credentials, then
            try:
                answer = _page(uri, options, request)
            except StorageError:  # there are none, or they do not help
                raise refused from None
        found = [entry["Prefix"] for entry in answer.get("CommonPrefixes") or ()]
        yield [name.rstrip("/").rpartition("/")[2] for name in found]
        if not answer.get("IsTruncated"):
            return
        request["ContinuationToken"] = answer["NextContinuationToken"]


def _page(uri: str, options: StorageOptions, request: dict[str, Any]) -> dict[str, Any]:
    fs, _ = filesystem(uri, options)
    answer: dict[str, Any] = ask(
        fs, uri, lambda: fs._call_s3("list_objects_v2", **request)
    )
    return answer
