"""Looks: how the channels are shown, kept in a file and used again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from tests._pyramids import write

from napari_seespot import looks
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.image_layers import ImageLayers


@pytest.fixture
def pair(tmp_path):
    return [write(tmp_path, channel) for channel in ("488", "514")]


def test_a_look_is_kept_and_used_again(pair, tmp_path):
    layers = ImageLayers(ViewerModel())
    for image, _ in pair:
        layers.add(image)
    one = layers.channels["488"]
    one.contrast_limits, one.gamma, one.colormap = (110, 333), 0.7, "magma"
    path = looks.save_look(tmp_path / "look.json", looks.look_of(layers.channels))
    colors = one.colormap.colors.copy()
    one.contrast_limits, one.gamma, one.colormap = (0, 9), 1.0, "gray"
    one.visible = False
    assert looks.apply_look(layers.channels, looks.load_look(path)) == ()
    assert (one.contrast_limits, one.gamma, one.visible) == ([110, 333], 0.7, True)
    np.testing.assert_allclose(one.colormap.colors, colors)
    look = looks.load_look(path)
    del look["channels"]["514"]
    assert looks.apply_look(layers.channels, look) == ("514",)
    look["channels"]["488"]["gamma"] = "wide"
    with pytest.raises(StateError, match="channel 488 cannot be shown with gamma"):
        looks.apply_look(layers.channels, look)


def test_a_look_that_one_layer_does_not_take_changes_none(pair):
    layers = ImageLayers(ViewerModel())
    for image, _ in pair:
        layers.add(image)
    before = looks.look_of(layers.channels)
    look = json.loads(json.dumps(before))
    for values in look["channels"].values():
        values["contrast_limits"], values["visible"] = [1, 2], False
        values["colormap"]["colors"] = [[0, 0, 0, 1], [1, 0, 1, 1]]
    look["channels"]["514"]["interpolation2d"] = "none of these"
    with pytest.raises(StateError, match="channel 514 cannot be shown with interp"):
        looks.apply_look(layers.channels, look)
    assert looks.look_of(layers.channels) == before
    look["channels"]["514"] = {"contour": 1}  # a mask has it
    with pytest.raises(StateError, match="channel 514 cannot be shown with contour"):
        looks.apply_look(layers.channels, look)
    assert looks.look_of(layers.channels) == before


def test_a_look_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "look.json"
    path.write_text("what was there")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(SeeSpotError, match="the look cannot be written: No space"):
            looks.save_look(path, {"kind": "napari-seespot look"})
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(SeeSpotError, match="the look cannot be written"):
        looks.save_look(tmp_path / "typed" / "wrong" / "look.json", {})
    assert not (tmp_path / "typed").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a look"),
        ('{"kind": "other", "channels": {}}', "is not a look"),
        (
            json.dumps({"kind": "napari-seespot look", "version": 9, "channels": {}}),
            "version 9",
        ),
        (
            json.dumps({"kind": "napari-seespot look", "channels": {"1": {"data": 1}}}),
            "is not a look",
        ),
    ],
)
def test_what_is_no_look(tmp_path, text, message):
    path = tmp_path / "look.json"
    path.write_text(text)
    with pytest.raises(StateError, match=message):
        looks.load_look(path)
    with pytest.raises(StateError, match="cannot be read"):
        looks.load_look(tmp_path / "none.json")
