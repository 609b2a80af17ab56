"""Selected shapes and points of any layer, against Path and plain distances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D
from napari.layers import Points, Shapes

import napari_seespot as nss
from napari_seespot.errors import StateError
from napari_seespot.layer_selections import (
    nearest_rows,
    rows_in_shapes,
    select_near_points,
    select_shapes,
)

TRIANGLE = np.array([(10.0, 20.0), (200.0, 60.0), (90.0, 220.0)])  # y, x in voxels
BOX = np.array([(30.0, 100.0), (30.0, 180.0), (240.0, 180.0), (240.0, 100.0)])


@pytest.fixture
def session(sample, model):
    session = nss.view(sample, viewer=model)
    session.viewer.dims.set_point(0, 15.0)
    yield session
    session.close()


def at(outline, z=15.0):
    return np.insert(outline, 0, z, axis=1)


def world_of(session, places):
    """Return places in voxels as um."""
    return np.array([session.viewing.overlay.world(tuple(place)) for place in places])


def add_shapes(session, outlines, kinds, **options):
    """Add shapes given in voxels to the viewer, all of them selected."""
    placed = {
        "scale": session.dataset.voxel_size,
        "translate": session.viewing.overlay.world((0.0, 0.0, 0.0)),
        "units": ("um",) * 3,
    }
    layer = session.viewer.add_shapes(
        outlines, shape_type=kinds, **{**placed, **options}
    )
    layer.selected_data = set(range(len(outlines)))
    session.viewer.layers.selection.active = layer
    return layer


def inside(session, *outlines, z=15.0, all_planes=False):
    """Return the rows that pass in any of some outlines, by pandas."""
    table = session.visible()
    found = np.zeros(len(table), bool)
    for outline in outlines:
        path = Outline([*outline, outline[0]], closed=True)
        found |= path.contains_points(table[["y", "x"]])
    if not all_planes:
        half = session.state.slab_planes + 0.5
        found &= table["z"].between(z - half, z + half)
    return table.index[found].tolist()


def selected(session):
    return session.selected().index.tolist()


@pytest.mark.parametrize("all_planes", [False, True])
def test_several_shapes_are_one_selection(session, all_planes):
    session.state.filters.ranges["r"] = (0.3, None)
    layer = add_shapes(session, [at(TRIANGLE), at(BOX)], ["polygon", "rectangle"])
    count = select_shapes(session, all_planes=all_planes)
    expected = inside(session, TRIANGLE, BOX, all_planes=all_planes)
    assert selected(session) == expected
    assert count == len(expected) > 20
    # One of them, as a lasso would.
    layer.selected_data = {1}
    rows = rows_in_shapes(session, layer, all_planes)
    half = session.state.slab_planes + 0.5
    planes = None if all_planes else (15.0 - half, 15.0 + half)
    session.select_region(BOX, planes)
    assert selected(session) == rows.tolist()


def test_modes(session):
    one, other = inside(session, TRIANGLE), inside(session, BOX)
    layer = add_shapes(session, [at(TRIANGLE), at(BOX)], ["polygon", "rectangle"])
    for mode, expected in (
        ("add", {*one, *other}),
        ("subtract", {*one} - {*other}),
        ("intersect", {*one} & {*other}),
        ("replace", {*other}),
    ):
        layer.selected_data = {0}
        select_shapes(session)
        layer.selected_data = {1}
        select_shapes(session, mode=mode)
        assert selected(session) == sorted(expected)
    # The union counts, not one shape after the other.
    session.select_rows(np.ones(len(session.dataset.spots), bool))
    layer.selected_data = {0, 1}
    select_shapes(session, layer, "intersect")
    assert selected(session) == sorted({*one, *other})


@pytest.mark.parametrize("angle", [0, 30])
def test_an_ellipse(session, angle):
    turn = Affine2D().rotate_deg_around(120, 130, angle)
    corners = turn.transform([(60.0, 40.0), (60.0, 220.0), (180.0, 220.0), (180.0, 40)])
    add_shapes(session, [at(corners)], ["ellipse"])
    rows = rows_in_shapes(session)
    table = session.visible()
    y, x = turn.inverted().transform(table[["y", "x"]]).T
    far = np.hypot((y - 120) / 60, (x - 130) / 90)
    half = session.state.slab_planes + 0.5
    deep = table["z"].between(15 - half, 15 + half)
    assert {*rows} >= {*table.index[deep & (far < 0.999)]}
    assert {*rows} <= {*table.index[deep & (far < 1)]}
    assert len(rows) > 20


def placements(session):
    """Return layers' ways to lie in the world."""
    origin = session.viewing.overlay.world((0.0, 0.0, 0.0))
    turn = np.eye(4)
    turn[1:3, 1:3] = [[0.6, -0.8], [0.8, 0.6]]
    turn[1:3, 3] = [11.0, -7.0]
    return {
        "as the images": {},
        "in um": {"scale": (1, 1, 1), "translate": (0, 0, 0)},
        "elsewhere": {"scale": (0.5, 3, 0.2), "translate": (4, -30, 9)},
        "turned": {"affine": turn},
        "in nm": {
            "units": ("nm",) * 3,
            "scale": np.array(session.dataset.voxel_size) * 1000,
            "translate": np.array(origin) * 1000,
        },
        "in pixels": {"units": ("pixel",) * 3},
        "in 2-D": {
            "scale": (0.24, 0.24),
            "translate": origin[1:],
            "units": ("um",) * 2,
        },
    }


@pytest.mark.parametrize(
    "kind",
    ["as the images", "in um", "elsewhere", "turned", "in nm", "in pixels", "in 2-D"],
)
def test_wherever_the_layer_lies(session, kind):
    options = placements(session)[kind]
    for name, create in (("shapes", Shapes), ("points", Points)):
        n = 2 if kind == "in 2-D" else 3
        placed = {
            "scale": session.dataset.voxel_size[-n:],
            "translate": session.viewing.overlay.world((0.0, 0.0, 0.0))[-n:],
            "units": ("um",) * n,
            **options,
        }
        layer = create(ndim=n, **placed)
        factor = 1000 if kind == "in nm" else 1

        def data_of(voxels, layer=layer, n=n, factor=factor):
            world = world_of(session, voxels)[:, -n:] * factor
            return np.array([layer.world_to_data(place) for place in world])

        if name == "shapes":
            layer.add_polygons(data_of(at(TRIANGLE)))
            layer.selected_data = {0}
            assert select_shapes(session, layer) == len(selected(session)) > 20
            assert selected(session) == inside(session, TRIANGLE)
        else:
            rows = np.array(inside(session, TRIANGLE))[[0, 9, 14]]
            layer.add(data_of([session.position(row) for row in rows]))
            layer.selected_data = {0, 1, 2}
            assert nearest_rows(session, layer).tolist() == rows.tolist()
            assert select_near_points(session, layer) == 3
            assert selected(session) == sorted(rows)


def test_a_layer_with_time(session):
    layer = add_shapes(
        session,
        [np.insert(at(TRIANGLE), 0, 3.0, axis=1)],
        ["polygon"],
        scale=(1, *session.dataset.voxel_size),
        translate=(0, *session.viewing.overlay.world((0.0, 0.0, 0.0))),
        units=("s", "um", "um", "um"),
    )
    assert rows_in_shapes(session, layer).tolist() == inside(session, TRIANGLE)


def test_each_shape_has_its_own_plane(session):
    add_shapes(session, [at(TRIANGLE, 4.0), at(BOX, 25.0)], ["polygon"] * 2)
    rows = rows_in_shapes(session)
    expected = {*inside(session, TRIANGLE, z=4.0), *inside(session, BOX, z=25.0)}
    assert rows.tolist() == sorted(expected)


def test_open_shapes_are_left_out(session):
    line = at(TRIANGLE)[:2]
    layer = add_shapes(session, [line, at(BOX)], ["line", "rectangle"])
    assert rows_in_shapes(session).tolist() == inside(session, BOX)
    layer.selected_data = {0}
    with pytest.raises(StateError, match="no inside"):
        select_shapes(session)


def test_a_script_without_a_viewer(sample):
    session = nss.Session(sample)
    start = next(iter(sample.images.values())).translate
    layer = Shapes(
        [at(TRIANGLE)],
        shape_type="polygon",
        scale=sample.voxel_size,
        translate=start,
        units=("um",) * 3,
    )
    layer.selected_data = {0}
    assert select_shapes(session, layer) == len(inside(session, TRIANGLE))
    assert selected(session) == inside(session, TRIANGLE)
    flat = Shapes([TRIANGLE], shape_type="polygon", scale=(0.24, 0.24))
    flat.selected_data = {0}
    with pytest.raises(StateError, match="no plane of y and x is shown"):
        select_shapes(session, flat)
    assert select_shapes(session, flat, all_planes=True) > 0
    with pytest.raises(StateError, match="no layer is active"):
        select_shapes(session)


def plain_nearest(session, place, radius_um):
    table = session.visible()
    away = (table[["z", "y", "x"]].to_numpy() - place) * session.dataset.voxel_size
    far = np.sqrt((away**2).sum(axis=1))
    return table.index[far.argmin()] if far.min() <= radius_um else -1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([0.3, 2.0, 9.0]))
def test_the_nearest_spot_of_each_point(tables, seed, n, radius):
    session = nss.Session(tables)
    session.state.filters.ranges["r"] = (0.2, None)
    table = session.visible()
    rng = np.random.default_rng(seed)
    places = rng.uniform(
        table[["z", "y", "x"]].min(), table[["z", "y", "x"]].max(), (n, 3)
    )
    places[0] = table[["z", "y", "x"]].iloc[seed % len(table)]
    layer = Points(places, scale=session.dataset.voxel_size, units=("um",) * 3)
    layer.selected_data = set(range(n))
    rows = nearest_rows(session, layer, radius)
    assert rows.tolist() == [plain_nearest(session, p, radius) for p in places]
    assert rows[0] == table.index[seed % len(table)]


def test_points_select_what_is_near_and_nothing_else(session):
    rows = np.array(inside(session, BOX))[[2, 5]]
    places = [session.position(row) for row in rows]
    layer = session.viewer.add_points(
        [*places, (15, 900, 900)], scale=session.dataset.voxel_size, units=("um",) * 3
    )
    layer.selected_data = {0, 2}
    assert nearest_rows(session).tolist() == [rows[0], -1]
    assert select_near_points(session) == 1
    layer.selected_data = {1}
    select_near_points(session, mode="add")
    assert selected(session) == sorted(rows)


def test_a_box_on_a_copy_of_the_spots(session):
    """What napari's select tool cannot do on the spots' own layer."""
    points = session.viewing.overlay.points
    session.viewer.layers.selection.active = points
    copy = Points.create(*points.as_layer_data_tuple())
    session.viewer.add_layer(copy)
    drawn = session.viewing.overlay.drawn_rows
    copy.selected_data = {3, 7, 11}
    rows = nearest_rows(session, copy, 0.01)
    places = [session.position(row) for row in rows]
    assert np.allclose(places, [session.position(row) for row in drawn[[3, 7, 11]]])


def test_what_cannot_be_used(session):
    with pytest.raises(StateError, match="Spots holds no shapes"):
        select_shapes(session)
    with pytest.raises(StateError, match="no point of the layer Spots is selected"):
        select_near_points(session)
    layer = add_shapes(session, [at(BOX)], ["rectangle"])
    layer.selected_data = set()
    with pytest.raises(StateError, match="no shape of the layer"):
        select_shapes(session)
    with pytest.raises(StateError, match="holds no points"):
        select_near_points(session)
    tilted = at(BOX)
    tilted[2:, 0] += 3
    layer = add_shapes(session, [tilted], ["polygon"])
    with pytest.raises(StateError, match="lies across the planes"):
        select_shapes(session)
    assert select_shapes(session, all_planes=True) > 0
    with pytest.raises(StateError, match="changed by 'both'"):
        select_shapes(session, layer, "both", all_planes=True)
    flat = session.viewer.add_shapes([BOX], scale=(0.24, 0.24), units=("um", "um"))
    flat.selected_data = {0}
    session.viewer.dims.ndisplay = 3
    with pytest.raises(StateError, match="no plane of y and x"):
        select_shapes(session, flat)
    points = session.viewer.add_points(np.zeros((10_001, 3)))
    points.selected_data = set(range(10_001))
    with pytest.raises(StateError, match="10,001 points"):
        select_near_points(session)
    points.selected_data = {0}
    for radius in (0, -1, np.nan):
        with pytest.raises(StateError, match="nothing lies within"):
            select_near_points(session, radius_um=radius)
    session.close()
    with pytest.raises(nss.SeeSpotError, match="was closed"):
        select_shapes(session, layer)


def test_spots_without_a_position_are_in_no_shape():
    table = pd.DataFrame(
        {
            "chan": ["488"] * 3,
            "unmixed_chan": ["488"] * 3,
            "z": [1.0, np.nan, 1.0],
            "y": [5.0, 5.0, np.nan],
            "x": [5.0, 5.0, 5.0],
            "chan_488_intensity": 1.0,
        }
    )
    spots = nss.Spots.from_pandas(table, channels=("488",))
    session = nss.Session(nss.Dataset("three", "memory", spots))
    layer = Shapes([[(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0)]])
    layer.selected_data = {0}
    assert select_shapes(session, layer, all_planes=True) == 1
