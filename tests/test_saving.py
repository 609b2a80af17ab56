from __future__ import annotations

import json
from dataclasses import replace

import napari.components
import numpy as np
import pandas as pd
import pytest

import napari_seespot as nss
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.layers import add_channel, add_mask
from napari_seespot.recent import without_credentials
from napari_seespot.restoring import load_session
from napari_seespot.saving import pack_ids, unpack_ids
from napari_seespot.scripting import script_of
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
    saved = load_session(path)
    state, told = saved.state_for(session.dataset)
    assert told == ()
    wanted = session.state.snapshot()
    found = state.snapshot()
    mask = found["selection"].pop("mask")
    assert (mask == wanted["selection"].pop("mask")).all()
    assert found == wanted
    assert saved.source == session.dataset.uri
    document = json.loads(path.read_text())
    assert document["spots"] == 5000
    assert document["versions"]["napari"] == napari.__version__
    assert document["versions"]["python"].startswith("3.")
    again = Session(session.dataset, state)
    assert again.view.count_text == session.view.count_text
    assert sorted(again.selected()["spot_id"]) == [1, 2, 4_999]
    path.write_text(json.dumps(document, allow_nan=False))  # it is JSON


@pytest.mark.parametrize(
    "ids", [[], [7], [3, 1, 2], range(2**40, 2**40 + 5), [-4, 0, 2**62]]
)
def test_ids_packed_and_unpacked(ids):
    packed = json.loads(json.dumps(pack_ids(np.array(ids, np.int64))))
    assert unpack_ids(packed).tolist() == sorted(ids)


def test_a_selection_finds_its_spots_in_another_sample(session, tmp_path):
    table = session.dataset.spots.to_pandas()
    session.select([5, 77, 4_000])
    saved = load_session(session.save(tmp_path / "state.json"))
    other = table[table["spot_id"] != 77].sample(3000, random_state=3)
    other = pd.concat([other, table[table["spot_id"].isin([5, 4000])]])
    other = other.drop_duplicates("spot_id")
    dataset = replace(session.dataset, spots=nss.Spots.from_pandas(other))
    state, told = saved.state_for(dataset)
    again = Session(dataset, state)
    assert sorted(again.selected()["spot_id"]) == [5, 4_000]
    assert told == (
        f"1 of the 3 spots that were selected are not in {dataset.name} as it is open "
        "now.",
    )


def test_infinite_ends_come_back(session, tmp_path):
    session.state.filters.ranges["r"] = (0.1, np.inf)
    session.state.filters.ranges["dist"] = (-np.inf, 2.0)
    path = session.save(tmp_path / "state.json")
    assert "Infinity" not in path.read_text()  # which is no JSON
    state = load_session(path).state
    assert dict(state.filters.ranges) == {"r": (0.1, np.inf), "dist": (-np.inf, 2.0)}
    assert "{'r': (0.1, float('inf')), 'dist': (float('-inf'), 2.0)}" in script_of(
        session
    )


def good(**state):
    return {
        "schema": "napari-seespot-session",
        "schema_version": 1,
        "state": state,
    }


def test_a_file_from_an_older_hand_may_say_less(tmp_path):
    path = tmp_path / "state.json"
    path.write_text(json.dumps(good(color_by="chan")))
    state = load_session(path).state
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
        (b"[]", 'does not hold a session. Expected "schema"'),
        (b"{}", "does not hold a session"),
        ({**good(), "schema": "other"}, "does not hold a session"),
        ({**good(), "schema_version": 2}, "schema version 2. Expected version 1"),
        ({**good(), "schema_version": "1"}, "schema version '1'"),
        ({**good(), "state": None}, "the session holds no state"),
        (good(colour_by="r"), "colour_by cannot be 'r'"),
        (good(color_by=5), "color_by cannot be 5"),
        (good(filters={"ranges": {"r": [2, 1]}}), "the range of 'r' goes from 2 down"),
        (good(filters={"ranges": "abc"}), "is no mapping"),
        (good(filters="abc"), "the session is damaged"),
        (good(filters={"other": 1}), "other cannot be 1"),
        (good(limits={"fixed": {"a/b": [1]}}), "the limits of a/b cannot be"),
        ({**good(), "selection": {"count": 8}}, "is damaged: 'spot_ids'"),
        ({**good(), "selection": {"count": 8, "spot_ids": "?"}}, "is damaged"),
        ({**good(), "selection": {"count": 8, "spot_ids": "eJw="}}, "is damaged"),
        ({**good(), "selection": {"count": -1, "spot_ids": ""}}, "-1 spots are"),
        ({**good(), "selection": 5}, "is damaged"),
        ({**good(), "layers": []}, "layers is"),
        ({**good(), "layers": {"images": 3}}, "images is 3"),
        ({**good(), "layers": {"images": {"channels": 3}}}, "not a look"),
        ({**good(), "options": "x"}, "options is 'x'"),
        ({**good(), "camera": []}, "the session is damaged"),
        ({**good(), "camera": {"zoom": 1}}, "the session is damaged: 'point'"),
        ({**good(), "camera": {**CAMERA, "zoom": 0}}, "numbers that are none"),
        ({**good(), "camera": {**CAMERA, "point": ["a"]}}, "the session is damaged"),
        ({**good(), "camera": {**CAMERA, "center": [1, 2]}}, "camera's center is"),
        ({**good(), "camera": {**CAMERA, "angles": 5}}, "the session is damaged"),
        ({**good(), "camera": {**CAMERA, "ndisplay": 4}}, "4 dimensions cannot be"),
    ],
)
def test_files_that_are_no_session(tmp_path, content, message):
    path = tmp_path / "state.json"
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    path.write_bytes(content)
    with pytest.raises(StateError, match=message) as error:
        load_session(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("count", [0, 4_999, 7_000, 10**15])
def test_a_selection_of_another_length_than_it_says(tmp_path, count):
    packed = pack_ids(np.arange(5000)) | {"count": count}
    path = tmp_path / "state.json"
    path.write_text(json.dumps({**good(), "selection": packed}))
    with pytest.raises(StateError, match=f"does not hold {count:,} spots"):
        load_session(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StateError, match=r"none\.json: a session cannot be read"):
        load_session(tmp_path / "none.json")


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
        ("s3://me:secret@b/a | s3://me:secret@b/c", "s3://b/a | s3://b/c"),
        ("//me:secret@host/share/a", "//host/share/a"),
        (r"\\me:secret@host\share", r"\\host\share"),
    ],
)
def test_credentials_are_left_out(uri, kept):
    assert without_credentials(uri) == kept


def test_no_secret_is_written(session, tmp_path):
    uri = "https://me:secret@host/a?token=secret"
    session.dataset = replace(session.dataset, uri=uri, server=uri)
    assert "secret" not in session.save(tmp_path / "state.json").read_text()


def test_the_options_come_back(tmp_path, monkeypatch):
    folder = nss.make_sample(tmp_path / "HCR_9", n_spots=3000, images=False)
    tables = folder / "image_spot_spectral_unmixing"
    (unmixed,) = tables.glob("unmixed_spots_*.pkl")
    fewer = pd.read_pickle(unmixed)  # made by this very test
    fewer.iloc[::2].to_pickle(tables / unmixed.name.replace("_3.pkl", "_5.pkl"))
    dataset = nss.open_dataset(folder, min_dist=5)
    assert dataset.opened_with == {"min_dist": "5"}
    session = Session(dataset)
    session.select([2, 9])
    path = session.save(tmp_path / "a.json")
    model = napari.components.ViewerModel()
    again = nss.view(folder, model, state=path)
    assert again.dataset.min_dist == "5"
    assert (again.dataset.spots.status == dataset.spots.status).all()
    again.close()
    other = nss.view(folder, model, state=path, min_dist=3)  # who says so is obeyed
    assert other.dataset.min_dist == "3"
    assert sorted(other.selected()["spot_id"]) == [2, 9]
    other.close()
    assert f"nss.view({str(folder)!r}, min_dist='5')" in script_of(session)


def test_options_of_a_bucket_belong_to_its_address(tmp_path, tables):
    told = {"min_dist": "4", "endpoint_url": "http://127.0.0.1:1", "anonymous": True}
    session = Session(replace(tables, uri="s3://b/HCR", opened_with=told))
    saved = load_session(session.save(tmp_path / "a.json"))
    assert saved.options_for("s3://b/HCR") == told
    assert saved.options_for("/data/HCR") == {"min_dist": "4"}


def test_layers_come_back(sample_folder, model, tmp_path):
    session = nss.view(sample_folder, model)
    add_mask(session, "segmentation_mask")
    add_channel(session, "405")
    layers = session.viewing.images
    layers.channels["488"].contrast_limits = (11, 222)
    layers.channels["514"].visible = False
    layers.channels["561"].colormap = "magma"
    layers.masks["segmentation_mask"].opacity = 0.2
    session.viewing.overlay.points.opacity = 0.6
    path = session.save(tmp_path / "a.json")
    session.close()
    again = nss.view(sample_folder, model, state=path)
    layers = again.viewing.images
    assert set(layers.channels) == {*again.dataset.channels, "405"}
    assert list(layers.channels["488"].contrast_limits) == [11, 222]
    assert not layers.channels["514"].visible
    assert layers.channels["561"].colormap.name == "magma"
    assert layers.masks["segmentation_mask"].opacity == 0.2
    assert again.viewing.overlay.points.opacity == pytest.approx(0.6)
    again.close()


def test_layers_that_cannot_be_shown_so_are_told_of(
    sample_folder, model, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    session = nss.view(sample_folder, model)
    path = session.save(tmp_path / "a.json")
    session.close()
    document = json.loads(path.read_text())
    document["layers"]["images"]["channels"]["488"]["gamma"] = "no"
    path.write_text(json.dumps(document))
    again = nss.view(sample_folder, model, state=path)
    assert "channel 488 cannot be shown with gamma = 'no'" in said[0]
    assert len(again.dataset.spots) == 2000
    again.close()
