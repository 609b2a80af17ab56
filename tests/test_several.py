"""Several datasets as one: against pandas, in row order, cached."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_seespot as nss
from napari_seespot.dataset import Dataset
from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.index import Box, SpotIndex
from napari_seespot.priority import row_order
from napari_seespot.sources import _external_merge, several
from napari_seespot.sources._expand import SEPARATOR, expand
from napari_seespot.sources._external_merge import merge_ordered, new_ids
from napari_seespot.sources._task import Task
from napari_seespot.sources.several import join_datasets
from napari_seespot.spots import Spots


def make_table(n, seed=0, channels=("488", "514"), **more):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "chan": rng.choice(channels, n),
            "unmixed_chan": rng.choice([*channels, None], n),
            "chan_spot_id": np.arange(n),
            "z": rng.integers(0, 40, n).astype(float),
            "y": rng.uniform(0, 100, n),
            "x": rng.uniform(0, 100, n),
            "r": rng.uniform(-1, 1, n),
            **{f"chan_{c}_intensity": rng.normal(300, 99, n) for c in channels},
        }
    )
    return table.assign(**more)


def make_spots(n, seed=0, **options):
    return Spots.from_pandas(make_table(n, seed, **options))


def merge(tables, tmp_path, names=None):
    names = names or tuple(f"R{place}" for place in range(len(tables)))
    return merge_ordered(tables, {"dataset": names}, tmp_path, Task())


def in_row_order(spots):
    z = spots.column("z")
    order = row_order(spots.column("spot_id"), z)
    # Equal z of a level may come in any order.
    return np.array_equal(z[order], z, equal_nan=True)


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(_external_merge, "WINDOW_ROWS", 64)


@pytest.fixture
def folders(tmp_path):
    paths = [tmp_path / f"round{place}" for place in (1, 2, 3)]
    for place, path in enumerate(paths):
        nss.make_sample(path, n_spots=300 + place, seed=place, images=False)
    return paths


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("small_windows")
def test_a_merged_table_holds_each_row_of_each_table(tmp_path):
    tables = [make_spots(500, 1), make_spots(0), make_spots(301, 2), make_spots(1, 3)]
    merged = merge(tables, tmp_path)
    parts = [t.to_pandas() for t in tables]
    for part, offset in zip(parts, (0, 500, 500, 801), strict=True):
        part["spot_id"] += offset
    expected = pd.concat(parts).sort_values("spot_id", ignore_index=True)
    found = merged.to_pandas().sort_values("spot_id", ignore_index=True)
    labels = found.pop("dataset").astype(str).tolist()
    assert labels == ["R0"] * 500 + ["R2"] * 301 + ["R3"]
    pd.testing.assert_frame_equal(
        found[expected.columns].astype(object), expected.astype(object)
    )


@pytest.mark.usefixtures("small_windows")
def test_a_merged_table_is_in_row_order(tmp_path):
    tables = [make_spots(700, 1), make_spots(400, 2)]
    merged = merge(tables, tmp_path)
    assert in_row_order(merged)
    box = Box((10, 20, 0), (14, 70, 90))
    rows = SpotIndex(merged).rows_in(box)
    z, y, x = (merged.column(axis) for axis in "zyx")
    inside = (z >= 10) & (z <= 14) & (y >= 20) & (y <= 70) & (x >= 0) & (x <= 90)
    np.testing.assert_array_equal(rows, np.flatnonzero(inside))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, 7.5, -3.0, np.nan]), max_size=60),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 50),
)
def test_any_planes_ties_and_missing_positions(tmp_path_factory, planes, window):
    tables = [
        Spots.from_pandas(make_table(len(z), seed).assign(z=np.array(z, float)))
        for seed, z in enumerate(planes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_external_merge, "WINDOW_ROWS", window)
        merged = merge(tables, tmp_path_factory.getbasetemp())
    assert in_row_order(merged)
    ids = merged.column("spot_id")
    assert sorted(ids) == list(range(1, sum(map(len, planes)) + 1))
    z = dict(zip(ids, merged.column("z"), strict=True))
    for table, offset in zip(tables, new_ids(tables), strict=True):
        for spot_id, plane in zip(
            table.column("spot_id"), table.column("z"), strict=True
        ):
            assert z[spot_id + offset] == plane or np.isnan(plane)


@pytest.mark.usefixtures("small_windows")
def test_what_a_table_lacks_is_null_there(tmp_path):
    first = make_table(80, 1, valid_spot=True, cell_id=5, round="4")
    second = make_table(60, 2, channels=("488", "594"), beta_used=1.5)
    merged = merge([Spots.from_pandas(first), Spots.from_pandas(second)], tmp_path)
    assert merged.channels == ("488", "514", "594")
    table = merged.to_pandas()
    one, two = (table[table["dataset"] == name] for name in ("R0", "R1"))
    assert one["chan_594_intensity"].isna().all()
    assert one["beta_used"].isna().all()
    assert (one["valid_spot"]).all()
    assert two["valid_spot"].isna().all()
    assert (two["cell_id"] == 0).all()
    assert set(two["round"]) == {""}
    assert set(one["round"]) == {"4"}
    assert set(two["chan"]) == {"488", "594"}
    by_id = two.sort_values("spot_id")
    assert by_id["chan"].astype(str).tolist() == second["chan"].tolist()
    unmixed = by_id["unmixed_chan"].astype(object).where(by_id["unmixed_chan"].notna())
    assert unmixed.fillna("-").tolist() == second["unmixed_chan"].fillna("-").tolist()


def test_many_channels_have_wider_codes(tmp_path):
    many = [str(place) for place in range(300, 309)]
    others = [str(place) for place in range(400, 409)]
    tables = [make_spots(50, 1, channels=many), make_spots(50, 2, channels=others)]
    merged = merge(tables, tmp_path)
    assert merged.code.dtype == np.uint16
    expected = sum(t.flow().to_numpy().trace() for t in tables)
    assert merged.flow()[list(merged.channels)].to_numpy().trace() == expected


@pytest.mark.parametrize("ids", [[0, 1, 2], [-5, 3, 9]])
def test_ids_that_are_not_counted_from_1_are_numbered_anew(tmp_path, ids):
    odd = Spots.from_pandas(make_table(3).assign(spot_id=ids))
    merged = merge([odd, make_spots(4, 2)], tmp_path)
    assert sorted(merged.column("spot_id")) == list(range(1, 8))
    dataset = join_datasets(
        [Dataset("a", "a", odd), Dataset("b", "b", make_spots(4, 2))], cache=False
    )
    assert any("numbered anew" in note for note in dataset.notes)


def test_large_ids_are_64_bits_wide(tmp_path):
    large = Spots.from_pandas(make_table(3).assign(spot_id=[1, 2, 2**31 - 1]))
    merged = merge([large, make_spots(4, 2)], tmp_path)
    assert merged.column("spot_id").dtype == np.int64
    assert merged.column("spot_id").max() == 2**31 - 1 + 4


def test_folders_open_as_one(folders):
    dataset = nss.open_dataset(folders)
    single = [nss.open_dataset(path) for path in folders]
    assert len(dataset.spots) == sum(len(each.spots) for each in single)
    assert dataset.name == "round1 + 2 more"
    pd.testing.assert_frame_equal(
        dataset.spots.flow(), sum(each.spots.flow() for each in single[1:])
        + single[0].spots.flow()
    )  # fmt: skip
    assert dataset.spots.class_names("dataset") == ("round1", "round2", "round3")
    assert in_row_order(dataset.spots)
    assert dataset.info["datasets"] == [str(path) for path in folders]
    offset = len(single[0].spots)
    assert any(f"{offset:,} (round2)" in note for note in dataset.notes)


def test_the_second_opening_maps_the_merged_file(folders, monkeypatch):
    first = nss.open_dataset(folders)
    assert first.spots.file is not None

    def fail(*_):
        raise AssertionError("merged again")

    monkeypatch.setattr(several, "merge_ordered", fail)
    again = nss.open_dataset(SEPARATOR.join(map(str, folders)))
    assert again.spots.file == first.spots.file
    assert again.uri == first.uri
    assert not again.spots.column("r").flags.writeable


def test_a_changed_dataset_is_merged_again(folders):
    before = nss.open_dataset(folders)
    shutil.rmtree(folders[0])
    nss.make_sample(folders[0], n_spots=400, seed=9, images=False)
    after = nss.open_dataset(folders)
    assert len(after.spots) == len(before.spots) + 100


def test_without_cache_it_opens_as_well(folders):
    dataset = nss.open_dataset(folders[:2], cache=False)
    assert dataset.spots.file is None
    assert len(dataset.spots) == 601
    assert dataset.name == "round1 + round2"


def test_tables_by_a_pattern(tmp_path):
    for place in range(3):
        make_table(50 + place, place).to_parquet(tmp_path / f"part{place}.parquet")
    dataset = nss.open_dataset(tmp_path / "part*.parquet")
    assert len(dataset.spots) == 153
    session = nss.Session(dataset)
    session.state.filters.ranges["r"] = (0.0, None)
    expected = [pd.read_parquet(tmp_path / f"part{i}.parquet") for i in range(3)]
    kept = pd.concat(expected).query("r >= 0 and unmixed_chan.notna()")
    assert len(session.visible()) == len(kept)
    session.close()


def test_genes_of_rounds_are_told_together():
    tables = [Dataset(n, n, make_spots(5).replace(genes={"488": g}))
              for n, g in (("a", "Crh"), ("b", "Sst"), ("c", "Crh"))]  # fmt: skip
    dataset = join_datasets(tables, cache=False)
    assert dataset.genes == {"488": "Crh / Sst"}


def test_equal_names_are_told_apart():
    dataset = join_datasets([Dataset("a", "a", make_spots(5))] * 2, cache=False)
    assert dataset.spots.class_names("dataset") == ("a", "a (2)")


def test_rounds_are_a_category():
    tables = [Dataset("a", "a", make_spots(5), round="1"),
              Dataset("b", "b", make_spots(6, 2), round="2")]  # fmt: skip
    dataset = join_datasets(tables, cache=False)
    counts = dataset.spots.to_pandas()["round"].astype(str).value_counts().to_dict()
    assert counts == {"1": 5, "2": 6}
    assert dataset.round is None


def test_ratios_are_shown_where_all_have_the_same():
    ratios = pd.DataFrame(np.eye(2), index=["488", "514"], columns=["488", "514"])
    same = [Dataset(n, n, make_spots(5), ratios=ratios) for n in "ab"]
    assert join_datasets(same, cache=False).ratios is ratios
    other = [*same, Dataset("c", "c", make_spots(5), ratios=2 * ratios)]
    assert join_datasets(other, cache=False).ratios is None
    none = [*same, Dataset("c", "c", make_spots(5))]
    assert join_datasets(none, cache=False).ratios is None


def test_images_are_those_of_the_first_that_has_any(tmp_path):
    nss.make_sample(tmp_path / "a", n_spots=50, images=False)
    for name in "bc":
        nss.make_sample(tmp_path / name, n_spots=50, seed=2)
    dataset = nss.open_dataset([tmp_path / name for name in "abc"])
    own = nss.open_dataset(tmp_path / "b").images
    assert list(dataset.images)[: len(own)] == list(own)
    first = next(iter(own))
    assert dataset.images[first].uri == own[first].uri
    assert f"/{'c'}/" in dataset.images[f"{first} (c)"].uri
    assert dataset.voxel_size == nss.open_dataset(tmp_path / "b").voxel_size


def test_what_means_several(tmp_path):
    (tmp_path / "[1]").mkdir()
    assert expand(str(tmp_path / "[1]")) is None
    assert expand("s3://bucket/what?*") is None
    assert expand("a | b") == ["a", "b"]
    assert expand([tmp_path, "b | c"]) == [str(tmp_path), "b", "c"]
    assert expand(f"{tmp_path}{os.sep}*") == [str(tmp_path / "[1]")]


def test_a_pattern_without_a_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"nothing\*.*no file or folder has such"):
        nss.open_dataset(tmp_path / "nothing*.parquet")


def test_an_empty_list_is_told():
    with pytest.raises(NotFoundError, match="an empty list of datasets"):
        nss.open_dataset([])


def test_a_full_disk_is_told(folders, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(several, "merge_ordered", full)
    with pytest.raises(TableError, match="903 spots cannot be merged: No space left"):
        nss.open_dataset(folders)


def test_a_cache_folder_that_is_no_folder_is_not_needed(folders, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path / "file"))
    assert len(nss.open_dataset(folders).spots) == 903


def test_progress_goes_from_0_to_1_and_can_be_cancelled(folders):
    shares = []
    nss.open_dataset(folders, progress=lambda share, _text: shares.append(share))
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    with pytest.raises(nss.SeeSpotError, match="cancelled"):
        nss.open_dataset(folders, cache=False, cancelled=lambda: True)
