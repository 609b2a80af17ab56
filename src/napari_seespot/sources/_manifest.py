"""The processing manifest: spot channels, round and genes of a dataset."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_seespot.columns import channel_name, intensity_channels, intensity_column
from napari_seespot.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot.sources._location import Location

__all__ = ["MANIFESTS", "Manifest", "parse_manifest", "read_manifest"]

MANIFESTS = ("derived/processing_manifest.json", "processing_manifest.json")
"""The two places of a manifest; the first that is there is read."""


@dataclass(frozen=True)
class Manifest:
    """What a manifest tells of a dataset.

    Attributes
    ----------
    path : str
        Where it was found, inside the dataset.
    channels : tuple of str or None
        The spot channels, sorted; None where it does not list them.
    round : str or None
    genes : mapping of str to str
        The gene of each channel of which it is told.
    content : mapping
        All of it.
    """

    path: str
    channels: tuple[str, ...] | None = None
    round: str | None = None
    genes: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def read_manifest(location: Location) -> Manifest | None:
    """Return the manifest of a dataset folder, or None where there is none.

    Raises
    ------
    TableError
        When there is one that cannot be understood.
    """
    for path in MANIFESTS:
        folder, _, name = path.rpartition("/")
        if name in location.names(folder):
            return parse_manifest(location.read(path), path, location.uri_of(path))
    return None


def parse_manifest(text: bytes, path: str, where: str) -> Manifest:
    """Return the manifest that a JSON text holds.

    Raises
    ------
    TableError
        When it is not JSON, or holds something else where lists or genes belong.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(
            f"the manifest is not JSON: {error}",
            where=where,
            hint="Restore the file, or remove it: the channels are then taken "
            "from the table",
        ) from None
    if not isinstance(content, dict):
        raise _unexpected("the manifest", content, "an object", where)
    return Manifest(
        path=path,
        channels=_channels(content.get("spot_channels"), where),
        round=_channel(content.get("round")),
        genes=_genes(content.get("gene_dict"), where),
        content=MappingProxyType(content),
    )


def _channels(value: Any, where: str) -> tuple[str, ...] | None:
    if value is None or value == []:
        return None
    names = [_channel(item) for item in value] if isinstance(value, list) else [None]
    found = [name for name in names if name is not None]
    if len(found) < len(names):
        raise _unexpected("spot_channels", value, "a list of channels", where)
    # The order of the columns: 488 before 1064.
    return intensity_channels(map(intensity_column, found))


def _channel(value: Any) -> str | None:
    """Return a channel or a round as text: 4, 4.0 and "4" are one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return channel_name(value)


def _genes(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unexpected("gene_dict", value, "an object by channel", where)
    genes = {}
    for key, entry in value.items():
        gene = entry.get("gene") if isinstance(entry, dict) else entry
        channel = channel_name(key)
        if channel and isinstance(gene, str) and gene.strip():
            genes[channel] = gene.strip()
    return genes


def _unexpected(what: str, value: Any, expected: str, where: str) -> TableError:
    text = json.dumps(value)
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return TableError(f"{what} is {short}", where=where, expected=expected)
