"""What is drawn of the spots, against the table: in a viewer without a window."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer

import napari_seespot as nss
from napari_seespot import drawn_spots
from napari_seespot.dataset import Dataset
from napari_seespot.overlay import Shown
from napari_seespot.spots import Spots

HALF_CANVAS = np.array([300, 400])


@pytest.fixture
def session(sample, model):
    session = nss.view(sample, viewer=model)
    yield session
    session.close()


def in_view(session, *, slab=None):
    """Return the rows of the table that are in view, by pandas."""
    viewer, dataset = session.viewer, session.dataset
    table = session.visible()
    slab = session.state.slab_planes if slab is None else slab
    scale, origin = np.array(dataset.voxel_size), np.zeros(3)
    if dataset.images:
        origin = np.array(next(iter(dataset.images.values())).translate)
    offset = viewer.dims.ndim - 3
    camera = viewer.scene.camera
    displayed = [axis - offset for axis in viewer.dims.displayed]
    inside = pd.Series(True, index=table.index)
    for axis, name in enumerate("zyx"):
        values = table[name].astype(float)
        if axis in displayed:
            place = displayed.index(axis)
            middle = camera.center[-len(displayed) :][place]
            if len(displayed) == 2:
                half = HALF_CANVAS[place] / camera.zoom
            else:
                half = np.hypot(*HALF_CANVAS) / camera.zoom
            inside &= (values * scale[axis] + origin[axis] - middle).abs() <= half
        else:
            plane = (viewer.dims.point[axis + offset] - origin[axis]) / scale[axis]
            inside &= (values - plane).abs() <= slab + 0.5
    return table[inside]


def drawn(session):
    """Return the spot_id of the points that napari has in its picture."""
    overlay = session.viewing.overlay
    layer = overlay.points
    if not layer.visible:
        return []
    seen = np.asarray(layer._view_indices)
    rows = [overlay.row_at(int(place)) for place in seen if place < len(layer.data)]
    rows = [row for row in rows if row is not None]
    return session.dataset.spots.column("spot_id")[rows].tolist()


def check(session):
    """Compare what is drawn, and said, with the table."""
    shown = session.viewing.overlay.shown
    wanted = in_view(session)
    assert shown.total == len(wanted)
    text = session.viewer.canvas.overlays["napari-seespot"].text
    assert text == shown.text
    overlay = session.viewing.overlay
    if shown.picture == "points":
        ids = session.dataset.spots.column("spot_id")[overlay.drawn_rows]
        assert len(set(ids.tolist())) == len(ids) == shown.drawn
        assert set(ids) <= set(wanted["spot_id"])
        if shown.drawn == shown.total:
            assert sorted(ids) == sorted(wanted["spot_id"])
        assert sorted(drawn(session)) == sorted(ids)
        assert not overlay.raster.visible
    elif shown.picture == "density":
        assert overlay.raster.visible
        assert drawn(session) == []
        assert shown.drawn == shown.total
    return wanted


def test_the_middle_plane_is_shown_first(session, sample):
    assert session.viewer.dims.point[0] == pytest.approx(15.5, abs=1)
    wanted = check(session)
    assert len(wanted) > 50
    assert session.viewing.overlay.shown.picture == "points"
    names = [layer.name for layer in session.viewer.layers]
    assert names[-3:] == ["Spots", "Spots (density)", "Marked spot"]
    assert len(names) == 5 + 3
    assert session.viewer.layers.selection.active is session.viewing.overlay.points


@pytest.mark.parametrize("slab", [0, 0.5, 2, 40])
def test_each_plane_and_slab(session, slab):
    session.state.slab_planes = slab
    for z in (0, 7, 15.5, 31, 400):
        session.viewer.dims.set_point(0, z)
        check(session)


def test_points_are_where_the_spots_are_and_look_as_they_must(session):
    session.state.color_by = "chan"
    session.state.point_size_um = 1.2
    layer = session.viewing.overlay.points
    rows = session.viewing.overlay.drawn_rows
    m = len(rows)
    table = session.dataset.spots.to_pandas(rows=rows)
    assert np.allclose(layer.data[:m], table[["z", "y", "x"]])
    assert np.allclose(layer.size[:m], 1.2 / 0.24)
    assert (layer.size[m:] == 0).all()
    assert (layer.face_color[m:] == 0).all()
    colors = session.view.coloring.rgba(session.dataset.spots, rows)
    assert np.allclose(layer.face_color[:m, :3], colors[:, :3])
    distance = (table["z"] - session.viewer.dims.point[0]).abs() / 2.5
    assert np.allclose(layer.face_color[:m, 3], 1 - 0.75 * distance, atol=1e-5)
    features = layer.features.head(m)
    for name in ("spot_id", "chan", "status"):
        assert (features[name].astype(str) == table[name].astype(str).to_numpy()).all()
    assert np.array_equal(features["r"], table["r"], equal_nan=True)
    assert (
        features["gene"] == table["chan"].map(session.dataset.genes).to_numpy()
    ).all()


def test_selected_spots_stand_out(session):
    ids = in_view(session)["spot_id"].tolist()[:5]
    session.select(ids)
    overlay = session.viewing.overlay
    m = len(overlay.drawn_rows)
    chosen = np.isin(session.dataset.spots.column("spot_id")[overlay.drawn_rows], ids)
    assert chosen.sum() == 5
    layer = overlay.points
    assert (layer.face_color[:m][chosen] == 1).all()
    assert (layer.size[:m][chosen] > layer.size[:m][~chosen].max()).all()


def select_some(session, n=20, seed=0):
    """Select some of the spots that pass, wherever they are; return a mask."""
    passing = session.visible().index.to_numpy()
    mask = np.zeros(len(session.dataset.spots), np.bool_)
    mask[np.random.default_rng(seed).choice(passing, n, replace=False)] = True
    session.select_rows(mask)
    return mask


def test_selected_points_have_a_rim_and_lie_on_top(session):
    session.state.color_by = "chan"
    session.state.highlight = "removed"
    mask = select_some(session, 200)
    overlay = session.viewing.overlay
    rows, layer = overlay.drawn_rows, overlay.points
    chosen, m = mask[rows], len(rows)
    assert 0 < chosen.sum() < 200
    assert (np.diff(chosen.astype(int)) >= 0).all()  # what comes last is on top
    assert (layer.border_color[:m][chosen] == [0, 0, 0, 1]).all()
    assert (layer.border_width[:m][chosen] > 0.05).all()
    assert (layer.face_color[:m][chosen] == 1).all()  # also where others fade
    assert (layer.border_width[:m][~chosen] == 0).all()
    assert (layer.border_color[:m] == layer.face_color[:m])[~chosen].all()
    assert (layer.border_color[m:, 3] == 0).all()
    session.state.point_size_um = 0.01
    pixels = layer.size[:m] * layer.scale[-1] * session.viewer.scene.camera.zoom
    assert (pixels[chosen] >= 6.99).all()
    session.clear_selection()
    assert (layer.border_width == 0).all()


@pytest.mark.parametrize("ndisplay", [2, 3])
@pytest.mark.parametrize(("budget", "n"), [(100, 20), (100, 100), (60, 300)])
@pytest.mark.parametrize("few_rows", [0, 1000])
def test_of_too_many_points_the_selected_ones_are_drawn_first(
    session, ndisplay, budget, n, few_rows, monkeypatch
):
    monkeypatch.setattr(drawn_spots, "_FEW_ROWS", few_rows)
    session.state.filters.ranges["r"] = (0.2, None)
    session.state.slab_planes = 20
    session.state.picture = "points"
    session.state.max_points = budget
    session.viewer.dims.ndisplay = ndisplay
    overlay = session.viewing.overlay
    without = overlay.drawn_rows
    mask = select_some(session, n)
    session.state.filters.ranges["r"] = (0.3, None)  # some of them do not pass now
    wanted = check(session)
    rows, selected = overlay.drawn_rows, wanted.index[mask[wanted.index]].to_numpy()
    assert overlay.shown.total == len(wanted) > budget
    first = session.index.most_important(selected, budget)
    assert set(first) <= set(rows)
    assert budget <= len(rows) <= budget + 16 * len(session.view.mask.codes)
    if ndisplay == 2:
        assert len(rows) == budget
    assert len(set(rows) & set(without)) >= (budget - len(first)) / 2
    codes = session.dataset.spots.code
    if ndisplay == 3:
        assert set(codes[rows]) == set(codes[wanted.index])  # no class disappears
    session.clear_selection()
    check(session)


def test_selected_spots_hide_what_is_nearer_in_a_volume(session):
    overlay, viewer = session.viewing.overlay, session.viewer
    layer = overlay.points
    assert layer.blending == "translucent"
    select_some(session)
    assert layer.blending == "translucent"
    viewer.dims.ndisplay = 3
    assert layer.blending == "translucent_no_depth"
    session.clear_selection()
    assert layer.blending == "translucent"
    layer.blending = "additive"  # by the user
    select_some(session)
    assert layer.blending == "additive"
    viewer.dims.ndisplay = 2
    assert layer.blending == "additive"


def pixel_of(session, row):
    """Return a spot's place in the picture of all spots."""
    layer = session.viewing.overlay.raster
    world = session.viewing.overlay.world(session.position(row))
    place = (np.array(world) - layer.translate) / layer.scale
    return tuple(np.round(place[1:]).astype(int))


def test_a_few_selected_spots_stand_out_of_a_picture_of_many(session):
    session.state.picture = "density"
    session.state.slab_planes = 40
    session.state.highlight = "removed"  # faded or not
    plain = np.asarray(session.viewing.overlay.raster.data)[0].copy()
    mask = select_some(session)
    picture = np.asarray(session.viewing.overlay.raster.data)[0]
    white = (picture == 255).all(axis=2)
    assert white.sum() >= 9 * 10
    for row in np.flatnonzero(mask):
        y, x = pixel_of(session, row)
        if 1 < y < picture.shape[0] - 2 and 1 < x < picture.shape[1] - 2:
            assert white[y - 1 : y + 2, x - 1 : x + 2].all()  # 3 pixels at least
    black = (picture == [0, 0, 0, 255]).all(axis=2)
    assert black.sum() > 100
    changed = (picture != plain).any(axis=2)
    assert (changed <= (white | black)).all()
    session.clear_selection()
    assert (np.asarray(session.viewing.overlay.raster.data)[0] == plain).all()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_transposed_views(session, order):
    viewer = session.viewer
    viewer.dims.order = order
    viewer.reset_view()
    for share in (0.2, 0.5, 0.9):
        low, high, _ = viewer.dims.range[order[0]]
        viewer.dims.set_point(order[0], low + share * (high - low))
        check(session)
        session.state.picture = "density"
        check(session)
        check_raster(session)
        session.state.picture = "auto"
    viewer.scene.camera.zoom *= 4
    check(session)


def check_raster(session):
    """Compare the picture's pixels, in the world, with where the spots are."""
    viewer, dataset = session.viewer, session.dataset
    layer = session.viewing.overlay.raster
    wanted = in_view(session)
    (sliced,) = (axis for axis in range(3) if axis not in viewer.dims.displayed)
    covered = np.take(np.asarray(layer.data)[..., 3], 0, axis=sliced) > 0
    axes = [axis for axis in range(3) if axis != sliced]
    places = wanted[["z", "y", "x"]].to_numpy(float) * dataset.voxel_size
    scale, start = np.array(layer.scale)[axes], np.array(layer.translate)[axes]
    pixels = np.round((places[:, axes] - start) / scale).astype(int)
    pixels = np.clip(pixels, 0, np.array(covered.shape) - 1)
    assert covered[tuple(pixels.T)].all()  # none is missing
    if len(wanted):
        reach = int(np.ceil(max(3, session.state.point_size_um / scale.min())))
        near = np.zeros_like(covered)
        for row, column in pixels:
            near[
                max(row - reach, 0) : row + reach + 1,
                max(column - reach, 0) : column + reach + 1,
            ] = True
        assert not (covered & ~near).any()  # and nothing else is drawn
    middle, half = layer.translate[sliced], layer.scale[sliced] / 2
    first, last, _ = viewer.dims.range[sliced]
    assert middle - half <= first + 1e-6
    assert middle + half >= last - 1e-6
    seen = np.asarray(layer._slice.image.view)[..., 3] > 0  # what napari draws
    across = viewer.dims.displayed
    assert (seen == (covered if across[0] < across[1] else covered.T)).all()


def test_sliders_keep_their_ends_and_steps(session):
    viewer = session.viewer
    before = [tuple(r) for r in viewer.dims.range]
    for order in ((1, 0, 2), (2, 0, 1), (0, 1, 2)):
        viewer.dims.order = order
        viewer.reset_view()
        sliced = order[0]
        for picture in ("auto", "density", "points"):
            session.state.picture = picture
            assert tuple(viewer.dims.range[sliced]) == pytest.approx(before[sliced])
            for axis in range(3):
                low, high, _ = viewer.dims.range[axis]
                assert low >= before[axis][0] - 1
                assert high <= before[axis][1] + 1


def test_more_spots_than_the_budget_become_a_picture_of_all(session):
    session.state.max_points = 10
    wanted = check(session)
    overlay = session.viewing.overlay
    assert overlay.shown == Shown("density", len(wanted), len(wanted))
    check_raster(session)
    session.state.picture = "points"
    check(session)
    assert overlay.shown == Shown("points", 10, len(wanted))
    assert overlay.shown.text.startswith(f"10 of {len(wanted):,} spots in view (")
    session.state.picture = "auto"
    session.state.max_points = len(wanted)
    assert overlay.shown.picture == "points"
    check(session)


def test_the_picture_shows_colours_and_selection(session):
    session.state.picture = "density"
    session.state.color_by = "r"
    spots = session.dataset.spots
    best = in_view(session).nlargest(1, "r")["spot_id"].item()
    ids = in_view(session)["spot_id"]
    other = ids[ids != best].iloc[0]
    session.select([other])
    layer = session.viewing.overlay.raster
    picture = np.asarray(layer.data)[0]
    color = session.view.coloring.table[-1]

    def shown_at(spot_id):
        return picture[pixel_of(session, spots.rows_of([spot_id])[0])].astype(int)

    assert (abs(shown_at(best)[:3] - color[:3]) < 60).all()
    assert (shown_at(other) == 255).all()


def test_zooming_far_in_does_not_swell_the_discs(session):
    session.state.picture = "density"
    session.state.point_size_um = 1000
    session.viewer.scene.camera.zoom = 500
    row = session.viewing.overlay
    assert row.shown.picture in ("density", "nothing")


def test_panning_and_zooming(session):
    camera = session.viewer.scene.camera
    for zoom, y, x in ((5, 30, 30), (20, 30, 30), (40, 10, 50), (60, 0, 0)):
        camera.zoom = zoom
        camera.center = (0, y, x)
        check(session)
    camera.center = (0, 9000, 0)
    assert session.viewing.overlay.shown == Shown("nothing", 0, 0)
    assert session.viewer.canvas.overlays["napari-seespot"].text == "No spots in view"
    assert drawn(session) == []
    camera.center = (0, 30, 30)
    assert len(check(session)) > 0


def test_a_smaller_canvas_shows_less(session):
    session.viewer.scene.camera.zoom = 10
    before = session.viewing.overlay.shown.total
    session.viewer.canvas.size = (60, 80)
    after = session.viewing.overlay.shown.total
    assert after < before
    session.viewer.canvas.size = (600, 800)
    check(session)


def test_filters_and_colours(session):
    state = session.state
    state.filters.status = {"removed"}
    check(session)
    state.filters.ranges["r"] = (0.5, None)
    check(session)
    state.filters.channels = {"488"}
    check(session)
    state.filters.status = set()
    assert len(check(session)) == 0
    assert session.viewing.overlay.shown.text == "0 spots in view, as points"
    session.undo()
    assert len(check(session)) > 0
    for by in ("chan", "unmixed_chan", "r", "spot_id", "cell_id", "valid_spot"):
        state.color_by = by
        check(session)


def test_the_volume(session):
    session.viewer.dims.ndisplay = 3
    wanted = check(session)
    assert len(wanted) == len(session.visible())
    session.state.max_points = 100
    shown = session.viewing.overlay.shown
    assert shown.picture == "points"
    assert shown.total == len(wanted)
    assert shown.drawn < shown.total
    codes = session.dataset.spots.code
    kept = set(codes[session.viewing.overlay.drawn_rows])
    assert kept == set(codes[wanted.index])  # no class disappears
    session.viewer.scene.camera.zoom = 100
    check(session)
    session.viewer.dims.ndisplay = 2
    check(session)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Shown("points", 12_431, 12_431), "12,431 spots in view, as points"),
        (Shown("density", 1_203_455, 1_203_455), "1,203,455 spots in view, as density"),
        (Shown("points", 1, 1), "1 spot in view, as points"),
        (Shown("points", 0, 0), "0 spots in view, as points"),
        (Shown("nothing", 0, 0), "No spots in view"),
        (
            Shown("points", 20_000, 8_059_238),
            "20,000 of 8,059,238 spots in view (0.25 %)",
        ),
        (Shown("points", 19_999, 20_000), "19,999 of 20,000 spots in view (99.9 %)"),
        (Shown("points", 199, 200), "199 of 200 spots in view (99.5 %)"),
        (Shown("points", 1, 10**7), "1 of 10,000,000 spots in view (1e-05 %)"),
    ],
)
def test_the_sentence(shown, text):
    assert shown.text == text


# --- datasets that are not as usual


def open_table(model, table, channels=("488", "514"), **options):
    spots = Spots.from_pandas(table, channels=channels)
    return nss.view(Dataset("table", "", spots, **options), viewer=model)


def some_table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "chan": rng.choice(["488", "514"], n),
            "unmixed_chan": rng.choice(["488", "514"], n),
            "z": rng.uniform(0, 10, n),
            "y": rng.uniform(0, 100, n),
            "x": rng.uniform(0, 100, n),
            "chan_488_intensity": 1.0,
            "chan_514_intensity": 1.0,
        }
    )


def test_no_images(tables, model):
    session = nss.view(tables, viewer=model)
    assert len(check(session)) > 0
    model.dims.order = (1, 0, 2)
    check(session)
    model.dims.ndisplay = 3
    check(session)
    session.close()
    assert len(model.layers) == 0


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_spots(model, n):
    session = open_table(model, some_table(n))
    for ndisplay, picture in itertools.product((2, 3), ("auto", "points", "density")):
        model.dims.ndisplay = ndisplay
        session.state.picture = picture
        check(session)
    session.close()


def test_spots_without_a_position(model):
    table = some_table(60)
    table.loc[:9, "z"] = np.nan
    table.loc[5:19, "y"] = np.nan
    session = open_table(model, table)
    model.dims.ndisplay = 3
    model.reset_view()
    assert session.viewing.overlay.shown == Shown("points", 40, 40)
    session.state.max_points = 7
    assert session.viewing.overlay.shown.total == 40
    session.close()


def test_no_spot_has_a_position(model):
    table = some_table(9)
    table[["z", "y", "x"]] = np.nan
    session = open_table(model, table)
    assert session.viewing.overlay.shown.total == 0
    session.close()


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_all_spots_in_one_plane(model, axis):
    table = some_table()
    table[axis] = 7.0
    session = open_table(model, table)
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        model.dims.order = order
        model.reset_view()
        check(session)
        session.state.picture = "density"
        check(session)
        check_raster(session)
        session.state.picture = "auto"
    session.close()


def test_spots_on_the_slabs_border(model):
    table = some_table(5)
    table["z"] = [0.0, 2.5, 5.0, 7.5, 10.0]
    table[["y", "x"]] = 10.0
    session = open_table(model, table)
    model.dims.set_point(0, 5.0)
    assert session.viewing.overlay.shown.total == 3  # 2.5 and 7.5 belong to it
    assert len(drawn(session)) == 3
    session.close()


def test_one_channel(model):
    table = some_table()
    table["chan"] = table["unmixed_chan"] = "488"
    table = table.drop(columns="chan_514_intensity")
    session = open_table(model, table, channels=("488",))
    assert len(check(session)) > 0
    session.close()


def test_more_than_the_first_budget(model):
    session = open_table(model, some_table(500))
    session.state.slab_planes = 20
    session.state.max_points = 30
    check(session)
    session.state.max_points = 600
    assert len(check(session)) == 500
    layer = session.viewing.overlay.points
    assert len(layer.features) == len(layer.data)
    session.close()


# --- a viewer that is not ours alone


def test_four_dimensions(session):
    viewer = session.viewer
    viewer.add_image(np.zeros((5, 32, 20, 20)), name="movie")
    assert viewer.dims.ndim == 4
    viewer.dims.point = (2, 10, 0, 0)
    assert len(check(session)) > 0
    session.go_to(5)
    assert viewer.dims.point[0] == 2
    z, y, x = session.position(session.dataset.spots.rows_of([5])[0])
    assert viewer.dims.point[1] == pytest.approx(z, abs=0.51)
    assert viewer.scene.camera.center[1:] == pytest.approx((y * 0.24, x * 0.24))
    session.state.slab_planes = 4
    check(session)
    viewer.dims.order = (1, 0, 2, 3)
    check(session)
    viewer.dims.order = (3, 2, 1, 0)  # time is displayed, and none of our planes
    assert session.viewing.overlay.shown.picture == "nothing"
    viewer.dims.order = (0, 1, 2, 3)
    viewer.dims.ndisplay = 3
    check(session)


@pytest.mark.parametrize("name", ["Spots", "Spots (density)", "Marked spot", "488"])
def test_layers_that_the_user_deletes(session, name):
    viewer = session.viewer
    layer = next(layer for layer in viewer.layers if layer.name.startswith(name))
    viewer.layers.remove(layer)
    for picture, ndisplay in itertools.product(("auto", "points", "density"), (2, 3)):
        session.state.picture = picture
        viewer.dims.ndisplay = ndisplay
        viewer.dims.set_point(0, 12)
        session.go_to(3)
        shown = session.viewing.overlay.shown
        if shown.picture != "nothing":
            check(session)
    viewer.dims.ndisplay = 2
    session.state.picture = "auto"
    assert session.viewing.overlay.shown.picture == (
        "density" if name == "Spots" else "points"
    )
    check(session)
    session.close()
    assert len(viewer.layers) == 0


def test_all_layers_deleted(session):
    session.viewer.layers.clear()
    session.state.color_by = "chan"
    session.go_to(3)
    assert session.viewing.overlay.shown.picture == "nothing"
    session.close()


def test_a_mark_that_the_user_deletes(session):
    session.go_to(3)
    mark = session.viewer.layers["Marked spot"]
    mark.data = np.zeros((0, 3))
    session.go_to(5)
    row = session.dataset.spots.rows_of([5])[0]
    assert mark.data.tolist() == [pytest.approx(session.position(row))]
    assert mark.visible


def test_points_cannot_be_edited(session):
    layer = session.viewing.overlay.points
    for ndisplay in (2, 3, 2):
        session.viewer.dims.ndisplay = ndisplay
        session.viewer.dims.set_point(0, 5)
        assert not layer.editable


def test_whoever_says_so_no_layer_of_spots_is_editable(session):
    session.go_to(3)
    for layer in session.viewing.overlay.layers:
        layer.editable = True  # as napari's controls do
        layer.mode = "transform"
        assert not layer.editable
        assert layer.mode == "pan_zoom"


def test_points_are_neither_added_nor_removed(session):
    overlay = session.viewing.overlay
    mark = session.viewer.layers["Marked spot"]
    session.go_to(3)
    for layer in (overlay.points, mark):
        n = len(layer.data)
        layer.selected_data = {0}
        assert not layer.selected_data
        layer.remove_selected()
        with pytest.raises(nss.SeeSpotError, match="cannot be edited"):
            layer.add([1, 2, 3])
        with pytest.raises(nss.SeeSpotError, match=layer.name):
            layer.remove([0])
        assert len(layer.data) == n
    check(session)


def test_a_copy_of_the_layer_is_the_users_own(session):
    session.viewer.layers.selection.active = session.viewing.overlay.points
    mine = Layer.create(*session.viewing.overlay.points.as_layer_data_tuple())
    assert mine.editable
    mine.add([1, 2, 3])
    mine.selected_data = {0}
    mine.remove_selected()
    assert len(mine.data) == len(session.viewing.overlay.points.data)


def test_after_closing_nothing_moves(session, sample):
    overlay = session.viewing.overlay
    layer, viewer = overlay.points, session.viewer
    heard = []
    overlay.shown_changed.connect(heard.append)
    session.close()
    rows = overlay.drawn_rows
    viewer.add_image(np.zeros((32, 256, 256)))
    viewer.dims.set_point(0, 3)
    viewer.scene.camera.zoom = 40
    session.state.color_by = "chan"
    overlay.update()
    overlay.close()
    assert heard == []
    assert overlay.drawn_rows is rows
    assert layer not in viewer.layers
    assert "napari-seespot" not in viewer.canvas.overlays
    assert set(viewer.dims.margin_left) == set(viewer.dims.margin_right) == {0.0}


def test_the_world_is_as_large_as_the_spots(model):
    table = some_table()
    table["y"] += 5000
    table["z"] += 300
    session = open_table(model, table)
    for axis, name in enumerate("zyx"):
        low, high, _ = model.dims.range[axis]
        step = session.dataset.voxel_size[axis]
        assert low == pytest.approx(table[name].min() * step, abs=step)
        assert high == pytest.approx(table[name].max() * step, abs=step)
    assert len(check(session)) > 0
    session.close()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_where_spots_overlap_the_nearest_is_picked(session, order):
    session.state.point_size_um = 8
    viewer, layer = session.viewer, session.viewing.overlay.points
    viewer.dims.order = order
    spots = session.dataset.spots
    for spot_id in session.visible()["spot_id"].iloc[::150]:
        session.go_to(int(spot_id))
        row = spots.rows_of([spot_id])[0]
        place = np.array(session.position(row)) * session.dataset.voxel_size
        value = layer.get_value(
            place,
            view_direction=None,
            dims_displayed=list(viewer.dims.displayed),
            world=True,
        )
        assert session.viewing.overlay.row_at(value) == row
    far = layer.get_value(
        [15, 900, 900], dims_displayed=list(viewer.dims.displayed), world=True
    )
    assert far is None
