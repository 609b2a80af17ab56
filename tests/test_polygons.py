"""Points inside polygons, against the plain even-odd rule and matplotlib."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path

from napari_seespot import _chunks
from napari_seespot.errors import CancelledError, SeeSpotError, StateError
from napari_seespot.polygons import inside_polygon


def even_odd(x, y, vertices):
    """The rule as it is written down, for all points and one edge at a time."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    inside = np.zeros(x.shape, bool)
    ends = np.asarray(vertices, np.float64)
    for one, other in zip(ends, np.roll(ends, -1, axis=0), strict=True):
        (x0, y0), (x1, y1) = sorted((one, other), key=lambda end: end[1])
        if y0 == y1:
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            crossing = (x1 - x0) * (y - y0) / (y1 - y0) + x0
        inside ^= (y0 <= y) & (y < y1) & (x < crossing)
    return inside


def lasso(n, seed=0, radius=600.0, centre=(700.0, 500.0)):
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    reach = radius * (1 + 0.2 * np.sin(7 * angle) + 0.1 * rng.random(n))
    return np.c_[centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)]


def cloud(n, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(700, 500, n), rng.normal(500, 400, n)
    x[::97], y[::89], x[::1013] = np.nan, np.nan, np.inf
    return x.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_vertices", [3, 4, 60, 200, 3000])
def test_equal_to_the_rule_and_to_matplotlib(n_vertices, dtype):
    x, y = cloud(20_000, dtype=dtype)
    vertices = lasso(n_vertices)
    inside = inside_polygon(x, y, vertices)
    np.testing.assert_array_equal(inside, even_odd(x, y, vertices))
    finite = np.isfinite(x) & np.isfinite(y)
    path = Path(vertices[[*range(n_vertices), 0]], closed=True)
    by_path = path.contains_points(np.c_[x, y][finite])
    np.testing.assert_array_equal(inside[finite], by_path)
    assert not inside[~finite].any()
    assert 0.05 < inside.mean() < 0.95


def test_a_star_that_crosses_itself_is_hollow():
    angle = np.arange(5) * 4 * np.pi / 5
    star = np.c_[np.sin(angle), np.cos(angle)]
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-1, 1, (2, 50_000))
    inside = inside_polygon(x, y, star)
    np.testing.assert_array_equal(inside, even_odd(x, y, star))
    assert not inside_polygon(np.zeros(1), np.zeros(1), star)[0]
    assert inside_polygon(np.zeros(1), np.array([0.7]), star)[0]


def test_random_scribbles():
    x, y = cloud(5_000, seed=3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        vertices = rng.normal((700, 500), 500, (rng.integers(3, 60), 2))
        np.testing.assert_array_equal(
            inside_polygon(x, y, vertices), even_odd(x, y, vertices)
        )


def test_points_all_along_the_edges():
    vertices = lasso(50)
    rng = np.random.default_rng(4)
    edge, share = rng.integers(0, 50, 20_000), rng.random(20_000)[:, None]
    on_edge = vertices[edge] * (1 - share) + np.roll(vertices, -1, axis=0)[edge] * share
    points = np.vstack([on_edge, np.nextafter(on_edge, np.inf), vertices])
    x, y = points.T
    np.testing.assert_array_equal(
        inside_polygon(x, y, vertices), even_odd(x, y, vertices)
    )


SMALL = st.integers(-4, 4).map(float)
ANY = SMALL | st.floats(-5, 5, width=32).map(lambda v: v if abs(v) > 1e-30 else 0.0)


@st.composite
def polygons(draw, elements):
    n = draw(st.integers(3, 8))
    return draw(hnp.arrays(np.float64, (n, 2), elements=elements))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([1, 5, 64]),
    st.sampled_from([SMALL, ANY]).flatmap(polygons),
    hnp.arrays(np.float64, (2, 40), elements=ANY | st.just(np.nan)),
    st.sampled_from([(0.0, 1.0), (1e6, 1.0), (1e12, 1e-3), (-3.0, 1e-30), (0, 1e60)]),
)
def test_any_polygon_ties_included(n_cells, vertices, points, placed):
    shift, size = placed
    vertices = vertices * size + shift
    # Points on corners and level with them, besides those anywhere.
    x = np.concatenate([points[0] * size + shift, vertices[:, 0], vertices[::-1, 0]])
    y = np.concatenate([points[1] * size + shift, vertices[:, 1], vertices[:, 1]])
    # Fewer cells than usual: quicker, and more points for each.
    with mock.patch("napari_seespot.polygons.N_CELLS", n_cells):
        inside = inside_polygon(x, y, vertices)
    np.testing.assert_array_equal(inside, even_odd(x, y, vertices))


@settings(max_examples=50, deadline=None)
@given(polygons(SMALL), st.integers(0, 7))
def test_direction_and_first_vertex_do_not_matter(vertices, start):
    x, y = (axis.ravel() for axis in np.mgrid[-5:5:21j, -5:5:21j])
    inside = inside_polygon(x, y, vertices)
    for same in (vertices[::-1], np.roll(vertices, start, axis=0)):
        np.testing.assert_array_equal(inside_polygon(x, y, same), inside)
    closed = np.vstack([vertices, vertices[:1]])
    np.testing.assert_array_equal(inside_polygon(x, y, closed), inside)


def test_squares_that_tile_share_out_the_points():
    x, y = (axis.ravel() for axis in np.mgrid[0:4:41j, 0:4:41j])
    square = np.array([(0, 0), (2, 0), (2, 2), (0, 2)])
    tiles = [square + shift for shift in [(0, 0), (2, 0), (0, 2), (2, 2)]]
    times = sum(inside_polygon(x, y, tile).astype(int) for tile in tiles)
    np.testing.assert_array_equal(times, ((x < 4) & (y < 4)).astype(int))


@pytest.mark.parametrize(
    "vertices",
    [
        [(0, 0), (0, 0), (0, 0)],
        [(1, 1), (3, 1), (2, 1)],
        [(1, 1), (1, 3), (1, 2)],
        [(0, 0), (1, 1), (0, 0)],
        [(0, 0), (1e-120, 0), (0, 1e-120)],
    ],
)
def test_a_polygon_without_area_holds_nothing(vertices):
    x, y = (axis.ravel() for axis in np.mgrid[-1:4:31j, -1:4:31j])
    assert not inside_polygon(x, y, vertices).any()


def test_only_the_rows_asked_for():
    x, y = cloud(_chunks.CHUNK_ROWS * 2 + 5)
    where = np.random.default_rng(1).random(len(x)) < 0.5
    vertices = lasso(30)
    inside = inside_polygon(x, y, vertices, where)
    np.testing.assert_array_equal(inside, even_odd(x, y, vertices) & where)


def test_columns_of_whole_numbers_mixed_dtypes_and_none():
    x, y = np.mgrid[0:20, 0:20].reshape(2, -1)
    vertices = [(0.5, 0.5), (15, 3), (9, 18)]
    expected = even_odd(x, y, vertices)
    for one in (x, x.astype(np.float32), x.astype(np.uint8)):
        np.testing.assert_array_equal(inside_polygon(one, y, vertices), expected)
    assert inside_polygon(np.zeros(0), np.zeros(0), vertices).shape == (0,)


def test_columns_are_left_as_they_are():
    x, y = cloud(100)
    vertices = lasso(5)
    before = x.copy(), y.copy(), vertices.copy()
    inside_polygon(x, y, vertices)
    for array, was in zip((x, y, vertices), before, strict=True):
        np.testing.assert_array_equal(array, was)
    assert x.flags.writeable


def test_it_can_be_cancelled():
    x, y = cloud(_chunks.CHUNK_ROWS * 3)
    with pytest.raises(CancelledError, match="cancelled"):
        inside_polygon(x, y, lasso(9), cancelled=lambda: True)


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        ([], r"have the shape \(0,\)\. Expected at least 3 vertices"),
        ([(0, 0), (1, 1)], r"have the shape \(2, 2\)"),
        ([(0, 0, 0)] * 3, r"have the shape \(3, 3\)"),
        ([(0, 0), (1, np.nan), (1, 1)], r"vertex 1 of the polygon is \(1\.0, nan\)"),
        ([(0, 0), (1, 1), (-np.inf, 0)], r"vertex 2 of the polygon is \(-inf, 0\.0\)"),
        ([(1e101, 0), (1, 1), (2, 0)], "finite numbers, up to 1e.100"),
        ([("a", 0), (1, 1), (2, 0)], "the polygon's vertices are not numbers"),
        ([(0, 0), (1, 1), (2,)], "the polygon's vertices are not numbers"),
    ],
)
def test_vertices_that_cannot_be(vertices, message):
    with pytest.raises(StateError, match=message):
        inside_polygon(np.zeros(3), np.zeros(3), vertices)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros(3), np.zeros(4)),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.array(["a", "b"]), np.zeros(2)),
    ],
)
def test_columns_that_do_not_fit(x, y):
    with pytest.raises(StateError, match="two columns of numbers of the same length"):
        inside_polygon(x, y, lasso(4))


def test_a_mask_that_does_not_fit():
    with pytest.raises(SeeSpotError, match="a boolean for each of the 3 rows"):
        inside_polygon(np.zeros(3), np.zeros(3), lasso(4), where=np.ones(2, bool))
