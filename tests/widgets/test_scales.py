"""Axes on other scales: places, ticks, outlines, lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot.plots.dye_line_items import line_places
from napari_seespot.plots.scales import LINEAR, PlotScale, ScaledAxis

LOG, ASINH = PlotScale("log"), PlotScale("asinh", 100.0)


@pytest.mark.parametrize("scale", [LINEAR, LOG, ASINH])
def test_values_come_back(scale):
    values = np.array([1e-3, 1.0, 40.0, 2e5])
    np.testing.assert_allclose(scale.back(scale.to(values)), values)
    limits = (1.0, 100.0, 2.0, 300.0)
    assert scale.limits_back(scale.limits_to(limits)) == pytest.approx(limits)


def test_places_beyond_all_numbers_have_a_value():
    assert np.isfinite(LOG.back([400.0, -400.0])).all()
    assert np.isfinite(ASINH.back([800.0, -800.0])).all()
    assert np.isnan(LOG.to(-1.0))


def test_places_are_those_of_numpy():
    values = np.array([-50.0, 0.0, 10.0, 1000.0])
    np.testing.assert_allclose(ASINH.to(values), np.arcsinh(values / 100))
    np.testing.assert_allclose(LOG.to(values[2:]), [1, 3])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([LOG, ASINH]),
    st.floats(-2, 5),
    st.floats(0.01, 6),
    st.floats(0.05, 0.4),
)
def test_ticks_are_in_view_and_apart(scale, low, span, share):
    room = share * span
    values = scale.ticks(low, low + span, 1 / share)
    places = scale.to(values)
    assert ((places >= low) & (places <= low + span)).all()
    assert (np.diff(places) >= room * (1 - 1e-9)).all()
    assert len(values) >= 1 or share > 0.3


def test_ticks_of_decades():
    assert LOG.ticks(0, 4, 4.4) == pytest.approx([1, 10, 100, 1000, 10_000])
    assert 0.0 in ASINH.ticks(-1, 4, 10)


def test_axis_writes_values(qtbot):
    axis = ScaledAxis("bottom")
    axis.set_plot_scale(LOG)
    ((spacing, places),) = axis.tickValues(0.0, 3.0, 400.0)
    assert places == pytest.approx([0, 0.477, 1, 1.477, 2, 2.477, 3], abs=1e-3)
    texts = axis.tickStrings(places, 1.0, spacing)
    assert texts == ["1", "3", "10", "30", "100", "300", "1000"]
    axis.set_plot_scale(ASINH)
    assert axis.tickStrings([0.0], 1.0, None) == ["0"]
    axis.set_plot_scale(LINEAR)
    assert len(axis.tickValues(0.0, 3.0, 400.0)) > 1  # pyqtgraph's own


def test_outlines_follow_what_was_drawn():
    triangle = np.array([(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)])
    vertices = LOG.vertices_back(triangle, (0.01, 0.01))
    places = np.log10(vertices)
    slanted = places[np.isclose(places[:, 0], places[:, 1])]
    assert len(slanted) > 200  # pieces of two pixels
    for corner in triangle:
        assert np.hypot(*(places - corner).T).min() < 1e-9
    # Straight along an axis: no pieces needed.
    assert ((places[:, 1] == 0) & (places[:, 0] < 3)).sum() == 1
    assert LINEAR.vertices_back(triangle, (0.01, 0.01)) is not None
    np.testing.assert_array_equal(
        LINEAR.vertices_back(triangle, (0.01, 0.01)), triangle
    )


@pytest.mark.parametrize("scale", [LINEAR, LOG, ASINH])
@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 80.0, 90.0])
def test_lines_go_where_the_ratios_say(scale, angle):
    direction = (np.cos(np.radians(angle)), np.sin(np.radians(angle)))
    direction = tuple(0.0 if abs(part) < 1e-9 else part for part in direction)
    values = (1.0, 5000.0, 1.0, 5000.0) if scale is LOG else (-50.0, 5000.0) * 2
    limits = scale.limits_to(values)
    places = line_places(direction, limits, scale)
    if scale is LOG and 0.0 in direction:
        assert places is None  # 0 has no place
        return
    x, y = scale.back(places).T
    np.testing.assert_allclose(x * direction[1], y * direction[0], atol=1e-6)
    assert (x >= values[0] - 1e-6).all()
    assert (x <= values[1] + 1e-3).all()
    assert max(x.max(), y.max()) == pytest.approx(5000)
    if scale is ASINH and 0 < angle < 90:
        steps = np.abs(np.diff(places, axis=0)).max(axis=1)
        assert steps.max() < (limits[1] - limits[0]) / 50  # smooth


def test_no_line_out_of_view():
    assert line_places((0.6, 0.8), (-2.0, -1.0, -2.0, -1.0), ASINH) is None
