from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._tables import CHANNELS, assert_same_spots, make_tables, merged_by_pandas

from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.priority import LEVEL_LIMITS, level_of, priority, row_order
from napari_seespot.spots import STATUSES, Spots


@pytest.fixture(scope="module")
def merged():
    return merged_by_pandas(*make_tables(3000))


@pytest.fixture(scope="module")
def spots(merged):
    genes = {"488": "Crh"}
    return Spots.from_pandas(merged.drop(columns="status"), genes=genes)


@st.composite
def small_tables(draw):
    """Return any combination of detected and unmixed channels."""
    channels = ("488", "514", "561")[: draw(st.integers(1, 3))]
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(channels), st.sampled_from([*channels, None])),
            max_size=40,
        )
    )
    n = len(pairs)
    table = pd.DataFrame(
        {
            "chan": pd.Series([chan for chan, _ in pairs], dtype=object),
            "unmixed_chan": pd.Series([unmixed for _, unmixed in pairs], dtype=object),
            "z": draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)),
            "y": 0,
            "x": 0,
            **{f"chan_{c}_intensity": 1.0 for c in channels},
        }
    )
    return table, Spots.from_pandas(table)


def status_of(chan, unmixed) -> str:
    if unmixed is None or pd.isna(unmixed):
        return "removed"
    return "unchanged" if unmixed == chan else "reassigned"


@settings(deadline=None)
@given(small_tables())
def test_statuses_are_three_disjoint_classes(made):
    table, spots = made
    want = [
        status_of(*pair)
        for pair in zip(table["chan"], table["unmixed_chan"], strict=True)
    ]
    got = spots.to_pandas().sort_values("spot_id")
    assert list(got["status"]) == want
    assert list(spots.status.cat.categories) == list(STATUSES)
    assert set(spots.codes("status")) <= {0, 1, 2}


@settings(deadline=None)
@given(small_tables(), st.integers(0, 2**31))
def test_flow_is_pandas_crosstab(made, seed):
    table, spots = made
    mask = np.random.default_rng(seed).random(len(spots)) < 0.5
    for where in (None, mask):
        flow = spots.flow(where)
        rows = np.arange(len(spots)) if where is None else np.flatnonzero(where)
        part = spots.to_pandas(rows=rows)
        chan = part["chan"].astype(object)
        unmixed = part["unmixed_chan"].astype(object).fillna("removed")
        want = pd.crosstab(chan, unmixed).reindex(
            index=list(spots.channels),
            columns=[*spots.channels, "removed"],
            fill_value=0,
        )
        np.testing.assert_array_equal(flow.to_numpy(), want.to_numpy())
        assert list(flow.index) == list(spots.channels)
        assert list(flow.columns) == [*spots.channels, "removed"]
        assert flow.index.name == "chan"
        assert flow.columns.name == "unmixed_chan"
        assert (flow.dtypes == np.int64).all()
    assert spots.flow().to_numpy().sum() == len(table)


# --- tables ---


def test_every_value_survives(spots, merged):
    assert_same_spots(spots, merged)


def test_pandas_columns_and_dtypes(spots):
    table = spots.to_pandas()
    intensities = [f"chan_{c}_intensity" for c in CHANNELS]
    assert list(table) == [
        *("spot_id", "chan", "chan_spot_id", "cell_id", "round", "z", "y", "x"),
        *("r", "dist", "dye_line_dist_ratio", *intensities),
        *("valid_spot", "over_thresh", "unmixed_chan", "status"),
    ]
    for name in ("chan", "round", "unmixed_chan", "status"):
        assert isinstance(table[name].dtype, pd.CategoricalDtype)
    assert table["valid_spot"].dtype == "boolean"
    assert table["over_thresh"].dtype == bool
    assert table["z"].dtype == np.float32
    assert table["spot_id"].dtype == np.int32
    assert list(table.index) == list(range(len(table)))
    assert table.memory_usage(index=False).sum() <= 70 * len(table)
    # A removed spot has no unmixed channel, and none of its verdict's values.
    removed = table["status"] == "removed"
    assert table["unmixed_chan"].isna().equals(removed)
    assert table["valid_spot"].isna().equals(removed)
    assert table["dye_line_dist_ratio"].isna().equals(removed)


def test_some_columns_and_rows(spots):
    mask = spots.column("r") > 0.9
    table = spots.to_pandas(["status", "r", "unmixed_removed"], mask)
    assert list(table) == ["status", "r", "unmixed_removed"]
    assert list(table.index) == list(np.flatnonzero(mask))
    assert (table["unmixed_removed"] == (table["status"] == "removed")).all()
    rows = np.array([5, 2, 5])
    table = spots.to_pandas(["spot_id"], rows)
    assert list(table["spot_id"]) == list(spots.column("spot_id")[rows])


def test_an_unknown_column(spots):
    with pytest.raises(
        NotFoundError, match=r"no column 'fg'\. Expected one of spot_id"
    ):
        spots.to_pandas(["fg"])
    with pytest.raises(NotFoundError, match="no column 'code'"):
        spots.to_pandas(["code"])
    for name in ("chan", "code", "round", "absent"):
        with pytest.raises(NotFoundError, match=f"no numeric column '{name}'"):
            spots.column(name)
    with pytest.raises(NotFoundError, match="no classes 'r'"):
        spots.class_names("r")
    with pytest.raises(NotFoundError, match="'round' does not follow"):
        spots.class_of_code("round")


def test_classes(spots, merged):
    assert spots.class_names("chan") == CHANNELS
    assert spots.class_names("unmixed_chan") == (*CHANNELS, "removed")
    assert spots.class_names("status") == STATUSES
    assert spots.class_names("round") == ("4",)
    ordered = merged.set_index("spot_id").loc[spots.column("spot_id")]
    for by in ("chan", "unmixed_chan", "status", "round"):
        names = np.array(spots.class_names(by), object)
        want = ordered[by].fillna("removed")
        assert list(names[spots.codes(by)]) == list(want), by
    for by in ("chan", "unmixed_chan", "status"):
        assert spots.codes(by).dtype == np.uint8


def test_columns_cannot_be_changed(spots):
    for array in (spots.code, spots.column("z"), spots.intensity("488")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(TypeError):
        spots.columns["z"] = 0
    with pytest.raises(TypeError):
        spots.categories["round"] = ()


def test_what_a_spots_says_of_itself(spots):
    assert repr(spots) == "<Spots: 3,000 in 488, 514, 561, 594, 638>"
    assert spots.genes == {"488": "Crh"}
    assert spots.nbytes == sum(array.nbytes for array in spots.columns.values())
    assert spots.nbytes / len(spots) <= 64
    report = spots.memory_report()
    assert report["bytes"].sum() == spots.nbytes
    assert report.loc["code", "saved"] > 0.98
    assert "code" not in spots.numeric_columns
    assert {"r", "spot_id", "valid_spot"} <= set(spots.numeric_columns)


def test_no_spots():
    table = merged_by_pandas(*make_tables(30)).iloc[:0].drop(columns="status")
    spots = Spots.from_pandas(table, channels=CHANNELS)
    assert len(spots) == 0
    assert spots.flow().to_numpy().sum() == 0
    assert len(spots.to_pandas()) == 0
    assert len(spots.sample(5)) == 0
    assert len(spots.sample(5, by=None)) == 0
    assert list(spots.rows_of([])) == []
    with pytest.raises(NotFoundError, match="1 of 1 spots are not in the table"):
        spots.rows_of([1])
    assert (spots.memory_report()["saved"] == 0).all()


# --- samples ---


@settings(deadline=None, max_examples=60)
@given(small_tables(), st.integers(0, 60), st.sampled_from([None, "chan", "status"]))
def test_samples_repeat_nothing_and_miss_nothing(made, n, by):
    _, spots = made
    table = spots.sample(n, by=by, seed=3)
    assert table["spot_id"].is_unique
    assert len(table) == min(n, len(spots))
    assert list(table.index) == sorted(table.index)
    pd.testing.assert_frame_equal(table, spots.to_pandas(rows=table.index.to_numpy()))
    if by is None or table.empty:
        return
    got = table[by].value_counts()
    have = spots.to_pandas()[by].value_counts()
    # Whoever gave less than the largest share had no more to give.
    for name in have.index:
        assert got[name] >= got.max() - 1 or got[name] == have[name]


def test_samples_are_repeatable_and_differ_by_seed(spots):
    pd.testing.assert_frame_equal(spots.sample(50, seed=1), spots.sample(50, seed=1))
    ids = [tuple(spots.sample(50, seed=seed)["spot_id"]) for seed in range(5)]
    assert len(set(ids)) == 5


@pytest.mark.parametrize("by", [None, "chan", "unmixed_chan", "status", "round"])
def test_samples_of_the_rows_that_pass(spots, by):
    mask = spots.column("r") > 0.5
    rows = spots.sample_rows(400, by=by, where=mask)
    assert mask[rows].all()
    assert len(rows) == 400
    every = spots.sample_rows(10**9, by=by, where=mask)
    assert list(every) == list(np.flatnonzero(mask))


def test_classes_get_equal_shares(spots):
    counts = spots.sample(500)["chan"].value_counts()
    assert set(counts) == {100}


def test_a_random_sample_is_uniform(spots):
    drawn = np.concatenate(
        [spots.sample_rows(300, by=None, seed=seed) for seed in range(60)]
    )
    counts = np.bincount(drawn, minlength=len(spots))
    # 60 draws of a tenth: 6 on average, binomial with a deviation of 2.32.
    assert abs(counts.mean() - 6) < 1e-9
    assert abs(counts.std() - 2.32) < 0.2


def test_a_negative_sample(spots):
    with pytest.raises(TableError, match="a sample of -1 spots"):
        spots.sample(-1)


# --- rows ---


def test_rows_of_ids(spots):
    ids = spots.column("spot_id")
    rows = np.array([7, 3, 3, 2999, 0])
    assert list(spots.rows_of(ids[rows])) == list(rows)
    assert list(spots.rows_of(ids[4])) == [4]
    assert list(spots.rows_of([float(ids[4])])) == [4]


def test_rows_of_unknown_ids(spots):
    with pytest.raises(
        NotFoundError,
        match=r"^2 of 3 spots are not in the table, the first is spot_id 0\. Expected "
        r"spot_id from 1 to 3000\.",
    ):
        spots.rows_of([1, 0, 3001])


def test_ids_of_their_own(merged):
    table = merged.drop(columns="status").assign(spot_id=lambda t: t["spot_id"] * 7)
    spots = Spots.from_pandas(table)
    assert set(spots.column("spot_id") % 7) == {0}
    with pytest.raises(NotFoundError, match="the first is spot_id 8"):
        spots.rows_of([7, 8])


# --- the order of rows ---


def test_rows_are_in_levels_each_sorted_by_z(spots):
    level = level_of(priority(spots.column("spot_id")))
    assert (np.diff(level.astype(int)) >= 0).all()
    z = spots.column("z")
    for place in range(4):
        assert (np.diff(z[level == place]) >= 0).all()


def test_levels_hold_the_shares_that_they_promise():
    n = 400_000
    level = level_of(priority(np.arange(1, n + 1)))
    shares = np.cumsum(np.bincount(level, minlength=4)) / n
    np.testing.assert_allclose(shares, [1 / 64, 1 / 16, 1 / 4, 1], rtol=0.03)


def test_priorities_are_the_upper_bits_of_splitmix64():
    def reference(x: int) -> int:
        mask = 2**64 - 1
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return (x ^ (x >> 31)) >> 48

    ids = np.array([0, 1, 2, 12345, 2**31 - 1])
    assert list(priority(ids)) == [reference(int(i)) for i in ids]
    assert priority(ids).dtype == np.uint16
    assert list(priority(ids.astype(np.int32))) == list(priority(ids))


def test_levels_end_below_their_limits():
    ends = np.array([0, 1023, 1024, 4095, 4096, 16383, 16384, 65535], np.uint16)
    assert list(level_of(ends)) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert LEVEL_LIMITS == (1024, 4096, 16384, 65536)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(width=32), st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf])
        ),
        max_size=60,
    )
)
def test_any_z_is_ordered_as_numpy_orders_it(values):
    z = np.array(values, np.float32)
    ids = np.arange(1, len(z) + 1)
    order = row_order(ids, z)
    level = level_of(priority(ids))
    want = np.lexsort((ids, z + np.float32(0), level))  # lexsort puts NaN last
    assert list(order) == list(want)
    if len(z):
        negative = z.copy()
        negative[np.isnan(negative)] *= -1  # a NaN with its sign bit set
        assert list(row_order(ids, negative)) == list(order)


def test_the_order_does_not_depend_on_the_order_of_the_file(merged):
    table = merged.drop(columns="status")
    shuffled = table.sample(frac=1, random_state=1)
    one = Spots.from_pandas(table).to_pandas()
    other = Spots.from_pandas(shuffled).to_pandas()
    # Rows of the same z and level stay as the file has them.
    by = ["z", "spot_id"]
    level = level_of(priority(one["spot_id"].to_numpy()))
    assert list(level) == list(level_of(priority(other["spot_id"].to_numpy())))
    pd.testing.assert_frame_equal(
        one.sort_values(by, ignore_index=True), other.sort_values(by, ignore_index=True)
    )


def test_rows_that_are_in_order_already(spots):
    table = spots.to_pandas().drop(columns="status")
    again = Spots.from_pandas(table, ordered=True)
    pd.testing.assert_frame_equal(again.to_pandas(), spots.to_pandas())
