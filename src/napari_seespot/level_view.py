"""A level of a pyramid as a layer holds it: lazy, and never keeping napari waiting.

napari's slicing gets at once what can be shown now (`Screen.picture`). Whoever else
reads a `LevelView` gets the true voxels and waits for them, as from any array.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._level_array import split_index

if TYPE_CHECKING:
    from napari_seespot._level_array import LevelArray, Region
    from napari_seespot.screen import Screen

__all__ = ["LevelView"]


class LevelView:
    """A level, or a part of one: lazy until it is an array.

    Parameters
    ----------
    screen : Screen
    array : LevelArray
    region : tuple of slice, optional
        Of the level; the whole by default.
    rest : tuple of int or slice, optional
        What to take of that region.
    """

    def __init__(
        self,
        screen: Screen,
        array: LevelArray,
        region: Region | None = None,
        rest: tuple[int | slice, ...] = (slice(None),) * 3,
    ) -> None:
        self._screen = screen
        self._array = array
        self._region = region or array.region
        self._rest = rest
        self.dtype = array.dtype
        sizes = [len(range(*s.indices(s.stop))) for s in self._region]
        self.shape = tuple(
            len(range(size)[part])
            for size, part in zip(sizes, rest, strict=True)
            if isinstance(part, slice)
        )

    def __repr__(self) -> str:
        return f"<LevelView {self.shape} of {self._array!r}>"

    @property
    def ndim(self) -> int:
        """How many axes are left."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many voxels."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """What they would take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        """Sizes of a chunk; None for a part of a level."""
        return self._array.chunks if self._region == self._array.region else None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: object) -> LevelView | np.ndarray[Any, Any]:
        """Return a part, lazily: integers, and slices without a step.

        Any other index is one of numpy's, on the true voxels.
        """
        plain = all(part == slice(None) for part in self._rest)
        if not plain or not _is_simple(key):
            whole: Any = self.compute()  # numpy judges the index
            return np.asarray(whole[key])
        sizes = (self.shape[0], self.shape[1], self.shape[2])
        inner, rest = split_index(key, sizes)
        z, y, x = (
            slice(outer.start + s.start, outer.start + s.stop)
            for outer, s in zip(self._region, inner, strict=True)
        )
        return LevelView(self._screen, self._array, (z, y, x), rest)

    def compute(self) -> np.ndarray[Any, Any]:
        """Return the true voxels; waits for them."""
        return self._array[self._region][self._rest]

    def __array__(
        self, dtype: Any = None, copy: bool | None = None
    ) -> np.ndarray[Any, Any]:
        asker = sys._getframe(1).f_globals.get("__name__", "")
        if asker.startswith("napari."):
            values = self._screen.picture(self._array, self._region)[self._rest]
        else:
            values = self.compute()
        return values if dtype is None else values.astype(dtype, copy=False)


def _is_simple(key: object) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is Ellipsis
        or (isinstance(part, slice) and part.step in (None, 1))
        or isinstance(part, (int, np.integer))
        for part in parts
    )
