"""The ratio matrix: reading it, and what it says of spots."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_seespot import unmixing
from napari_seespot.errors import RatiosError
from napari_seespot.unmixing import (
    DyeLine,
    dye_distances,
    dye_lines,
    line_distance_ratio,
    parse_ratios,
    residual,
    what_if,
)

CHANNELS = ("488", "514", "561")
TEXT = "100 40 0\n12.5\t100 3e1\n\n 0   0.5  100\n"


@pytest.fixture
def ratios():
    return parse_ratios(TEXT, CHANNELS, "r4_ratios.txt")


# --- reading ------------------------------------------------------------------


def test_rows_are_dyes_and_columns_channels(ratios):
    assert ratios.to_numpy().tolist() == [[100, 40, 0], [12.5, 100, 30], [0, 0.5, 100]]
    assert list(ratios.index) == list(ratios.columns) == list(CHANNELS)
    assert (ratios.index.name, ratios.columns.name) == ("dye", "channel")
    assert ratios.to_numpy().dtype == np.float64
    assert ratios.loc["488", "514"] == 40


def test_comments_and_line_ends_of_other_systems():
    text = "# dyes x channels\r\n100 1 # first\r\n2 100\r\n"
    assert parse_ratios(text, ("488", "514"), "f").to_numpy().tolist() == [
        [100, 1],
        [2, 100],
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "the ratios are 0 x 0 numbers"),
        ("1 2 3\n4 5 6", "the ratios are 2 x 3 numbers"),
        ("1 2\n3 4\n5 6", "the ratios are 3 x 2 numbers"),
        ("1 2 3\n4 5\n6 7 8", "the ratios are 3 x 2 or 3 numbers"),
        ("1 2 3 4\n" * 4, "the ratios are 4 x 4 numbers"),
    ],
)
def test_a_matrix_of_another_shape(text, found):
    with pytest.raises(RatiosError) as caught:
        parse_ratios(text, CHANNELS, "some/r4_ratios.txt")
    assert str(caught.value) == (
        f"some/r4_ratios.txt: {found}. Expected 3 x 3 numbers, a row and a column "
        "for each of 488, 514, 561."
    )


@pytest.mark.parametrize("word", ["x", "-1", "nan", "inf", "1,5", "100%"])
def test_what_is_no_ratio(word):
    with pytest.raises(RatiosError) as caught:
        parse_ratios(f"1 2 3\n\n4 {word} 6\n7 8 9", CHANNELS, "r.txt")
    assert str(caught.value).startswith(f"r.txt: line 3 of the ratios holds {word!r}.")
    assert "each finite and not below 0" in str(caught.value)


# --- lines --------------------------------------------------------------------


def test_a_line_points_where_the_dye_shows(ratios):
    lines = dye_lines(ratios, ("488", "514"))
    assert [line.channel for line in lines] == list(CHANNELS)
    assert lines[0].dy / lines[0].dx == pytest.approx(0.4)
    assert lines[1].dx / lines[1].dy == pytest.approx(0.125)
    assert lines[2].direction == (0.0, 1.0)
    for line in lines:
        assert np.hypot(line.dx, line.dy) == pytest.approx(1)


def test_the_other_order_of_the_pair_mirrors_the_lines(ratios):
    there = dye_lines(ratios, ("488", "561"))
    back = dye_lines(ratios, ("561", "488"))
    assert [(line.dy, line.dx) for line in back] == [line.direction for line in there]


def test_no_ratios_no_lines():
    assert dye_lines(None, ("488", "514")) == []


def test_a_dye_that_shows_in_neither_channel_has_no_line(ratios):
    ratios.loc["561"] = [0, 0, 100]
    lines = dye_lines(ratios, ("488", "514"))
    assert [line.channel for line in lines] == ["488", "514"]


def test_labels_may_be_numbers():
    matrix = pd.DataFrame([[100, 0], [0, 100]], index=[488, 514], columns=[488, 514])
    assert dye_lines(matrix, ("488", "514")) == [
        DyeLine("488", (1.0, 0.0)),
        DyeLine("514", (0.0, 1.0)),
    ]


def test_a_channel_that_the_ratios_do_not_know(ratios):
    with pytest.raises(
        RatiosError, match=r"no channel '594'\. Expected one of 488, 514, 561"
    ):
        dye_lines(ratios, ("488", "594"))


def test_ratios_that_are_no_numbers(ratios):
    with pytest.raises(RatiosError, match="the ratios are not all numbers"):
        dye_lines(ratios.astype(object).replace(100, "full"), ("488", "514"))
    ratios.iloc[0, 0] = np.nan
    with pytest.raises(RatiosError, match="the ratios hold NaN or infinity"):
        dye_lines(ratios, ("488", "514"))


# --- distances ----------------------------------------------------------------


def intensities(n=500, seed=0):
    return np.random.default_rng(seed).normal(200, 150, (n, 3)).astype(np.float32)


def test_distance_is_that_of_the_nearest_point_on_the_line(ratios):
    vectors = intensities(200)
    distances = dye_distances(vectors, ratios)
    assert distances.shape == (200, 3)
    for dye, row in enumerate(ratios.to_numpy()):
        # Least squares of one unknown, by numpy's own solver.
        scale, *_ = np.linalg.lstsq(row[:, None], vectors.T.astype(float), rcond=None)
        nearest = scale.T * row
        expected = np.sqrt(((vectors - nearest) ** 2).sum(axis=1))
        np.testing.assert_allclose(distances[:, dye], expected, rtol=1e-9)


def test_distance_in_two_dimensions_is_the_cross_product():
    matrix = parse_ratios("3 4\n0 100", ("488", "514"), "f")
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0], [-3.0, -4.0]])
    expected = np.abs(vectors @ [4 / 5, -3 / 5])
    np.testing.assert_allclose(
        dye_distances(vectors, matrix)[:, 0], expected, atol=1e-15
    )


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float64, (3, 3), elements=st.floats(1, 100)),
    st.integers(0, 2),
    st.floats(-1e4, 1e4),
)
def test_a_pure_spot_lies_on_its_line(matrix, dye, brightness):
    table = pd.DataFrame(matrix, index=list(CHANNELS), columns=list(CHANNELS))
    spot = brightness * matrix[[dye]]
    size = max(np.linalg.norm(spot), 1.0)
    assert dye_distances(spot, table)[0, dye] <= 1e-12 * size
    left = residual(spot[0], table, CHANNELS[dye])
    np.testing.assert_allclose(left, 0, atol=1e-12 * size)


def test_no_digits_are_lost_near_a_line():
    matrix = parse_ratios("100 0\n0 100", ("488", "514"), "f")
    assert dye_distances(np.array([[1e9, 1e-3]]), matrix)[0, 0] == pytest.approx(1e-3)


def test_millions_are_worked_on_in_blocks(ratios, monkeypatch):
    vectors = intensities(1000)
    whole, verdicts = dye_distances(vectors, ratios), what_if(vectors, ratios)
    monkeypatch.setattr(unmixing, "BLOCK_ROWS", 7)
    np.testing.assert_allclose(dye_distances(vectors, ratios), whole, rtol=1e-12)
    np.testing.assert_array_equal(what_if(vectors, ratios), verdicts)


def test_ratio_of_the_two_nearest_lines(ratios):
    distances = dye_distances(intensities(), ratios)
    ranked = np.sort(distances, axis=1)
    np.testing.assert_allclose(
        line_distance_ratio(distances), ranked[:, 1] / ranked[:, 0]
    )


def test_ratio_at_the_borders():
    distances = np.array(
        [
            [0.0, 2.0, 3.0],
            [0.0, 0.0, 3.0],
            [2.0, np.inf, 4.0],
            [2.0, np.inf, np.inf],
            [np.nan, 1.0, 2.0],
            [np.nan] * 3,
        ]
    )
    np.testing.assert_array_equal(
        line_distance_ratio(distances), [np.inf, np.nan, 2, np.nan, np.nan, np.nan]
    )
    assert np.isnan(line_distance_ratio(np.ones((2, 1)))).all()
    assert line_distance_ratio(np.ones((0, 3))).shape == (0,)


# --- residuals and verdicts ---------------------------------------------------


def test_residual_is_perpendicular_and_as_long_as_the_distance(ratios):
    vectors = intensities(50)
    distances = dye_distances(vectors, ratios)
    for place, dye in enumerate(CHANNELS):
        left = residual(vectors, ratios, dye)
        assert left.shape == vectors.shape
        np.testing.assert_allclose(left @ ratios.loc[dye], 0, atol=1e-6)
        np.testing.assert_allclose(
            np.linalg.norm(left, axis=1), distances[:, place], rtol=1e-9
        )
        np.testing.assert_allclose(residual(vectors[0], ratios, dye), left[0])


def test_residual_by_hand():
    matrix = parse_ratios("100 100\n0 100", ("488", "514"), "f")
    np.testing.assert_allclose(residual([3.0, 1.0], matrix, "488"), [1.0, -1.0])


def test_the_verdict_is_the_nearest_line(ratios):
    vectors = intensities()
    expected = dye_distances(vectors, ratios).argmin(axis=1)
    verdicts = what_if(vectors, ratios)
    assert verdicts.dtype == np.int64
    np.testing.assert_array_equal(verdicts, expected)
    np.testing.assert_array_equal(what_if(ratios.to_numpy() * 7, ratios), [0, 1, 2])


def test_equally_near_dyes_and_what_has_no_verdict(ratios):
    strange = np.array(
        [[0, 0, 0], [np.nan, 1, 1], [np.inf, 1, 1], [-np.inf, np.inf, 1]], float
    )
    assert what_if(strange, ratios).tolist() == [0, -1, -1, -1]
    assert np.isnan(dye_distances(strange, ratios)[1:]).all()
    assert what_if(np.zeros((0, 3)), ratios).shape == (0,)
    assert what_if(strange, ratios.iloc[:0]).tolist() == [-1] * 4


def test_a_dye_of_zeros_is_never_nearest(ratios):
    ratios.loc["514"] = 0.0
    vectors = intensities(100)
    assert np.isinf(dye_distances(vectors, ratios)[:, 1]).all()
    assert set(what_if(vectors, ratios)) == {0, 2}
    np.testing.assert_array_equal(residual(vectors, ratios, "514"), vectors)


def test_intensities_of_other_channels(ratios):
    message = r"the intensities have the shape \(5, 2\)\. Expected .* 488, 514, 561"
    for function in (dye_distances, what_if):
        with pytest.raises(RatiosError, match=message):
            function(np.ones((5, 2)), ratios)
    with pytest.raises(RatiosError, match=r"the shape \(1, 4\)"):
        residual(np.ones(4), ratios, "488")


def test_a_dye_that_the_ratios_do_not_know(ratios):
    with pytest.raises(RatiosError, match=r"no dye '405'\. Expected one of 488, 514"):
        residual(np.ones(3), ratios, "405")
