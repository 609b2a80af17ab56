"""The images and masks of a dataset folder, opened when they are first wanted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_seespot._addresses import join, kind_of
from napari_seespot._ome_zarr import remember_format_3
from napari_seespot._stores import ask_many
from napari_seespot.dataset import LazyMapping
from napari_seespot.sources import _layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_seespot._addresses import StorageOptions
    from napari_seespot.errors import ImageError
    from napari_seespot.images import ChannelImage
    from napari_seespot.sources._location import Location
    from napari_seespot.spots import Spots

__all__ = ["lazy_images", "lazy_masks"]

_PEEK_SECONDS = 1.0


def lazy_images(
    location: Location, spots: Spots, storage: StorageOptions | None
) -> LazyMapping[ChannelImage]:
    likely = [f"{_layout.FUSED}/channel_{channel}.zarr" for channel in spots.channels]
    peek = _Peek(map(location.uri_of, likely), storage)
    paths = _layout.find_images(location)
    uris = {channel: location.uri_of(path) for channel, path in paths.items()}
    first = {c: uris[c] for c in spots.channels if c in uris}
    together = Together(first, spots.genes, storage, peek)

    def make(channel: str) -> ChannelImage:
        from napari_seespot.images import ChannelImage

        if channel in first:
            return together.open(channel)
        gene = spots.genes.get(channel)
        return ChannelImage.open(
            uris[channel], channel=channel, gene=gene, storage=storage
        )

    return LazyMapping(dict.fromkeys((*first, *uris)), make)


class _Peek:
    """Finds out, while other things are read, in which format the images are.

    They are then opened by the documents of that one format, all at once.
    """

    def __init__(
        self, addresses: Iterable[str], storage: StorageOptions | None
    ) -> None:
        address = min(addresses, default="")
        self._thread = threading.Thread(
            target=_peek, args=(address, storage), name="seespot-peek", daemon=True
        )
        if address and kind_of(address) != "file":
            self._thread.start()

    def wait(self) -> None:
        """Wait until it is known, but not for a store that hesitates."""
        if self._thread.is_alive():
            self._thread.join(_PEEK_SECONDS)


def _peek(address: str, storage: StorageOptions | None) -> None:
    key = join(address, "zarr.json")
    if ask_many([key], storage)[key].data is not None:
        remember_format_3(address)


class Together:
    """Images that are opened by one round of requests, when the first is wanted."""

    def __init__(
        self,
        uris: Mapping[str, str],
        genes: Mapping[str, str],
        storage: StorageOptions | None,
        peek: _Peek | None = None,
    ) -> None:
        self._uris = uris
        self._peek = peek
        self._genes = genes
        self._storage = storage
        self._opened: dict[str, ChannelImage] = {}
        self._errors: dict[str, ImageError] = {}
        self._lock = threading.Lock()

    def open(self, channel: str) -> ChannelImage:
        """Return a channel's image; `ImageError` when it is not readable."""
        from napari_seespot.images import open_channels

        with self._lock:
            if channel not in self._opened and channel not in self._errors:
                if self._peek is not None:
                    self._peek.wait()
                left = {c: u for c, u in self._uris.items() if c not in self._opened}
                images, errors = open_channels(
                    left, genes=self._genes, storage=self._storage
                )
                self._opened.update(images)
                self._errors = errors  # those of earlier rounds are no longer true
            if channel in self._errors:
                # Once for each channel: who asks again wants another round.
                raise self._errors.pop(channel)
            return self._opened[channel]


def lazy_masks(
    location: Location, storage: StorageOptions | None
) -> LazyMapping[ChannelImage]:
    paths = _layout.find_masks(location)

    def make(name: str) -> ChannelImage:
        from napari_seespot.images import ChannelImage

        return ChannelImage.open(
            location.uri_of(paths[name]), channel=name, storage=storage, kind="labels"
        )

    return LazyMapping(paths, make)
