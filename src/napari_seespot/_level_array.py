"""One level of a pyramid as an array-like (z, y, x): where dask gets its chunks."""

from __future__ import annotations

import hashlib
import json
import operator
import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_seespot._addresses import StorageOptions, join, kind_of, redact
from napari_seespot._chunk_layout import layout_of, shown_as
from napari_seespot._chunk_reader import reader
from napari_seespot._reading_pool import Urgency
from napari_seespot._requests import reason
from napari_seespot._zarr_store import array_from_document
from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    import zarr

    from napari_seespot._chunk_cache import Piece
    from napari_seespot._chunk_reader import Want
    from napari_seespot._reading_pool import Task
    from napari_seespot._requests import Span
    from napari_seespot.images import ChannelImage

__all__ = ["ChunkIndex", "LevelArray", "Region", "paste", "read_region", "split_index"]

Region: TypeAlias = tuple[slice, slice, slice]
ChunkIndex: TypeAlias = tuple[int, int, int]

# Blosc cannot hold more, and one chunk is decoded at once.
_MAX_CHUNK_BYTES = 2**31
_MAX_CHUNKS = 10_000_000

_AT_ONCE = 256  # chunks that one reading has on the way


class LevelArray:
    """One level as (z, y, x), in the way that dask reads from: by its slices.

    Parameters
    ----------
    image : ChannelImage
    level : int

    Attributes
    ----------
    stored : zarr.Array
        As it is stored: other axes, other order, other byte order.
    shape, chunks : tuple of int
        Along z, y, x.
    dtype : numpy.dtype
        In native byte order; uint8 where truth values are stored.
    token : str
        Equal for arrays that hold the same, also of two images.
    layout : ChunkLayout or None
        How a chunk lies in its object; None where only zarr knows.
    """

    ndim = 3

    def __init__(self, image: ChannelImage, level: int) -> None:
        self.image = image
        self.level = level
        self.stored = self._stored()
        names = [axis.name for axis in image.pyramid.axes]
        self.axes = tuple(names.index(n) if n in names else None for n in "zyx")
        self.shape = self._along_zyx(self.stored.shape)
        self.chunks = self._along_zyx(self.stored.chunks)
        self.dtype = shown_as(np.dtype(self.stored.dtype))
        self._check_chunks()
        self.token = self._identity()
        self.layout = layout_of(self.stored, self.axes)

    def __repr__(self) -> str:
        return f"<LevelArray {self.level} of {self.image!r}>"

    def _stored(self) -> zarr.Array[Any]:
        level = self.image.pyramid.levels[self.level]
        where = redact(join(self.image.uri, level.key))
        try:
            array = array_from_document(self.image._store, level.path, level.document)
            chunks = array.chunks
        except Exception as error:
            # zarr and numcodecs raise what they like for a document that they
            # cannot use, down to AttributeError
            raise ImageError(
                f"this array cannot be read: {reason(error)}",
                where=where,
                expected="an array that zarr 3 reads",
            ) from error
        if len(chunks) != len(level.shape) or not all(
            isinstance(n, int) and n > 0 for n in chunks
        ):
            raise ImageError(
                f"its chunks are {chunks}",
                where=where,
                expected=f"{len(level.shape)} sizes",
            )
        return array

    def _along_zyx(self, sizes: tuple[int, ...]) -> tuple[int, int, int]:
        z, y, x = (1 if axis is None else sizes[axis] for axis in self.axes)
        return (z, y, x)

    def _check_chunks(self) -> None:
        size = self.dtype.itemsize
        for length in self.stored.chunks:
            size *= length
        count = 1
        for length, chunk in zip(self.shape, self.chunks, strict=True):
            count *= -(-length // chunk)
        if size <= _MAX_CHUNK_BYTES and count <= _MAX_CHUNKS:
            return
        level = self.image.pyramid.levels[self.level]
        raise ImageError(
            f"it has {count:,} chunks of {size:,} bytes",
            where=redact(join(self.image.uri, level.key)),
            expected=f"at most {_MAX_CHUNKS:,} chunks of {_MAX_CHUNK_BYTES:,} bytes",
            hint="Write the image again with chunks of about 128 x 128 x 128 voxels",
        )

    def region_of(self, chunk: tuple[int, ...]) -> Region:
        """Return the voxels of a chunk."""
        z, y, x = (
            slice(i * c, min((i + 1) * c, n))
            for i, c, n in zip(chunk, self.chunks, self.shape, strict=True)
        )
        return (z, y, x)

    def shape_of(self, chunk: ChunkIndex) -> tuple[int, int, int]:
        """Return the voxels of a chunk along z, y, x."""
        z, y, x = (s.stop - s.start for s in self.region_of(chunk))
        return (z, y, x)

    @property
    def region(self) -> Region:
        """All voxels."""
        z, y, x = (slice(0, length) for length in self.shape)
        return (z, y, x)

    @property
    def is_local(self) -> bool:
        """Whether it lies in a folder of this machine."""
        return kind_of(self.image.uri) == "file"

    @property
    def fill_value(self) -> Any:
        """What a chunk holds that the store does not have."""
        value = self.stored.fill_value
        return self.dtype.type(0 if value is None else value)

    def _identity(self) -> str:
        level = self.image.pyramid.levels[self.level]
        told = json.dumps(level.document, sort_keys=True, default=str)
        storage = (self.image.storage or StorageOptions()).resolved()
        endpoint = str(storage.endpoint_url)
        # a folder that was written anew has other pixels under the same names
        written = _written(join(self.image.uri, level.key)) if self.is_local else ""
        identity = "\n".join([self.image.uri, endpoint, level.path, told, written])
        return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]

    # --- what the reader asks for

    def read_bytes(self, chunk: ChunkIndex, span: Span | None = None) -> bytes | None:
        """Return the bytes of a chunk's object, or of a span; None where absent."""
        coordinates = [0] * self.stored.ndim
        for axis, number in zip(self.axes, chunk, strict=True):
            if axis is not None:
                coordinates[axis] = number
        key = self.stored.metadata.encode_chunk_key(tuple(coordinates))
        path = self.image.pyramid.levels[self.level].path
        return self.image.folder.read_now(f"{path}/{key}" if path else key, span)

    def read_chunk(self, chunk: ChunkIndex) -> np.ndarray[Any, Any]:
        """Return a chunk as zarr reads it, (z, y, x)."""
        return read_region(self, self.region_of(chunk))

    # --- what others ask for

    def __getitem__(self, key: object) -> np.ndarray[Any, Any]:
        """Return voxels; integers, slices and lists of them, as dask asks for them.

        Waits until all of them are there. Chunks that cannot be read are fill
        value, and recorded.
        """
        if any(isinstance(part, list | np.ndarray) for part in _parts(key)):
            box, picked = _box_of(key, self.shape)
            return np.asarray(self[box][picked])
        region, rest = split_index(key, self.shape)
        wants = reader().wants(self, region)
        if len(wants) == 1:
            piece = self._pieces(wants)[0]
            return np.array(_part(self, wants[0], piece, region))[rest]
        out = np.empty([s.stop - s.start for s in region], dtype=self.dtype)
        for begin in range(0, len(wants), _AT_ONCE):
            some = wants[begin : begin + _AT_ONCE]
            for want, piece in zip(some, self._pieces(some), strict=True):
                paste(out, region, want, piece)
        return out[rest]

    def _pieces(self, wants: list[Want]) -> list[Piece | None]:
        """Return what holds each want; None for what cannot be read."""
        shared, owner = reader(), object()
        found = [shared.known(want) for want in wants]
        tasks = [
            shared.start(want, Urgency.NOW, owner) if piece is None else None
            for want, piece in zip(wants, found, strict=True)
        ]
        try:
            for place, task in enumerate(tasks):
                if task is not None:
                    task.wait()
                    found[place] = self.settle(wants[place], task)
        finally:
            shared.pool.drop(owner)
        return found

    def settle(self, want: Want, task: Task) -> Piece | None:
        """Return what a finished task brought; record where it failed."""
        if task.error is not None:
            self.image._read_failed(self.level, want.chunk, task.error)
            return None
        self.image._read_worked(self.level, want.chunk)
        piece: Piece = task.result
        return piece


def _written(path: str) -> str:
    try:
        return str(os.stat(path).st_mtime_ns)
    except OSError:  # reading it tells what is wrong
        return ""


def paste(
    out: np.ndarray[Any, Any], region: Region, want: Want, piece: Piece | None
) -> None:
    """Write what a piece has of a region into an array of that region."""
    array = want.array
    part = _common(region, array.region_of(want.chunk))
    z, y, x = (
        slice(p.start - s.start, p.stop - s.start)
        for p, s in zip(part, region, strict=True)
    )
    out[z, y, x] = _part(array, want, piece, part)


def _part(
    array: LevelArray, want: Want, piece: Piece | None, region: Region
) -> np.ndarray[Any, Any]:
    """Return the voxels of a region that lies in one chunk."""
    shape = [s.stop - s.start for s in region]
    if piece is None:
        return np.full(shape, array.fill_value, dtype=array.dtype)
    begin = [s.start for s in array.region_of(want.chunk)]
    begin[0] += piece.first
    z, y, x = (
        slice(s.start - b, s.stop - b) for s, b in zip(region, begin, strict=True)
    )
    return piece.values[z, y, x]


def read_region(array: LevelArray, region: Region) -> np.ndarray[Any, Any]:
    """Read voxels of one chunk with zarr, whatever its codec.

    Parameters
    ----------
    array : LevelArray
    region : tuple of slice
        Along z, y, x; with start and stop, without step, within one chunk.

    Returns
    -------
    numpy.ndarray
        (z, y, x), native byte order.

    Raises
    ------
    Exception
        Whatever the store or the codec raises.
    """
    selection: list[int | slice] = [0] * array.stored.ndim
    for axis, wanted in zip(array.axes, region, strict=True):
        if axis is not None:
            selection[axis] = wanted
    values = np.asarray(array.stored[tuple(selection)])
    kept = sorted(axis for axis in array.axes if axis is not None)
    order = [kept.index(axis) for axis in array.axes if axis is not None]
    values = values.transpose(order).reshape([s.stop - s.start for s in region])
    return np.ascontiguousarray(values, dtype=array.dtype)


def split_index(
    key: object, shape: tuple[int, int, int]
) -> tuple[Region, tuple[int | slice, ...]]:
    """Return the region that an index touches, and the index within it."""
    given = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in given:
        at = given.index(Ellipsis)
        given[at : at + 1] = [slice(None)] * (len(shape) - len(given) + 1)
    given += [slice(None)] * (len(shape) - len(given))
    region: list[slice] = []
    rest: list[int | slice] = []
    for wanted, length in zip(given, shape, strict=True):
        if isinstance(wanted, slice):
            steps = range(length)[wanted]
            low = min(steps[0], steps[-1]) if steps else 0
            high = max(steps[0], steps[-1]) + 1 if steps else 0
            region.append(slice(low, high))
            step = None if steps.step == 1 else steps.step
            rest.append(slice(None, None, step) if steps else slice(0))
        else:
            # what is no integer raises here, as it does in numpy
            number = range(length)[operator.index(wanted)]  # type: ignore[arg-type]
            region.append(slice(number, number + 1))
            rest.append(0)
    z, y, x = region
    return (z, y, x), tuple(rest)


def _parts(key: object) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _box_of(
    key: object, shape: tuple[int, int, int]
) -> tuple[tuple[slice, ...], tuple[Any, ...]]:
    """Return the box that an index with lists touches, and the index within it."""
    parts = list(_parts(key))
    if any(part is Ellipsis for part in parts):
        at = next(n for n, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    box, picked = [], []
    for part, length in zip(parts, shape, strict=False):
        if isinstance(part, slice):
            box.append(part)
            picked.append(slice(None))
            continue
        # numpy's own rules for what is negative, too large, or no number
        places = np.arange(length)[part]
        low = int(places.min()) if places.size else 0
        box.append(slice(low, int(places.max()) + 1 if places.size else 0))
        picked.append(places - low)
    return tuple(box), tuple(picked)


def _common(a: Region, b: Region) -> Region:
    z, y, x = (
        slice(max(s.start, t.start), min(s.stop, t.stop))
        for s, t in zip(a, b, strict=True)
    )
    return (z, y, x)
