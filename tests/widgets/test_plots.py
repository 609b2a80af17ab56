"""The plots' numbers against numpy and pandas, and their items on the screen."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_seespot.coloring import class_colors, gradient
from napari_seespot.densities import Density
from napari_seespot.errors import CancelledError
from napari_seespot.index import SpotIndex
from napari_seespot.plots.drawing import has_area, selection_mode
from napari_seespot.plots.dye_line_items import visible_part
from napari_seespot.plots.pair import PairPlot
from napari_seespot.plots.pair_picture import (
    MAX_POINTS,
    PairPainter,
    PairRequest,
    bins_for,
)
from napari_seespot.plots.pair_rows import level_stop, nearest_row, rows_inside
from napari_seespot.plots.scales import PlotScale
from napari_seespot.plots.shading import (
    selection_shade,
    shade_classes,
    shade_counts,
    shade_means,
    strength,
)
from napari_seespot.plots.theme import DARK, LIGHT
from napari_seespot.priority import level_of, priority
from napari_seespot.spots import Spots
from napari_seespot.unmixing import DyeLine, dye_lines

BY_NAME = {"unchanged": 0, "reassigned": 1, "removed": 2}


def paint(session, **options):
    return PairPainter(session.index).paint(PairRequest(session.view, **options))


def passing(session):
    """Return the rows that pass, by pandas."""
    table = session.dataset.spots.to_pandas()
    return table[table["status"].isin(session.state.filters.status)]


def within(table, pair, limits):
    x, y = (table[f"chan_{channel}_intensity"].astype(float) for channel in pair)
    x0, x1, y0, y1 = limits
    return table[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]


# ---- what is painted


@pytest.mark.parametrize("size", [(512, 512), (200, 90), (2000, 40), (1, 1)])
def test_picture_counts_what_numpy_counts(make_session, size):
    session = make_session(6000)
    zoom = (0.0, 500.0, -100.0, 700.0)
    picture = paint(session, zoom=zoom, size=size)
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    edges = picture.density.y_edges, picture.density.x_edges
    assert picture.density.counts.shape[1:] == tuple(len(e) - 1 for e in edges)
    for name, code in BY_NAME.items():
        chosen = (table["status"] == name).to_numpy()
        expected = np.histogram2d(y[chosen], x[chosen], bins=edges)[0]
        np.testing.assert_array_equal(picture.density.counts[code], expected)
    assert edges[1][[0, -1]].tolist() == [0, 500]
    assert edges[0][[0, -1]].tolist() == [-100, 700]


def test_numbers_of_a_picture(make_session):
    session = make_session(6000)
    mask = np.zeros(6000, bool)
    mask[::3] = True
    session.select_rows(mask)
    zoom = (0.0, 500.0, -100.0, 700.0)
    picture = paint(session, zoom=zoom)
    table = passing(session)
    inside = within(table, ("488", "514"), zoom)
    assert picture.n_total == 6000
    assert picture.n_passing == len(table)
    assert picture.n_inside == len(inside)
    counts = inside["status"].value_counts()
    assert picture.class_counts == {name: counts.get(name, 0) for name in BY_NAME}
    assert picture.n_selected == 2000
    assert picture.n_selected_passing == table.index.isin(np.flatnonzero(mask)).sum()


@pytest.mark.parametrize("by", ["chan", "unmixed_chan", "status", "r"])
def test_colouring_decides_on_classes(session, by):
    session.state.color_by = by
    picture = paint(session)
    if by == "r":
        assert picture.density.classes == ()
        assert picture.class_counts == {}
        total = picture.density.counts
    else:
        assert picture.density.classes == session.dataset.spots.class_names(by)
        total = picture.density.counts.sum(axis=0)
    assert total.sum() == picture.n_inside
    assert picture.fullest == total.max()
    np.testing.assert_array_equal(picture.rgba[..., 3] > 0, total > 0)


def test_automatic_limits_are_padded_percentiles(session):
    picture = paint(session)
    values = passing(session)["chan_488_intensity"].to_numpy(float)
    low, high = np.percentile(values[np.isfinite(values)], (0.1, 99.9))
    span = high - low
    np.testing.assert_allclose(
        picture.limits[:2], (low - 0.03 * span, high + 0.03 * span), rtol=1e-5
    )


def test_minmax_limits_leave_no_finite_value_out(session):
    session.state.limits.mode = "minmax"
    picture = paint(session)
    table = passing(session)
    finite = np.isfinite(table[["chan_488_intensity", "chan_514_intensity"]])
    assert picture.n_inside == finite.all(axis=1).sum()
    low = table["chan_514_intensity"].replace(-np.inf, np.nan).min()
    assert picture.limits[2] < low


def test_limits_of_many_rows_come_from_the_first_levels(make_session, monkeypatch):
    monkeypatch.setattr("napari_seespot.plots.pair_axes.ENOUGH_ROWS", 100)
    session = make_session(20_000, bad=False)
    picture = paint(session)
    spots = session.dataset.spots
    levels = level_of(priority(spots.column("spot_id")))
    table = spots.to_pandas()
    for level in range(4):
        first = table[levels <= level]
        first = first[first["status"].isin(session.state.filters.status)]
        if len(first) >= 100:
            break
    assert level < 3
    low, high = np.percentile(first["chan_488_intensity"].to_numpy(float), (0.1, 99.9))
    span = high - low
    np.testing.assert_allclose(picture.limits[0], low - 0.03 * span, rtol=1e-5)


def test_fixed_limits_and_zoom_take_precedence(session):
    session.state.limits.fixed["488/514"] = (0, 10, 0, 20)
    assert paint(session).limits == (0, 10, 0, 20)
    assert paint(session, zoom=(1, 2, 3, 4)).limits == (1, 2, 3, 4)


def test_nothing_passes(session):
    session.state.filters.status = set()
    picture = paint(session)
    assert (picture.n_passing, picture.n_inside, picture.n_total) == (0, 0, 2000)
    assert not picture.rgba.any()
    x0, x1, *_ = picture.limits  # of all rows: the axes stay readable
    assert x1 - x0 > 500


def test_empty_table(make_session):
    picture = paint(make_session(0))
    assert (picture.n_passing, picture.n_total) == (0, 0)
    assert picture.limits == (0, 1, 0, 1)


def test_one_value_gets_an_axis(make_session):
    session = make_session(1, bad=False)
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    picture = paint(session)
    x0, x1, y0, y1 = picture.limits
    assert x0 < x1
    assert y0 < y1
    assert picture.n_inside == 1


@given(
    total=st.integers(0, 10**7),
    width=st.integers(0, 5000),
    height=st.integers(0, 5000),
)
def test_bins_are_no_smaller_than_a_pixel_and_no_more_than_sensible(
    total, width, height
):
    for bins, pixels in zip(
        bins_for(total, (width, height)), (width, height), strict=True
    ):
        assert bins & (bins - 1) == 0
        assert 32 <= bins <= max(32, min(pixels, 512))
    across, down = bins_for(total, (width, height))
    assert across * down <= max(2 * total, 32 * 32)


def test_repeated_pictures_are_taken_from_what_is_kept(session, monkeypatch):
    from napari_seespot.plots import pair_picture

    calls = []
    real = pair_picture.density
    monkeypatch.setattr(
        pair_picture, "density", lambda *a, **k: (calls.append(k), real(*a, **k))[1]
    )
    painter = PairPainter(session.index)
    painter.paint(PairRequest(session.view))
    session.state.count_scale = "linear"
    linear = painter.paint(PairRequest(session.view))
    assert len(calls) == 1
    mask = np.arange(2000) < 500
    session.select_rows(mask)
    painter.paint(PairRequest(session.view))
    assert len(calls) == 2  # only the selection was counted
    fresh = paint(session)
    np.testing.assert_array_equal(fresh.rgba, linear.rgba)


def test_painting_can_be_cancelled(session):
    painter = PairPainter(session.index)
    with pytest.raises(CancelledError, match="cancelled"):
        painter.paint(PairRequest(session.view), lambda: True)


def test_tint_marks_the_bins_of_selected_rows(session):
    mask = np.zeros(2000, bool)
    mask[10:300] = True
    session.select_rows(mask)
    picture = paint(session)
    table = passing(session)
    table = table[table.index.isin(np.flatnonzero(mask))]
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    edges = picture.density.y_edges, picture.density.x_edges
    held = np.histogram2d(y, x, bins=edges)[0] > 0
    assert held.any()
    assert (picture.tint[held, 3] > 0).all()


@pytest.mark.parametrize("scale", ["log", "asinh"])
def test_pictures_on_other_scales_count_what_numpy_counts(make_session, scale):
    session = make_session(6000)
    session.state.axis_scale = scale
    session.state.asinh_width = 50.0
    picture = paint(session)
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    edges = picture.density.y_edges, picture.density.x_edges
    total = picture.density.counts.sum(axis=0)
    np.testing.assert_array_equal(total, np.histogram2d(y, x, bins=edges)[0])
    to = np.log10 if scale == "log" else lambda v: np.arcsinh(v / 50)
    np.testing.assert_allclose(np.diff(to(edges[0]), 2), 0, atol=1e-9)
    fits = x[np.isfinite(x) & ((x > 0) | (scale == "asinh"))]
    share = (2, 99.9) if scale == "log" else (0.1, 99.9)
    ends = to(np.percentile(fits, share))
    span = ends[1] - ends[0]
    np.testing.assert_allclose(
        to(np.array(picture.limits[:2])), ends + np.array([-0.03, 0.03]) * span,
        rtol=1e-4,
    )  # fmt: skip


def test_limits_that_have_no_place_on_a_log_axis(session):
    session.state.limits.fixed["488/514"] = (-100, 900, 0, 800)
    session.state.axis_scale = "log"
    x0, x1, y0, y1 = paint(session).limits
    assert (x1, y1) == (900, 800)
    assert 0 < x0 < 100
    assert 0 < y0 < 100
    session.state.limits.fixed["488/514"] = (-100, -50, 1, 800)
    x0, x1, *_ = paint(session).limits
    assert 0 < x0 < x1


def test_axes_stay_while_moving_and_follow_at_rest(session):
    painter = PairPainter(session.index)
    before = painter.paint(PairRequest(session.view)).limits
    session.state.filters.ranges["chan_488_intensity"] = (None, 100)
    moving = painter.paint(PairRequest(session.view, moving=True))
    assert moving.limits == before
    table = passing(session)
    low = table[table["chan_488_intensity"] <= 100]
    assert moving.n_inside == len(within(low, ("488", "514"), before))
    assert max(moving.density.counts.shape[1:]) <= 256
    rest = painter.paint(PairRequest(session.view))
    assert rest.limits[1] < 130 < before[1]


@pytest.mark.parametrize("by", ["status", "chan"])
def test_what_is_not_highlighted_fades(session, by):
    session.state.color_by = by
    plain = paint(session)
    session.state.highlight = "reassigned"
    picture = paint(session)
    table = passing(session)
    table = table[table["status"] == "reassigned"]
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    edges = picture.density.y_edges, picture.density.x_edges
    bright = np.histogram2d(y, x, bins=edges)[0] > 0
    filled = plain.rgba[..., 3] > 0
    np.testing.assert_array_equal(picture.rgba[..., 3] == 255, bright)
    assert (picture.rgba[filled & ~bright, 3] < 40).all()
    np.testing.assert_array_equal(picture.density.counts, plain.density.counts)


def test_selected_spots_are_highlighted(session):
    session.state.highlight = "selected"
    assert paint(session).rgba[..., 3].max() < 40  # none is: all fade
    mask = np.zeros(2000, bool)
    mask[:400] = True
    session.select_rows(mask)
    assert (paint(session).rgba[..., 3] == 255).any()
    session.state.plot = "points"
    points = paint(session).points
    np.testing.assert_array_equal(points.rgba[:, 3] == 255, points.selected)


def test_colours_of_a_column_are_means(session):
    session.state.color_by = "r"
    picture = paint(session)
    table = passing(session)
    x, y = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("488", "514"))
    r = table["r"].to_numpy(float)
    known = np.isfinite(r)
    edges = picture.density.y_edges, picture.density.x_edges
    sums = np.histogram2d(y[known], x[known], bins=edges, weights=r[known])[0]
    with np.errstate(invalid="ignore"):
        expected = sums / np.histogram2d(y[known], x[known], bins=edges)[0]
    np.testing.assert_allclose(picture.means, expected)


def test_a_mean_has_its_colour_and_a_full_bin_is_opaque():
    table = gradient()
    means = np.array([[0.0, 1.0, np.nan, np.nan]])
    counts = np.array([[1, 100, 5, 0]])
    picture = shade_means(means, counts, table, (0.0, 1.0), "log")
    assert picture[0, 0, :3].tolist() == table[0, :3].tolist()
    assert picture[0, 1, :3].tolist() == table[255, :3].tolist()
    assert picture[0, 2, :3].tolist() == [128, 128, 128]
    assert picture[0, 0, 3] < picture[0, 2, 3] < picture[0, 1, 3] == 255
    assert picture[0, 3, 3] == 0


# ---- single points


def test_points_are_all_while_they_are_few(session):
    session.state.plot = "points"
    picture = paint(session)
    inside = within(passing(session), ("488", "514"), picture.limits)
    points = picture.points
    np.testing.assert_array_equal(points.rows, np.sort(inside.index))
    np.testing.assert_array_equal(points.x, inside["chan_488_intensity"])
    np.testing.assert_array_equal(points.y, inside["chan_514_intensity"])
    colors = class_colors("status", session.dataset.spots.channels)
    expected = [
        [int(colors[name][i : i + 2], 16) for i in (1, 3, 5)]
        for name in inside["status"]
    ]
    np.testing.assert_array_equal(points.rgba[:, :3], expected)
    assert not points.selected.any()


def test_points_know_which_are_selected(session):
    session.state.plot = "points"
    mask = np.arange(2000) % 2 == 0
    session.select_rows(mask)
    points = paint(session).points
    np.testing.assert_array_equal(points.selected, points.rows % 2 == 0)


def test_too_many_points_are_sampled_by_priority(make_session):
    session = make_session(20_000)
    session.state.plot = "points"
    picture = paint(session)
    assert len(picture.points.rows) == MAX_POINTS < picture.n_inside
    inside = within(passing(session), ("488", "514"), picture.limits)
    rank = priority(inside["spot_id"].to_numpy())
    drawn = np.isin(inside.index, picture.points.rows)
    assert drawn.sum() == MAX_POINTS
    assert rank[drawn].max() <= rank[~drawn].min()
    # Fair: each status has about its share.
    share = inside["status"].value_counts(normalize=True)
    shown = inside["status"][drawn].value_counts(normalize=True)
    assert abs(share - shown).max() < 0.03


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rows_inside_equal_a_plain_comparison(data):
    n = data.draw(st.integers(0, 400))
    seed = data.draw(st.integers(0, 2**31))
    spots, x, y = random_columns(n, seed)
    ends = st.integers(-5, 5)
    x0, x1 = sorted(data.draw(st.tuples(ends, ends)))
    y0, y1 = sorted(data.draw(st.tuples(ends, ends)))
    rng = np.random.default_rng(seed)
    where = data.draw(st.sampled_from([None, rng.random(n) < 0.5]))
    expected = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    expected &= True if where is None else where
    most = data.draw(st.integers(0, 500))
    limits = (x0, x1, y0, y1)
    rows = rows_inside(
        spots, SpotIndex(spots), (x, y), limits, where, expected.sum(), most
    )
    wanted = np.flatnonzero(expected)
    if len(wanted) <= most:
        np.testing.assert_array_equal(rows, wanted)
    else:
        assert len(rows) == most
        assert np.isin(rows, wanted).all()
        rank = priority(spots.column("spot_id")[wanted])
        drawn = np.isin(wanted, rows)
        if drawn.any():
            assert rank[drawn].max() <= rank[~drawn].min()


def random_columns(n, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-6, 7, (2, n)).astype(np.float32)
    values[rng.random((2, n)) < 0.1] = np.nan
    table = pd.DataFrame({"spot_id": rng.permutation(n) + 1, "chan": ["1"] * n})
    for axis in "zyx":
        table[axis] = rng.random(n)
    table["unmixed_chan"] = ["1"] * n
    table["chan_1_intensity"] = values[0]
    spots = Spots.from_pandas(table, channels=["1"])
    return spots, values[0], values[1]


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(0, 300), radius=st.floats(0, 8))
def test_nearest_row_on_a_log_axis(seed, n, radius):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(50, 40, (2, n)).astype(np.float32)
    at, unit = (20.0, 60.0), (0.02, 0.05)
    row = nearest_row((x, y), at, unit, radius, None, scale=PlotScale("log"))
    with np.errstate(invalid="ignore", divide="ignore"):
        across = (np.log10(x.astype(float)) - np.log10(20)) / 0.02
        up = (np.log10(y.astype(float)) - np.log10(60)) / 0.05
    distance = np.hypot(across, up)
    near = np.flatnonzero(distance <= radius)
    if not near.size:
        assert row is None
    else:
        assert distance[row] == pytest.approx(distance[near].min())


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(0, 300), radius=st.floats(0, 8))
def test_nearest_row_equals_a_plain_search(seed, n, radius):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-6, 7, (2, n)).astype(np.float32)  # many ties
    if n:
        x[rng.integers(0, n)] = np.nan
    where = rng.random(n) < 0.7
    at, unit = (0.25, -0.5), (0.5, 2.0)
    distance = np.hypot((x.astype(float) - at[0]) / 0.5, (y.astype(float) - at[1]) / 2)
    near = np.flatnonzero(where & (distance <= radius))
    row = nearest_row((x, y), at, unit, radius, where)
    if not near.size:
        assert row is None
    else:
        best = distance[near].min()
        assert row in near
        assert distance[row] == pytest.approx(best)


def test_levels_are_a_prefix(session):
    ids = session.dataset.spots.column("spot_id")
    level = level_of(priority(ids))
    for i in range(4):
        assert level_stop(session.dataset.spots, i) == (level <= i).sum()


# ---- colours


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_strength_goes_from_one_spot_to_the_fullest_bin(scale):
    counts = np.array([[0, 1, 10, 100]])
    values = strength(counts, scale)
    middle = 0.5 if scale == "log" else 9 / 99
    np.testing.assert_allclose(values, [[0, 0, middle, 1]], rtol=1e-6)
    np.testing.assert_array_equal(strength(counts * 0, scale), 0)
    np.testing.assert_array_equal(strength(np.ones((2, 2), int), scale), 0)


def lightness(rgb):
    """Return relative luminance (WCAG), by another formula than the one tested."""
    c = np.asarray(rgb, float) / 255
    c = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return c @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("dark", [True, False])
def test_more_spots_are_farther_from_the_background(dark):
    counts = np.array([[1, 3, 10, 30, 100, 300]])
    colors = np.array([[86, 180, 233, 255]], np.uint8)
    for picture in (
        shade_classes(counts[None], colors, "log", dark=dark),
        shade_counts(counts, "log", dark=dark),
    ):
        steps = np.diff(lightness(picture[0, :, :3]))
        assert (steps > 0).all() if dark else (steps < 0).all()
        assert (picture[..., 3] == 255).all()


def test_hue_is_mixed_by_counts():
    import colorsys

    colors = np.array([[86, 180, 233, 255], [245, 163, 0, 255]], np.uint8)

    def hue(first, second):
        counts = np.array([[[first]], [[second]]])
        rgb = shade_classes(counts, colors, "log", dark=True)[0, 0, :3]
        return colorsys.rgb_to_hsv(*(rgb / 255))[0]

    def hue_of(color):
        return colorsys.rgb_to_hsv(*(color[:3] / 255))[0]

    assert hue(5, 0) == pytest.approx(hue_of(colors[0]), abs=0.06)
    assert hue(0, 5) == pytest.approx(hue_of(colors[1]), abs=0.06)
    assert hue(1000, 1) == pytest.approx(hue(5, 0), abs=0.01)


def test_empty_bins_are_transparent():
    counts = np.array([[0, 2], [3, 0]])
    colors = np.array([[86, 180, 233, 255]], np.uint8)
    for picture in (
        shade_classes(counts[None], colors, "log", dark=True),
        shade_counts(counts, "linear", dark=False),
    ):
        np.testing.assert_array_equal(picture[..., 3] > 0, counts > 0)
        assert not picture[counts == 0].any()


def test_gradient_of_counts_is_the_shared_one():
    picture = shade_counts(np.array([[1, 50]]), "log", dark=True)
    np.testing.assert_array_equal(picture[0, 1], gradient()[255])


def test_outline_runs_around_the_selected_area():
    selected = np.zeros((9, 9), int)
    selected[3:6, 3:6] = 2
    picture = selection_shade(selected, np.full((9, 9), 4), "#102030")
    alpha = picture[..., 3]
    assert (picture[alpha > 0, :3] == (16, 32, 48)).all()
    ring = np.zeros((9, 9), bool)
    ring[2:7, 2:7] = True
    ring[3:6, 3:6] = False
    assert (alpha[ring] == 220).all()
    assert (alpha[3:6, 3:6] == 70).all()
    assert not alpha[:2].any()


# ---- dye lines


@given(
    angle=st.floats(0, np.pi / 2),
    corner=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    size=st.tuples(st.floats(1, 90), st.floats(1, 90)),
)
def test_visible_part_of_a_ray_lies_in_the_rectangle(angle, corner, size):
    direction = (float(np.cos(angle)), float(np.sin(angle)))
    limits = (corner[0], corner[0] + size[0], corner[1], corner[1] + size[1])
    part = visible_part(direction, limits)
    steps = np.linspace(0, 250, 4001)
    x, y = steps * direction[0], steps * direction[1]

    def inside(slack):
        across = (x > limits[0] - slack) & (x < limits[1] + slack)
        return across & (y > limits[2] - slack) & (y < limits[3] + slack)

    start, stop = part or (0, 0)
    assert not inside(-1e-9)[(steps < start) | (steps > stop)].any()
    assert inside(1e-9)[(steps >= start) & (steps <= stop) & (part is not None)].all()


# ---- on the screen


@pytest.fixture
def plot(qtbot):
    plot = PairPlot()
    qtbot.addWidget(plot)
    plot.resize(420, 400)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def pixel(plot, x, y):
    return plot.mapFromScene(plot.view_box.mapViewToScene(QPointF(x, y)))


def drag(plot, places, modifiers=Qt.KeyboardModifier.NoModifier):
    """Press, move along places, release; pyqtgraph wants a moment between moves."""
    view, left = plot.viewport(), Qt.MouseButton.LeftButton
    stops = [pixel(plot, *places[0])]  # now: the plot may move along
    for start, stop in pairwise(places):
        for share in np.linspace(0, 1, 9)[1:]:
            place = np.array(start) * (1 - share) + np.array(stop) * share
            stops.append(pixel(plot, *place))
    QTest.mousePress(view, left, modifiers, stops[0])
    for stop in stops[1:]:
        QTest.mouseMove(view, stop)
        QTest.qWait(15)
    QTest.mouseRelease(view, left, modifiers, stops[-1])


def test_plot_shows_a_picture_where_it_belongs(plot, session):
    picture = paint(session, size=plot.pixels)
    plot.show_picture(picture)
    np.testing.assert_allclose(plot.limits, picture.limits)
    assert plot._image.image.shape == picture.rgba.shape
    rect = plot._image.mapRectToView(plot._image.boundingRect())
    np.testing.assert_allclose(
        (rect.left(), rect.right(), rect.top(), rect.bottom()), picture.limits
    )


def test_fullest_bin_is_drawn_where_its_spots_are(plot, session):
    picture = paint(session, size=plot.pixels)
    plot.show_picture(picture)
    total = picture.density.counts.sum(axis=0)
    line, column = np.unravel_index(total.argmax(), total.shape)
    x = picture.density.x_edges[column : column + 2].mean()
    y = picture.density.y_edges[line : line + 2].mean()
    drawn = plot.grab().toImage().pixelColor(pixel(plot, x, y))
    expected = picture.rgba[line, column]
    assert np.abs(np.array(drawn.getRgb()[:3]) - expected[:3]).max() <= 3


def test_bin_under_the_pointer(session):
    picture = paint(session)
    density = picture.density
    for line, column in ((0, 0), (3, 5)):
        place = density.x_edges[column], density.y_edges[line]
        assert picture.bin_at(*place) == (line, column)
        counts = picture.counts_at(line, column)
        assert list(counts.values()) == density.counts[:, line, column].tolist()
    last = density.counts.shape[1] - 1, density.counts.shape[2] - 1
    assert picture.bin_at(density.x_edges[-1], density.y_edges[-1]) == last
    assert picture.bin_at(density.x_edges[0] - 1, density.y_edges[0]) is None
    assert picture.bin_at(density.x_edges[0], np.nan) is None


def test_points_are_drawn_and_found(plot, session):
    session.state.plot = "points"
    picture = paint(session)
    plot.show_picture(picture)
    x, y = plot._points.getData()
    np.testing.assert_array_equal(x, picture.points.x)
    assert plot._image.image is None
    dx, dy = plot.unit
    for i in (0, 17):
        distance = np.hypot((x - x[i]) / dx, (y - y[i]) / dy)
        assert plot.point_near(x[i], y[i]) == picture.points.rows[distance.argmin()]
    assert plot.point_near(1e9, 1e9) is None


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"status": set()}, "No spot passes the filters"),
        ({"status": {"unchanged"}}, ""),
    ],
)
def test_message_in_an_empty_plot(plot, session, state, text):
    session.state.filters.status = state["status"]
    plot.show_picture(paint(session))
    assert plot._message.text == text
    plot.show_picture(paint(session, zoom=(1e6, 2e6, 1e6, 2e6)))
    assert plot._message.text == (text or "No spot within these axes")


def test_message_of_an_empty_table(plot, make_session):
    plot.show_picture(paint(make_session(0)))
    assert plot._message.text == "The table is empty"


def test_clear_picture_leaves_nothing(plot, session):
    plot.show_picture(paint(session))
    plot.mark((1.0, 2.0))
    plot.clear_picture()
    assert plot.picture is None
    assert plot._image.image is None
    assert len(plot._mark.getData()[0]) == 0
    assert plot.point_near(0, 0) is None


@pytest.mark.parametrize("place", [None, (np.nan, 1.0), (np.inf, 1.0)])
def test_no_ring_without_a_place(plot, place):
    plot.mark((1.0, 2.0))
    plot.mark(place)
    assert len(plot._mark.getData()[0]) == 0


def test_dye_lines_go_along_the_ratios(plot, session):
    lines = dye_lines(session.dataset.ratios, ("488", "514"))
    names = {line.channel: session.dataset.label(line.channel) for line in lines}
    plot.set_limits((-100, 1000, -100, 500))
    plot.show_dye_lines(lines, names, dict.fromkeys(names, "#56b4e9"))
    items = plot._dyes.items
    assert [label.toPlainText() for _, label in items] == [
        "488 · Crh",
        "514 · Penk",
        "561",
    ]
    for line, (curve, label) in zip(lines, items, strict=True):
        x, y = curve.getData()
        assert (x[0], y[0]) == (0, 0)
        ratios = session.dataset.ratios.loc[line.channel]
        assert y[1] * ratios["488"] == pytest.approx(x[1] * ratios["514"])
        assert x[1] == pytest.approx(1000) or y[1] == pytest.approx(500)
        assert -100 <= label.pos().x() <= 1000
    plot.set_limits((-100, -50, -100, -50))
    assert not any(curve.isVisible() for curve, _ in items)
    plot.show_dye_lines([], {}, {})
    assert plot._dyes.items == []


def test_names_of_lines_that_coincide_do_not(plot):
    lines = [DyeLine(name, (0.6, 0.8)) for name in "abc"]
    plot.set_limits((0, 10, 0, 10))
    plot.show_dye_lines(
        lines, dict(zip("abc", "abc", strict=True)), dict.fromkeys("abc", "#ffffff")
    )
    heights = {label.pos().y() for _, label in plot._dyes.items}
    assert len(heights) == 3


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_theme_is_taken(plot, session, theme):
    plot.set_theme(theme)
    plot.set_labels("488 · Crh intensity", "514")
    plot.show_picture(paint(session, zoom=(1e6, 2e6, 1e6, 2e6)))
    image = plot.grab().toImage()
    corner = image.pixelColor(image.width() - 20, 20)
    assert corner.name() == theme.background
    assert plot.getAxis("left").textPen().color().name() == theme.text
    assert plot.getAxis("bottom").labelText == "488 · Crh intensity"


def test_axes_take_the_font_of_the_window(plot, qtbot):
    font = plot.font()
    font.setPointSize(17)
    plot.setFont(font)
    for name in ("bottom", "left"):
        axis = plot.getAxis(name)
        assert axis.style["tickFont"].pointSize() == 17
        assert axis.label.font().pointSize() == 17


def test_lasso_is_drawn_with_the_mouse(plot):
    drawn = []
    plot.view_box.drawn.connect(lambda corners, mode: drawn.append((corners, mode)))
    plot.set_limits((0, 100, 0, 100))
    plot.view_box.tool = "lasso"
    drag(plot, [(20, 20), (80, 20), (80, 80), (20, 80)])
    ((corners, mode),) = drawn
    assert mode == "replace"
    assert len(corners) > 10
    unit = max(plot.unit)
    np.testing.assert_allclose(corners.min(axis=0), (20, 20), atol=4 * unit)
    np.testing.assert_allclose(corners.max(axis=0), (80, 80), atol=4 * unit)
    assert plot.limits == (0, 100, 0, 100)


def test_rectangle_is_drawn_with_the_mouse(plot):
    drawn = []
    plot.view_box.drawn.connect(lambda corners, mode: drawn.append((corners, mode)))
    plot.set_limits((0, 100, 0, 100))
    plot.view_box.tool = "rectangle"
    drag(plot, [(20, 30), (80, 70)], Qt.KeyboardModifier.ShiftModifier)
    ((corners, mode),) = drawn
    assert mode == "add"
    expected = [(20, 30), (80, 30), (80, 70), (20, 70)]
    np.testing.assert_allclose(corners, expected, atol=2 * max(plot.unit))


def click_corner(plot, x, y, double=False):
    click = QTest.mouseDClick if double else QTest.mouseClick
    none, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    click(plot.viewport(), left, none, pixel(plot, x, y))
    if double:  # pyqtgraph tells of it when the button is let go
        QTest.mouseRelease(plot.viewport(), left, none, pixel(plot, x, y))
    QTest.qWait(30)


@pytest.mark.parametrize("end", ["enter", "first corner", "double click"])
def test_polygon_is_clicked_together(plot, end):
    drawn = []
    plot.drawn.connect(lambda corners, mode: drawn.append((corners, mode)))
    plot.set_limits((0, 100, 0, 100))
    box = plot.view_box
    box.tool, box.mode = "polygon", "intersect"
    for place in ((20, 20), (80, 20), (50, 90), (80, 80)):
        click_corner(plot, *place)
    QTest.keyClick(plot, Qt.Key.Key_Backspace)
    QTest.mouseMove(plot.viewport(), pixel(plot, 60, 60))
    QTest.qWait(20)
    click_corner(plot, 20, 80)
    assert drawn == []
    if end == "enter":
        QTest.keyClick(plot, Qt.Key.Key_Return)
    elif end == "first corner":
        click_corner(plot, 20, 20)
    else:
        click_corner(plot, 20, 80, double=True)
    ((corners, mode),) = drawn
    assert mode == "intersect"
    expected = [(20, 20), (80, 20), (50, 90), (20, 80)]
    np.testing.assert_allclose(corners[:4], expected, atol=2 * max(plot.unit))


def test_two_corners_are_no_polygon(plot):
    drawn = []
    plot.drawn.connect(lambda *corners: drawn.append(corners))
    plot.view_box.tool = "polygon"
    QTest.keyClick(plot, Qt.Key.Key_Return)
    click_corner(plot, 0.2, 0.2)
    click_corner(plot, 0.8, 0.2)
    QTest.keyClick(plot, Qt.Key.Key_Return)
    assert drawn == []


def test_plot_speaks_of_values_on_other_scales(plot, session):
    session.state.axis_scale = "log"
    picture = paint(session, zoom=(1.0, 1000.0, 10.0, 1000.0), size=plot.pixels)
    told = []
    plot.clicked.connect(lambda x, y: told.append((x, y)))
    plot.hovered.connect(told.append)
    plot.show_picture(picture)
    assert plot.limits == pytest.approx((0, 3, 1, 3))
    assert plot.data_limits == pytest.approx((1, 1000, 10, 1000))
    plot.view_box.clicked.emit(2.0, 1.5)
    plot._on_move(plot.view_box.mapViewToScene(QPointF(1.0, 2.0)))
    assert told[0] == pytest.approx((100, 10**1.5))
    assert told[1] == pytest.approx((10, 100), rel=0.05)
    plot.mark((100.0, 100.0))
    assert plot._mark.getData()[0][0] == pytest.approx(2)
    session.state.plot = "points"
    picture = paint(session, zoom=(1.0, 1000.0, 10.0, 1000.0), size=plot.pixels)
    plot.show_picture(picture)
    points = picture.points
    np.testing.assert_allclose(plot._points.getData()[0], np.log10(points.x), rtol=1e-5)
    place = float(points.x[3]), float(points.y[3])
    found = plot.point_near(*place)
    row = points.rows.tolist().index(found)
    assert (points.x[row], points.y[row]) == pytest.approx(place, rel=0.05)
    session.state.axis_scale = "linear"
    plot.show_picture(paint(session, zoom=(1.0, 1000.0, 10.0, 1000.0)))
    assert plot._mark.getData()[0][0] == pytest.approx(100)


def test_escape_gives_up_a_drawing(plot):
    drawn = []
    plot.view_box.drawn.connect(lambda *corners: drawn.append(corners))
    plot.set_limits((0, 100, 0, 100))
    plot.view_box.tool = "lasso"
    view, left = plot.viewport(), Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    QTest.mousePress(view, left, none, pixel(plot, 20, 20))
    for x in range(20, 80, 5):
        QTest.mouseMove(view, pixel(plot, x, 50 + x / 3))
        QTest.qWait(15)
    QTest.keyClick(plot, Qt.Key.Key_Escape)
    QTest.mouseMove(view, pixel(plot, 30, 30))
    QTest.qWait(15)
    QTest.mouseRelease(view, left, none, pixel(plot, 20, 20))
    assert drawn == []


@pytest.mark.parametrize(
    ("shift", "alt", "mode"),
    [
        (False, False, "replace"),
        (True, False, "add"),
        (False, True, "subtract"),
        (True, True, "intersect"),
    ],
)
def test_modifiers_choose_how_a_selection_changes(shift, alt, mode):
    keys = Qt.KeyboardModifier.NoModifier
    keys |= Qt.KeyboardModifier.ShiftModifier if shift else keys
    keys |= Qt.KeyboardModifier.AltModifier if alt else keys
    assert selection_mode(keys) == mode


@pytest.mark.parametrize(
    ("corners", "area"),
    [
        ([(0, 0), (1, 1)], False),
        ([(0, 0), (1, 0), (2, 0)], False),
        ([(0, 0), (1, 0), (1, 1)], True),
    ],
)
def test_a_slip_of_the_hand_selects_nothing(corners, area):
    assert has_area(np.array(corners, float)) is area


def test_mouse_moves_zooms_and_tells_when_it_rests(plot, qtbot):
    plot.set_limits((0, 100, 0, 100))
    with qtbot.waitSignal(plot.rested):
        drag(plot, [(50, 50), (30, 50)])
    x0, _, y0, y1 = plot.limits
    assert x0 == pytest.approx(20, abs=4 * plot.unit[0])
    assert (y0, y1) == pytest.approx((0, 100), abs=4 * plot.unit[1])


def test_picture_does_not_take_back_a_zoom_under_way(plot, session):
    plot.set_limits((0, 100, 0, 100))
    plot.view_box.sigRangeChangedManually.emit([True, True])
    plot.show_picture(paint(session, zoom=(-500, 900, -500, 900)))
    assert plot.limits == (0, 100, 0, 100)


def test_click_and_double_click(plot, qtbot):
    told = []
    plot.view_box.clicked.connect(lambda x, y: told.append((x, y)))
    plot.view_box.double_clicked.connect(lambda: told.append("double"))
    plot.set_limits((0, 100, 0, 100))
    at = pixel(plot, 40, 60)
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told[0] == pytest.approx((40, 60), abs=2 * max(plot.unit))
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.RightButton, pos=at)
    assert len(told) == 1
    QTest.mouseDClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told[-1] == "double"


def test_hovering_tells_the_place(plot):
    told = []
    plot.hovered.connect(told.append)
    plot.set_limits((0, 100, 0, 100))

    # As the scene tells it: moves that follow too soon upon another are dropped.
    moved = plot.scene().sigMouseMoved
    moved.emit(plot.view_box.mapViewToScene(QPointF(25, 75)))
    assert told[-1] == pytest.approx((25, 75))
    moved.emit(QPointF(2, 2))
    assert told[-1] is None
    moved.emit(plot.view_box.mapViewToScene(QPointF(25, 75)))
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert told[-1] is None


def test_coarser_density_is_an_exact_sum():
    from napari_seespot.plots.pair_picture import _coarser

    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (2, 64, 128))
    edges = np.linspace(0, 1, 129), np.linspace(0, 2, 65)
    fine = Density(counts, *edges, ("a", "b"), "x", "y")
    coarse = _coarser(fine, (32, 32))
    assert coarse.counts.shape == (2, 32, 32)
    assert coarse.counts[1, 3, 5] == counts[1, 6:8, 20:24].sum()
    np.testing.assert_array_equal(coarse.x_edges, np.linspace(0, 1, 129)[::4])
    assert _coarser(fine, (128, 64)) is fine
