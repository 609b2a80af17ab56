"""From counts to colours: hue tells the classes, lightness tells how many.

Colours are mixed in OKLab, where equal steps look equal and a mixture of two
hues has the hue between them (B. Ottosson, "A perceptual color space for image
processing", 2020, https://bottosson.github.io/posts/oklab/).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_seespot.coloring import gradient

__all__ = [
    "CountScale",
    "faded",
    "selection_shade",
    "shade_classes",
    "shade_counts",
    "shade_means",
    "strength",
]

CountScale = Literal["log", "linear"]

FADED = 0.12
"""Opacity of what is not highlighted, as on the image."""

LIGHTNESS = {True: (0.45, 0.95), False: (0.86, 0.36)}
"""OKLab lightness of one spot and of the fullest bin; on dark, on light."""

# Linear sRGB to cone responses, and their cube roots to L, a, b (Ottosson 2020).
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_FROM_CONES = np.linalg.inv(_TO_CONES)
_FROM_LAB = np.linalg.inv(_TO_LAB)


def strength(counts: np.ndarray, scale: CountScale) -> np.ndarray:
    """Return how full each bin is, 0 for one spot to 1 for the fullest bin.

    Empty bins get 0 as well; float32, same shape.
    """
    fullest = counts.max(initial=0)
    if fullest <= 1:
        return np.zeros(counts.shape, np.float32)
    filled = np.maximum(counts, 1).astype(np.float32)
    if scale == "log":
        return np.asarray(np.log(filled) / np.log(np.float32(fullest)))
    return np.asarray((filled - 1) / np.float32(fullest - 1))


def shade_counts(counts: np.ndarray, scale: CountScale, *, dark: bool) -> np.ndarray:
    """Return a picture of counts along a gradient.

    Parameters
    ----------
    counts : ndarray of int64, shape (lines, columns)
    scale : str
    dark : bool
        The background is dark: then few are dark and many are light.

    Returns
    -------
    ndarray of uint8, shape (lines, columns, 4)
        Empty bins are transparent.
    """
    steps = gradient() if dark else gradient()[::-1]
    # The gradient's ends would vanish against the background.
    place = 40 + strength(counts, scale) * 215
    picture = steps[place.astype(np.uint8)]
    picture[counts == 0] = 0
    return np.asarray(picture)


def shade_classes(
    counts: np.ndarray, colors: np.ndarray, scale: CountScale, *, dark: bool
) -> np.ndarray:
    """Return a picture of counts by class.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_classes, lines, columns)
    colors : ndarray of uint8, shape (n_classes, 4)
    scale : str
    dark : bool
        The background is dark.

    Returns
    -------
    ndarray of uint8, shape (lines, columns, 4)
        A bin's hue is the mean of the classes' colours weighted by their
        counts, its lightness follows the total; empty bins are transparent.
    """
    total = counts.sum(axis=0)
    picture = np.zeros((*total.shape, 4), np.uint8)
    filled = total > 0
    weights = (counts[:, filled] / total[filled]).T.astype(np.float32)
    lab = weights @ _to_oklab(colors[:, :3].astype(np.float32) / 255)
    few, many = LIGHTNESS[dark]
    lab[:, 0] = few + strength(total, scale)[filled] * (many - few)
    picture[filled, :3] = _from_oklab(lab)
    picture[filled, 3] = 255
    return picture


def shade_means(
    means: np.ndarray,
    counts: np.ndarray,
    table: np.ndarray,
    limits: tuple[float, float],
    scale: CountScale,
) -> np.ndarray:
    """Return a picture of a column's mean in each bin.

    Parameters
    ----------
    means : ndarray of float64, shape (lines, columns)
        NaN in bins of which no spot has a value: they are grey.
    counts : ndarray of int64, shape (lines, columns)
        Fuller bins are more opaque.
    table : ndarray of uint8, shape (256, 4)
        The gradient's colours.
    limits : (float, float)
        Values at the two ends of the gradient.
    scale : str

    Returns
    -------
    ndarray of uint8, shape (lines, columns, 4)
    """
    low, high = limits
    share = np.nan_to_num((means - low) / (high - low or 1.0))
    picture = table[(np.clip(share, 0, 1) * 255).astype(np.uint8)]
    picture[np.isnan(means)] = (128, 128, 128, 255)
    opacity = 110 + 145 * strength(counts, scale)
    picture[..., 3] = np.where(counts > 0, opacity, 0).astype(np.uint8)
    return picture


def faded(picture: np.ndarray, highlighted: np.ndarray | None = None) -> np.ndarray:
    """Return a picture that hardly shows, with another one on it that does.

    Parameters
    ----------
    picture, highlighted : ndarray of uint8, shape (lines, columns, 4)
    """
    result = picture.copy()
    result[..., 3] = result[..., 3] * FADED
    if highlighted is not None:
        shown = highlighted[..., 3] > 0
        result[shown] = highlighted[shown]
    return result


def selection_shade(selected: np.ndarray, total: np.ndarray, color: str) -> np.ndarray:
    """Return a tint over the bins that hold selected spots.

    Parameters
    ----------
    selected, total : ndarray of int64, shape (lines, columns)
        Selected and all spots of a bin.
    color : str
        ``#rrggbb``

    Returns
    -------
    ndarray of uint8, shape (lines, columns, 4)
        The tint is stronger where more of a bin is selected; an outline runs
        around the selected area.
    """
    held = selected > 0
    share = np.divide(selected, total, out=np.zeros(held.shape), where=total > 0)
    picture = np.zeros((*held.shape, 4), np.uint8)
    picture[..., :3] = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    picture[held, 3] = (40 + 60 * share[held]).astype(np.uint8)
    picture[_outline(held), 3] = 220
    return picture


def _outline(area: np.ndarray) -> np.ndarray:
    """Return the cells around an area.

    Gaps of a few cells, which are there by chance, have no outline.
    """
    closed = _eroded(_eroded(_dilated(_dilated(area))))
    return np.asarray(_dilated(closed) & ~closed & ~area)


def _dilated(area: np.ndarray) -> np.ndarray:
    padded = np.pad(area, 1)
    lines, columns = area.shape
    shifted = [padded[i : i + lines, j : j + columns] for i, j in np.ndindex(3, 3)]
    return np.asarray(np.logical_or.reduce(shifted))


def _eroded(area: np.ndarray) -> np.ndarray:
    return np.asarray(~_dilated(~area))


def _to_oklab(rgb: np.ndarray) -> np.ndarray:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T, np.float32)


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    """Return sRGB as uint8; what a screen cannot show loses chroma, not hue."""
    linear = _linear_rgb(lab)
    for _ in range(4):
        outside = ((linear < -1e-3) | (linear > 1 + 1e-3)).any(axis=1)
        if not outside.any():
            break
        lab[outside, 1:] *= np.float32(0.7)
        linear[outside] = _linear_rgb(lab[outside])
    linear = np.clip(linear, 0, 1)
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    rgb = np.where(linear <= 0.0031308, linear * 12.92, curved)
    return np.asarray(np.round(rgb * 255).astype(np.uint8))


def _linear_rgb(lab: np.ndarray) -> np.ndarray:
    return np.asarray((lab @ _FROM_LAB.T) ** 3 @ _FROM_CONES.T)
