"""What is worth reading while nobody asks: where the view will probably go next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_seespot._chunk_reader import reader
from napari_seespot._level_geometry import covering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot._chunk_reader import Want
    from napari_seespot._level_array import LevelArray, Region
    from napari_seespot.view_buffer import ViewBuffer

__all__ = ["room_left", "wants_ahead"]

_MOST = 160  # chunks of one channel


def room_left(buffers: Sequence[ViewBuffer]) -> int:
    """Return the bytes of the cache that what is in view does not need.

    To read ahead more than that would push out what the next step in z finds in
    the cache.
    """
    needed = sum(_cost(buffer) * len(buffer.wants) for buffer in buffers)
    return max(reader().cache.limit - needed, 0)


def wants_ahead(buffer: ViewBuffer, direction: int, room: int) -> list[Want]:
    """Return what to read ahead of a plane, the nearest first.

    The next planes in the direction of travel that are not there, and the same
    plane of the next coarser level.

    Parameters
    ----------
    buffer : ViewBuffer
        What is in view; for a volume nothing is read ahead.
    direction : int
        1 or -1, along z.
    room : int
        Bytes that may be read.
    """
    region, array = buffer.region, buffer.array
    if region[0].stop - region[0].start != 1:
        return []
    wants = _next_planes(buffer, direction)
    levels = array.image.arrays
    if array.level + 1 < len(levels):
        coarser = levels[array.level + 1]
        wants += _unknown(coarser, covering(region, array.shape, coarser.shape))
    return wants[: min(_MOST, room // _cost(buffer))]


def _next_planes(buffer: ViewBuffer, direction: int) -> list[Want]:
    """Return the wants of the next plane that needs a request."""
    array, (planes, rows, columns) = buffer.array, buffer.region
    ahead = planes.start + direction * array.chunks[0]
    first = next(iter(buffer.wants.values()))
    piece = reader().known(first)
    if piece is not None:
        begin = array.region_of(first.chunk)[0].start + piece.first
        ahead = begin + len(piece.values) if direction > 0 else begin - 1
    if not 0 <= ahead < array.shape[0]:
        return []
    return _unknown(array, (slice(ahead, ahead + 1), rows, columns))


def _unknown(array: LevelArray, region: Region) -> list[Want]:
    shared = reader()
    return [
        want
        for want in shared.wants(array, region)
        if not want.failed and shared.known(want) is None
    ]


def _cost(buffer: ViewBuffer) -> int:
    """Return what a chunk of a view takes in the cache, in bytes.

    As much as those that are there: whole chunks, or single blocks. To ask for
    those counts them as used of late.
    """
    shared = reader()
    known = [shared.known(want) for want in buffer.wants.values()]
    sizes = [piece.nbytes for piece in known if piece is not None]
    if not sizes:
        return buffer.nbytes // len(buffer.wants)
    return max(sum(sizes) // len(sizes), 1)
