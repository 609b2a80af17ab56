"""The Images dock: whatever the API does with images can be reached by mouse."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.layers import add_crop, add_mask, open_images, open_more
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
    assert dock.text.value == "Cropped 2 channels around the middle of the view."
    crops = [layer for layer in model.layers if layer.name.endswith("crop")]
    assert len(crops) == 2
    middle = (0.0, *model.scene.camera.center[-2:])
    middle = (model.dims.point[0], *middle[1:])
    for layer in crops:
        assert is_inside(layer, middle)
    for layer in channels.values():
        layer.visible = False
    dock.crop()
    assert dock.text.value == "No channel is visible."


def is_inside(layer, place):
    low, high = layer.extent.world
    return bool((low <= np.array(place)).all() and (place <= high).all())


def test_a_crop_around_the_marked_spot(opened, model, qtbot):
    session, dock = opened
    image = session.dataset.images[session.dataset.channels[0]]
    row = int(np.argmin([sum(session.position(r)) for r in range(200)]))  # in a corner
    session.go_to_row(row)
    model.scene.camera.center = (0, *np.array(image.shape[1:]) * image.scale[1:])
    dock.crop()
    qtbot.waitUntil(lambda: dock.text.value.startswith("Cropped"), timeout=20_000)
    assert dock.text.value.endswith("channels around the marked spot.")
    place = session.viewing.overlay.world(session.position(row))
    crops = [layer for layer in model.layers if layer.name.endswith("crop")]
    assert len(crops) == len(session.dataset.channels)
    for layer in crops:
        assert is_inside(layer, place)
    layer = crops[0]
    first = (np.array(layer.translate) - image.translate) / image.scale
    np.testing.assert_allclose(first, np.round(first), atol=1e-9)
    z, y, x = np.round(first).astype(int)
    d, h, w = layer.data.shape
    truth = image.levels[0][z : z + d, y : y + h, x : x + w].compute()
    np.testing.assert_array_equal(layer.data, truth)
    (again, *_) = add_crop(session)
    np.testing.assert_array_equal(again.translate, layer.translate)
    (other, *_) = add_crop(session, row=5)
    assert is_inside(other, session.viewing.overlay.world(session.position(5)))


def test_a_spot_without_a_place_is_not_cropped_around(opened, monkeypatch):
    session, _ = opened
    nowhere = (np.nan, np.nan, np.nan)
    monkeypatch.setattr(session, "position", lambda _row: nowhere)
    with pytest.raises(nss.SeeSpotError, match="the spot in row 3 has no position"):
        add_crop(session, row=3)


def test_what_was_assumed_is_told(opened, monkeypatch, qtbot):
    session, dock = opened
    dataset = session.dataset
    (mask, *_) = dataset.masks
    for image in (dataset.images["405"], dataset.masks[mask]):
        monkeypatch.setattr(image, "notes", ("the voxel size is assumed",))
    dock.add()
    name = dataset.images["405"].name
    told = f"{name} is shown.\nChannel {name}: the voxel size is assumed"
    qtbot.waitUntil(lambda: "is shown" in dock.text.value, timeout=20_000)
    assert dock.text.value == told
    assert open_images(dataset, ["405"])[1] == [told.partition("\n")[2]]
    more = open_more(dataset, [("images", "405"), ("masks", mask)])[1]
    assert more[1] == f"Mask {mask}: the voxel size is assumed"
    add_mask(session, mask)
    assert str(notification_manager.records[-1].message) == more[1]


def test_channels_that_were_left_out_are_tried_again(sample, model, qtbot, monkeypatch):
    images, (left, *_) = sample.images, sample.channels
    make, calls = images._make, []

    def fail(name):
        calls.append(name)
        if name == left:
            raise nss.SeeSpotError("no metadata", where="here")
        return make(name)

    monkeypatch.setattr(images, "_made", {})
    monkeypatch.setattr(images, "_failed", {})
    monkeypatch.setattr(images, "_make", fail)
    session = nss.view(sample, model)
    dock = ImagesWidget(model)
    qtbot.addWidget(dock.native)
    assert left not in session.viewing.images.channels
    for times, ask in enumerate((dock.retry, dock.retry, dock.add)):
        dock.image.value = ("images", left)
        dock.text.value = ""
        tries = calls.count(left)
        ask()
        qtbot.waitUntil(lambda: "no metadata" in dock.text.value, timeout=20_000)
        assert calls.count(left) > tries, times  # not the stored error
    monkeypatch.setattr(images, "_make", make)
    dock.retry()
    qtbot.waitUntil(lambda: left in session.viewing.images.channels, timeout=20_000)
    assert dock.text.value == "Asked again."
    sessions.attach(model, None)


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
