"""A click marks the nearest spot in view, in both pictures, against a plain search."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from tests._mouse import click

import napari_seespot as nss


@pytest.fixture
def session(tables, model):
    session = nss.view(tables, viewer=model)
    session.state.slab_planes = 3
    yield session
    session.close()


@pytest.fixture
def picked(session):
    rows = []
    session.picked.connect(rows.append)
    return rows


def nearest(session, position, among=None):
    """Return the nearest row of the slab in the plane, and how far, in pixels."""
    viewer, voxel = session.viewer, session.dataset.voxel_size
    offset = viewer.dims.ndim - 3
    table = session.visible()
    table = table if among is None else table.loc[np.sort(among)]
    far = pd.Series(0.0, index=table.index)
    for axis, name in enumerate("zyx"):
        away = table[name].astype(float) * voxel[axis] - position[axis + offset]
        if axis + offset in viewer.dims.displayed:
            far += away**2
        else:
            far[away.abs() / voxel[axis] > session.state.slab_planes + 0.5] = np.inf
    return far.idxmin(), np.sqrt(far.min()) * viewer.scene.camera.zoom


def some_places(session, n, seed=0):
    """Return places in the window, in the slab's plane, each near a spot."""
    viewer, overlay = session.viewer, session.viewing.overlay
    rng = np.random.default_rng(seed)
    rows = rng.choice(in_slab(session), n)
    places = np.array([overlay.world(session.position(int(row))) for row in rows])
    places += rng.uniform(-7, 7, places.shape) / viewer.scene.camera.zoom
    sliced = viewer.dims.not_displayed[0]
    places[:, sliced] = viewer.dims.point[sliced]
    return [tuple(place) for place in places]


def in_slab(session):
    table, overlay = session.visible(), session.viewing.overlay
    sliced = session.viewer.dims.not_displayed[0]
    plane = overlay.voxel(session.viewer.dims.point)[sliced]
    away = (table["zyx"[sliced]] - plane).abs()
    return table.index[away <= session.state.slab_planes].to_numpy()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("picture", ["points", "density"])
def test_the_nearest_spot_is_marked(session, picked, picture, order):
    session.state.picture = picture
    session.state.point_size_um = 0.01
    session.state.filters.ranges["r"] = (0.2, None)
    session.viewer.dims.order = order
    session.viewer.reset_view()
    mark = session.viewer.layers["Marked spot"]
    hits = 0
    for place in some_places(session, 60):
        del picked[:]
        click(session.viewer, place)
        row, pixels = nearest(session, place)
        assert picked == ([row] if pixels < 4 else [])
        if picked:
            hits += 1
            assert mark.data[0] == pytest.approx(session.position(row))
    assert 10 < hits < 60


@pytest.mark.parametrize("picture", ["points", "density"])
def test_a_large_spot_is_hit_anywhere_on_it(session, picked, picture):
    session.state.picture = picture
    session.state.filters.status = {"reassigned"}
    row = session.viewing.overlay.drawn_rows[0] if picture == "points" else None
    row = session.visible().index[0] if row is None else row
    session.go_to_row(int(row))
    session.viewer.scene.camera.zoom = 20.0
    session.state.point_size_um = 2.0  # 40 pixels
    place = np.array(session.viewing.overlay.world(session.position(int(row))))
    place[2] += 0.8
    found, pixels = nearest(session, place)
    assert pixels <= 16.01
    click(session.viewer, tuple(place))
    assert picked == [found]


def test_of_points_only_those_that_are_drawn(session, picked):
    session.state.picture = "points"
    session.state.max_points = 60
    session.state.point_size_um = 0.01
    drawn = session.viewing.overlay.drawn_rows
    assert len(drawn) == 60
    for row in session.visible().index[::40]:
        place = np.array(session.viewing.overlay.world(session.position(int(row))))
        place[0] = session.viewer.dims.point[0]
        del picked[:]
        click(session.viewer, tuple(place))
        found, pixels = nearest(session, place, drawn)
        assert picked == ([found] if pixels < 4 else [])


def test_in_a_volume(session, picked):
    viewer = session.viewer
    viewer.dims.ndisplay = 3
    session.state.filters.ranges["spot_id"] = (1, 60)
    viewer.reset_view()
    rows = session.viewing.overlay.drawn_rows
    for row in rows[:5]:
        click(viewer, session.viewing.overlay.world(session.position(int(row))))
    assert len(picked) == 5
    assert set(picked) <= set(rows)
    del picked[:]
    session.state.filters.status = set()
    click(viewer, session.viewing.overlay.world(session.position(int(rows[0]))))
    assert picked == []


def spot_in_view(session):
    row = int(session.viewing.overlay.drawn_rows[0])
    place = np.array(session.viewing.overlay.world(session.position(row)))
    place[0] = session.viewer.dims.point[0]
    return tuple(place)


def test_whichever_layer_is_active(session, picked):
    viewer = session.viewer
    here = spot_in_view(session)
    image = viewer.add_image(np.zeros((8, 8)))
    for layer in (*session.viewing.overlay.layers, image, None):
        viewer.layers.selection.active = layer
        click(viewer, here)
    assert len(picked) == 5


def test_what_picks_nothing(session, picked):
    viewer = session.viewer
    here = spot_in_view(session)
    click(viewer, here, drag=30)  # the view was dragged
    click(viewer, here, button=2)
    labels = viewer.add_labels(np.zeros((8, 8), np.uint8))
    click(viewer, here)
    shapes = viewer.add_shapes()
    shapes.mode = "add_polygon"
    click(viewer, here)
    shapes.mode = "pan_zoom"
    viewer.layers.selection.active = session.viewing.overlay.points
    session.viewing.overlay.points.visible = False
    click(viewer, here)
    session.viewing.overlay.points.visible = True
    session.state.filters.status = set()
    click(viewer, here)
    assert picked == []
    session.undo()
    click(viewer, here, drag=2)  # a hand is never still
    assert len(picked) == 1
    viewer.dims.order = (0, 1, 2)
    viewer.layers.remove(labels)
    session.close()
    click(viewer, here)
    assert len(picked) == 1
    assert not any("SpotPicker" in repr(one) for one in viewer.mouse_drag_callbacks)


def test_points_come_before_what_else_is_clicked_on_and_the_picture_after(
    session, picked
):
    here, asked = spot_in_view(session), []
    beside = (here[0], -500.0, -500.0)
    takes = True

    def take(position):
        asked.append(position)
        return takes

    session.viewing.picker.others.append(take)
    click(session.viewer, here)
    assert (len(picked), asked) == (1, [])
    click(session.viewer, beside)
    assert (len(picked), asked) == (1, [beside])
    session.state.picture = "density"
    click(session.viewer, here)
    assert (len(picked), asked) == (1, [beside, here])
    takes = False
    click(session.viewer, here)
    assert (len(picked), asked) == (2, [beside, here, here])
