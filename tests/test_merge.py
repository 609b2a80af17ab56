from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._tables import CHANNELS, assert_same_spots, make_tables, merged_by_pandas

from napari_seespot.errors import TableError
from napari_seespot.sources.merge import (
    concatenate,
    keep_columns,
    merge_spots,
    read_verdicts,
)
from napari_seespot.sources.pickles import Codes
from napari_seespot.spots import Spots


def columns_of(table: pd.DataFrame) -> dict:
    return {name: table[name].to_numpy() for name in table}


def merge(mixed, unmixed, channels=CHANNELS):
    verdicts = read_verdicts(columns_of(unmixed), channels, "unmixed.pkl")
    return merge_spots(columns_of(mixed), verdicts, channels, "mixed.pkl")


@pytest.mark.parametrize("seed", range(4))
def test_merged_tables_are_pandas_left_join(seed):
    mixed, unmixed = make_tables(300 + seed, seed=seed)
    raw, orphans = merge(mixed, unmixed)
    assert orphans == 0
    assert_same_spots(Spots.from_columns(raw), merged_by_pandas(mixed, unmixed))


def test_both_tables_are_emptied():
    mixed, unmixed = map(columns_of, make_tables(20))
    verdicts = read_verdicts(unmixed, CHANNELS, "u")
    assert unmixed == {}
    merge_spots(mixed, verdicts, CHANNELS, "m")
    assert mixed == {}


@pytest.mark.parametrize("kind", [str, int, float])
def test_channels_may_be_text_or_numbers_in_either_table(kind):
    mixed, unmixed = make_tables(100)
    expected = merged_by_pandas(mixed, unmixed)
    unmixed["chan"] = unmixed["chan"].map(kind)
    unmixed["unmixed_chan"] = unmixed["unmixed_chan"].map(kind)
    raw, _ = merge(mixed, unmixed)
    assert_same_spots(Spots.from_columns(raw), expected)


@pytest.mark.parametrize("none", ["", "none", None, np.nan, "nan"])
def test_a_row_without_unmixed_channel_is_removed(none):
    mixed, unmixed = make_tables(100)
    unmixed.loc[4, "unmixed_chan"] = none
    row = unmixed.loc[4]
    table = Spots.from_columns(merge(mixed, unmixed)[0]).to_pandas()
    hit = (table["chan"] == row["chan"]) & (
        table["chan_spot_id"] == row["chan_spot_id"]
    )
    assert list(table["status"][hit]) == ["removed"]
    # Its other values are what the table says, not null.
    np.testing.assert_array_equal(
        table["dye_line_dist_ratio"][hit], [row["dye_line_dist_ratio"]]
    )


def test_verdicts_without_a_spot_are_counted_and_left_out():
    mixed, unmixed = make_tables(100)
    lost = unmixed.iloc[[0, 7, 9]][["chan", "chan_spot_id"]]
    keys = set(map(tuple, lost.to_numpy()))
    gone = [
        key in keys for key in map(tuple, mixed[["chan", "chan_spot_id"]].to_numpy())
    ]
    fewer = mixed[~np.array(gone)].reset_index(drop=True)
    raw, orphans = merge(fewer, unmixed)
    assert orphans == 3
    assert_same_spots(Spots.from_columns(raw), merged_by_pandas(fewer, unmixed))


@pytest.mark.parametrize("which", ["mixed", "unmixed"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_key_that_is_there_twice(which, times):
    tables = dict(zip(("mixed", "unmixed"), make_tables(50), strict=True))
    row = tables[which].iloc[[6]]
    tables[which] = pd.concat([tables[which], *[row] * times], ignore_index=True)
    chan, number = row.iloc[0][["chan", "chan_spot_id"]]
    words = "spot is" if times == 1 else "spots are"
    with pytest.raises(
        TableError,
        match=rf"^{which}.pkl: {times} {words} there more than once; the first is "
        rf"chan {chan}, chan_spot_id {number}\.",
    ):
        merge(**tables)


@pytest.mark.parametrize("which", ["mixed", "unmixed"])
@pytest.mark.parametrize("name", ["chan", "chan_spot_id"])
def test_a_missing_key_column(which, name):
    tables = dict(zip(("mixed", "unmixed"), make_tables(10), strict=True))
    del tables[which][name]
    with pytest.raises(TableError, match=rf"^{which}.pkl: the table lacks {name}; its"):
        merge(**tables)


def test_a_missing_unmixed_channel():
    mixed, unmixed = make_tables(10)
    with pytest.raises(TableError, match="lacks unmixed_chan"):
        merge(mixed, unmixed.drop(columns="unmixed_chan"))


@pytest.mark.parametrize("which", ["mixed", "unmixed"])
def test_a_spot_without_channel(which):
    tables = dict(zip(("mixed", "unmixed"), make_tables(30), strict=True))
    tables[which].loc[2, "chan"] = None
    with pytest.raises(
        TableError, match=rf"^{which}.pkl: column 'chan' is empty in 1 row"
    ):
        merge(**tables)


def test_an_unknown_unmixed_channel():
    mixed, unmixed = make_tables(30)
    unmixed.loc[[1, 2], "unmixed_chan"] = "700"
    with pytest.raises(TableError, match=r"unmixed_chan.*'700' in 2 rows"):
        merge(mixed, unmixed)


def test_numbers_that_are_none():
    mixed, unmixed = make_tables(30)
    unmixed["chan_spot_id"] = unmixed["chan_spot_id"] + 0.5
    with pytest.raises(TableError, match=r"'chan_spot_id' holds numbers with decimals"):
        merge(mixed, unmixed)


def test_key_columns_of_different_length():
    mixed, unmixed = map(columns_of, make_tables(30))
    mixed["chan_spot_id"] = mixed["chan_spot_id"][:-1]
    with pytest.raises(TableError, match="'chan' has 30 rows, 'chan_spot_id' 29"):
        merge_spots(mixed, read_verdicts(unmixed, CHANNELS, "u"), CHANNELS, "m")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_numbers_of_spots_match_a_dictionary(data):
    """Dense, sparse, negative and huge numbers; any overlap of the two tables."""
    number = data.draw(
        st.sampled_from(
            [
                st.integers(0, 30),
                st.integers(-5, 60),
                st.integers(-(2**62), 2**62),
                st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**40]),
            ]
        )
    )
    channels = ("488", "514", "561")[: data.draw(st.integers(1, 3))]
    key = st.tuples(st.sampled_from(channels), number)
    spots = data.draw(st.lists(key, unique=True, max_size=25))
    judged = data.draw(
        st.lists(
            st.one_of(key, st.sampled_from(spots)) if spots else key,
            unique=True,
            max_size=25,
        )
    )
    to = data.draw(
        st.lists(
            st.sampled_from([*channels, "none"]),
            min_size=len(judged),
            max_size=len(judged),
        )
    )
    raw, orphans = merge(
        _keys(spots),
        _keys(judged).assign(
            unmixed_chan=pd.Series(to, dtype=object),
            valid_spot=np.arange(len(judged)) % 2 == 0,
            dye_line_dist_ratio=np.arange(len(judged)),
        ),
        channels,
    )
    verdict = dict(zip(judged, zip(to, range(len(judged)), strict=True), strict=True))
    for row, spot in enumerate(spots):
        channel, place = verdict.get(spot, (None, None))
        code = raw["unmixed_chan"].codes[row]
        assert code == (channels.index(channel) if channel in channels else -1)
        ratio = raw["dye_line_dist_ratio"][row]
        assert np.isnan(ratio) if place is None else ratio == place
        valid = raw["valid_spot"].codes[row]
        assert valid == (-1 if place is None else int(place % 2 == 0))
    assert orphans == len(set(judged) - set(spots))


def _keys(keys: list[tuple[str, int]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "chan": pd.Series([chan for chan, _ in keys], dtype=object),
            "chan_spot_id": np.array([number for _, number in keys], np.int64),
        }
    )


# --- columns ---


def test_only_what_is_looked_at_is_kept():
    mixed, _ = make_tables(10)
    raw = columns_of(mixed.assign(extra=1))
    kept = keep_columns(raw, "m")
    assert raw == {}
    assert "extra" not in kept
    assert "spot_id" not in kept
    assert not [name for name in kept if name.endswith(("_fg", "_bg"))]
    assert {"chan", "z_center", "chan_638_intensity", "over_thresh"} <= set(kept)


def test_an_intensity_that_is_there_is_not_computed_anew():
    mixed, _ = make_tables(10)
    mixed["chan_488_intensity"] = 5.0
    kept = keep_columns(columns_of(mixed), "m")
    assert set(kept["chan_488_intensity"]) == {5.0}


def test_foreground_and_background_of_different_length():
    raw = {"chan_488_fg": np.ones(3), "chan_488_bg": np.ones(2)}
    with pytest.raises(TableError, match=r"m: column 'chan_488_fg' has 3 rows.*bg' 2"):
        keep_columns(raw, "m")


def test_a_foreground_of_text():
    raw = {"chan_488_fg": np.array(["a"], object), "chan_488_bg": np.ones(1)}
    with pytest.raises(TableError, match="'chan_488_fg' holds 'a'"):
        keep_columns(raw, "m")


def test_tables_one_below_the_other():
    tables = [
        {"a": np.array([1, 2]), "b": Codes(np.array([0, -1]), ("x",)), "c": np.ones(2)},
        {"a": np.array([3.5]), "b": Codes(np.array([1]), ("x", "y"))},
        {"a": np.zeros(0), "b": np.array(["x", None], object)[:0]},
    ]
    joined, partial = concatenate(tables)
    assert partial == ("c",)
    assert list(joined["a"]) == [1, 2, 3.5]
    assert list(joined["b"].codes) == [0, -1, 1]
    assert joined["b"].categories == ("x", "y")
    assert tables[0].keys() == {"c"}
