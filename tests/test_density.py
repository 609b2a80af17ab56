"""Pictures of all spots against numpy's own histograms, to the count."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_seespot import _chunks
from napari_seespot.axis_scales import from_scale, to_scale
from napari_seespot.densities import density, histogram, means, warm_up
from napari_seespot.errors import (
    CancelledError,
    NotFoundError,
    SeeSpotError,
    StateError,
)
from napari_seespot.spots import STATUSES, Spots

X, Y = "chan_488_intensity", "chan_514_intensity"


def make_spots(x, y, **more):
    """Spots with these columns as they are, of random channels and verdicts."""
    n = len(x)
    code = np.random.default_rng(3).integers(0, 6, n).astype(np.uint8)
    columns = {"code": code, X: np.asarray(x), Y: np.asarray(y), **more}
    return Spots(columns, channels=("488", "514"))


def random_spots(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.lognormal(5, 1, n).astype(np.float32) - 60
    y = (0.4 * x + rng.normal(0, 80, n)).astype(np.float32)
    r = rng.beta(6, 2, n).astype(np.float32)
    x[:5], y[3:9], r[::50] = np.nan, np.inf, np.nan
    x[9:10] = -np.inf
    return make_spots(x, y, r=r, spot_id=np.arange(n, dtype=np.int32))


def numpy_counts(x, y, picture):
    """Return numpy's counts at the picture's edges, shape (bins_y, bins_x)."""
    # NaN and infinities are dropped by both; numpy would warn of a NaN it casts.
    counts, *_ = np.histogram2d(
        np.asarray(y, np.float64),
        np.asarray(x, np.float64),
        bins=(picture.y_edges, picture.x_edges),
    )
    return counts


# --- equal to numpy -----------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 999, _chunks.CHUNK_ROWS * 3 + 1])
def test_counts_equal_numpy_in_one_and_in_many_chunks(n):
    spots = random_spots(n)
    limits = ((-100.0, 900.0), (-250.0, 400.0))
    picture = density(spots, "488", "514", bins=(100, 70), limits=limits)
    expected, y_edges, x_edges = np.histogram2d(
        spots.column(Y).astype(np.float64),
        spots.column(X).astype(np.float64),
        bins=(70, 100),
        range=limits[::-1],
    )
    assert picture.counts.shape == (70, 100)
    assert picture.counts.dtype == np.int64
    np.testing.assert_array_equal(picture.counts, expected)
    np.testing.assert_array_equal(picture.x_edges, x_edges)
    np.testing.assert_array_equal(picture.y_edges, y_edges)
    assert (picture.x, picture.y, picture.classes) == (X, Y, ())
    assert picture.total == expected.sum()


def test_values_on_edges_and_a_rounding_beside_them_go_where_numpy_puts_them():
    low, high, bins = -0.3, 117.7, 512
    edges = np.linspace(low, high, bins + 1)
    single = edges.astype(np.float32)
    values = np.concatenate(
        [
            single,
            np.nextafter(single, np.float32(np.inf)),
            np.nextafter(single, np.float32(-np.inf)),
        ]
    )
    for x in (values, np.concatenate([edges, np.nextafter(edges, np.inf)])):
        spots = make_spots(x, x[::-1])
        picture = density(spots, "488", "514", bins, ((low, high), (low, high)))
        np.testing.assert_array_equal(picture.counts, numpy_counts(x, x[::-1], picture))


def test_the_last_bin_is_closed():
    spots = make_spots([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    picture = density(spots, "488", "514", 2, ((0, 2), (0, 2)))
    assert picture.counts.tolist() == [[1, 0], [0, 2]]


# Few different values, so that ties, edges and empty bins are common.
VALUES = st.sampled_from(
    [-2.0, -1.0, -0.1, 0.0, 0.1, 1 / 3, 0.5, 1.0, 2.0, 1e30, np.nan, np.inf, -np.inf]
) | st.floats(-3, 3, width=32)
ENDS = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(sorted).map(tuple)


@st.composite
def tables(draw, dtypes=(np.float32, np.float64)):
    n = draw(st.integers(0, 30))
    x_dtype, y_dtype = draw(st.sampled_from(dtypes)), draw(st.sampled_from(dtypes))
    with np.errstate(over="ignore"):
        x = draw(hnp.arrays(np.float64, n, elements=VALUES)).astype(x_dtype)
        y = draw(hnp.arrays(np.float64, n, elements=VALUES)).astype(y_dtype)
    where = draw(st.none() | hnp.arrays(np.bool_, n))
    return x, y, where


@settings(max_examples=300, deadline=None)
@given(
    tables(),
    ENDS,
    ENDS,
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([None, "chan", "unmixed_chan", "status"]),
)
def test_any_small_table_counts_as_numpy_does(table, x_ends, y_ends, nx, ny, by):
    x, y, where = table
    spots = make_spots(x, y)
    picture = density(
        spots, "488", "514", (nx, ny), (x_ends, y_ends), by=by, where=where
    )
    kept = np.ones(len(x), bool) if where is None else where
    if by is None:
        layers = [kept]
        counts = picture.counts[None]
    else:
        layers = [kept & (spots.codes(by) == k) for k in range(len(picture.classes))]
        counts = picture.counts
        assert picture.classes == spots.class_names(by)
    for rows, layer in zip(layers, counts, strict=True):
        expected, y_edges, x_edges = np.histogram2d(
            y[rows].astype(np.float64),
            x[rows].astype(np.float64),
            bins=(ny, nx),
            range=(y_ends, x_ends),
        )
        np.testing.assert_array_equal(layer, expected)
        np.testing.assert_array_equal(picture.x_edges, x_edges)
        np.testing.assert_array_equal(picture.y_edges, y_edges)


@settings(max_examples=150, deadline=None)
@given(tables(), st.integers(1, 9))
def test_limits_that_are_found_are_numpys(table, bins):
    x, y, where = table
    picture = density(make_spots(x, y), "488", "514", bins, where=where)
    rows = np.isfinite(x) & np.isfinite(y)
    rows &= True if where is None else where
    expected, y_edges, x_edges = np.histogram2d(
        y[rows].astype(np.float64), x[rows].astype(np.float64), bins=bins
    )
    np.testing.assert_array_equal(picture.counts, expected)
    np.testing.assert_array_equal(picture.x_edges, x_edges)
    np.testing.assert_array_equal(picture.y_edges, y_edges)
    assert picture.total == rows.sum()


@pytest.mark.parametrize("scale", ["log", "asinh"])
@settings(max_examples=100, deadline=None)
@given(table=tables(), bins=st.integers(1, 9))
def test_scaled_axes_count_as_numpy_at_their_edges(scale, table, bins):
    x, y, where = table
    picture = density(
        make_spots(x, y), "488", "514", bins, where=where, axes=("linear", scale)
    )
    rows = np.isfinite(x) & np.isfinite(y)
    rows &= True if where is None else where
    if scale == "log":
        rows &= y > 0
    np.testing.assert_array_equal(
        picture.counts, numpy_counts(x[rows], y[rows], picture)
    )
    # Each row with a place on both axes has a bin: also the largest and smallest.
    assert picture.total == rows.sum()
    assert (np.diff(picture.y_edges) >= 0).all()


@pytest.mark.parametrize("axes", [("log", "log"), ("asinh", "asinh"), ("log", "asinh")])
def test_many_rows_on_scaled_axes(axes):
    spots = random_spots(100_000)
    x, y = spots.column(X), spots.column(Y)
    picture = density(
        spots,
        "488",
        "514",
        128,
        limits=((1.0, 3000.0), (0.5, 2000.0)),
        axes=axes,
        asinh_width=30.0,
    )
    np.testing.assert_array_equal(picture.counts, numpy_counts(x, y, picture))
    for edges, scale in zip((picture.x_edges, picture.y_edges), axes, strict=True):
        widths = np.diff(to_scale(edges, scale, 30.0))
        np.testing.assert_allclose(widths, widths.mean(), rtol=1e-9)
    assert (picture.x_edges[0], picture.x_edges[-1]) == (1.0, 3000.0)
    assert (picture.axes, picture.asinh_width) == (axes, 30.0)


def test_tiny_and_huge_spans_count_as_numpy_does():
    tiny = np.array([0.0, 1e-310, 2e-310, 3e-310])
    huge = np.array([1e17, 1e17, 1e17 + 16, 1e17])
    for x in (tiny, huge, huge[[0, 0, 0, 0]]):
        spots = make_spots(x, np.arange(4.0))
        picture = density(spots, "488", "514", 7)
        expected, *_ = np.histogram2d(np.arange(4.0), x, bins=7)
        np.testing.assert_array_equal(picture.counts, expected)


def test_limits_may_be_given_for_one_axis():
    spots = random_spots()
    x, y = (spots.column(name).astype(np.float64) for name in (X, Y))
    picture = density(spots, "488", "514", 16, limits=(None, (0, 100)))
    rows = np.isfinite(x) & np.isfinite(y)
    assert picture.x_edges[[0, -1]].tolist() == [x[rows].min(), x[rows].max()]
    np.testing.assert_array_equal(picture.counts, numpy_counts(x, y, picture))


def test_equal_values_and_no_rows_get_limits_as_in_numpy():
    alike = make_spots([7.0, 7.0, np.nan], [2.0, 2.0, 2.0])
    picture = density(alike, "488", "514", 4)
    assert picture.x_edges.tolist() == [6.5, 6.75, 7.0, 7.25, 7.5]
    assert picture.total == 2
    on_log = density(alike, "488", "514", 2, axes=("log", "log"))
    np.testing.assert_allclose(on_log.y_edges, [2 / 10**0.5, 2, 2 * 10**0.5])
    assert on_log.total == 2
    none = density(alike, "488", "514", 1, where=np.zeros(3, bool))
    assert none.x_edges.tolist() == [0.0, 1.0]
    assert none.total == 0
    negative = make_spots([-7.0], [-1.0])
    assert density(negative, "488", "514", 1, axes=("log", "log")).x_edges.tolist() == [
        1.0,
        10.0,
    ]


def test_columns_of_any_number_dtype_and_layout():
    rng = np.random.default_rng(1)
    whole = rng.integers(-5, 99, 1000)
    block = rng.normal(0, 20, (1000, 3)).astype(np.float32)
    block.flags.writeable = True
    for x in (whole, whole.astype(np.int16), block[:, 1], block[::-1, 2].astype(">f4")):
        spots = make_spots(x, block[:, 0])
        picture = density(spots, "488", "514", 33)
        np.testing.assert_array_equal(
            picture.counts, numpy_counts(x, block[:, 0], picture)
        )


def test_a_column_that_is_no_intensity():
    spots = random_spots()
    picture = density(spots, "r", "488", 20, limits=((0, 1), (0, 500)))
    assert (picture.x, picture.y) == ("r", X)
    np.testing.assert_array_equal(
        picture.counts, numpy_counts(spots.column("r"), spots.column(X), picture)
    )


# --- classes ------------------------------------------------------------------


def test_classes_share_out_the_picture_without_classes():
    spots = random_spots()
    limits = ((-100, 1000), (-100, 1000))
    whole = density(spots, "488", "514", 50, limits)
    for by, names in {
        "chan": ("488", "514"),
        "unmixed_chan": ("488", "514", "removed"),
        "status": STATUSES,
    }.items():
        picture = density(spots, "488", "514", 50, limits, by=by)
        assert picture.classes == names
        assert picture.counts.shape == (len(names), 50, 50)
        np.testing.assert_array_equal(picture.counts.sum(axis=0), whole.counts)


def test_classes_of_a_merged_table_agree_with_pandas():
    table = pd.DataFrame(
        {
            "chan": ["488", "488", "514", "514", "488"],
            "unmixed_chan": ["488", "514", None, "514", "none"],
            "z": 0.0,
            "y": 0.0,
            "x": 0.0,
            X: [1.0, 2.0, 3.0, 4.0, 5.0],
            Y: 1.0,
        }
    )
    spots = Spots.from_pandas(table)
    picture = density(spots, "488", "514", 1, by="status")
    assert picture.counts.ravel().tolist() == [2, 1, 2]


def test_more_channels_than_fit_into_a_byte_and_categories():
    rng = np.random.default_rng(5)
    n, channels = 500, tuple(str(400 + k) for k in range(20))
    columns = {
        "code": rng.integers(0, 20 * 21, n).astype(np.uint16),
        "chan_400_intensity": rng.random(n).astype(np.float32),
        "tile": rng.integers(0, 3, n).astype(np.int8),
    }
    spots = Spots(columns, channels=channels, categories={"tile": ("a", "b", "c")})
    for by in ("status", "chan", "unmixed_chan", "tile"):
        picture = density(spots, "400", "400", 1, by=by)
        expected = np.bincount(spots.codes(by), minlength=len(picture.classes))
        assert picture.counts.ravel().tolist() == expected.tolist()
        assert len(picture.classes) == len(spots.class_names(by))


def test_too_many_classes():
    names = tuple(map(str, range(300)))
    columns = {
        "code": np.zeros(1, np.uint8),
        "r": np.ones(1, np.float32),
        "tile": np.zeros(1, np.int32),
    }
    spots = Spots(columns, channels=("488",), categories={"tile": names})
    with pytest.raises(StateError, match=r"tile has 300 classes. Expected at most 255"):
        density(spots, "r", "r", by="tile")


# --- one column ---------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(tables(), ENDS, st.integers(1, 9))
def test_histogram_counts_as_numpy_does(table, ends, bins):
    x, y, where = table
    spots = make_spots(x, y)
    result = histogram(spots, "488", bins, ends, by="status", where=where)
    rows = np.isfinite(x) & (True if where is None else where)
    expected, edges = np.histogram(x[rows].astype(np.float64), bins, range=ends)
    np.testing.assert_array_equal(result.counts.sum(axis=0), expected)
    np.testing.assert_array_equal(result.edges, edges)
    for code, counts in enumerate(result.counts):
        chosen = x[rows & (spots.codes("status") == code)].astype(np.float64)
        expected, _ = np.histogram(chosen, bins, range=ends)
        np.testing.assert_array_equal(counts, expected)
    assert result.classes == STATUSES
    assert result.total == result.counts.sum()


def test_histogram_finds_its_limits_and_scales():
    spots = random_spots()
    r = spots.column("r").astype(np.float64)
    result = histogram(spots, "r", 40)
    expected, edges = np.histogram(r[np.isfinite(r)], 40)
    np.testing.assert_array_equal(result.counts, expected)
    np.testing.assert_array_equal(result.edges, edges)
    assert (result.column, result.classes) == ("r", ())
    scaled = histogram(spots, "488", 40, axis="asinh", asinh_width=10.0)
    x = spots.column(X).astype(np.float64)
    expected, _ = np.histogram(x[np.isfinite(x)], scaled.edges)
    np.testing.assert_array_equal(scaled.counts, expected)


# --- scales, threads, first use ----------------------------------------------


@pytest.mark.parametrize("scale", ["linear", "log", "asinh"])
def test_scales_undo_themselves(scale):
    values = np.array([0.001, 1.0, 250.0, 6e4])
    there = to_scale(values, scale, 100.0)
    np.testing.assert_allclose(from_scale(there, scale, 100.0), values, rtol=1e-12)


def test_a_log_axis_has_no_place_for_zero_and_below():
    assert to_scale([-1.0, 0.0, 10.0], "log").tolist()[1:] == [-np.inf, 1.0]
    assert np.isnan(to_scale(-1.0, "log"))


@pytest.mark.parametrize("cpus", [1, 2, 7, None])
def test_any_number_of_threads_counts_the_same(monkeypatch, cpus):
    spots = random_spots(_chunks.CHUNK_ROWS * 5)
    expected = density(spots, "488", "514", 64)
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    picture = density(spots, "488", "514", 64)
    np.testing.assert_array_equal(picture.counts, expected.counts)


def test_large_pictures_are_counted_by_fewer_threads(monkeypatch):
    seen = []
    real = _chunks.each_chunk

    def spy(*args, **kwargs):
        seen.append(kwargs.get("max_threads"))
        return real(*args, **kwargs)

    monkeypatch.setattr("napari_seespot.densities.each_chunk", spy)
    monkeypatch.setattr("napari_seespot.densities.COUNTS_BYTES", 3 * 4 * 64 * 64)
    spots, limits = random_spots(10), ((0, 1), (0, 1))
    density(spots, "488", "514", 64, limits)
    density(spots, "488", "514", 128, limits)
    assert seen == [3, 1]


def test_a_picture_can_be_cancelled_between_chunks(monkeypatch):
    monkeypatch.setattr("napari_seespot.densities.LONG_CHUNK_ROWS", _chunks.CHUNK_ROWS)
    spots = random_spots(_chunks.CHUNK_ROWS * 4)
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(CancelledError, match="the calculation was cancelled"):
        density(spots, "488", "514", limits=((0, 1), (0, 1)), cancelled=cancelled)
    assert len(asked) <= 4
    with pytest.raises(CancelledError):
        histogram(spots, "r", cancelled=lambda: True)


def test_an_error_in_one_thread_reaches_the_caller():
    def step(_, rows):
        raise ZeroDivisionError(str(rows.start))

    with pytest.raises(ZeroDivisionError):
        _chunks.each_chunk(_chunks.CHUNK_ROWS * 4, lambda: None, step)


def test_importing_loads_neither_numba_nor_qt_and_warming_up_does():
    code = (
        "import sys, napari_seespot.densities as d, napari_seespot.polygons\n"
        "heavy = {'numba', 'qtpy', 'napari', 'dask', 'zarr', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "d.warm_up()\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_warming_up_twice_is_harmless():
    warm_up()
    warm_up()


# --- what cannot be done ------------------------------------------------------


def test_an_unknown_column_or_class_names_what_there_is():
    spots = random_spots(3)
    with pytest.raises(NotFoundError) as caught:
        density(spots, "999", "488")
    assert str(caught.value) == (
        "there is no channel or numeric column '999'. Expected a channel (488, 514) "
        f"or one of {X}, {Y}, r, spot_id."
    )
    with pytest.raises(NotFoundError, match="there are no classes 'colour'"):
        density(spots, "488", "514", by="colour")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (np.ones(2, bool), r"an array of bool with shape \(2,\)"),
        (np.ones((3, 1), bool), r"an array of bool with shape \(3, 1\)"),
        (np.array([0, 1, 2]), r"an array of int64 with shape \(3,\)"),
    ],
)
def test_a_mask_that_does_not_fit(where, found):
    with pytest.raises(
        SeeSpotError, match=f"`where` is {found}. Expected a boolean for each of the 3"
    ):
        density(random_spots(3), "488", "514", where=where)


@pytest.mark.parametrize("bins", [0, -1, 2.5, True, (3,), (3, 4, 5), (2, 0), "9", None])
def test_bins_that_cannot_be(bins):
    with pytest.raises(StateError, match=r"the bins are .* Expected a whole number"):
        density(random_spots(3), "488", "514", bins=bins)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (((0, 1),), r"the limits are \(\(0, 1\),\)\. Expected \(\(x0, x1\)"),
        ((0, 1), r"the limits are \(0, 1\)"),
        (((0, "a"), (0, 1)), "the limits are"),
        (((2, 1), (0, 1)), r"the limits of x are 2\.0 and 1\.0\. Expected two finite"),
        (((0, 1), (0, np.inf)), r"the limits of y are 0\.0 and inf"),
        (((np.nan, 1), (0, 1)), r"the limits of x are nan and 1\.0"),
        (((0, 1), (-1e308, 1e308)), "the limits -1e.308 and 1e.308 are too far apart"),
    ],
)
def test_limits_that_cannot_be(limits, message):
    with pytest.raises(StateError, match=message):
        density(random_spots(3), "488", "514", limits=limits)


def test_limits_of_a_log_axis_are_above_zero():
    message = r"the limits of y are 0\.0 and 1\.0\. Expected .* both above 0 on a log"
    with pytest.raises(StateError, match=message):
        density(
            random_spots(3),
            "488",
            "514",
            limits=((0, 1), (0, 1)),
            axes=("linear", "log"),
        )


@pytest.mark.parametrize("axes", ["log", ("log",), ("log", "sqrt"), ("log",) * 3])
def test_axes_that_cannot_be(axes):
    with pytest.raises(StateError, match=r"the axes are .* linear, log, asinh"):
        density(random_spots(3), "488", "514", axes=axes)


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_a_width_of_the_asinh_scale_that_cannot_be(width):
    with pytest.raises(StateError, match="the width of the asinh scale is"):
        density(random_spots(3), "488", "514", asinh_width=width)


# --- filters as rules, guesses, means -----------------------------------------


class Rule:
    """Lets pass some codes, and rows by a mask; makes no array of all rows."""

    def __init__(self, spots, codes, mask):
        self.codes, self._spots, self._mask = codes, spots, mask

    def in_ranges(self, rows):
        return None if self._mask is None else self._mask[rows]

    def of(self, rows):
        passes = self.codes[self._spots.code[rows]]
        return passes if self._mask is None else passes & self._mask[rows]


@pytest.mark.parametrize("by", [None, "chan", "status", "tile"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_a_rule_counts_what_its_mask_counts(by, masked, wide):
    plain, rng = random_spots(5000), np.random.default_rng(1)
    columns = {name: plain.column(name) for name in (X, Y)}
    columns["code"] = plain.code.astype(np.uint16) if wide else plain.code
    columns["tile"] = rng.integers(0, 3, 5000).astype(np.uint8)
    spots = Spots(columns, channels=("488", "514"), categories={"tile": "abc"})
    codes = np.array([True, False, True, True, False, True])
    rule = Rule(spots, codes, rng.random(5000) < 0.5 if masked else None)
    counted = density(spots, "488", "514", 32, by=by, where=rule)
    expected = density(spots, "488", "514", 32, by=by, where=rule.of(slice(None)))
    np.testing.assert_array_equal(counted.counts, expected.counts)
    np.testing.assert_array_equal(counted.x_edges, expected.x_edges)
    assert counted.total > 100


@settings(max_examples=60, deadline=None)
@given(
    low=st.floats(-1e6, 1e6, width=32),
    span=st.floats(0, 18).map(lambda power: 10**power / 1e9),
    bins=st.integers(1, 600),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from(["linear", "log", "asinh"]),
)
def test_values_around_edges_are_counted_as_numpy_does(
    low, span, bins, seed, dtype, scale
):
    """Float32 may not even tell two edges apart: then every row is compared."""
    low = abs(low) + 1e-3 if scale == "log" else low
    limits = (low, low + span)
    if not limits[0] < limits[1]:
        return
    empty = make_spots(np.zeros(0, dtype), np.zeros(0, dtype))
    edges = density(
        empty, "488", "514", bins, (limits, limits), axes=(scale, scale)
    ).x_edges
    rng = np.random.default_rng(seed)
    values = edges.astype(dtype)
    near = [np.nextafter(values, dtype(end)) for end in (-np.inf, np.inf)]
    values = np.concatenate([values, *near, rng.uniform(*limits, 300).astype(dtype)])
    spots = make_spots(values, rng.permutation(values))
    picture = density(spots, "488", "514", bins, (limits, limits), axes=(scale, scale))
    expected = numpy_counts(spots.column(X), spots.column(Y), picture)
    np.testing.assert_array_equal(picture.counts, expected)


def test_a_picture_beyond_all_memory_is_refused():
    with pytest.raises(StateError, match="100,000 x 100,000 bins is too large"):
        density(random_spots(10), "488", "514", 100_000)


@pytest.mark.parametrize("scale", ["linear", "log", "asinh"])
def test_means_are_those_of_pandas(scale):
    spots = random_spots(5000)
    where = np.random.default_rng(2).random(5000) < 0.8
    limits = ((5, 400), (5, 300))
    picture = density(spots, "488", "514", 12, limits, axes=(scale, scale))
    found = means(picture, spots, "r", where)
    x, y, r = (spots.column(name).astype(float) for name in (X, Y, "r"))
    table = pd.DataFrame(
        {
            "line": pd.cut(y, picture.y_edges, right=False, labels=False),
            "column": pd.cut(x, picture.x_edges, right=False, labels=False),
            "r": r,
        }
    )[where & np.isfinite(r)]
    expected = np.full((12, 12), np.nan)
    grouped = table.dropna().groupby(["line", "column"])["r"].mean()
    for (line, column), value in grouped.items():
        expected[int(line), int(column)] = value
    np.testing.assert_allclose(found, expected)
    assert np.isfinite(found).sum() > 40


def test_means_leave_nulls_out():
    values = np.array([0, 1, 255, 1], np.uint8)  # 255: not known
    spots = make_spots(
        np.float32([1, 1, 1, 3]), np.float32([1, 1, 1, 3]), valid_spot=values
    )
    picture = density(spots, "488", "514", 2, ((0, 4), (0, 4)))
    assert means(picture, spots, "valid_spot")[0, 0] == 0.5
