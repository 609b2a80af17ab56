"""The Share dock: sessions saved and opened again, links made and followed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QPushButton
from tests import _seespot_server as fake

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.neuroglancer import position_of
from napari_seespot.scripting import script_of
from napari_seespot.widgets._opening import opening_of
from napari_seespot.widgets._source_dialog import SourceDialog
from napari_seespot.widgets.share import ShareWidget


@pytest.fixture
def opened(model, sample_folder, qtbot):
    session = nss.view(sample_folder, model)
    dock = ShareWidget(model)
    qtbot.addWidget(dock.native)
    yield session, dock
    sessions.attach(model, None)


@pytest.fixture
def said(monkeypatch):
    messages = []
    monkeypatch.setattr("napari.utils.notifications.show_error", messages.append)
    return messages


def clipboard():
    return QGuiApplication.clipboard().text()


def test_a_session_comes_back(opened, model, qtbot, tmp_path, sample_folder):
    session, dock = opened
    session.state.color_by = "chan"
    session.state.filters.status = {"removed"}
    session.select(session.dataset.spots.column("spot_id")[[3, 5]])
    session.go_to_row(40)
    model.scene.camera.zoom = 7.5
    point = model.dims.point
    dock.save_to(tmp_path / "a.json")
    assert "Saved to" in dock.text.value
    session.state.color_by = "status"
    session.clear_selection()
    session.go_to_row(100)
    dock.load_from(tmp_path / "a.json")
    qtbot.waitUntil(lambda: "Opened" in dock.text.value, timeout=30_000)
    again = sessions.current(model)
    assert again is not session
    assert session.is_closed
    assert again.state.color_by == "chan"
    assert again.state.filters.status == {"removed"}
    assert list(np.flatnonzero(again.state.selection.mask)) == [3, 5]
    assert model.scene.camera.zoom == 7.5
    assert model.dims.point == pytest.approx(point)
    assert dock.session is again


def test_a_session_that_is_none(opened, model, tmp_path, said):
    session, dock = opened
    (tmp_path / "a.json").write_text("{}")
    dock.load_from(tmp_path / "a.json")
    assert "does not hold a session" in said[0]
    assert sessions.current(model) is session
    dock.save_to(tmp_path / "no" / "a.json")
    assert "cannot be written" in said[1]


@pytest.mark.parametrize(
    "gone", ["folder", "spots.parquet", "answer.json", "http://127.0.0.1:9"]
)
def test_a_dataset_that_has_moved(opened, model, qtbot, tmp_path, sample_folder, gone):
    session, dock = opened
    session.state.color_by = "chan"
    dock.save_to(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    source = gone if "://" in gone else str(tmp_path / gone)
    document["source"] = source
    (tmp_path / "a.json").write_text(json.dumps(document))
    session.state.color_by = "status"
    dock.load_from(tmp_path / "a.json")
    qtbot.waitUntil(lambda: dock.dialog is not None, timeout=30_000)
    assert dock.dialog.address.text() == source
    dock.dialog.accept()  # it is still not there
    first = dock.dialog
    qtbot.waitUntil(lambda: dock.dialog is not first, timeout=30_000)
    dock.dialog.address.setText(str(sample_folder))
    dock.dialog.accept()
    qtbot.waitUntil(lambda: "Opened" in dock.text.value, timeout=30_000)
    assert sessions.current(model).state.color_by == "chan"


def test_giving_up_on_a_dataset_that_has_moved(opened, model, qtbot, tmp_path):
    session, dock = opened
    dock.save_to(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**document, "source": None}))
    dock.load_from(tmp_path / "a.json")
    assert dock.dialog.address.text() == ""
    dock.dialog.accept()  # nothing was typed: it waits
    assert dock.dialog.isVisible()
    dock.dialog.reject()
    assert sessions.current(model) is session


def test_a_place_is_chosen(qtbot, monkeypatch):
    used = []
    dialog = SourceDialog("", used.append)
    qtbot.addWidget(dialog)
    dialogs = "napari_seespot.widgets._source_dialog.QFileDialog"
    monkeypatch.setattr(f"{dialogs}.getExistingDirectory", lambda *_: "/a")
    monkeypatch.setattr(f"{dialogs}.getOpenFileName", lambda *_: ("/b.csv", ""))
    buttons = {b.text().replace("&", ""): b for b in dialog.findChildren(QPushButton)}
    buttons["Folder …"].click()
    assert dialog.address.text() == "/a"
    buttons["File …"].click()
    assert dialog.address.text() == "/b.csv"
    monkeypatch.setattr(f"{dialogs}.getExistingDirectory", lambda *_: "")
    buttons["Folder …"].click()
    buttons["Open"].click()
    assert used == ["/b.csv"]


def test_a_session_asked_for_while_something_else_opens(
    opened, model, qtbot, tmp_path, sample_folder
):
    session, dock = opened
    session.state.color_by = "chan"
    dock.save_to(tmp_path / "a.json")
    session.state.color_by = "status"
    opening_of(model).open(str(sample_folder))
    dock.load_from(tmp_path / "a.json")
    qtbot.waitUntil(lambda: "Opened" in dock.text.value, timeout=30_000)
    assert sessions.current(model).state.color_by == "chan"


def test_script_and_links(opened, model, said, sample):
    session, dock = opened
    dock.script.native.click()
    assert clipboard() == script_of(session)
    dock.copy_link.native.click()
    z, y, x = position_of(clipboard())
    voxel = np.array(sample.voxel_size)
    middle = np.array([model.dims.point[0], *model.scene.camera.center[-2:]]) / voxel
    assert (z, y, x) == pytest.approx(tuple(middle))
    for what, message in [
        ("the marked spot", "no spot is marked"),
        ("the selected spots", "nothing is selected"),
    ]:
        dock.what.value = what
        dock.copy_link.native.click()
        assert message in said[-1]
    session.go_to_row(33)
    dock.what.value = "the marked spot"
    dock.copy_link.native.click()
    assert position_of(clipboard()) == pytest.approx(session.position(33))
    session.select(sample.spots.column("spot_id")[[10, 20, 30]])
    dock.what.value = "the selected spots"
    state = dock.state()
    points = state["layers"][-1]["annotations"]
    assert {int(p["id"]) for p in points} == set(
        sample.spots.column("spot_id")[[10, 20, 30]]
    )
    model.layers["488 · Crh"].contrast_limits = (11, 222)
    controls = dock.state()["layers"][0]["shaderControls"]
    assert list(controls["normalized"]["range"]) == [11, 222]


def test_a_pasted_link(opened, model, said, sample):
    session, dock = opened
    session.go_to_row(50)
    dock.what.value = "the marked spot"
    dock.copy_link.native.click()
    text = clipboard()
    session.go_to_row(60)
    dock.pasted.value = text
    dock.go.native.click()
    voxel = np.array(sample.voxel_size)
    place = np.array([model.dims.point[0], *model.scene.camera.center[-2:]]) / voxel
    assert tuple(place) == pytest.approx(session.position(50), abs=1e-3)
    dock.pasted.value = "nonsense"
    dock.go.native.click()
    assert "no Neuroglancer link" in said[-1]


def test_a_link_that_is_too_long_becomes_a_file(opened, tmp_path, monkeypatch):
    session, dock = opened
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    session.select_rows(np.ones(len(session.dataset.spots), bool))
    dock.what.value = "the selected spots"
    target = tmp_path / "state.json"
    monkeypatch.setattr(
        "napari_seespot.widgets.share.QFileDialog.getSaveFileName",
        lambda *_: (str(target), ""),
    )
    dock.copy_link.native.click()
    state = json.loads(target.read_text())
    assert len(state["layers"][-1]["annotations"]) == len(session.dataset.spots)
    assert "too long" in dock.text.value
    opened_in_browser = []
    monkeypatch.setattr(
        "napari_seespot.widgets.share.QDesktopServices.openUrl",
        lambda url: opened_in_browser.append(url.toString()),
    )
    dock.what.value = "the current view"
    dock.browse.native.click()
    assert opened_in_browser[0].startswith("https://")


@pytest.fixture
def served(viewer, qtbot):
    for server in fake.serve(fake.answer("newer")):
        session = nss.Session(nss.open_dataset(server.url))
        sessions.attach(viewer, session)
        dock = ShareWidget(viewer)
        qtbot.addWidget(dock.native)
        yield server, session, dock


def test_links_that_a_server_makes(served, said, qtbot, monkeypatch, tmp_path):
    server, session, dock = served
    dock.by_server.value = True
    dock.copy_link.native.click()
    assert "marks spots only" in said[-1]
    dock.what.value = "the marked spot"
    dock.copy_link.native.click()
    assert "no spot is marked" in said[-1]
    session.go_to_row(3)
    QGuiApplication.clipboard().setText("")
    dock.copy_link.native.click()
    qtbot.waitUntil(lambda: "in the clipboard" in dock.text.value, timeout=20_000)
    assert clipboard().startswith("https://neuroglancer-demo")
    (request,) = server.asked(fake.LINK)
    assert request.body["spot_id"] == session.dataset.spots.column("spot_id")[3]
    ids = session.dataset.spots.column("spot_id")[:4]
    session.select(ids)
    del server.content["spot_details"][str(ids[0])]
    dock.what.value = "the selected spots"
    dock.copy_link.native.click()
    qtbot.waitUntil(lambda: "does not know 1" in dock.text.value, timeout=20_000)
    assert "marks 3 spots" in dock.text.value
    long = "https://here/#!" + json.dumps({"a": "x" * 200_000})
    reply = {"url": long, "annotation_count": 4, "missing_spots": 0, "layer_name": ""}
    server.fail(fake.LINKS, fake.status(200, reply))
    target = tmp_path / "state.json"
    monkeypatch.setattr(
        "napari_seespot.widgets.share.QFileDialog.getSaveFileName",
        lambda *_: (str(target), ""),
    )
    dock.copy_link.native.click()
    qtbot.waitUntil(target.exists, timeout=20_000)
    assert len(json.loads(target.read_text())["a"]) == 200_000
    server.fail(fake.LINKS, fake.status(400, {"error": "nonsense"}))
    dock.copy_link.native.click()
    qtbot.waitUntil(lambda: "nonsense" in said[-1], timeout=20_000)


def test_without_a_server_there_is_no_choice(opened):
    _, dock = opened
    assert not dock.by_server.native.isVisibleTo(dock.native)
