"""zarr arrays from documents that were read already; chunks on demand.

zarr's own way to open an array asks for every file that any format might have.
Here the documents are known, so an array is made of them without a request.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import zarr
from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.storage import StorePath

from napari_seespot._addresses import join, kind_of, redact
from napari_seespot._chunk_codecs import with_checks
from napari_seespot._fast_ranges import fast_bucket, forgive_fast_bucket
from napari_seespot._lines import line_to
from napari_seespot._requests import (
    ATTEMPTS,
    READ_SECONDS,
    WholeObject,
    get,
    get_local,
    patiently,
    seconds_left,
)
from napari_seespot._stores import bucket_of, filesystem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

    from napari_seespot._addresses import StorageOptions
    from napari_seespot._fast_ranges import FastBucket
    from napari_seespot._requests import Span

__all__ = ["Folder", "ReadStore", "array_from_document"]

T = TypeVar("T")

OBJECT_SECONDS = 30.0  # for one object or a span of it, all attempts together
RECHECK_SECONDS = 60.0  # how long it is believed that 403 or 404 means "absent"

# No writer makes this key: what a store answers for it, it answers for any
# absent key.
_ABSENT_KEY = ".no-such-key"

# A shard's index is asked for with each of its chunks; 16 bytes a chunk.
_KEPT_INDEXES = 1024

_NOTHING: tuple[str, ...] = ()

_without_ranges: set[str] = set()  # places that give whole objects only


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
        self._checked = self._seen = -RECHECK_SECONDS
        self._looking: Future[None] | None = None
        self._lock = threading.Lock()
        self._place = _place_of(uri, storage)
        self._line = line_to(self._place)

    def __repr__(self) -> str:
        return f"<Folder {redact(self.uri)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, (self.uri, self.storage, self.known_key)

    @property
    def has_ranges(self) -> bool:
        """Whether a part of an object can be asked for, as far as is known."""
        return self._place not in _without_ranges

    def forget(self) -> None:
        """Forget what was found out about the store: a retry asks again."""
        self._checked = self._seen = -RECHECK_SECONDS
        _without_ranges.discard(self._place)
        self._line.mend()
        found = bucket_of(self.uri, self.storage)
        if found is not None:
            forgive_fast_bucket(*found)

    async def read(self, key: str, span: Span | None = None) -> bytes | None:
        """Return the bytes of a key, or of a span of it; None where absent.

        Raises
        ------
        OSError
            Access was refused, the whole image is gone, or the store failed
            `ATTEMPTS` times or did not answer in time.
        """
        data = await self._read(key, span)
        if isinstance(data, WholeObject) and span is not None:
            return data[slice(*span)]
        return data

    def read_now(self, key: str, span: Span | None = None) -> bytes | None:
        """Return what `read` does, for a thread that may wait.

        A store that gives no parts of objects is read once: `WholeObject`.

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
                self._check_local()
                return None
        fast, left = self._fast(), ATTEMPTS
        if fast is not None and self._may_hurry(fast):
            try:
                data = fast.read(_path_of(address), span)
            except FileNotFoundError:
                if not self._was_seen:
                    self._wait_for(self._check_there())
                return None
            except Exception:  # noqa: BLE001
                # obstore's own kinds; the patient way below tells what it is
                left -= 1
            else:
                return self._noted(data)
        return self._wait_for(self._read(key, span, hurry=False, left=left))

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        fs, _ = filesystem(self.uri, self.storage)
        return asyncio.run_coroutine_threadsafe(work, fs.loop).result()

    async def _read(
        self, key: str, span: Span | None, *, hurry: bool = True, left: int = ATTEMPTS
    ) -> bytes | None:
        try:
            return await self._fetch(key, span, hurry=hurry, left=left)
        except (FileNotFoundError, NotADirectoryError):
            await self._check_there()
            return None
        except PermissionError:
            if await self._refuses_absent_keys():
                return None
            raise

    def _noted(self, data: bytes) -> bytes:
        if isinstance(data, WholeObject):
            _without_ranges.add(self._place)
        return data

    def _fast(self) -> FastBucket | None:
        found = bucket_of(self.uri, self.storage)
        return None if found is None else fast_bucket(*found)

    def _may_hurry(self, fast: FastBucket) -> bool:
        """Whether obstore is asked first: its requests cannot be called back."""
        left = seconds_left()
        in_time = left is None or left > READ_SECONDS
        return in_time and not fast.gave_up and not self._line.closed

    async def _fetch(
        self, key: str, span: Span | None, *, hurry: bool = True, left: int = ATTEMPTS
    ) -> bytes:
        address = join(self.uri, key)
        if kind_of(address) == "file":
            return await asyncio.to_thread(get_local, address, span)
        fast = self._fast() if hurry else None
        if fast is not None and self._may_hurry(fast):
            try:
                return self._noted(await fast.read_async(_path_of(address), span))
            except FileNotFoundError:
                raise
            except Exception:  # noqa: BLE001
                # as in read_now
                left -= 1
        fs, path = filesystem(address, self.storage)

        async def fetch() -> bytes:
            return await patiently(
                lambda: get(fs, path, span), OBJECT_SECONDS, self._line, left
            )

        if asyncio.get_running_loop() is fs.loop:
            return self._noted(await fetch())
        # The connections live on the file system's loop; zarr has its own.
        future = asyncio.run_coroutine_threadsafe(fetch(), fs.loop)
        return self._noted(await asyncio.wrap_future(future))

    # --- absent, or gone

    @property
    def _was_seen(self) -> bool:
        """Whether the image was there a moment ago."""
        recent = time.monotonic() - self._seen < RECHECK_SECONDS
        return self.known_key is None or recent

    def _check_local(self) -> None:
        if self.known_key and not os.path.exists(join(self.uri, self.known_key)):
            raise self._gone()

    async def _check_there(self) -> None:
        """Look whether an absent chunk is one of an image that is still there.

        Raises
        ------
        OSError
            It is not, or that could not be told.
        """
        if kind_of(self.uri) == "file":
            self._check_local()
            return
        with self._lock:
            if self._was_seen:
                return
            looking, mine = self._looking, self._looking is None
            if looking is None:
                looking = self._looking = Future()
        if mine:
            await self._look(looking)
        await asyncio.wrap_future(looking)

    async def _look(self, outcome: Future[None]) -> None:
        error: Exception | None = OSError(errno.ECANCELED, "reading was given up")
        try:
            await self._fetch(self.known_key or "", None)
            error = None
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            error = self._gone()
        except Exception as failure:  # noqa: BLE001
            # whoever waits raises it
            error = failure
        finally:
            with self._lock:
                self._looking = None
                if error is None:
                    self._seen = time.monotonic()
            if error is None:
                outcome.set_result(None)
            else:
                outcome.set_exception(error)

    def _gone(self) -> OSError:
        return OSError(
            errno.ESTALE, f"the image is no longer there: {self.known_key} is absent"
        )

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


def _path_of(address: str) -> str:
    """Return the key in its bucket."""
    return address.removeprefix("s3://").partition("/")[2]


def _place_of(uri: str, storage: StorageOptions | None) -> str:
    """Return what is reached or not as one: a host, or a bucket of an endpoint."""
    found = bucket_of(uri, storage)
    if found is not None:
        return f"{found[1].endpoint_url or 's3'} {found[0]}"
    return "" if kind_of(uri) == "file" else urlsplit(uri).netloc


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
        self._coming: dict[tuple[str, int, Any], asyncio.Task[bytes | None]] = {}
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
        # Many chunks of a shard are asked for at once.
        loop = asyncio.get_running_loop()
        coming = self._coming.get((key, size, loop))
        if coming is None:
            coming = loop.create_task(self.folder.read(key, (-size, None)))
            self._coming[key, size, loop] = coming
            coming.add_done_callback(
                lambda _: self._coming.pop((key, size, loop), None)
            )
        data = await asyncio.shield(coming)
        if data is not None:
            self._indexes[key, size] = data
            if len(self._indexes) > _KEPT_INDEXES:
                self._indexes.popitem(last=False)
        return data

    def forget(self) -> None:
        """Drop what was kept, so that a retry asks again."""
        self._indexes.clear()
        self.folder.forget()

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
    array = zarr.AsyncArray(metadata, path_in_store)  # type: ignore[call-overload]
    return zarr.Array(zarr.AsyncArray(with_checks(array.metadata), path_in_store))
