"""The address of a SeeSpot server, and what a user may write into it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from napari_seespot.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SampleOptions", "ServerAddress", "parse_server_address"]

SAMPLING_TYPES = ("class_balanced", "random")
DISPLAY_CHANS = ("mixed", "unmixed")

PAGES = ("/unmixed-spots", "/api/real_spots_data", "/api/datasets")
"""What follows the server's address when it is copied from a browser."""

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class SampleOptions:
    """Which spots a server is asked for.

    Attributes
    ----------
    sample_size : int
        At most so many spots.
    sampling_type : str
        ``"class_balanced"``: equal shares of the channels; ``"random"``.
    force_refresh : bool
        The server reads its tables anew.
    valid_spots_only : bool
        Only spots that pass the quality gates.
    display_chan : str
        The channel that is balanced by: ``"mixed"`` or ``"unmixed"``.

    Raises
    ------
    ServerError
        When an option is none that the server knows.
    """

    sample_size: int = 5000
    sampling_type: str = "class_balanced"
    force_refresh: bool = False
    valid_spots_only: bool = False
    display_chan: str = "mixed"

    def __post_init__(self) -> None:
        if self.sample_size < 1:
            raise _option_error("sample_size", self.sample_size, "1 or more")
        for name, allowed in (
            ("sampling_type", SAMPLING_TYPES),
            ("display_chan", DISPLAY_CHANS),
        ):
            if getattr(self, name) not in allowed:
                raise _option_error(name, getattr(self, name), " or ".join(allowed))

    def query(self) -> dict[str, str]:
        """Return the options as a server takes them."""
        return {
            "sample_size": str(self.sample_size),
            "force_refresh": str(self.force_refresh).lower(),
            "valid_spots_only": str(self.valid_spots_only).lower(),
            "sampling_type": self.sampling_type,
            "display_chan": self.display_chan,
        }

    def updated(self, query: Mapping[str, str]) -> SampleOptions:
        """Return the options with those of an address's query."""
        return replace(
            self,
            sample_size=_number(query, "sample_size", self.sample_size),
            force_refresh=_truth(query, "force_refresh", self.force_refresh),
            valid_spots_only=_truth(query, "valid_spots_only", self.valid_spots_only),
            sampling_type=query.get("sampling_type", self.sampling_type),
            display_chan=query.get("display_chan", self.display_chan),
        )


@dataclass(frozen=True)
class ServerAddress:
    """A server's address in its parts.

    Attributes
    ----------
    base : str
        What endpoints are appended to; may hold a user and a password.
    query : mapping of str to str
        ``dataset`` and the names of `SampleOptions`.
    """

    base: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def public(self) -> str:
        """The base without user and password."""
        parts = urlsplit(self.base)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def uri(self, dataset: str | None, options: SampleOptions | None = None) -> str:
        """Return what opens a dataset of this server again; no password is in it."""
        query = {"dataset": dataset} if dataset else {}
        usual = SampleOptions().query()
        for name, value in (options.query() if options else {}).items():
            # A refresh was meant for once.
            if value != usual[name] and name != "force_refresh":
                query[name] = value
        text = urlencode(query, quote_via=quote)
        return f"{self.public}/?{text}" if text else self.public


def parse_server_address(uri: str) -> ServerAddress:
    """Take a server's address apart.

    Parameters
    ----------
    uri : str
        ``http(s)://host:port``, perhaps with a path, and with a query:
        ``?dataset=NAME&sample_size=100000``.

    Raises
    ------
    ServerError
        When it is no such address.
    """
    try:
        parts = urlsplit(uri.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # is checked only when it is asked for
        query = dict(parse_qsl(parts.query))
    except ValueError:
        valid = False
    if not valid or any(mark in uri.strip() for mark in " \t\r\n\\\0"):
        raise ServerError(
            "this is not the address of a server",
            where=repr(uri.rpartition("@")[2]),
            expected="http://host:port or http://host:port/?dataset=NAME",
        )
    path = parts.path.rstrip("/")
    for page in PAGES:
        path = path.removesuffix(page)
    base = parts._replace(path=path, query="", fragment="").geturl()
    return ServerAddress(base, MappingProxyType(query))


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > 18:
        raise _option_error(name, text, "a whole number")
    return int(text)


def _truth(query: Mapping[str, str], name: str, default: bool) -> bool:
    text = query.get(name, str(default)).lower()
    if text not in (*_TRUE, *_FALSE):
        raise _option_error(name, text, "true or false")
    return text in _TRUE


def _option_error(name: str, value: object, expected: str) -> ServerError:
    return ServerError(f"{name} is {value!r}", expected=expected)
