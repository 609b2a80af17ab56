"""What pandas writes is read, value for value; what is not a table says so."""

from __future__ import annotations

import gzip
import io
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.sources import _pickle_scan, pickles
from napari_seespot.sources._pickle_scan import check_stream
from napari_seespot.sources.pickles import Codes, read_frame, read_frame_columns

FOLDER = Path(__file__).parent / "data" / "pickles"
TAGS = (
    "pandas15",
    "pandas15_arrow",
    "pandas21",
    "pandas22",
    "pandas22_arrow",
    "pandas31",
    "pandas31_arrow",
)
CHANNELS = ("488", "514", "561", "594", "638")
N = 11
each_writer = pytest.mark.parametrize("tag", TAGS)
each_protocol = pytest.mark.parametrize("protocol", [2, 3, 4, 5])


def values(column):
    return column.decode() if isinstance(column, Codes) else column


def expected_mixed():
    i = np.arange(N)
    columns = {
        "spot_id": i + 1,
        "chan": [CHANNELS[k % 5] for k in range(N)],
        "chan_spot_id": i // 5,
        "cell_id": i % 4,
        "round": ["4"] * N,
        "z": 3 * i,
        "y": 5 * i + 1,
        "x": 7 * i + 2,
        "z_center": i / 8 - 0.5,
        "y_center": -i / 16,
        "x_center": i / 32,
        "dist": i / 4,
        "r": np.where(i == 3, np.nan, 1 - i / 8),
    }
    for k, channel in enumerate(CHANNELS):
        columns[f"chan_{channel}_fg"] = 100.0 * i + k
        columns[f"chan_{channel}_bg"] = 10.0 * i
        columns[f"chan_{channel}_intensity"] = 90.0 * i + k - 300
    columns["over_thresh"] = i % 3 == 0
    return columns


def expected_unmixed():
    i = np.arange(N)
    kept = i % 3 != 1
    columns = expected_mixed()
    columns["unmixed_chan"] = [CHANNELS[(k + k // 5) % 5] for k in range(N)]
    columns["dye_line_dist_ratio"] = (i / 3).astype(np.float32)
    columns["valid_spot"] = i % 2 == 0
    columns = {name: np.asarray(column)[kept] for name, column in columns.items()}
    columns["spot_id"] = np.arange(1, kept.sum() + 1)
    return columns, i[kept]


def assert_columns(frame, expected):
    assert list(frame.columns) == list(expected)
    for name, right in expected.items():
        column = frame.columns[name]
        right = np.asarray(right)
        assert len(column) == frame.n_rows == len(right)
        if right.dtype.kind == "U":
            assert isinstance(column, Codes)
            assert column.codes.dtype == np.int8
            assert column.decode().tolist() == right.tolist()
        else:
            assert column.dtype == right.dtype
            np.testing.assert_array_equal(column, right)
            assert not column.flags.writeable


@each_protocol
@each_writer
def test_mixed_table(tag, protocol):
    frame = read_frame_columns(FOLDER / f"{tag}_mixed_p{protocol}.pkl")
    assert_columns(frame, expected_mixed())
    assert frame.index == range(N)
    assert frame.index_name is None
    assert frame.columns["chan"].categories == CHANNELS


@each_protocol
@each_writer
def test_unmixed_table_with_a_filtered_index(tag, protocol):
    frame = read_frame_columns(FOLDER / f"{tag}_unmixed_p{protocol}.pkl")
    expected, index = expected_unmixed()
    assert_columns(frame, expected)
    np.testing.assert_array_equal(frame.index, index)


@each_protocol
@each_writer
def test_every_kind_of_column(tag, protocol):
    frame = read_frame_columns(FOLDER / f"{tag}_variety_p{protocol}.pkl")
    got = frame.columns
    text = ["b", None, "a", "b", "ü", ""]
    assert frame.index_name == "label"
    np.testing.assert_array_equal(frame.index, np.arange(10, 70, 10))
    np.testing.assert_array_equal(got["f0"], np.arange(0.0, 12, 2))
    np.testing.assert_array_equal(got["f1"], np.arange(1.0, 12, 2))
    assert got["text"].decode().tolist() == text
    assert got["text"].categories == ("b", "a", "ü", "")
    assert got["string"].decode().tolist() == text
    objects = got["objects"].tolist()
    assert np.isnan(objects.pop(2))
    assert objects == ["s", None, 1, 2.5, True]
    assert list(map(type, objects)) == [str, type(None), int, float, bool]
    more = got["more_objects"].tolist()
    assert more == ["s", 0.5, 7, True, None, 1 << 70]
    assert list(map(type, more)) == [str, float, int, bool, type(None), int]
    assert got["nothing"].decode().tolist() == [None] * 6
    assert got["category"].decode().tolist() == [*text[:1], *text[2:], "a"]
    assert got["category"].categories == ("", "a", "b", "ü")
    assert got["category_missing"].decode().tolist() == text
    assert got["category_missing"].categories == ("ü", "b", "", "a")
    assert got["category_numbers"].tolist() == [5, 7, 5, 5, 7, 9]
    np.testing.assert_array_equal(got["Int64"], [1, np.nan, 3, 4, 5, 6])
    assert got["UInt8"].dtype == np.uint8
    assert got["UInt8"].tolist() == [1, 2, 3, 4, 5, 255]
    np.testing.assert_array_equal(got["Float32"], [0.5, np.nan, 3, 4, 5, 6])
    np.testing.assert_array_equal(got["boolean"], [1, 0, np.nan] * 2)
    assert got["boolean_full"].dtype == np.bool_
    assert got["boolean_full"].tolist() == [True, False, True] * 2
    for dtype in ("i1", "i2", "i4", "u1", "u2", "u4", "u8", "f2", "f4"):
        assert got[dtype].dtype == np.dtype(dtype)
        assert got[dtype].tolist() == [0, 1, 2, 3, 4, 5]
    assert got[">i4"].dtype == np.int32
    assert got[">i4"].tolist() == [0, 1, 2, 3, 4, 5]
    if "arrow" in tag:
        assert got["string_pyarrow"].decode().tolist() == text


@each_writer
def test_empty_table_keeps_its_columns(tag):
    frame = read_frame_columns(FOLDER / f"{tag}_empty.pkl")
    assert frame.n_rows == 0
    assert list(frame.columns) == list(expected_mixed())
    assert frame.columns["chan"].decode().tolist() == []
    assert frame.columns["r"].dtype == np.float64


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame(index=range(3))])
def test_table_without_columns(frame):
    got = read_frame_columns(pickle.dumps(frame))
    assert (got.columns, got.n_rows) == ({}, len(frame))


def test_read_frame_makes_an_ordinary_frame(tmp_path):
    path = tmp_path / "table.pkl"
    made = pd.DataFrame(
        {"chan": ["488", None], "r": [0.5, np.nan], "ok": [True, False]},
        index=pd.Index([7, 9], name="spot"),
    )
    made.to_pickle(path)
    got = read_frame(path)
    assert got["chan"].tolist() == ["488", None]
    pd.testing.assert_frame_equal(got.drop(columns="chan"), made.drop(columns="chan"))
    got.loc[7, "r"] = 2.0  # a copy: it may be changed
    assert read_frame(str(path)).loc[7, "r"] == 0.5


def test_object_rows_are_taken_in_the_right_order_of_memory():
    cells = np.array([["a", "b"], ["c", "d"], ["e", "f"]], dtype=object)
    for block in (cells, np.asfortranarray(cells)):
        frame = pd.DataFrame(block, columns=["one", "two"]).astype(object)
        got = read_frame_columns(pickle.dumps(frame))
        assert got.columns["one"].decode().tolist() == ["a", "c", "e"]
        assert got.columns["two"].decode().tolist() == ["b", "d", "f"]


def test_columns_of_one_block_backwards():
    frame = pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=list("abc"))
    got = read_frame_columns(pickle.dumps(frame[["c", "b", "a"]]))
    assert {name: column.tolist() for name, column in got.columns.items()} == {
        "c": [2.0, 5.0],
        "b": [1.0, 4.0],
        "a": [0.0, 3.0],
    }


cell = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.integers(),
    st.floats(),
    st.booleans(),
)


def same(a, b):
    missing = a is None or a != a, b is None or b != b
    return all(missing) or (type(a) is type(b) and a == b)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(cell, cell, st.integers(-5, 5), st.floats()), max_size=9),
    st.sampled_from([2, 3, 4, 5]),
    st.booleans(),
)
def test_any_cells_come_back(rows, protocol, column_by_column):
    names = ["a", "b", "i", "f"]
    lists = [list(column) for column in zip(*rows, strict=True)] or [[]] * 4
    dtypes = [object, object, np.int64, np.float64]
    series = {
        name: pd.Series(cells, dtype=dtype)
        for name, cells, dtype in zip(names, lists, dtypes, strict=True)
    }
    frame = pd.DataFrame(series)
    if column_by_column:
        frame = pd.DataFrame()
        for name, column in series.items():
            frame[name] = column
    got = read_frame_columns(pickle.dumps(frame, protocol=protocol))
    assert list(got.columns) == names
    for name, cells in zip(names, lists, strict=True):
        found = values(got.columns[name]).tolist()
        assert len(found) == len(cells)
        assert all(same(a, b) for a, b in zip(found, cells, strict=True))


@pytest.mark.parametrize(
    ("n_texts", "dtype"), [(127, np.int8), (128, np.int16), (40_000, np.int32)]
)
def test_codes_are_as_small_as_they_can_be(n_texts, dtype):
    texts = [f"t{i}" for i in range(n_texts)]
    for storage in ("object", "str", "category"):
        frame = pd.DataFrame({"t": pd.Series(texts, dtype=storage)})
        column = read_frame_columns(pickle.dumps(frame)).columns["t"]
        assert column.codes.dtype == dtype
        assert column.decode().tolist() == texts


def test_long_text_columns_cross_windows_and_change_to_the_compiled_walk():
    n = 150_000
    frame = pd.DataFrame(
        {
            "text": np.array([f"spot {i}" for i in range(n)], dtype=object),
            "same": np.array(["488", "514"] * (n // 2), dtype=object),
            "x": np.arange(n),
        }
    )
    got = read_frame_columns(pickle.dumps(frame))
    assert got.columns["text"].decode().tolist() == frame["text"].tolist()
    assert got.columns["same"].decode().tolist() == frame["same"].tolist()
    np.testing.assert_array_equal(got.columns["x"], np.arange(n))


@pytest.mark.parametrize("window", [1100, 1500, 2999])
@pytest.mark.parametrize("plain_steps", [0, 100, 10**6])
def test_windows_and_walks_agree(monkeypatch, window, plain_steps):
    monkeypatch.setattr(_pickle_scan, "_WINDOW", window)
    for path in FOLDER.glob("*_p[2-5].pkl"):
        with path.open("rb") as file:
            check_stream(file, path, plain_steps=plain_steps)
            assert file.tell() == 0


def test_blocks_of_numbers_are_not_copied(tmp_path):
    path = tmp_path / "numbers.pkl"
    pd.DataFrame(np.zeros((400_000, 10)), columns=list("abcdefghij")).to_pickle(path)
    tracemalloc.start()
    frame = read_frame_columns(path)
    _, peak = tracemalloc.get_traced_memory()
    assert peak < 1.2 * path.stat().st_size
    while frame.columns:
        frame.pop(next(iter(frame.columns)))
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 0.1 * path.stat().st_size


def test_pop_takes_a_column_once():
    frame = read_frame_columns(FOLDER / "pandas22_mixed_p5.pkl")
    np.testing.assert_array_equal(frame.pop("z"), 3 * np.arange(N))
    with pytest.raises(NotFoundError, match=r"no column 'z'.*spot_id, chan"):
        frame.pop("z")


def test_nothing_heavy_is_imported_for_a_small_table():
    code = (
        "import sys; from napari_seespot.sources import pickles;"
        "assert not {'numba', 'pyarrow', 'pandas'} & set(sys.modules);"
        f"pickles.read_frame_columns({str(FOLDER / 'pandas22_mixed_p5.pkl')!r});"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# --- messages -------------------------------------------------------------------


def csv():
    return pd.DataFrame(expected_mixed()).to_csv().encode()


def parquet():
    file = io.BytesIO()
    pd.DataFrame(expected_mixed()).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (csv(), "this is not a pickle"),
        (parquet(), "not a pickle but a Parquet file"),
        (b"<!DOCTYPE html><html></html>", "not a pickle but a web page"),
        (b'{"a": 1}', "not a pickle but a JSON document"),
        (gzip.compress(b"x", mtime=0), "not a pickle but a gzip-compressed file"),
        (b"\x80", "a single byte"),
        (b"\x80\x01N.", "pickle protocol 1"),
        (b"\x80\x06N.", "pickle protocol 6"),
        (pickle.dumps({"a": 1}, 0), "this is not a pickle.*protocol 2 to 5"),
        (pickle.dumps({"a": 1}), "holds a dict, not a DataFrame"),
        (pickle.dumps([1, 2]), "holds a list, not a DataFrame"),
        (pickle.dumps(None), "holds a NoneType, not a DataFrame"),
        (pickle.dumps(np.arange(3)), r"numpy\._core\S+, not a DataFrame"),
        (pickle.dumps(pd.Series([1])), r"pandas.Series, not a DataFrame.*to_pickle"),
        (pickle.dumps({"a": pd.DataFrame({"b": [1]})}), "holds a dict"),
        (pickle.dumps(pd.DataFrame([[1, 2]])), "columns have no names"),
        (pickle.dumps(pd.DataFrame([[1, 2]], columns=["a", 3])), "have no names"),
        (pickle.dumps(pd.DataFrame([[1, 2]], columns=["a", None])), "have no names"),
        (pickle.dumps(pd.DataFrame([[1, 2]], columns=["a", "a"])), "two columns 'a'"),
        (pickle.dumps(pd.DataFrame({"a": [1]})) + b"more", "ends after .* of .* bytes"),
        (pickle.dumps(pd.DataFrame({"a": [[1]]})), "holds values of the type list"),
    ],
)
def test_what_is_no_table_says_what_it_is(tmp_path, content, message):
    path = tmp_path / "spots.pkl"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        read_frame_columns(path)
    assert str(path) in str(caught.value)
    with pytest.raises(TableError, match=message):
        read_frame_columns(content)


@each_writer
def test_series_of_every_pandas(tag):
    with pytest.raises(TableError, match="Series, not a DataFrame"):
        read_frame_columns(FOLDER / f"{tag}_series.pkl")


def test_missing_file(tmp_path):
    with pytest.raises(NotFoundError, match="no such file"):
        read_frame_columns(tmp_path / "absent.pkl")


def test_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_frame_columns(tmp_path)


def test_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "growing.pkl"
    path.write_bytes(pickle.dumps(pd.DataFrame({"a": [1]})))

    def load_and_write(file, where):
        with path.open("ab") as end:
            end.write(b"more")
        return load(file, where)

    load = pickles.load_records
    monkeypatch.setattr(pickles, "load_records", load_and_write)
    with pytest.raises(TableError, match="changed while it was read"):
        read_frame_columns(path)


def test_too_little_memory(monkeypatch):
    def load_records(file, where):
        raise MemoryError

    monkeypatch.setattr(pickles, "load_records", load_records)
    with pytest.raises(TableError, match="not enough memory"):
        read_frame_columns(pickle.dumps(pd.DataFrame({"a": [1]})))


def test_table_of_an_older_pandas():
    # pandas 1.2 and older gave the blocks as a state, not as arguments.
    stream = (
        b"\x80\x04cpandas.core.frame\nDataFrame\n)\x81}X\x04\x00\x00\x00_mgr"
        b"cpandas.core.internals.managers\nBlockManager\n)\x81(]]]}tbsb."
    )
    with pytest.raises(TableError, match=r"a pandas that is not known.*1\.5 or newer"):
        read_frame_columns(stream)
