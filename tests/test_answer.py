"""A saved answer becomes a dataset, or says what is wrong with it."""

from __future__ import annotations

import copy
import json
import math
import os
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._seespot_server import ANSWERS, NEWER_NAME, OLDER_NAME, TILED_NAME, encode

from napari_seespot.errors import (
    CancelledError,
    NotFoundError,
    RatiosError,
    SeeSpotError,
    ServerError,
    TableError,
)
from napari_seespot.sources import _json_stream
from napari_seespot.sources._answer import read_answer
from napari_seespot.sources._json_stream import JsonStream
from napari_seespot.sources.server import dataset_from_answer

MUTATIONS = 2000 if os.environ.get("NAPARI_SEESPOT_NIGHTLY") == "1" else 100

NEWER = json.loads((ANSWERS / "newer.json").read_text())
OLDER = json.loads((ANSWERS / "older.json").read_text())


@pytest.fixture
def newer():
    return copy.deepcopy(NEWER)


def error_of(content, kind=ServerError):
    """Return the message of an answer, as bytes and as objects alike if it is JSON."""
    source = content if isinstance(content, bytes) else encode(content)
    with pytest.raises(SeeSpotError) as error:
        dataset_from_answer(source, where="http://lab:5555")
    assert type(error.value) is kind
    assert str(error.value).startswith("http://lab:5555: ")
    if not isinstance(content, bytes):
        with pytest.raises(SeeSpotError) as other:
            dataset_from_answer(content, where="http://lab:5555")
        assert str(other.value) == str(error.value)
    return str(error.value)


def table_of(dataset):
    return dataset.spots.to_pandas().set_index("spot_id").sort_index()


def wide(n, **changes):
    """Return an answer of many spots, more than a window holds."""
    row = NEWER["spots_data"][0]
    detail = NEWER["spot_details"]["300"]
    return {
        **NEWER,
        "spots_data": [{**row, "spot_id": i, "r": i / n} for i in range(1, n + 1)],
        "spot_details": {str(i): {**detail, "z": i} for i in range(1, n + 1)},
        **changes,
    }


# Ways to hand an answer in


def test_a_path_bytes_and_objects_are_one(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(NEWER, indent=3))
    shares = []
    sets = [
        dataset_from_answer(path, progress=lambda share, text: shares.append(share)),
        dataset_from_answer(str(path)),
        dataset_from_answer(encode(NEWER)),
        dataset_from_answer(b"\xef\xbb\xbf" + encode(NEWER)),  # a byte order mark
        dataset_from_answer(NEWER),
    ]
    for other in sets[1:]:
        assert table_of(other).equals(table_of(sets[0]))
        assert other.name == NEWER_NAME
        assert other.ratios.equals(sets[0].ratios)
        assert other.summary.equals(sets[0].summary)
    assert sets[0].uri == str(path)
    assert shares[-1] == 1
    assert sets[0].notes == ("a sample: 14 of 2,000 spots",)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError, match="cannot be read: No such file"):
        dataset_from_answer(tmp_path / "none.json")


def test_the_storage_reaches_the_images(tmp_path, monkeypatch):
    from napari_seespot._addresses import StorageOptions

    path = tmp_path / "answer.json"
    path.write_bytes(encode(NEWER))
    monkeypatch.setattr(
        "napari_seespot.images.open_channels",
        lambda uris, storage, **_: (dict.fromkeys(uris, storage), {}),
    )
    storage = StorageOptions(region="eu-west-1")
    for source in (path, NEWER):
        ds = dataset_from_answer(source, storage=storage)
        assert ds.images["488"] is storage


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 20_000), max_size=8), st.sampled_from([None, 1, 40]))
def test_where_a_body_is_cut_does_not_matter(sizes, window):
    content = wide(60, message='a },{ "spot_id" trap: ]} \u00b5 \\" \\\\')
    content["spots_data"][7]["chan"] = 488.0
    body = json.dumps(content, ensure_ascii=False, indent=window).encode()
    chunks, at = [], 0
    for size in sizes:
        chunks.append(body[at : at + size])
        at += size
    chunks.append(body[at:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_stream, "WINDOW", (window or 100) * 10)
        found = read_answer(iter(chunks), where="x")
    assert found.parts["message"] == content["message"]
    assert list(found.spots["spot_id"]) == list(range(1, 61))
    assert list(found.details["spot_id"]) == list(range(1, 61))
    expected = np.array([row["r"] for row in content["spots_data"]], np.float32)
    np.testing.assert_array_equal(found.spots["r"], expected)


def test_many_spots_of_many_windows_with_every_layout():
    content = wide(3_000)
    expected = table_of(dataset_from_answer(content))
    assert list(expected["z"]) == list(range(1, 3_001))
    for layout in ({"separators": (",", ":")}, {}, {"indent": 0}, {"indent": 8}):
        body = json.dumps(content, **layout).encode()
        assert table_of(dataset_from_answer(body)).equals(expected)


def test_braces_in_texts_do_not_mislead(newer):
    for place, row in enumerate(newer["spots_data"]):
        row["why"] = ["}, {", '"},', "]", {"deep": [{"a": 1}, {}]}][place % 4]
    for detail in newer["spot_details"].values():
        detail["of"] = {"a": {}, "b": "},{"}
    newer["other"] = [{"spots_data": []}, {"b": [1, 2]}]
    newer["more"] = {"spots_data": {"x": 1}}
    assert table_of(dataset_from_answer(encode(newer))).equals(
        table_of(dataset_from_answer(NEWER))
    )


def test_the_order_of_the_parts_does_not_matter(newer):
    turned = dict(reversed(newer.items()))
    assert table_of(dataset_from_answer(encode(turned))).equals(
        table_of(dataset_from_answer(NEWER))
    )


def test_reading_can_be_cancelled(tmp_path):
    path = tmp_path / "answer.json"
    path.write_bytes(encode(wide(2_000)))
    asked = iter([False] * 3 + [True] * 100)
    with pytest.raises(CancelledError):
        dataset_from_answer(path, cancelled=lambda: next(asked))


def test_a_large_answer_takes_less_memory_than_its_body(tmp_path):
    path = tmp_path / "answer.json"
    path.write_bytes(encode(wide(20_000)))
    dataset_from_answer(NEWER)  # what is imported late is none of it
    tracemalloc.start()
    try:
        ds = dataset_from_answer(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ds.spots) == 20_000
    assert peak < path.stat().st_size


def test_no_piece_is_decoded_that_would_stall_other_threads(monkeypatch):
    lengths = []
    original = json.JSONDecoder.decode

    def decode(self, text):
        lengths.append(len(text))
        return original(self, text)

    monkeypatch.setattr(json.JSONDecoder, "decode", decode)
    dataset_from_answer(encode(wide(5_000)))
    assert len(lengths) > 20
    assert max(lengths) <= _json_stream.WINDOW + 2


# What the two generations differ in


@pytest.mark.parametrize("cell", [str, int, float, lambda v: f"{v}.0"])
@pytest.mark.parametrize("round_", [4, "4", 4.0, "4.0"])
def test_cells_and_rounds_of_every_spelling(newer, cell, round_):
    for detail in newer["spot_details"].values():
        detail["cell_id"] = cell(int(detail["cell_id"]))
        detail["round"] = round_
    ds = dataset_from_answer(newer)
    assert ds.round == "4"
    assert table_of(ds)["cell_id"].equals(
        table_of(dataset_from_answer(NEWER))["cell_id"]
    )


def test_cells_and_rounds_that_are_not_told(newer):
    for detail in newer["spot_details"].values():
        detail["cell_id"] = None
        detail["round"] = None
    ds = dataset_from_answer(newer)
    assert ds.round is None
    assert (ds.spots.column("cell_id") == 0).all()


def test_numbers_for_channels(newer):
    newer["channel_pairs"] = [[int(a), int(b)] for a, b in newer["channel_pairs"]]
    for row in newer["spots_data"]:
        row["chan"] = int(row["chan"])
        row["spot_id"] = str(row["spot_id"])
        if row["unmixed_chan"]:
            row["unmixed_chan"] = float(row["unmixed_chan"])
    assert table_of(dataset_from_answer(newer)).equals(
        table_of(dataset_from_answer(NEWER))
    )


def test_the_older_answer():
    ds = dataset_from_answer(OLDER)
    assert ds.name == OLDER_NAME
    assert "removed spots are unknown: this server sends only kept ones" in ds.notes[1]
    assert (ds.summary["unchanged_spots"] + ds.summary["reassigned_spots"]).equals(
        ds.summary["kept_spots"]
    )


def test_a_name_that_nothing_tells(newer, tmp_path):
    del newer["current_dataset"]
    newer["fused_s3_paths"] = ["s3://bucket/channel_488.zarr"]
    assert dataset_from_answer(newer).name == "answer"
    path = tmp_path / "monday.json"
    path.write_bytes(encode(newer))
    assert dataset_from_answer(path).name == "monday"


def test_one_channel_has_no_pair(newer):
    newer["channel_pairs"] = []
    newer["ratios"] = [[100]]
    newer["spots_data"] = [
        {
            "spot_id": 1,
            "chan": "488",
            "unmixed_chan": "488",
            "chan_488_intensity": 2,
            "valid_spot": None,
        },
        {
            "spot_id": 2,
            "chan": "488",
            "unmixed_chan": "",
            "chan_488_intensity": None,
            "valid_spot": True,
        },
    ]
    ds = dataset_from_answer(newer)
    assert ds.channels == ["488"]
    assert ds.ratios.loc["488", "488"] == 100
    table = table_of(ds)
    assert list(table["status"]) == ["unchanged", "removed"]
    assert math.isnan(table.loc[2, "chan_488_intensity"])
    assert table["valid_spot"].isna().tolist() == [True, False]


@pytest.mark.parametrize("none", [None, "", "none"])
@pytest.mark.parametrize("flag", [None, True, False])
def test_all_ways_to_be_removed(newer, none, flag):
    newer["spots_data"] = newer["spots_data"][:2]
    newer["spots_data"][0] |= {"unmixed_chan": none, "unmixed_removed": flag}
    newer["spots_data"][1] |= {"unmixed_chan": "488", "unmixed_removed": True}
    assert (dataset_from_answer(newer).spots.status == "removed").all()


# Notes


def test_notes_on_removed_spots(newer):
    newer["spots_data"] = [r for r in newer["spots_data"] if r["unmixed_chan"]]
    note = "no removed spot is in this sample (the summary counts 691)"
    assert note in dataset_from_answer(newer).notes
    for row in newer["summary_stats"]:
        row["removed_spots"] = 0
    assert len(dataset_from_answer(newer).notes) == 1
    del newer["summary_stats"]
    assert dataset_from_answer(newer).notes[1] == "no removed spot is in this sample"


def test_notes_on_the_sample(newer):
    newer["sankey_data"] = None
    assert dataset_from_answer(newer).notes == ("a sample: 14 of 2,000 spots",)
    # a row for each min_dist counts the same spots again
    twice = [{**row, "min_dist": 5.0} for row in newer["summary_stats"]]
    newer["summary_stats"] += twice
    ds = dataset_from_answer(newer)
    assert ds.notes == ("a sample: 14 of 2,000 spots",)
    assert (ds.min_dist, ds.min_dists) == (None, ("3", "5"))
    newer["summary_stats"] = []
    assert dataset_from_answer(newer).notes == (
        "a sample: 14 spots; the server does not tell of how many",
    )
    newer["sankey_data"] = {"total_spots": 14}
    assert dataset_from_answer(newer).notes == ("all 14 spots of the dataset",)


def test_spots_without_details(newer):
    lost = [key for place, key in enumerate(newer["spot_details"]) if place % 3 == 0]
    for key in lost:
        del newer["spot_details"][key]
    ds = dataset_from_answer(newer)
    assert (
        "5 of 14 spots have no details: their positions are unknown, and they are not "
        "on the images"
    ) in ds.notes
    table = table_of(ds)
    assert table.loc[map(int, lost), ["z", "y", "x"]].isna().all(axis=None)
    assert (table.loc[map(int, lost), "cell_id"] == 0).all()
    assert table.drop(map(int, lost))["z"].notna().all()
    for nothing in ({}, None):
        newer["spot_details"] = nothing
        assert "14 of 14 spots have no details" in dataset_from_answer(newer).notes[1]


def test_rows_that_come_twice(newer):
    newer["spots_data"] += copy.deepcopy(newer["spots_data"][2:5])
    ds = dataset_from_answer(newer)
    assert "3 rows came twice and were dropped" in ds.notes
    assert table_of(ds).equals(table_of(dataset_from_answer(NEWER)))


def test_details_that_come_twice(newer):
    key, detail = next(iter(newer["spot_details"].items()))
    once = f'"{key}":{encode(detail).decode()}'
    text = encode(newer).decode()
    same = text.replace(once, f"{once},{once}")
    assert table_of(dataset_from_answer(same.encode())).equals(
        table_of(dataset_from_answer(NEWER))
    )
    other = once.replace('"z":', '"z":1')
    message = error_of(text.replace(once, f"{once},{other}").encode(), TableError)
    assert f"'spot_details' holds spot {key} 2 times, with different z" in message


def test_tokens_that_json_does_not_have(newer):
    newer["spots_data"][0]["r"] = math.nan
    newer["spots_data"][1]["dist"] = math.inf
    newer["spots_data"][2]["chan_488_intensity"] = -math.inf
    newer["spots_data"][3]["unmixed_chan"] = math.nan
    newer["spot_details"][str(newer["spots_data"][4]["spot_id"])]["z"] = math.nan
    body = encode(newer)
    assert body.count(b"NaN") == 3
    ds = dataset_from_answer(body)
    assert any("NaN or Infinity 5 times" in note for note in ds.notes)
    assert any(note.startswith("1 of 14 spots have no details") for note in ds.notes)
    table = table_of(ds)
    ids = [row["spot_id"] for row in newer["spots_data"]]
    assert math.isnan(table.loc[ids[0], "r"])
    assert math.isnan(table.loc[ids[1], "dist"])
    assert math.isnan(table.loc[ids[2], "chan_488_intensity"])
    assert table.loc[ids[3], "status"] == "removed"


def test_images_of_no_use_are_left_out(newer):
    newer["fused_s3_paths"] += [
        "/etc/channel_405.zarr",
        "s3://bucket/notes.txt",
        "s3://other/channel_488.zarr",
        "s3://bucket/fused/channel_405.zarr/",
        "s3://bucket/fused/channel_600.ome.zarr",
    ]
    ds = dataset_from_answer(newer)
    assert list(ds.images) == ["488", "514", "561", "594", "638", "405", "600"]
    note = next(note for note in ds.notes if "left out" in note)
    assert note.startswith("3 images are left out, their addresses are none of a chan")
    assert "/etc/channel_405.zarr" in note


def test_a_tile_shows_no_image(newer):
    newer["current_dataset"] = f"{TILED_NAME}_X_0001_Y_0000_Z_0000"
    ds = dataset_from_answer(newer)
    assert len(ds.images) == 0
    assert "a tile has no fused images" in ds.notes


def test_what_is_optional_may_be_missing(newer):
    for part in ("ratios", "summary_stats", "sankey_data", "fused_s3_paths"):
        newer[part] = None
    newer["channel_pairs"] = None
    ds = dataset_from_answer(newer)
    assert ds.channels == dataset_from_answer(NEWER).channels
    assert ds.ratios is None
    assert ds.summary is None
    assert ds.genes == {}
    assert len(ds.images) == 0


# Lies: texts that are no answer


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (b"\n<html><body>proxy", "it is HTML, not JSON"),
        (b"Internal Server Error", "and there is 'Internal Server Error' at letter 0"),
        (b"[1, 2]", "it is '[1, 2]', no object"),
        (b"12", "it is '12', no object"),
        (b"null", "it is 'None', no object"),
        (b"{", "it ends in the middle, after 1 letters"),
        (b'{"a', "it ends in the middle, after 3 letters"),
        (b'{"a"', "it ends in the middle"),
        (b'{"a": tr', "it ends in the middle, after 8 letters"),
        (b'{"a": [1, 2', "it ends in the middle"),
        (b'{"spots_data": [{"spot_id": 1', "(in 'spots_data')"),
        (b'{"spots_data": [{"spot_id": 1}', "it ends in the middle"),
        (b'{"message": "it', "it ends in the middle, after 15 letters (in 'message')"),
        (b'{"a": 1,}', "a key in double quotes was expected, and there is '}'"),
        (b"{'a': 1}", "a key in double quotes was expected"),
        (b'{"a" 1}', "':' was expected, and there is '1}' at letter 5"),
        (b'{"a": 1 "b": 2}', "',' or '}' was expected"),
        (b'{"a": ?}' + b" " * 99, "a value was expected, and there is '?}'"),
        (b'{"error": {"a" 1}}' + b" " * 99, "JSON was expected"),
        (b'{"a": 1} {"b": 2}', "after its end follows '{\"b\": 2}' at letter 9"),
        (b'{"error": ' + b"[" * 99_999, "lists are nested too deeply (in 'error')"),
        (b'{"x": ' + b"[" * 99_999, "lists are nested too deeply (in 'x')"),
        (b'{"a": ' + b"9" * 9_999 + b"}", "a number of thousands of digits"),
        (b'{"a": "\xff\xfe"}', "it is not text in UTF-8"),
        (b'{"a": "\xc3', "it is not text in UTF-8"),
        (b'{"a": 1, "a": 2}', "the answer holds 'a' twice. Expected each part once"),
    ],
)
def test_texts_that_are_no_answer(body, found):
    message = error_of(body)
    assert found in message
    assert "Expected a JSON object as SeeSpot sends it" in message or "twice" in message


def test_every_truncation_is_noticed():
    body = encode(OLDER)
    whole = table_of(dataset_from_answer(body))
    for at in range(0, len(body), 13):
        with pytest.raises(SeeSpotError):
            dataset_from_answer(body[:at])
    assert table_of(dataset_from_answer(body + b"\n")).equals(whole)


def test_a_value_beyond_reason(monkeypatch):
    monkeypatch.setattr(_json_stream, "LONGEST", 100_000)
    body = b'{"message": "' + b"a" * 300_000 + b'"}'
    assert "a single value of more than 100,000 letters" in error_of(body)


def test_a_stream_tells_where_it_is():
    stream = JsonStream([b' {"a": 1}'], where="x")
    assert stream.peek() == "{"
    assert stream.position == 1
    assert [(key, stream.value()) for key in stream.each_key()] == [("a", 1)]
    stream.end()
    assert stream.position == 9
    empty = JsonStream([b"{}[]{}"], where="x")
    assert (list(empty.each_key()), list(empty.items()), list(empty.pairs())) == (
        [],
        [],
        [],
    )


# Lies: answers that hold the wrong things


@pytest.mark.parametrize(
    ("changes", "kind", "found"),
    [
        (
            {"no_dataset_selected": True},
            ServerError,
            "the server has no active dataset",
        ),
        ({"error": "no table"}, ServerError, "the server refuses: 'no table'"),
        ({"spots_data": None}, ServerError, "the answer holds no spots of the 2,000"),
        ({"spots_data": []}, ServerError, "Ask with force_refresh"),
        ({"spots_data": {}}, ServerError, "'spots_data' is '{}'. Expected a list"),
        ({"spots_data": 3}, ServerError, "'spots_data' is '3'"),
        ({"spots_data": [1]}, TableError, "'spots_data': row 0 is '1', no object"),
        ({"spots_data": [{}]}, TableError, "the rows hold no 'spot_id', but ''"),
        ({"spots_data": [{"a": 1}]}, TableError, "hold no 'spot_id', but 'a'"),
        (
            {"spots_data": [{"spot_id": 1}]},
            TableError,
            "the rows of 'spots_data' lack 'chan, unmixed_chan, chan_488_intensity",
        ),
        (
            {"spots_data": [{"spot_id": 1}], "channel_pairs": []},
            TableError,
            "lack 'chan, unmixed_chan, chan_<channel>_intensity'",
        ),
        ({"spot_details": []}, ServerError, "'spot_details' is '[]'. Expected details"),
        ({"spot_details": {"300": 1}}, TableError, "'spot_details': row 0 is '1'"),
        ({"spot_details": {"a": {}}}, TableError, "column 'spot_id' holds 'a'"),
        ({"spot_details": {"1": {}}}, TableError, "'spot_details' lack 'z, y, x'"),
        ({"channel_pairs": 3}, ServerError, "'channel_pairs' holds '3'"),
        ({"channel_pairs": [["488"]]}, ServerError, "'channel_pairs' holds"),
        ({"channel_pairs": [["a", None]]}, ServerError, "'channel_pairs' holds"),
        ({"channel_pairs": [["a", ""]]}, ServerError, "Expected pairs of channels"),
        (
            {"channel_pairs": [["488", "999"]]},
            TableError,
            "'spots_data' lack 'chan_999_intensity'",
        ),
        ({"channel_pairs": [["488", "514"]]}, TableError, "the unknown channel"),
        ({"fused_s3_paths": "s3://x"}, ServerError, "'fused_s3_paths' is 's3://x'"),
        ({"fused_s3_paths": [3]}, ServerError, "Expected a list of addresses"),
        ({"ratios": [[1, 2], [3, 4]]}, RatiosError, "'ratios' are 2 x [2]"),
        ({"ratios": [[1], [1, 2]]}, RatiosError, "Expected 5 rows of 5 numbers"),
        ({"ratios": {"a": 1}}, RatiosError, "'ratios' are \"{'a': 1}\""),
        ({"ratios": [["a"] * 5] * 5}, RatiosError, "'ratios' are 'a'"),
        ({"ratios": [[None] * 5] * 5}, RatiosError, "'ratios' are 'None'"),
        ({"ratios": [[True] * 5] * 5}, RatiosError, "'ratios' are 'True'"),
        ({"ratios": [[10**400] * 5] * 5}, RatiosError, "are an infinite number"),
        ({"summary_stats": 3}, TableError, "'summary_stats' is '3'"),
        ({"summary_stats": [3]}, TableError, "'summary_stats' is '[3]'"),
        ({"summary_stats": [{}]}, TableError, "'summary_stats' has the channel None"),
        (
            {"summary_stats": [{"channel": 488}]},
            TableError,
            "'summary_stats' has 'None' for total_spots. Expected rows with channel",
        ),
        (
            {"summary_stats": [{"channel": 488, "total_spots": -3}]},
            TableError,
            "'summary_stats' has '-3' for total_spots",
        ),
    ],
)
def test_parts_that_are_not_what_they_must_be(newer, changes, kind, found):
    message = error_of({**newer, **changes}, kind)
    assert found in message


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("r", "0.5", "'spots_data': column 'r' holds '0.5'. Expected numbers or null"),
        ("r", True, "column 'r' holds 'True'"),
        ("dist", [1], "column 'dist' holds '[1]'"),
        ("chan_488_intensity", {}, "column 'chan_488_intensity' holds '{}'"),
        ("chan_488_intensity", 10**400, "holds a number beyond all reason"),
        ("spot_id", None, "column 'spot_id' holds 'None'. Expected whole numbers"),
        ("spot_id", 1.5, "column 'spot_id' holds '1.5'"),
        ("spot_id", 2**63, "column 'spot_id' holds '9223372036854775808'"),
        ("spot_id", "9" * 30, "column 'spot_id' holds '9999999"),
        ("spot_id", True, "column 'spot_id' holds 'True'"),
        ("chan", ["488"], "column 'chan' holds \"['488']\". Expected text or null"),
        ("chan", None, "column 'chan' is empty in 1 row"),
        ("chan", "405", "column 'chan' holds the unknown channel '405' in 1 row"),
        ("chan", "\ud800", "holds the unknown channel '\\\\ud800'"),
        ("unmixed_chan", "405", "'unmixed_chan' holds the unknown channel '405'"),
        ("unmixed_removed", "yes", "'unmixed_removed' holds 'yes'. Expected true"),
        ("unmixed_removed", 1, "column 'unmixed_removed' holds '1'"),
    ],
)
def test_values_that_cannot_be(newer, column, value, found):
    newer["spots_data"][5][column] = value
    message = error_of(newer, TableError)
    assert found in message


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("z", "1", "'spot_details': column 'z' holds '1'"),
        ("cell_id", "none", "column 'cell_id' holds 'none'. Expected whole numbers"),
        ("cell_id", 1.5, "column 'cell_id' holds '1.5'"),
        ("round", [], "column 'round' holds '[]'"),
    ],
)
def test_details_that_cannot_be(newer, column, value, found):
    newer["spot_details"]["300"][column] = value
    assert found in error_of(newer, TableError)


def test_a_channel_that_is_an_infinite_number():
    body = encode(NEWER).replace(b'"chan":"488"', b'"chan":1e999', 1)
    assert "holds the unknown channel 'inf'" in error_of(body, TableError)


def test_rows_that_are_unlike(newer):
    del newer["spots_data"][9]["r"]
    assert "row 9 and the first row differ in 'r'" in error_of(newer, TableError)
    newer["spots_data"][9] = {**newer["spots_data"][8], "spot_id": 1, "s": 3}
    assert "row 9 and the first row differ in 's'" in error_of(newer, TableError)
    newer["spots_data"][9]["r"] = newer["spots_data"][9].pop("dist")
    assert "differ in 'dist, s'" in error_of(newer, TableError)
    newer["spots_data"][9] = None
    assert "row 9 is 'None', no object" in error_of(newer, TableError)


def test_rows_that_contradict_each_other(newer):
    for place in (2, 3):
        newer["spots_data"].append({**newer["spots_data"][place], "r": 0.1, "dist": 9})
    message = error_of(newer, TableError)
    first = min(newer["spots_data"][2]["spot_id"], newer["spots_data"][3]["spot_id"])
    other = max(newer["spots_data"][2]["spot_id"], newer["spots_data"][3]["spot_id"])
    assert f"spot {first} 2 times" in message or f"spot {other} 2 times" in message
    assert "with different r, dist; so it is with 2 spots" in message
    assert "Expected each spot once" in message


def test_a_dataset_without_spots_may_open(newer):
    newer |= {"spots_data": [], "spot_details": {}}
    newer |= {"sankey_data": {"total_spots": 0}, "summary_stats": []}
    ds = dataset_from_answer(newer)
    assert len(ds.spots) == 0
    assert len(ds.images) == 5
    assert ds.notes == ("all 0 spots of the dataset",)
    newer["channel_pairs"] = []
    assert "the answer holds no spots of the 0 that" in error_of(newer)


def test_halves_of_characters_do_no_harm(newer):
    newer["current_dataset"] = "HCR_\ud800"
    newer["summary_stats"][0]["gene"] = "\udfff"
    newer["summary_stats"][0]["\ud800"] = "\udfff"
    newer["spot_details"]["300"]["round"] = "\udfff"
    ds = dataset_from_answer(newer)
    assert ds.name == "HCR_\\ud800"
    assert ds.genes["488"] == "\\udfff"


# Mutations: an error of ours, or the right dataset

ODD = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**30, -(10**400), 1e308, math.nan,
    math.inf, "", "x", "488", "514", "none", "9" * 5000, "\ud800", "},{", [], {}, [[]],
    [None], {"spot_id": 1}, [["488", "514"]], {"300": {"z": 1}},
)  # fmt: skip


def mutate_content(rng):
    content = copy.deepcopy(rng.choice([NEWER, OLDER]))
    for _ in range(rng.randint(1, 3)):
        holder = content
        while True:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            if not keys:
                break
            key = rng.choice(keys)
            inside = holder[key]
            if isinstance(inside, (dict, list)) and inside and rng.random() < 0.85:
                holder = inside
                continue
            change = rng.random()
            if change < 0.2:
                del holder[key]
            elif change < 0.3 and isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            elif change < 0.4 and isinstance(holder, dict):
                holder[f"{key}{rng.choice('0x')}"] = holder.pop(key)
            elif change < 0.6:
                holder[key] = copy.deepcopy(rng.choice(list(_leaves(content))))
            else:
                holder[key] = copy.deepcopy(rng.choice(ODD))
            break
    return encode(content)


def _leaves(content):
    if isinstance(content, (dict, list)):
        for value in content.values() if isinstance(content, dict) else content:
            yield from _leaves(value)
    else:
        yield content


def mutate_bytes(rng):
    body = bytearray(encode(rng.choice([NEWER, OLDER])))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(body))
        change = rng.random()
        if change < 0.5:
            body[at] = rng.choice(b'0123456789.-eE"{}[],:nN \\xu\xff\x00')
        elif change < 0.7:
            del body[at : at + rng.choice([1, 2, 10, 500])]
        elif change < 0.9:
            other = rng.randrange(len(body))
            body[at:at] = body[other : other + rng.choice([1, 5, 300])]
        else:
            del body[at:]
        if not body:
            break
    return bytes(body)


def reference(body):
    """Return the spots of an answer by id: read by the rules, one by one."""
    content = json.loads(body, parse_constant=lambda name: None)
    channels = {c for pair in content.get("channel_pairs") or [] for c in pair}
    spots = {}
    for row in content["spots_data"] or []:
        unmixed = row["unmixed_chan"]
        if row.get("unmixed_removed") is True or unmixed in (None, "", "none"):
            status = "removed"
        elif str(unmixed) != str(row["chan"]):
            status = "reassigned"
        else:
            status = "unchanged"
        detail = (content.get("spot_details") or {}).get(str(row["spot_id"]), {})
        spots[int(row["spot_id"])] = {
            "chan": str(row["chan"]),
            "status": status,
            **{c: row[c] for c in row if c in ("r", "dist")},
            **{c: row[c] for c in row if c[5:8] in channels and c[8:] == "_intensity"},
            **{c: detail.get(c) for c in "zyx"},
        }
    return content, spots


def check(body):
    try:
        ds = dataset_from_answer(body)
    except SeeSpotError as error:
        str(error).encode()  # can be shown and written
        return False
    content, spots = reference(body)
    table = table_of(ds)
    assert list(table.index) == sorted(spots)
    for spot_id, spot in spots.items():
        for name, value in spot.items():
            found = table.loc[spot_id, name]
            if name in ("chan", "status"):
                assert found == value
            elif value is None:
                assert math.isnan(found)
            else:
                with np.errstate(over="ignore"):
                    expected = np.float32(value)
                # no image has a place that is infinitely far away
                far = name in ("z", "y", "x") and not np.isfinite(expected)
                assert math.isnan(found) if far else found == expected
    if ds.ratios is not None:
        expected = np.array(content["ratios"], np.float64)
        np.testing.assert_array_equal(ds.ratios.to_numpy(), expected)
    return True


@pytest.mark.parametrize("mutate", [mutate_content, mutate_bytes])
def test_mutations_are_errors_or_right(mutate):
    outcomes = []
    for seed in range(MUTATIONS // 2):
        rng = random.Random(f"{mutate.__name__} {seed}")
        body = mutate(rng)
        try:
            outcomes.append(check(body))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    assert True in outcomes
    assert False in outcomes
