"""Reading from a folder, an S3 bucket or a plain web server, the same way.

One file system is shared by everything that reads from one endpoint: each
connection of its pool costs a TCP and a TLS handshake. Requests go out together.
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from napari_seespot._addresses import (
    StorageError,
    StorageOptions,
    join,
    kind_of,
    normalize,
    redact,
)
from napari_seespot._fast_ranges import forget_fast_buckets
from napari_seespot._requests import (
    CONNECT_SECONDS,
    DEADLINE,
    READ_SECONDS,
    Answer,
    answer_of,
    get,
    get_local,
    patiently,
    reason,
)
from napari_seespot.errors import NotFoundError, SeeSpotError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

__all__ = [
    "Answer",
    "StorageError",
    "StorageOptions",
    "ask_many",
    "bucket_of",
    "close_all",
    "filesystem",
    "join",
    "list_names",
    "normalize",
    "read_bytes",
    "read_many",
    "redact",
]

# fsspec, s3fs and botocore ship no types: hence the ignored imports below.

POOL = 64  # connections to one endpoint; botocore's 10 make a queue of one plane

_lock = threading.Lock()
_shared: dict[tuple[object, ...], Any] = {}
_signed: set[tuple[str, StorageOptions]] = set()  # buckets that refused anonymity


@dataclass(frozen=True)
class _Root:
    """What one set of permissions and one pool of connections belongs to."""

    kind: str
    name: str  # the bucket; empty otherwise
    options: StorageOptions

    @classmethod
    def of(cls, uri: str, storage: StorageOptions | None) -> _Root:
        kind = kind_of(uri)
        if kind != "s3":
            return cls(kind, "", StorageOptions())
        options = (storage or StorageOptions()).resolved()
        return cls(kind, uri.removeprefix("s3://").partition("/")[0], options)

    @property
    def may_sign(self) -> bool:
        """Whether credentials are still to be tried."""
        return (
            self.kind == "s3"
            and self.options.anonymous is None
            and (self.name, self.options) not in _signed
        )

    def sign(self) -> None:
        with _lock:
            _signed.add((self.name, self.options))

    def unsign(self) -> None:
        with _lock:
            _signed.discard((self.name, self.options))

    def fs(self) -> Any:
        anonymous = self.options.anonymous
        if anonymous is None:
            anonymous = (self.name, self.options) not in _signed
        options = replace(self.options, anonymous=anonymous)
        kind = "http" if self.kind == "https" else self.kind
        key = (kind, options, os.getpid())
        with _lock:  # two threads must not open two pools
            if key not in _shared:
                _shared[key] = _make(self.kind, options)
            return _shared[key]


def _make(kind: str, options: StorageOptions) -> Any:
    if kind == "s3":
        return _make_s3(options)
    if kind == "file":
        from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

        return LocalFileSystem()
    import aiohttp
    from fsspec.implementations.http import HTTPFileSystem  # type: ignore[import-untyped]

    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
    )
    return HTTPFileSystem(client_kwargs={"timeout": timeout}, skip_instance_cache=True)


def _make_s3(options: StorageOptions) -> Any:
    from s3fs import S3FileSystem  # type: ignore[import-untyped]

    config: dict[str, Any] = {
        "max_pool_connections": POOL,
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
    }
    if options.endpoint_url:  # few servers answer at bucket.host
        config["s3"] = {"addressing_style": "path"}
    fs = S3FileSystem(
        anon=bool(options.anonymous),
        endpoint_url=options.endpoint_url,
        client_kwargs={"region_name": options.region} if options.region else {},
        config_kwargs=config,
        max_concurrency=1,  # otherwise a HEAD goes before each GET
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    fs.retries = 1
    return fs


def close_all() -> None:
    """Drop the shared file systems and close their connections."""
    with _lock:
        dropped = list(_shared.values())
        _shared.clear()
        _signed.clear()
    forget_fast_buckets()
    for fs in dropped:
        session = getattr(fs, "_s3creator", None) or getattr(fs, "_session", None)
        if session is not None:
            fs.close_session(fs.loop, session)


def filesystem(
    uri: str | os.PathLike[str], storage: StorageOptions | None = None
) -> tuple[AbstractFileSystem, str]:
    """Return the shared fsspec file system of an address, and the path in it.

    With `StorageOptions.anonymous` left open, it is the anonymous one until a
    request of this module has found that the bucket wants credentials.
    """
    address = normalize(uri)
    return _Root.of(address, storage).fs(), address.removeprefix("s3://")


def bucket_of(
    uri: str, storage: StorageOptions | None
) -> tuple[str, StorageOptions] | None:
    """Return the bucket of an address, and options that say whether it wants signing.

    None for what is not in S3.
    """
    root = _Root.of(uri, storage)
    signed = root.options.anonymous is False or (root.name, root.options) in _signed
    if root.kind != "s3":
        return None
    return root.name, replace(root.options, anonymous=not signed)


def ask_many(
    uris: Iterable[str],
    storage: StorageOptions | None = None,
    *,
    deadline: float | None = DEADLINE,
) -> dict[str, Answer]:
    """Ask for many objects at once; never raises for what a store answers.

    Parameters
    ----------
    uris : iterable of str
        Addresses in the spelling of `normalize`.
    storage : StorageOptions, optional
    deadline : float or None
        Seconds for each object; None for large ones.
    """
    groups: dict[_Root, list[str]] = {}
    for uri in uris:
        groups.setdefault(_Root.of(uri, storage), []).append(uri)
    answers: dict[str, Answer] = {}
    for root, members in groups.items():
        answers.update(_ask_root(root, members, deadline))
    return answers


def _ask_root(
    root: _Root, uris: list[str], deadline: float | None
) -> dict[str, Answer]:
    answers = _ask(root, uris, deadline)
    refused = [uri for uri in uris if answers[uri].denied]
    if not refused or not root.may_sign or any(a.data for a in answers.values()):
        return answers
    if not _has_credentials():
        return answers
    root.sign()
    signed = _ask(root, refused, deadline)
    if all(answer.data is None for answer in signed.values()):
        root.unsign()
        return answers
    return answers | signed


def _ask(root: _Root, uris: list[str], deadline: float | None) -> dict[str, Answer]:
    if root.kind == "file":
        return {uri: _ask_local(uri) for uri in uris}
    from fsspec.asyn import sync  # type: ignore[import-untyped]

    fs = root.fs()
    paths = [uri.removeprefix("s3://") for uri in uris]
    outcomes = sync(fs.loop, _gather, fs, paths, deadline)
    return dict(zip(uris, map(answer_of, outcomes), strict=True))


def _ask_local(uri: str) -> Answer:
    try:
        return Answer(data=get_local(uri, None))
    except OSError as error:
        return answer_of(error)


async def _gather(
    fs: Any, paths: list[str], deadline: float | None
) -> list[bytes | BaseException]:
    gate = asyncio.Semaphore(POOL)

    async def one(path: str) -> bytes:
        async with gate:
            return await patiently(lambda: get(fs, path, None), deadline)

    if hasattr(fs, "_s3"):  # else each of the first requests makes its own client
        await fs.set_session()
    return await asyncio.gather(*map(one, paths), return_exceptions=True)


def _has_credentials() -> bool:
    """Whether botocore finds any; asked only when anonymity was refused."""
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    from botocore.session import Session  # type: ignore[import-untyped]

    try:
        return Session().get_credentials() is not None
    except BotoCoreError:  # a broken ~/.aws/config or profile
        return False


def read_many(
    uris: Iterable[str], storage: StorageOptions | None = None
) -> dict[str, bytes | None]:
    """Return the bytes of many small objects at once; None for absent ones.

    A refused object counts as absent, since buckets without the list permission
    answer so.

    Raises
    ------
    StorageError
        A store did not answer.
    """
    answers = ask_many(uris, storage)
    for uri, answer in answers.items():
        if answer.error:
            raise _unreachable(uri, answer.error)
    return {uri: answer.data for uri, answer in answers.items()}


def read_bytes(
    uri: str | os.PathLike[str], storage: StorageOptions | None = None
) -> bytes:
    """Return the bytes of one object of any size.

    Raises
    ------
    NotFoundError
        There is no such object.
    StorageError
        Access was refused, or the store did not answer.
    """
    address = normalize(uri)
    answer = ask_many([address], storage, deadline=None)[address]
    if answer.data is not None:
        return answer.data
    if answer.denied:
        raise _refused(address)
    if answer.error:
        raise _unreachable(address, answer.error)
    raise NotFoundError("there is no such file", where=redact(address))


def list_names(
    uri: str | os.PathLike[str], storage: StorageOptions | None = None
) -> tuple[str, ...]:
    """Return the names of the files and folders right below an address, sorted.

    Raises
    ------
    NotFoundError
        There is no such folder.
    StorageError
        Access was refused, or the store did not answer or cannot list.
    """
    address = normalize(uri)
    root = _Root.of(address, storage)
    try:
        return _list(root, address)
    except PermissionError:
        if not root.may_sign or not _has_credentials():
            raise _refused(address) from None
    except FileNotFoundError:
        raise NotFoundError("there is no such folder", where=redact(address)) from None
    except Exception as error:
        # s3fs, botocore and aiohttp each raise kinds of their own
        raise _unreachable(address, reason(error)) from error
    root.sign()
    try:
        return list_names(address, storage)
    except SeeSpotError:
        root.unsign()
        raise


def _list(root: _Root, address: str) -> tuple[str, ...]:
    if root.kind == "file":
        return tuple(sorted(os.listdir(address)))
    from fsspec.asyn import sync

    fs = root.fs()
    path = address.removeprefix("s3://")
    if root.kind != "s3":
        path += "/"  # a web server redirects otherwise, and links are relative

    async def ask() -> list[str]:
        names: list[str] = await fs._ls(path, detail=False)
        return names

    found = sync(fs.loop, patiently, ask)
    below = path.rstrip("/") + "/"
    if root.kind != "s3":  # links: of the page's own folder only, without queries
        below = urlsplit(below).path
        found = [unquote(urlsplit(name).path) for name in found]
    names = {name.rstrip("/").removeprefix(below) for name in found}
    return tuple(sorted(name for name in names if name and "/" not in name))


def _refused(address: str) -> StorageError:
    return StorageError(
        "access was refused (403)",
        where=redact(address),
        hint="Check the address and its permissions; a private bucket needs "
        "credentials where botocore finds them (AWS_PROFILE, ~/.aws, environment)",
    )


def _unreachable(address: str, why: str) -> StorageError:
    return StorageError(
        f"could not be read: {why}",
        where=redact(address),
        hint="Check the address and the connection, then try again",
    )
