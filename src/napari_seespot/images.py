"""One channel's image: an OME-Zarr pyramid as lazy dask arrays.

Opening reads a few small documents, all of them at once, and no pixel. Each dask
chunk is one of zarr's; a chunk that cannot be read shows as fill value and is
recorded, so that it never takes the whole picture with it.

napari gives a multiscale layer one scale and one translate, those of level 0, and
takes the factors of the other levels from the shapes. With these it draws each level
at its place (measured with napari 0.9.2: 2-D pictures and 3-D volumes begin where
`ChannelImage.level_translates` says), as long as the shapes are quotients of the voxel
sizes; where they are not, `notes` say so. Only across the axis that is sliced it takes
the coarse plane ``round(z / factor)``, up to half a coarse plane after the one that
holds z. A layer with a level of its own (a crop, a 3-D volume) needs that level's entry
of `level_scales` and `level_translates`. napari's Labels layer refuses
``multiscale=True`` with one level: give it ``levels[0]``.

A plane of a dask array, ``levels[0][z]``, costs the blocks that hold it, since dask
hands slices on to the array. What it does not hand on reads whole chunks: slices with
a negative step, and several planes of one chunk in one ``dask.compute``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import dask.array as da
import numpy as np
from psygnal import Signal

from napari_seespot._addresses import StorageError, StorageOptions, normalize, redact
from napari_seespot._chunk_reader import reader
from napari_seespot._contrast import full_range, is_sane, robust_limits
from napari_seespot._level_array import LevelArray, read_region
from napari_seespot._ome_zarr import (
    is_format_3,
    next_keys,
    parse_pyramid,
    remember_format_3,
)
from napari_seespot._requests import reason
from napari_seespot._stores import ask_many, join
from napari_seespot._zarr_store import Folder, ReadStore
from napari_seespot.errors import ImageError
from napari_seespot.palette import channel_color, wavelength

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from napari_seespot._level_array import ChunkIndex
    from napari_seespot._ome_values import Triple
    from napari_seespot._ome_zarr import Pyramid
    from napari_seespot._requests import Answer

__all__ = ["ChannelImage", "StorageOptions", "open_channels", "read_region"]

Kind = Literal["image", "labels"]

# Level whose central chunk is blank is read whole for contrast up to this size.
_SMALL_LEVEL = 64 * 2**20


class ChannelImage:
    """The image of one channel, or a label mask, at several resolutions.

    Made by `open` or `open_channels`.

    Attributes
    ----------
    uri : str
    channel : str
    gene : str or None
    kind : str
        ``"image"`` or ``"labels"``.
    levels : list of dask.array.Array
        3-D (z, y, x), finest first, native byte order; chunks are zarr's.
    level_scales, level_translates : tuple of tuple of float
        (z, y, x) in um of each level: a voxel's size, and the centre of the first.
    notes : tuple of str
        What was assumed because the metadata do not tell it.
    chunk_failed : psygnal.Signal
        Emits (level, chunk index, message) when a chunk fails for the first time,
        on the thread that read it.
    """

    chunk_failed = Signal(int, tuple, str)

    def __init__(
        self,
        uri: str,
        pyramid: Pyramid,
        *,
        channel: str,
        gene: str | None = None,
        kind: Kind = "image",
        storage: StorageOptions | None = None,
    ) -> None:
        self.uri = uri
        self.channel = channel
        self.gene = gene
        self.kind: Kind = kind
        self.storage = storage
        self.pyramid = pyramid
        self._failures: dict[tuple[int, ChunkIndex], str] = {}
        self._lock = threading.Lock()
        self._contrast: tuple[float, float] | None = None
        self.folder = Folder(uri, storage, pyramid.levels[0].key)
        self._store = ReadStore(self.folder)
        self._arrays = tuple(
            LevelArray(self, number) for number in range(len(pyramid.levels))
        )
        self._check_types()
        self.notes = (*pyramid.notes, *self._assumed())
        self.levels = [self._lazy(array) for array in self._arrays]

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        return (
            f"<ChannelImage {self.name}: {shape} {self.dtype}, "
            f"{len(self.levels)} levels, {redact(self.uri)}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # so that dask.distributed can send it to a worker: no request is needed
        state = (self.channel, self.gene, self.kind, self.storage)
        return _rebuilt, (self.uri, self.pyramid, *state)

    @classmethod
    def open(
        cls,
        uri: str | os.PathLike[str],
        *,
        channel: str,
        gene: str | None = None,
        storage: StorageOptions | None = None,
        kind: Kind = "image",
    ) -> ChannelImage:
        """Open one image; no pixel is read.

        Parameters
        ----------
        uri : str or path
            A folder, ``s3://bucket/name`` or ``http(s)://host/path``.
        channel : str
            The channel that it shows, ``"488"``; the name of a mask.
        gene : str, optional
            Whose transcripts the channel shows.
        storage : StorageOptions, optional
        kind : str
            ``"image"``, or ``"labels"`` for a mask.

        Raises
        ------
        ImageError
            There is no such image, or its metadata make no sense.
        """
        genes = {} if gene is None else {channel: gene}
        images, errors = open_channels(
            {channel: uri}, genes=genes, storage=storage, kind=kind
        )
        if errors:
            raise errors[channel]
        return images[channel]

    # --- what it is

    @property
    def name(self) -> str:
        """What a layer of it is called: ``"488 · Crh"``."""
        return f"{self.channel} · {self.gene}" if self.gene else self.channel

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of level 0 along z, y, x."""
        return self._arrays[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a voxel, in native byte order."""
        return self._arrays[0].dtype

    @property
    def scale(self) -> Triple:
        """(z, y, x) size of a voxel of level 0, in um."""
        return self.pyramid.levels[0].scale

    @property
    def translate(self) -> Triple:
        """(z, y, x) of the centre of the first voxel of level 0, in um."""
        return self.pyramid.levels[0].translate

    @property
    def units(self) -> tuple[str, str, str]:
        """The unit of `scale` and `translate`, whatever the file's is."""
        return ("micrometer", "micrometer", "micrometer")

    @property
    def level_scales(self) -> tuple[Triple, ...]:
        """`scale` of each level."""
        return tuple(level.scale for level in self.pyramid.levels)

    @property
    def level_translates(self) -> tuple[Triple, ...]:
        """`translate` of each level."""
        return tuple(level.translate for level in self.pyramid.levels)

    @property
    def arrays(self) -> tuple[LevelArray, ...]:
        """The levels as what dask reads from: waiting, but without a graph."""
        return self._arrays

    # --- how to show it

    @property
    def colormap(self) -> str | None:
        """What napari takes as colormap: a colour from omero, or the channel's.

        ``"gray"`` where neither is known; None for labels.
        """
        if self.kind == "labels":
            return None
        if self.pyramid.color is not None:
            return self.pyramid.color
        return (
            "gray" if wavelength(self.channel) is None else channel_color(self.channel)
        )

    @property
    def contrast_limits(self) -> tuple[float, float] | None:
        """Where black ends and full colour begins; None for labels.

        omero's window if it is sane, else percentiles of the central chunk of the
        coarsest level, read on first use.
        """
        if self.kind == "labels":
            return None
        if self._contrast is None:
            window = self.pyramid.window
            if window is not None and is_sane(window, self.dtype):
                self._contrast = window
            else:
                return self._measured_contrast()
        return self._contrast

    def _measured_contrast(self) -> tuple[float, float]:
        array = self._arrays[-1]
        center = tuple(
            (n // 2) // c for n, c in zip(array.shape, array.chunks, strict=True)
        )
        limits = robust_limits(array[array.region_of(center)])
        whole = array.dtype.itemsize * int(np.prod(array.shape))
        if limits is None and whole <= _SMALL_LEVEL:
            limits = robust_limits(array[...])
        if limits is None:
            return full_range(array.dtype)  # not kept: a chunk may have failed
        self._contrast = limits
        return limits

    # --- failures

    @property
    def failures(self) -> set[tuple[int, ChunkIndex, str]]:
        """(level, (z, y, x) of the chunk, why) of chunks that could not be read."""
        with self._lock:
            return {(*where, why) for where, why in self._failures.items()}

    def has_failed(self, level: int, chunk: ChunkIndex) -> bool:
        """Whether this chunk is among the `failures`."""
        return (level, chunk) in self._failures

    def retry(self) -> None:
        """Forget the failures, so that a new read of these chunks asks again.

        Chunks that the store did not have are asked for again too.
        """
        self._store.forget()
        reader().forget(frozenset(array.token for array in self._arrays))
        with self._lock:
            self._failures.clear()

    def _read_failed(self, level: int, chunk: ChunkIndex, error: Exception) -> None:
        message = reason(error)
        with self._lock:
            known = (level, chunk) in self._failures
            self._failures[level, chunk] = message
        if not known:
            self.chunk_failed.emit(level, chunk, message)

    def _read_worked(self, level: int, chunk: ChunkIndex) -> None:
        if self._failures:
            with self._lock:
                self._failures.pop((level, chunk), None)

    # --- arrays

    def _assumed(self) -> Iterator[str]:
        """Yield what is assumed about how to show it."""
        if self._arrays[0].stored.fill_value is None:
            yield "the fill value is not told: absent chunks are shown as 0"
        if self._arrays[0].stored.dtype.kind == "b":
            yield "truth values are shown as 0 and 1"
        if self.kind == "labels":
            return
        told = "; ".join(self._assumed_looks())
        if told:
            yield told

    def _assumed_looks(self) -> Iterator[str]:
        window, measured = self.pyramid.window, "measured on the coarsest level"
        if window is None:
            yield f"contrast limits are not told: {measured}"
        elif not is_sane(window, self.dtype):
            low, high = window
            yield f"contrast limits {low:g} to {high:g} are nobody's choice: {measured}"
        if self.pyramid.color is None:
            known = wavelength(self.channel) is not None
            how = "taken from the wavelength" if known else "gray"
            yield f"the colour is not told: {how}"

    def _check_types(self) -> None:
        dtypes = {array.dtype for array in self._arrays}
        where = redact(self.uri)
        if len(dtypes) > 1:
            raise ImageError(
                f"the levels have the types {', '.join(sorted(map(str, dtypes)))}",
                where=where,
                expected="one type of voxel",
            )
        if self.dtype.kind not in "buif" or self.dtype.itemsize > 8:
            raise ImageError(
                f"the voxels are {self.dtype}", where=where, expected="real numbers"
            )
        if self.kind == "labels" and self.dtype.kind not in "bui":
            raise ImageError(
                f"the labels are {self.dtype}", where=where, expected="whole numbers"
            )

    def _lazy(self, array: LevelArray) -> da.Array:
        lazy: da.Array = da.from_array(  # type: ignore[no-untyped-call]  # dask has few
            array,
            chunks=array.chunks,
            name=f"seespot-{array.token}",
            lock=False,
            asarray=True,
            # dask hands slices on to arrays that take lists too: a plane asks for
            # the blocks that hold it, not for its chunks
            fancy=True,
            inline_array=True,
            meta=np.empty((0, 0, 0), dtype=array.dtype),
        )
        return lazy


def _rebuilt(
    uri: str,
    pyramid: Pyramid,
    channel: str,
    gene: str | None,
    kind: Kind,
    storage: StorageOptions | None,
) -> ChannelImage:
    return ChannelImage(
        uri, pyramid, channel=channel, gene=gene, kind=kind, storage=storage
    )


def open_channels(
    uris: Mapping[str, str | os.PathLike[str]],
    *,
    genes: Mapping[str, str] | None = None,
    storage: StorageOptions | None = None,
    kind: Kind = "image",
) -> tuple[dict[str, ChannelImage], dict[str, ImageError]]:
    """Open several images, all of their metadata at once.

    Parameters
    ----------
    uris : mapping of str to address
        By channel.
    genes : mapping of str to str, optional
        By channel.
    storage : StorageOptions, optional
    kind : str
        ``"image"`` or ``"labels"``.

    Returns
    -------
    images : dict of str to ChannelImage
        Those that could be opened.
    errors : dict of str to ImageError
        Why the others could not.
    """
    errors: dict[str, ImageError] = {}
    addresses: dict[str, str] = {}
    for channel, uri in uris.items():
        try:
            addresses[channel] = normalize(uri)
        except StorageError as error:
            errors[channel] = _as_image_error(error)
    found = _read_documents(addresses, storage, errors)
    images: dict[str, ChannelImage] = {}
    for channel, answers in found.items():
        try:
            images[channel] = ChannelImage(
                addresses[channel],
                parse_pyramid(addresses[channel], answers),
                channel=channel,
                gene=(genes or {}).get(channel),
                kind=kind,
                storage=storage,
            )
        except ImageError as error:
            errors[channel] = error
    return images, errors


def _as_image_error(error: StorageError) -> ImageError:
    return ImageError(
        error.found, where=error.where, expected=error.expected, hint=error.hint
    )


def _read_documents(
    addresses: Mapping[str, str],
    storage: StorageOptions | None,
    errors: dict[str, ImageError],
) -> dict[str, dict[str, Answer]]:
    """Ask for the documents of all images together, in as few rounds as it takes."""
    found: dict[str, dict[str, Answer]] = {channel: {} for channel in addresses}
    while found:
        wanted: dict[tuple[str, str], str] = {}
        for channel in list(found):
            try:
                address = addresses[channel]
                newer = is_format_3(address)
                keys = next_keys(found[channel], address, format_3=newer)
            except ImageError as error:
                errors[channel] = error
                del found[channel]
                continue
            wanted |= {(channel, key): join(addresses[channel], key) for key in keys}
        if not wanted:
            break
        answers = ask_many(dict.fromkeys(wanted.values()), storage)
        for (channel, key), address in wanted.items():
            found[channel][key] = answers[address]
            if key == "zarr.json" and answers[address].data is not None:
                remember_format_3(addresses[channel])
    return found
