"""How long it takes to count what the docks Patterns, Maps and Summary show.

The baselines do the same with numpy's quantiles and histograms, pandas' group-by and
scipy's tree, in the same run, and find the same numbers.

Run ``python benchmarks/insights.py [n_spots]``.
"""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from _bench import RUNS, medians_ms, report
from _scene import VOXEL_UM, make_dataset
from scipy.spatial import cKDTree

from napari_seespot.maps import spatial_map
from napari_seespot.neighbours import nearest_rows
from napari_seespot.overview import overview
from napari_seespot.patterns import flow_distributions, share_by_column

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.dataset import Dataset
    from napari_seespot.spots import Spots

MEASURES = ("r", "dist", "dye_line_dist_ratio")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TILE_UM = 50.0
NEIGHBOURS, SAMPLED = 10, 15_000


def main(n: int) -> None:
    """Print one line for each of them."""
    dataset = make_dataset(n)
    spots = dataset.spots
    flows(spots)
    shares(spots)
    median_map(spots)
    neighbours(spots)
    pair(dataset)


def flows(spots: Spots) -> None:
    """Describe four measures of each flow and of the unchanged spots of its ends."""
    n, code = len(spots.channels), spots.code

    def baseline() -> pd.DataFrame:
        order = np.argsort(code, kind="stable")
        ends = np.searchsorted(code[order], np.arange(n * (n + 1) + 1))
        lines = []
        for a, b in itertools.permutations(range(n), 2):
            over, under = (spots.intensity(spots.channels[c]) for c in (b, a))
            for place in (a * (n + 1) + b, a * (n + 1) + a, b * (n + 1) + b):
                rows = order[ends[place] : ends[place + 1]]
                columns = [spots.column(name)[rows] for name in MEASURES]
                with np.errstate(divide="ignore", invalid="ignore"):
                    columns.append(over[rows].astype(np.float64) / under[rows])
                for column in columns:
                    values = column[np.isfinite(column)].astype(np.float64)
                    lines.append([values.mean(), *np.quantile(values, QUANTILES)])
        return pd.DataFrame(lines)

    numbers = ["mean", "q05", "q25", "q50", "q75", "q95"]
    found = flow_distributions(spots)[numbers].to_numpy()
    assert np.array_equal(found, baseline().to_numpy())
    compare("flow_distributions", lambda: flow_distributions(spots), baseline, spots)


def shares(spots: Spots) -> None:
    """Count shares by quantiles of r."""
    r, status = spots.column("r").astype(np.float64), spots.codes("status")

    def baseline() -> pd.Series:
        edges = np.quantile(r, np.linspace(0, 1, 11))
        place = np.clip(np.searchsorted(edges, r, "right") - 1, 0, 9)
        return pd.Series(status == 2).groupby(place).mean()

    found = share_by_column(spots, "r")
    assert np.allclose(found["removed"], baseline())
    compare("share_by_column", lambda: share_by_column(spots, "r"), baseline, spots)


def median_map(spots: Spots) -> None:
    """Find the median of r in tiles."""
    y, x = (
        spots.column(axis).astype(np.float64) * size
        for axis, size in zip("yx", VOXEL_UM[1:], strict=True)
    )
    r = spots.column("r").astype(np.float64)

    def baseline() -> pd.Series:
        tile = np.floor(y / TILE_UM) * 1e6 + np.floor(x / TILE_UM)
        return pd.Series(r).groupby(tile).median()

    def ours() -> np.ndarray:
        return spatial_map(spots, "median_r", VOXEL_UM, TILE_UM).values

    values = ours()
    assert np.array_equal(values[np.isfinite(values)], baseline())
    compare("map_median_r", ours, baseline, spots)


def neighbours(spots: Spots) -> None:
    """Find the nearest neighbours of 15,000 spots among all."""
    places = [
        spots.column(axis) * np.float32(size)
        for axis, size in zip("zyx", VOXEL_UM, strict=True)
    ]
    points = np.stack(places, axis=1)
    count = min(SAMPLED, len(points))
    asked = np.random.default_rng(0).choice(len(points), count, replace=False)

    def baseline() -> np.ndarray:
        tree = cKDTree(points, balanced_tree=False)
        return np.asarray(tree.query(points[asked], NEIGHBOURS + 1, workers=-1)[1])

    def ours() -> np.ndarray:
        return nearest_rows(points, asked, NEIGHBOURS)

    # Of equal distances, the tree chooses any.
    differ = (ours() != baseline()[:, 1:]).any(axis=1).mean()
    assert differ < 1e-3
    compare("nearest_neighbours", ours, baseline, spots)


def pair(dataset: Dataset) -> None:
    """Count statistics, picture and histograms of a channel pair, against numpy's."""
    spots = dataset.spots
    first, second = spots.channels[:2]
    columns = [spots.intensity(first), spots.intensity(second)]
    columns += [spots.column("r"), spots.column("dist")]
    status = spots.codes("status")

    def baseline() -> None:
        for values in columns:
            values.mean(dtype=np.float64)
        for code in range(3):
            rows = status == code
            np.histogram2d(columns[1][rows], columns[0][rows], bins=256)
            np.histogram(columns[2][rows], bins=30)
            np.histogram(columns[3][rows], bins=30)

    compare("overview", lambda: overview(dataset, (first, second)), baseline, spots)


def compare(
    name: str, ours: Callable[[], Any], baseline: Callable[[], Any], spots: Spots
) -> None:
    mine, plain = medians_ms([ours, baseline], runs=RUNS)
    report(name, mine, "ms", baseline=plain, n=len(spots))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
