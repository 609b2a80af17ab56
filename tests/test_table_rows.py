"""The order of rows against pandas, for each kind of column."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot.dataset import Dataset
from napari_seespot.errors import CancelledError
from napari_seespot.labels import Labels
from napari_seespot.spots import Spots
from napari_seespot.table_rows import cell_text, ordered_rows, table_columns


def make_dataset(n=400, seed=0):
    rng = np.random.default_rng(seed)
    channels = ["488", "514"]
    r = rng.choice([-0.5, 0.0, 0.25, 1.0, np.nan], n)
    r[:2] = [np.inf, -np.inf]
    table = pd.DataFrame(
        {
            "spot_id": rng.permutation(n) + 1,
            "chan": rng.choice(channels, n),
            "unmixed_chan": rng.choice([*channels, None], n),
            "tile": rng.choice(["T_9", "T_10", "A"], n),
            "chan_spot_id": np.arange(n),
            "valid_spot": rng.choice([True, False, None], n),
            "z": rng.uniform(0, 9, n),
            "y": rng.uniform(0, 9, n),
            "x": rng.uniform(0, 9, n),
            "r": r,
            "chan_488_intensity": rng.integers(-3, 3, n).astype(float),
            "chan_514_intensity": rng.normal(0, 1e5, n),
        }
    )
    return Dataset("random", "memory", Spots.from_pandas(table))


@pytest.fixture(scope="module")
def dataset():
    return make_dataset()


@pytest.fixture
def labels(dataset):
    labels = Labels(dataset)
    labels.set(np.arange(0, 400, 7), "zebra")
    labels.set(np.arange(0, 400, 5), "ant")
    return labels


def expected(dataset, labels, column, descending, where):
    table = dataset.spots.to_pandas()
    table["label"] = pd.Series(labels.get(), dtype=object).replace({"": None})
    values = table[column][where]
    if str(values.dtype) == "boolean":
        values = values.astype("Float64")
    elif column == "tile":  # by name
        values = values.astype(object)
    return values.sort_values(
        ascending=not descending, kind="stable", na_position="last"
    ).index.to_numpy()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "column",
    ["label", "spot_id", "chan", "unmixed_chan", "status", "tile", "valid_spot", "r"],
)
def test_rows_come_in_the_order_of_pandas(dataset, labels, column, descending):
    rng = np.random.default_rng(1)
    for where in (None, rng.random(400) < 0.3, np.zeros(400, bool)):
        rows = ordered_rows(dataset.spots, labels, where, column, descending)
        chosen = np.ones(400, bool) if where is None else where
        wanted = expected(dataset, labels, column, descending, chosen)
        np.testing.assert_array_equal(rows, wanted)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), descending=st.booleans())
def test_any_table(seed, descending):
    dataset = make_dataset(60, seed)
    rows = ordered_rows(dataset.spots, None, None, "r", descending)
    r = dataset.spots.to_pandas()["r"]
    wanted = r.sort_values(ascending=not descending, kind="stable").index
    np.testing.assert_array_equal(rows, wanted)
    label = ordered_rows(dataset.spots, None, None, "label", descending)
    np.testing.assert_array_equal(label, np.arange(60))


def test_an_order_that_nobody_waits_for(dataset):
    def check():
        raise CancelledError("the task was cancelled")

    with pytest.raises(CancelledError):
        ordered_rows(dataset.spots, None, None, "r", check=check)


def test_cells_tell_what_pandas_tells(dataset, labels):
    spots = dataset.spots
    names = table_columns(spots)
    assert names[:6] == ("label", "spot_id", "chan", "unmixed_chan", "status", "r")
    assert sorted(names) == sorted(["label", *spots.column_names])
    table = spots.to_pandas()
    table["label"] = labels.get()
    for name in names:
        text = cell_text(spots, labels, name)
        for row in range(0, 400, 13):
            value = table[name].iloc[row]
            if pd.isna(value):
                assert text(row) == ""
            elif name == "valid_spot":
                assert text(row) == ("yes" if value else "no")
            elif isinstance(value, (float, np.floating)):
                assert float(text(row)) == pytest.approx(value, rel=1e-3)
            else:
                assert text(row) == str(value)
    assert cell_text(spots, None, "label")(0) == ""
