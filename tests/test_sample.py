from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import zarr

from napari_seespot import _sample_scene, sample
from napari_seespot.errors import CancelledError, SeeSpotError
from napari_seespot.sample import SAMPLE_NAME, make_sample, sample_folder

CHANNELS = ("488", "514", "561", "594", "638")
GENES = {"488": "Crh", "514": "Penk", "561": "Ptprt", "594": "Pvalb", "638": "Sst"}
N = 6_000
UNMIXING = "image_spot_spectral_unmixing"
FUSED = "image_tile_fusing/fused"


class Tables(NamedTuple):
    mixed: pd.DataFrame
    unmixed: pd.DataFrame
    merged: pd.DataFrame
    ratios: np.ndarray

    def intensities(self, frame: pd.DataFrame) -> np.ndarray:
        return frame[[f"chan_{c}_intensity" for c in CHANNELS]].to_numpy()


def read_tables(folder: Path) -> Tables:
    mixed = pd.read_pickle(folder / UNMIXING / "mixed_spots_R4.pkl")
    unmixed = pd.read_pickle(folder / UNMIXING / "unmixed_spots_R4_minDist_3.pkl")
    verdict = ["valid_spot", "dye_line_dist_ratio", "unmixed_chan"]
    key = ["chan", "chan_spot_id"]
    merged = mixed.merge(unmixed[key + verdict], on=key, how="left", validate="1:1")
    ratios = np.loadtxt(folder / UNMIXING / "r4_ratios.txt", ndmin=2)
    return Tables(mixed, unmixed, merged, ratios)


def read_level(folder: Path, channel: str, level: int = 0) -> np.ndarray:
    path = folder / FUSED / f"channel_{channel}.zarr" / str(level)
    return np.asarray(zarr.open_array(path, mode="r")[0, 0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_sample(tmp_path_factory.mktemp("sample") / "HCR_sample", N)


@pytest.fixture(scope="module")
def tables(folder) -> Tables:
    return read_tables(folder)


@pytest.fixture(scope="module")
def pictures(folder) -> dict[str, np.ndarray]:
    return {c: read_level(folder, c) for c in ("405", *CHANNELS)}


# --- layout ---------------------------------------------------------------------


def test_it_has_the_files_of_a_real_dataset(folder):
    here = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    plain = {p for p in here if ".zarr/" not in p}
    assert plain == {
        "derived/processing_manifest.json",
        "phase_correlation_stitching_neuroglancer.json",
        "cell_body_segmentation/cell_centroids.npy",
        f"{UNMIXING}/mixed_spots_R4.pkl",
        f"{UNMIXING}/unmixed_spots_R4_minDist_3.pkl",
        f"{UNMIXING}/r4_ratios.txt",
        f"{UNMIXING}/round_4_summary_stats.csv",
        f"{UNMIXING}/round_4_processing.log",
        f"{UNMIXING}/mixed_cell_by_gene.csv",
        f"{UNMIXING}/unmixed_cell_by_gene.csv",
        f"{UNMIXING}/spot_unmixing_stats.csv",
    }
    images = {p.name for p in (folder / FUSED).iterdir()}
    assert images == {f"channel_{c}.zarr" for c in ("405", *CHANNELS)}
    assert (folder / "cell_body_segmentation/segmentation_mask.zarr/.zattrs").is_file()
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_the_manifest_names_channels_genes_and_round(folder):
    manifest = json.loads((folder / "derived/processing_manifest.json").read_text())
    assert list(manifest) == [
        "segmentation_channels",
        "spot_channels",
        "round",
        "stitching_channels",
        "gene_dict",
        "tile_subset",
        "s3_location",
    ]
    assert manifest["spot_channels"] == list(CHANNELS)
    assert manifest["round"] == 4
    assert manifest["segmentation_channels"] == {"background": "405", "nuclear": None}
    genes = {c: entry["gene"] for c, entry in manifest["gene_dict"].items()}
    assert genes == {"405": "Rn28s", **GENES}
    assert manifest["gene_dict"]["514"] == {
        "gene": "Penk",
        "barcode": "B2",
        "fluorophore": "",
        "wavelength": "514,",
        "round": 4,
    }
    assert manifest["s3_location"].endswith(f"/{folder.name}")


def test_the_neuroglancer_state_shows_each_spot_channel(folder):
    path = folder / "phase_correlation_stitching_neuroglancer.json"
    state = json.loads(path.read_text())
    assert [layer["name"] for layer in state["layers"]] == [f"CH_{c}" for c in CHANNELS]
    source = state["layers"][0]["source"]
    assert source.startswith("zarr://s3://")
    assert source.endswith(f"{folder.name}/{FUSED}/channel_488.zarr")
    assert state["dimensions"]["x"] == [2.4e-07, "m"]


def test_the_tables_have_the_real_columns_and_types(tables):
    intensities = [f"chan_{c}_intensity" for c in CHANNELS]
    counts = [f"chan_{c}_{part}" for c in CHANNELS for part in ("bg", "fg")]
    first = ["spot_id", "chan", "chan_spot_id", "cell_id", "round", "z", "y", "x"]
    fitted = ["z_center", "y_center", "x_center", "dist", "r"]
    columns = [*first, *fitted, *counts, *intensities, "over_thresh"]
    verdict = ["valid_spot", "dye_line_dist_ratio", "unmixed_chan"]
    assert list(tables.mixed) == columns
    assert list(tables.unmixed) == columns + verdict
    for frame in (tables.mixed, tables.unmixed):
        assert frame.columns.dtype == object
        for name in ("spot_id", "chan_spot_id", "cell_id", "z", "y", "x"):
            assert frame[name].dtype == np.int64
        for name in (*fitted, *counts, *intensities):
            assert frame[name].dtype == np.float64
        assert frame["over_thresh"].dtype == bool
        assert frame["chan"].dtype == frame["round"].dtype == object
        assert {type(value) for value in frame["chan"]} == {str}
        assert set(frame["round"]) == {"4"}
    assert tables.unmixed["valid_spot"].dtype == bool
    assert tables.unmixed["dye_line_dist_ratio"].dtype == np.float32
    assert tables.unmixed["unmixed_chan"].dtype == object
    assert len(tables.mixed) == N


def test_the_pickles_are_of_protocol_5_and_repeat_no_text(folder, tables):
    path = folder / UNMIXING / "mixed_spots_R4.pkl"
    content = path.read_bytes()
    assert content[:2] == b"\x80\x05"
    assert content.count(b"488") < 20
    # 26 columns of eight bytes, the index, three of one or two.
    assert len(content) < N * (27 * 8 + 8) + 5_000
    assert len({id(value) for value in tables.mixed["chan"]}) == len(CHANNELS)


def test_channel_and_number_in_it_are_the_key(tables):
    mixed, unmixed = tables.mixed, tables.unmixed
    key = ["chan", "chan_spot_id"]
    assert not mixed.duplicated(key).any()
    assert not unmixed.duplicated(key).any()
    for frame in (mixed, unmixed):
        assert (frame["spot_id"] == np.arange(1, len(frame) + 1)).all()
    assert list(unmixed.index) == list(range(len(unmixed)))
    for _, spots in mixed.groupby("chan"):
        assert (spots["chan_spot_id"] == np.arange(1, len(spots) + 1)).all()
        assert list(spots.index) == list(range(len(spots)))
    shared = [c for c in mixed if c != "spot_id"]
    found = unmixed[key].merge(mixed, on=key, how="left")
    pd.testing.assert_frame_equal(
        found[shared], unmixed[shared], check_column_type=False
    )


# --- what the unmixing decided --------------------------------------------------


def nearest_dyes(tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    """Distances from the dyes' lines, by cross-checking projection with numpy."""
    spots = tables.intensities(tables.mixed)
    distances = []
    for row in tables.ratios:
        line = row / np.sqrt((row**2).sum())
        rest = spots - np.outer(spots @ line, line)
        distances.append(np.sqrt((rest**2).sum(axis=1)))
    distance = np.stack(distances)
    ranked = np.sort(distance, axis=0)
    return distance.argmin(axis=0), ranked[1] / ranked[0]


def test_the_shares_of_the_statuses_are_realistic(tables):
    removed = tables.merged["unmixed_chan"].isna()
    assert 0.28 < removed.mean() < 0.40
    unmixed = tables.unmixed
    assert 0.15 < (unmixed["unmixed_chan"] != unmixed["chan"]).mean() < 0.28
    assert 0.6 < unmixed["valid_spot"].mean() < 0.95
    assert 0.5 < tables.mixed["over_thresh"].mean() < 1
    assert set(unmixed["unmixed_chan"]) == set(CHANNELS)


def test_kept_spots_belong_to_the_nearest_dye_line(tables, folder):
    nearest, ratio = nearest_dyes(tables)
    names = np.array(CHANNELS, dtype=object)[nearest]
    kept = tables.merged["unmixed_chan"].notna().to_numpy()
    assert (tables.merged["unmixed_chan"][kept] == names[kept]).all()
    found = tables.merged["dye_line_dist_ratio"].to_numpy()
    np.testing.assert_allclose(found[kept], ratio[kept], rtol=1e-3)
    statistics = pd.read_csv(folder / UNMIXING / "spot_unmixing_stats.csv", index_col=0)
    assert list(statistics) == ["dist_rank_1", "dist_r"]
    assert (statistics["dist_rank_1"] == nearest).all()
    np.testing.assert_allclose(statistics["dist_r"], ratio, rtol=1e-3)


def test_each_removed_spot_has_a_kept_one_of_its_dye_at_its_place(tables):
    nearest, _ = nearest_dyes(tables)
    mixed = tables.mixed
    place = np.stack([mixed[a] + mixed[f"{a}_center"] for a in "zyx"], axis=1)
    kept = tables.merged["unmixed_chan"].notna().to_numpy()
    for dye in range(len(CHANNELS)):
        gone = place[(nearest == dye) & ~kept]
        left = place[(nearest == dye) & kept]
        squares = ((gone[:, None] - left[None]) ** 2).sum(axis=2)
        assert (np.sqrt(squares.min(axis=1)) < 3).all()


def test_where_a_dye_has_its_own_detection_that_one_is_kept(tables):
    nearest, _ = nearest_dyes(tables)
    own = np.array(CHANNELS, dtype=object)[nearest] == tables.merged["chan"]
    assert tables.merged.loc[own, "unmixed_chan"].notna().all()


def test_valid_spots_pass_the_quality_gates(tables):
    spots = tables.unmixed
    passes = (spots["r"] > 0.25) & (spots["dist"] < 1.25)
    assert (spots["valid_spot"] == passes).all()
    r = tables.mixed["r"]
    assert 0 < r.isna().sum() < 0.02 * N
    assert r.min() < 0 < r.max() < 1
    assert r.min() > -1
    offsets = tables.mixed[["z_center", "y_center", "x_center"]].to_numpy()
    np.testing.assert_allclose(
        tables.mixed["dist"], np.sqrt((offsets**2).sum(axis=1)), rtol=1e-4
    )


def test_the_ratios_have_100_on_the_diagonal(folder, tables):
    assert (np.diag(tables.ratios) == 100).all()
    assert (tables.ratios.argmax(axis=1) == np.arange(5)).all()
    lines = (folder / UNMIXING / "r4_ratios.txt").read_text().splitlines()
    assert [len(line.split("\t")) for line in lines] == [5] * 5


def test_the_summary_counts_what_the_tables_hold(folder, tables):
    summary = pd.read_csv(folder / UNMIXING / "round_4_summary_stats.csv")
    nearest, _ = nearest_dyes(tables)
    dye = pd.Series(np.array(CHANNELS, dtype=object)[nearest])
    spots = tables.unmixed
    moved = spots[spots["unmixed_chan"] != spots["chan"]]
    expected = pd.DataFrame(
        {
            "min_dist": 3.0,
            "round": 4,
            "total_spots": dye.groupby(dye).size(),
            "kept_spots": spots.groupby("unmixed_chan").size(),
            "reassigned_spots": moved.groupby("unmixed_chan").size(),
            "gene": pd.Series(GENES),
        }
    )
    expected["channel"] = expected.index.astype(int)
    pd.testing.assert_frame_equal(
        summary, expected.reset_index(drop=True), check_dtype=False
    )
    assert summary["total_spots"].sum() == N


@pytest.mark.parametrize("name", ["mixed", "unmixed"])
def test_the_cells_genes_are_counted_as_in_the_tables(folder, tables, name):
    found = pd.read_csv(folder / UNMIXING / f"{name}_cell_by_gene.csv", index_col=0)
    if name == "mixed":
        spots, by = tables.mixed, "chan"
    else:
        spots = tables.unmixed[tables.unmixed["valid_spot"]]
        by = "unmixed_chan"
    groups = spots[spots["cell_id"] > 0].groupby(["cell_id", by])[["z", "y", "x"]]
    middle = groups.median().add_suffix("_spots")
    expected = groups.size().rename("spot_count").to_frame().join(middle)
    expected = expected.reset_index()
    expected["gene"] = expected[by].map(GENES)
    columns = ["cell_id", "gene", "spot_count", "z_spots", "y_spots", "x_spots"]
    pd.testing.assert_frame_equal(found[columns], expected[columns], check_dtype=False)
    assert list(found)[:3] == ["cell_id", "gene", "volume"]
    assert list(found)[-3:] == ["z_centroid", "y_centroid", "x_centroid"]
    mask = read_mask(folder)
    volumes = np.bincount(mask.ravel())
    assert (found["volume"] == volumes[found["cell_id"]]).all()


# --- images ---------------------------------------------------------------------


def read_mask(folder: Path) -> np.ndarray:
    path = folder / "cell_body_segmentation/segmentation_mask.zarr/0"
    return np.asarray(zarr.open_array(path, mode="r")[0, 0])


def test_the_pyramids_are_ome_zarr_of_the_real_layout(folder, pictures):
    for place, channel in enumerate(("405", *CHANNELS)):
        path = folder / FUSED / f"channel_{channel}.zarr"
        assert json.loads((path / ".zgroup").read_text()) == {"zarr_format": 2}
        attributes = json.loads((path / ".zattrs").read_text())
        scales = attributes["multiscales"][0]
        assert scales["version"] == "0.4"
        assert scales["type"] == "windowed_mean"
        assert [axis["name"] for axis in scales["axes"]] == list("tczyx")
        assert scales["axes"][4]["unit"] == "micrometer"
        datasets = scales["datasets"]
        assert len(datasets) >= 4
        for level, dataset in enumerate(datasets):
            check_level(path / dataset["path"], level, dataset)
        omero = attributes["omero"]
        assert omero["id"] == place
        shown = omero["channels"][0]
        assert shown["label"] == f"Channel:channel_{channel}.zarr:0"
        assert len(shown["color"]) == 6
        low, high = shown["window"]["start"], shown["window"]["end"]
        values = pictures[channel]
        assert (shown["window"]["min"], shown["window"]["max"]) == (0, 65535)
        assert np.percentile(values, 0.5) <= low < np.median(values)
        assert np.percentile(values, 97) < high < values.max()


def check_level(path: Path, level: int, dataset: dict) -> None:
    array = json.loads((path / ".zarray").read_text())
    shape = [1, 1, 64 >> level, 256 >> level, 256 >> level]
    assert array["shape"] == shape
    assert array["chunks"] == [1, 1, *(min(128, size) for size in shape[2:])]
    assert array["dtype"] == "<u2"
    assert array["dimension_separator"] == "/"
    assert (array["zarr_format"], array["order"]) == (2, "C")
    assert (array["fill_value"], array["filters"]) == (0, None)
    compressor = array["compressor"]
    assert (compressor["id"], compressor["cname"]) == ("blosc", "zstd")
    transforms = dataset["coordinateTransformations"]
    voxel, factor = np.array([1.0, 0.24, 0.24]), 2**level
    np.testing.assert_allclose(transforms[0]["scale"], [1, 1, *(voxel * factor)])
    if level == 0:
        assert len(transforms) == 1
    else:
        half = voxel * (factor - 1) / 2
        np.testing.assert_allclose(transforms[1]["translation"], [0, 0, *half])


def test_coarser_levels_are_means_of_eight(folder, pictures):
    fine = pictures["561"].astype(float)
    for level in (1, 2, 3):
        z, y, x = (size // 2 for size in fine.shape)
        mean = fine.reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5))
        coarse = read_level(folder, "561", level)
        assert np.abs(coarse - mean).max() <= 0.5
        fine = coarse.astype(float)


def ball_means(picture: np.ndarray, voxels: np.ndarray, radius: int) -> np.ndarray:
    steps = range(-radius, radius + 1)
    inside = [
        np.array(step)
        for step in itertools.product(steps, repeat=3)
        if sum(s * s for s in step) <= radius**2
    ]
    return np.mean([picture[tuple((voxels + step).T)] for step in inside], axis=0)


def test_the_tables_foreground_is_in_the_pixels(tables, pictures):
    voxels = tables.mixed[["z", "y", "x"]].to_numpy()
    for channel in CHANNELS:
        mean = ball_means(pictures[channel], voxels, 3)
        np.testing.assert_allclose(mean, tables.mixed[f"chan_{channel}_fg"], rtol=1e-4)
        fg, bg = (tables.mixed[f"chan_{channel}_{part}"] for part in ("fg", "bg"))
        assert (tables.mixed[f"chan_{channel}_intensity"] == fg - bg).all()


def test_detected_spots_are_bright_where_they_lie(tables, pictures):
    for channel in CHANNELS:
        spots = tables.mixed[tables.mixed["chan"] == channel]
        fitted = [spots[a] + spots[f"{a}_center"] for a in "zyx"]
        voxels = np.rint(np.stack(fitted, axis=1)).astype(int)
        picture = pictures[channel]
        centre = ball_means(picture, voxels, 1)
        around = np.median(
            [ball_means(picture, voxels + shift, 1) for shift in 5 * unit_steps()],
            axis=0,
        )
        assert (centre > around + 20).mean() > 0.95
        assert np.median(centre - around) > 150


def unit_steps() -> np.ndarray:
    return np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])


def test_fitted_centres_are_where_the_light_is(tables, pictures):
    """The centre of mass, weighted by light, follows the sub-voxel offset."""
    channel = "638"  # of the longest wavelength, with the fewest neighbours
    spots = tables.mixed[tables.mixed["chan"] == channel]
    spots = spots[spots["dist"] < 1.2]
    voxels = spots[["z", "y", "x"]].to_numpy()
    steps = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    light = np.stack([pictures[channel][tuple((voxels + s).T)] for s in steps])
    light = np.clip(light - spots[f"chan_{channel}_bg"].to_numpy(), 0, None)
    for axis, name in enumerate("zyx"):
        mean = (light * steps[:, axis, None]).sum(axis=0) / light.sum(axis=0)
        assert np.corrcoef(mean, spots[f"{name}_center"])[0, 1] > 0.6


def test_bleed_through_in_the_pixels_follows_the_ratios(tables):
    spots = tables.unmixed[tables.unmixed["dye_line_dist_ratio"] > 4]
    values = tables.intensities(spots)
    for dye, channel in enumerate(CHANNELS):
        mine = values[(spots["unmixed_chan"] == channel) & (spots["chan"] == channel)]
        share = np.median(mine / mine[:, [dye]], axis=0) * 100
        np.testing.assert_allclose(share, tables.ratios[dye], atol=8)


def test_the_background_channel_shows_cells_but_no_spots(folder, tables, pictures):
    mask = read_mask(folder)
    picture = pictures["405"]
    assert picture[mask > 0].mean() > 1.5 * picture[mask == 0].mean()
    spots = tables.mixed[tables.mixed["cell_id"] == 0]
    voxels = spots[["z", "y", "x"]].to_numpy()
    beside = ball_means(picture, voxels, 1)
    assert abs(np.median(beside) / np.median(picture[mask == 0]) - 1) < 0.1


def test_the_backgrounds_noise_is_that_of_counted_light(folder, pictures):
    outside = read_mask(folder) == 0
    for channel in CHANNELS:
        picture = pictures[channel].astype(float)
        steps = (picture[:, :, 1:] - picture[:, :, :-1])[outside[:, :, 1:]]
        # A robust deviation: spots outside of cells are few, but bright.
        deviation = np.median(np.abs(steps)) / 0.6745 / np.sqrt(2)
        assert 0.6 < deviation**2 / np.median(picture[outside]) < 1.2


def test_cells_agree_between_mask_tables_and_centroids(folder, tables):
    mask = read_mask(folder)
    assert mask.dtype == np.uint32
    mixed = tables.mixed
    assert (mask[mixed["z"], mixed["y"], mixed["x"]] == mixed["cell_id"]).all()
    assert 0.85 < (mixed["cell_id"] > 0).mean() < 1
    centroids = np.load(folder / "cell_body_segmentation/cell_centroids.npy")
    assert centroids.dtype == np.float64
    assert set(centroids[:, 3]) == set(np.unique(mask)) - {0}
    for z, y, x, number in centroids[:5]:
        places = np.nonzero(mask == number)
        np.testing.assert_allclose([z, y, x], [place.mean() for place in places])
    attributes = folder / "cell_body_segmentation/segmentation_mask.zarr/.zattrs"
    scales = json.loads(attributes.read_text())["multiscales"][0]
    assert scales["type"] == "nearest"
    assert len(scales["datasets"]) == 1


def test_cells_express_some_genes_more_than_others(tables):
    counts = pd.crosstab(tables.unmixed["cell_id"], tables.unmixed["unmixed_chan"])
    counts = counts[(counts.index > 0) & (counts.sum(axis=1) > 20)]
    top = counts.max(axis=1) / counts.sum(axis=1)
    assert top.median() > 0.5
    assert len(set(counts.idxmax(axis=1))) == 5


# --- arguments ------------------------------------------------------------------


def all_bytes(folder: Path, pattern: str) -> dict[str, bytes]:
    files = (p for p in sorted(folder.rglob(pattern)) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_the_seed_decides_every_byte(tmp_path):
    first = make_sample(tmp_path / "a" / "name", 300, seed=5)
    again = make_sample(tmp_path / "b" / "name", 300, seed=5)
    assert all_bytes(first, "*") == all_bytes(again, "*")
    other = make_sample(tmp_path / "c" / "name", 300, seed=6)
    tables, others = (all_bytes(f / UNMIXING, "*.pkl") for f in (first, other))
    assert tables.keys() == others.keys()
    assert all(tables[name] != others[name] for name in tables)


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("n_spots", [0, 1, 10])
def test_few_spots_give_a_whole_dataset(tmp_path, n_spots, images, tables):
    folder = make_sample(tmp_path / "few", n_spots, images=images)
    few = read_tables(folder)
    assert len(few.mixed) == n_spots
    assert len(few.unmixed) <= n_spots
    assert (len(few.unmixed) > 0) == (n_spots > 0)
    for name in ("mixed", "unmixed"):
        frame, usual = getattr(few, name), getattr(tables, name)
        assert (frame.dtypes == usual.dtypes).all()
    summary = pd.read_csv(folder / UNMIXING / "round_4_summary_stats.csv")
    assert summary["total_spots"].sum() == n_spots
    assert summary["kept_spots"].sum() == len(few.unmixed)
    assert len(pd.read_csv(folder / UNMIXING / "spot_unmixing_stats.csv")) == n_spots
    cells = pd.read_csv(folder / UNMIXING / "mixed_cell_by_gene.csv", index_col=0)
    assert cells["spot_count"].sum() == (few.mixed["cell_id"] > 0).sum()


@pytest.mark.parametrize("channels", [("594", "514"), ("638",), ("488", "532", "750")])
def test_other_channels(tmp_path, channels):
    folder = make_sample(tmp_path / "other", 400, channels=channels)
    names = sorted(channels)
    manifest = json.loads((folder / "derived/processing_manifest.json").read_text())
    assert manifest["spot_channels"] == names
    assert list(manifest["gene_dict"]) == ["405", *names]
    found = read_tables(folder)
    assert len(found.mixed) == 400
    assert found.ratios.shape == (len(names), len(names))
    assert set(found.mixed["chan"]) == set(names)
    assert set(found.unmixed["unmixed_chan"]) == set(names)
    images = {p.name for p in (folder / FUSED).iterdir()}
    assert images == {f"channel_{c}.zarr" for c in ("405", *names)}
    alone = len(names) == 1
    assert found.unmixed["dye_line_dist_ratio"].isna().all() == alone
    if alone:
        assert len(found.unmixed) == 400
        assert (found.unmixed["unmixed_chan"] == "638").all()


def test_many_channels_have_many_genes(tmp_path):
    channels = [str(450 + 20 * i) for i in range(15)]
    folder = make_sample(tmp_path / "many", 100, images=False, channels=channels)
    manifest = json.loads((folder / "derived/processing_manifest.json").read_text())
    genes = {entry["gene"] for entry in manifest["gene_dict"].values()}
    assert len(genes) == 16


def test_without_images_there_are_tables_only(tmp_path):
    folder = make_sample(tmp_path / "plain", 3_000, images=False)
    assert not list(folder.rglob("*.zarr"))
    found = read_tables(folder)
    removed = found.merged["unmixed_chan"].isna()
    moved = found.unmixed["unmixed_chan"] != found.unmixed["chan"]
    assert 0.28 < removed.mean() < 0.40
    assert 0.13 < moved.mean() < 0.28
    centroids = np.load(folder / "cell_body_segmentation/cell_centroids.npy")
    cells = set(found.mixed["cell_id"]) - {0}
    assert cells
    assert cells <= set(centroids[:, 3])


def test_modelled_intensities_resemble_the_measured_ones(tmp_path, tables):
    model = read_tables(make_sample(tmp_path / "plain", N, images=False))
    for channel in CHANNELS:
        name = f"chan_{channel}_intensity"
        own, measured = (
            frame.loc[frame["chan"] == channel, name].median()
            for frame in (model.mixed, tables.mixed)
        )
        assert 0.7 < own / measured < 1.4


def test_millions_without_images_fill_a_real_volume(tmp_path, monkeypatch):
    monkeypatch.setattr(_sample_scene, "_REAL_SHAPE_FROM", 2_000)
    mixed = read_tables(make_sample(tmp_path / "large", 2_000, images=False)).mixed
    assert 1_000 < mixed["z"].max() < 1_200
    assert 11_000 < mixed["y"].max() < 12_000
    assert 11_000 < mixed["x"].max() < 12_000
    assert mixed[["z", "y", "x"]].min().min() >= 0


def test_an_older_pandas_gets_the_same_tables(tmp_path, monkeypatch):
    new = read_tables(make_sample(tmp_path / "new", 200, images=False))
    monkeypatch.setitem(sys.modules, "pandas.api.internals", None)
    old = read_tables(make_sample(tmp_path / "old", 200, images=False))
    pd.testing.assert_frame_equal(new.mixed, old.mixed)
    pd.testing.assert_frame_equal(new.unmixed, old.unmixed)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"n_spots": -1}, "n_spots=-1"),
        ({"seed": -3}, "seed=-3"),
        ({"n_spots": 600_000}, "600,000 spots and images"),
        ({"channels": ()}, "channels ()"),
        ({"channels": "488"}, "channels '488'"),
        ({"channels": ("488", "488")}, "channels ('488', '488')"),
        ({"channels": ("488", "405")}, "channels ('488', '405')"),
        ({"channels": ("488", "Cy5")}, "channels ('488', 'Cy5')"),
        ({"channels": (488, 514)}, "channels (488, 514)"),
    ],
)
def test_senseless_arguments_are_refused(tmp_path, arguments, found):
    with pytest.raises(SeeSpotError) as caught:
        make_sample(tmp_path / "no", **arguments)
    assert found in str(caught.value)
    assert caught.value.expected
    assert not list(tmp_path.iterdir())


# --- never half -----------------------------------------------------------------


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(SeeSpotError, match="there is something already") as caught:
        make_sample(tmp_path / "mine", 10)
    assert str(tmp_path / "mine") in str(caught.value)
    assert "Expected a folder that does not exist, or is empty." in str(caught.value)
    assert "Choose another folder" in str(caught.value)
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "notes.txt"]


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("keep")
    with pytest.raises(SeeSpotError, match="there is something already"):
        make_sample(tmp_path / "file", 10)
    with pytest.raises(SeeSpotError, match="cannot be written") as caught:
        make_sample(tmp_path / "file" / "inside", 10, images=False)
    assert "free space" in str(caught.value)
    assert (tmp_path / "file").read_text() == "keep"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    folder = make_sample(str(tmp_path / "empty"), 10, images=False)
    assert folder == tmp_path / "empty"
    assert (folder / "derived").is_dir()


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    def progress(fraction, message):
        if fraction > 0.5:
            raise OSError(28, "No space left on device")

    with pytest.raises(SeeSpotError, match="No space left on device"):
        make_sample(tmp_path / "full", 50, images=False, progress=progress)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SeeSpotError, match=r"locked.*Permission denied"):
        make_sample(tmp_path / "locked", 50, images=False)


@pytest.mark.parametrize("images", [False, True])
def test_cancelling_at_any_step_leaves_nothing(tmp_path, images):
    steps = []
    make_sample(
        tmp_path / "all", 40, images=images, progress=lambda *step: steps.append(step)
    )
    shutil.rmtree(tmp_path / "all")
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len(steps) > 8
    assert all(message for _, message in steps)
    for last in range(len(steps)):
        answers = iter([False] * last + [True])
        with pytest.raises(CancelledError, match="sample was cancelled"):
            make_sample(
                tmp_path / "no", 40, images=images, cancelled=lambda a=answers: next(a)
            )
        assert not list(tmp_path.iterdir())


# --- the built-in sample --------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(sample.SAMPLES, "sample", (SAMPLE_NAME, 200, True))


def not_called(*_):
    raise AssertionError("the sample was made again")


def test_the_built_in_sample_is_made_once(tmp_path, small):
    folder = sample_folder(tmp_path)
    assert folder == tmp_path / "samples" / SAMPLE_NAME
    assert len(read_tables(folder).mixed) == 200
    assert (folder / FUSED / "channel_405.zarr").is_dir()
    (folder / "notes.txt").write_text("a user's file does no harm")
    assert sample_folder(tmp_path, progress=not_called) == folder
    assert (folder / "notes.txt").exists()
    assert [p.name for p in folder.parent.iterdir()] == [SAMPLE_NAME]


@pytest.mark.parametrize(
    "damaged",
    [
        ".sample-complete.json",
        f"{UNMIXING}/mixed_spots_R4.pkl",
        f"{FUSED}/channel_594.zarr/0/0/0/0/0/0",
    ],
)
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_damaged_sample_is_made_again(tmp_path, small, damaged, how):
    path = sample_folder(tmp_path) / damaged
    before = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(before[: len(before) // 2])
    folder = sample_folder(tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in folder.parent.iterdir()] == [SAMPLE_NAME]


def test_a_file_in_place_of_the_sample_is_replaced(tmp_path, small):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / SAMPLE_NAME).write_text("not a folder")
    folder = sample_folder(tmp_path)
    assert len(read_tables(folder).mixed) == 200
    assert [p.name for p in folder.parent.iterdir()] == [SAMPLE_NAME]


def test_two_at_once_get_the_same_sample(tmp_path, small):
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: sample_folder(tmp_path), range(3)))
    assert len(set(folders)) == 1
    assert len(read_tables(folders[0]).mixed) == 200
    assert [p.name for p in folders[0].parent.iterdir()] == [SAMPLE_NAME]
    sample_folder(tmp_path, progress=not_called)


def test_who_comes_second_uses_the_first_ones_sample(tmp_path, small):
    winner = []

    def another_process(fraction, message):
        if fraction == 1:
            winner.append(sample_folder(tmp_path))
            (winner[0] / "winner").touch()

    folder = sample_folder(tmp_path, progress=another_process)
    assert winner == [folder]
    assert (folder / "winner").exists()
    assert [p.name for p in folder.parent.iterdir()] == [SAMPLE_NAME]


def test_a_sample_that_cannot_be_replaced_is_named(tmp_path, small, monkeypatch):
    def refuse(self, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(SeeSpotError, match="damaged sample cannot be replaced") as e:
        sample_folder(tmp_path)
    assert SAMPLE_NAME in str(e.value)
    assert "Close other programs" in str(e.value)
    assert not list((tmp_path / "samples").iterdir())


def test_cancelling_the_built_in_sample_leaves_nothing(tmp_path, small):
    with pytest.raises(CancelledError):
        sample_folder(tmp_path, cancelled=lambda: True)
    assert not list((tmp_path / "samples").iterdir())


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path, small):
    old = tmp_path / "samples" / f".{SAMPLE_NAME}.partial-old"
    young = tmp_path / "samples" / f".{SAMPLE_NAME}.partial-young"
    for left in (old, young):
        left.mkdir(parents=True)
    two_days_ago = time.time() - 48 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    sample_folder(tmp_path)
    assert not old.exists()
    assert young.exists()


def test_a_killed_process_leaves_no_dataset(tmp_path):
    code = (
        "import os, sys; from napari_seespot.sample import make_sample;"
        "make_sample(sys.argv[1], 50, images=False,"
        " progress=lambda f, m: os._exit(9) if f > 0.6 else None)"
    )
    target = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == 9
    assert not target.exists()
    make_sample(target, 50, images=False)
    assert (target / "derived").is_dir()


def test_importing_the_module_loads_nothing_heavy():
    code = (
        "import sys, napari_seespot.sample;"
        "heavy = {'zarr', 'pandas', 'dask', 'napari', 'qtpy', 'numba', 'pyarrow'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""
    assert done.returncode == 0
