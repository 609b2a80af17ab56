from __future__ import annotations

import numpy as np
import pytest

from napari_seespot.errors import TableError
from napari_seespot.typed import typed_columns


def table(n: int = 3, **columns) -> dict:
    """Return the least that a table of spots needs, and what is given."""
    raw = {
        "chan": np.resize(np.array(["488", "561"], object), n),
        "unmixed_chan": np.array(["488"] * n, object),
        "z": np.arange(n),
        "y": np.arange(n),
        "x": np.arange(n),
        "chan_488_intensity": np.ones(n),
        "chan_561_intensity": np.ones(n),
    }
    raw.update(columns)
    return {name: values for name, values in raw.items() if values is not None}


def typed(raw, channels=None):
    return typed_columns(raw, channels=channels, where="table.pkl")


def test_the_least_that_is_needed():
    raw = table()
    columns, categories, channels = typed(raw)
    assert raw == {}
    assert channels == ("488", "561")
    assert categories == {}
    assert list(columns["spot_id"]) == [1, 2, 3]
    assert list(columns["code"]) == [0, 3, 0]  # chan * 3 + unmixed
    assert set(columns) == {
        *("code", "spot_id", "z", "y", "x", "chan_488_intensity", "chan_561_intensity")
    }


def test_dtypes():
    n = 3
    columns, categories, _ = typed(
        table(
            spot_id=np.array([7, 8, 9]),
            chan_spot_id=np.arange(n),
            cell_id=np.array([1, np.nan, 3]),
            r=np.ones(n),
            dist=np.ones(n),
            dye_line_dist_ratio=np.array([1, None, 2], object),
            valid_spot=np.array([True, None, False], object),
            over_thresh=np.ones(n, bool),
            round=np.array(["4"] * n, object),
            tile=np.array(["a", "b", "a"], object),
            v3_action=np.array(["keep"] * n, object),
        )
    )
    dtypes = {name: str(array.dtype) for name, array in columns.items()}
    assert dtypes == {
        "code": "uint8",
        "spot_id": "int32",
        "chan_spot_id": "int32",
        "cell_id": "int32",
        **dict.fromkeys(("z", "y", "x", "r", "dist", "dye_line_dist_ratio"), "float32"),
        **dict.fromkeys(("chan_488_intensity", "chan_561_intensity"), "float32"),
        **dict.fromkeys(("valid_spot", "over_thresh"), "uint8"),
        **dict.fromkeys(("round", "tile", "v3_action"), "int8"),
    }
    assert categories == {"round": ("4",), "tile": ("a", "b"), "v3_action": ("keep",)}
    assert list(columns["valid_spot"]) == [1, 255, 0]
    assert list(columns["cell_id"]) == [1, 0, 3]
    assert sum(array.itemsize for array in columns.values()) <= 64


def test_positions_are_summed_and_rounded_once():
    z = np.array([11_999, 3, 5, np.inf, np.nan])
    offset = np.array([0.123456789, -0.5, np.nan, 0.1, 0.1])
    raw = table(5, z=z, z_center=offset)
    columns, _, _ = typed(raw)
    expected = [np.float32(11_999.123456789), 2.5, 5, np.nan, np.nan]
    np.testing.assert_array_equal(columns["z"], np.array(expected, np.float32))


def test_an_infinite_offset_is_no_offset():
    columns, _, _ = typed(table(2, z=[4, 5], z_center=[np.inf, -np.inf]))
    assert list(columns["z"]) == [4, 5]


def test_a_flag_removes_and_a_null_flag_does_not():
    flags = np.array([True, None, False], object)
    columns, _, _ = typed(table(unmixed_removed=flags))
    assert list(columns["code"]) == [2, 3, 0]


@pytest.mark.parametrize("value", [None, "", "none", np.nan])
def test_no_unmixed_channel_is_removed(value):
    columns, _, _ = typed(table(unmixed_chan=np.array([value] * 3, object)))
    assert list(columns["code"]) == [2, 5, 2]


@pytest.mark.parametrize("name", ["chan", "unmixed_chan"])
def test_a_missing_class_column(name):
    with pytest.raises(TableError, match=rf"lacks {name}; its columns are .*z, y, x"):
        typed(table(**{name: None}))


@pytest.mark.parametrize("name", ["z", "y", "x"])
def test_a_missing_position(name):
    with pytest.raises(
        TableError, match=rf"table.pkl: the table lacks column '{name}'"
    ):
        typed(table(**{name: None}))


def test_missing_intensities():
    names = dict.fromkeys(("chan_488_intensity", "chan_561_intensity"))
    with pytest.raises(TableError, match="lacks chan_<channel>_intensity"):
        typed(table(**names))
    with pytest.raises(TableError, match="lacks chan_561_intensity"):
        typed(table(chan_561_intensity=None), channels=("488", "561"))


def test_nothing_at_all():
    with pytest.raises(TableError, match="its columns are none"):
        typed({})


def test_columns_of_different_lengths():
    with pytest.raises(TableError, match="different lengths, from 2 to 3"):
        typed(table(r=np.ones(2)))


def test_an_empty_channel():
    chan = np.array(["488", None, ""], object)
    with pytest.raises(TableError, match="'chan' is empty in 2 rows"):
        typed(table(chan=chan))
    with pytest.raises(TableError, match="'chan' is empty in 1 row\\."):
        typed(table(chan=np.array(["488", "488", None], object)))


def test_ids_that_repeat():
    with pytest.raises(TableError, match="'spot_id' repeats 1 of its 3 values"):
        typed(table(spot_id=np.array([1, 1, 2])))


def test_ids_beyond_32_bits():
    columns, _, _ = typed(table(spot_id=np.array([1, 2, 2**40])))
    assert columns["spot_id"].dtype == np.int64


def test_too_many_channels():
    channels = [str(i) for i in range(1000, 1181)]
    raw = table(**{f"chan_{c}_intensity": np.ones(3) for c in channels})
    with pytest.raises(TableError, match="181 spot channels"):
        typed(raw, channels=channels)


@pytest.mark.parametrize(
    ("n", "dtype"), [(15, np.uint8), (16, np.uint16), (180, np.uint16)]
)
def test_codes_of_many_channels_do_not_overflow(n, dtype):
    channels = [str(1000 + i) for i in range(n)]
    raw = table(
        n,
        chan=np.array(channels, object),
        unmixed_chan=np.array([None, *channels[1:]], object),
        chan_488_intensity=None,
        chan_561_intensity=None,
        **{f"chan_{c}_intensity": np.ones(n) for c in channels},
    )
    columns, _, found = typed(raw)
    assert found == tuple(channels)
    assert columns["code"].dtype == dtype
    chan, unmixed = np.divmod(columns["code"].astype(int), n + 1)
    assert list(chan) == list(range(n))
    assert list(unmixed) == [n, *range(1, n)]


def test_no_rows():
    columns, _, channels = typed(table(0))
    assert channels == ("488", "561")
    assert {len(array) for array in columns.values()} == {0}
