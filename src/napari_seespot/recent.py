"""The datasets that were opened last, remembered without credentials."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from napari_seespot import _memory
from napari_seespot._addresses import redact
from napari_seespot.sources._expand import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot.dataset import Dataset

__all__ = [
    "MOST",
    "RecentDataset",
    "forget_dataset",
    "recent_datasets",
    "remember_dataset",
    "without_credentials",
]

MOST = 30
"""So many are remembered."""

_FILE = "recent.json"

_QUERY = frozenset(
    {"dataset", "sample_size", "sampling_type", "valid_spots_only", "display_chan"}
)
"""What a server's address may ask for. Anything else could be a key."""


@dataclass(frozen=True)
class RecentDataset:
    """A dataset that was opened.

    Attributes
    ----------
    uri : str
        What opens it again; no user, password or key is in it.
    name : str
    opened : str
        When, in local time: ``"2026-11-23 14:45"``.
    contents : str
        What it held: ``"20,000 spots, 5 images"``.
    options : mapping of str to str
        What else was asked for: ``min_dist``.
    """

    uri: str
    name: str
    opened: str = ""
    contents: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def recent_datasets() -> list[RecentDataset]:
    """Return the datasets that were opened last, the newest first."""
    found = (_read(item) for item in _memory.recall(_FILE))
    return [entry for entry in found if entry is not None]


def remember_dataset(
    dataset: Dataset, options: Mapping[str, Any] | None = None
) -> RecentDataset:
    """Put a dataset that was just opened at the head of the list.

    Parameters
    ----------
    dataset : Dataset
    options : mapping, optional
        With what it was opened; only ``min_dist`` is kept, the rest is in the
        dataset's address or remembered elsewhere.
    """
    kept = {k: str(v) for k, v in (options or {}).items() if k == "min_dist" and v}
    images = len(dataset.images)
    entry = RecentDataset(
        uri=without_credentials(dataset.uri),
        name=dataset.name,
        opened=datetime.now().strftime("%Y-%m-%d %H:%M"),
        contents=f"{len(dataset.spots):,} spots, {images} image{'s' * (images != 1)}",
        options=kept,
    )
    others = [other for other in recent_datasets() if other.uri != entry.uri]
    _write([entry, *others][:MOST])
    return entry


def forget_dataset(uri: str) -> None:
    """Take a dataset off the list; one that is not there is no error."""
    _write([entry for entry in recent_datasets() if entry.uri != uri])


def without_credentials(uri: str) -> str:
    """Return an address without user, password, and what else could be a key.

    Several addresses in one text, as of datasets that were joined, are cleaned one by
    one.
    """
    if SEPARATOR in uri:
        return SEPARATOR.join(map(without_credentials, uri.split(SEPARATOR)))
    if "://" not in uri:
        return re.sub(r"^(//|\\\\)[^/\\@]*@", r"\1", uri)  # a share of Windows
    try:
        parts = urlsplit(uri)
        query = [(k, v) for k, v in parse_qsl(parts.query) if k in _QUERY]
    except ValueError:
        return redact(uri)
    return parts._replace(
        netloc=parts.netloc.rpartition("@")[2],
        query=urlencode(query, quote_via=quote),
        fragment="",
    ).geturl()


def _read(item: Any) -> RecentDataset | None:
    """Return an entry of the file, or None where somebody damaged it."""
    if not isinstance(item, dict):
        return None
    texts = {k: item.get(k, "") for k in ("uri", "name", "opened", "contents")}
    options = item.get("options", {})
    known = all(isinstance(value, str) for value in texts.values())
    if not known or not texts["uri"] or not isinstance(options, dict):
        return None
    return RecentDataset(**texts, options={str(k): str(v) for k, v in options.items()})


def _write(entries: list[RecentDataset]) -> None:
    _memory.remember(_FILE, [asdict(entry) for entry in entries])
