"""Keys on the viewer: what they do, and that they are given back."""

import re
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.keys import KEYS, step_pair
from napari_seespot.viewing import Viewing


@pytest.fixture
def viewing(model, sample):
    session = nss.Session(sample)
    sessions.attach(model, session)
    yield Viewing(model, session, [])
    sessions.attach(model, None)


def press(viewer, name):
    viewer.keymap[coerce_keybinding(name)](viewer)


def test_keys_do_what_they_say(viewing):
    viewer, session = viewing.viewer, viewing.session
    assert viewing.keys.bound == KEYS
    pairs = session.dataset.channel_pairs
    press(viewer, "]")
    assert session.state.pair == pairs[1]
    press(viewer, "[")
    press(viewer, "[")
    assert session.state.pair == pairs[-1]
    session.state.pair = pairs[0][::-1]  # as a user may turn the axes
    step_pair(session, 1)
    assert session.state.pair == pairs[1]
    press(viewer, "Control-I")
    assert session.state.selection.count == session.view.mask.count
    press(viewer, "Control-D")
    assert session.state.selection.mask is None
    press(viewer, "Control-Z")
    assert session.state.selection.mask is None  # both were one quick change
    press(viewer, "Control-Z")
    assert session.state.pair == pairs[0]
    press(viewer, "Control-Shift-Z")
    assert session.state.pair == pairs[1]


def test_the_way_back(viewing):
    viewer, session = viewing.viewer, viewing.session
    ids = session.dataset.spots.column("spot_id")
    viewer.scene.camera.zoom = 3.5
    places = []
    for spot in ids[[3, 70]]:
        places.append((viewer.dims.point, viewer.scene.camera.center))
        session.go_to(spot)
    viewer.scene.camera.zoom = 1.25
    for point, center in places[::-1]:
        press(viewer, "Alt-Left")
        np.testing.assert_allclose(viewer.dims.point, point)
        np.testing.assert_allclose(viewer.scene.camera.center, center)
        assert viewer.scene.camera.zoom == 3.5
    press(viewer, "Alt-Left")  # nowhere to go


def test_a_place_of_other_dimensions_moves_the_camera_only(viewing):
    viewer, session = viewing.viewer, viewing.session
    session.go_to_row(0)
    viewer.add_image(np.zeros((2, 3, 4, 5)))
    press(viewer, "Alt-Left")
    assert viewer.dims.ndim == 4


def test_keys_of_others_stay_theirs(model, sample):
    def theirs(viewer):
        raise AssertionError

    def fixed(viewer):
        raise AssertionError

    model.bind_key("Control-Z", theirs)
    ViewerModel.bind_key("Control-D", fixed)
    try:
        session = nss.Session(sample)
        viewing = Viewing(model, session, [])
        names = [key.name for key in viewing.keys.bound]
        assert names == [
            k.name for k in KEYS if k.name not in ("Control-Z", "Control-D")
        ]
        model.bind_key("[", theirs, overwrite=True)
        session.close()
    finally:
        ViewerModel.bind_key("Control-D", None)
    left = {str(key): value for key, value in model.keymap.items()}
    assert left == {"Ctrl+Z": theirs, "[": theirs}


def test_without_a_pair_there_is_none_to_go_on_to(tables):
    session = nss.Session(tables)
    session.state.pair = None
    step_pair(session, 1)
    assert session.state.pair is None


def test_all_keys_are_documented():
    text = Path(__file__).parents[1].joinpath("docs", "keys.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", text, re.MULTILINE))
    assert {key.shown: key.text for key in KEYS}.items() <= listed.items()
