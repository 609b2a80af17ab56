"""Bytes of S3 objects through obstore, where it is installed.

A request costs s3fs about 1.1 ms of Python and obstore 0.3 ms outside of Python's
lock. obstore is given each request once; whatever goes wrong but "there is no such
object" is left to the patient way through s3fs, which knows about credentials,
buckets that hide what is absent, other regions, and pauses.
"""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

from napari_seespot._requests import CONNECT_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot._addresses import StorageOptions
    from napari_seespot._requests import Span

__all__ = ["FastBucket", "fast_bucket", "forget_fast_buckets"]

OBSTORE_ENV = "NAPARI_SEESPOT_OBSTORE"
"""0: s3fs reads everything."""

_STRIKES = 3  # failures in a row after which a bucket is left to s3fs

_lock = threading.Lock()
_buckets: dict[tuple[str, StorageOptions, int], FastBucket | None] = {}


class FastBucket:
    """One bucket, read without credentials.

    Parameters
    ----------
    name : str
    options : StorageOptions
        Resolved.
    """

    def __init__(self, name: str, options: StorageOptions) -> None:
        import obstore
        from obstore import exceptions
        from obstore.store import S3Store

        config: dict[str, Any] = {"skip_signature": True}
        if options.endpoint_url:
            config["endpoint"] = options.endpoint_url
        if options.region:
            config["region"] = options.region
        plain = (options.endpoint_url or "").startswith("http://")
        self._store = S3Store(
            name,
            config=config,  # type: ignore[arg-type]  # its keys are literals there
            client_options={
                "allow_http": plain,
                "connect_timeout": f"{CONNECT_SECONDS}s",
                "timeout": f"{READ_SECONDS}s",
            },
            retry_config={"max_retries": 0},
        )
        self._get: Callable[..., Any] = obstore.get
        self._get_range: Callable[..., Any] = obstore.get_range
        self._absent = exceptions.NotFoundError
        # It answered: nothing is wrong with this way.
        self._refused = (
            exceptions.PermissionDeniedError,
            exceptions.UnauthenticatedError,
        )
        self._strikes = 0

    @property
    def gave_up(self) -> bool:
        """Whether it failed too often to be asked again."""
        return self._strikes >= _STRIKES

    def read(self, path: str, span: Span | None) -> bytes:
        """Return an object's bytes, or those of a span with a start and a stop.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        Exception
            Whatever obstore raises; the request is for another way then.
        """
        try:
            if span is None:
                data = self._get(self._store, path).bytes()
            else:
                start, stop = span
                data = self._get_range(self._store, path, start=start, end=stop)
            data = bytes(data)
        except self._absent as error:
            self._strikes = 0
            raise FileNotFoundError(errno.ENOENT, "not found (404)") from error
        except self._refused:
            self._strikes = 0
            raise
        except Exception:
            self._strikes += 1
            raise
        self._strikes = 0
        return data


def fast_bucket(name: str, options: StorageOptions) -> FastBucket | None:
    """Return the shared fast way to a bucket; None where there is none."""
    key = (name, options, os.getpid())
    with _lock:
        if key not in _buckets:
            _buckets[key] = _made(name, options)
        bucket = _buckets[key]
    return None if bucket is None or bucket.gave_up else bucket


def _made(name: str, options: StorageOptions) -> FastBucket | None:
    if os.environ.get(OBSTORE_ENV, "").strip() == "0":
        return None
    try:
        return FastBucket(name, options)
    except ImportError:
        return None
    except Exception:  # noqa: BLE001
        # obstore has kinds of its own for settings that it does not take;
        # s3fs tells the user about them
        return None


def forget_fast_buckets() -> None:
    """Drop the shared connections."""
    with _lock:
        _buckets.clear()
