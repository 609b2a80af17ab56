"""Real windows of napari: few tests, since each costs a second or two."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.widgets.conftest import finish_deleting

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.widgets.channel_pairs import ChannelPairsWidget
from napari_seespot.widgets.spots import SpotsWidget

DOCKS = {"Spots": SpotsWidget, "Channel pairs": ChannelPairsWidget}


def settle(qtbot, condition=lambda: True):
    """Let the event loop turn until something holds."""
    qtbot.wait(20)
    qtbot.waitUntil(condition, timeout=20_000)


def docks_of(viewer):
    """Return our docks in a window, by name."""
    found = {}
    for name, kind in DOCKS.items():
        for title, widget in viewer.window.dock_widgets.items():
            inner = getattr(widget, "_magic_widget", widget)
            if title.startswith(name) and isinstance(inner, kind):
                found[name] = inner
    return found


def test_a_sample_in_a_window(make_napari_viewer, qtbot, sample):
    viewer = make_napari_viewer()
    session = nss.view(sample, viewer=viewer)
    docks = docks_of(viewer)
    assert set(docks) == set(DOCKS)
    assert {dock.session for dock in docks.values()} == {session}
    overlay, said = session.viewing.overlay, docks["Spots"].drawn
    settle(qtbot, lambda: said.value == overlay.shown.text)

    # Steps and filters reach the picture at the end of the event loop's turn.
    for plane in (3, 8, 20):
        viewer.dims.set_point(0, plane)
    session.state.filters.ranges["r"] = (0.3, None)
    table = session.visible()
    wanted = table[(table["z"] - 20).abs() <= 2.5]
    half = np.array(viewer.canvas.size) / 2 / viewer.scene.camera.zoom
    for axis, name in enumerate("yx"):
        away = table[name] * 0.24 - viewer.scene.camera.center[axis + 1]
        wanted = wanted[away.abs().loc[wanted.index] <= half[axis]]
    settle(qtbot, lambda: overlay.shown.total == len(wanted))
    settle(qtbot, lambda: said.value == overlay.shown.text)
    assert docks["Spots"].counts.value == f"<b>{len(table):,} of 2,000 spots</b>"

    # The features come when the view rests; the status bar reads them.
    ids = sample.spots.column("spot_id")[overlay.drawn_rows]
    layer = overlay.points
    settle(qtbot, lambda: layer.features["spot_id"].head(len(ids)).tolist() == [*ids])

    # Closing a dock and opening it again from the menu shows the same state.
    for name in DOCKS:
        viewer.window.remove_dock_widget(docks[name].native)
    docks.clear()
    said = None
    finish_deleting()
    session.state.color_by = "chan"
    session.go_to(int(ids[0]))
    _, again = viewer.window.add_plugin_dock_widget("napari-seespot", "Spots")
    assert again.color_by.value == "chan"
    assert again.session is session
    session.close()
    assert len(viewer.layers) == 0
    assert again.session is None


def test_a_click_picks_the_spot_under_it(make_napari_viewer, qtbot, sample):
    viewer = make_napari_viewer(show=True)
    session = nss.view(sample, viewer=viewer, docks=False)
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    picked = []
    session.picked.connect(picked.append)
    spot = int(sample.spots.to_pandas().query("12 < z < 20")["spot_id"].iloc[0])
    viewer.scene.camera.zoom = 60
    session.go_to(spot)
    overlay = session.viewing.overlay
    row = sample.spots.rows_of([spot])[0]
    settle(qtbot, lambda: row in overlay.drawn_rows)
    canvas = _canvas(viewer)
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    qtbot.wait(200)
    QTest.mouseMove(canvas, middle)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=middle)
    settle(qtbot, lambda: len(picked) == 1)
    assert picked == [row]
    mark = viewer.layers["Marked spot"]
    assert mark.visible
    assert mark.data[0] == pytest.approx(session.position(row))
    corner = QPoint(3, 3)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=corner)
    qtbot.wait(50)
    assert picked == [row]
    session.close()


def _canvas(viewer):
    """Return the widget on which a window draws."""
    window = viewer.window.main_menu.window()
    kinds = [w for w in window.findChildren(object) if "Canvas" in type(w).__name__]
    return next(w for w in kinds if hasattr(w, "width") and w.isVisible())


def test_layers_that_the_user_deletes_in_a_window(make_napari_viewer, qtbot, tables):
    viewer = make_napari_viewer(show=True)
    session = nss.view(tables, viewer=viewer, docks=False)
    qtbot.wait(50)
    for name in ("Marked spot", "Spots"):
        viewer.layers.remove(viewer.layers[name])
        viewer.dims.set_point(0, 9)
        session.go_to(5)
        qtbot.wait(50)
    viewer.dims.ndisplay = 3
    qtbot.wait(50)
    viewer.dims.ndisplay = 2
    mine = viewer.add_points(np.zeros((2, 3)))
    session.close()
    qtbot.wait(50)
    assert list(viewer.layers) == [mine]


def test_two_windows(make_napari_viewer, qtbot, sample, tables):
    one, other = make_napari_viewer(), make_napari_viewer()
    first, second = nss.view(sample, viewer=one), nss.view(tables, viewer=other)
    first.state.color_by = "r"
    first.state.filters.status = {"removed"}
    docks = docks_of(other)
    assert docks["Spots"].session is second
    assert docks["Spots"].color_by.value == "status"
    one.close()
    finish_deleting()
    assert first.is_closed
    assert not second.is_closed
    second.state.color_by = "chan"
    assert docks["Spots"].color_by.value == "chan"
    assert sessions.current(other) is second
    second.close()


def test_a_window_that_is_closed_frees_everything(
    make_napari_viewer, qtbot, sample, tables
):
    """Five times: no session, viewer, widget or thread of a window is left."""
    grown = []
    for dataset in (sample, tables, tables, tables, tables):
        viewer = make_napari_viewer()
        session = nss.view(dataset, viewer=viewer)
        session.go_to(7)
        session.state.filters.ranges["r"] = (0.2, None)
        qtbot.wait(30)
        viewer.dims.set_point(0, 11)
        kept = [weakref.ref(o) for o in (viewer, session, session.viewing.overlay)]
        viewer.close()
        finish_deleting()
        assert session.is_closed
        assert session.viewer is None
        del viewer, session
        gc.collect()
        finish_deleting()
        gc.collect()
        assert [ref() for ref in kept] == [None] * 3
        threads = [t.name for t in threading.enumerate() if "seespot" in t.name]
        grown.append((len(QApplication.allWidgets()), threads))
    assert grown[-1][0] <= grown[1][0]
    assert grown[-1][1] == grown[1][1]


def test_closing_the_session_frees_it_while_the_window_stays(
    make_napari_viewer, qtbot, sample
):
    viewer = make_napari_viewer()
    for _ in range(2):
        session = nss.view(sample, viewer=viewer)
        session.go_to(7)
        qtbot.wait(30)
        kept = [weakref.ref(o) for o in (session, session.viewing.overlay)]
        session.close()
        session.close()
        del session
        finish_deleting()
        gc.collect()
        assert [ref() for ref in kept] == [None] * 2
    assert len(docks_of(viewer)) == 2


def test_undo_and_redo_by_keys(make_napari_viewer, qtbot, sample):
    viewer = make_napari_viewer(show=True)
    session = nss.view(sample, viewer=viewer, docks=False)
    session.state.color_by = "chan"
    canvas = _canvas(viewer)
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle(qtbot, lambda: session.state.color_by == "status")
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(canvas, Qt.Key.Key_Z, keys)
    settle(qtbot, lambda: session.state.color_by == "chan")
    session.close()
