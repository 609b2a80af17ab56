from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests._tables import (
    CHANNELS,
    GENES,
    NAME,
    TABLES,
    TILES,
    assert_same_spots,
    by_id,
    make_tables,
    manifest_of,
    merged_by_pandas,
    write_dataset,
    write_tiled,
)

from napari_seespot.errors import (
    CancelledError,
    ImageError,
    NotFoundError,
    RatiosError,
    TableError,
    UnsafePickleError,
)
from napari_seespot.sources import list_datasets, open_dataset


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / NAME


def images_of(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)


# --- the whole ---


def test_a_dataset_is_the_left_join_of_its_tables(folder):
    mixed, unmixed = make_tables()
    write_dataset(folder, mixed, unmixed)
    images_of(
        folder,
        *(f"image_tile_fusing/fused/channel_{c}.zarr" for c in ("405", "514", "488")),
    )
    images_of(
        folder,
        "cell_body_segmentation/segmentation_mask.zarr",
        "cell_body_segmentation/segmentation_mask_orig_res.zarr",
    )
    dataset = open_dataset(folder)
    expected = merged_by_pandas(mixed, unmixed)
    assert_same_spots(dataset.spots, expected)
    assert dataset.name == NAME
    assert dataset.uri == str(folder)
    assert dataset.channels == list(CHANNELS)
    assert dataset.genes == GENES
    assert dataset.round == "4"
    assert (dataset.min_dist, dataset.min_dists) == ("3", ("3",))
    assert dataset.notes == ()
    assert list(dataset.images) == ["488", "514", "405"]  # those with spots first
    assert list(dataset.masks) == ["segmentation_mask", "segmentation_mask_orig_res"]
    assert dataset.ratios.shape == (5, 5)
    assert list(dataset.summary["channel"]) == list(CHANNELS)
    assert dataset.info["round"] == 4
    flow = pd.crosstab(expected["chan"], expected["unmixed_chan"].fillna("removed"))
    pd.testing.assert_frame_equal(
        dataset.spots.flow(),
        flow[[*CHANNELS, "removed"]],
        check_names=False,
        check_column_type=False,
        check_index_type=False,
    )


def test_the_cached_dataset_is_the_same(folder, cache):
    mixed, unmixed = make_tables()
    write_dataset(folder, mixed, unmixed)
    first = open_dataset(folder)
    assert len(list(cache.glob("spots/*.arrow"))) == 1
    again = open_dataset(folder)
    pd.testing.assert_frame_equal(first.spots.to_pandas(), again.spots.to_pandas())
    uncached = open_dataset(folder, cache=False)
    pd.testing.assert_frame_equal(first.spots.to_pandas(), uncached.spots.to_pandas())
    assert again.genes == GENES
    assert again.notes == first.notes


def test_no_cache_writes_nothing(folder, cache):
    write_dataset(folder, *make_tables(50))
    open_dataset(folder, cache=False)
    assert not cache.exists()


def test_a_changed_table_is_read_anew(folder):
    mixed, unmixed = make_tables(50)
    write_dataset(folder, mixed, unmixed)
    assert len(open_dataset(folder).spots) == 50
    path = folder / TABLES / "mixed_spots_R4.pkl"
    mixed.iloc[:-5].to_pickle(path)
    os.utime(path, ns=(1, 1))
    assert len(open_dataset(folder).spots) == 45


@pytest.mark.parametrize("form", ["path", "str", "file", "home", "inside", "slash"])
def test_every_way_to_write_a_folder(folder, form, monkeypatch):
    write_dataset(folder, *make_tables(30))
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    uri = {
        "path": folder,
        "str": str(folder),
        "file": folder.as_uri(),
        "home": f"~/{NAME}",
        "inside": folder / TABLES,
        "slash": f"{folder}/",
    }[form]
    dataset = open_dataset(uri)
    assert dataset.name == NAME
    assert dataset.uri == str(folder)


# --- what varies ---


def test_the_manifest_may_lie_at_the_top(folder):
    write_dataset(folder, *make_tables(30), manifest_place=".")
    assert open_dataset(folder).genes == GENES


def test_without_manifest_channels_come_from_the_table(folder):
    write_dataset(folder, *make_tables(30), manifest=None)
    dataset = open_dataset(folder)
    assert dataset.channels == list(CHANNELS)
    assert dataset.genes == {}
    assert "there is no derived/processing_manifest.json" in dataset.notes[0]


def test_a_manifest_without_spot_channels(folder):
    write_dataset(folder, *make_tables(30), manifest=manifest_of(None))
    dataset = open_dataset(folder)
    assert dataset.channels == list(CHANNELS)
    assert "lists no spot_channels" in dataset.notes[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "the manifest is not JSON"),
        ("[]", r"the manifest is \[\]"),
        ('{"spot_channels": "488"}', 'spot_channels is "488"'),
        ('{"spot_channels": [true]}', r"spot_channels is \[true\]"),
        ('{"spot_channels": [Infinity, "488"]}', r"spot_channels is \[Infinity"),
        ('{"gene_dict": [1]}', r"gene_dict is \[1\]"),
        ("[" * 100_000, "the manifest is not JSON"),
    ],
)
def test_an_unreadable_manifest_names_the_file(folder, text, found):
    write_dataset(folder, *make_tables(30))
    path = folder / "derived" / "processing_manifest.json"
    path.write_text(text)
    with pytest.raises(TableError, match=found) as error:
        open_dataset(folder)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "channels",
    [
        ("488",),
        ("488", "561"),
        ("405", "488", "514", "561", "594", "638"),
        ("561", "730", "1064"),
    ],
)
def test_one_to_six_channels(folder, channels):
    mixed, unmixed = make_tables(90, channels)
    write_dataset(folder, mixed, unmixed, channels=channels)
    dataset = open_dataset(folder)
    assert dataset.channels == list(channels)
    assert_same_spots(dataset.spots, merged_by_pandas(mixed, unmixed))
    assert dataset.ratios.shape == (len(channels), len(channels))
    assert len(dataset.channel_pairs) == len(channels) * (len(channels) - 1) // 2


def test_no_round_in_the_metadata(folder):
    mixed, unmixed = make_tables(40, round_="-1")
    write_dataset(
        folder, mixed, unmixed, round_="-1", manifest=manifest_of(round_=None)
    )
    dataset = open_dataset(folder)
    assert dataset.round is None
    assert_same_spots(dataset.spots, merged_by_pandas(mixed, unmixed))


def test_the_smallest_min_dist_is_read_and_others_can_be(folder):
    mixed, unmixed = make_tables(200)
    write_dataset(folder, mixed, unmixed, min_dists=("3", "4", "10"))
    dataset = open_dataset(folder)
    assert (dataset.min_dist, dataset.min_dists) == ("3", ("3", "4", "10"))
    assert len(dataset.summary) == 5
    assert set(dataset.summary["min_dist"]) == {3.0}
    for wanted in ("10", 10, 10.0):
        other = open_dataset(folder, min_dist=wanted)
        assert other.min_dist == "10"
        assert set(other.summary["min_dist"]) == {10.0}
        assert_same_spots(other.spots, merged_by_pandas(mixed, unmixed.iloc[:-20]))
    assert_same_spots(open_dataset(folder).spots, merged_by_pandas(mixed, unmixed))


@pytest.mark.parametrize("wanted", [5, "three"])
def test_a_min_dist_that_is_not_there(folder, wanted):
    write_dataset(folder, *make_tables(30), min_dists=("3", "4"))
    with pytest.raises(NotFoundError, match=rf"minDist {wanted}.*Expected one of 3, 4"):
        open_dataset(folder, min_dist=wanted)


def test_without_the_mixed_table_removed_spots_are_unknown(folder):
    unmixed = make_tables(60)[1]
    write_dataset(folder, None, unmixed)
    dataset = open_dataset(folder)
    assert len(dataset.spots) == len(unmixed)
    assert "removed spots are unknown" in dataset.notes[0]
    assert str(folder / TABLES) in dataset.notes[0]
    table = by_id(dataset.spots)
    assert list(table["spot_id"]) == list(range(1, len(unmixed) + 1))
    assert list(table["unmixed_chan"]) == list(unmixed["unmixed_chan"])
    assert "removed" not in set(table["status"])


def test_without_the_unmixed_table(folder):
    write_dataset(folder, make_tables(30)[0], None)
    with pytest.raises(NotFoundError, match="no unmixed one") as error:
        open_dataset(folder)
    assert str(folder / TABLES) in str(error.value)
    assert "unmixed_spots_R<round>_minDist_<voxels>.pkl" in str(error.value)


def test_a_merged_table_serves_when_there_is_no_mixed_one(folder):
    mixed, unmixed = make_tables(80)
    write_dataset(folder, None, None)
    merged = merged_by_pandas(mixed, unmixed)
    merged.to_pickle(folder / TABLES / "merged_spots_R4.pkl")
    dataset = open_dataset(folder)
    assert_same_spots(dataset.spots, merged)
    assert dataset.min_dists == ()
    assert dataset.min_dist is None


def test_a_merged_parquet_table(folder):
    mixed, unmixed = make_tables(80)
    write_dataset(folder, None, None)
    merged = merged_by_pandas(mixed, unmixed)
    merged.to_parquet(folder / TABLES / "merged_spots_R4.parquet")
    assert_same_spots(open_dataset(folder).spots, merged)


def test_what_may_be_missing(folder):
    mixed, unmixed = make_tables(50)
    gone = [
        "cell_id",
        "over_thresh",
        "round",
        "dist",
        "z_center",
        "y_center",
        "x_center",
    ]
    mixed, unmixed = mixed.drop(columns=gone), unmixed.drop(columns=gone)
    unmixed = unmixed.drop(columns=["valid_spot", "dye_line_dist_ratio"])
    write_dataset(folder, mixed, unmixed, ratios=None)
    (folder / TABLES / "round_4_summary_stats.csv").unlink()
    dataset = open_dataset(folder)
    assert dataset.ratios is None
    assert dataset.summary is None
    assert list(dataset.images) == []
    assert list(dataset.masks) == []
    table = by_id(dataset.spots)
    assert not {"cell_id", "dist", "valid_spot"} & set(table)
    np.testing.assert_array_equal(table["z"], mixed["z"].astype(np.float32))


def test_intensities_from_foreground_and_background(folder):
    mixed, unmixed = make_tables(50)
    expected = merged_by_pandas(mixed, unmixed)
    lean = mixed.drop(columns=[f"chan_{c}_intensity" for c in CHANNELS])
    write_dataset(folder, lean, unmixed)
    assert_same_spots(open_dataset(folder).spots, expected)


def test_neither_intensity_nor_what_makes_it(folder):
    mixed, unmixed = make_tables(50)
    write_dataset(
        folder, mixed.drop(columns=["chan_561_intensity", "chan_561_bg"]), unmixed
    )
    with pytest.raises(TableError, match="no intensity of 561"):
        open_dataset(folder)


def test_foreground_and_background_are_left_behind(folder):
    write_dataset(folder, *make_tables(30))
    names = open_dataset(folder).spots.numeric_columns
    assert not [name for name in names if name.endswith(("_fg", "_bg"))]


def test_tables_without_rows(folder):
    mixed, unmixed = make_tables(30)
    write_dataset(folder, mixed.iloc[:0], unmixed.iloc[:0])
    dataset = open_dataset(folder)
    assert len(dataset.spots) == 0
    assert dataset.channels == list(CHANNELS)
    assert len(open_dataset(folder).spots) == 0  # from the cache
    assert dataset.spots.flow().to_numpy().sum() == 0


def test_all_spots_removed(folder):
    mixed, unmixed = make_tables(30)
    write_dataset(folder, mixed, unmixed.iloc[:0])
    assert set(open_dataset(folder).spots.status) == {"removed"}


def test_tables_without_columns(folder):
    write_dataset(folder, None, None)
    for name in ("mixed_spots_R4.pkl", "unmixed_spots_R4_minDist_3.pkl"):
        pd.DataFrame().to_pickle(folder / TABLES / name)
    with pytest.raises(TableError, match="lacks chan, chan_spot_id, unmixed_chan"):
        open_dataset(folder)


def test_tables_of_two_rounds(folder):
    mixed, unmixed = make_tables(40)
    write_dataset(folder, mixed, unmixed)
    five, kept = make_tables(20, seed=5, round_="5")
    five.to_pickle(folder / TABLES / "mixed_spots_R5.pkl")
    kept.to_pickle(folder / TABLES / "unmixed_spots_R5_minDist_3.pkl")
    dataset = open_dataset(folder)
    assert_same_spots(dataset.spots, merged_by_pandas(mixed, unmixed))
    assert dataset.notes == ("there are tables of rounds 4, 5: 4 is open",)
    path = folder / "derived" / "processing_manifest.json"
    path.write_text(json.dumps(manifest_of(round_="5")))
    dataset = open_dataset(folder)
    assert_same_spots(dataset.spots, merged_by_pandas(five, kept))
    assert dataset.round == "5"


# --- what is wrong ---


def test_an_empty_folder(folder):
    folder.mkdir(parents=True)
    with pytest.raises(NotFoundError, match="there are no spot tables") as error:
        open_dataset(folder)
    assert str(folder / TABLES) in str(error.value)
    assert "The folder holds nothing" in str(error.value)


def test_the_parent_of_datasets(folder):
    write_dataset(folder, *make_tables(30))
    with pytest.raises(NotFoundError, match=f"holds 1 dataset folders, such as {NAME}"):
        open_dataset(folder.parent)


def test_nothing_of_that_name(tmp_path):
    with pytest.raises(
        NotFoundError, match=r"no such file or folder.*Expected a dataset"
    ):
        open_dataset(tmp_path / "absent")


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(NotFoundError, match=r"end in '.txt' are not opened"):
        open_dataset(tmp_path / "notes.txt")


@pytest.mark.parametrize("uri", ["", "  ", "a\0b"])
def test_no_address_at_all(uri):
    with pytest.raises(NotFoundError, match="is no address of a dataset"):
        open_dataset(uri)


def test_an_unknown_kind_of_address_shows_no_secret():
    with pytest.raises(NotFoundError, match="ftp:// are not known") as error:
        open_dataset("ftp://me:secret@host/x")
    assert "secret" not in str(error.value)


def test_ratios_of_the_wrong_shape(folder):
    write_dataset(folder, *make_tables(30), ratios="1 2\n3 4\n")
    with pytest.raises(RatiosError, match="2 x 2") as error:
        open_dataset(folder)
    assert "r4_ratios.txt" in str(error.value)


def test_ratios_with_decimals(folder):
    text = "\n".join(" ".join("1.5" for _ in CHANNELS) for _ in CHANNELS)
    write_dataset(folder, *make_tables(30), ratios=text)
    assert (open_dataset(folder).ratios == 1.5).all().all()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "cannot be read"),
        ("a,b\n1,2\n", "no column 'channel'"),
        ('"', "cannot be read"),
    ],
)
def test_a_summary_that_is_none(folder, text, found):
    write_dataset(folder, *make_tables(30))
    (folder / TABLES / "round_4_summary_stats.csv").write_text(text)
    with pytest.raises(TableError, match=found) as error:
        open_dataset(folder)
    assert "round_4_summary_stats.csv" in str(error.value)


def test_a_summary_of_other_radii_is_shown_whole(folder):
    write_dataset(folder, *make_tables(30))
    (folder / TABLES / "round_4_summary_stats.csv").write_text(
        "min_dist,channel\n7,488\n8,488\n"
    )
    assert len(open_dataset(folder).summary) == 2


def test_an_unknown_channel_in_a_table(folder):
    mixed, unmixed = make_tables(30)
    mixed.loc[3, "chan"] = "999"
    write_dataset(folder, mixed, unmixed)
    with pytest.raises(TableError, match="unknown channel '999' in 1 row") as error:
        open_dataset(folder)
    assert "mixed_spots_R4.pkl" in str(error.value)


def test_a_manifest_of_other_channels(folder):
    write_dataset(folder, *make_tables(30), manifest=manifest_of(("488", "740")))
    with pytest.raises(TableError, match=r"740|unknown channel"):
        open_dataset(folder)


def test_a_pickle_that_runs_code(folder, tmp_path):
    write_dataset(folder, *make_tables(30))

    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    (folder / TABLES / "mixed_spots_R4.pkl").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(UnsafePickleError):
        open_dataset(folder)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_a_truncated_pickle(folder, keep):
    write_dataset(folder, *make_tables(100))
    path = folder / TABLES / "mixed_spots_R4.pkl"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TableError) as error:
        open_dataset(folder)
    assert "mixed_spots_R4.pkl" in str(error.value)


def test_a_failed_import_leaves_nothing_in_the_cache(folder, cache):
    mixed, unmixed = make_tables(30)
    write_dataset(folder, pd.concat([mixed, mixed.iloc[[0]]]), unmixed)
    with pytest.raises(TableError, match="more than once"):
        open_dataset(folder)
    assert not list(cache.rglob("*.*"))


def test_a_folder_that_may_not_be_read(folder, monkeypatch):
    write_dataset(folder, *make_tables(30))

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(NotFoundError, match=r"cannot be read: Permission denied"):
        open_dataset(folder)


def test_a_file_that_may_not_be_read(folder, monkeypatch):
    write_dataset(folder, *make_tables(30))

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(
        NotFoundError, match=r"cannot be read: Permission denied"
    ) as error:
        open_dataset(folder)
    assert "processing_manifest.json" in str(error.value)


# --- tiles ---


def test_all_tiles_together(folder):
    made = write_tiled(folder)
    dataset = open_dataset(folder)
    parts = [merged_by_pandas(*made[tile]) for tile in TILES]
    expected = pd.concat(parts, ignore_index=True)
    expected["spot_id"] = np.arange(1, len(expected) + 1)
    expected["tile"] = expected.pop("tile_name")
    assert_same_spots(dataset.spots, expected)
    assert dataset.spots.class_names("tile") == TILES
    assert dataset.ratios is not None
    assert len(dataset.summary) == 10
    assert list(dataset.images) == []
    assert "z, y and x are counted from each tile's own corner" in dataset.notes[0]


@pytest.mark.parametrize("form", ["uri", "option", "option with prefix", "trailing"])
def test_one_tile(folder, form):
    made = write_tiled(folder)
    suffix = "X_0001_Y_0000_Z_0000"
    dataset = {
        "uri": lambda: open_dataset(f"{folder}_{suffix}"),
        "option": lambda: open_dataset(folder, tile=suffix),
        "option with prefix": lambda: open_dataset(folder, tile=f"Tile_{suffix}"),
        "trailing": lambda: open_dataset(f"{folder}_{suffix}/"),
    }[form]()
    assert dataset.name == f"{NAME}_{suffix}"
    assert dataset.uri == f"{folder}_{suffix}"
    expected = merged_by_pandas(*made[TILES[1]])
    assert_same_spots(dataset.spots, expected.drop(columns="tile_name"))
    assert set(dataset.spots.to_pandas()["tile"]) == {TILES[1]}
    assert len(dataset.summary) == 5
    assert open_dataset(dataset.uri).name == dataset.name


def test_a_tile_that_is_not_there(folder):
    write_tiled(folder)
    with pytest.raises(
        NotFoundError, match=r"no tile X_0007.*X_0000_Y_0000_Z_0000, X_0001"
    ):
        open_dataset(f"{folder}_X_0007_Y_0000_Z_0000")
    with pytest.raises(NotFoundError, match="'seven' is not the name of a tile"):
        open_dataset(folder, tile="seven")


def test_a_tile_of_a_dataset_without_tiles(folder):
    write_dataset(folder, *make_tables(20))
    with pytest.raises(NotFoundError, match="the dataset is not tiled"):
        open_dataset(folder, tile="X_0000_Y_0000_Z_0000")


def test_tiles_that_differ(folder):
    made = write_tiled(folder)
    place = folder / TABLES / TILES[1]
    mixed = made[TILES[1]][0].drop(columns="over_thresh")
    mixed.to_pickle(next(place.glob("mixed*.pkl")))
    ratios = next(place.glob("*ratios.txt"))
    ratios.write_text(ratios.read_text().replace("100", "90"))
    dataset = open_dataset(folder)
    assert "over_thresh" not in dataset.spots.numeric_columns
    assert any("not all tiles have over_thresh" in note for note in dataset.notes)
    assert dataset.ratios is None
    assert any("ratios differ between tiles" in note for note in dataset.notes)
    assert open_dataset(f"{folder}_{TILES[1][5:]}").ratios is not None


def test_a_tile_without_tables_is_left_out(folder):
    write_tiled(folder)
    (folder / TABLES / "Tile_X_0002_Y_0000_Z_0000").mkdir()
    dataset = open_dataset(folder)
    assert dataset.spots.class_names("tile") == TILES
    assert any("Tile_X_0002_Y_0000_Z_0000" in note for note in dataset.notes)


def test_a_tile_without_mixed_table(folder):
    write_tiled(folder)
    next((folder / TABLES / TILES[0]).glob("mixed*")).unlink()
    dataset = open_dataset(folder)
    assert f"{TILES[0]}: removed spots are unknown" in dataset.notes[0]


def test_a_tile_without_unmixed_table(folder):
    write_tiled(folder)
    next((folder / TABLES / TILES[0]).glob("unmixed*")).unlink()
    with pytest.raises(NotFoundError, match="no unmixed one") as error:
        open_dataset(folder)
    assert TILES[0] in str(error.value)


def test_tiles_without_any_table(folder):
    write_tiled(folder)
    for path in (folder / TABLES).rglob("*.pkl"):
        path.unlink()
    with pytest.raises(NotFoundError, match="there are no spot tables"):
        open_dataset(folder)


# --- lists ---


def test_datasets_of_a_parent_folder(folder):
    write_dataset(folder, *make_tables(20))
    images_of(folder, "image_tile_fusing/fused/channel_488.zarr")
    tiled = folder.parent / "HCR_700010_2025-10-02_15-10-00"
    write_tiled(tiled)
    (folder.parent / "something else").mkdir()
    (folder.parent / ".hidden").mkdir()
    infos = list_datasets(folder.parent)
    assert [info.name for info in infos] == [
        NAME,
        tiled.name,
        *(f"{tiled.name}_{tile[5:]}" for tile in TILES),
    ]
    assert infos[0].created == "2025-05-17 22:15:31"
    assert infos[0].contents == ("spots", "images")
    assert infos[1].contents == ("spots", "tiles")
    for info in infos:
        assert open_dataset(info.uri).name == info.name


def test_a_dataset_folder_lists_itself(folder):
    write_tiled(folder)
    assert [info.uri for info in list_datasets(folder)] == [
        str(folder),
        *(f"{folder}_{tile[5:]}" for tile in TILES),
    ]


def test_a_list_of_nothing(tmp_path):
    assert list_datasets(tmp_path) == []
    with pytest.raises(NotFoundError, match="no such file or folder"):
        list_datasets(tmp_path / "absent")


# --- progress ---


def test_progress_goes_up_to_one(folder):
    write_dataset(folder, *make_tables(30))
    steps = []
    open_dataset(folder, progress=lambda share, text: steps.append((share, text)))
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert any("mixed_spots_R4.pkl" in text for _, text in steps)


@pytest.mark.parametrize("at", range(8))
def test_cancelling_leaves_nothing(folder, cache, at):
    write_dataset(folder, *make_tables(30))
    asked = iter(range(100))
    with pytest.raises(CancelledError, match="cancelled"):
        open_dataset(folder, cancelled=lambda: next(asked) >= at)
    assert not list(cache.rglob("*.*"))
    assert len(open_dataset(folder).spots) == 30


def test_moving_a_folder_does_not_matter(folder, tmp_path):
    write_dataset(folder, *make_tables(30))
    open_dataset(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    dataset = open_dataset(tmp_path / "elsewhere")
    assert dataset.name == "elsewhere"
    assert len(dataset.spots) == 30


# --- images ---


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    from napari_seespot.sample import make_sample

    folder = tmp_path_factory.mktemp("sample") / "made"
    return make_sample(folder, n_spots=300, channels=("488", "561"))


def test_images_and_masks_of_a_folder(sample):
    dataset = open_dataset(sample)
    assert list(dataset.images) == ["488", "561", "405"]
    assert "0 opened" in repr(dataset.images)
    image = dataset.images["561"]
    assert (image.channel, image.kind) == ("561", "image")
    assert image.gene == dataset.genes["561"]
    assert dataset.images["405"].uri.endswith("channel_405.zarr")
    assert dataset.voxel_size == image.scale
    mask = dataset.masks["segmentation_mask"]
    assert mask.kind == "labels"
    with pytest.raises(KeyError):
        dataset.images["999"]
    # Spots lie where their molecules shine: brighter there than elsewhere.
    own = dataset.spots.to_pandas()
    own = own[(own["chan"] == "561") & (own["over_thresh"])]
    voxels = own[["z", "y", "x"]].round().astype(int).to_numpy()
    picture = np.asarray(image.levels[0])
    voxels = np.clip(voxels, 0, np.array(picture.shape) - 1)
    assert np.median(picture[tuple(voxels.T)]) > 1.2 * np.median(picture)


def test_spot_channels_are_opened_by_one_round_of_requests(sample, monkeypatch):
    from napari_seespot import images

    rounds = []
    opened = images.open_channels

    def count(uris, **options):
        rounds.append(sorted(uris))
        return opened(uris, **options)

    monkeypatch.setattr(images, "open_channels", count)
    dataset = open_dataset(sample)
    assert dataset.images["488"] is dataset.images["488"]
    assert dataset.images["561"].channel == "561"
    assert rounds == [["488", "561"]]


def test_an_image_that_cannot_be_opened_does_not_keep_others_from_it(folder, sample):
    shutil.copytree(sample, folder)
    broken = folder / "image_tile_fusing/fused/channel_488.zarr"
    shutil.move(broken, folder / "aside")
    broken.mkdir()
    dataset = open_dataset(folder)
    for _ in range(2):
        with pytest.raises(ImageError, match="channel_488"):
            dataset.images["488"]
    assert dataset.images["561"].channel == "561"
    broken.rmdir()
    shutil.move(folder / "aside", broken)
    dataset.images.retry()
    assert dataset.images["488"].channel == "488"  # it is asked for again
