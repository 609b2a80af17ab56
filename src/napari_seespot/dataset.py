"""What one imaging round holds: spots, lazy images, ratios and summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from napari_seespot.errors import NotFoundError, SeeSpotError

if TYPE_CHECKING:
    import pandas as pd

    from napari_seespot.images import ChannelImage
    from napari_seespot.spots import Spots

__all__ = ["DEFAULT_VOXEL_UM", "Dataset", "DatasetInfo", "LazyMapping", "opened"]

DEFAULT_VOXEL_UM = (1.0, 0.24, 0.24)
"""(z, y, x) of a voxel where no image tells it: the usual light-sheet set-up."""

T = TypeVar("T")

_FAILED_SECONDS = 60.0  # for which a failure is believed


class LazyMapping(Mapping[str, T], Generic[T]):
    """A mapping whose keys are known and whose values are made on first use.

    Parameters
    ----------
    names : iterable of str
        The keys, in order.
    make : callable
        Called once a key, with the key. A `SeeSpotError` of it is raised again
        for a minute without another call: a store that cannot be reached takes
        its time to say so, and several views ask for the same image.
    """

    def __init__(self, names: Any = (), make: Callable[[str], T] | None = None) -> None:
        self._names = tuple(names)
        self._make = make
        self._made: dict[str, T] = {}
        self._failed: dict[str, tuple[float, SeeSpotError]] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            if name not in self._names or self._make is None:
                raise KeyError(name)
            self._made[name] = self._try(name, self._make)
        return self._made[name]

    def _try(self, name: str, make: Callable[[str], T]) -> T:
        then, error = self._failed.get(name, (float("-inf"), None))
        if error is not None and time.monotonic() - then < _FAILED_SECONDS:
            raise error.with_traceback(None)
        try:
            return make(name)
        except SeeSpotError as error:
            self._failed[name] = (time.monotonic(), error)
            raise

    def made(self, name: str) -> T | None:
        """Return a value that was made before; None where it was not."""
        return self._made.get(name)

    def retry(self) -> None:
        """Forget what failed: the next access tries again."""
        self._failed.clear()

    def __contains__(self, name: object) -> bool:
        return name in self._names  # Mapping's own would make the value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<{len(self)}: {', '.join(self._names)}; {len(self._made)} opened>"


def opened(images: Mapping[str, T], name: str) -> T | None:
    """Return an image if asking for it makes nobody wait; else None."""
    if isinstance(images, LazyMapping):
        return images.made(name)
    return images.get(name)


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset that a source offers, before it is opened.

    Attributes
    ----------
    name : str
        As the source calls it.
    uri : str
        What `open_dataset` takes.
    created : str or None
        Date and time as the source tells them.
    contents : tuple of str
        What is known to be in it: ``"spots"``, ``"images"``, ``"tiles"``.
    active : bool
        It is the one that a server serves now.
    """

    name: str
    uri: str
    created: str | None = None
    contents: tuple[str, ...] = ()
    active: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """One imaging round of one sample; immutable.

    Attributes
    ----------
    name, uri : str
        What it is called and where it came from.
    spots : Spots
    images : mapping of str to ChannelImage
        By channel, opened on first use; channels without spots come last.
    masks : mapping of str to ChannelImage
        Segmentations by name, opened on first use.
    ratios : DataFrame or None
        Dyes x channels; a row's maximum is 100.
    summary : DataFrame or None
        One row a channel, as the pipeline counted.
    round : str or None
    min_dist : str or None
        The de-duplication radius, in voxels, of the unmixed table that was read,
        of those in `min_dists`.
    notes : tuple of str
        What a user should know: ``"removed spots are unknown: ..."``.
    info : mapping
        What else the source knows (its manifest, for one).
    opened_with : mapping
        What `open_dataset` was told besides the address, and needs to be told again:
        ``{"min_dist": "5"}``. No credentials, and nothing that JSON cannot hold.
    server : str or None
        The address of the SeeSpot server that it came from; it may hold a password,
        and is never shown or saved.
    """

    name: str
    uri: str
    spots: Spots
    images: Mapping[str, ChannelImage] = field(default_factory=LazyMapping)
    masks: Mapping[str, ChannelImage] = field(default_factory=LazyMapping)
    ratios: pd.DataFrame | None = None
    summary: pd.DataFrame | None = None
    round: str | None = None
    min_dist: str | None = None
    min_dists: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    opened_with: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    server: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return (
            f"<Dataset {self.name}: {len(self.spots):,} spots, "
            f"channels {', '.join(self.channels) or 'none'}, {len(self.images)} images>"
        )

    @property
    def channels(self) -> list[str]:
        """The spot channels, sorted: ``["488", ...]``."""
        return list(self.spots.channels)

    @property
    def channel_pairs(self) -> list[tuple[str, str]]:
        """Each pair of spot channels once, in order."""
        return list(combinations(self.channels, 2))

    @property
    def genes(self) -> dict[str, str]:
        """The gene of each channel of which it is known."""
        return dict(self.spots.genes)

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """(z, y, x) of a voxel of level 0, in um, from the first readable image."""
        return self._voxel_size or DEFAULT_VOXEL_UM

    @property
    def voxel_size_known(self) -> bool:
        """Whether an image tells the voxel size; otherwise it is assumed."""
        return self._voxel_size is not None

    @cached_property
    def _voxel_size(self) -> tuple[float, float, float] | None:
        for images in (self.images, self.masks):
            for name in images:
                try:
                    z, y, x = images[name].scale
                except SeeSpotError:  # that channel is reported where it is shown
                    continue
                return (z, y, x)
        return None

    def label(self, channel: str) -> str:
        """Return a channel with its gene: ``"488 · Crh"``."""
        gene = self.spots.genes.get(channel)
        return f"{channel} · {gene}" if gene else channel

    def check_channel(self, channel: str) -> str:
        """Return the channel, or say which there are.

        Raises
        ------
        NotFoundError
            When the dataset has no spots in it.
        """
        if channel not in self.spots.channels:
            raise NotFoundError(
                f"there is no spot channel {channel!r}",
                where=self.name,
                expected=f"one of {', '.join(self.channels)}",
            )
        return channel

    def with_notes(self, *notes: str) -> Dataset:
        """Return the dataset with more notes."""
        return replace(self, notes=(*self.notes, *notes))
