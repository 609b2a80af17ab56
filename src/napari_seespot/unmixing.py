"""The ratio matrix and what it says of a spot: dye lines, distances, residuals.

Row d of the matrix is dye d's *line* through the origin of intensity space:
its direction is how strongly the dye shows in each channel. A pure spot of the
dye lies on the line, twice as bright a spot twice as far out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.errors import RatiosError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "DyeLine",
    "dye_distances",
    "dye_lines",
    "line_distance_ratio",
    "parse_ratios",
    "residual",
    "what_if",
]

BLOCK_ROWS = 1 << 18
"""Rows that are worked on at once, so that millions need little extra memory."""


@dataclass(frozen=True)
class DyeLine:
    """A dye's line through the origin, as seen in the plot of two channels.

    Attributes
    ----------
    channel : str
        The channel of the dye.
    direction : (float, float)
        Along x and along y, of length 1.
    """

    channel: str
    direction: tuple[float, float]

    @property
    def dx(self) -> float:
        """How far the line goes along x."""
        return self.direction[0]

    @property
    def dy(self) -> float:
        """How far the line goes along y."""
        return self.direction[1]


def parse_ratios(text: str, channels: Sequence[str], where: object) -> pd.DataFrame:
    """Read the dyes x channels matrix of a ratios file.

    Parameters
    ----------
    text : str
        Numbers separated by white space, a line for each dye; decimals are
        allowed, blank lines and what follows a ``#`` are not looked at.
    channels : sequence of str
        The spot channels in sorted order, which is that of rows and columns.
    where : object
        The file or address, for messages.

    Returns
    -------
    DataFrame of float64
        Index `dye` and columns `channel`, both the spot channels.

    Raises
    ------
    RatiosError
        When the text is no matrix of numbers of at least 0 with a row and a
        column for each channel.
    """
    names = [str(channel) for channel in channels]
    expected = f"{len(names)} x {len(names)} numbers, a row and a column for each of "
    expected += f"{', '.join(names)}"
    rows = [
        _numbers(words, number, where, expected)
        for number, line in enumerate(text.splitlines(), 1)
        if (words := line.partition("#")[0].split())
    ]
    lengths = sorted({len(row) for row in rows})
    if len(rows) != len(names) or lengths != [len(names)]:
        shape = " or ".join(map(str, lengths)) or "0"
        raise RatiosError(
            f"the ratios are {len(rows)} x {shape} numbers",
            where=where,
            expected=expected,
        )
    return pd.DataFrame(
        np.array(rows, np.float64),
        index=pd.Index(names, name="dye"),
        columns=pd.Index(names, name="channel"),
    )


def _numbers(words: list[str], line: int, where: object, expected: str) -> list[float]:
    row = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = np.nan
        if not 0 <= value < np.inf:
            raise RatiosError(
                f"line {line} of the ratios holds {word!r}",
                where=where,
                expected=f"{expected}, each finite and not below 0",
            )
        row.append(value)
    return row


def dye_lines(ratios: pd.DataFrame | None, pair: tuple[str, str]) -> list[DyeLine]:
    """Return the lines on which pure spots of each dye lie, in one plot.

    Parameters
    ----------
    ratios : DataFrame, dyes x channels, or None
        None (a dataset without ratios) has no lines.
    pair : (str, str)
        The channels of x and y.

    Returns
    -------
    list of DyeLine
        One for each dye, in the matrix's order: the direction of dye d in the
        plot of channel a against b is (ratio[d, a], ratio[d, b]), scaled to
        length 1. A dye that shows in neither channel has no line there and is
        left out.

    Raises
    ------
    RatiosError
        When the ratios have no such channel, or a ratio is not a number.
    """
    if ratios is None:
        return []
    x_channel, y_channel = (str(channel) for channel in pair)
    matrix, dyes, channels = _matrix(ratios)
    columns = [_place(channels, name, "channel") for name in (x_channel, y_channel)]
    shown = matrix[:, columns]
    lengths = np.hypot(shown[:, 0], shown[:, 1])
    return [
        DyeLine(dye, (float(x / length), float(y / length)))
        for dye, (x, y), length in zip(dyes, shown, lengths, strict=True)
        if length > 0
    ]


def dye_distances(intensities: np.ndarray, ratios: pd.DataFrame) -> np.ndarray:
    """Return how far spots lie from each dye's line.

    The distance of v from the line through the origin with unit direction u is
    ``|v - (v . u) u|`` (the rejection of v from u, e.g. G. Strang,
    Introduction to Linear Algebra, "Projections"); it is perpendicular and in
    the unit of the intensities. This form, other than ``sqrt(v.v - (v.u)^2)``,
    loses no digits near the line.

    Parameters
    ----------
    intensities : ndarray, shape (n, n_channels)
        In the order of the columns of `ratios`.
    ratios : DataFrame, dyes x channels

    Returns
    -------
    ndarray of float64, shape (n, n_dyes)
        NaN where an intensity is not finite; inf for a dye whose ratios are all 0,
        which has no line.

    Raises
    ------
    RatiosError
        When `intensities` has another number of channels than `ratios`, or a
        ratio is not a number.
    """
    vectors, directions = _checked(intensities, ratios)
    distances = np.empty((len(vectors), len(directions)))
    for rows, block in _blocks(vectors):
        distances[rows] = _distances(block, directions)
    return distances


def line_distance_ratio(distances: np.ndarray) -> np.ndarray:
    """Return how clear it is which line is nearest.

    It is the distance to the second-nearest dye line over that to the nearest,
    which is what the column `dye_line_dist_ratio` of unmixed tables holds: 1
    between two lines, large near one.

    Parameters
    ----------
    distances : ndarray, shape (n, n_dyes)
        From `dye_distances`.

    Returns
    -------
    ndarray of float64, shape (n,)
        inf on a line; NaN where a distance is NaN, where both distances are 0,
        and where there are fewer than two lines.
    """
    distances = np.asarray(distances, np.float64)
    if distances.shape[1] < 2:
        return np.full(len(distances), np.nan)
    nearest = np.partition(distances, 1, axis=1)[:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(nearest[:, 1] / nearest[:, 0])
    # A dye without a line is no second-nearest one.
    ratio[np.isinf(nearest[:, 1]) | np.isnan(distances).any(axis=1)] = np.nan
    return ratio


def residual(intensity: np.ndarray, ratios: pd.DataFrame, dye: str) -> np.ndarray:
    """Return what is left of a spot when a dye's share is taken away.

    For intensities v and the dye's unit direction u it is ``v - (v . u) u``:
    the least-squares residual of explaining the spot by this dye alone (same
    source as `dye_distances`; its length is that distance).

    Parameters
    ----------
    intensity : ndarray, shape (n_channels,) or (n, n_channels)
        In the order of the columns of `ratios`.
    ratios : DataFrame, dyes x channels
    dye : str
        A row of `ratios`.

    Returns
    -------
    ndarray of float64
        Of the same shape; the intensity itself for a dye whose ratios are all
        0.

    Raises
    ------
    RatiosError
        When there is no such dye, the number of channels differs, or a ratio
        is not a number.
    """
    vectors, directions = _checked(np.atleast_2d(intensity), ratios)
    _, dyes, _ = _matrix(ratios)
    left = _rejection(vectors, directions[_place(dyes, str(dye), "dye")])
    return left.reshape(np.shape(intensity))


def what_if(intensities: np.ndarray, ratios: pd.DataFrame) -> np.ndarray:
    """Return the dye whose line is nearest: the verdict on distance alone.

    The rule is the minimum over dyes of `dye_distances`; it knows neither
    thresholds nor neighbouring spots, so it differs from the pipeline's
    verdict where these decided.

    Parameters
    ----------
    intensities : ndarray, shape (n, n_channels)
        In the order of the columns of `ratios`.
    ratios : DataFrame, dyes x channels

    Returns
    -------
    ndarray of int64, shape (n,)
        Row numbers of `ratios`; the first of equally near dyes; -1 where an
        intensity is not finite and where no dye has a line.

    Raises
    ------
    RatiosError
        As `dye_distances`.
    """
    vectors, directions = _checked(intensities, ratios)
    nearest = np.full(len(vectors), -1, np.int64)
    if len(directions) == 0:
        return nearest
    for rows, block in _blocks(vectors):
        distances = _distances(block, directions)
        least = distances.min(axis=1)
        nearest[rows] = np.where(np.isfinite(least), distances.argmin(axis=1), -1)
    return nearest


def _distances(vectors: np.ndarray, directions: np.ndarray) -> np.ndarray:
    distances = np.full((len(vectors), len(directions)), np.inf)
    for dye, direction in enumerate(directions):
        if direction.any():
            distances[:, dye] = np.linalg.norm(_rejection(vectors, direction), axis=1)
    distances[~np.isfinite(vectors).all(axis=1)] = np.nan
    return distances


def _rejection(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is NaN
        return np.asarray(vectors - (vectors @ direction)[:, None] * direction)


def _blocks(vectors: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for first in range(0, len(vectors), BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        yield rows, vectors[rows].astype(np.float64)


def _checked(
    intensities: np.ndarray, ratios: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return the intensities, and the unit direction of each dye (0: no line)."""
    matrix, _, channels = _matrix(ratios)
    vectors = np.asarray(intensities)
    if vectors.ndim != 2 or vectors.shape[1] != len(channels):
        raise RatiosError(
            f"the intensities have the shape {vectors.shape}",
            expected=f"a column for each channel of the ratios: {', '.join(channels)}",
        )
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return vectors, matrix / np.where(lengths > 0, lengths, 1.0)


def _matrix(ratios: pd.DataFrame) -> tuple[np.ndarray, list[str], list[str]]:
    """Return the numbers, the dyes and the channels of a ratio matrix."""
    try:
        matrix = ratios.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise RatiosError(
            "the ratios are not all numbers", expected="numbers, dyes x channels"
        ) from error
    if not np.isfinite(matrix).all():
        raise RatiosError("the ratios hold NaN or infinity", expected="finite numbers")
    return matrix, [str(dye) for dye in ratios.index], [str(c) for c in ratios.columns]


def _place(names: list[str], name: str, kind: str) -> int:
    if name not in names:
        raise RatiosError(
            f"the ratios have no {kind} {name!r}",
            expected=f"one of {', '.join(names)}",
        )
    return names.index(name)
