"""How a level's chunks lie in their objects, where that is simple enough.

Simple is: one Blosc frame of items in C order, without filters and shards, as
nearly all OME-Zarr images are. Everything else is left to zarr.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import zarr

__all__ = ["ChunkLayout", "layout_of", "shown_as"]


@dataclass(frozen=True)
class ChunkLayout:
    """Where the planes of a chunk are in its decoded bytes.

    Attributes
    ----------
    dtype : numpy.dtype
        As it is stored, byte order included.
    chunks : tuple of int
        In storage order.
    axes : tuple of int or None
        Storage axis of z, y, x.
    """

    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    axes: tuple[int | None, int | None, int | None]

    @property
    def nbytes(self) -> int:
        """Bytes of a chunk, decoded; chunks at the edge are as large."""
        return self.dtype.itemsize * math.prod(self.chunks)

    @property
    def plane_bytes(self) -> int:
        """Bytes from one z plane to the next; 0 where a plane is not in one go."""
        z = self.axes[0]
        if z is None or self.chunks[z] == 1 or math.prod(self.chunks[:z]) > 1:
            return 0
        return self.nbytes // self.chunks[z]

    def unpacked(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Return decoded bytes as (z, y, x), native and contiguous.

        Parameters
        ----------
        data : bytes
            Whole planes, or the whole chunk.
        shape : tuple of int
            (z, y, x) to keep: what lies beyond the array's edge is cut off.
        """
        stored = list(self.chunks)
        if len(data) != self.nbytes and self.axes[0] is not None:
            stored[self.axes[0]] = len(data) // self.plane_bytes
        values = np.frombuffer(data, self.dtype).reshape(stored)
        kept = [axis for axis in self.axes if axis is not None]
        values = values[tuple(slice(None) if a in kept else 0 for a in _ndim(stored))]
        order = np.argsort(np.argsort(kept))
        values = values.transpose(tuple(order))
        for place, axis in enumerate(self.axes):
            if axis is None:
                values = np.expand_dims(values, place)
        values = values[tuple(slice(0, n) for n in shape)]
        out = np.ascontiguousarray(values, dtype=shown_as(self.dtype))
        if out.base is not None and out.nbytes < len(data):
            out = out.copy()  # a view would keep all of the bytes
        return out


def shown_as(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which voxels are given out: native, and no truth values.

    napari shows no image of truth values, and no labels.
    """
    return np.dtype("uint8") if stored.kind == "b" else stored.newbyteorder("=")


def _ndim(sizes: list[int]) -> range:
    return range(len(sizes))


def layout_of(
    stored: zarr.Array[Any], axes: tuple[int | None, ...]
) -> ChunkLayout | None:
    """Return the layout of an array's chunks; None where zarr has to read them."""
    metadata: Any = stored.metadata
    if metadata.zarr_format == 2:
        compressor = metadata.compressor
        plain = not metadata.filters and metadata.order == "C"
        if not plain or getattr(compressor, "codec_id", None) != "blosc":
            return None
        dtype = np.dtype(metadata.dtype.to_native_dtype())
    else:
        if not _is_one_frame(metadata.codecs):
            return None
        dtype = np.dtype(stored.dtype)
        endian = getattr(metadata.codecs[0].endian, "value", None)
        if endian is not None:
            dtype = dtype.newbyteorder(">" if endian == "big" else "<")
    if dtype.kind not in "buif":
        return None
    z, y, x = axes
    return ChunkLayout(dtype, tuple(stored.chunks), (z, y, x))


def _is_one_frame(codecs: tuple[Any, ...]) -> bool:
    from zarr.codecs import BloscCodec, BytesCodec

    kinds = (BytesCodec, BloscCodec)
    return len(codecs) == 2 and all(map(isinstance, codecs, kinds))
