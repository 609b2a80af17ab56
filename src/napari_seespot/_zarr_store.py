"""zarr arrays from documents that were read already; chunks on demand.

zarr's own way to open an array asks for every file that any format might have.
Here the documents are known, so an array is made of them without a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import zarr
from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.storage import StorePath

from napari_seespot._addresses import join, kind_of, redact
from napari_seespot._fast_ranges import fast_bucket
from napari_seespot._requests import get, get_local, patiently
from napari_seespot._stores import filesystem, unsigned_bucket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

    from napari_seespot._addresses import StorageOptions
    from napari_seespot._fast_ranges import FastBucket
    from napari_seespot._requests import Span

__all__ = ["Folder", "ReadStore", "array_from_document"]

CHUNK_SECONDS = 30.0  # for one object or a span of it, all attempts together
RECHECK_SECONDS = 60.0  # how long it is believed that 403 means "absent"

# No writer makes this key: what a store answers for it, it answers for any
# absent key.
_ABSENT_KEY = ".no-such-key"

# A shard's index is asked for with each of its chunks; 16 bytes a chunk.
_KEPT_INDEXES = 1024

_NOTHING: tuple[str, ...] = ()


class Folder:
    """A folder of a store, read key by key from any thread and any event loop.

    Parameters
    ----------
    uri : str
        In the spelling of `normalize`.
    storage : StorageOptions, optional
    known_key : str, optional
        A key that is there; by it "refused" is told from "absent".
    """

    def __init__(
        self,
        uri: str,
        storage: StorageOptions | None = None,
        known_key: str | None = None,
    ) -> None:
        self.uri = uri
        self.storage = storage
        self.known_key = known_key
        self._hides_absent = False
        self._checked = -RECHECK_SECONDS

    def __repr__(self) -> str:
        return f"<Folder {redact(self.uri)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, (self.uri, self.storage, self.known_key)

    async def read(self, key: str, span: Span | None = None) -> bytes | None:
        """Return the bytes of a key, or of a span of it; None where absent.

        Raises
        ------
        OSError
            Access was refused, or the store failed `ATTEMPTS` times or did not
            answer within `CHUNK_SECONDS`.
        """
        try:
            return await self._fetch(key, span)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            if await self._refuses_absent_keys():
                return None
            raise

    def read_now(self, key: str, span: Span | None = None) -> bytes | None:
        """Return what `read` does, for a thread that may wait.

        Bytes of an unsigned bucket come through obstore where it is installed.

        Raises
        ------
        OSError
            As `read` does.
        """
        address = join(self.uri, key)
        if kind_of(address) == "file":
            try:
                return get_local(address, span)
            except (FileNotFoundError, NotADirectoryError):
                return None
        fast = self._fast(span)
        if fast is not None:
            path = address.removeprefix("s3://").partition("/")[2]
            try:
                return fast.read(path, span)
            except FileNotFoundError:
                return None
            except Exception:  # noqa: BLE001
                # obstore's own kinds; the patient way below tells what it is
                pass
        fs, _ = filesystem(address, self.storage)
        reading = asyncio.run_coroutine_threadsafe(self.read(key, span), fs.loop)
        return reading.result()

    def _fast(self, span: Span | None) -> FastBucket | None:
        bounded = span is None or None not in span
        found = unsigned_bucket(self.uri, self.storage) if bounded else None
        return None if found is None else fast_bucket(*found)

    async def _fetch(self, key: str, span: Span | None) -> bytes:
        address = join(self.uri, key)
        if kind_of(address) == "file":
            return await asyncio.to_thread(get_local, address, span)
        fs, path = filesystem(address, self.storage)

        async def fetch() -> bytes:
            return await patiently(lambda: get(fs, path, span), CHUNK_SECONDS)

        if asyncio.get_running_loop() is fs.loop:
            return await fetch()
        # The connections live on the file system's loop; zarr has its own.
        future = asyncio.run_coroutine_threadsafe(fetch(), fs.loop)
        return await asyncio.wrap_future(future)

    async def _refuses_absent_keys(self) -> bool:
        """Whether 403 is this store's answer for a key that does not exist.

        It is when a key that must exist is still given out and one that cannot
        exist is refused. Otherwise the permission was lost: a failure.
        """
        if self.known_key is None or kind_of(self.uri) == "file":
            return False
        if time.monotonic() - self._checked >= RECHECK_SECONDS:
            known = await self._is_given(self.known_key)
            self._hides_absent = known and not await self._is_given(_ABSENT_KEY)
            self._checked = time.monotonic()
        return self._hides_absent

    async def _is_given(self, key: str) -> bool:
        """Whether a key is given out or honestly said to be absent."""
        try:
            await self._fetch(key, None)
        except FileNotFoundError:
            return True
        except PermissionError:
            return False
        return True


class ReadStore(Store):
    """zarr's view of a `Folder`: reads keys, lists and writes nothing.

    Parameters
    ----------
    folder : Folder
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, folder: Folder) -> None:
        super().__init__(read_only=True)
        self.folder = folder
        self._indexes: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._is_open = True  # there is nothing to open

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadStore) and other.folder is self.folder

    __hash__ = Store.__hash__

    def __repr__(self) -> str:
        return f"<ReadStore {redact(self.folder.uri)}>"

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the bytes of a key, None where it is absent."""
        if isinstance(byte_range, SuffixByteRequest):
            data = await self._index(key, byte_range.suffix)
        else:
            data = await self.folder.read(key, _span(byte_range))
        return None if data is None else prototype.buffer.from_bytes(data)

    async def _index(self, key: str, size: int) -> bytes | None:
        """Return the end of a shard, where its index is; kept for the next chunk."""
        kept = self._indexes.get((key, size))
        if kept is not None:
            return kept
        data = await self.folder.read(key, (-size, None))
        if data is not None:
            self._indexes[key, size] = data
            if len(self._indexes) > _KEPT_INDEXES:
                self._indexes.popitem(last=False)
        return data

    def forget(self) -> None:
        """Drop what was kept, so that a retry asks again."""
        self._indexes.clear()

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return several spans, asked for together."""
        spans = [self.get(key, prototype, span) for key, span in key_ranges]
        return list(await asyncio.gather(*spans))

    async def exists(self, key: str) -> bool:
        """Whether a key can be read."""
        return await self.folder.read(key) is not None

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: the store is read-only."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse: the store is read-only."""
        self._check_writable()

    async def list(self) -> AsyncIterator[str]:
        """List nothing: an array knows its keys."""
        for key in _NOTHING:
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """List nothing: an array knows its keys."""
        for key in _NOTHING:
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """List nothing: an array knows its keys."""
        for key in _NOTHING:
            yield key


def _span(request: ByteRequest | None) -> Span | None:
    if isinstance(request, RangeByteRequest):
        return (request.start, request.end)
    if isinstance(request, OffsetByteRequest):
        return (request.offset, None)
    return None


def array_from_document(
    store: ReadStore, path: str, document: Mapping[str, Any]
) -> zarr.Array[Any]:
    """Return the array that a ``.zarray`` or ``zarr.json`` describes.

    Parameters
    ----------
    store : ReadStore
    path : str
        Of the array in the store.
    document : mapping
        The parsed document.

    Raises
    ------
    Exception
        Whatever zarr and numcodecs raise for a document that they cannot use.
    """
    metadata = dict(document)
    if metadata.get("filters") == []:
        metadata["filters"] = None  # some writers do; zarr warns of it
    path_in_store = StorePath(store, path)
    # zarr's overloads want the format known; it finds it in the document
    return zarr.Array(zarr.AsyncArray(metadata, path_in_store))  # type: ignore[call-overload]
