"""Keys on the viewer: what they do, that users can change them, and their list."""

import re
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.action_manager import action_manager
from napari.utils.key_bindings import KeymapHandler

import napari_seespot as nss
from napari_seespot import keys, sessions
from napari_seespot.keys import DOCK_KEYS, KEYS, shortcuts, step_pair
from napari_seespot.viewing import Viewing


@pytest.fixture
def viewing(model, sample):
    session = nss.Session(sample)
    sessions.attach(model, session)
    yield Viewing(model, session, [])
    sessions.attach(model, None)


def press(viewer, name):
    """Press a key as a canvas would: the layer first, then the viewer, its class."""
    handler = KeymapHandler()
    active = viewer.layers.selection.active
    handler.keymap_providers = [viewer] if active is None else [active, viewer]
    handler.press_key(name)


@pytest.fixture
def unknown():
    """Have napari not know our keys, as at its start."""

    def forget():
        for key in KEYS:
            if key.action in keys._offered:
                action_manager.unbind_shortcut(key.action)
        keys._offered.clear()

    forget()
    yield
    get_settings().shortcuts.reset()
    forget()
    keys.offer_keys()


def test_keys_do_what_they_say(viewing):
    viewer, session = viewing.viewer, viewing.session
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
    assert session.state.selection.count == session.view.mask.count
    press(viewer, "Control-Z")
    assert session.state.selection.mask is None
    press(viewer, "Control-Z")
    assert session.state.pair == pairs[0][::-1]
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


def test_keys_of_others_stay_theirs(model, sample, unknown):
    pressed = []
    model.bind_key("Control-I", lambda viewer: pressed.append("instance"))
    ViewerModel.bind_key("Control-D", lambda viewer: pressed.append("class"))
    try:
        session = nss.Session(sample)
        sessions.attach(model, session)
        Viewing(model, session, [])
        session.select_rows(np.arange(len(sample.spots)) < 5)
        press(model, "Control-I")
        press(model, "Control-D")
        assert pressed == ["instance", "class"]
        assert session.state.selection.count == 5
        press(model, "]")
        assert session.state.pair == sample.channel_pairs[1]
    finally:
        ViewerModel.bind_key("Control-D", None)
        sessions.attach(model, None)


def test_without_a_session_keys_do_nothing(viewing):
    viewer, other = viewing.viewer, ViewerModel()
    before = viewing.session.state.pair
    press(other, "]")
    assert viewing.session.state.pair == before
    sessions.attach(viewer, None)
    press(viewer, "]")


def test_napari_lists_the_keys_and_lets_users_change_them(model, sample, unknown):
    (pair,) = (key for key in KEYS if key.action.endswith("next_pair"))
    assert shortcuts(pair) == ("]",)
    chosen = get_settings().shortcuts.shortcuts
    get_settings().shortcuts.shortcuts = {**chosen, pair.action: ["Alt-N"]}
    assert shortcuts(pair) == ("Alt+N",)
    session = nss.Session(sample)
    sessions.attach(model, session)
    Viewing(model, session, [])
    press(model, "]")
    assert session.state.pair == sample.channel_pairs[0]
    press(model, "Alt-N")
    assert session.state.pair == sample.channel_pairs[1]
    sessions.attach(model, None)


def test_no_key_is_one_of_naparis():
    theirs = {
        str(key)
        for name, bound in get_settings().shortcuts.shortcuts.items()
        if name.startswith("napari:")
        for key in bound
    }
    # napari's for layers that are labels or shapes come first while one is active
    assert theirs & {key.shown for key in KEYS} <= {"[", "]"}


def test_without_a_pair_there_is_none_to_go_on_to(tables):
    session = nss.Session(tables)
    session.state.pair = None
    step_pair(session, 1)
    assert session.state.pair is None


def test_all_keys_are_documented():
    text = Path(__file__).parents[1].joinpath("docs", "keys.md").read_text()
    parts = re.split(r"^In the \*(.+)\* dock", text, flags=re.MULTILINE)
    listed = [
        dict(re.findall(r"^\| `(.+)` \| (.+) \|$", part, re.MULTILINE))
        for part in parts[::2]
    ]
    assert {key.shown: key.text for key in KEYS} == listed[0]
    docks = dict(zip(parts[1::2], listed[1:], strict=True))
    assert docks == DOCK_KEYS
