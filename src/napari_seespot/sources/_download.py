"""Whole objects of a bucket as files in the cache: resumed, verified, or not there.

A download is written under a name that tells the object's version (its etag) and
the process that writes it. What a process left that died is taken over and
continued; a file has its final name only when its size is right, the object is
still of that version, and, where the etag is an MD5 sum, the bytes have it.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_seespot import settings
from napari_seespot._addresses import StorageError, StorageOptions, redact
from napari_seespot._requests import get, patiently, reason
from napari_seespot._stores import filesystem
from napari_seespot.errors import CacheError, NotFoundError
from napari_seespot.sources._scratch import abandoned, writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from napari_seespot.sources._task import Task

__all__ = ["RefusedError", "RemoteFile", "ask", "download", "remote_file"]


class RefusedError(StorageError):
    """A store does not let us read this."""


class _WrongError(StorageError):
    """What was downloaded is not the object."""


PIECE = 8 << 20
"""Bytes of one request: a second at a slow connection, no burden at a fast one."""

AT_ONCE = 4
"""Requests that are under way together; S3 gives each some 50 MB/s."""

LEFT = ".part"
"""The end of a download's name that was given up and can be continued."""

UNUSED_SECONDS = 24 * 3600.0
"""After this long, a downloaded table is not going to be merged any more."""


@dataclass(frozen=True)
class RemoteFile:
    """An object of a bucket, of one version.

    Attributes
    ----------
    uri : str
    size : int
    etag : str
        Without quotes; empty where the store tells none.
    """

    uri: str
    size: int
    etag: str

    @property
    def fingerprint(self) -> str:
        """What changes whenever the object does."""
        return f"{self.etag}-{self.size}"

    @property
    def md5(self) -> str | None:
        """The MD5 sum that the etag is, of what was uploaded in one piece."""
        return self.etag if re.fullmatch(r"[0-9a-f]{32}", self.etag) else None

    @property
    def stem(self) -> str:
        """A file name that no other object and no other version has."""
        key = f"{self.uri}\n{self.fingerprint}"
        return hashlib.sha256(key.encode()).hexdigest()[:24]


def remote_file(uri: str, storage: StorageOptions | None) -> RemoteFile:
    """Ask for an object's size and version.

    Raises
    ------
    NotFoundError
        When there is no such object.
    StorageError
        When the store refuses or does not answer.
    """
    fs, path = filesystem(uri, storage)
    info: dict[str, Any] = ask(fs, uri, lambda: fs._info(path, refresh=True))
    etag = str(info.get("ETag") or "").strip('"')
    return RemoteFile(uri, int(info.get("size") or 0), etag)


def download(file: RemoteFile, storage: StorageOptions | None, task: Task) -> Path:
    """Return a local copy of an object, verified.

    Raises
    ------
    StorageError
        When the store does not give all of it, or it changes meanwhile.
    CacheError
        When it cannot be written.
    CancelledError
        When the user cancels; what is there already serves the next try.
    """
    folder = settings.cache_folder() / "downloads"
    suffix = "." + file.uri.rpartition(".")[2]
    target = folder / f"{file.stem}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        if target.is_file() and target.stat().st_size == file.size:
            os.utime(target)
            return target
        scratch = _scratch_file(folder, file)
        try:
            _fetch(file, storage, scratch, task)
        except BaseException as error:  # also when interrupted
            _put_by(scratch, file, wrong=isinstance(error, _WrongError))
            raise
        os.replace(scratch, target)
    except OSError as error:
        raise CacheError(
            f"the download cannot be written: {error.strerror or error}",
            where=folder,
            expected=f"{file.size / 1e9:.1f} GB of free space",
            hint="Choose another cache folder in the settings",
        ) from None
    return target


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(OSError):  # another process may remove it meanwhile
            if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
                path.unlink()


def _scratch_file(folder: Path, file: RemoteFile) -> Path:
    """Return the file to write to: what a dead process left, or a new one."""
    mine = folder / f".{file.stem}.{writer()}.tmp"
    for path in folder.glob(f".{file.stem}.*"):
        with suppress(OSError):  # another process was faster
            if path.suffix == LEFT or abandoned(path):
                os.replace(path, mine)
                return mine
    mine.touch()
    return mine


def _put_by(scratch: Path, file: RemoteFile, *, wrong: bool) -> None:
    """Leave what has come to the next try, unless it is of no use."""
    with suppress(OSError):
        if wrong or not scratch.stat().st_size:
            scratch.unlink()
        else:
            os.replace(scratch, scratch.with_suffix(LEFT))


def _fetch(
    file: RemoteFile, storage: StorageOptions | None, scratch: Path, task: Task
) -> None:
    fs, path = filesystem(file.uri, storage)
    name = file.uri.rpartition("/")[2]
    with scratch.open("rb+") as out:
        sum_ = hashlib.md5(usedforsecurity=False)
        done = _resume(out, file.size, sum_)
        while done < file.size:
            task.step(done / file.size, f"downloading {name}: {_of(done, file.size)}")
            end = min(done + PIECE * AT_ONCE, file.size)
            starts = range(done, end, PIECE)
            spans = [(start, min(start + PIECE, file.size)) for start in starts]
            for piece in ask(
                fs, file.uri, partial(_pieces, fs, path, spans), patient=False
            ):
                out.write(piece)
                sum_.update(piece)
            done = end
        out.flush()
        os.fsync(out.fileno())
    task.check()
    if remote_file(file.uri, storage) != file:
        raise _WrongError(
            "it changed while it was downloaded",
            where=redact(file.uri),
            hint="Open it again",
        )
    if file.md5 is not None and sum_.hexdigest() != file.md5:
        raise _WrongError(
            f"what arrived has the MD5 sum {sum_.hexdigest()}",
            where=redact(file.uri),
            expected=file.md5,
            hint="Open it again: it is then downloaded anew",
        )


def _resume(out: Any, size: int, sum_: Any) -> int:
    """Return how much is there, after adding it to the sum; too much counts as none."""
    there = out.seek(0, os.SEEK_END)
    if there > size:
        out.truncate(0)
        there = 0
    out.seek(0)
    left = there
    while left:
        block = out.read(min(left, 1 << 20))
        sum_.update(block)
        left -= len(block)
    out.seek(there)
    return int(there)


def _of(done: int, size: int) -> str:
    return f"{done / 1e6:,.0f} of {size / 1e6:,.0f} MB"


async def _pieces(fs: Any, path: str, spans: list[tuple[int, int]]) -> list[bytes]:
    async def one(span: tuple[int, int]) -> bytes:
        data = await get(fs, path, span)
        if len(data) != span[1] - span[0]:  # cut off, or another version
            raise OSError(errno.EIO, f"{len(data)} bytes came of {span[1] - span[0]}")
        return data

    return await asyncio.gather(
        *(patiently(partial(one, span), None) for span in spans)
    )


def ask(
    fs: Any,
    uri: str,
    request: Callable[[], Awaitable[Any]],
    *,
    patient: bool = True,
) -> Any:
    """Return what a request answers; its failure becomes an error of ours.

    Parameters
    ----------
    fs : S3FileSystem
    uri : str
        What it is about, for messages.
    request : callable
        Makes the request.
    patient : bool
        Try again where that may help; False when the request does so itself.

    Raises
    ------
    NotFoundError, RefusedError, StorageError
    """
    from fsspec.asyn import sync  # type: ignore[import-untyped]  # it ships no types

    try:
        if patient:
            return sync(fs.loop, patiently, request, None)
        return sync(fs.loop, request)
    except FileNotFoundError:
        raise NotFoundError("there is no such file", where=redact(uri)) from None
    except PermissionError:
        raise RefusedError(
            "access was refused (403)",
            where=redact(uri),
            hint="Check the address and its permissions; a private bucket needs "
            "credentials where botocore finds them (AWS_PROFILE, ~/.aws, environment)",
        ) from None
    except Exception as error:  # noqa: BLE001  # s3fs, botocore, aiohttp: kinds of their own
        raise StorageError(
            f"could not be read: {reason(error)}",
            where=redact(uri),
            hint="Check the address and the connection, then try again",
        ) from None
