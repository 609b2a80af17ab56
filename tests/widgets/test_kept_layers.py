"""In a real window napari says that points may be edited: those of spots may not."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

import napari_seespot as nss


@pytest.fixture
def window(make_napari_viewer, qtbot, tables):
    viewer = make_napari_viewer(show=True)
    session = nss.view(tables, viewer=viewer, docks=False)
    qtbot.wait(50)
    yield session
    session.close()


def canvas_of(viewer):
    window = viewer.window.main_menu.window()
    kinds = [w for w in window.findChildren(object) if "Canvas" in type(w).__name__]
    return next(w for w in kinds if hasattr(w, "width") and w.isVisible())


def press_all(canvas):
    """Press each key that napari has for editing points, and click in between."""
    for key in "2531":  # add, transform, select, delete
        QTest.keyClicks(canvas, key)
        for place in (QPoint(150, 150), QPoint(200, 170)):
            QTest.mouseMove(canvas, place)
            QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)
    for key in (Qt.Key.Key_A, Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        QTest.keyClick(canvas, key)
    for key in (Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_V):
        QTest.keyClick(canvas, key, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(canvas, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(canvas, "1")


@pytest.mark.parametrize("name", ["Spots", "Marked spot", "Spots (density)"])
def test_no_key_and_no_click_edits_a_layer_of_spots(window, name, qtbot):
    viewer = window.viewer
    if name == "Spots (density)":
        window.state.picture = "density"
    window.go_to_row(3)
    layer = viewer.layers[name]
    viewer.layers.selection.active = layer
    canvas = canvas_of(viewer)
    qtbot.wait(50)
    shape, place = layer.data.shape, layer.affine.affine_matrix.copy()
    for ndisplay in (2, 3, 2):
        viewer.dims.ndisplay = ndisplay
        qtbot.wait(20)
        press_all(canvas)
        qtbot.wait(20)
        assert not layer.editable
        assert layer.mode == "pan_zoom"
        if name != "Spots (density)":  # its shape follows the view
            assert layer.data.shape == shape
    assert (layer.affine.affine_matrix == place).all()
    assert len(window.viewing.overlay.drawn_rows) <= len(layer.data) or name != "Spots"


def test_a_users_own_points_stay_editable(window, qtbot):
    viewer = window.viewer
    mine = viewer.add_points([[5.0, 20.0, 20.0]], size=1)
    viewer.layers.selection.active = mine
    canvas = canvas_of(viewer)
    QTest.keyClicks(canvas, "2")
    QTest.mouseMove(canvas, QPoint(150, 150))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(150, 150))
    qtbot.waitUntil(lambda: len(mine.data) == 2)
    viewer.layers.remove(mine)
