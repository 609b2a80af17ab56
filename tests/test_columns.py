from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_seespot.columns import (
    NULL_BOOL,
    as_bool,
    as_category,
    as_float32,
    as_float64,
    as_integer,
    channel_name,
    encode_channels,
    intensity_channels,
    intensity_column,
)
from napari_seespot.errors import TableError
from napari_seespot.sources.pickles import Codes

WHERE = {"column": "c", "where": "table.pkl"}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("488", "488"),
        (" 488 ", "488"),
        (488, "488"),
        (488.0, "488"),
        ("488.0", "488"),
        ("488.00", "488"),
        (np.int64(488), "488"),
        (np.float32(488), "488"),
        (488.5, "488.5"),
        ("488.5", "488.5"),
        ("Cy5", "Cy5"),
        (float("inf"), "inf"),
        (None, None),
        (pd.NA, None),
        (float("nan"), None),
        (np.float32("nan"), None),
        *(
            (text, None)
            for text in ("", " ", "none", "None", "nan", "NaN", "<NA>", "null")
        ),
    ],
)
def test_a_channel_has_one_name(value, name):
    assert channel_name(value) == name


def test_channels_are_in_the_order_of_their_wavelengths():
    names = ["chan_1064_intensity", "chan_488_intensity", "chan_dapi_intensity"]
    names += ["chan_488_fg", "chan__intensity", "chan", "z", "x_488_intensity"]
    assert intensity_channels(names) == ("488", "1064", "dapi")
    assert intensity_channels(["chan_" + "9" * 5000 + "_intensity"]) == ("9" * 5000,)
    assert intensity_column("488") == "chan_488_intensity"


@pytest.mark.parametrize(
    "values",
    [
        np.array(["488", "561", None, "", "488"], object),
        np.array([488, 561, np.nan, np.nan, 488]),
        pd.Categorical(["488", "561", None, None, "488"]),
        Codes(np.array([1, 0, -1, 2, 1], np.int8), ("561", "488", "none")),
        ["488", 561, None, "none", 488.0],
    ],
)
def test_channels_become_places(values):
    codes = encode_channels(values, ("488", "514", "561"), **WHERE)
    assert codes.dtype == np.int16
    assert list(codes) == [0, 2, -1, -1, 0]


def test_an_unknown_channel_is_counted():
    with pytest.raises(
        TableError,
        match=r"^table.pkl: column 'c' holds the unknown channel '7' in 2 rows\. "
        r"Expected one of 4, 5\. Check spot_channels",
    ):
        encode_channels(["4", "7", 7], ("4", "5"), **WHERE)
    with pytest.raises(TableError, match="in 1 row"):
        encode_channels([["a", "list"]], ("4",), **WHERE)


# --- numbers ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1, 2]),
        (np.array([1.5, np.nan, np.inf]), [1.5, np.nan, np.inf]),
        (np.array(["1.5", None, "nan", "-2e3"], object), [1.5, np.nan, np.nan, -2000]),
        (np.array([True, False]), [1, 0]),
        (np.array([1e300, -1e300]), [np.inf, -np.inf]),
        (np.array([], object), []),
        (np.array([None, None], object), [np.nan, np.nan]),
        (pd.Categorical([1.5, None]), [1.5, np.nan]),
        (np.array(["", "none", "<NA>", "7"], object), [np.nan] * 3 + [7]),
        (Codes(np.array([0, -1]), ("2.5",)), [2.5, np.nan]),
        (np.array([pd.NA, 3], object), [np.nan, 3]),
        (np.arange(6, dtype=">f8").reshape(3, 2)[:, 1], [1, 3, 5]),
    ],
)
def test_numbers_become_float32(values, expected):
    array = as_float32(values, **WHERE)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, np.array(expected, np.float32))
    exact = as_float64(values, **WHERE)
    assert exact.dtype == np.float64


@pytest.mark.parametrize("convert", [as_float32, as_integer, as_float64])
@pytest.mark.parametrize(
    ("values", "example"),
    [
        (np.array(["1", "high"], object), "'high'"),
        (np.array([1, [2]], object), r"\[2\]"),
        (np.array([datetime.date(2025, 1, 1)], object), "datetime.date"),
        (Codes(np.array([0]), ("a",)), "'a'"),
    ],
)
def test_what_is_not_a_number(convert, values, example):
    with pytest.raises(TableError, match=rf"^table.pkl: column 'c' holds {example}"):
        convert(values, **WHERE)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "timedelta64[s]", "complex128"])
def test_other_kinds_of_numbers_are_refused(kind):
    with pytest.raises(TableError, match="column 'c' holds"):
        as_float32(np.zeros(2).astype(kind), **WHERE)


def test_a_table_in_a_column():
    with pytest.raises(TableError, match="column 'c' has 2 dimensions"):
        as_float32(np.zeros((2, 2)), **WHERE)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2**31 - 1], np.int32, [1, 2**31 - 1]),
        ([0, 2**31], np.int64, [0, 2**31]),
        ([-(2**31)], np.int32, [-(2**31)]),
        ([-(2**31) - 1], np.int64, [-(2**31) - 1]),
        (np.array([1.0, np.nan]), np.int32, [1, 0]),
        (np.array(["7", None, ""], object), np.int32, [7, 0, 0]),
        (np.array([str(2**53 + 1), "1"], object), np.int64, [2**53 + 1, 1]),
        (np.array([], np.float64), np.int32, []),
        (np.array([2**63 - 1], np.uint64), np.int64, [2**63 - 1]),
    ],
)
def test_whole_numbers_are_as_small_as_they_can_be(values, dtype, expected):
    array = as_integer(values, **WHERE)
    assert array.dtype == dtype
    assert list(array) == expected


@pytest.mark.parametrize("value", [0.5, np.inf, -np.inf])
def test_decimals_are_no_whole_numbers(value):
    with pytest.raises(TableError, match="holds numbers with decimals or infinities"):
        as_integer(np.array([1, value]), **WHERE)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1])
def test_numbers_beyond_64_bits(value):
    with pytest.raises(TableError, match="beyond 64-bit integers"):
        as_integer(np.array([1, value], np.uint64), **WHERE)
    with pytest.raises(TableError, match="beyond 64-bit integers"):
        as_integer(np.array([1e19]), **WHERE)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40))))
def test_whole_numbers_in_any_clothes(numbers):
    expected = [n or 0 for n in numbers]
    text = np.array([None if n is None else str(n) for n in numbers], object)
    floats = np.array([np.nan if n is None else n for n in numbers], np.float64)
    objects = np.empty(len(numbers), object)
    objects[:] = numbers
    for values in (text, floats, objects):
        assert list(as_integer(values, **WHERE)) == expected


# --- booleans and words ---


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False, None], object),
        np.array(["True", "false", "nan"], object),
        np.array([1.0, 0.0, np.nan]),
        np.array(["yes", "F", ""], object),
        pd.Categorical([True, False, None]),
        Codes(np.array([1, 0, -1], np.int8), ("False", "True")),
    ],
)
def test_booleans_in_any_clothes(values):
    array = as_bool(values, **WHERE)
    assert array.dtype == np.uint8
    assert list(array) == [1, 0, NULL_BOOL]


def test_plain_booleans():
    assert list(as_bool(np.array([True, False]), **WHERE)) == [1, 0]


@pytest.mark.parametrize("value", [2, "maybe", 0.5])
def test_what_is_neither_true_nor_false(value):
    with pytest.raises(TableError, match=r"column 'c' holds .*Expected true or false"):
        as_bool(np.array([value], object), **WHERE)


def test_words_become_codes():
    codes, names = as_category(np.array(["b", None, "a", "b"], object))
    assert names == ("", "a", "b")
    assert codes.dtype == np.int8
    assert [names[code] for code in codes] == ["b", "", "a", "b"]
    codes, names = as_category(np.array([4, 4]))
    assert names == ("4",)
    codes, names = as_category(np.array([], object))
    assert (len(codes), names) == (0, ())


def test_words_that_look_alike_are_one():
    codes, names = as_category(np.array(["4", 4], object))
    assert names == ("4",)
    assert list(codes) == [0, 0]


def test_many_words_need_wider_codes():
    words = [f"w{i:03}" for i in range(300)]
    codes, names = as_category(np.array(words, object))
    assert codes.dtype == np.int32
    assert [names[code] for code in codes] == words
