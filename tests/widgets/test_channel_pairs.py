"""The Channel pairs dock, driven as a user and as a script drive it."""

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.path import Path as MplPath
from qtpy.compat import isalive
from qtpy.QtCore import QPointF, Qt
from qtpy.QtTest import QTest

from napari_seespot import sessions
from napari_seespot.errors import SeeSpotError
from napari_seespot.polygons import inside_polygon
from napari_seespot.session import Session
from napari_seespot.widgets.channel_pairs import ChannelPairsWidget


@pytest.fixture
def make_dock(viewer, qtbot):
    docks = []

    def make(show=True):
        dock = ChannelPairsWidget(viewer)
        docks.append(dock)
        if show:
            dock.native.resize(330, 620)
            dock.native.show()
            qtbot.waitExposed(dock.native)
        return dock

    yield make
    for dock in docks:
        if isalive(dock.native):
            dock.native.close()
            dock.native.deleteLater()


@pytest.fixture
def dock(make_dock, session, qtbot):
    dock = make_dock()
    painted(dock, qtbot)
    return dock


def painted(dock, qtbot):
    """Wait until the dock shows what the state says."""

    def done():
        picture = dock.plot.picture
        return (
            not dock._worker.busy
            and not dock._selecting.busy
            and not dock._drag.isActive()
            and not dock.plot._settle.isActive()
            and picture is not None
            and picture.request.view is dock.session.view
        )

    qtbot.waitUntil(done, timeout=20_000)
    return dock.plot.picture


def found(dock, qtbot):
    """Wait until the rows inside an outline are selected."""
    qtbot.waitUntil(lambda: not dock._selecting.busy, timeout=20_000)


def passing(session):
    table = session.dataset.spots.to_pandas()
    return table[table["status"].isin(session.state.filters.status)]


def within(table, pair, limits):
    x, y = (table[f"chan_{channel}_intensity"].astype(float) for channel in pair)
    x0, x1, y0, y1 = limits
    return table[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]


def pixel(dock, x, y):
    plot = dock.plot
    return plot.mapFromScene(plot.view_box.mapViewToScene(QPointF(x, y)))


def click(dock, x, y):
    QTest.mouseClick(
        dock.plot.viewport(), Qt.MouseButton.LeftButton, pos=pixel(dock, x, y)
    )


# ---- what it shows


def test_dock_without_a_session_says_what_to_do(make_dock):
    dock = make_dock()
    assert dock.session is None
    assert not dock.plot.isVisible()
    assert "No dataset is open" in dock._hint.value
    dock.reset_axes()
    dock.step_pair(1)
    dock._on_rested()
    dock._on_limits("fixed")
    dock._on_invert()
    dock._on_clicked(0, 0)


def test_dock_shows_the_session_that_comes_later(make_dock, make_session, qtbot):
    dock = make_dock()
    session = make_session()
    picture = painted(dock, qtbot)
    assert dock.plot.isVisible()
    assert not dock._hint.visible
    assert dock._counts.text().startswith(f"{len(passing(session)):,} of 2,000 spots")
    assert picture.n_passing == len(passing(session))


def test_labels_name_channels_and_genes(dock, session, qtbot):
    box = dock.controls.pair_box
    assert [box.native.itemText(i) for i in range(box.native.count())] == [
        "488 · Crh / 514 · Penk",
        "488 · Crh / 561",
        "514 · Penk / 561",
    ]
    assert dock.plot.getAxis("bottom").labelText == "488 · Crh intensity"
    assert dock.plot.getAxis("left").labelText == "514 · Penk intensity"
    session.state.pair = ("514", "561")
    assert dock.plot.getAxis("bottom").labelText == "514 · Penk intensity"
    assert dock.plot.getAxis("left").labelText == "561 intensity"


def test_counts_say_what_is_outside_the_axes(dock, session, qtbot):
    session.state.limits.fixed["488/514"] = (0, 300, 0, 300)
    painted(dock, qtbot)
    table = passing(session)
    inside = within(table, ("488", "514"), (0, 300, 0, 300))
    assert dock._counts.text() == (
        f"{len(table):,} of 2,000 spots · {len(table) - len(inside):,} outside the axes"
    )
    for name, count in inside["status"].value_counts().items():
        assert f"{name}&nbsp;{count:,}" in dock._legend.text()


def test_legend_of_channels_and_of_columns(dock, session, qtbot):
    session.state.color_by = "unmixed_chan"
    picture = painted(dock, qtbot)
    inside = within(passing(session), ("488", "514"), picture.limits)
    counts = inside["unmixed_chan"].value_counts()
    assert f"488 · Crh&nbsp;{counts['488']:,}" in dock._legend.text()
    assert "removed&nbsp;0" in dock._legend.text()
    session.state.color_by = "r"
    painted(dock, qtbot)
    assert "mean r of a bin: " in dock._legend.text()
    session.state.plot = "points"
    painted(dock, qtbot)
    low, high = np.percentile(session.dataset.spots.column("r"), (1, 99))
    assert f"r: {low:.4g}" in dock._legend.text()
    assert dock._legend.text().endswith(f"{high:.4g}")


def test_sample_of_points_says_its_size(make_dock, make_session, qtbot):
    session = make_session(20_000)
    dock = make_dock()
    session.state.plot = "points"
    picture = painted(dock, qtbot)
    inside = within(passing(session), ("488", "514"), picture.limits)
    assert f"5,000 of {len(inside):,} drawn" in dock._counts.text()


def test_everything_filtered_out(dock, session, qtbot):
    session.state.filters.status = set()
    painted(dock, qtbot)
    assert dock._counts.text() == "0 of 2,000 spots"
    assert dock.plot._message.text == "No spot passes the filters"


def test_empty_table(make_dock, make_session, qtbot):
    make_session(0)
    dock = make_dock()
    painted(dock, qtbot)
    assert dock._counts.text() == "0 of 0 spots"


@pytest.mark.parametrize("n_spots", [0, 30])
def test_too_few_channels_are_told(make_dock, make_session, n_spots):
    make_session(n_spots, channels=("488",))
    dock = make_dock()
    assert dock._message.value == (
        "A pair needs two spot channels; this dataset has 1."
    )
    assert not dock.plot.isVisible()
    assert not dock.controls.visible
    dock.step_pair(1)
    dock.reset_axes()
    assert not dock._worker.busy


def test_dataset_without_ratios_has_no_dye_lines(make_dock, make_session, qtbot):
    make_session(ratios=False)
    dock = make_dock()
    painted(dock, qtbot)
    assert dock.plot._dyes.items == []
    assert not dock.controls.dye_box.enabled


def test_dye_lines_are_named_and_switched(dock, session):
    def names():
        return [label.toPlainText() for _, label in dock.plot._dyes.items]

    assert names() == ["488 · Crh", "514 · Penk", "561"]
    dock.controls.dye_box.value = False
    assert names() == []
    dock.controls.dye_box.value = True
    assert names() == ["488 · Crh", "514 · Penk", "561"]


# ---- state and controls, both ways


def test_controls_follow_the_state(dock, session, qtbot):
    controls = dock.controls
    session.state.pair = ("514", "561")
    session.state.color_by = "dist"
    session.state.plot = "points"
    session.state.count_scale = "linear"
    session.state.limits.fixed["514/561"] = (0, 1, 0, 1)
    assert controls.pair_box.value == ("514", "561")
    assert controls.color_box.value == "dist"
    assert controls.plot_box.value == "points"
    assert controls.log_box.value is False
    assert controls.limits_box.value == "fixed"
    painted(dock, qtbot)
    assert dock.plot.limits == (0, 1, 0, 1)
    for _ in range(5):
        session.undo()
    assert controls.pair_box.value == ("488", "514")
    assert controls.color_box.value == "status"
    assert controls.plot_box.value == "density"
    assert controls.log_box.value is True
    assert controls.limits_box.value == "auto"


def test_state_follows_the_controls(dock, session):
    controls, state = dock.controls, session.state
    controls.pair_box.value = ("488", "561")
    controls.color_box.value = "chan"
    controls.plot_box.value = "points"
    controls.log_box.value = False
    assert state.pair == ("488", "561")
    assert state.color_by == "chan"
    assert state.plot == "points"
    assert state.count_scale == "linear"
    controls.scale_box.value = "asinh"
    controls.dye_box.value = False
    controls.limits_box.value = "minmax"
    assert state.axis_scale == "asinh"
    assert state.dye_lines is False
    assert dict(state.limits.modes) == {"488/561": "minmax"}
    state.dye_lines = True
    assert controls.dye_box.value is True


def test_a_pair_that_a_script_turned_round_is_offered(dock, session, qtbot):
    session.state.pair = ("561", "488")
    assert dock.controls.pair_box.value == ("561", "488")
    picture = painted(dock, qtbot)
    assert picture.density.x == "chan_561_intensity"
    dock.step_pair(1)
    assert session.state.pair == ("514", "561")


def test_buttons_and_keys_step_through_the_pairs(dock, session, qtbot):
    seen = [session.state.pair]
    for _ in range(3):
        QTest.mouseClick(dock.controls.next_button.native, Qt.MouseButton.LeftButton)
        seen.append(session.state.pair)
    assert seen == [("488", "514"), ("488", "561"), ("514", "561"), ("488", "514")]
    QTest.mouseClick(dock.controls.previous_button.native, Qt.MouseButton.LeftButton)
    assert session.state.pair == ("514", "561")
    dock.native.activateWindow()
    dock.plot.setFocus()
    qtbot.waitUntil(lambda: dock.plot.hasFocus())
    QTest.keyClick(dock.plot, Qt.Key.Key_BracketLeft)
    assert session.state.pair == ("488", "561")
    QTest.keyClick(dock.plot, Qt.Key.Key_BracketRight)
    assert session.state.pair == ("514", "561")


def test_newest_of_many_changes_is_shown(dock, session, qtbot):
    for low in np.linspace(-0.9, 0.5, 20):
        session.state.filters.ranges["r"] = (low, None)
    picture = painted(dock, qtbot)
    table = passing(session)
    assert picture.n_passing == (table["r"] >= 0.5).sum()


def test_a_value_that_the_state_refuses_is_told(dock, session, monkeypatch):
    def refuse(self, *_):
        raise SeeSpotError("not today")

    monkeypatch.setattr(type(session.state), "_check", refuse)
    dock.controls.color_box.value = "chan"
    assert dock._message.value == "not today."
    assert dock._message.visible


def test_failed_painting_is_told_and_forgotten(dock, session, qtbot, monkeypatch):
    def fail(*_, **__):
        raise SeeSpotError("the column is gone", where="a file")

    with monkeypatch.context() as patch:
        patch.setattr("napari_seespot.plots.pair_picture.density", fail)
        session.state.pair = ("488", "561")
        qtbot.waitUntil(lambda: dock._message.visible)
        assert dock._message.value == "a file: the column is gone."
    session.state.pair = ("514", "561")
    painted(dock, qtbot)
    assert not dock._message.visible


def test_wrong_ratios_are_told(make_dock, viewer, make_dataset, qtbot):
    from dataclasses import replace

    dataset = make_dataset()
    ratios = dataset.ratios.rename(columns={"514": "999"})
    sessions.attach(viewer, Session(replace(dataset, ratios=ratios)))
    dock = make_dock()
    assert "514" in dock._message.value


# ---- axes


def test_zoom_counts_again_for_what_is_in_view(dock, session, qtbot):
    dock.plot.set_limits((100, 200, 50, 400))
    dock.plot.rested.emit()
    qtbot.waitUntil(lambda: dock.plot.picture.limits == (100, 200, 50, 400))
    picture = dock.plot.picture
    inside = within(passing(session), ("488", "514"), (100, 200, 50, 400))
    assert picture.n_inside == len(inside)
    x, y = (inside[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    edges = picture.density.y_edges, picture.density.x_edges
    np.testing.assert_array_equal(
        picture.density.counts.sum(axis=0), np.histogram2d(y, x, bins=edges)[0]
    )
    assert not session.state.limits.fixed  # a look is not a change of the state
    assert not session.history.can_undo


def test_axes_are_fixed_changed_and_freed(dock, session, qtbot):
    automatic = dock.plot.picture.limits
    dock.plot.set_limits((100, 200, 50, 400))
    dock.controls.limits_box.value = "fixed"
    assert dict(session.state.limits.fixed) == {"488/514": (100, 200, 50, 400)}
    dock.plot.set_limits((100, 300, 50, 400))
    dock.plot.rested.emit()
    assert session.state.limits.fixed["488/514"] == (100, 300, 50, 400)
    session.state.pair = ("488", "561")
    assert dock.controls.limits_box.value == "auto"
    session.state.pair = ("488", "514")
    assert dock.controls.limits_box.value == "fixed"
    painted(dock, qtbot)
    assert dock.plot.limits == (100, 300, 50, 400)
    dock.controls.limits_box.value = "auto"
    assert dict(session.state.limits.fixed) == {}
    painted(dock, qtbot)
    np.testing.assert_allclose(dock.plot.limits, automatic)


def test_auto_button_and_key_reset_the_axes(dock, session, qtbot):
    automatic = dock.plot.picture.limits

    def zoomed():
        dock.plot.set_limits((100, 200, 50, 400))
        dock.plot.rested.emit()
        qtbot.waitUntil(lambda: dock.plot.picture.limits == (100, 200, 50, 400))

    def reset():
        qtbot.waitUntil(lambda: dock.plot.picture.limits == automatic)
        np.testing.assert_allclose(dock.plot.limits, automatic)

    zoomed()
    QTest.mouseClick(dock.controls.reset_button.native, Qt.MouseButton.LeftButton)
    reset()
    zoomed()
    dock.native.activateWindow()
    dock.plot.setFocus()
    qtbot.waitUntil(lambda: dock.plot.hasFocus())
    QTest.keyClick(dock.plot, Qt.Key.Key_A)
    reset()
    session.state.limits.fixed["488/514"] = (1, 2, 3, 4)
    dock.reset_axes()
    assert dict(session.state.limits.fixed) == {}


def test_double_click_resets_and_does_not_fly(dock, session, qtbot):
    moved = []
    session.moved.connect(moved.append)
    automatic = dock.plot.picture.limits
    dock.plot.set_limits((0, 400, 0, 400))
    dock.plot.rested.emit()
    qtbot.waitUntil(lambda: dock.plot.picture.limits == (0, 400, 0, 400))
    at = pixel(dock, 300, 300)
    left = Qt.MouseButton.LeftButton
    QTest.mouseDClick(dock.plot.viewport(), left, pos=at)
    QTest.mouseRelease(dock.plot.viewport(), left, pos=at)
    qtbot.waitUntil(lambda: dock.plot.picture.limits == automatic)
    qtbot.wait(300)
    assert moved == []


def test_resized_plot_is_counted_in_other_bins(dock, session, qtbot):
    before = dock.plot.picture.request.size
    dock.native.resize(700, 900)
    qtbot.waitUntil(
        lambda: dock.plot.picture.request.size == dock.plot.pixels != before
    )


# ---- selection


@pytest.mark.parametrize(
    ("tool", "places"),
    [
        ("rectangle", [(100, 100), (500, 120), (450, 480)]),
        ("lasso", [(100, 100), (500, 120), (450, 480), (120, 450)]),
    ],
)
def test_drawing_selects_all_rows_inside(dock, session, qtbot, tool, places):
    dock.plot.set_limits((0, 600, 0, 600))
    dock.plot.rested.emit()
    qtbot.waitUntil(lambda: dock.plot.picture.limits == (0, 600, 0, 600))
    drawn = []
    dock.plot.view_box.drawn.connect(lambda corners, mode: drawn.append(corners))
    button = dock.controls.tool_buttons[tool].native
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert dock.plot.view_box.tool == tool
    stops = [pixel(dock, *place) for place in places]
    view, left = dock.plot.viewport(), Qt.MouseButton.LeftButton
    QTest.mousePress(view, left, pos=stops[0])
    for start, stop in pairwise(stops):
        for step in (0.3, 0.7, 1.0):
            QTest.mouseMove(view, start + (stop - start) * step)
            qtbot.wait(15)
    QTest.mouseRelease(view, left, pos=stops[-1])
    found(dock, qtbot)
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy() for c in ("488", "514"))
    expected = table.index[inside_polygon(x, y, drawn[0])]
    np.testing.assert_array_equal(
        np.flatnonzero(session.state.selection.mask), expected
    )
    assert len(expected) > 100
    painted(dock, qtbot)
    assert f" · {len(expected):,} selected · " in dock._counts.text()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert dock.plot.view_box.tool == ""


def test_only_one_tool_is_chosen(dock):
    buttons = {name: b.native for name, b in dock.controls.tool_buttons.items()}
    QTest.mouseClick(buttons["lasso"], Qt.MouseButton.LeftButton)
    QTest.mouseClick(buttons["rectangle"], Qt.MouseButton.LeftButton)
    assert dock.plot.view_box.tool == "rectangle"
    assert not buttons["lasso"].isChecked()


def test_drawings_add_and_subtract(dock, session, qtbot):
    left = np.array([(0, 0), (300, 0), (300, 600), (0, 600)], float)
    lower = np.array([(0, 0), (600, 0), (600, 300), (0, 300)], float)
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy() for c in ("488", "514"))
    one, other = (set(table.index[inside_polygon(x, y, p)]) for p in (left, lower))
    for mode, expected in (
        ("replace", one),
        ("add", one | other),
        ("intersect", other),
        ("subtract", set()),
    ):
        dock.plot.view_box.drawn.emit(left if mode == "replace" else lower, mode)
        found(dock, qtbot)
        mask = session.state.selection.mask
        rows = set() if mask is None else set(np.flatnonzero(mask).tolist())
        assert rows == expected


def test_selection_says_what_the_filters_hide_and_is_cleared(dock, session, qtbot):
    session.select_rows(np.arange(2000) < 500)
    painted(dock, qtbot)
    hidden = 500 - (passing(session).index < 500).sum()
    assert f" · 500 selected ({hidden:,} filtered out) · " in dock._counts.text()
    assert dock.plot._tint.image is not None
    dock._counts.linkActivated.emit("clear")
    assert session.state.selection.mask is None
    painted(dock, qtbot)
    assert "selected" not in dock._counts.text()
    assert dock.plot._tint.image is None


def test_mode_invert_and_clear(dock, session, qtbot):
    controls = dock.controls
    assert not controls.clear_button.enabled
    controls.mode_box.value = "add"
    assert dock.plot.view_box.mode == "add"
    session.select_rows(np.arange(2000) < 100)
    assert controls.clear_button.enabled
    controls.invert_button.changed.emit(True)
    others = passing(session).index
    np.testing.assert_array_equal(
        np.flatnonzero(session.state.selection.mask), others[others >= 100]
    )
    controls.clear_button.changed.emit(True)
    assert session.state.selection.mask is None


def test_rows_are_looked_up_beside_the_window(dock, session, qtbot, monkeypatch):
    import threading

    threads, real = [], Session.rows_in_polygon

    def spy(*args, **options):
        threads.append(threading.current_thread())
        return real(*args, **options)

    monkeypatch.setattr(Session, "rows_in_polygon", spy)
    square = np.array([(0, 0), (300, 0), (300, 600), (0, 600)], float)
    dock.plot.view_box.drawn.emit(square, "replace")
    found(dock, qtbot)
    assert session.state.selection.count > 0
    assert threads[0] is not threading.main_thread()


def test_outline_on_a_log_axis_selects_what_is_inside_as_drawn(dock, session, qtbot):
    session.state.axis_scale = "log"
    painted(dock, qtbot)
    triangle = np.array([(1.0, 1.0), (2.6, 1.0), (2.6, 2.6)])
    dock.plot.view_box.drawn.emit(triangle, "replace")
    found(dock, qtbot)
    table = passing(session)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (np.log10(table[f"chan_{c}_intensity"]) for c in ("488", "514"))
        sure = (x > 1.02) & (x < 2.58) & (y > 1.02) & (y < x - 0.02)
        maybe = (x > 0.98) & (x < 2.62) & (y > 0.98) & (y < x + 0.02)
    rows = set(np.flatnonzero(session.state.selection.mask))
    assert set(table.index[sure]) <= rows <= set(table.index[maybe])
    assert len(rows) > 20


def test_a_drag_rests_with_an_exact_picture(dock, session, qtbot):
    moving = []
    real = dock.plot.show_picture
    dock.plot.show_picture = lambda p: (moving.append(p.request.moving), real(p))
    for low in np.linspace(0.1, 0.6, 8):
        session.state.filters.ranges["r"] = (float(low), None)
        qtbot.wait(30)
    picture = painted(dock, qtbot)
    assert True in moving
    assert not picture.request.moving
    table = passing(session)
    passes = table[table["r"].astype(float) >= np.float32(0.6)]
    assert picture.n_passing == len(passes)


def test_limits_modes_are_remembered_by_pair(dock, session, qtbot):
    dock.controls.limits_box.value = "minmax"
    table = passing(session)
    x = table["chan_488_intensity"]
    x = x[np.isfinite(x)]
    limits = painted(dock, qtbot).limits
    assert limits[0] < x.min()
    assert limits[1] > x.max()
    session.state.pair = ("488", "561")
    assert dock.controls.limits_box.value == "auto"
    session.state.pair = ("488", "514")
    assert dock.controls.limits_box.value == "minmax"


def test_outline_that_cannot_be_used_is_told(dock, session, qtbot):
    dock.plot.view_box.drawn.emit(np.full((4, 2), np.nan), "replace")
    found(dock, qtbot)
    assert "vertex 0 of the polygon" in dock._message.value
    assert session.state.selection.mask is None


# ---- pointing


def test_click_flies_to_the_nearest_row_that_passes(dock, session, qtbot):
    moved = []
    session.moved.connect(moved.append)
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    place = (310.0, 290.0)
    at = pixel(dock, *place)
    exact = dock.plot.view_box.mapSceneToView(dock.plot.mapToScene(at))
    dx, dy = dock.plot.unit
    distance = np.hypot((x - exact.x()) / dx, (y - exact.y()) / dy)
    expected = table.index[np.nanargmin(distance)]
    assert np.nanmin(distance) < 10
    click(dock, *place)
    qtbot.waitUntil(lambda: bool(moved))
    assert moved == [expected]
    mx, my = dock.plot._mark.getData()
    spot = table.loc[expected]
    assert (mx[0], my[0]) == (spot["chan_488_intensity"], spot["chan_514_intensity"])
    assert f"spot {spot['spot_id']} · " in dock._pointed.text()
    session.state.pair = ("514", "561")
    assert dock.plot._mark.getData()[0][0] == spot["chan_514_intensity"]


def test_click_far_from_any_spot_goes_nowhere(dock, session, qtbot):
    moved = []
    session.moved.connect(moved.append)
    session.state.limits.fixed["488/514"] = (5000, 6000, 5000, 6000)
    painted(dock, qtbot)
    click(dock, 5500, 5500)
    qtbot.wait(400)
    assert moved == []


def test_click_on_a_spot_without_a_position_is_told(dock, session, qtbot, monkeypatch):
    monkeypatch.setattr(session, "position", lambda row: (np.nan, 1.0, 1.0))
    click(dock, 310, 290)
    qtbot.waitUntil(lambda: dock._message.visible)
    assert "has no position" in dock._message.value


def test_spot_that_another_view_goes_to_is_marked(dock, session):
    session.go_to_row(7)
    spots = session.dataset.spots
    assert dock.plot._mark.getData()[0][0] == spots.intensity("488")[7]
    session.picked.emit(9)
    assert dock.plot._mark.getData()[0][0] == spots.intensity("488")[9]


def test_hovering_over_the_density_counts_classes(dock, session, qtbot):
    picture = dock.plot.picture
    total = picture.density.counts.sum(axis=0)
    line, column = np.unravel_index(total.argmax(), total.shape)
    x0, x1 = picture.density.x_edges[column : column + 2]
    y0, y1 = picture.density.y_edges[line : line + 2]
    dock.plot.hovered.emit(((x0 + x1) / 2, (y0 + y1) / 2))
    table = within(passing(session), ("488", "514"), (x0, x1, y0, y1))
    counts = table["status"].value_counts()
    held = ", ".join(
        f"{name}: {counts[name]}"
        for name in ("unchanged", "reassigned")
        if counts[name]
    )
    assert dock._pointed.text().endswith(f"{len(table)} spots here: {held}")
    dock.plot.hovered.emit((1e9, 1e9))
    assert dock._pointed.text() == ""
    dock.plot.hovered.emit(None)
    assert dock._pointed.text() == ""


@pytest.mark.parametrize("status", ["unchanged", "reassigned", "removed"])
def test_hovering_over_a_point_tells_the_spot(dock, session, qtbot, status):
    session.state.filters.status = {status}
    session.state.plot = "points"
    painted(dock, qtbot)
    row = int(dock.plot.picture.points.rows[5])
    spot = session.dataset.spots.to_pandas(rows=np.array([row])).iloc[0]
    x, y = float(spot["chan_488_intensity"]), float(spot["chan_514_intensity"])
    dock.plot.hovered.emit((x, y))
    label = session.dataset.label
    flow = {
        "unchanged": label(spot["chan"]),
        "reassigned": f"{label(spot['chan'])} → {label(str(spot['unmixed_chan']))}",
        "removed": f"{label(spot['chan'])} → removed",
    }[status]
    cell = f"cell {spot['cell_id']}" if spot["cell_id"] else "no cell"
    assert dock._pointed.text() == (
        f"spot {spot['spot_id']} · 488: {x:.4g} · 514: {y:.4g} · r {spot['r']:.4g} · "
        f"dist {spot['dist']:.4g} · {flow} ({status}) · {cell}"
    )


# ---- life and death


def test_another_session_takes_the_place(dock, session, viewer, make_dataset, qtbot):
    other = Session(make_dataset(500, channels=("594", "638"), seed=3))
    sessions.attach(viewer, other)
    picture = painted(dock, qtbot)
    assert picture.n_total == 500
    assert dock.controls.pair_box.value == ("594", "638")
    session.state.color_by = "chan"  # nobody listens any more
    assert dock.controls.color_box.value == "status"
    sessions.attach(viewer, None)
    assert dock.session is None
    assert not dock.plot.isVisible()
    assert dock.plot.picture is None


def test_two_docks_of_one_session_show_the_same(make_dock, session, qtbot):
    one, other = make_dock(), make_dock()
    one.controls.color_box.value = "chan"
    assert other.controls.color_box.value == "chan"
    a, b = painted(one, qtbot), painted(other, qtbot)
    assert a.n_inside == b.n_inside


def test_hidden_dock_does_not_work_and_catches_up(dock, session, qtbot):
    dock.native.hide()
    session.state.color_by = "chan"
    assert not dock._worker.busy
    assert dock.controls.color_box.value == "chan"
    dock.native.show()
    picture = painted(dock, qtbot)
    assert picture.density.classes == session.dataset.spots.channels


def test_dock_that_was_never_shown_paints_for_a_script(make_dock, session, qtbot):
    dock = make_dock(show=False)
    assert painted(dock, qtbot).n_total == 2000


def test_destroyed_dock_lets_go_of_everything(make_dock, session, qtbot):
    dock = make_dock()
    session.state.color_by = "chan"  # a picture is on its way
    worker = dock._worker
    with qtbot.waitSignal(dock.native.destroyed):
        dock.native.deleteLater()
    session.state.color_by = "status"
    session.go_to_row(3)
    assert worker._thread is None
    assert len(session.changed) == 0
    assert len(session.moved) == 0


# ---- in napari


@pytest.fixture
def napari_viewer(make_napari_viewer, make_dataset):
    viewer = make_napari_viewer()
    session = Session(make_dataset())
    session.viewer = viewer
    sessions.attach(viewer, session)
    yield viewer
    sessions.attach(viewer, None)


NAME = ("napari-seespot", "Channel pairs")


def test_napari_makes_the_dock_and_takes_it_away(napari_viewer, qtbot):
    session = sessions.current(napari_viewer)
    window = napari_viewer.window
    docked, dock = window.add_plugin_dock_widget(*NAME)
    assert isinstance(dock, ChannelPairsWidget)
    assert dock.session is session
    assert painted(dock, qtbot).n_total == 2000
    window.remove_dock_widget(docked)
    session.state.color_by = "chan"
    assert not dock._worker.busy  # nobody sees it
    reference = weakref.ref(dock)
    del dock, docked
    qtbot.wait(10)
    gc.collect()
    assert reference() is None
    assert len(session.changed) == 0
    _, dock = window.add_plugin_dock_widget(*NAME)
    assert dock.controls.color_box.value == "chan"
    assert painted(dock, qtbot).density.classes == session.dataset.spots.channels


def test_theme_of_napari_is_followed(napari_viewer, qtbot):
    _, dock = napari_viewer.window.add_plugin_dock_widget(*NAME)
    painted(dock, qtbot)
    assert dock.plot.theme.dark
    assert dock.plot.picture.request.dark
    napari_viewer.theme = "light"
    qtbot.waitUntil(lambda: not dock.plot.picture.request.dark)
    assert not dock.plot.theme.dark
    assert dock.plot.theme.background == "#ffffff"


def test_errors_are_notified_in_napari(napari_viewer, qtbot, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    _, dock = napari_viewer.window.add_plugin_dock_widget(*NAME)
    painted(dock, qtbot)
    dock.plot.view_box.drawn.emit(np.full((4, 2), np.nan), "replace")
    found(dock, qtbot)
    assert "vertex 0 of the polygon" in told[0]


def test_dock_leaves_room_on_a_small_screen(napari_viewer, qtbot):
    docked, dock = napari_viewer.window.add_plugin_dock_widget(*NAME)
    painted(dock, qtbot)
    least = docked.minimumSizeHint()
    assert least.width() <= 310
    assert least.height() <= 520  # of 768, beside another dock
    assert dock.plot.height() >= 240
    assert dock._content.native.minimumSizeHint().width() <= 300


def test_outlines_drawn_in_quick_succession_all_count(dock, session, qtbot):
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    ends = np.nanpercentile(x[np.isfinite(x)], [5, 30, 40, 60, 65, 90])
    low, high = np.nanmin(y[np.isfinite(y)]), np.nanmax(y[np.isfinite(y)])
    wanted = np.zeros(len(x), bool)
    for left, right in ends.reshape(3, 2):
        corners = [(left, low), (right, low), (right, high), (left, high)]
        dock._on_drawn(np.array(corners), "add")
        wanted |= MplPath(corners).contains_points(
            np.nan_to_num(np.column_stack([x, y]), nan=1e12, posinf=1e12, neginf=-1e12)
        )
    qtbot.waitUntil(lambda: not dock._selecting.busy, timeout=20_000)
    chosen = session.state.selection.mask[table.index.to_numpy()]
    assert (chosen != wanted).sum() <= 12  # spots on an edge, of which there are six
    for k in range(3):
        assert session.undo(), k  # each is a step
    assert session.state.selection.mask is None


@pytest.mark.parametrize("scale", ["linear", "log", "asinh"])
def test_gates_of_the_pair_are_drawn(dock, session, qtbot, scale):
    session.state.axis_scale = scale
    session.state.count_scale = "linear"  # something that has it painted
    painted(dock, qtbot)
    corners = [(20.0, 30.0), (400.0, 30.0), (400.0, 350.0)]
    session.add_gate("mine", corners)
    session.add_gate("other", corners, ("488", "561"))
    session.add_gate("turned", corners, ("chan_514_intensity", "488"))
    shown = dict(dock.plot._gates.outlines)
    assert set(shown) == {"mine", "turned"}
    assert shown["turned"].tolist() == [[b, a] for a, b in corners]
    (curve, label), *_ = dock.plot._gates.items
    xs, ys = curve.getData()
    to = dock.plot.plot_scale.to
    for x, y in corners:
        assert np.isclose(xs, to(x)).any()
        assert np.isclose(ys, to(y)).any()
    # every place of the outline lies on an edge of the gate, in values
    back = np.column_stack([dock.plot.plot_scale.back(a) for a in (xs, ys)])
    assert distance_to(back, corners).max() < 1e-6
    assert (label.pos().x(), label.pos().y()) == pytest.approx(
        tuple(to([400.0, 350.0]).tolist())
    )
    session.state.pair = ("488", "561")
    painted(dock, qtbot)
    assert [name for name, _ in dock.plot._gates.outlines] == ["other"]
    del session.state.gates["other"]
    assert not dock.plot._gates.outlines


def distance_to(places, corners):
    """Return how far places are from the edges of a polygon."""
    closed = np.array([*corners, corners[0]])
    away = []
    for a, b in pairwise(closed):
        share = ((places - a) @ (b - a) / ((b - a) @ (b - a))).clip(0, 1)
        away.append(np.linalg.norm(places - a - share[:, None] * (b - a), axis=1))
    return np.min(away, axis=0)


def test_few_spots_become_points_by_themselves(dock, session, qtbot, monkeypatch):
    module = "napari_seespot.plots.pair_picture.MAX_POINTS"
    session.state.plot = "auto"
    painted(dock, qtbot)
    picture = dock.plot.picture
    assert len(picture.points.rows) == picture.n_inside
    monkeypatch.setattr(module, picture.n_inside - 1)
    session.state.count_scale = "linear"
    painted(dock, qtbot)
    assert dock.plot.picture.points is None


def test_selected_spots_are_drawn_first(dock, session, qtbot, monkeypatch):
    monkeypatch.setattr("napari_seespot.plots.pair_picture.MAX_POINTS", 60)
    session.state.plot = "points"
    painted(dock, qtbot)
    inside = np.sort(dock.plot.picture.points.rows)
    every = np.flatnonzero(session.view.mask.of(slice(None)))
    least = session.index.most_important(every, len(every) // 2)
    others = np.setdiff1d(every, least)[:25]  # of which none would be drawn
    assert not np.isin(others, inside).any()
    mask = np.zeros(len(session.dataset.spots), bool)
    mask[others] = True
    session.select_rows(mask)
    painted(dock, qtbot)
    points = dock.plot.picture.points
    x0, x1, y0, y1 = dock.plot.picture.limits
    table = session.dataset.spots.to_pandas()
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    seen = others[(x >= x0)[others] & (x <= x1)[others] & (y >= y0)[others]
                  & (y <= y1)[others]]  # fmt: skip
    assert len(points.rows) == 60
    assert np.isin(seen, points.rows).all()
    assert (points.selected == np.isin(points.rows, others)).all()


def test_cells_have_colours_and_no_mean(dock, session, qtbot):
    session.state.color_by = "cell_id"
    painted(dock, qtbot)
    picture = dock.plot.picture
    assert picture.means is None
    assert "spots per bin" in dock._legend.text()
    session.state.plot = "points"
    painted(dock, qtbot)
    assert dock._legend.text() == "each cell has a colour; grey lies in none"
    points = dock.plot.picture.points
    cells = session.dataset.spots.column("cell_id")[points.rows]
    colors = {}
    for cell, color in zip(cells.tolist(), points.rgba[:, :3].tolist(), strict=True):
        assert colors.setdefault(cell, color) == color
    assert colors[0] == [0x9A] * 3
    assert all(color != [0x9A] * 3 for cell, color in colors.items() if cell)


def test_axes_are_typed(dock, session, qtbot):
    before = dock.plot.data_limits
    dock.controls.numbers_button.native.click()
    dialog = dock.dialog
    texts = [edit.text() for edit in dialog.limits]
    assert [float(text) for text in texts] == pytest.approx(before, rel=1e-5)
    for edit, text in zip(dialog.limits, ("-5", "1,250", "10", "abc"), strict=True):
        edit.setText(text)
    dialog.fix.click()
    assert dialog.message.text() == "'abc' is no number. Expected such as 250."
    dialog.limits[3].setText("5")  # below the lower end
    dialog.fix.click()
    assert "x low, x high, y low, y high" in dialog.message.text()
    assert session.view.limits is None
    dialog.limits[3].setText("500")
    dialog.fix.click()
    assert session.view.limits == (-5, 1250, 10, 500)
    painted(dock, qtbot)
    assert dock.plot.limits == (-5, 1250, 10, 500)
    dock.controls.numbers_button.native.click()
    for edit, text in zip(dock.dialog.percentiles, ("20", "70"), strict=True):
        edit.setText(text)
    dock.dialog.use.click()
    painted(dock, qtbot)
    assert dock.controls.limits_box.value == "percentile"
    values = passing(session)["chan_488_intensity"].to_numpy(float)
    low, high = np.percentile(values[np.isfinite(values)], (20, 70))
    pad = 0.03 * (high - low)
    assert dock.plot.limits[:2] == pytest.approx((low - pad, high + pad))
    session.undo()
    assert session.view.limits == (-5, 1250, 10, 500)
    dock.controls.numbers_button.native.click()
    dock.dialog.reject()
