"""Imported spot tables, kept as memory-mapped files in the user's cache folder.

A file is one uncompressed Arrow IPC record batch in the index's row order,
without nulls, with booleans as uint8 and classes as small codes: each column is
then a numpy view of the file, ready at once and without memory of its own. What
the file is and what it was made of stands in the metadata of its schema.

Files are written under a temporary name and renamed, so that no reader ever
sees half of one, whenever a writer dies. A file that is not exactly what is
wanted is built anew. Two processes may write the same one: the last one wins,
and both hold the same table.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

# pyarrow ships no types: hence the ignored imports.
import pyarrow as pa  # type: ignore[import-untyped]

from napari_seespot import settings
from napari_seespot.errors import NotFoundError, SeeSpotError
from napari_seespot.sources._scratch import abandoned, writer
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CacheEntry",
    "CacheKey",
    "Imported",
    "cache_info",
    "clear_cache",
    "load_spots",
    "read_spots",
    "spots_through_cache",
    "store_spots",
]

FORMAT = 1
"""Raised whenever files of before must not be read any more."""

METADATA = b"napari_seespot"
SUFFIX = ".arrow"
_opened: set[Path] = set()


@dataclass(frozen=True)
class CacheKey:
    """What a cached table was made of.

    Attributes
    ----------
    uri : str
        The source; never with credentials in it.
    options : mapping
        What else decides the table: tile, min_dist, channels.
    files : mapping of str to str
        Fingerprint of each file that was read.
    """

    uri: str
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it in one line, the same for the same key."""
        parts = [FORMAT, self.uri, dict(self.options), dict(self.files)]
        return json.dumps(parts, sort_keys=True)

    @property
    def family(self) -> str:
        """How the file names of this source and these options begin."""
        options = json.dumps(dict(self.options), sort_keys=True)
        return f"{_uri_digest(self.uri)}-{_digest(options, 8)}-"

    @property
    def file_name(self) -> str:
        """The name of the file that holds exactly this."""
        return f"{self.family}{_digest(self.text, 24)}{SUFFIX}"


@dataclass(frozen=True)
class Imported:
    """A table with what importing it found out.

    Attributes
    ----------
    spots : Spots
    notes : tuple of str
        What the user should know of the table.
    """

    spots: Spots
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CacheEntry:
    """A table in the cache.

    Attributes
    ----------
    uri : str
        What it is the table of.
    rows, nbytes : int
    used : datetime
        When it was last opened, UTC.
    path : Path
    """

    uri: str
    rows: int
    nbytes: int
    used: datetime
    path: Path


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _uri_digest(uri: str) -> str:
    return _digest(uri, 16)


def _folder() -> Path:
    return settings.cache_folder() / "spots"


def spots_through_cache(
    key: CacheKey, build: Callable[[], Imported], *, enabled: bool = True
) -> Imported:
    """Return a table from the cache, or build it and put it there.

    A cache that cannot be used is never an error: the table is then in memory,
    and a note says why.

    Parameters
    ----------
    key : CacheKey
    build : callable
        Imports the table.
    enabled : bool
        False neither reads nor writes the cache.
    """
    if not enabled:
        return build()
    cached = load_spots(key)
    if cached is not None:
        return cached
    imported = build()
    try:
        store_spots(key, imported)
    except (OSError, SeeSpotError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        note = f"the table is not kept in the cache {_folder()}: {reason}"
        return Imported(imported.spots, (*imported.notes, note))
    # The mapped file takes the place of the arrays in memory.
    return load_spots(key) or imported


def load_spots(key: CacheKey) -> Imported | None:
    """Return the cached table of a key; None when there is none to be trusted."""
    path = _folder() / key.file_name
    # Whatever is wrong with the file, it is built anew: broken, older, foreign.
    with suppress(OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        batch, content = _read(path)
        if content["key"] != key.text:
            return None
        imported = _imported(batch, content, path)
        _opened.add(path)
        with suppress(OSError):  # a folder that is read-only is fine to read from
            os.utime(path)
        return imported
    return None


def read_spots(file: str) -> Spots:
    """Return the table in a cache file, whatever it was made of.

    Parameters
    ----------
    file : str
        `Spots.file` of a table that came from the cache.

    Raises
    ------
    NotFoundError
        When there is no such file, or it is not one.
    """
    path = Path(file)
    try:
        batch, content = _read(path)
        return _imported(batch, content, path).spots
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise NotFoundError(
            f"the cached table cannot be read: {error}", where=path
        ) from None


def _read(path: Path) -> tuple[pa.RecordBatch, dict[str, Any]]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    content = json.loads((reader.schema.metadata or {})[METADATA])
    if content["format"] != FORMAT or reader.num_record_batches != 1:
        raise ValueError("another format")
    batch = reader.get_batch(0)
    batch.validate()
    return batch, content


def _imported(
    batch: pa.RecordBatch, content: Mapping[str, Any], path: Path
) -> Imported:
    """Return the table of a file; `ValueError` or `KeyError` where it is not one."""
    columns = {
        name: batch.column(place).to_numpy(zero_copy_only=True)
        for place, name in enumerate(batch.schema.names)
    }
    if {n: str(a.dtype) for n, a in columns.items()} != content["dtypes"]:
        raise ValueError("other columns")
    if batch.num_rows != content["rows"]:
        raise ValueError("other rows")
    channels, categories = content["channels"], content["categories"]
    sizes = {name: len(names) for name, names in categories.items()}
    sizes["code"] = len(channels) * (len(channels) + 1)
    for name, size in sizes.items():
        # Codes are used to index tables: the one damage that must not get in.
        codes = columns[name]
        if codes.size and (int(codes.max()) >= size or int(codes.min()) < 0):
            raise ValueError("codes of nothing")
    spots = Spots(columns, channels=channels, categories=categories, file=path)
    return Imported(spots, tuple(content["notes"]))


def store_spots(key: CacheKey, imported: Imported) -> Path:
    """Write a table into the cache and make room for it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        When the folder cannot be written or the disk is full.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    path = folder / key.file_name
    temporary = folder / f".{key.file_name}.{writer()}.tmp"
    try:
        with temporary.open("xb") as file:
            _write(file, key, imported)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # also when interrupted: nothing is left behind
        with suppress(OSError):
            temporary.unlink()
        raise
    _opened.add(path)
    _remove_older(folder, key)
    _make_room(folder, settings.cache_limit(), keep=path)
    return path


def _write(file: Any, key: CacheKey, imported: Imported) -> None:
    spots = imported.spots
    columns = {name: np.ascontiguousarray(a) for name, a in spots.columns.items()}
    content = {
        "format": FORMAT,
        "key": key.text,
        "uri": key.uri,
        "rows": len(spots),
        "dtypes": {name: str(array.dtype) for name, array in columns.items()},
        "channels": list(spots.channels),
        "categories": {name: list(names) for name, names in spots.categories.items()},
        "notes": list(imported.notes),
    }
    batch = pa.record_batch([pa.array(a) for a in columns.values()], names=[*columns])
    schema = batch.schema.with_metadata({METADATA: json.dumps(content).encode()})
    with pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def _sweep(folder: Path) -> None:
    """Remove temporary files whose writer is gone."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if abandoned(path):
                path.unlink()


def _remove_older(folder: Path, key: CacheKey) -> None:
    """Remove tables of the same source and options as it was before."""
    for path in folder.glob(f"{key.family}*{SUFFIX}"):
        if path.name != key.file_name:
            with suppress(OSError):  # Windows keeps a file that is mapped
                path.unlink()


def _make_room(folder: Path, limit: int, keep: Path) -> None:
    """Remove the tables used longest ago until the rest fits into the limit."""
    files = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # another process may remove it meanwhile
            stat = path.stat()
            files.append((stat.st_mtime_ns, path, stat.st_size))
    total = sum(size for _, _, size in files)
    for _, path, size in sorted(files):
        if total <= limit:
            return
        if path == keep or path in _opened:
            continue
        with suppress(OSError):
            path.unlink()
            total -= size


def cache_info() -> list[CacheEntry]:
    """Return what the cache holds, the most recently used first."""
    entries = []
    for path in _folder().glob(f"*{SUFFIX}"):
        with suppress(OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            content = json.loads(_schema(path).metadata[METADATA])
            stat = path.stat()
            used = datetime.fromtimestamp(stat.st_mtime, UTC)
            rows = int(content["rows"])
            entries.append(CacheEntry(content["uri"], rows, stat.st_size, used, path))
    return sorted(entries, key=lambda entry: entry.used, reverse=True)


def _schema(path: Path) -> pa.Schema:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).schema


def clear_cache(uri: str | None = None) -> int:
    """Remove the tables of a source, or all of them.

    Parameters
    ----------
    uri : str, optional
        As `Dataset.uri` tells it.

    Returns
    -------
    int
        How many bytes became free. A table that is open stays usable.
    """
    folder = _folder()
    _sweep(folder)
    freed = 0
    for path in folder.glob(f"{_uri_digest(uri) if uri else ''}*{SUFFIX}"):
        with suppress(OSError):  # Windows keeps a file that is mapped
            size = path.stat().st_size
            path.unlink()
            freed += size
    return freed
