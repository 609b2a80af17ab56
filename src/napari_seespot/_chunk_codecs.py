"""Blosc for zarr that looks at a frame before it decodes it.

Blosc believes a frame's header about its length: of a chunk that was cut off it reads
beyond the end, and the process dies. The arrays that are opened here have these codecs
in the place of zarr's, in shards too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numcodecs import Blosc  # type: ignore[import-untyped]  # it has no stubs
from zarr.codecs import BloscCodec, ShardingCodec

from napari_seespot._blosc_blocks import fault_of
from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

__all__ = ["with_checks"]


def _check(frame: Any) -> None:
    fault = fault_of(memoryview(frame).cast("B"))
    if fault is not None:
        raise ImageError(fault)


class CheckedBlosc(Blosc):  # type: ignore[misc]  # it has no stubs
    """Blosc of zarr's format 2."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a frame that is as long as it says."""
        _check(buf)
        return super().decode(buf, out)


class CheckedBloscCodec(BloscCodec):
    """Blosc of zarr's format 3."""

    async def _decode_single(
        self, chunk_bytes: Buffer, chunk_spec: ArraySpec
    ) -> Buffer:
        _check(chunk_bytes.as_numpy_array())
        return await super()._decode_single(chunk_bytes, chunk_spec)


def with_checks(metadata: Any) -> Any:
    """Return an array's metadata with codecs that do not crash.

    Parameters
    ----------
    metadata : zarr's ArrayV2Metadata or ArrayV3Metadata
    """
    if metadata.zarr_format == 3:
        codecs = _checked(metadata.codecs)
        return metadata if codecs is None else replace(metadata, codecs=codecs)
    filters = metadata.filters and tuple(map(_checked_2, metadata.filters))
    return replace(
        metadata, compressor=_checked_2(metadata.compressor), filters=filters
    )


def _checked_2(codec: Any) -> Any:
    if type(codec) is not Blosc:
        return codec
    config = codec.get_config()
    del config["id"]
    return CheckedBlosc(**config)


def _checked(codecs: Iterable[Any]) -> tuple[Any, ...] | None:
    """Return codecs of format 3, checked; None where nothing is to be changed."""
    done = tuple(map(_checked_3, codecs))
    return None if all(a is b for a, b in zip(done, codecs, strict=True)) else done


def _checked_3(codec: Any) -> Any:
    if isinstance(codec, ShardingCodec):
        inner = _checked(codec.codecs)
        return codec if inner is None else replace(codec, codecs=inner)
    if getattr(codec, "codec_name", None) == "numcodecs.blosc":
        return CheckedBloscCodec(typesize=1)  # a frame tells all that decoding needs
    if type(codec) is not BloscCodec:
        return codec
    return CheckedBloscCodec(
        typesize=codec.typesize,
        cname=codec.cname,
        clevel=codec.clevel,
        shuffle=codec.shuffle,
        blocksize=codec.blocksize,
    )
