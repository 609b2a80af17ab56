"""The tables of the sample: spots, their unmixing, and what sums them up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_seespot._sample_scene import Scene
    from napari_seespot._sample_spots import SpotColumns

__all__ = [
    "Verdicts",
    "unmix",
    "write_tables",
]

MIN_DIST = 3
ROUND = "4"
MIN_R = 0.25
MAX_DIST = 1.25

_FIRST = ("spot_id", "chan", "chan_spot_id", "cell_id", "round", "z", "y", "x")
_OVER_THRESHOLD = 32.0
_CHUNK = 500_000


class Verdicts(NamedTuple):
    """What the unmixing says about each detection, in the mixed table's order.

    Attributes
    ----------
    nearest : ndarray of int8
        The dye whose line lies nearest to the intensities.
    ratio : ndarray of float32
        Distance to the second-nearest line over the nearest; NaN with one dye.
    kept : ndarray of bool
        False where the same molecule was counted elsewhere.
    """

    nearest: NDArray[np.int8]
    ratio: NDArray[np.float32]
    kept: NDArray[np.bool_]


def unmix(scene: Scene, columns: SpotColumns) -> Verdicts:
    """Decide about each detection: which dye it is, and whether it stays.

    Of the detections of one molecule with the same nearest dye one is kept:
    the one in the dye's own channel, or else the brightest, which is thereby
    reassigned. The others are removed.
    """
    nearest, ratio = _nearest_dye(scene, columns)
    molecule, channel = scene.detections
    shape = (len(scene.molecules.dye), len(scene.channels))
    dye = np.full(shape, -1, dtype=np.int8)
    dye[molecule, channel] = nearest
    own = np.zeros(shape, dtype=np.float32)
    for i, name in enumerate(scene.channels):
        here = channel == i
        own[molecule[here], i] = columns.number(f"chan_{name}_intensity")[here]
    keep = np.zeros(shape, dtype=bool)
    for i in range(len(scene.channels)):
        found = dye == i
        rank = np.where(found, own, -np.inf)
        rank[found[:, i], i] = np.inf
        some = np.flatnonzero(found.any(axis=1))
        keep[some, rank[some].argmax(axis=1)] = True
    return Verdicts(nearest, ratio, keep[molecule, channel])


def _nearest_dye(
    scene: Scene, columns: SpotColumns
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Compare the distances from the dyes' lines through the origin."""
    ratios = scene.ratios.astype(np.float64)
    lines = ratios / np.linalg.norm(ratios, axis=1, keepdims=True)
    first = columns.floats.index(f"chan_{scene.channels[0]}_intensity")
    intensities = columns.blocks[1][first:]
    nearest = np.empty(columns.n, dtype=np.int8)
    ratio = np.full(columns.n, np.nan, dtype=np.float32)
    for start in range(0, columns.n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        spots = intensities[:, rows]
        squares = (spots**2).sum(axis=0) - (lines @ spots) ** 2
        distance = np.sqrt(np.maximum(squares, 1e-12))
        nearest[rows] = distance.argmin(axis=0)
        if len(lines) > 1:
            low, second = np.partition(distance, 1, axis=0)[:2]
            ratio[rows] = second / low
    return nearest, ratio


def write_tables(
    folder: Path,
    scene: Scene,
    columns: SpotColumns,
    genes: Mapping[str, str],
    volumes: NDArray[np.int64],
    centroids: NDArray[np.float64],
    step: Callable[[float, str], None],
) -> None:
    """Unmix the measured spots and write all tables of the unmixing's folder.

    Parameters
    ----------
    folder : Path
        ``image_spot_spectral_unmixing``; must exist.
    scene : Scene
    columns : SpotColumns
        Of the mixed table; afterwards only the kept rows are left.
    genes : mapping
        From channel to gene.
    volumes : ndarray of int64, shape (cells + 1,)
        Voxels by cell number.
    centroids : ndarray of float64, shape (n, 4)
        z, y, x, cell number.
    step : callable
        Called with a fraction and a message; may raise to stop.
    """
    verdicts = unmix(scene, columns)
    channel = scene.detections.channel
    np.savetxt(folder / "r4_ratios.txt", scene.ratios, fmt="%d", delimiter="\t")
    step(0.2, "Writing the mixed spots")
    over = _own_intensity(scene, columns) > _OVER_THRESHOLD
    _write_mixed(folder, scene, columns, over)
    everything = np.ones(columns.n, dtype=bool)
    cells = _CellByGene(scene, genes, volumes, centroids)
    cells.write(folder / "mixed_cell_by_gene.csv", columns, channel, everything)
    step(0.6, "Writing the unmixing's statistics")
    _write_statistics(folder, scene, verdicts, genes)
    columns.keep(verdicts.kept)
    dye = verdicts.nearest[verdicts.kept]
    with np.errstate(invalid="ignore"):  # r may be NaN, and then fails the gate
        valid = (columns.number("r") > MIN_R) & (columns.number("dist") < MAX_DIST)
    cells.write(folder / "unmixed_cell_by_gene.csv", columns, dye, valid)
    step(0.8, "Writing the unmixed spots")
    ratio = verdicts.ratio[verdicts.kept]
    kept_over = over[verdicts.kept]
    kept_channel = channel[verdicts.kept]
    _write_unmixed(folder, scene, columns, kept_over, valid, ratio, (kept_channel, dye))
    _write_log(folder, scene, verdicts)


def _own_intensity(scene: Scene, columns: SpotColumns) -> NDArray[np.float32]:
    channel = scene.detections.channel
    own = np.empty(columns.n, dtype=np.float32)
    for i, name in enumerate(scene.channels):
        here = channel == i
        own[here] = columns.number(f"chan_{name}_intensity")[here]
    return own


def _labels(names: tuple[str, ...], codes: NDArray[np.int8]) -> NDArray[np.object_]:
    """Return names by code; all rows share the same few str objects."""
    return np.array(names, dtype=object)[codes]


def _write_mixed(
    folder: Path, scene: Scene, columns: SpotColumns, over: NDArray[np.bool_]
) -> None:
    objects = np.empty((2, columns.n), dtype=object)
    objects[0] = _labels(scene.channels, scene.detections.channel)
    objects[1] = ROUND
    integers, floats = columns.blocks
    frame = _frame(
        (*_FIRST, *columns.floats, "over_thresh"),
        [
            (columns.integers, integers),
            (("chan", "round"), objects),
            (columns.floats, floats),
            (("over_thresh",), over[None]),
        ],
        # One table a channel was joined without renumbering.
        pd.Index(columns.integer("chan_spot_id") - 1),
    )
    frame.to_pickle(folder / f"mixed_spots_R{ROUND}.pkl", protocol=5)


def _write_unmixed(
    folder: Path,
    scene: Scene,
    columns: SpotColumns,
    over: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    ratio: NDArray[np.float32],
    codes: tuple[NDArray[np.int8], NDArray[np.int8]],
) -> None:
    columns.integer("spot_id")[:] = np.arange(1, columns.n + 1)
    objects = np.empty((3, columns.n), dtype=object)
    objects[0] = _labels(scene.channels, codes[0])
    objects[1] = ROUND
    objects[2] = _labels(scene.channels, codes[1])
    integers, floats = columns.blocks
    verdict_names = ("valid_spot", "dye_line_dist_ratio", "unmixed_chan")
    frame = _frame(
        (*_FIRST, *columns.floats, "over_thresh", *verdict_names),
        [
            (columns.integers, integers),
            (("chan", "round", "unmixed_chan"), objects),
            (columns.floats, floats),
            (("over_thresh", "valid_spot"), np.stack([over, valid])),
            (("dye_line_dist_ratio",), ratio[None]),
        ],
        pd.RangeIndex(columns.n),
    )
    name = f"unmixed_spots_R{ROUND}_minDist_{MIN_DIST}.pkl"
    frame.to_pickle(folder / name, protocol=5)


def _frame(
    order: tuple[str, ...],
    blocks: list[tuple[tuple[str, ...], NDArray[np.generic]]],
    index: pd.Index,
) -> pd.DataFrame:
    """Make a frame of 2-D blocks (columns, rows) without copying them."""
    names = pd.Index(order, dtype=object)
    try:
        # The stubs describe an older pandas.
        from pandas.api.internals import (  # type: ignore[import-not-found]
            create_dataframe_from_blocks,
        )
    except ImportError:  # pandas < 3: the same frame, one block a column
        pieces = {
            name: pd.Series(row, index=index, dtype=row.dtype, copy=False)
            for owned, block in blocks
            for name, row in zip(owned, block, strict=True)
        }
        frame = pd.DataFrame({name: pieces[name] for name in order}, copy=False)
        frame.columns = names
        return frame
    placed = [
        (block, names.get_indexer(pd.Index(owned, dtype=object)))
        for owned, block in blocks
    ]
    made: pd.DataFrame = create_dataframe_from_blocks(placed, index, names)
    return made


def _write_statistics(
    folder: Path, scene: Scene, verdicts: Verdicts, genes: Mapping[str, str]
) -> None:
    """Write the counts a dye, and for every mixed spot how it was ranked."""
    n = len(scene.channels)
    nearest, kept = verdicts.nearest, verdicts.kept
    moved = kept & (nearest != scene.detections.channel)
    pd.DataFrame(
        {
            "min_dist": float(MIN_DIST),
            "round": ROUND,
            "total_spots": np.bincount(nearest, minlength=n),
            "kept_spots": np.bincount(nearest[kept], minlength=n),
            "reassigned_spots": np.bincount(nearest[moved], minlength=n),
            "gene": [genes[name] for name in scene.channels],
            "channel": list(scene.channels),
        }
    ).to_csv(folder / f"round_{ROUND}_summary_stats.csv", index=False)
    pd.DataFrame({"dist_rank_1": nearest, "dist_r": verdicts.ratio}).to_csv(
        folder / "spot_unmixing_stats.csv"
    )


class _CellByGene:
    """Writes how many spots of each gene each cell has, and where they lie."""

    def __init__(
        self,
        scene: Scene,
        genes: Mapping[str, str],
        volumes: NDArray[np.int64],
        centroids: NDArray[np.float64],
    ) -> None:
        self._genes = np.array([genes[name] for name in scene.channels], dtype=object)
        self._volumes = volumes
        self._centroids = np.zeros((len(volumes), 3), dtype=np.int64)
        self._centroids[centroids[:, 3].astype(np.int64)] = centroids[:, :3]

    def write(
        self,
        path: Path,
        columns: SpotColumns,
        gene: NDArray[np.int8],
        rows: NDArray[np.bool_],
    ) -> None:
        cell_id = columns.integer("cell_id")
        parts = []
        for code, label in enumerate(self._genes):  # each alone, to need less memory
            chosen = np.flatnonzero(rows & (gene == code) & (cell_id > 0))
            spots = {axis: columns.integer(axis)[chosen] for axis in "zyx"}
            groups = pd.DataFrame(spots).groupby(cell_id[chosen])
            part = groups.median().add_suffix("_spots")
            part.insert(0, "spot_count", groups.size())
            part.insert(0, "gene", label)
            parts.append(part)
        table = pd.concat(parts).rename_axis("cell_id").reset_index()
        table = table.sort_values("cell_id", kind="stable", ignore_index=True)
        cell = table["cell_id"].to_numpy(dtype=np.int64)
        table.insert(2, "volume", self._volumes[cell])
        for i, axis in enumerate("zyx"):
            table[f"{axis}_centroid"] = self._centroids[cell, i]
        table.to_csv(path)


def _write_log(folder: Path, scene: Scene, verdicts: Verdicts) -> None:
    kept = int(verdicts.kept.sum())
    lines = [
        f"synthetic sample, seed {scene.seed}",
        f"mixed spots: {len(verdicts.kept)}",
        f"unmixed spots (min_dist {MIN_DIST}): {kept}",
    ]
    path = folder / f"round_{ROUND}_processing.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
