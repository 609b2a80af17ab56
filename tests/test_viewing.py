"""A dataset in a viewer without a window, among whatever else is there."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.dataset import Dataset, LazyMapping
from napari_seespot.errors import ImageError, NotFoundError, StateError
from napari_seespot.restoring import load_session
from napari_seespot.state import State


def test_images_are_layers_named_by_channel_and_gene(sample, model):
    session = nss.view(sample, viewer=model)
    layers = [layer for layer in model.layers if layer.metadata.get("napari-seespot")]
    names = [f"{c} · {sample.genes[c]}" for c in sample.channels]
    assert [layer.name for layer in layers] == names  # 405 has no spots: not loaded
    for channel, layer in zip(sample.channels, layers, strict=True):
        image = sample.images[channel]
        assert layer.metadata["napari-seespot"]["channel"] == channel
        assert tuple(layer.scale) == tuple(image.scale)
        assert tuple(layer.translate) == tuple(image.translate)
        assert tuple(layer.contrast_limits) == tuple(image.contrast_limits)
        assert layer.blending == "additive"
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert [tuple(a.shape) for a in layer.data] == [a.shape for a in image.levels]
    session.close()


def test_it_opens_what_an_address_names(tables_folder, model):
    session = nss.view(str(tables_folder), viewer=model, docks=True, cache=False)
    assert sessions.current(model) is session
    assert session.viewing.viewer is model
    session.close()


def test_flying(sample, model):
    session = nss.view(sample, viewer=model)
    model.scene.camera.zoom = 17
    z, y, x = session.position(session.dataset.spots.rows_of([42])[0])
    session.go_to(42)
    assert model.dims.point[0] == pytest.approx(z, abs=0.51)
    assert model.scene.camera.center[1:] == pytest.approx((y * 0.24, x * 0.24))
    assert model.scene.camera.zoom == 17
    mark = model.layers["Marked spot"]
    assert mark.visible
    assert mark.data.tolist() == [pytest.approx((z, y, x))]
    model.dims.order = (2, 0, 1)
    session.go_to(43)
    z, y, x = session.position(session.dataset.spots.rows_of([43])[0])
    assert model.dims.point[2] == pytest.approx(x * 0.24, abs=0.13)
    assert model.scene.camera.center[1:] == pytest.approx((z, y * 0.24))
    model.dims.ndisplay = 3
    session.go_to(44)
    place = session.position(session.dataset.spots.rows_of([44])[0])
    world = np.array(place) * sample.voxel_size
    assert model.scene.camera.center == pytest.approx(tuple(world[[2, 0, 1]]))
    session.close()


def test_another_dataset_takes_the_place_of_the_first(sample, tables, model):
    first = nss.view(sample, viewer=model)
    second = nss.view(tables, viewer=model)
    assert first.is_closed
    assert first.viewer is None
    assert [layer.name for layer in model.layers] == [
        "Spots",
        "Spots (density)",
        "Marked spot",
    ]
    assert sessions.current(model) is second
    first.close()
    assert len(model.layers) == 3
    second.close()
    assert sessions.current(model) is None


def test_the_users_own_layers_survive(sample, model):
    mine = model.add_image(np.zeros((32, 40, 40)), name="mine")
    model.dims.set_point(0, 7)
    session = nss.view(sample, viewer=model)
    labels = model.add_labels(np.zeros((32, 40, 40), int), name="my labels")
    points = model.add_points(np.zeros((3, 3)), name="Spots [1]")
    model.layers.move(model.layers.index(points), 0)
    session.go_to(9)
    session.close()
    assert list(model.layers) == [points, mine, labels]
    assert len(points.data) == 3
    model.dims.set_point(0, 3)
    again = nss.view(sample, viewer=model)
    assert mine in model.layers
    again.close()


def test_where_the_user_looks_survives(sample, model):
    model.add_image(np.zeros((5, 32, 300, 300)), name="movie")
    session = nss.view(sample, viewer=model)
    model.dims.point = (3, 11, 0, 0)
    model.scene.camera.center = (0, 40, 50)
    model.scene.camera.zoom = 12
    session.close()
    assert model.dims.point[:2] == (3, 11)
    assert model.scene.camera.center[1:] == (40, 50)
    assert model.scene.camera.zoom == 12


@pytest.mark.parametrize("broken", [("488",), ("488", "514", "561", "594", "638")])
def test_channels_that_cannot_be_opened_are_told(sample, model, broken):
    def make(name):
        if name in broken:
            raise ImageError("no metadata", where=f"/data/{name}.zarr")
        return sample.images[name]

    images = LazyMapping(sample.channels, make)
    dataset = Dataset("half", "", sample.spots, images)
    told = []
    from napari.utils.notifications import notification_manager

    notification_manager.notification_ready.connect(lambda n: told.append(n.message))
    session = nss.view(dataset, viewer=model)
    assert sum("cannot" in text or "left out" in text for text in told) == len(broken)
    assert len(model.layers) == 5 - len(broken) + 3
    assert session.viewing.overlay.shown.total > 0
    session.go_to(3)
    session.close()


# --- nothing half-open


def test_what_cannot_be_opened_leaves_the_viewer_as_it_was(sample, model, tmp_path):
    session = nss.view(sample, viewer=model)
    before = list(model.layers)
    state = tmp_path / "state.json"
    state.write_text("{}")
    camera = tmp_path / "camera.json"
    camera.write_text(
        json.dumps(
            {
                "schema": "napari-seespot-session",
                "schema_version": 1,
                "state": {},
                "camera": {"zoom": "near"},
            }
        )
    )
    for source, options, error in (
        (tmp_path / "nowhere", {}, NotFoundError),
        (tmp_path, {}, NotFoundError),
        (sample, {"state": State(color_by="colour")}, StateError),
        (sample, {"state": State(pair=("1", "2"))}, StateError),
        (sample, {"state": state}, StateError),
        (sample, {"state": str(camera)}, StateError),
        (sample, {"state": tmp_path / "none.json"}, StateError),
    ):
        with pytest.raises(error):
            nss.view(source, viewer=model, **options)
        assert list(model.layers) == before
        assert sessions.current(model) is session
        assert not session.is_closed
    session.close()


def test_a_fault_half_way_leaves_nothing_behind(sample, model, monkeypatch):
    mine = model.add_image(np.zeros((4, 5, 6)))

    def fail(*_, **__):
        raise RuntimeError("no points today")

    monkeypatch.setattr("napari_seespot.overlay.PointsPool", fail)
    with pytest.raises(RuntimeError, match="no points today"):
        nss.view(sample, viewer=model)
    assert list(model.layers) == [mine]
    assert sessions.current(model) is None
    monkeypatch.undo()
    session = nss.view(sample, viewer=model)
    assert len(model.layers) == 9
    session.close()


# --- saved states


def test_a_saved_look_comes_back(sample, model, tmp_path):
    session = nss.view(sample, viewer=model)
    session.state.color_by = "r"
    session.select([1, 2, 3])
    model.dims.set_point(0, 9)
    model.scene.camera.zoom = 33
    model.scene.camera.center = (0, 12, 13)
    path = session.save(tmp_path / "state.json")
    session.close()
    other = type(model)()
    again = nss.view(sample, viewer=other, state=path)
    assert again.state.color_by == "r"
    assert len(again.selected()) == 3
    assert other.dims.point[0] == 9
    assert other.scene.camera.zoom == 33
    assert other.scene.camera.center[1:] == (12, 13)
    again.close()


@pytest.mark.parametrize("ndim", [3, 4])
def test_a_look_from_a_viewer_with_more_dimensions(sample, model, tmp_path, ndim):
    movie = np.zeros((2,) * (ndim - 3) + (32, 20, 20))
    model.add_image(movie)
    session = nss.view(sample, viewer=model)
    model.dims.set_point(ndim - 3, 9)
    path = session.save(tmp_path / "state.json")
    other = type(model)()
    if ndim == 3:
        other.add_image(np.zeros((2, 32, 20, 20)))
        other.dims.set_point(0, 1)
    again = nss.view(sample, viewer=other, state=path)
    assert other.dims.point[other.dims.ndim - 3] == 9
    if ndim == 3:
        assert other.dims.point[0] == 1
    session.close()
    again.close()


def test_a_state_of_another_dataset(sample, tables, model, tmp_path):
    session = nss.view(sample, viewer=model)
    session.select([1])
    path = session.save(tmp_path / "state.json")
    with pytest.raises(StateError, match=r"of 2,000 spots, the dataset has 5,000"):
        nss.view(tables, viewer=model, state=session.state)
    assert sessions.current(model) is session
    saved = load_session(path)
    state, told = saved.state_for(tables)  # its spot 1 is another one
    assert state.selection.mask is None
    assert "whose spots have other numbers" in told[0]
    session.state.pair = ("514", "488")  # still its own dataset's state
    session.select([2])
    session.close()


# --- letting go


def test_two_viewers_are_independent(sample, model):
    other = type(model)()
    other.canvas.size = (600, 800)
    one, two = nss.view(sample, viewer=model), nss.view(sample, viewer=other)
    one.state.color_by = "r"
    one.state.filters.status = {"removed"}
    one.go_to(1)
    assert two.state.color_by == "status"
    assert not other.layers["Marked spot"].visible
    one.close()
    other.dims.set_point(0, 16)
    assert two.viewing.overlay.shown.total > 0
    two.close()


def test_closing_twice_and_in_any_order(sample, model):
    session = nss.view(sample, viewer=model)
    viewing = session.viewing
    session.close()
    session.close()
    viewing.overlay.close()
    assert len(model.layers) == 0
    assert session.viewer is None
    with pytest.raises(nss.SeeSpotError, match="was closed"):
        session.go_to(1)


def test_nothing_is_kept_alive(sample):
    from napari.components import ViewerModel

    model = ViewerModel()
    session = nss.view(sample, viewer=model)
    session.state.color_by = "r"
    session.go_to(5)
    kept = [weakref.ref(x) for x in (session, session.viewing, session.viewing.overlay)]
    session.close()
    del session
    gc.collect()
    assert [ref() for ref in kept] == [None] * 3
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
