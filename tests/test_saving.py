from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.recent import without_credentials
from napari_seespot.saving import load_state
from napari_seespot.session import Session


@pytest.fixture
def session(tables):
    return Session(tables)


def change(session):
    """Set something in each part of the state."""
    state = session.state
    state.pair = ("594", "488")
    state.color_by = "r"
    state.filters.ranges.update({"r": (0.1, None), "dist": (None, 2.5)})
    state.filters.status = {"removed"}
    state.filters.channels = {"488", "561"}
    state.filters.unmixed_chan = set()
    state.filters.valid_only = True
    state.limits.fixed["594/488"] = (-1.5, 10, 0, 1e9)
    state.limits.mode = "minmax"
    state.slab_planes = 0.5
    state.max_points = 77


def test_everything_comes_back(session, tmp_path):
    change(session)
    session.select([1, 2, 4_999])
    path = session.save(tmp_path / "state.json")
    state, document = load_state(path)
    wanted = session.state.snapshot()
    found = state.snapshot()
    mask = found["selection"].pop("mask")
    assert (mask == wanted["selection"].pop("mask")).all()
    assert found == wanted
    assert document["source"] == session.dataset.uri
    assert document["spots"] == 5000
    again = Session(session.dataset, state)
    assert again.view.count_text == session.view.count_text
    assert sorted(again.selected()["spot_id"]) == [1, 2, 4_999]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9])
def test_masks_of_any_length(tmp_path, n):
    mask = np.arange(n) % 3 == 0
    bits = {"rows": n, "bits": ""}
    from napari_seespot.saving import _plain

    bits = _plain(mask)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(good(selection={"mask": bits})))
    state, _ = load_state(path)
    assert state.selection.mask.tolist() == mask.tolist()


def good(**state):
    return {
        "schema": "napari-seespot-session",
        "schema_version": 1,
        "state": state,
    }


def test_a_file_from_an_older_hand_may_say_less(tmp_path):
    path = tmp_path / "state.json"
    path.write_text(json.dumps(good(color_by="chan")))
    state, _ = load_state(path)
    assert state.color_by == "chan"
    assert state.filters.status == {"unchanged", "reassigned"}


CAMERA = {
    "center": [0, 1, 2], "zoom": 1.5, "angles": [0, 0, 90], "point": [1, 2, 3],
    "ndisplay": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is no JSON"),
        (b"\xff\xfe", "the file is no JSON"),
        (b"[" * 100_000, "the file is no JSON"),
        (b"[]", 'not a session of napari-seespot. Expected "schema"'),
        (b"{}", "not a session of napari-seespot"),
        ({**good(), "schema": "other"}, "not a session of napari-seespot"),
        ({**good(), "schema_version": 2}, "schema version 2. Expected version 1"),
        ({**good(), "schema_version": "1"}, "schema version '1'"),
        ({**good(), "state": None}, "the session holds no state"),
        (good(colour_by="r"), "colour_by cannot be 'r'"),
        (good(color_by=5), "color_by cannot be 5"),
        (good(filters={"ranges": {"r": [2, 1]}}), "the range of 'r' goes from 2 down"),
        (good(filters={"ranges": "abc"}), "is no mapping"),
        (good(filters="abc"), "the state is damaged"),
        (good(filters={"other": 1}), "other cannot be 1"),
        (good(limits={"fixed": {"a/b": [1]}}), "the limits of a/b cannot be"),
        (good(selection={"mask": {"rows": 8}}), "the state is damaged: 'bits'"),
        (good(selection={"mask": {"rows": 8, "bits": "?"}}), "the state is damaged"),
        (good(selection={"mask": {"rows": 8, "bits": "eJw="}}), "the state is damaged"),
        (good(selection={"mask": 5}), "the state is damaged"),
        ({**good(), "camera": []}, "the state is damaged"),
        ({**good(), "camera": {"zoom": 1}}, "the state is damaged: 'point'"),
        ({**good(), "camera": {**CAMERA, "zoom": 0}}, "numbers that are none"),
        ({**good(), "camera": {**CAMERA, "point": ["a"]}}, "the state is damaged"),
        ({**good(), "camera": {**CAMERA, "center": [1, 2]}}, "camera's center is"),
        ({**good(), "camera": {**CAMERA, "angles": 5}}, "the state is damaged"),
        ({**good(), "camera": {**CAMERA, "ndisplay": 4}}, "4 dimensions cannot be"),
    ],
)
def test_files_that_are_no_session(tmp_path, content, message):
    path = tmp_path / "state.json"
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    path.write_bytes(content)
    with pytest.raises(StateError, match=message) as error:
        load_state(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("rows", [-1, 0, 7_000, 10**15])
def test_a_selection_of_another_length_than_it_says(tmp_path, rows):
    from napari_seespot.saving import _plain

    mask = _plain(np.ones(5000, bool)) | {"rows": rows}
    path = tmp_path / "state.json"
    path.write_text(json.dumps(good(selection={"mask": mask})))
    with pytest.raises(StateError, match=f"the selection has 5000 of {rows} rows"):
        load_state(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StateError, match=r"none\.json: the session cannot be read"):
        load_state(tmp_path / "none.json")


def test_places_that_cannot_be_written(session, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "nowhere" / "state.json"):
        with pytest.raises(SeeSpotError, match="the session cannot be written"):
            session.save(path)
    with pytest.raises(SeeSpotError, match="is no name of a file"):
        session.save("")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_old_file_survives_a_failure(session, tmp_path, monkeypatch):
    path = session.save(tmp_path / "state.json")
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(SeeSpotError, match="No space left on device"):
        session.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("/data/HCR 1", "/data/HCR 1"),
        ("s3://bucket/name", "s3://bucket/name"),
        ("https://me:secret@host:9/a?token=abc#x", "https://host:9/a"),
        ("http://[::1]:5555", "http://[::1]:5555"),
    ],
)
def test_credentials_are_left_out(uri, kept):
    assert without_credentials(uri) == kept


def test_no_secret_is_written(session, tmp_path):
    dataset = SimpleNamespace(**{
        "uri": "https://me:secret@host/a?token=secret", "name": "a",
        "spots": session.dataset.spots,
    })  # fmt: skip
    session.dataset = dataset
    assert "secret" not in session.save(tmp_path / "state.json").read_text()
