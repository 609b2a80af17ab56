from __future__ import annotations

import os
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from tests._tables import (
    CHANNELS,
    assert_same_spots,
    by_id,
    make_tables,
    merged_by_pandas,
)

from napari_seespot.errors import (
    CancelledError,
    NotFoundError,
    SeeSpotError,
    TableError,
)
from napari_seespot.sources import open_dataset
from napari_seespot.sources._column_names import is_known
from napari_seespot.sources.table import (
    CALIBRATED,
    guess_columns,
    table_columns,
    write_table,
)
from napari_seespot.spots import Spots


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(folder))
    return folder


@pytest.fixture
def merged():
    return merged_by_pandas(*make_tables(150))


def write(table: pd.DataFrame, path):
    """Write a table as pandas does."""
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".feather":
        table.to_feather(path)
    else:
        table.to_parquet(path)
    return path


SUFFIXES = [".parquet", ".csv", ".feather"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_merged_table_as_pandas_writes_it(tmp_path, merged, suffix):
    path = write(merged, tmp_path / f"spots{suffix}")
    dataset = open_dataset(path)
    assert_same_spots(dataset.spots, merged)
    assert dataset.name == "spots"
    assert dataset.uri == str(path)
    assert dataset.round == "4"
    assert dataset.channels == list(CHANNELS)
    assert dataset.ratios is None
    assert dataset.notes == ()
    assert_same_spots(open_dataset(path).spots, merged)  # from the cache


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_without_sub_voxel_positions_or_extras(tmp_path, merged, suffix):
    lean = [
        "chan",
        "unmixed_chan",
        "z",
        "y",
        "x",
        *(f"chan_{c}_intensity" for c in CHANNELS),
    ]
    dataset = open_dataset(write(merged[lean], tmp_path / f"a{suffix}"))
    assert list(by_id(dataset.spots)["spot_id"]) == list(range(1, 151))
    assert dataset.round is None


def test_a_cache_file_of_seespot(tmp_path, merged):
    """Numbers as float64, text as strings, its own flags beside."""
    mixed, _ = make_tables(150)
    table = merged.drop(columns="status")
    table["cell_id"] = table["cell_id"].astype(str)
    table["round"] = 4
    table["reassigned"] = table["unmixed_chan"] != table["chan"]  # true for removed
    for axis in "zyx":
        table[axis] = mixed[axis].astype(np.float64)
        table[f"{axis}_center"] = mixed[f"{axis}_center"]
    path = tmp_path / "HCR_1.parquet"
    pq.write_table(pa.Table.from_pandas(table), path, row_group_size=40)
    assert_same_spots(open_dataset(path).spots, merged)


def test_removed_by_the_flag_alone(tmp_path, merged):
    merged["unmixed_chan"] = merged["unmixed_chan"].fillna(merged["chan"])
    dataset = open_dataset(write(merged, tmp_path / "a.parquet"))
    removed = dataset.spots.to_pandas()["status"] == "removed"
    assert removed.sum() == merged["unmixed_removed"].sum()


# --- calibrated ---


def calibrated(n: int = 120) -> pd.DataFrame:
    mixed, _ = make_tables(n)
    rng = np.random.default_rng(4)
    table = mixed.drop(columns=[c for c in mixed if c.endswith(("_fg", "_bg"))])
    table["spot_id"] = np.arange(1, n + 1)
    action = rng.choice(["keep", "delete", "reassign"], n, p=[0.5, 0.3, 0.2])
    other = np.array([CHANNELS[(CHANNELS.index(c) + 1) % 5] for c in table["chan"]])
    table["v3_action"] = pd.Categorical(action, ["keep", "delete", "reassign"])
    table["v3_ambiguous"] = rng.random(n) < 0.1
    table["v3_chan"] = np.where(action == "reassign", other, table["chan"])
    table["decision_rule"] = np.where(action == "delete", "coloc_delete", "none")
    table["beta_used"] = np.where(action == "delete", 0.4, np.nan).astype(np.float32)
    table["fg"] = rng.uniform(100, 900, n).astype(np.float32)
    table["bg"] = rng.uniform(90, 160, n).astype(np.float32)
    return table


WORDS = {"keep": "unchanged", "delete": "removed", "reassign": "reassigned"}


def test_the_calibrated_unmixing(tmp_path):
    table = calibrated()
    dataset = open_dataset(write(table, tmp_path / "700_R4_unmixed_spots.parquet"))
    got = by_id(dataset.spots)
    assert list(got["status"]) == [WORDS[action] for action in table["v3_action"]]
    kept = table["v3_action"] != "delete"
    assert list(got["unmixed_chan"][kept]) == list(table["v3_chan"][kept])
    assert list(got["v3_action"]) == list(table["v3_action"])
    assert list(got["v3_ambiguous"]) == list(table["v3_ambiguous"])
    assert list(got["decision_rule"]) == list(table["decision_rule"])
    np.testing.assert_array_equal(got["beta_used"], table["beta_used"])
    np.testing.assert_array_equal(
        got["chan_488_intensity"], table["chan_488_intensity"].astype(np.float32)
    )
    assert dataset.notes == (CALIBRATED,)


def test_the_calibrated_verdict_comes_before_an_older_one(tmp_path):
    table = calibrated().assign(unmixed_chan="488", unmixed_removed=True)
    dataset = open_dataset(write(table, tmp_path / "a.parquet"))
    got = by_id(dataset.spots)
    assert list(got["status"]) == [WORDS[action] for action in table["v3_action"]]


def test_intensity_from_each_channels_foreground(tmp_path):
    mixed, unmixed = make_tables(100)
    expected = merged_by_pandas(mixed, unmixed)
    extra = [c for c in mixed if c.endswith(("_fg", "_bg"))]
    table = expected.drop(columns=[c for c in expected if c.endswith("_intensity")])
    table[extra] = mixed[extra]
    dataset = open_dataset(write(table, tmp_path / "a.parquet"))
    assert_same_spots(dataset.spots, expected)


def test_intensity_from_the_own_channels_foreground(tmp_path):
    table = calibrated().drop(columns=[f"chan_{c}_intensity" for c in CHANNELS])
    got = by_id(open_dataset(write(table, tmp_path / "a.parquet")).spots)
    own = table["fg"].to_numpy(np.float64) - table["bg"].to_numpy(np.float64)
    for channel in CHANNELS:
        want = np.where(table["chan"] == channel, own, np.nan).astype(np.float32)
        np.testing.assert_array_equal(got[f"chan_{channel}_intensity"], want)


def test_an_unknown_action(tmp_path):
    table = calibrated()
    table["v3_action"] = table["v3_action"].astype(object)
    table.loc[[1, 2], "v3_action"] = ["burn", None]
    with pytest.raises(TableError, match=r"'v3_action' holds burn, nothing.*keep"):
        open_dataset(write(table, tmp_path / "a.parquet"))


def test_actions_without_channels(tmp_path):
    table = calibrated().drop(columns="v3_chan")
    with pytest.raises(TableError, match="has v3_action and lacks v3_chan"):
        open_dataset(write(table, tmp_path / "a.parquet"))


# --- names ---


def foreign(merged: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    mapping = {
        "Channel": "chan",
        "assigned channel": "unmixed_chan",
        "Z": "z",
        "Y": "y",
        "X": "x",
        "SEG_ID": "cell_id",
        "correlation": "r",
        "distance": "dist",
        "intensity_488": "chan_488_intensity",
        "561": "chan_561_intensity",
        "ch638nm": "chan_638_intensity",
    }
    ours = {ours: theirs for theirs, ours in mapping.items()}
    return merged.rename(columns=ours), mapping


def test_columns_of_other_names_are_guessed(merged):
    table, mapping = foreign(merged)
    assert guess_columns(table.columns) == mapping


def test_columns_of_other_names_are_mapped(tmp_path, merged):
    table, mapping = foreign(merged)
    path = write(table, tmp_path / "a.parquet")
    assert table_columns(path) == tuple(table.columns)
    with pytest.raises(
        TableError, match=r"lacks chan, unmixed_chan, z.*column_map=\{"
    ) as e:
        open_dataset(path)
    assert repr(guess_columns(table.columns)) in str(e.value)
    assert_same_spots(open_dataset(path, column_map=mapping).spots, merged)


def test_nothing_to_guess(tmp_path):
    path = write(pd.DataFrame({"apples": [1], "pears": [2]}), tmp_path / "a.csv")
    with pytest.raises(TableError, match=r"known: none.*map them: column_map="):
        open_dataset(path)


def test_guesses_never_meet():
    names = ["channel", "Channel", "ch", "z", "Z", "intensity_488", "488"]
    guessed = guess_columns(names)
    assert guessed == {"channel": "chan", "intensity_488": "chan_488_intensity"}
    assert all(is_known(ours) for ours in guessed.values())
    assert guess_columns(["chan", "z"]) == {}


def test_a_mapping_of_an_absent_column(tmp_path, merged):
    path = write(merged, tmp_path / "a.csv")
    with pytest.raises(NotFoundError, match="no column 'nope' to be mapped"):
        open_dataset(path, column_map={"nope": "z"})


def test_two_columns_mapped_to_one(tmp_path, merged):
    merged["Z"], merged["depth"] = 1.0, 2.0
    path = write(merged, tmp_path / "a.parquet")
    with pytest.raises(TableError, match="two columns are to be 'z', one is 'depth'"):
        open_dataset(path, column_map={"Z": "z", "depth": "z"})


def test_a_mapped_column_takes_the_place_of_our_name(tmp_path, merged):
    merged["depth"] = merged["z"] + 100
    path = write(merged, tmp_path / "a.parquet")
    got = by_id(open_dataset(path, column_map={"depth": "z"}).spots)
    np.testing.assert_array_equal(got["z"], merged["depth"].astype(np.float32))


def test_a_column_is_left_out(tmp_path, merged):
    merged["spot_id"] = 7
    path = write(merged, tmp_path / "a.parquet")
    with pytest.raises(TableError, match="repeats 149 of its 150 values"):
        open_dataset(path)
    dataset = open_dataset(path, column_map={"spot_id": None})
    assert len(dataset.spots) == 150


# --- CSV as people write it ---


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_marks(tmp_path, merged, delimiter, encoding):
    path = tmp_path / "a.csv"
    merged.to_csv(path, sep=delimiter, encoding=encoding, index=True)
    assert_same_spots(open_dataset(path).spots, merged)


def test_types_that_change_far_down(tmp_path):
    """The beginning looks like whole numbers; rows beyond a megabyte do not."""
    n = 60_000
    table = pd.DataFrame(
        {
            "chan": ["488"] * n,
            "unmixed_chan": ["488"] * (n - 2) + ["", "none"],
            "z": ["1"] * (n - 1) + ["1.5"],
            "y": 2,
            "x": 3,
            "valid_spot": ["True"] * (n - 1) + [""],
            "chan_488_intensity": ["7"] * (n - 1) + [""],
        }
    )
    got = by_id(open_dataset(write(table, tmp_path / "a.csv")).spots)
    assert list(got["status"][-3:]) == ["unchanged", "removed", "removed"]
    assert list(got["z"][-2:]) == [1, 1.5]
    assert got["valid_spot"].isna().sum() == 1
    assert np.isnan(got["chan_488_intensity"].iloc[-1])


def test_a_header_and_nothing_else(tmp_path, merged):
    for suffix in SUFFIXES:
        path = write(merged.iloc[:0], tmp_path / f"a{suffix}")
        assert len(open_dataset(path).spots) == 0


# --- what is wrong ---


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_such_file(tmp_path, suffix):
    with pytest.raises(NotFoundError, match=f"absent{suffix}"):
        open_dataset(tmp_path / f"absent{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\0\1\2\3" * 400, b"PAR1PAR1", b"ARROW1"])
def test_a_file_that_is_no_table(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(TableError) as error:
        open_dataset(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_of_text_where_numbers_belong(tmp_path, merged, suffix):
    merged["r"] = merged["r"].astype(object)
    merged.loc[3, "r"] = "high"
    path = write(merged.astype({"r": str}), tmp_path / f"a{suffix}")
    with pytest.raises(TableError, match="'r' holds 'high', which is not a number"):
        open_dataset(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_infinities_and_nan_are_read(tmp_path, merged, suffix):
    merged.loc[[0, 1, 2], "chan_488_intensity"] = [np.inf, -np.inf, np.nan]
    merged.loc[[0, 1], "z"] = [np.inf, np.nan]
    got = by_id(open_dataset(write(merged, tmp_path / f"a{suffix}")).spots)
    np.testing.assert_array_equal(
        got["chan_488_intensity"][:3], np.float32([np.inf, -np.inf, np.nan])
    )
    assert got["z"][:2].isna().all()


def test_columns_of_the_same_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("chan,z,z\n488,1,2\n")
    with pytest.raises(TableError, match="two columns are called 'z'"):
        open_dataset(path)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["z", "z"]), path)
    with pytest.raises(TableError, match="two columns are called 'z'"):
        open_dataset(path)


def test_rows_of_different_length(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("chan,z\n488,1\n488,1,2\n")
    with pytest.raises(TableError, match=r"a.csv: it cannot be read as a table: .*col"):
        open_dataset(path)


def test_lists_where_numbers_belong(tmp_path, merged):
    merged["dist"] = [[1.0]] * len(merged)
    with pytest.raises(TableError, match=r"column 'dist' holds \[1\.0\]"):
        open_dataset(write(merged, tmp_path / "a.parquet"))


def test_arrow_types_of_all_kinds(tmp_path, merged):
    """Decimals, unsigned dictionaries, nulls alone, small integers."""
    table = pa.Table.from_pandas(merged, preserve_index=False)

    def change(table, name, values):
        return table.set_column(table.schema.names.index(name), name, values)

    words = pa.array(list(merged["chan"])).dictionary_encode()
    unsigned = pa.DictionaryArray.from_arrays(
        words.indices.cast(pa.uint32()), words.dictionary
    )
    table = change(table, "chan", unsigned)
    cells = pa.array(list(merged["cell_id"])).cast(pa.decimal128(20, 0))
    table = change(table, "cell_id", cells)
    table = change(table, "dist", pa.nulls(len(merged)))
    pq.write_table(table, tmp_path / "a.parquet")
    pa.feather.write_feather(table, tmp_path / "a.feather", chunksize=37)
    for suffix in (".parquet", ".feather"):
        dataset = open_dataset(tmp_path / f"a{suffix}")
        assert_same_spots(dataset.spots, merged.assign(dist=np.nan))


def test_options_of_other_sources_are_refused(tmp_path, merged):
    path = write(merged, tmp_path / "a.parquet")
    with pytest.raises(TypeError, match="takes no 'sample_size'"):
        open_dataset(path, sample_size=3)


# --- written ---


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("batch", [37, 1 << 18])
def test_what_is_written_is_read_again(tmp_path, merged, suffix, batch, monkeypatch):
    monkeypatch.setattr("napari_seespot.sources._write_table.BATCH_ROWS", batch)
    spots = Spots.from_pandas(merged.drop(columns="status"))
    path = write_table(spots, tmp_path / f"out{suffix}")
    again = open_dataset(path).spots
    assert_same_spots(again, merged)
    pd.testing.assert_frame_equal(
        again.to_pandas(), spots.to_pandas(), check_categorical=False
    )
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == [path.name]


def test_pandas_reads_what_is_written(tmp_path, merged):
    spots = Spots.from_pandas(merged.drop(columns="status"))
    columns = {
        "spot_id",
        "chan",
        "chan_spot_id",
        "unmixed_chan",
        "unmixed_removed",
        "status",
        "valid_spot",
        "z",
    }
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv)):
        table = read(write_table(spots, tmp_path / f"out{suffix}"))
        assert columns <= set(table)
        table = table.sort_values("spot_id")
        assert list(table["unmixed_removed"]) == list(merged["unmixed_removed"])
        assert list(table["status"]) == list(merged["status"])
        assert list(table["chan"].astype(str)) == list(merged["chan"])


def test_some_rows_and_columns_are_written(tmp_path, merged):
    spots = Spots.from_pandas(merged.drop(columns="status"))
    mask = spots.column("r") > 0.5
    names = ["spot_id", "status"]
    path = write_table(spots, tmp_path / "a.csv", columns=names, rows=mask)
    table = pd.read_csv(path)
    assert list(table) == names
    assert list(table["spot_id"]) == list(spots.column("spot_id")[mask])
    path = write_table(spots, tmp_path / "b.parquet", rows=np.array([5, 2]))
    assert list(pd.read_parquet(path)["spot_id"]) == list(
        spots.column("spot_id")[[5, 2]]
    )
    path = write_table(spots, tmp_path / "c.parquet", rows=np.zeros(0, int))
    assert len(pd.read_parquet(path)) == 0


@pytest.mark.parametrize("name", ["a.xlsx", "a"])
def test_other_kinds_are_not_written(tmp_path, name, merged):
    with pytest.raises(TableError, match=r"tables are not written as.*\.parquet"):
        write_table(Spots.from_pandas(merged), tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_place_that_cannot_be_written(tmp_path, merged, suffix):
    path = tmp_path / "absent" / f"a{suffix}"
    with pytest.raises(TableError, match="it cannot be written: No such file") as error:
        write_table(Spots.from_pandas(merged), path)
    assert str(path) in str(error.value)


def test_a_cancelled_write_leaves_the_older_file(tmp_path, merged, monkeypatch):
    monkeypatch.setattr("napari_seespot.sources._write_table.BATCH_ROWS", 40)
    path = tmp_path / "a.parquet"
    path.write_text("older")
    asked = iter(range(10))
    with pytest.raises(CancelledError):
        write_table(Spots.from_pandas(merged), path, cancelled=lambda: next(asked) == 2)
    assert path.read_text() == "older"
    assert list(tmp_path.glob("*")) == [path]
    assert list(tmp_path.glob(".*")) == []


def test_progress_of_writing(tmp_path, merged, monkeypatch):
    monkeypatch.setattr("napari_seespot.sources._write_table.BATCH_ROWS", 40)
    steps = []
    write_table(
        Spots.from_pandas(merged),
        tmp_path / "a.csv",
        progress=lambda share, text: steps.append(share),
    )
    assert steps == sorted(steps)
    assert steps[-1] == 1


# --- damage ---

MUTATIONS = 2000 if os.environ.get("NAPARI_SEESPOT_NIGHTLY") == "1" else 100


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_mutated_files_give_errors_or_tables(tmp_path, suffix):
    merged = merged_by_pandas(*make_tables(30)).drop(columns="status")
    whole = write(merged, tmp_path / f"a{suffix}").read_bytes()
    path = tmp_path / f"b{suffix}"
    rng = random.Random(11)
    for _ in range(MUTATIONS):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8, 60))):
            place = rng.randrange(len(damaged))
            kind = rng.random()
            if kind < 0.6:
                damaged[place] = rng.randrange(256)
            elif kind < 0.8:
                del damaged[place : place + rng.randrange(1, 40)]
            else:
                damaged[place:place] = rng.randbytes(rng.randrange(1, 20))
        path.write_bytes(damaged)
        try:
            dataset = open_dataset(path, cache=False)
        except SeeSpotError:
            continue
        dataset.spots.to_pandas()
        assert dataset.spots.flow().to_numpy().sum() == len(dataset.spots)
