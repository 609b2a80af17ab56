"""Crops, dye fits and duplicates against the files and the table themselves."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

import napari_seespot as nss
from napari_seespot._chunk_reader import reader
from napari_seespot._level_array import LevelArray
from napari_seespot._reading_pool import Urgency
from napari_seespot.errors import NotFoundError, StateError
from napari_seespot.evidence import (
    Crop,
    CropsAhead,
    cells_known,
    crops,
    duplicate_of,
    dye_fits,
    radius_of,
    spots_near,
)
from napari_seespot.index import SpotIndex

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nss.make_sample(tmp_path_factory.mktemp("evidence") / "a", n_spots=2500)


@pytest.fixture(scope="module")
def dataset(folder: Path) -> nss.Dataset:
    return nss.open_dataset(folder)


@pytest.fixture(scope="module")
def index(dataset: nss.Dataset) -> SpotIndex:
    return SpotIndex(dataset.spots)


def pixels(folder: Path, channel: str) -> np.ndarray:
    path = folder / "image_tile_fusing/fused" / f"channel_{channel}.zarr"
    return np.asarray(zarr.open_array(path / "0", mode="r")[0, 0])


def test_crops_are_the_pixels_around_the_spot(
    folder: Path, dataset: nss.Dataset
) -> None:
    frame = dataset.spots.to_pandas()
    # One in the middle, and those nearest to the image's faces.
    rows = [1000, *(int(frame[a].argmin()) for a in "zyx")]
    rows += [int(frame[a].argmax()) for a in "zyx"]
    whole = {channel: np.pad(pixels(folder, channel), 30) for channel in ("488", "638")}
    for row in rows:
        found, problems = crops(dataset, row, radius=9, radius_z=5, depth=2)
        assert set(found) == set(dataset.channels)
        assert not problems
        z, y, x = (round(float(frame[axis].iloc[row])) + 30 for axis in "zyx")
        for channel, image in whole.items():
            crop = found[channel]
            wanted = image[z - 5 : z + 6, y - 9 : y + 10, x - 9 : x + 10]
            assert (crop.volume == wanted).all()
            assert (crop.plane == image[z, y - 9 : y + 10, x - 9 : x + 10]).all()
            assert (crop.projection == wanted[3:8].max(axis=0)).all()
            assert (crop.side == wanted[:, 9]).all()
            assert crop.origin == (z - 35, y - 39, x - 39)


def test_a_channel_that_cannot_be_read(folder: Path, dataset: nss.Dataset) -> None:
    class Broken(dict):  # type: ignore[type-arg]  # a mapping that fails for one key
        def __getitem__(self, channel: str) -> object:
            if channel == "561":
                raise NotFoundError("gone")
            return dataset.images[channel]

    images = Broken.fromkeys(dataset.channels)
    found, problems = crops(replace(dataset, images=images), 0)
    assert set(found) == set(dataset.channels) - {"561"}
    assert problems == {"561": "gone."}
    assert crops(dataset, 0, cancelled=lambda: True) == ({}, {})


def test_a_spot_without_a_position(dataset: nss.Dataset, index: SpotIndex) -> None:
    table = dataset.spots.to_pandas()
    table["x"] = table["x"].where(table.index != 5)
    spot_id = table["spot_id"].iloc[5]
    lost = replace(dataset, spots=nss.Spots.from_pandas(table))
    row = int(lost.spots.rows_of([spot_id])[0])
    with pytest.raises(NotFoundError, match="has no position"):
        crops(lost, row)
    assert duplicate_of(lost, SpotIndex(lost.spots), row) is None


def test_dye_fits_are_projections(dataset: nss.Dataset) -> None:
    ratios = dataset.ratios
    assert ratios is not None
    for row in (0, 7, 400):
        vector = [float(dataset.spots.intensity(c)[row]) for c in ratios.columns]
        found = dye_fits(dataset, row)
        assert found["distance"].is_monotonic_increasing
        for dye in ratios.index:
            line = ratios.loc[dye].to_numpy(float)
            amount, *_ = np.linalg.lstsq(line[:, None], np.array(vector), rcond=None)
            expected = amount[0] * line
            columns = [f"expected_{c}" for c in ratios.columns]
            assert found.loc[dye, columns].to_numpy(float) == pytest.approx(expected)
            assert found.loc[dye, "distance"] == pytest.approx(
                np.linalg.norm(expected - vector), rel=1e-6
            )
            assert found.loc[dye, "scale"] == pytest.approx(amount[0] * line.max())
    with pytest.raises(StateError, match=r"no ratios.*\*_ratios.txt"):
        dye_fits(replace(dataset, ratios=None), 0)


def test_duplicates_against_all_distances(
    dataset: nss.Dataset, index: SpotIndex
) -> None:
    frame = dataset.spots.to_pandas()
    points = frame[["z", "y", "x"]].to_numpy(np.float64)
    kept = (frame["status"] != "removed").to_numpy()
    removed = np.flatnonzero(~kept)[:300]
    found = strangers = 0
    for row in removed:
        distance = np.linalg.norm(points - points[row], axis=1)
        cell = frame["cell_id"].iloc[row]
        same = ((frame["cell_id"] == cell) & (cell != 0)).to_numpy()
        good = kept & same & (distance <= 3)
        duplicate = duplicate_of(dataset, index, int(row))
        anyone = duplicate_of(dataset, index, int(row), same_cell=False)
        near = distance[kept & (distance <= 3)]
        if len(near):
            assert anyone is not None
            assert anyone.distance == pytest.approx(near.min(), abs=1e-4)
            strangers += duplicate is None
        if not good.any():
            assert duplicate is None
            continue
        found += 1
        assert duplicate is not None
        assert good[duplicate.row]
        assert duplicate.distance == pytest.approx(distance[good].min(), abs=1e-4)
    assert found > 100
    assert strangers > 0  # spots in no cell do not lie in the same one
    assert duplicate_of(dataset, index, int(removed[0]), min_dist=0) is None


@pytest.mark.parametrize("cells", ["none", "zeros"])
def test_where_cells_are_unknown_distance_decides(
    dataset: nss.Dataset, cells: str
) -> None:
    table = dataset.spots.to_pandas()
    table = (
        table.drop(columns="cell_id") if cells == "none" else table.assign(cell_id=0)
    )
    unknown = replace(dataset, spots=nss.Spots.from_pandas(table))
    assert cells_known(dataset.spots)
    assert not cells_known(unknown.spots)
    frame = unknown.spots.to_pandas()
    points = frame[["z", "y", "x"]].to_numpy(np.float64)
    kept = (frame["status"] != "removed").to_numpy()
    around = SpotIndex(unknown.spots)
    for row in np.flatnonzero(~kept)[:100]:
        distance = np.linalg.norm(points - points[row], axis=1)
        near = distance[kept & (distance <= 3)]
        duplicate = duplicate_of(unknown, around, int(row))
        assert (duplicate is not None) == bool(len(near))
        if duplicate is not None:
            assert duplicate.distance == pytest.approx(near.min(), abs=1e-4)


def test_the_radius_is_the_datasets(dataset: nss.Dataset) -> None:
    assert radius_of(replace(dataset, min_dist="5")) == 5
    assert radius_of(replace(dataset, min_dist=None)) == 3


def test_a_chunk_that_cannot_be_read_is_told(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    fused = copy / "image_tile_fusing/fused/channel_514.zarr/0"
    array = zarr.open_array(fused, mode="r")
    _nz, ny, nx = array.chunks[2:]
    for file in (fused / "0/0").rglob("*"):
        if file.is_file():
            z, y, x = (int(part) for part in file.relative_to(fused / "0/0").parts)
            if (y + x) % 2:
                file.write_bytes(b"no chunk")
    dataset = nss.open_dataset(copy, cache=False)
    truth = np.pad(pixels(folder, "514").astype(float), 30, constant_values=np.nan)
    voxels = np.indices(array.shape[2:])
    bad = (voxels[1] // ny + voxels[2] // nx) % 2 == 1
    bad = np.pad(bad, 30)
    frame = dataset.spots.to_pandas()
    # beside a border of chunks, in the corner, and far from any bad chunk
    edge = np.abs(frame["x"] - nx) + np.abs(frame["y"] - ny / 2)
    rows = [int(edge.argmin()), int((frame["y"] + frame["x"]).argmin())]
    told = 0
    for row in rows:
        found, problems = crops(dataset, row, radius=9, radius_z=5)
        z, y, x = (round(float(frame[axis].iloc[row])) + 30 for axis in "zyx")
        box = np.s_[z - 5 : z + 6, y - 9 : y + 10, x - 9 : x + 10]
        crop = found["514"]
        unread = np.zeros(crop.volume.shape, bool)
        for part in crop.unread:
            unread[part] = True
        assert (unread == bad[box]).all()
        good = ~unread & np.isfinite(truth[box])
        assert (crop.volume[good] == truth[box][good]).all()
        assert crop.value_range == (truth[box][good].min(), truth[box][good].max())
        assert set(problems) == ({"514"} if unread.any() else set())
        if unread.any():
            told += 1
            assert "could not be read" in problems["514"]
    assert told


def test_value_range_takes_in_what_was_read_only() -> None:
    volume = np.zeros((3, 4, 4), np.uint16)
    volume[1:, 1:, :] = 500
    volume[1, 1, 1] = 700
    inside = (slice(1, 3), slice(1, 4), slice(0, 4))
    assert Crop("488", volume, (0, 0, 0), 1, inside).value_range == (500, 700)
    part = (slice(1, 3), slice(1, 2), slice(0, 4))
    crop = Crop("488", volume, (0, 0, 0), 1, inside, (part,))
    assert crop.value_range == (500, 500)
    nothing = Crop("488", volume, (0, 0, 0), 1, inside, (inside,))
    assert nothing.value_range == (0, 1)


def test_spots_near(dataset: nss.Dataset, index: SpotIndex) -> None:
    frame = dataset.spots.to_pandas()
    center = frame[["z", "y", "x"]].to_numpy(float)[50]
    found = spots_near(index, center, (2, 30, 40))
    inside = (np.abs(frame[["z", "y", "x"]] - center) <= np.array([2, 30, 40])).all(
        axis=1
    )
    assert sorted(found) == sorted(np.flatnonzero(inside))


def test_the_next_spots_are_read_ahead(folder: Path) -> None:
    dataset = nss.open_dataset(folder)
    reader().clear()
    ahead = CropsAhead()
    ahead.read(dataset, [5, 900], 9, 5)  # no channel is open: nobody may wait
    assert not reader().pool.busy
    crops(dataset, 17, radius=2, radius_z=1)
    reader().clear()
    asked = []
    read = LevelArray.read_bytes

    def counted(self, chunk, span=None):
        asked.append((self.image.channel, self.level, chunk))
        return read(self, chunk, span)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LevelArray, "read_bytes", counted)
        ahead.read(dataset, [5, 900], 9, 5)
        end = time.monotonic() + 20
        while reader().pool.busy and time.monotonic() < end:
            time.sleep(0.01)
        assert {channel for channel, *_ in asked} == set(dataset.channels)
        assert {level for _, level, _ in asked} == {0}
        asked.clear()
        for row in (5, 900):
            crops(dataset, row, radius=9, radius_z=5)
        assert not asked  # all of it was there


def test_what_is_not_begun_is_dropped(dataset: nss.Dataset) -> None:
    crops(dataset, 17, radius=2, radius_z=1)
    reader().clear()
    release = threading.Event()
    # idle work waits while anything else is being done
    reader().pool.submit("busy", lambda: release.wait(20), Urgency.NOW, "test")
    ahead = CropsAhead()
    ahead.read(dataset, [5], 9, 5)
    assert reader().pool.pending(ahead)
    ahead.read(dataset, [], 9, 5)
    assert not reader().pool.pending(ahead)
    ahead.read(dataset, [900], 9, 5)
    ahead.drop()
    assert not reader().pool.pending(ahead)
    release.set()
