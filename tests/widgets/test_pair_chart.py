"""Pair plots as files: on any background what that background would be painted with."""

import numpy as np
import pytest

from napari_seespot.plots.charts import number_text
from napari_seespot.plots.exports import save_chart
from napari_seespot.plots.marks import Dots, Path, Picture, Word
from napari_seespot.plots.pair_chart import pair_chart, view_scale
from napari_seespot.plots.pair_grid import GridRequest, PairGridPainter, cell_chart
from napari_seespot.plots.pair_picture import PairPainter, PairRequest
from napari_seespot.plots.shades import pixels_on
from napari_seespot.plots.theme import DARK, LIGHT, PAPER

THEMES = [DARK, LIGHT, PAPER]


def paint(session, theme, **options):
    request = PairRequest(
        session.view, dark=theme.dark, marker_color=theme.text, **options
    )
    return PairPainter(session.index).paint(request)


def pictures(chart):
    return [mark for mark in chart.marks if isinstance(mark, Picture)]


def words(chart):
    return [mark for mark in chart.marks if isinstance(mark, Word)]


@pytest.fixture(params=["plain", "selected", "highlight", "mean", "asinh"])
def looked_at(request, make_session):
    session = make_session(3000)
    session.state.plot = "density"
    if request.param in ("selected", "highlight"):
        session.select_polygon([(100, 100), (500, 100), (500, 500), (100, 500)])
    if request.param == "highlight":
        session.state.highlight = "reassigned"
    if request.param == "mean":
        session.state.color_by = "r"
    if request.param == "asinh":
        session.state.axis_scale = "asinh"
    return session


@pytest.mark.parametrize("seen", [DARK, LIGHT])
@pytest.mark.parametrize("target", THEMES)
def test_a_plot_is_painted_for_what_it_is_saved_on(looked_at, seen, target):
    session = looked_at
    chart = pair_chart(paint(session, seen))
    wanted = paint(session, target)
    shown = pictures(chart)
    np.testing.assert_array_equal(shown[0].pixels(target), wanted.rgba)
    assert len(shown) == (1 if wanted.tint is None else 2)
    if wanted.tint is not None:
        np.testing.assert_array_equal(shown[1].pixels(target), wanted.tint)
        # The tint is seen: it has the colour of the target's text.
        tint = shown[1].pixels(target)
        text = [int(target.text[i : i + 2], 16) for i in (1, 3, 5)]
        assert (tint[tint[..., 3] > 0, :3] == text).all()


def test_a_picture_of_a_drag_is_saved_as_it_lies(looked_at):
    seen = paint(looked_at, DARK, moving=True, zoom=(0.0, 400.0, 0.0, 300.0))
    chart = pair_chart(seen)
    assert (chart.x.limits[0], chart.y.limits[0]) == (0, 0)
    filled = pictures(chart)[0].pixels(PAPER)[..., 3] > 0
    assert filled.any()


@pytest.mark.parametrize("seen", [DARK, LIGHT])
@pytest.mark.parametrize("target", THEMES)
def test_a_cell_is_painted_for_what_it_is_saved_on(looked_at, seen, target):
    session = looked_at
    pairs, size = session.dataset.channel_pairs, (64, 128)

    def painted(theme):
        request = GridRequest(session.view, pairs, {}, size, theme)
        return list(PairGridPainter().paint(request))

    for before, wanted in zip(painted(seen), painted(target), strict=True):
        chart = cell_chart(before, session.view, seen)
        shown = pictures(chart)
        np.testing.assert_array_equal(shown[0].pixels(target), wanted.rgba)
        assert shown[0].pixels(seen) is before.rgba  # not again for the screen
        if wanted.tint is not None:
            np.testing.assert_array_equal(shown[1].pixels(target), wanted.tint)


def test_on_paper_the_fullest_bin_is_the_darkest(make_session, tmp_path, qapp):
    session = make_session(4000)
    session.state.plot = "density"
    picture = paint(session, DARK)
    pixels = pictures(pair_chart(picture))[0].pixels(PAPER)
    total = picture.density.counts.sum(axis=0)
    light = pixels[..., :3].astype(float).mean(axis=2)
    assert light[total == total.max()].max() < light[total == 1].min()


def test_dye_lines_are_named_in_files(make_session, tmp_path, qapp):
    session = make_session()
    session.state.plot = "density"
    chart = pair_chart(paint(session, DARK))
    assert [word.text for word in words(chart)] == ["488 · Crh", "514 · Penk", "561"]
    text = save_chart(chart, tmp_path / "a.svg", (700, 500)).read_text()
    for name in ("488 · Crh", "514 · Penk", "561"):
        assert f">{name}<" in text
    assert not words(pair_chart(paint(session, DARK), lines=False))
    request = GridRequest(
        session.view, session.dataset.channel_pairs, {}, (64, 64), DARK
    )
    (cell, *_) = PairGridPainter().paint(request)
    assert [word.text for word in words(cell_chart(cell, session.view, DARK))] == [
        "488", "514", "561",
    ]  # fmt: skip


def test_without_ratios_there_are_no_names(make_session):
    session = make_session(ratios=False)
    chart = pair_chart(paint(session, DARK))
    assert not [mark for mark in chart.marks if isinstance(mark, (Path, Word))]


def test_a_bar_tells_the_colours_of_a_column(make_session):
    session = make_session(3000)
    session.state.color_by = "dist"
    low, high = map(number_text, session.view.coloring.limits)
    for plot, label in (("density", "mean dist of a bin"), ("points", "dist")):
        session.state.plot = plot
        ramp = pair_chart(paint(session, DARK)).ramp
        assert (ramp.low, ramp.high, ramp.label) == (low, high, label)
        assert (pixels_on(ramp.table, PAPER) == session.view.coloring.table).all()


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_a_bar_tells_the_counts(make_session, scale):
    session = make_session(3000)
    session.state.plot, session.state.count_scale = "density", scale
    picture = paint(session, DARK)
    ramp = pair_chart(picture).ramp
    most = picture.density.counts.sum(axis=0).max()
    assert (ramp.low, ramp.high) == ("1", f"{most:,}")
    assert ramp.label == f"spots a bin ({scale})"
    dark, light = (pixels_on(ramp.table, t)[:, 0].astype(int) for t in (DARK, PAPER))
    assert (np.diff(dark) >= 0).all()
    assert dark[-1] - dark[0] > 100
    assert (np.diff(light) <= 0).all()
    session.state.plot = "points"
    chart = pair_chart(paint(session, DARK))
    assert chart.ramp is None
    assert [mark for mark in chart.marks if isinstance(mark, Dots)]


def test_the_caption_says_what_is_marked(make_session):
    session = make_session(3000)
    session.state.plot = "density"
    session.select_polygon([(100, 100), (500, 100), (500, 500), (100, 500)])
    session.state.highlight = "reassigned"
    picture = paint(session, DARK)
    assert pair_chart(picture).caption == (
        f"{picture.n_inside:,} of 3,000 spots, {picture.n_selected_passing:,} "
        "selected, reassigned ones highlighted"
    )
    assert view_scale(session.view).name == "linear"


def test_the_caption_says_how_many_points_are_drawn(make_session, monkeypatch):
    monkeypatch.setattr("napari_seespot.plots.pair_picture.MAX_POINTS", 100)
    session = make_session(3000)
    session.state.plot = "points"
    picture = paint(session, DARK)
    drawn = len(picture.points.rows)
    assert drawn < picture.n_inside
    assert f"spots, {drawn:,} of them drawn" in pair_chart(picture).caption


def test_what_is_highlighted_keeps_the_colours_of_its_column(make_session):
    session = make_session(3000)
    session.state.plot, session.state.color_by = "density", "r"
    session.state.highlight = "reassigned"
    zoom = (0.0, 600.0, 0.0, 600.0)
    picture = paint(session, DARK, zoom=zoom, size=(32, 32))
    request = GridRequest(
        session.view, [("488", "514")], {("488", "514"): zoom}, (32, 32), DARK
    )
    (cell,) = PairGridPainter().paint(request)
    table = session.visible()
    table = table[(table["status"] == "reassigned") & table["r"].notna()]
    edges = picture.density.y_edges, picture.density.x_edges
    y, x = (table[f"chan_{c}_intensity"].to_numpy(float) for c in ("514", "488"))
    known = np.isfinite(x) & np.isfinite(y)
    x, y, r = x[known], y[known], table["r"].to_numpy(float)[known]
    counts = np.histogram2d(y, x, edges)[0]
    sums = np.histogram2d(y, x, edges, weights=r)[0]
    low, high = session.view.coloring.limits
    filled = counts > 0
    share = (sums[filled] / counts[filled] - low) / (high - low)
    wanted = np.clip(share, 0, 1) * 255
    gradient = session.view.coloring.table[:, :3].astype(int)
    for painted in (picture.rgba, cell.rgba):
        got = painted[filled, :3].astype(int)
        off = [
            np.abs(gradient[[int(w), min(int(w) + 1, 255)]] - color).sum(axis=1).min()
            for w, color in zip(wanted, got, strict=True)
        ]
        assert max(off) <= 4  # a rounding in float32
