"""One level of a pyramid as an array-like (z, y, x): where dask gets its chunks."""

from __future__ import annotations

import operator
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_seespot._addresses import join, redact
from napari_seespot._requests import reason
from napari_seespot._zarr_store import array_from_document
from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    import zarr

    from napari_seespot.images import ChannelImage

__all__ = ["ChunkIndex", "LevelArray", "Region", "read_region"]

Region: TypeAlias = tuple[slice, slice, slice]
ChunkIndex: TypeAlias = tuple[int, int, int]

# Blosc cannot hold more, and one chunk is decoded at once.
_MAX_CHUNK_BYTES = 2**31
_MAX_CHUNKS = 10_000_000


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
        In native byte order.
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
        self.dtype = np.dtype(self.stored.dtype).newbyteorder("=")
        self._check_chunks()

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

    def __getitem__(self, key: object) -> np.ndarray[Any, Any]:
        """Return voxels; integers and slices, as dask asks for them.

        Chunks that cannot be read are fill value, and recorded.
        """
        region, rest = _split_index(key, self.shape)
        pieces = [
            range(s.start // c, -(-s.stop // c))
            for s, c in zip(region, self.chunks, strict=True)
        ]
        chunks = [(z, y, x) for z, y, x in product(*pieces)]
        if len(chunks) == 1:
            return self._read(chunks[0], region)[rest]
        out = np.empty([s.stop - s.start for s in region], dtype=self.dtype)
        for chunk in chunks:
            part = _common(region, self.region_of(chunk))
            inner = tuple(
                slice(p.start - s.start, p.stop - s.start)
                for p, s in zip(part, region, strict=True)
            )
            out[inner] = self._read(chunk, part)
        return out[rest]

    def _read(self, chunk: ChunkIndex, region: Region) -> np.ndarray[Any, Any]:
        try:
            values = read_region(self, region)
        except Exception as error:  # noqa: BLE001
            # codecs and stores raise what they like, and one chunk must not take
            # the picture with it
            self.image._read_failed(self.level, chunk, error)
            shape = [s.stop - s.start for s in region]
            return np.full(shape, self._fill_value(), dtype=self.dtype)
        self.image._read_worked(self.level, chunk)
        return values

    def _fill_value(self) -> Any:
        value = self.stored.fill_value
        return 0 if value is None else value


def read_region(array: LevelArray, region: Region) -> np.ndarray[Any, Any]:
    """Read voxels of one chunk: the only place where pixels come from.

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


def _split_index(
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
            rest.append(slice(None, None, steps.step) if steps else slice(0))
        else:
            # what is no integer raises here, as it does in numpy
            number = range(length)[operator.index(wanted)]  # type: ignore[arg-type]
            region.append(slice(number, number + 1))
            rest.append(0)
    z, y, x = region
    return (z, y, x), tuple(rest)


def _common(a: Region, b: Region) -> Region:
    z, y, x = (
        slice(max(s.start, t.start), min(s.stop, t.stop))
        for s, t in zip(a, b, strict=True)
    )
    return (z, y, x)
