"""What failed exchanges and refusals mean, in a user's words."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import httpx

from napari_seespot.errors import ServerError
from napari_seespot.sources._json_stream import excerpt

__all__ = [
    "BUSY",
    "LostError",
    "StatusError",
    "retry_after",
    "status_error",
    "transport_error",
    "without_user",
]

BUSY = (502, 503, 504)
"""Statuses of a proxy or a server that may serve the next try."""

LONGEST_PAUSE_S = 30.0
"""What a server may ask for with Retry-After."""


class StatusError(ServerError):
    """A server answered with a status other than 200.

    Attributes
    ----------
    status : int
    """

    def __init__(self, status: int, found: str, **parts: Any) -> None:
        self.status = status
        super().__init__(found, **parts)


class LostError(Exception):
    """The exchange failed in a way that another try may mend."""

    def __init__(
        self, error: ServerError, *, unsent: bool = False, pause: float = 0.0
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.unsent = unsent  # the server cannot have begun to work on it
        self.pause = pause


def transport_error(error: Exception, where: str) -> ServerError | LostError | None:
    """Return what a failed exchange means; None where it is no such failure."""
    causes = _causes(error)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return ServerError(
            "the host's name cannot be found",
            where=where,
            expected="http://host:port of a SeeSpot server",
            hint="Check the spelling, and that you are in the server's network",
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return ServerError(
            f"no secure connection can be made: {excerpt(error)}",
            where=where,
            hint="Try http:// in place of https://",
        )
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return LostError(
            ServerError(
                "nothing answers at this address",
                where=where,
                expected="a SeeSpot server",
                hint="Check host and port, and that the server runs",
            ),
            unsent=True,
        )
    if isinstance(error, httpx.TimeoutException):
        return ServerError(
            "the server did not answer in time",
            where=where,
            hint="It may still be computing: try again later, or ask for fewer spots",
        )
    if isinstance(error, httpx.DecodingError):
        return ServerError(
            "the compressed answer is damaged",
            where=where,
            hint="Try again; a proxy in between may be at fault",
        )
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        return LostError(
            ServerError(
                f"the connection was lost: {excerpt(error)}",
                where=where,
                expected="a whole answer",
                hint="Try again; if it stays so, look at the server's log",
            )
        )
    if isinstance(error, (httpx.HTTPError, httpx.InvalidURL)):
        return ServerError(f"the request failed: {excerpt(error)}", where=where)
    return None


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def status_error(head: httpx.Response, where: str, body: bytes) -> StatusError:
    status = head.status_code
    told, advice = _told(body)
    found = f"the server answers {status} {head.reason_phrase}".rstrip()
    if head.has_redirect_location:
        target = without_user(head.headers["location"]).partition("?")[0]
        found += f" and points to {excerpt(target)}"
        advice = "Open that address instead, if it is the server that you mean"
    elif told:
        found += f": {told}"
    return StatusError(
        status, found, where=where, hint=advice or _advice(status, bool(told))
    )


def _advice(status: int, told: bool) -> str | None:
    if status in (401, 403):
        return "Ask who runs the server for access; it may want a user and a password"
    if status == 404 and not told:
        return "Check host and port: this may be no SeeSpot server, or an old one"
    if status in BUSY:
        return "It is busy or restarting: try again in some minutes"
    if status >= 500:
        return "Look at the server's log"
    return None


def _told(body: bytes) -> tuple[str, str | None]:
    """Return what a server says about its refusal, and what it advises."""
    text = body.decode("utf-8", "replace").strip()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):  # plain text, HTML, or worse
        return ("" if not text or text.startswith("<") else excerpt(text)), None
    if not isinstance(content, dict):
        return excerpt(text), None
    advice = content.get("hint")
    return (
        _details(content.get("detail"))
        or excerpt(content.get("error") or content.get("message") or text),
        " ".join(str(advice).split())[:200] if advice else None,
    )


def _details(details: object) -> str:
    """Return what a validation error (status 422) says, one clause a field."""
    if not isinstance(details, list):
        return ""
    clauses = [
        f"{'.'.join(map(str, item.get('loc') or ()))}: {item.get('msg')}"
        for item in details
        if isinstance(item, dict) and isinstance(item.get("loc"), list)
    ]
    return excerpt("; ".join(clauses)) if clauses else ""


def retry_after(head: httpx.Response) -> float:
    asked = head.headers.get("retry-after", "")
    return min(float(asked), LONGEST_PAUSE_S) if asked.isdecimal() else 0.0


def without_user(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url
