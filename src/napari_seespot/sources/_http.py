"""One HTTP exchange at a time: retried, timed, and cancelled at any moment.

A SeeSpot server computes for minutes before it sends the first byte. The
exchange therefore runs in a thread of its own, and the caller, who waits for
it, asks ten times a second whether the user has cancelled.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from napari_seespot.errors import ServerError
from napari_seespot.sources._http_errors import (
    BUSY,
    LostError,
    StatusError,
    retry_after,
    status_error,
    transport_error,
    without_user,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from napari_seespot.sources._task import Task

__all__ = ["Http", "Reply"]

T = TypeVar("T")

POLL_S = 0.1
STALL_BYTES = 1024
"""Fewer in the time of a read timeout: the server is not sending, but dripping."""


@dataclass(frozen=True)
class Reply:
    """What a server sent with status 200.

    Attributes
    ----------
    where : str
        The address, without what authorises.
    chunks : iterator of bytes
        The body, decompressed; can be read once.
    share : callable
        The share of the body that has come, 0 to 1; 0 where its size is not told.
    """

    where: str
    chunks: Iterator[bytes]
    share: Callable[[], float]


class Http:
    """Requests to one server.

    Parameters
    ----------
    base_url : str
        ``http://host:port``, perhaps with a path and with ``user:password@``.
    connect_timeout, timeout : float
        Seconds to connect, and between two pieces of a body.
    retries : int
        Further tries after a lost connection or a status 502, 503, 504.
    backoff : float
        Seconds before the second try; each later pause is twice as long.
    task : Task
        Asked whether to go on; told what is waited for.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout: float,
        timeout: float,
        retries: int,
        backoff: float,
        task: Task,
    ) -> None:
        host = urlsplit(base_url).hostname or ""
        self._base = base_url.rstrip("/")
        self._public = without_user(self._base)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._task = task
        # A proxy of the environment cannot reach this machine's own loopback.
        local = host in ("localhost", "::1") or host.startswith("127.")
        self._client = httpx.Client(
            trust_env=not local,
            follow_redirects=False,
            headers={"Accept": "application/json"},
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    @property
    def public_url(self) -> str:
        """The server's address without user and password."""
        return self._public

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        read: Callable[[Reply], T],
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        patience: float | None = None,
        repeatable: bool = True,
    ) -> T:
        """Send a request and return what `read` makes of the reply.

        Parameters
        ----------
        method, path : str
            ``"GET"``, ``"/api/datasets"``.
        read : callable
            Given the reply; called again, with a new one, when the connection is
            lost while it reads.
        params, body : mapping, optional
            The query, and what is sent as JSON.
        patience : float, optional
            Seconds that the server may compute before it answers; `timeout` by
            default.
        repeatable : bool
            The server may be asked twice. Otherwise the request is repeated only
            when it cannot have reached the server.

        Raises
        ------
        ServerError
            When the server cannot be reached or does not answer well.
        CancelledError
            When the user cancels.
        """
        request = self._client.build_request(
            method,
            f"{self._base}{path}",
            params=params,
            json=body,
            timeout=httpx.Timeout(
                patience or self._timeout, connect=self._connect_timeout
            ),
        )
        where = f"{self._public}{path}"
        pause = self._backoff
        for left in range(self._retries, -1, -1):
            try:
                with self._exchange(request, where) as reply:
                    return read(reply)
            except LostError as lost:
                if not left or not (repeatable or lost.unsent):
                    raise lost.error from None
                self._pause(max(pause, lost.pause))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._task.step(0.0, "the server does not answer; trying again")
            time.sleep(min(POLL_S, seconds))

    @contextmanager
    def _exchange(
        self, request: httpx.Request, where: str
    ) -> Generator[Reply, None, None]:
        exchange = _Exchange(self._client, request)
        exchange.start()
        wait = _Wait(exchange, self._task, where, self._timeout)
        try:
            head = wait.head()
            if head.status_code != 200:
                raise self._refused(head, where, b"".join(wait.body(1 << 16)))
            yield Reply(where, wait.body(), lambda: _share(head))
        finally:
            exchange.stop()

    def _refused(
        self, head: httpx.Response, where: str, body: bytes
    ) -> StatusError | LostError:
        error = status_error(head, where, body)
        if head.status_code in BUSY:
            return LostError(error, pause=retry_after(head))
        return error


class _Exchange(threading.Thread):
    """The thread that sends a request and takes in the reply."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        super().__init__(name="seespot-http", daemon=True)
        self._client = client
        self._request = request
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None
        request.extensions["trace"] = self._trace
        # Short, so that a slow reader makes the server wait, and not memory grow.
        self.received: queue.Queue[httpx.Response | bytes | Exception | None]
        self.received = queue.Queue(maxsize=8)

    def run(self) -> None:
        try:
            with closing(self._client.send(self._request, stream=True)) as response:
                self._put(response)
                for chunk in response.iter_bytes():
                    if not self._put(chunk):
                        return
            self._put(None)
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            self._put(error)

    def stop(self) -> None:
        """End the thread, even while it waits for the server."""
        self._stopped.set()
        self._hang_up()
        # Looking up a host's name cannot be interrupted: that thread ends later.
        self.join(timeout=1.0)

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._stopped.is_set():
                self._hang_up()

    def _put(self, item: httpx.Response | bytes | Exception | None) -> bool:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self.received.put(item, timeout=POLL_S)
                return True
        return False


class _Wait:
    """The caller's side of an exchange."""

    def __init__(
        self, exchange: _Exchange, task: Task, where: str, stall: float
    ) -> None:
        self._received = exchange.received
        self._task = task
        self._where = where
        self._stall = stall

    def head(self) -> httpx.Response:
        """Return the reply's status and headers."""
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            self._task.step(0.0, f"waiting for the server, {waited:.0f} s")
            with suppress(queue.Empty):
                found = self._received.get(timeout=POLL_S)
                if isinstance(found, Exception):
                    raise self._failure(found)
                assert isinstance(found, httpx.Response)  # it always comes first
                return found

    def body(self, limit: int | None = None) -> Iterator[bytes]:
        """Yield the pieces of the body, up to about `limit` bytes."""
        got = recent = 0
        waited = 0.0
        while limit is None or got < limit:
            self._task.check()
            began = time.monotonic()
            found: httpx.Response | bytes | Exception | None = b""
            with suppress(queue.Empty):
                found = self._received.get(timeout=POLL_S)
            if found is None:
                return
            if isinstance(found, Exception):
                raise self._failure(found)
            assert isinstance(found, bytes)  # the head came before
            waited += time.monotonic() - began
            recent += len(found)
            got += len(found)
            if recent >= STALL_BYTES:
                recent, waited = 0, 0.0
            elif waited > self._stall:
                raise self._stalled(recent, waited)
            if found:
                yield found

    def _stalled(self, recent: int, waited: float) -> ServerError:
        return ServerError(
            f"the server sends hardly anything: {recent} bytes in {waited:.0f} s",
            where=self._where,
            expected=f"at least {STALL_BYTES:,} bytes in that time",
            hint="Try again later, or ask for fewer spots",
        )

    def _failure(self, error: Exception) -> Exception:
        found = transport_error(error, self._where)
        return error if found is None else found


def _share(head: httpx.Response) -> float:
    size = head.headers.get("content-length", "")
    if not size.isdecimal() or int(size) == 0:
        return 0.0
    return min(1.0, head.num_bytes_downloaded / int(size))
