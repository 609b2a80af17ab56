"""What a window's pixels show of the spots, on a dark and on a white canvas."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

import napari_seespot as nss

THEMES = ("dark", "light")


@pytest.fixture
def window(make_napari_viewer, qtbot, tables):
    viewer = make_napari_viewer(show=True)
    session = nss.view(tables, viewer=viewer, docks=False)
    session.state.slab_planes = 40
    qtbot.wait(50)
    yield session
    session.close()


def canvas(session, qtbot):
    qtbot.wait(200)  # until what is put off was done
    return session.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def around(session, picture, row, reach=12):
    """Return the pixels near a spot."""
    viewer, shape = session.viewer, np.array(picture.shape[:2])
    world = np.array(session.viewing.overlay.world(session.position(row)))[1:]
    away = (world - viewer.scene.camera.center[1:]) * viewer.scene.camera.zoom
    shown = np.array(viewer.canvas.size)
    y, x = np.round((away + shown / 2) * shape / shown).astype(int)
    assert reach < y < shape[0] - reach
    assert reach < x < shape[1] - reach
    return picture[y - reach : y + reach + 1, x - reach : x + reach + 1].reshape(-1, 3)


def select_some(session, n=12):
    """Select spots that are in the middle of the canvas."""
    rows = session.viewing.overlay.drawn_rows
    y, x = (session.dataset.spots.column(axis)[rows] for axis in "yx")
    order = np.argsort(np.hypot(y - np.median(y), x - np.median(x)))
    chosen = rows[order[:: len(order) // 2 // n][:n]]
    mask = np.zeros(len(session.dataset.spots), np.bool_)
    mask[chosen] = True
    session.select_rows(mask)
    return chosen


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("picture", ["points", "density"])
def test_selected_spots_are_seen_on_any_canvas(window, theme, picture, qtbot):
    window.viewer.theme = theme
    qtbot.wait(100)
    before = canvas(window, qtbot)
    chosen = select_some(window)
    window.state.picture = picture
    after = canvas(window, qtbot)
    for row in chosen:
        near = around(window, after, row)
        assert (near.min(axis=1) > 240).any()  # white, on a dark background
        assert (near.max(axis=1) < 40).any()  # and black, on a white one
    window.clear_selection()
    window.state.picture = "points"
    assert (canvas(window, qtbot) == before).mean() > 0.999


@pytest.mark.parametrize("theme", THEMES)
def test_selected_spots_are_seen_inside_a_volume(window, theme, qtbot):
    viewer = window.viewer
    viewer.theme = theme
    chosen = select_some(window, 5)  # most of them behind others
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    window.state.max_points = 1000
    after = canvas(window, qtbot)
    for row in chosen:
        near = around(window, after, row)
        assert (near.min(axis=1) > 240).any()
        assert (near.max(axis=1) < 40).any()


@pytest.mark.parametrize("theme", THEMES)
def test_the_smallest_spots_keep_their_colours(window, theme, qtbot):
    """napari gives a border to points that it enlarges to the least size."""
    window.viewer.theme = theme
    window.state.point_size_um = 0.01
    picture = canvas(window, qtbot)
    vivid = np.ptp(picture, axis=2) > 60
    assert vivid.sum() > len(window.viewing.overlay.drawn_rows)


@pytest.mark.parametrize("factor", [0.3, 1, 8])
def test_the_mark_is_a_thin_ring_of_some_size(window, factor, qtbot):
    row = int(window.viewing.overlay.drawn_rows[7])
    window.go_to_row(row)
    window.state.filters.cells = [-7]  # no spots
    window.viewer.scene.camera.zoom *= factor
    near = around(window, canvas(window, qtbot), row, reach=70).reshape(141, 141, 3)
    magenta = (near[..., 0] > 150) & (near[..., 1] < 90) & (near[..., 2] > 150)
    across = np.flatnonzero(magenta[70])
    assert 14 <= np.ptp(across) <= 140
    assert not magenta[66:75, 66:75].any()
    assert len(across) <= 0.4 * np.ptp(across) + 4


def test_nothing_is_drawn_where_nothing_is(window, qtbot):
    """napari draws a point of no size where none is in view."""
    viewer, session = window.viewer, window
    session.state.slab_planes = 0.5
    corner = session.viewing.overlay.world((0.0, 0.0, 0.0))[1:]
    viewer.scene.camera.center = (0.0, *corner)
    session.state.filters.cells = [-7]
    viewer.canvas.overlays["napari-seespot"].visible = False
    empty = canvas(session, qtbot)
    assert (empty == empty[0, 0]).all()
    session.viewing.overlay.mark(3)
    viewer.dims.set_point(0, session.position(3)[0] * session.dataset.voxel_size[0])
    session.viewing.overlay.mark(3)
    viewer.dims.set_point(0, viewer.dims.point[0] + 8)
    assert (canvas(session, qtbot) == empty[0, 0]).all()
    session.state.picture = "density"
    assert (canvas(session, qtbot) == empty[0, 0]).all()


def test_a_click_on_the_density_picks_a_spot(window, qtbot):
    picked = []
    window.picked.connect(picked.append)
    window.state.picture = "density"
    row = int(window.visible().index[11])
    window.viewer.scene.camera.zoom *= 3
    window.go_to_row(row)
    window.viewer.layers.selection.active = None
    canvas(window, qtbot)
    widget = canvas_widget(window.viewer)
    middle = QPoint(widget.width() // 2, widget.height() // 2)
    QTest.mouseMove(widget, middle)
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.waitUntil(lambda: len(picked) == 1)
    mark = window.viewer.layers["Marked spot"]
    assert mark.data[0] == pytest.approx(window.position(picked[0]))
    away = np.array(window.position(picked[0])) - window.position(row)
    pixels = away * window.dataset.voxel_size * window.viewer.scene.camera.zoom
    assert np.hypot(*pixels[1:]) <= 8
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(widget, middle + QPoint(90, 40))
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=middle + QPoint(90, 40))
    qtbot.wait(50)
    assert len(picked) == 1


def canvas_widget(viewer):
    """Return the widget on which a window draws."""
    top = viewer.window.main_menu.window()
    kinds = [w for w in top.findChildren(object) if "Canvas" in type(w).__name__]
    return next(w for w in kinds if hasattr(w, "width") and w.isVisible())
