"""The Images dock: whatever the API does with images can be reached by mouse."""

from __future__ import annotations

import pytest

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.widgets.images import ImagesWidget


@pytest.fixture
def opened(model, sample, qtbot):
    session = nss.view(sample, model)
    dock = ImagesWidget(model)
    qtbot.addWidget(dock.native)
    yield session, dock
    sessions.attach(model, None)


def test_channels_without_spots_come_first(opened, model, qtbot):
    session, dock = opened
    assert dock.content.enabled
    assert dock.image.value == ("images", "405")
    dock.add_button.changed.emit(True)
    qtbot.waitUntil(lambda: dock.text.value.endswith("is shown."), timeout=20_000)
    names = [layer.name for layer in model.layers]
    assert "405" in session.viewing.images.channels
    assert names.index("Spots") > max(
        names.index(layer.name) for layer in session.viewing.images.channels.values()
    )


def test_masks(opened, model, qtbot):
    session, dock = opened
    masks = [value for value in dock.image.choices if value[0] == "masks"]
    assert [name for _, name in masks] == list(session.dataset.masks)
    dock.image.value = masks[0]
    dock.add()
    qtbot.waitUntil(lambda: dock.text.value.endswith("is shown."), timeout=20_000)
    assert any(type(layer).__name__ == "Labels" for layer in model.layers)


def test_a_crop_of_each_visible_channel(opened, model, qtbot):
    session, dock = opened
    channels = session.viewing.images.channels
    for layer in list(channels.values())[2:]:
        layer.visible = False
    dock.crop()
    qtbot.waitUntil(lambda: dock.text.value.startswith("Cropped"), timeout=20_000)
    crops = [layer for layer in model.layers if layer.name.endswith("crop")]
    assert len(crops) == 2
    for layer in channels.values():
        layer.visible = False
    dock.crop()
    assert dock.text.value == "No channel is visible."


def test_contrast_and_looks(opened, tmp_path):
    session, dock = opened
    layer = next(iter(session.viewing.images.channels.values()))
    layer.contrast_limits = (0, 65535)
    dock.save_to(tmp_path / "look.json")
    dock.fit_contrast()
    assert dock.text.value == f"Fitted {len(session.viewing.images.channels)} channels."
    assert layer.contrast_limits[1] < 60_000
    dock.load_from(tmp_path / "look.json")
    assert layer.contrast_limits == [0, 65535]
    dock.load_from(tmp_path / "none.json")
    assert "cannot be read" in dock.text.value
    dock.retry()
    assert dock.text.value == "Asked again."


def test_files_are_asked_for(opened, tmp_path, monkeypatch):
    _, dock = opened
    path = tmp_path / "look.json"
    dialog = "napari_seespot.widgets.images.QFileDialog"
    monkeypatch.setattr(f"{dialog}.getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(f"{dialog}.getOpenFileName", lambda *_: (str(path), ""))
    dock.save_button.changed.emit(True)
    assert path.exists()
    dock.load_button.changed.emit(True)
    assert "look.json says" in dock.text.value


def test_what_cannot_be_opened_is_told(opened, monkeypatch, qtbot):
    session, dock = opened

    def fail(*_):
        raise nss.SeeSpotError("no metadata", where="here")

    monkeypatch.setattr(type(session.dataset.masks), "__getitem__", fail)
    dock.add()
    qtbot.waitUntil(lambda: "no metadata" in dock.text.value, timeout=20_000)


def test_without_a_session(opened, model):
    _, dock = opened
    sessions.attach(model, None)
    assert not dock.content.enabled
    dock.add()
    dock.crop()
    dock.fit_contrast()
    assert dock.text.value == ""


def test_a_dataset_without_images(model, tables, qtbot):
    nss.view(tables, model)
    dock = ImagesWidget(model)
    qtbot.addWidget(dock.native)
    assert not dock.content.enabled
    assert dock.text.value == "This dataset has no images."
    sessions.attach(model, None)


def test_every_button_says_what_it_does(opened):
    _, dock = opened
    assert dock.image.tooltip
    for name in ("add", "crop", "contrast", "retry", "save", "load"):
        assert len(getattr(dock, f"{name}_button").tooltip) > 20
