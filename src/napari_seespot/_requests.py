"""One request: what it returns, which failures deserve another, and how to say why.

Requests are retried here and nowhere else, since the retries of the libraries
below multiply (s3fs times botocore: 72 to 100 tries for one lost connection).
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from napari_seespot._addresses import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from napari_seespot._lines import Line

__all__ = [
    "Answer",
    "Span",
    "WholeObject",
    "answer_of",
    "get",
    "get_local",
    "patiently",
    "reason",
    "seconds_left",
    "until",
]

Span: TypeAlias = tuple[int | None, int | None]
"""Bytes of an object as a slice tells them: (0, 10), (10, None) or (-10, None)."""

T = TypeVar("T")

ATTEMPTS = 3
FIRST_PAUSE = 0.2  # s, three times as long before each further attempt
DEADLINE = 30.0  # s for one small object, all attempts together
CONNECT_SECONDS = 5
READ_SECONDS = 10
# Kinds of failure that another attempt does not mend.
_FINAL_ERRNOS = {
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOSYS,
    errno.ENOTDIR,
    errno.EPERM,
}
_TRANSIENT_STATUS = {408, 425, 429}


# By when all requests of one piece of work must be done, in time.monotonic(). It goes
# along into the event loops of fsspec and of zarr.
_end: ContextVar[float | None] = ContextVar("end", default=None)


@contextmanager
def until(end: float) -> Iterator[None]:
    """Let all requests of a `with` block together take no longer.

    Parameters
    ----------
    end : float
        In seconds of `time.monotonic`; an earlier one that holds already stays.
    """
    known = _end.get()
    token = _end.set(end if known is None else min(end, known))
    try:
        yield
    finally:
        _end.reset(token)


def seconds_left() -> float | None:
    """Return what `until` leaves; None where nothing limits it."""
    end = _end.get()
    return None if end is None else max(end - time.monotonic(), 0.0)


class WholeObject(bytes):
    """All of an object, where a part was asked for: the store knows no ranges."""


@dataclass(frozen=True)
class Answer:
    """What a store said about one object.

    Attributes
    ----------
    data : bytes or None
        The object's bytes.
    denied : bool
        Access was refused; a bucket without the list permission says so for
        absent objects too.
    error : str or None
        Why neither is known, without credentials.
    """

    data: bytes | None = None
    denied: bool = False
    error: str | None = None


async def get(fs: Any, path: str, span: Span | None) -> bytes:
    """Return the bytes of one object, by one GET; `WholeObject` if it gives no part.

    Raises
    ------
    OSError
        FileNotFoundError and PermissionError among them.
    """
    if path.startswith(("http://", "https://")):
        return await _get_http(fs, path, span)
    start, stop = span or (None, None)
    data: bytes = await fs._cat_file(path, start=start, end=stop)
    too_long = stop is not None and len(data) > stop - (start or 0)
    return WholeObject(data) if too_long else data


async def _get_http(fs: Any, url: str, span: Span | None) -> bytes:
    # fsspec's own does not tell a server that ignores ranges from one that
    # answers them.
    headers = {} if span is None else {"Range": _range_header(span)}
    session = await fs.set_session()
    async with session.get(fs.encode_url(url), headers=headers) as response:
        status: int = response.status
        if status in (404, 410):
            raise FileNotFoundError(errno.ENOENT, "not found (404)")
        if status in (401, 403):
            raise PermissionError(errno.EACCES, f"access denied ({status})")
        if status >= 400:
            mends = status >= 500 or status in _TRANSIENT_STATUS
            code = errno.EIO if mends else errno.EINVAL
            raise OSError(code, f"HTTP status {status} {response.reason}")
        body: bytes = await response.read()
    return WholeObject(body) if span is not None and status == 200 else body


def _range_header(span: Span) -> str:
    start, stop = span
    if start is not None and start < 0:
        return f"bytes={start}"
    return f"bytes={start or 0}-{'' if stop is None else stop - 1}"


def get_local(path: str, span: Span | None) -> bytes:
    """Return the bytes of a local file, or of a span of it."""
    if span is None:
        return Path(path).read_bytes()
    start, stop = span
    with open(path, "rb") as file:
        if start is not None and start < 0:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size + start, 0))
        else:
            file.seek(start or 0)
        return file.read() if stop is None else file.read(stop - (start or 0))


def _is_final(error: Exception) -> bool:
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        absent = isinstance(error, FileNotFoundError | PermissionError)
        return absent or error.errno in _FINAL_ERRNOS
    # botocore's errors are no OSErrors; these two tell of the user's set-up.
    name = type(error).__name__
    return "Credential" in name or name == "ParamValidationError"


async def patiently(
    request: Callable[[], Awaitable[T]],
    deadline: float | None = DEADLINE,
    line: Line | None = None,
    attempts: int | None = None,
) -> T:
    """Await a request; again, after a pause, where that may help.

    Parameters
    ----------
    request : callable
    deadline : float or None
        Seconds for all attempts; `until` may leave less.
    line : Line, optional
        What is asked whether the store can be reached, and told.
    attempts : int, optional
        `ATTEMPTS` where it is left out.
    """
    attempts = attempts or ATTEMPTS
    clock = asyncio.get_running_loop().time
    limits = [limit for limit in (deadline, seconds_left()) if limit is not None]
    end = clock() + min(limits) if limits else None
    pause = FIRST_PAUSE
    for attempt in range(1, attempts + 1):
        if line is not None:
            line.check()
        begin = time.monotonic()
        try:
            async with asyncio.timeout_at(end):
                answer = await request()
        except Exception as error:
            late = end is not None and clock() + pause >= end
            if line is not None:
                line.note(error, begin)
            if _is_final(error) or attempt == attempts or late:
                raise
        else:
            if line is not None:
                line.note(None, begin)
            return answer
        await asyncio.sleep(pause)
        pause *= 3
    raise AssertionError("unreachable")  # the last attempt returns or raises


def reason(error: BaseException) -> str:
    """Return why a request failed, in one line without credentials."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else ""
    text = text or str(error) or type(error).__name__
    return redact(" ".join(text.split()))[:300]


def answer_of(outcome: bytes | BaseException) -> Answer:
    """Return what a request's result or exception means for its object."""
    if isinstance(outcome, bytes):
        return Answer(data=outcome)
    if isinstance(outcome, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return Answer()
    if isinstance(outcome, PermissionError) or "Credential" in type(outcome).__name__:
        return Answer(denied=True)
    if isinstance(outcome, Exception):
        return Answer(error=reason(outcome))
    raise outcome  # a cancelled task or the user's Ctrl-C
