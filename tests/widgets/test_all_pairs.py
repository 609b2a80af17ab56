"""The All pairs dock: every picture against numpy, zooming, linking, choosing."""

import numpy as np
import pytest
from matplotlib.path import Path as MplPath
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_seespot import sessions
from napari_seespot.coloring import make_coloring
from napari_seespot.plots.exports import save_chart
from napari_seespot.plots.marks import Path
from napari_seespot.plots.pair_cell import zoomed
from napari_seespot.plots.pair_chart import pair_chart, view_scale
from napari_seespot.plots.pair_grid import GridRequest, PairGridPainter, cell_chart
from napari_seespot.plots.pair_picture import PairPainter, PairRequest
from napari_seespot.plots.theme import DARK
from napari_seespot.session import Session
from napari_seespot.widgets.all_pairs import AllPairsWidget

FOUR = ("488", "514", "561", "594")


@pytest.fixture
def session(make_session):
    return make_session(channels=FOUR)


@pytest.fixture
def dock(viewer, session, qtbot):
    dock = AllPairsWidget(viewer)
    dock.native.resize(420, 700)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    painted(dock, qtbot)
    yield dock
    if isalive(dock.native):
        dock.native.close()
        dock.native.deleteLater()


def painted(dock, qtbot):
    QApplication.processEvents()
    QApplication.processEvents()
    qtbot.waitUntil(lambda: not dock._worker.busy, timeout=20_000)
    QApplication.processEvents()


def passing(session):
    table = session.dataset.spots.to_pandas()
    return table[session.view.mask.of(slice(None))]


def in_limits(table, pair, limits):
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in pair)
    x0, x1, y0, y1 = limits
    return int(((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).sum())


def drawn(cell):
    data = cell.chart.data
    return int(data[[c for c in data if not c.startswith(("x_", "y_"))]].sum().sum())


def test_all_pairs_are_counted_as_numpy_counts(session):
    view = session.view
    pairs = session.dataset.channel_pairs
    request = GridRequest(view, pairs, {}, (128, 128), DARK)
    table = passing(session)
    pictures = list(PairGridPainter().paint(request))
    assert [picture.pair for picture in pictures] == pairs
    for picture in pictures:
        d = picture.counted
        status = table["status"].astype(str).to_numpy()
        x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in picture.pair)
        for place, name in enumerate(d.classes):
            rows = status == name
            wanted = np.histogram2d(y[rows], x[rows], bins=(d.y_edges, d.x_edges))[0]
            assert (d.counts[place] == wanted).all()


def test_a_channel_has_one_automatic_axis(session):
    request = GridRequest(
        session.view, session.dataset.channel_pairs, {}, (64, 64), DARK
    )
    axes = {}
    for picture in PairGridPainter().paint(request):
        x0, x1, y0, y1 = picture.limits
        for channel, axis in zip(picture.pair, ((x0, x1), (y0, y1)), strict=True):
            assert axes.setdefault(channel, axis) == axis


def test_pictures_that_did_not_change_are_kept(session):
    pairs = session.dataset.channel_pairs
    painter = PairGridPainter()
    first = list(painter.paint(GridRequest(session.view, pairs, {}, (64, 64), DARK)))
    zooms = {pairs[0]: (0.0, 9.0, 0.0, 9.0)}
    again = list(painter.paint(GridRequest(session.view, pairs, zooms, (64, 64), DARK)))
    assert [a is b for a, b in zip(first, again, strict=True)] == [
        False, *[True] * (len(pairs) - 1),
    ]  # fmt: skip
    session.select_rows(session.dataset.spots.codes("status") == 1)
    marked = list(painter.paint(GridRequest(session.view, pairs, {}, (64, 64), DARK)))
    assert all(picture.tint is not None for picture in marked)
    assert all(picture.tint is None for picture in first)


def paint_all(session, zooms=None):
    pairs = session.dataset.channel_pairs
    request = GridRequest(session.view, pairs, zooms or {}, (64, 64), DARK)
    return {picture.pair: picture for picture in PairGridPainter().paint(request)}


def test_what_is_not_highlighted_fades(session):
    plain = paint_all(session)
    session.state.highlight = "reassigned"
    faded = paint_all(session)
    for pair, picture in faded.items():
        counts = dict(zip(picture.counted.classes, picture.counted.counts, strict=True))
        others = (counts["reassigned"] == 0) & (counts["unchanged"] > 0)
        alpha, before = picture.rgba[..., 3], plain[pair].rgba[..., 3]
        assert others.any()
        assert (alpha[others] < before[others]).all()
        assert (alpha[counts["reassigned"] > 0] > alpha[others].max()).all()
    session.state.highlight = "selected"  # nothing is: all fades
    for pair, picture in paint_all(session).items():
        some = plain[pair].rgba[..., 3] > 0
        assert (picture.rgba[..., 3][some] < plain[pair].rgba[..., 3][some]).all()


def test_a_column_colours_the_bins_by_its_mean(session):
    session.state.color_by = "r"
    by_r = paint_all(session)
    session.state.color_by = "dist"
    by_dist = paint_all(session)
    table = passing(session)
    for pair, picture in by_r.items():
        assert (picture.counted.counts == by_dist[pair].counted.counts).all()
        assert (picture.rgba != by_dist[pair].rgba).any()
        d = picture.counted
        x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in pair)
        edges = (d.y_edges, d.x_edges)
        r = table["r"].to_numpy(float)
        known = np.isfinite(r)
        total = np.histogram2d(y[known], x[known], edges, weights=r[known])[0]
        number = np.histogram2d(y[known], x[known], edges)[0]
        line, column = np.unravel_index(number.argmax(), number.shape)
        coloring = by_r_coloring(session)
        low, high = coloring.limits
        share = (total[line, column] / number[line, column] - low) / (high - low)
        wanted = coloring.table[int(np.clip(share, 0, 1) * 255)][:3].astype(int)
        assert np.abs(picture.rgba[line, column, :3] - wanted).max() <= 3


def by_r_coloring(session):
    return make_coloring(session.dataset.spots, "r")


def test_each_pair_keeps_the_way_its_axes_are_found(session):
    automatic = {pair: p.limits for pair, p in paint_all(session).items()}
    session.state.limits.modes["488/514"] = "minmax"
    session.state.pair = ("488", "514")
    found = {pair: p.limits for pair, p in paint_all(session).items()}
    assert found["488", "514"] != automatic["488", "514"]
    assert {p: v for p, v in found.items() if p != ("488", "514")} == {
        p: v for p, v in automatic.items() if p != ("488", "514")
    }
    session.state.limits.modes.clear()
    session.state.limits.mode = "percentile"
    session.state.limits.percentiles = (10, 60)
    x0, x1, *_ = paint_all(session)["488", "514"].limits
    values = passing(session)["chan_488_intensity"].to_numpy(float)
    low, high = np.percentile(values[np.isfinite(values)], (10, 60))
    assert (x0, x1) == pytest.approx(
        (low - 0.03 * (high - low), high + 0.03 * (high - low))
    )


def test_a_log_axis_keeps_what_it_can_of_fixed_limits(session):
    session.state.axis_scale = "log"
    session.state.limits.fixed["488/514"] = (-50, 500, 2, 300)
    x0, x1, y0, y1 = paint_all(session)["488", "514"].limits
    assert (x1, y0, y1) == (500, 2, 300)
    assert 0 < x0 < 500


def test_gates_are_outlined(session):
    corners = [(10, 20), (300, 20), (300, 250)]
    session.add_gate("mine", corners, ("514", "488"))
    request = GridRequest(
        session.view, session.dataset.channel_pairs, {}, (64, 64), DARK
    )
    for picture in PairGridPainter().paint(request):
        chart = cell_chart(picture, session.view, DARK, lines=False)
        outlines = [mark for mark in chart.marks if isinstance(mark, Path)]
        if set(picture.pair) == {"488", "514"}:
            (outline,) = outlines
            x, y = zip(*corners, strict=True)
            assert outline.x.tolist() == [*y, y[0]]  # the axes are turned round
            assert outline.y.tolist() == [*x, x[0]]
        else:
            assert not outlines


@pytest.mark.parametrize("scale", ["linear", "log", "asinh"])
@pytest.mark.parametrize("tool", ["rectangle", "lasso", "polygon"])
def test_what_is_drawn_in_a_cell_is_selected(dock, session, qtbot, tool, scale):
    session.state.axis_scale = scale
    painted(dock, qtbot)
    cell = dock.cells["488", "561"]
    dock.tools.buttons[tool].native.click()
    assert cell.tool == tool
    cell.grab()
    plot = cell.layout_.plot
    corners = [
        QPoint(int(plot.x() + a * plot.width()), int(plot.y() + b * plot.height()))
        for a, b in ((0.1, 0.1), (0.9, 0.15), (0.85, 0.9), (0.2, 0.8))
    ]
    if tool == "rectangle":
        corners = [corners[0], QPoint(corners[2].x(), corners[0].y()), corners[2],
                   QPoint(corners[0].x(), corners[2].y())]  # fmt: skip
    left = Qt.MouseButton.LeftButton
    if tool == "polygon":
        for corner in corners:
            QTest.mouseClick(cell, left, pos=corner)
        QTest.keyClick(cell, Qt.Key.Key_Return)
    else:
        QTest.mousePress(cell, left, pos=corners[0])
        way = corners[2:3] if tool == "rectangle" else corners[1:]
        for corner in way:
            QTest.mouseMove(cell, corner)
        QTest.mouseRelease(cell, left, pos=way[-1])
    qtbot.waitUntil(lambda: not dock._outliner.busy, timeout=20_000)
    table, along = passing(session), view_scale(session.view)
    x, y = (along.to(table[f"chan_{c}_intensity"].to_numpy(float)) for c in cell.pair)
    x0, x1, y0, y1 = cell.limits
    across = plot.x() + (x - x0) / (x1 - x0) * plot.width()
    down = plot.y() + (y1 - y) / (y1 - y0) * plot.height()
    inside = MplPath([(c.x(), c.y()) for c in corners]).contains_points(
        np.nan_to_num(
            np.column_stack([across, down]), nan=-1e9, posinf=1e9, neginf=-1e9
        )
    )
    mask = session.state.selection.mask
    assert mask is not None
    chosen = mask[table.index.to_numpy()]
    # single precision of pixels: a spot on the line may fall to either side
    assert (chosen != inside).sum() <= 2
    assert inside.sum() > 20
    vertices, pair, mode = session.outline
    assert (pair, mode) == (cell.pair, "replace")
    assert len(vertices) >= 4


def test_a_begun_polygon_is_shortened_and_given_up(dock, session, qtbot):
    cell = dock.cells["488", "514"]
    dock.tools.buttons["polygon"].native.click()
    cell.grab()
    middle = cell.layout_.plot.center().toPoint()
    for step in (0, 20, 25):
        QTest.mouseClick(
            cell, Qt.MouseButton.LeftButton, pos=middle + QPoint(step, step)
        )
    assert len(cell._sketch.corners) == 3
    QTest.keyClick(cell, Qt.Key.Key_Backspace)
    assert len(cell._sketch.corners) == 2
    QTest.keyClick(cell, Qt.Key.Key_Escape)
    assert not cell._sketch.corners
    dock.tools.buttons["polygon"].native.click()  # let go: the mouse moves again
    assert cell.tool == ""
    assert session.state.selection.mask is None


def test_the_dock_shows_every_pair(dock, session):
    assert list(dock.cells) == session.dataset.channel_pairs
    table = passing(session)
    for pair, cell in dock.cells.items():
        assert drawn(cell) == in_limits(table, pair, cell.limits)
    whole = dock.cells["488", "514"].whole_chart
    assert whole.title == "488 · Crh / 514 · Penk"
    assert [cell.current for cell in dock.cells.values()] == [True, *[False] * 5]
    assert dock._columns == 4


def test_the_pictures_follow_filters_and_selection(dock, session, qtbot):
    session.state.filters.ranges["r"] = (0.2, 0.9)
    painted(dock, qtbot)
    table = passing(session)
    for pair, cell in dock.cells.items():
        assert drawn(cell) == in_limits(table, pair, cell.limits)
    images = len(dock.cells["488", "514"].chart.marks)
    session.select_rows(session.view.mask.of(slice(None)))
    painted(dock, qtbot)
    assert len(dock.cells["488", "514"].chart.marks) == images + 1
    session.state.filters.ranges["r"] = (5, 6)
    painted(dock, qtbot)
    assert dock.cells["488", "514"].message == "No spot here"


def test_linked_axes_follow_a_zoom_and_are_counted_anew(dock, session, qtbot):
    cell = dock.cells["488", "561"]
    others = {pair: dock.cells[pair].limits for pair in dock.cells}
    cell.zoomed.emit((0.0, 200.0, 50.0, 300.0))
    assert cell.limits == (0.0, 200.0, 50.0, 300.0)  # at once
    painted(dock, qtbot)
    table = passing(session)
    for pair, now in ((pair, dock.cells[pair].limits) for pair in dock.cells):
        for place, channel in enumerate(pair):
            axis = {"488": (0.0, 200.0), "561": (50.0, 300.0)}.get(channel)
            was = others[pair][2 * place : 2 * place + 2]
            assert now[2 * place : 2 * place + 2] == (axis or was)
        assert drawn(dock.cells[pair]) == in_limits(table, pair, now)
    dock.reset_axes()
    painted(dock, qtbot)
    assert {pair: dock.cells[pair].limits for pair in dock.cells} == others


def test_axes_that_are_not_linked_stay(dock, qtbot):
    dock.link_box.value = False
    painted(dock, qtbot)
    before = dock.cells["488", "514"].limits
    dock.cells["488", "561"].zoomed.emit((0.0, 200.0, 50.0, 300.0))
    painted(dock, qtbot)
    assert dock.cells["488", "561"].limits == (0.0, 200.0, 50.0, 300.0)
    assert dock.cells["488", "514"].limits == before
    dock.cells["488", "561"].zoomed.emit((5.0, 5.0, 0.0, 1.0))  # nothing between
    assert dock.cells["488", "561"].limits == (0.0, 200.0, 50.0, 300.0)


def test_fixed_axes_of_the_state_are_shown(dock, session, qtbot):
    session.state.limits.fixed["488/561"] = (1.0, 2.0, 3.0, 4.0)
    session.state.pair = ("488", "561")
    painted(dock, qtbot)
    assert dock.cells["488", "561"].limits == (1.0, 2.0, 3.0, 4.0)


def test_a_double_click_makes_the_pair_the_current_one(dock, session, qtbot):
    cell = dock.cells["514", "561"]
    QTest.mouseDClick(cell, Qt.MouseButton.LeftButton, pos=cell.rect().center())
    assert session.state.pair == ("514", "561")
    assert cell.current
    session.state.pair = ("561", "514")  # a script turned it round
    assert cell.current
    QTest.keyClick(dock.cells["488", "594"], Qt.Key.Key_Return)
    assert session.state.pair == ("488", "594")
    dock.step_pair(1)
    assert session.state.pair == ("514", "561")
    dock.step_pair(-1)
    assert session.state.pair == ("488", "594")


def test_wheel_drag_and_keys_move_the_axes(dock, qtbot):
    cell = dock.cells["488", "514"]
    cell.grab()
    at = cell.layout_.plot.center()
    place = cell.layout_.value(at)
    x0, x1, y0, y1 = cell.limits
    wheel = QWheelEvent(
        at, QPointF(cell.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    cell.wheelEvent(wheel)
    assert cell.limits[1] - cell.limits[0] == pytest.approx((x1 - x0) / 1.25)
    cell.grab()
    assert cell.layout_.value(at) == pytest.approx(place)
    QTest.keyClick(cell, Qt.Key.Key_Minus)
    assert cell.limits[1] - cell.limits[0] == pytest.approx(x1 - x0)
    QTest.keyClick(cell, Qt.Key.Key_Plus)
    QTest.keyClick(cell, Qt.Key.Key_Right)
    left = cell.limits[0]
    QTest.keyClick(cell, Qt.Key.Key_A)
    painted(dock, qtbot)
    assert cell.limits == pytest.approx((x0, x1, y0, y1))
    assert left > x0
    cell.grab()
    start = at.toPoint()
    QTest.mousePress(cell, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(cell, start + QPoint(20, 0))
    QApplication.processEvents()
    QTest.mouseRelease(cell, Qt.MouseButton.LeftButton, pos=start + QPoint(20, 0))
    assert cell.limits[2:] == pytest.approx((y0, y1))


def test_zooming_keeps_the_place():
    assert zoomed((0, 10, 0, 20), (5, 5), 0.5) == (2.5, 7.5, 2.5, 12.5)


def test_columns_follow_the_width(dock, qtbot):
    dock.native.resize(760, 700)
    painted(dock, qtbot)
    assert dock._columns == 5
    dock.native.resize(300, 700)
    painted(dock, qtbot)
    assert dock._columns == 3


def test_small_cells_leave_room_for_the_picture(dock, qtbot):
    dock.native.resize(300, 700)
    painted(dock, qtbot)
    cell = dock.cells["488", "514"]
    assert cell.width() < 150
    assert cell.chart.title == "488/514"
    assert not cell.chart.x.shown
    cell.grab()
    plot = cell.layout_.plot
    assert plot.width() > 0.7 * cell.width()
    x0, x1, y0, y1 = cell.limits
    cell.zoomed.emit((x0, (x0 + x1) / 2, y0, y1))
    assert cell.whole_chart.title == "488 · Crh / 514 · Penk"  # what is saved
    assert cell.whole_chart.x.limits == pytest.approx((x0, (x0 + x1) / 2))
    assert cell.whole_chart.x.shown


def test_dye_lines_can_be_taken_away(dock, qtbot):
    cell = dock.cells["488", "514"]
    before = len(cell.chart.marks)
    dock.dye_box.value = False
    painted(dock, qtbot)
    assert len(cell.chart.marks) < before
    dock.session.state.dye_lines = True
    painted(dock, qtbot)
    assert dock.dye_box.value
    assert len(cell.chart.marks) == before


@pytest.mark.parametrize("scale", ["log", "asinh"])
def test_curved_axes_are_counted_and_zoomed(dock, session, qtbot, scale):
    dock.cells["488", "514"].zoomed.emit((0.0, 200.0, 50.0, 300.0))
    session.state.axis_scale = scale
    painted(dock, qtbot)
    table = passing(session)
    along = view_scale(session.view)
    cell = dock.cells["488", "514"]
    assert drawn(cell) == in_limits(table, cell.pair, along.limits_back(cell.limits))
    assert drawn(cell) > 0
    assert cell.whole_chart.x.ticks
    x0, x1, y0, y1 = cell.limits
    cell.zoomed.emit(((x0 + x1) / 2, x1, (y0 + y1) / 2, y1))
    painted(dock, qtbot)
    for pair, other in dock.cells.items():
        limits = along.limits_back(other.limits)
        assert drawn(other) == in_limits(table, pair, limits)
    session.state.limits.fixed["488/514"] = (-5.0, 500.0, 1.0, 500.0)
    dock.reset_axes()
    painted(dock, qtbot)
    low = along.limits_back(cell.limits)[0]
    assert (low > 0) is (scale == "log")


def test_one_channel_has_no_pairs(dock, viewer, make_dataset, qtbot):
    sessions.attach(viewer, Session(make_dataset(channels=("488",))))
    painted(dock, qtbot)
    assert not dock.cells
    assert dock._note.value == "A pair needs two spot channels; this dataset has 1."
    dock.step_pair(1)


def test_another_session_replaces_all(dock, viewer, make_dataset, qtbot):
    sessions.attach(viewer, Session(make_dataset(channels=("488", "514"))))
    painted(dock, qtbot)
    assert list(dock.cells) == [("488", "514")]
    sessions.attach(viewer, None)
    assert not dock.cells
    assert dock._hint.visible
    dock.reset_axes()


def test_a_dock_that_is_put_away_does_not_work(dock, session, qtbot):
    dock.native.hide()
    session.state.filters.ranges["r"] = (0.5, 0.9)
    QApplication.processEvents()
    assert not dock._worker.busy
    dock.native.show()
    painted(dock, qtbot)
    table = passing(session)
    cell = dock.cells["488", "514"]
    assert drawn(cell) == in_limits(table, cell.pair, cell.limits)


@pytest.mark.parametrize("scale", ["linear", "asinh"])
@pytest.mark.parametrize("plot", ["density", "points"])
def test_the_large_plot_is_saved_as_it_is_seen(qapp, session, plot, scale, tmp_path):
    session.state.plot, session.state.axis_scale = plot, scale
    picture = PairPainter(session.index).paint(PairRequest(session.view))
    chart = pair_chart(picture)
    data, names = chart.data, session.dataset.spots.class_names("status")
    if plot == "density":
        assert data[list(names)].to_numpy().sum() == picture.n_inside
    else:
        assert len(data) == picture.n_inside
        x, y = (data[f"chan_{c}_intensity"].astype(float) for c in ("488", "514"))
        x0, x1, y0, y1 = picture.limits
        assert (x.between(x0, x1) & y.between(y0, y1)).all()
    assert len(pair_chart(picture, lines=False).marks) < len(chart.marks)
    assert sum(picture.class_counts.values()) == picture.n_inside
    assert f"unchanged {picture.class_counts['unchanged']:,}" in dict(chart.legend)
    save_chart(chart, tmp_path / "pair.svg", (500, 400))
