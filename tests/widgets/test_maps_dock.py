"""The Maps dock: its layer lies where the spots are, and goes when it goes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget, QToolTip
from tests._mouse import click

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.dataset import Dataset
from napari_seespot.maps import spatial_map
from napari_seespot.plots.map_charts import (
    automatic_tile,
    hottest,
    map_chart,
    map_limits,
)
from napari_seespot.spots import Spots
from napari_seespot.widgets.maps import MapsWidget, tile_place


@pytest.fixture
def model():
    viewer = ViewerModel()
    viewer.canvas.size = (600, 800)
    return viewer


@pytest.fixture
def session(model, sample):
    session = nss.view(sample, viewer=model)
    yield session
    session.close()


@pytest.fixture
def dock(model, session, qtbot):
    dock = MapsWidget(model)
    dock.native.show()
    computed(dock, qtbot)
    yield dock
    if isalive(dock.native):
        dock.native.close()
        dock.native.deleteLater()


def computed(dock, qtbot):
    qtbot.wait(140)  # until the state has rested
    qtbot.waitUntil(lambda: not dock._worker.busy, timeout=20_000)
    QApplication.processEvents()


def passing(session):
    table = session.dataset.spots.to_pandas()
    return table[session.view.mask.of(slice(None))]


def tiles(dock, session):
    """Return the spots that pass, with the row and column of their tile."""
    table, tile = passing(session), dock.tile_box.value
    _, dy, dx = session.dataset.voxel_size
    y, x = (table["y"].astype(float) * dy), (table["x"].astype(float) * dx)
    y0, x0 = dock._map.origin_um
    row = np.floor((y - y0) / tile).astype(int)
    column = np.floor((x - x0) / tile).astype(int)
    return table.assign(row=row, column=column, y_um=y, x_um=x)


def test_the_layer_counts_the_spots_of_each_tile(dock, session, model):
    layer = dock._layer.layer
    assert layer in model.layers
    table = tiles(dock, session)
    counts = table.groupby(["row", "column"]).size()
    assert np.nansum(layer.data) == len(table)
    for (row, column), count in counts.items():
        assert layer.data[row, column] == count
    assert np.isnan(layer.data).sum() == layer.data.size - len(counts)


def test_the_layer_lies_where_the_spots_are(dock, session, model):
    layer, overlay = dock._layer.layer, session.viewing.overlay
    table = tiles(dock, session)
    for index in table.index[::97]:
        world = overlay.world(session.position(index))
        place = layer.world_to_data(world[-2:])
        row, column = (int(np.floor(value + 0.5)) for value in place)
        assert (row, column) == tuple(table.loc[index, ["row", "column"]])
    assert layer.ndim == 2  # shown in every plane
    assert model.dims.ndim == 3
    assert model.layers.index(layer) < min(map(model.layers.index, overlay.layers))
    assert model.layers.selection.active is overlay.points


@pytest.mark.parametrize("measure", ["reassigned", "median_r"])
def test_measures_against_pandas(dock, session, qtbot, measure):
    dock.measure_box.value = measure
    computed(dock, qtbot)
    table = tiles(dock, session)
    groups = table.groupby(["row", "column"])
    if measure == "reassigned":
        wanted = (
            (table["status"] == "reassigned")
            .groupby([table["row"], table["column"]])
            .mean()
        )
    else:
        wanted = groups["r"].median()
    data = dock._layer.layer.data
    for (row, column), value in wanted.dropna().items():
        assert data[row, column] == pytest.approx(value, rel=1e-5)
    assert tuple(dock._layer.layer.contrast_limits) == pytest.approx(
        map_limits(dock._map.values)
    )


def test_the_map_follows_the_filters_and_can_ignore_them(dock, session, qtbot):
    session.state.filters.ranges["r"] = (0.8, 1)
    computed(dock, qtbot)
    assert np.nansum(dock._layer.layer.data) == len(passing(session))
    assert f"{len(passing(session)):,} spots in tiles" in dock.chart.chart.caption
    dock.follow_box.value = False
    computed(dock, qtbot)
    assert np.nansum(dock._layer.layer.data) == len(session.dataset.spots)


def test_a_share_of_removed_spots_needs_them_to_pass(dock, session, qtbot):
    dock.measure_box.value = "removed"
    computed(dock, qtbot)
    assert "do not pass the filters" in dock._note.value
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    computed(dock, qtbot)
    assert dock._note.value == ""
    assert np.nanmax(dock._layer.layer.data) > 0


def test_the_hottest_tiles_are_listed_and_lead_there(dock, session, model):
    dock.fewest_box.value = 3
    table = dock.table.frame
    assert (table["spots"] >= 3).all()
    assert table["value"].is_monotonic_decreasing
    wanted = dock._map.to_pandas().sort_values("value", ascending=False)
    assert table["value"].tolist() == wanted["value"].head(12).tolist()
    dock.table.activated_row.emit(0)
    line, tile = table.iloc[0], dock.tile_box.value
    inside = tiles(dock, session)
    inside = inside[
        (abs(inside["y_um"] - line["y_um"]) <= tile / 2)
        & (abs(inside["x_um"] - line["x_um"]) <= tile / 2)
    ]
    overlay = session.viewing.overlay
    voxel = session.dataset.voxel_size
    place = (inside["z"].median(), line["y_um"] / voxel[1], line["x_um"] / voxel[2])
    world = overlay.world(place)
    assert model.dims.point[0] == pytest.approx(world[0], abs=voxel[0])
    assert model.scene.camera.center[-2:] == pytest.approx(world[-2:])


def hot_place(dock, model):
    """Return a place in the world beside the middle of the hottest tile."""
    hot = dock.table.frame.iloc[0]
    y0, x0 = dock._layer._origin
    middle = (y0 + hot["y_um"], x0 + hot["x_um"])
    return middle, (model.dims.point[0], middle[0] + 0.3, middle[1] - 0.3)


@pytest.mark.parametrize("active", ["Spots", "Map: spots a tile", "488 · Crh", None])
def test_a_click_on_a_tile_goes_there(dock, session, model, active):
    layers = {layer.name: layer for layer in model.layers}
    model.layers.selection.active = layers.get(active)
    assert (active is None) == (model.layers.selection.active is None)
    session.state.picture = "density"
    middle, start = hot_place(dock, model)
    before, picked = model.scene.camera.center, []
    session.picked.connect(picked.append)
    click(model, start, drag=30)  # the picture was moved
    assert model.scene.camera.center == before
    click(model, start)
    assert model.scene.camera.center[-2:] == pytest.approx(middle)
    assert picked == []
    after = model.scene.camera.center
    dock._on_place((-1e6, -1e6))  # beside all tiles
    click(model, (start[0], -1e6, -1e6))
    assert model.scene.camera.center == after


def test_a_spot_on_a_tile_is_picked(dock, session, model):
    picked = []
    session.picked.connect(picked.append)
    row = int(session.viewing.overlay.drawn_rows[3])
    before = model.scene.camera.center
    click(model, session.viewing.overlay.world(session.position(row)))
    assert len(picked) == 1
    assert model.scene.camera.center == before


def test_where_no_map_is_seen_no_tile_is_clicked(dock, session, model):
    session.state.picture = "density"
    _, start = hot_place(dock, model)
    layer = dock._layer.layer

    def flies(place):
        before = model.scene.camera.center
        click(model, place)
        return model.scene.camera.center != before

    layer.visible = False
    assert not flies(start)
    layer.visible = True
    empty = np.argwhere(np.isnan(layer.data))[0]
    assert not flies((start[0], *layer.data_to_world(empty)))
    model.dims.order = (1, 0, 2)
    assert not flies(start)
    model.dims.order = (0, 2, 1)
    assert flies(start)
    model.dims.order = (0, 1, 2)
    dock.show_box.value = False
    assert not flies(start)
    session.close()
    assert not flies(start)


def pixel_of(dock, place):
    """Return where the chart shows a place, (y, x) in um."""
    chart = dock.chart
    chart.resize(400, 400)
    chart.grab()
    return chart.layout_.pixel(place[1], place[0]).toPoint()


def test_a_click_on_a_tile_of_the_chart_goes_there(dock, session, model):
    hot = dock.table.frame.iloc[0]
    pixel = pixel_of(dock, (hot["y_um"], hot["x_um"]))
    QTest.mouseClick(dock.chart, Qt.MouseButton.RightButton, pos=pixel)
    before = model.scene.camera.center
    QTest.mouseClick(dock.chart, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert model.scene.camera.center == before
    QTest.mouseClick(dock.chart, Qt.MouseButton.LeftButton, pos=pixel)
    y0, x0 = dock._layer._origin
    middle = (y0 + hot["y_um"], x0 + hot["x_um"])
    assert model.scene.camera.center[-2:] == pytest.approx(middle)


def move(widget, pixel):
    """Move the pointer over a widget, also where a screen sends no movement."""
    kind, no_button = QEvent.Type.MouseMove, Qt.MouseButton.NoButton
    place, there = QPointF(pixel), QPointF(widget.mapToGlobal(pixel))
    free = Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, place, there, no_button, no_button, free)
    QApplication.sendEvent(widget, event)


def test_the_chart_tells_what_a_tile_holds(dock, session, monkeypatch):
    told = []
    monkeypatch.setattr(QToolTip, "showText", lambda _, text, *__: told.append(text))
    hot = dock.table.frame.iloc[0]
    move(dock.chart, pixel_of(dock, (hot["y_um"], hot["x_um"])))
    assert told[-1] == f"{hot['spots']:.0f} ({hot['spots']:,.0f} spots)"
    assert dock.chart.cursor().shape() == Qt.CursorShape.PointingHandCursor
    move(dock.chart, QPoint(2, 2))
    assert told[-1] == ""
    assert dock.chart.cursor().shape() == Qt.CursorShape.ArrowCursor


def test_the_layer_is_hidden_and_goes_with_the_session(dock, session, model):
    layer = dock._layer.layer
    dock.show_box.value = False
    assert layer not in model.layers
    dock.show_box.value = True
    assert dock._layer.layer in model.layers
    session.close()
    assert not [other for other in model.layers if other.name.startswith("Map")]
    assert dock._layer is None
    dock._on_place((0, 0))


def test_a_layer_that_the_user_deletes_comes_back_with_the_next_map(dock, model, qtbot):
    model.layers.remove(dock._layer.layer)
    dock.measure_box.value = "reassigned"
    computed(dock, qtbot)
    assert dock._layer.layer in model.layers


def test_the_layer_goes_when_the_dock_is_closed(dock, model, qtbot):
    holder = QDockWidget()
    holder.setWidget(dock.native)
    holder.show()
    dock.native.show()
    computed(dock, qtbot)
    assert dock._layer.shown
    dock.native.hide()  # behind another dock
    assert dock._layer.shown
    dock.native.show()
    dock.native.setParent(None)  # as napari closes a dock
    assert not dock._layer.shown
    holder.setWidget(dock.native)
    dock.native.show()
    computed(dock, qtbot)
    assert dock._layer.shown
    dock.native.setParent(None)
    holder.close()
    holder.deleteLater()


def test_the_layer_goes_when_the_dock_is_destroyed(model, session, qtbot):
    dock = MapsWidget(model)
    dock.native.show()
    computed(dock, qtbot)
    layer = dock._layer.layer
    assert layer in model.layers
    dock.native.close()
    dock.native.deleteLater()
    qtbot.waitUntil(lambda: not isalive(dock.native))
    assert layer not in model.layers


def test_the_picture_has_the_maps_numbers(session):
    spots, voxel = session.dataset.spots, session.dataset.voxel_size
    found = spatial_map(spots, "density", voxel, 10)
    chart = map_chart(found)
    assert chart.data["spots"].sum() == len(spots)
    filled = chart.marks[0].rgba[::-1, :, 3] > 0
    assert (filled == (found.counts > 0)).all()
    assert len(hottest(found, 5, 1)) == 5
    assert map_limits(np.full(3, np.nan)) == (0.0, 1.0)
    assert map_limits(np.full(3, 2.0)) == (2.0, 3.0)


def test_tiles_have_a_round_size(session, make_dataset):
    spots, voxel = session.dataset.spots, session.dataset.voxel_size
    size = automatic_tile(spots, voxel)
    table = spots.to_pandas()
    side = max(np.ptp(table["y"]) * voxel[1], np.ptp(table["x"]) * voxel[2])
    assert 20 <= side / size <= 60
    assert automatic_tile(make_dataset(0).spots, voxel) == 50
    view = session.view
    found = spatial_map(spots, "density", voxel, 10)
    assert tile_place(view, found, (1e7, 0), None) is None


def test_spots_on_the_borders_of_tiles_are_found(session, make_dataset):
    voxel = session.dataset.voxel_size
    table = make_dataset(400).spots.to_pandas()
    place = (np.arange(400) % 20) * 0.3 / voxel[1]  # as near as float32 comes
    table = table.assign(y=np.float32(place), x=np.float32(place[::-1]))
    spots = Spots.from_pandas(table.drop(columns="status"))
    view = replace(session.view, dataset=Dataset("borders", "", spots))
    voxel = view.dataset.voxel_size
    found = spatial_map(spots, "density", voxel, 0.3)
    for y, x in zip(spots.column("y"), spots.column("x"), strict=True):
        at = (float(y) * voxel[1], float(x) * voxel[2])
        tile = found.tiles.at_um(*at)
        assert found.counts[tile] > 0
        middle = tile_place(view, found, at, None)
        assert middle is not None
        assert found.tiles.at_um(middle[1] * voxel[1], middle[2] * voxel[2]) == tile


def test_a_script_without_a_viewer_has_the_picture(make_session, viewer, qtbot):
    session = make_session()
    dock = MapsWidget(viewer)
    computed(dock, qtbot)
    assert dock.chart.chart.data["spots"].sum() == session.view.mask.count
    assert isinstance(dock.table.frame, pd.DataFrame)
    dock._on_place((1, 1))
    sessions.attach(viewer, None)
    dock.native.close()
    dock.native.deleteLater()
