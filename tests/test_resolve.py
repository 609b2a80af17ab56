"""What passes, counted and coloured, against pandas."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot import resolve as resolve_module
from napari_seespot.dataset import Dataset
from napari_seespot.errors import StateError
from napari_seespot.resolve import changes, resolve
from napari_seespot.spots import STATUSES, Spots
from napari_seespot.state import State

CHANNELS = ("488", "514", "561")


def make_dataset(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    r = rng.uniform(-1, 1, n).round(2)
    r[rng.random(n) < 0.05] = np.nan
    r[rng.random(n) < 0.02] = np.inf
    valid = rng.choice([True, False, None], n).astype(object)
    raw = {
        "chan": rng.choice(CHANNELS, n).astype(object),
        "unmixed_chan": rng.choice([*CHANNELS, None], n).astype(object),
        **{axis: rng.uniform(0, 9, n) for axis in "zyx"},
        "r": r,
        "dist": rng.uniform(0, 3, n),
        "cell_id": rng.integers(0, 9, n),
        "valid_spot": valid,
        **{f"chan_{c}_intensity": rng.normal(size=n) for c in CHANNELS},
    }
    return Dataset("random", "", Spots.from_columns(raw, channels=CHANNELS))


@pytest.fixture(scope="module")
def dataset():
    return make_dataset()


def by_pandas(table, filters, color_by):
    """Return which rows pass, condition by condition."""
    unmixed = table["unmixed_chan"].astype(object)
    unmixed = unmixed.where(unmixed.notna(), "removed")
    passes = table["status"].isin(filters.status)
    shown = unmixed if color_by == "unmixed_chan" else table["chan"]
    for column, allowed in (
        (shown, filters.channels),
        (table["chan"], filters.chan),
        (unmixed, filters.unmixed_chan),
    ):
        if allowed is not None:
            passes &= column.isin(allowed)
    for name, (low, high) in filters.ranges.items():
        values = table[name].astype("Float64" if name == "valid_spot" else None)
        low = -np.inf if low is None else low
        high = np.inf if high is None else high
        passes &= values.between(low, high).fillna(False).astype(bool)
    if filters.valid_only:
        passes &= table["valid_spot"].fillna(False).astype(bool)
    return passes.to_numpy()


subsets = st.none() | st.sets(st.sampled_from([*CHANNELS, "removed"]))
bounds = st.sampled_from([None, -np.inf, -0.5, 0.0, 0.25, 1.0, 3.0, np.inf])


@st.composite
def states(draw):
    ranges = {}
    for name in draw(st.sets(st.sampled_from(["r", "dist", "cell_id", "valid_spot"]))):
        low, high = draw(bounds), draw(bounds)
        if low is None or high is None or low <= high:
            ranges[name] = (low, high)
    return State(
        color_by=draw(st.sampled_from(["status", "chan", "unmixed_chan", "r"])),
        filters={
            "ranges": ranges,
            "status": draw(st.sets(st.sampled_from(STATUSES))),
            "channels": draw(subsets),
            "chan": draw(subsets),
            "unmixed_chan": draw(subsets),
            "valid_only": draw(st.booleans()),
        },
    )


@settings(max_examples=200, deadline=None)
@given(states(), st.sampled_from([0, 1, 1500]))
def test_any_filters_pass_what_pandas_lets_pass(state, n):
    dataset = make_dataset(n)
    table = dataset.spots.to_pandas()
    wanted = by_pandas(table, state.filters, state.color_by)
    view = resolve(state, dataset)
    rows = np.ones(n, bool) if view.where is None else view.where
    assert (rows == wanted).all()
    assert (view.mask.of(slice(None)) == wanted).all()
    assert view.mask.count == wanted.sum()
    codes = dataset.spots.code
    assert (
        view.mask.counts.tolist() == np.bincount(codes[wanted], minlength=12).tolist()
    )
    assert view.count_text == f"{wanted.sum():,} of {n:,} spots"
    assert view.visible()["spot_id"].tolist() == table["spot_id"][wanted].tolist()
    outside = view.mask.outside_codes
    both = view.mask.codes[codes] & (True if outside is None else outside)
    assert (both == wanted).all()


def test_a_check_box_counts_what_it_would_show(dataset):
    state = State(filters={"status": ["unchanged"], "channels": ["488"]})
    state.filters.ranges["r"] = (0, 1)
    mask = resolve(state, dataset).mask
    table = dataset.spots.to_pandas()
    good = table["r"].between(0, 1)
    of_status = table[good & (table["chan"] == "488")]["status"].value_counts()
    assert mask.class_counts("status").tolist() == [of_status[s] for s in STATUSES]
    of_chan = table[good & (table["status"] == "unchanged")]["chan"].value_counts()
    assert mask.class_counts("chan").tolist() == [of_chan[c] for c in CHANNELS]


def test_large_tables_are_filtered_in_two_threads(dataset, monkeypatch):
    state = State(filters={"ranges": {"r": (0, 1)}})
    wanted = resolve(state, dataset).where
    monkeypatch.setattr(resolve_module, "_CHUNK", 100)
    monkeypatch.setattr(resolve_module, "_FEW_ROWS", 10)  # compiled, not numpy
    again = resolve(state, dataset)
    assert (again.where == wanted).all()
    assert again.mask.count == wanted.sum()


def test_ends_are_compared_as_the_column_is_kept(dataset):
    """The range 0.1 to 0.1 lets 0.1 pass, though float32 has no 0.1."""
    state = State(filters={"ranges": {"r": (0.1, 0.1)}, "status": STATUSES})
    equal = dataset.spots.column("r") == np.float32(0.1)
    assert resolve(state, dataset).mask.count == equal.sum() > 0


def test_ends_beyond_float32(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = resolve(State(filters={"ranges": {"r": (-1e300, 1e300)}}), dataset)
        state = State(filters={"ranges": {"r": (1e300, None)}})
        assert (
            resolve(state, dataset).mask.count
            <= np.isinf(dataset.spots.column("r")).sum()
        )
    shown = dataset.spots.to_pandas()
    passes = shown["r"].notna() & (shown["status"] != "removed")
    assert view.mask.count == passes.sum()


def test_nulls_are_in_no_range(dataset):
    """Neither True nor False: an open range must not let it pass."""
    state = State(filters={"status": STATUSES, "ranges": {"valid_spot": (0.5, None)}})
    view = resolve(state, dataset)
    assert view.mask.count == dataset.spots.to_pandas()["valid_spot"].sum()
    assert view.visible()["valid_spot"].all()


def test_valid_only_without_the_column():
    table = make_dataset().spots.to_pandas().drop(columns=["valid_spot", "status"])
    dataset = Dataset("", "", Spots.from_pandas(table, channels=CHANNELS))
    state = State(filters={"status": STATUSES, "valid_only": True})
    assert resolve(state, dataset).mask.count == len(dataset.spots)


def test_what_is_the_same_is_taken_over(dataset):
    state = State()
    first = resolve(state, dataset)
    assert first.where is first.mask.rows
    again = resolve(state, dataset, first)
    assert again.mask is first.mask
    assert again.coloring is first.coloring
    assert changes(first, again) == frozenset()
    other = resolve(state, make_dataset(seed=1), first)
    assert other.mask is not first.mask
    assert {"dataset", "mask", "coloring"} <= changes(first, other)
    assert "dataset" in changes(None, first)


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        ("color_by", "chan", {"coloring", "mask"}),
        ("color_by", "r", {"coloring"}),
        ("filters.ranges", {"r": (0, 1)}, {"mask"}),
        ("filters.status", {"removed"}, {"mask"}),
        ("pair", ("488", "514"), {"pair"}),
        ("limits.mode", "minmax", {"limits_mode", "axis_rules"}),
        ("plot", "points", {"plot"}),
        ("count_scale", "linear", {"count_scale"}),
        ("point_size_um", 5.0, {"point_size_um"}),
        ("slab_planes", 5.0, {"slab_planes"}),
        ("picture", "points", {"picture"}),
        ("max_points", 5, {"max_points"}),
        ("selection.mask", np.ones(1500, bool), {"selected"}),
    ],
)
def test_a_change_touches_what_it_must(dataset, path, value, names):
    state = State()
    before = resolve(state, dataset)
    part, _, field = path.rpartition(".")
    setattr(getattr(state, part) if part else state, field, value)
    found = changes(before, resolve(state, dataset, before))
    assert found <= names
    assert names - {"mask"} <= found


def test_limits_belong_to_a_pair(dataset):
    state = State(pair=("488", "514"))
    state.limits.fixed["488/514"] = (0, 1, 2, 3)
    assert resolve(state, dataset).limits == (0, 1, 2, 3)
    state.pair = ("514", "488")  # the same axes, turned round
    assert resolve(state, dataset).limits == (2, 3, 0, 1)
    state.pair = ("488", "561")
    assert resolve(state, dataset).limits is None


def test_limits_are_fixed_and_let_go_for_both_ways_round(dataset):
    state = State(pair=("488", "514"))
    state.limits.fixed["514/488"] = (0, 1, 2, 3)
    state.limits.modes["514/488"] = "minmax"
    assert resolve(state, dataset).limits_mode == "minmax"
    state.limits.fix(("488", "514"), (5, 6, 7, 8))
    assert dict(state.limits.fixed) == {"488/514": (5, 6, 7, 8)}
    state.limits.fix(("514", "488"), None, "percentile")
    assert dict(state.limits.fixed) == {}
    assert dict(state.limits.modes) == {"514/488": "percentile"}
    state.limits.percentiles = (5, 90)
    assert resolve(state, dataset).axis_rules.percentiles == (5, 90)
    for ends in ((90, 5), (-1, 50), (5, 101)):
        with pytest.raises(StateError, match="percentiles cannot be"):
            state.limits.percentiles = ends


def test_the_selected_rows(dataset):
    state = State()
    nothing = resolve(state, dataset).selection()
    assert len(nothing) == 0
    pd.testing.assert_index_equal(nothing.columns, dataset.spots.to_pandas().columns)
    mask = np.arange(1500) % 7 == 0
    state.selection.mask = mask
    chosen = resolve(state, dataset).selection()
    assert (chosen.index == np.flatnonzero(mask)).all()
    assert (chosen["spot_id"] == dataset.spots.column("spot_id")[mask]).all()


@pytest.mark.parametrize("many", [False, True])
def test_rows_of_a_slab_are_filtered_by_themselves(dataset, many):
    state = State(filters={"ranges": {"r": (0, 1), "dist": (0.5, None)}})
    mask = resolve(state, dataset).mask
    n = len(dataset.spots)
    rows = np.flatnonzero(mask.codes[dataset.spots.code])
    rows = rows if many else rows[:: n // 20]
    found = mask.passing(rows)
    assert ("rows" in mask.__dict__) == many  # few rows need no mask of all
    np.testing.assert_array_equal(found, rows[mask.of(rows)])
    plain = resolve(State(), dataset).mask
    assert plain.passing(rows) is rows


def test_view_tells_the_axes_of_its_pair(dataset):
    state = State(pair=("488", "514"), axis_scale="log", dye_lines=False)
    state.limits.modes["488/514"] = "minmax"
    before = resolve(state, dataset)
    assert (before.axis_scale, before.limits_mode) == ("log", "minmax")
    state.pair = ("488", "561")
    after = resolve(state, dataset, before)
    assert after.limits_mode == "auto"
    assert changes(before, after) == {"pair", "limits_mode"}
