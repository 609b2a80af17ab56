"""The Selection dock: outlines on the image and gates, against matplotlib's Path."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_seespot import sessions
from napari_seespot.errors import StateError
from napari_seespot.image_lasso import ImageLasso
from napari_seespot.session import Session
from napari_seespot.viewing import Viewing
from napari_seespot.widgets.selection import SelectionWidget

TRIANGLE = np.array([(10.0, 20.0), (90.0, 40.0), (60.0, 95.0)])  # y, x


@pytest.fixture
def model(make_dataset):
    model = ViewerModel()
    model.canvas.size = (600, 800)
    session = Session(make_dataset())
    sessions.attach(model, session)
    Viewing(model, session, [])
    model.reset_view()
    yield model
    sessions.attach(model, None)


@pytest.fixture
def dock(viewer, qtbot):
    dock = SelectionWidget(viewer)
    yield dock
    dock.native.close()
    dock.native.deleteLater()


@pytest.fixture
def image_dock(model, qtbot):
    dock = SelectionWidget(model)
    yield dock
    dock.native.close()
    dock.native.deleteLater()


def drawn(model):
    (layer,) = [layer for layer in model.layers if layer.name == "Select spots"]
    return layer


def press(button):
    button.changed.emit(True)


@pytest.mark.parametrize("all_planes", [False, True])
def test_an_outline_on_the_image_selects_in_the_slab(
    image_dock, model, all_planes, qtbot
):
    session, before = image_dock.session, list(model.layers)
    image_dock.all_planes.value = all_planes
    image_dock.outline.value = "polygon"
    press(image_dock.draw)
    layer = drawn(model)
    assert model.layers.selection.active is layer
    assert layer.mode == "add_polygon"
    assert "Draw a polygon" in image_dock.message.value
    z = 11.0
    layer.add_polygons(np.insert(TRIANGLE, 0, z, axis=1))
    qtbot.waitUntil(lambda: not image_dock.lasso.drawing)
    table = session.visible()
    inside = Outline([*TRIANGLE, TRIANGLE[0]], closed=True).contains_points(
        table[["y", "x"]]
    )
    if not all_planes:
        half = session.state.slab_planes + 0.5
        inside &= table["z"].between(z - half, z + half)
    expected = table.index[inside].to_numpy()
    np.testing.assert_array_equal(session.selected().index, expected)
    assert f"<b>{len(expected)} spots selected</b> of 2,000" in image_dock.counts.value
    assert len(expected) > 30
    assert list(model.layers) == before
    assert model.layers.selection.active is session.viewing.overlay.points
    image_dock.mode.value = "subtract"
    press(image_dock.draw)
    corners = [(-1, -1), (-1, 200), (200, 200), (200, -1)]
    drawn(model).add_rectangles(np.insert(corners, 0, z, axis=1))
    qtbot.waitUntil(lambda: not image_dock.lasso.drawing)
    assert session.state.selection.count == 0
    assert "No spot that passes" in image_dock.message.value


def test_drawing_is_given_up(image_dock, model, qtbot):
    n = len(model.layers)
    press(image_dock.draw)
    press(image_dock.draw)  # begun anew
    assert len(model.layers) == n + 1
    layer = drawn(model)
    model.layers.remove(layer)  # by the user
    image_dock.lasso.cancel()
    press(image_dock.draw)
    sessions.attach(model, None)  # the session ends while one draws
    assert len(model.layers) == 0
    assert image_dock.lasso is None


def test_outlines_that_cannot_be_used(image_dock, model, session, qtbot):
    press(image_dock.draw)
    drawn(model).add_paths([[0, 1, 1], [0, 5, 5]])
    qtbot.waitUntil(lambda: not image_dock.lasso.drawing)
    assert "at least 3 vertices" in image_dock.message.value
    model.dims.ndisplay = 3
    press(image_dock.draw)
    assert "does not show y against x" in image_dock.message.value
    with pytest.raises(StateError, match="no viewer to draw in"):
        ImageLasso(session).start()


def test_selected_shapes_of_the_active_layer(image_dock, model):
    session = image_dock.session
    press(image_dock.use_shapes)
    assert "holds no shapes" in image_dock.message.value
    shapes = model.add_shapes(
        [np.insert(TRIANGLE, 0, 11.0, axis=1)],
        shape_type="polygon",
        scale=session.dataset.voxel_size,
        units=("um",) * 3,
    )
    shapes.selected_data = set()
    press(image_dock.use_shapes)
    assert "no shape of the layer" in image_dock.message.value
    shapes.selected_data = {0}
    press(image_dock.use_shapes)
    assert image_dock.message.value == ""
    assert model.layers.selection.active is shapes
    table = session.visible()
    inside = Outline([*TRIANGLE, TRIANGLE[0]], closed=True).contains_points(
        table[["y", "x"]]
    )
    half = session.state.slab_planes + 0.5
    deep = inside & table["z"].between(11 - half, 11 + half)
    np.testing.assert_array_equal(session.selected().index, table.index[deep])
    image_dock.all_planes.value = True
    image_dock.mode.value = "add"
    press(image_dock.use_shapes)
    np.testing.assert_array_equal(session.selected().index, table.index[inside])
    image_dock.mode.value = "subtract"
    press(image_dock.use_shapes)
    assert session.state.selection.count == 0
    shapes.data = [np.insert(TRIANGLE + 5000, 0, 11.0, axis=1)]
    shapes.selected_data = {0}
    press(image_dock.use_shapes)
    assert "No spot that passes" in image_dock.message.value


def test_selected_points_of_the_active_layer(image_dock, model):
    session = image_dock.session
    press(image_dock.use_points)
    assert "no point of the layer Spots is selected" in image_dock.message.value
    table = session.visible()
    rows = table.index[[4, 90]]
    points = model.add_points(
        [*table.loc[rows, ["z", "y", "x"]].to_numpy(), (0, 900, 900)],
        scale=session.dataset.voxel_size,
        units=("um",) * 3,
    )
    points.selected_data = {0, 1}
    image_dock.radius.value = 0.05
    press(image_dock.use_points)
    assert image_dock.message.value == ""
    assert session.selected().index.tolist() == sorted(rows)
    points.selected_data = {0, 2}
    image_dock.mode.value = "subtract"
    press(image_dock.use_points)
    assert "1 of 2 points" in image_dock.message.value
    assert session.selected().index.tolist() == [rows[1]]


def test_buttons_change_the_selection(dock, session):
    session.select([1, 2, 3])
    press(dock.invert)
    assert session.state.selection.count >= session.view.mask.count - 3
    press(dock.clear_button)
    assert session.state.selection.mask is None
    session.select([5])
    table = session.dataset.spots.to_pandas()
    cell = table.loc[table["spot_id"] == 5, "cell_id"].iloc[0]
    press(dock.grow)
    grown = (table["cell_id"] == cell) & (table["status"] != "removed") & (cell > 0)
    expected = grown | (table["spot_id"] == 5)
    assert session.state.selection.count == expected.sum()
    press(dock.draw)
    assert "no viewer to draw in" in dock.message.value


def test_gates(dock, session, viewer, make_session, tmp_path, monkeypatch):
    press(dock.keep)
    assert "no gate was made" in dock.message.value
    session.state.limits.fixed["488/514"] = (0, 400, 100, 500)
    dock.gate_name.value = "box"
    press(dock.keep)
    assert session.state.gates["box"].vertices[2] == (400, 500)
    assert dock.gate.value == "box"
    press(dock.use)
    table = session.visible()
    x, y = table["chan_488_intensity"], table["chan_514_intensity"]
    inside = (x >= 0) & (x < 400) & (y >= 100) & (y < 500)
    np.testing.assert_array_equal(session.selected().index, table.index[inside])
    press(dock.clear_button)
    press(dock.use_all)
    assert session.state.selection.count == inside.sum()
    path = tmp_path / "gates.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    press(dock.save_button)
    press(dock.delete)
    assert not session.state.gates
    assert dock.gate.choices == ("no gate",)
    press(dock.delete)
    press(dock.use)
    assert "no gate 'no gate'" in dock.message.value
    make_session(300, ("488", "514"))
    press(dock.load_button)
    assert "Loaded box" in dock.message.value
    assert {*dock.gate.choices} == {"box", "no gate"}
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    press(dock.load_button)  # cancelled
    sessions.attach(viewer, None)
    press(dock.use)  # nothing to do it to
