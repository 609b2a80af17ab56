"""The arrow keys on a picture: from one pixel that can be clicked to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_seespot.plots.marks import Cell, Picture

__all__ = ["next_cell"]


def next_cell(
    picture: Picture, shape: tuple[int, ...], here: Cell | None, across: int, up: int
) -> Cell | None:
    """Return the next pixel in a direction; the one in the middle to begin with.

    Parameters
    ----------
    picture : Picture
    shape : (int, int)
        Lines and columns.
    here : Cell or None
        Where one is.
    across, up : int
        The step: -1, 0 or 1.

    Returns
    -------
    Cell or None
        None where there is none in that direction.
    """
    if here is None:
        return _middle(picture, shape)
    (x0, x1), (y0, y1) = here.x, here.y
    line, column = _place(picture, shape, (x0 + x1) / 2, (y0 + y1) / 2)
    while True:
        line, column = line + up, column + across
        if not (0 <= line < shape[0] and 0 <= column < shape[1]):
            return None
        cell = picture.cell(line, column, shape)
        if cell is not None:
            return cell


def _middle(picture: Picture, shape: tuple[int, ...]) -> Cell | None:
    """Return the pixel next to the middle that can be clicked."""
    lines, columns = np.indices(shape[:2])
    away = np.hypot(lines - shape[0] / 2, columns - shape[1] / 2)
    for place in np.argsort(away, axis=None, kind="stable"):
        line, column = divmod(int(place), shape[1])
        cell = picture.cell(line, column, shape)
        if cell is not None:
            return cell
    return None


def _place(
    picture: Picture, shape: tuple[int, ...], x: float, y: float
) -> tuple[int, int]:
    (x0, x1), (y0, y1) = picture.x, picture.y
    return (
        int((y - y0) / (y1 - y0) * shape[0]),
        int((x - x0) / (x1 - x0) * shape[1]),
    )
