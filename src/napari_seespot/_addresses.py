"""Addresses of data, and how to reach them: no request is made here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import url2pathname

from napari_seespot.errors import SeeSpotError

__all__ = [
    "StorageError",
    "StorageOptions",
    "join",
    "kind_of",
    "normalize",
    "redact",
]


class StorageError(SeeSpotError):
    """An address cannot be read: it refuses, does not answer, or is malformed."""


@dataclass(frozen=True)
class StorageOptions:
    """How to reach a store; what is None comes from the environment.

    Credentials are never held here: they come from where botocore finds them
    (environment, ``~/.aws``, instance role).

    Parameters
    ----------
    endpoint_url : str, optional
        An S3-compatible server, ``AWS_ENDPOINT_URL`` otherwise.
    region : str, optional
        ``AWS_REGION`` or ``AWS_DEFAULT_REGION`` otherwise.
    anonymous : bool, optional
        Whether requests go unsigned. None: unsigned first, then, where the
        bucket refuses, with the user's credentials.
    """

    endpoint_url: str | None = None
    region: str | None = None
    anonymous: bool | None = None

    def __repr__(self) -> str:
        endpoint = None if self.endpoint_url is None else redact(self.endpoint_url)
        return (
            f"StorageOptions(endpoint_url={endpoint!r}, region={self.region!r}, "
            f"anonymous={self.anonymous!r})"
        )

    def resolved(self) -> StorageOptions:
        """Return the options with the environment's values in the open fields."""
        env = os.environ
        endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
        region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
        return replace(
            self,
            endpoint_url=self.endpoint_url or endpoint or None,
            region=self.region or region or None,
        )


def redact(text: str) -> str:
    """Return a text without what may authorise somebody: users, queries, keys."""
    text = re.sub(r"(?<=://)[^/\s@\"']+@", "", text)
    text = re.sub(r"(https?://[^\s\"'?]+)\?[^\s\"']*", r"\1", text)
    return re.sub(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", "***", text)


def normalize(uri: str | os.PathLike[str]) -> str:
    """Return an address in one spelling: absolute path, ``s3://`` or ``http(s)://``.

    Raises
    ------
    StorageError
        The address is empty or of a kind that is not read.
    """
    text = os.fspath(uri).strip()
    scheme, mark, rest = text.partition("://")
    if not text or "\0" in text:
        raise StorageError(
            "this is not an address",
            where=repr(text),
            expected="a folder, s3://bucket/name or http(s)://host/path",
        )
    if not mark:
        return str(Path(text).expanduser().absolute())
    scheme = scheme.lower()
    if scheme == "file":
        return str(Path(url2pathname(urlsplit(text).path)).absolute())
    parts = urlsplit(text)
    if scheme == "s3" and rest.strip("/"):
        return f"s3://{rest.strip('/')}"
    if scheme in ("http", "https") and parts.hostname:
        return urlunsplit(parts._replace(scheme=scheme, path=parts.path.rstrip("/")))
    raise StorageError(
        "this kind of address cannot be read",
        where=redact(text),
        expected="a folder, s3://bucket/name or http(s)://host/path",
    )


def join(uri: str, *parts: str) -> str:
    """Return the address of what lies below `uri`; a query stays at the end."""
    below = "/".join(part.strip("/") for part in parts if part.strip("/"))
    if not below:
        return uri
    if uri.startswith(("http://", "https://")):
        split = urlsplit(uri)
        path = f"{split.path.rstrip('/')}/{quote(below, safe='/')}"
        return urlunsplit(split._replace(path=path))
    if uri.startswith("s3://"):
        return f"{uri.rstrip('/')}/{below}"
    return str(Path(uri, *below.split("/")))


def kind_of(uri: str) -> str:
    """Return ``"file"``, ``"s3"``, ``"http"`` or ``"https"``."""
    scheme = uri.partition("://")[0]
    return scheme if scheme in ("s3", "http", "https") else "file"
