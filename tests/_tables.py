"""Spot tables as the pipeline writes them, and pandas' own way to merge them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

CHANNELS = ("488", "514", "561", "594", "638")
GENES = {"488": "Crh", "514": "Penk", "561": "Ptprt", "594": "Pvalb", "638": "Sst"}
NAME = "HCR_700009_2025-05-08_14-00-00_processed_2025-05-17_22-15-31"
TABLES = "image_spot_spectral_unmixing"
TILES = ("Tile_X_0000_Y_0000_Z_0000", "Tile_X_0001_Y_0000_Z_0000")


def make_tables(
    n: int = 400,
    channels: tuple[str, ...] = CHANNELS,
    seed: int = 0,
    round_: str = "4",
    tile: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a mixed and an unmixed table with the real columns and dtypes."""
    rng = np.random.default_rng(seed)
    chan = np.sort(rng.choice(channels, n)).astype(object)
    mixed = pd.DataFrame({"spot_id": np.arange(1, n + 1)})
    mixed["chan"] = pd.Series(chan, dtype=object)
    mixed["chan_spot_id"] = mixed.groupby("chan").cumcount().to_numpy() + 1
    if tile is None:
        mixed["cell_id"] = rng.integers(0, 40, n)
    mixed["round"] = pd.Series([round_] * n, dtype=object)
    for axis, size in (("z", 60), ("y", 900), ("x", 1000)):
        mixed[axis] = rng.integers(0, size, n)
    for axis in "zyx":
        mixed[f"{axis}_center"] = rng.uniform(-1, 1, n)
    mixed["dist"] = rng.uniform(0, 1.7, n)
    mixed["r"] = np.where(rng.random(n) < 0.05, np.nan, rng.uniform(-0.2, 1, n))
    for channel in channels:
        mixed[f"chan_{channel}_bg"] = rng.uniform(90, 160, n)
        mixed[f"chan_{channel}_fg"] = rng.uniform(90, 900, n)
    for channel in channels:
        mixed[f"chan_{channel}_intensity"] = (
            mixed[f"chan_{channel}_fg"] - mixed[f"chan_{channel}_bg"]
        )
    if tile is not None:
        mixed["tile_name"] = pd.Series([tile] * n, dtype=object)
    mixed["over_thresh"] = rng.random(n) < 0.9

    kept = rng.random(n) < 2 / 3
    unmixed = mixed[kept].reset_index(drop=True)
    m = len(unmixed)
    unmixed["spot_id"] = rng.permutation(m) + 1  # each table numbers by itself
    unmixed["valid_spot"] = rng.random(m) < 0.4
    unmixed["dye_line_dist_ratio"] = rng.uniform(1, 9, m).astype(np.float32)
    moved = rng.random(m) < 0.2
    other = rng.choice(channels, m)
    unmixed["unmixed_chan"] = pd.Series(
        np.where(moved, other, unmixed["chan"].to_numpy(object)), dtype=object
    )
    return mixed, unmixed.sample(frac=1, random_state=seed).reset_index(drop=True)


def merged_by_pandas(mixed: pd.DataFrame, unmixed: pd.DataFrame) -> pd.DataFrame:
    """Return the left join, with `spot_id` 1..N in the mixed table's order."""
    verdict = ["chan", "chan_spot_id", "valid_spot", "dye_line_dist_ratio"]
    verdict.append("unmixed_chan")
    merged = mixed.drop(columns="spot_id").merge(
        unmixed[verdict], how="left", on=["chan", "chan_spot_id"], indicator=True
    )
    merged.insert(0, "spot_id", np.arange(1, len(merged) + 1))
    merged["unmixed_removed"] = merged.pop("_merge") == "left_only"
    for axis in "zyx":
        merged[axis] = merged[axis] + merged.pop(f"{axis}_center")
    status = np.where(
        merged["unmixed_chan"] == merged["chan"], "unchanged", "reassigned"
    )
    merged["status"] = np.where(merged["unmixed_removed"], "removed", status)
    return merged.drop(columns=[c for c in merged if c.endswith(("_fg", "_bg"))])


def ratios_text(channels: tuple[str, ...] = CHANNELS) -> str:
    """Return a ratios file."""
    n = len(channels)
    matrix = np.where(np.eye(n, dtype=bool), 100, 7 + np.arange(n)[:, None])
    return "\n".join("\t".join(map(str, row)) for row in matrix) + "\n"


def manifest_of(
    channels: tuple[str, ...] | None = CHANNELS, round_: object = 4
) -> dict:
    """Return a processing manifest."""
    genes = {c: {"gene": GENES.get(c, f"G{c}"), "round": 4} for c in channels or ()}
    manifest = {"round": round_, "gene_dict": genes, "tile_subset": []}
    if channels is not None:
        manifest["spot_channels"] = list(channels)
    return manifest


def summary_of(
    mixed: pd.DataFrame, unmixed: pd.DataFrame, radius: float
) -> pd.DataFrame:
    """Return summary statistics as the pipeline counts them."""
    total = mixed.groupby("chan").size()
    kept = unmixed.groupby("chan").size()
    moved = unmixed[unmixed["chan"] != unmixed["unmixed_chan"]].groupby("chan").size()
    return pd.DataFrame(
        {
            "min_dist": radius,
            "round": 4,
            "total_spots": total,
            "kept_spots": kept.reindex(total.index, fill_value=0),
            "reassigned_spots": moved.reindex(total.index, fill_value=0),
            "gene": [GENES.get(c, "") for c in total.index],
            "channel": total.index.astype(int),
        }
    )


def write_dataset(
    folder: Path,
    mixed: pd.DataFrame | None,
    unmixed: pd.DataFrame | None,
    *,
    channels: tuple[str, ...] = CHANNELS,
    manifest: dict | str | None = "default",
    manifest_place: str = "derived",
    ratios: str | None = "default",
    round_: str = "4",
    min_dists: tuple[str, ...] = ("3",),
) -> Path:
    """Write a dataset folder in the real layout; None leaves a part out."""
    tables = folder / TABLES
    tables.mkdir(parents=True)
    if mixed is not None:
        mixed.to_pickle(tables / f"mixed_spots_R{round_}.pkl")
    for place, radius in enumerate(min_dists):
        if unmixed is not None:
            # The larger the radius, the fewer spots are kept.
            part = unmixed.iloc[: len(unmixed) - 10 * place]
            part.to_pickle(tables / f"unmixed_spots_R{round_}_minDist_{radius}.pkl")
    if manifest is not None:
        content = manifest_of(channels) if manifest == "default" else manifest
        place = folder / manifest_place
        place.mkdir(exist_ok=True)
        (place / "processing_manifest.json").write_text(json.dumps(content))
    if ratios is not None:
        text = ratios_text(channels) if ratios == "default" else ratios
        (tables / f"r{round_}_ratios.txt").write_text(text)
    if mixed is not None and unmixed is not None:
        parts = [summary_of(mixed, unmixed, float(r)) for r in min_dists]
        summary = pd.concat(parts)
        summary.to_csv(tables / f"round_{round_}_summary_stats.csv", index=False)
    return folder


def write_tiled(folder: Path, n: int = 120, tiles: tuple[str, ...] = TILES) -> dict:
    """Write a tiled dataset; return each tile's mixed and unmixed table."""
    made = {}
    for seed, tile in enumerate(tiles):
        mixed, unmixed = make_tables(n, seed=seed, tile=tile)
        made[tile] = (mixed, unmixed)
        place = folder / TABLES / tile
        place.mkdir(parents=True)
        mixed.to_pickle(place / f"mixed_spots_R4_tile_{tile}.pkl")
        unmixed.to_pickle(place / f"unmixed_spots_R4_tile_{tile}_minDist_3.pkl")
        (place / f"r4_tile_{tile}_ratios.txt").write_text(ratios_text())
        summary = summary_of(mixed, unmixed, 3.0)
        summary.insert(2, "tile", tile)
        summary.to_csv(place / f"round_4_tile_{tile}_summary_stats.csv", index=False)
    (folder / "derived").mkdir()
    path = folder / "derived" / "processing_manifest.json"
    path.write_text(json.dumps(manifest_of()))
    return made


def by_id(spots) -> pd.DataFrame:
    """Return a dataset's spots in the order of `spot_id`, without categories."""
    table = spots.to_pandas().sort_values("spot_id").reset_index(drop=True)
    for name in table:
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            table[name] = table[name].astype(object)
    return table


def assert_same_spots(spots, expected: pd.DataFrame) -> None:
    """Compare a dataset's spots with a merged table, value by value."""
    got = by_id(spots)
    assert len(got) == len(expected)
    for name in expected:
        if name in ("unmixed_removed", "tile_name"):
            continue
        want = expected[name].reset_index(drop=True)
        null = want.isna()
        if name in ("chan", "unmixed_chan", "round", "status", "tile"):
            assert got[name].isna().equals(null), name
            assert list(got[name][~null]) == list(want[~null]), name
        elif name in ("valid_spot", "over_thresh"):
            assert (got[name].isna() == null).all(), name
            have, want = got[name][~null].astype(bool), want[~null].astype(bool)
            assert list(have) == list(want), name
        else:
            kind = got[name].dtype
            want = want.to_numpy(np.float64).astype(kind)
            np.testing.assert_array_equal(got[name].to_numpy(), want, err_msg=name)
    removed = expected["status"] == "removed"
    assert ((got["status"] == "removed") == removed).all()
