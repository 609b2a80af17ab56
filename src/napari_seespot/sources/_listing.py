"""The datasets in a folder, told by names alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_seespot.dataset import DatasetInfo
from napari_seespot.sources import _layout
from napari_seespot.sources._location import LocalFolder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_seespot.sources._location import Location

__all__ = ["created_of", "describe", "has_date", "list_folder"]

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})_(\d{2})-(\d{2})-(\d{2})")


def list_folder(folder: Path) -> list[DatasetInfo]:
    """Return the datasets in a folder, or itself when it is one, with their tiles."""
    parent = LocalFolder(folder)
    if _layout.looks_like_dataset(parent.names()):
        return describe(parent)
    found: list[DatasetInfo] = []
    for name in parent.names():
        inside = LocalFolder(folder / name)
        if _layout.looks_like_dataset(inside.names()):
            found += describe(inside)
    return found


def describe(location: Location) -> list[DatasetInfo]:
    """Return what a dataset folder offers: itself, then each of its tiles."""
    whole = _layout.find_tables(location)
    tiles = () if whole.exist else _layout.find_tiles(location)
    contents = {
        "spots": whole.exist or bool(tiles),
        "images": _layout.FUSED.partition("/")[0] in location.names()
        and bool(_layout.find_images(location)),
        "tiles": bool(tiles),
    }
    created = created_of(location.name)
    return [
        DatasetInfo(
            name=location.name,
            uri=location.uri,
            created=created,
            contents=tuple(what for what, there in contents.items() if there),
        ),
        *(
            DatasetInfo(
                name=f"{location.name}_{_layout.tile_suffix(tile)}",
                uri=f"{location.uri}_{_layout.tile_suffix(tile)}",
                created=created,
                contents=("spots",),
            )
            for tile in tiles
        ),
    ]


def has_date(name: str) -> bool:
    """Whether a folder's name tells when it was made, as those of datasets do."""
    return _TIME.search(name) is not None


def created_of(name: str) -> str | None:
    """Return the last date and time in a dataset's name: when it was processed."""
    times = _TIME.findall(name)
    if not times:
        return None
    day, hour, minute, second = times[-1]
    return f"{day} {hour}:{minute}:{second}"
