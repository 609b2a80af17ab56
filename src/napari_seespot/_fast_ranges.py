"""Bytes of S3 objects through obstore, where it is installed.

A request costs s3fs about 1.1 ms of Python and obstore 0.3 ms outside of Python's
lock. obstore is given each request once; whatever goes wrong but "there is no such
object" is left to the patient way through s3fs, which knows about buckets that hide
what is absent, other regions, and pauses. Credentials are those that botocore finds,
as they are for s3fs.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from napari_seespot._requests import CONNECT_SECONDS, READ_SECONDS, WholeObject

if TYPE_CHECKING:
    from napari_seespot._addresses import StorageOptions
    from napari_seespot._requests import Span

__all__ = ["FastBucket", "fast_bucket", "forget_fast_buckets", "forgive_fast_bucket"]

OBSTORE_ENV = "NAPARI_SEESPOT_OBSTORE"
"""0: s3fs reads everything."""

_STRIKES = 3  # failures in a row after which a bucket is left to s3fs
_STRIKES_SECONDS = 60.0  # and for how long
_CREDENTIALS_SECONDS = 300  # after which botocore is asked again: it renews them

# What obstore says when the store answered: that is no fault of this way.
_ANSWERED = re.compile(r"status code: (?:429|5\d\d)|SlowDown")

_AMAZON = "https://s3.amazonaws.com"

_lock = threading.Lock()
_buckets: dict[tuple[str, StorageOptions, int], FastBucket | None] = {}


class FastBucket:
    """One bucket, with botocore's credentials where it wants any.

    Parameters
    ----------
    name : str
    options : StorageOptions
        Resolved; `anonymous` says whether to sign.
    """

    def __init__(self, name: str, options: StorageOptions) -> None:
        import obstore
        from obstore import exceptions
        from obstore.store import S3Store

        config: dict[str, Any] = {}
        if options.anonymous:
            config["skip_signature"] = True
        if options.endpoint_url:
            config["endpoint"] = options.endpoint_url
            region = options.region
        else:
            # obstore follows no redirect to another region, as s3fs does
            region = region_of(name) or options.region
        if region:
            config["region"] = region
        plain = (options.endpoint_url or "").startswith("http://")
        self._store: Any = S3Store(
            name,
            config=config,  # type: ignore[arg-type]  # its keys are literals there
            client_options={
                "allow_http": plain,
                "connect_timeout": f"{CONNECT_SECONDS}s",
                "timeout": f"{READ_SECONDS}s",
            },
            retry_config={"max_retries": 0},
            credential_provider=None if options.anonymous else _credentials,
        )
        self._obstore: Any = obstore
        self._absent = exceptions.NotFoundError
        # It answered: nothing is wrong with this way.
        self._refused = (
            exceptions.PermissionDeniedError,
            exceptions.UnauthenticatedError,
        )
        self._strikes = 0
        self._struck = 0.0

    @property
    def gave_up(self) -> bool:
        """Whether it failed too often, a moment ago, to be asked again."""
        recent = time.monotonic() - self._struck < _STRIKES_SECONDS
        return self._strikes >= _STRIKES and recent

    def forgive(self) -> None:
        """Forget the failures."""
        self._strikes = 0

    def read(self, path: str, span: Span | None) -> bytes:
        """Return an object's bytes, or those of a span.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        Exception
            Whatever obstore raises; the request is for another way then.
        """
        try:
            answer = self._obstore.get(self._store, path, options=_options(span))
            data = bytes(answer.bytes())
        except self._absent as error:
            self._strikes = 0
            raise FileNotFoundError(errno.ENOENT, "not found (404)") from error
        except Exception as error:
            self._note(error)
            raise
        return self._checked(data, span)

    async def read_async(self, path: str, span: Span | None) -> bytes:
        """Return what `read` does, in any event loop."""
        try:
            answer = await self._obstore.get_async(
                self._store, path, options=_options(span)
            )
            data = bytes(await answer.bytes_async())
        except self._absent as error:
            self._strikes = 0
            raise FileNotFoundError(errno.ENOENT, "not found (404)") from error
        except Exception as error:
            self._note(error)
            raise
        return self._checked(data, span)

    def _checked(self, data: bytes, span: Span | None) -> bytes:
        self._strikes = 0
        start, stop = span or (None, None)
        too_long = stop is not None and len(data) > stop - (start or 0)
        return WholeObject(data) if too_long else data

    def _note(self, error: Exception) -> None:
        """Take in a failure."""
        if isinstance(error, self._refused) or _ANSWERED.search(str(error)):
            self._strikes = 0
            return
        # after a pause one more failure is enough
        self._strikes = min(self._strikes + 1, _STRIKES)
        self._struck = time.monotonic()


def region_of(bucket: str) -> str | None:
    """Return the region of a bucket of Amazon's; None where it does not say."""
    asked = urllib.request.Request(f"{_AMAZON}/{bucket}", method="HEAD")
    try:
        with urllib.request.urlopen(asked, timeout=CONNECT_SECONDS) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:  # refusals and redirects say it too
        headers = error.headers
    except OSError:
        return None
    told: str | None = headers.get("x-amz-bucket-region")
    return told


def _options(span: Span | None) -> dict[str, Any]:
    """Return a span as obstore takes it."""
    if span is None:
        return {}
    start, stop = span
    if start is not None and start < 0:
        return {"range": {"suffix": -start}}
    if stop is None:
        return {"range": {"offset": start or 0}}
    return {"range": (start or 0, stop)}


def _credentials() -> Any:
    """Return what botocore finds, as it does for s3fs; obstore asks when they end."""
    from botocore.session import Session  # type: ignore[import-untyped]

    found = Session().get_credentials()
    if found is None:
        raise PermissionError(errno.EACCES, "there are no credentials")
    frozen = found.get_frozen_credentials()
    return {
        "access_key_id": frozen.access_key,
        "secret_access_key": frozen.secret_key,
        "token": frozen.token,
        "expires_at": datetime.now(UTC) + timedelta(seconds=_CREDENTIALS_SECONDS),
    }


def fast_bucket(name: str, options: StorageOptions) -> FastBucket | None:
    """Return the shared fast way to a bucket; None where there is none."""
    if os.environ.get(OBSTORE_ENV, "").strip() == "0":
        return None
    key = (name, options, os.getpid())
    with _lock:
        if key not in _buckets:
            _buckets[key] = _made(name, options)
        return _buckets[key]


def _made(name: str, options: StorageOptions) -> FastBucket | None:
    try:
        return FastBucket(name, options)
    except ImportError:
        return None
    except Exception:  # noqa: BLE001
        # obstore has kinds of its own for settings that it does not take;
        # s3fs tells the user about them
        return None


def forgive_fast_bucket(name: str, options: StorageOptions) -> None:
    """Let the fast way to a bucket be tried again, if there is one."""
    with _lock:
        bucket = _buckets.get((name, options, os.getpid()))
    if bucket is not None:
        bucket.forgive()


def forget_fast_buckets() -> None:
    """Drop the shared connections."""
    with _lock:
        _buckets.clear()
