"""The Spots dock: its numbers against pandas, its widgets against the state."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QApplication, QWidget
from tests.widgets.conftest import finish_deleting

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.dataset import Dataset
from napari_seespot.session import Session
from napari_seespot.spots import Spots
from napari_seespot.widgets.spots import SpotsWidget

CHANNELS = ("488", "514", "561")


@pytest.fixture
def dock(qapp, viewer):
    dock = SpotsWidget(viewer)
    yield dock
    dock.native.deleteLater()
    finish_deleting()


def numbers(boxes):
    """Return the counts that stand beside the check boxes."""
    return {
        name: int(box.text.rpartition("(")[2].rstrip(")").replace(",", ""))
        for name, box in boxes.items()
    }


def hidden(widget):
    return widget.native.isHidden()


def test_without_a_dataset(dock):
    assert dock.session is None
    assert not hidden(dock._hint)
    assert "No dataset is open" in dock._hint.value
    assert dock._area.isHidden()


def test_it_shows_the_session_that_comes_and_goes(dock, make_session, viewer):
    session = make_session()
    assert dock.session is session
    assert hidden(dock._hint)
    assert not dock._area.isHidden()
    sessions.attach(viewer, None)
    assert dock.session is None
    assert not hidden(dock._hint)
    other = make_session(100, ("488",))
    assert dock.session is other
    assert list(dock.channels) == ["488"]


def test_opened_later_it_shows_the_same(qapp, viewer, session):
    session.state.color_by = "dist"
    session.state.filters.status = {"removed"}
    session.state.filters.channels = {"488", "561"}
    session.state.filters.ranges["r"] = (-0.25, 0.5)
    session.state.slab_planes = 7.5
    session.state.picture = "density"
    session.state.max_points = 500
    for _ in range(2):
        dock = SpotsWidget(viewer)
        assert dock.color_by.value == "dist"
        assert [n for n, box in dock.status.items() if box.value] == ["removed"]
        assert [n for n, box in dock.channels.items() if box.value] == ["488", "561"]
        assert dock.ranges["r"].value == pytest.approx((-0.25, 0.5))
        assert dock.slab.value == 7.5
        assert dock.picture.value == "density of all"
        assert dock.max_points.value == 500
        dock.native.deleteLater()
        finish_deleting()
    session.state.color_by = "status"  # nobody listens any more


@pytest.mark.parametrize("by", ["status", "unmixed_chan"])
def test_counts_are_those_of_pandas(dock, session, by):
    session.state.color_by = by
    session.state.filters.ranges["r"] = (0, 1)
    session.state.filters.status = {"reassigned", "removed"}
    session.state.filters.channels = {"488", "514"}
    table = session.dataset.spots.to_pandas()
    good = table["r"].between(0, 1)
    shown = table["chan"] if by == "status" else table["unmixed_chan"]
    in_channels = shown.isin(["488", "514"])
    in_status = table["status"].isin(["reassigned", "removed"])
    n = int((good & in_channels & in_status).sum())
    assert dock.counts.value == f"<b>{n:,} of 2,000 spots</b>"
    assert numbers(dock.status) == {
        name: int((good & in_channels & (table["status"] == name)).sum())
        for name in ("unchanged", "reassigned", "removed")
    }
    assert numbers(dock.channels) == {
        name: int((good & in_status & (shown == name)).sum()) for name in CHANNELS
    }


def test_what_the_user_sets_is_in_the_state(dock, session):
    state = session.state
    dock.color_by.value = "chan"
    dock.status["removed"].value = True
    dock.status["unchanged"].value = False
    dock.channels["514"].value = False
    dock.ranges["r"].value = (-0.5, dock.ranges["r"].max)
    dock.point_size.value = 4.2
    dock.slab.value = 11
    dock.picture.value = "points"
    dock.max_points.value = 12_345
    assert state.color_by == "chan"
    assert state.filters.status == {"reassigned", "removed"}
    assert state.filters.channels == {"488", "561"}
    assert dict(state.filters.ranges) == {"r": (-0.5, None)}
    assert (state.point_size_um, state.slab_planes) == (4.2, 11)
    assert (state.picture, state.max_points) == ("points", 12_345)
    dock.channels["514"].value = True
    assert state.filters.channels is None
    dock.ranges["r"].value = (dock.ranges["r"].min, dock.ranges["r"].max)
    assert dict(state.filters.ranges) == {}
    dock.reset.changed.emit(True)
    assert state.filters.status == {"unchanged", "reassigned"}
    assert dock.status["unchanged"].value
    assert not dock.status["removed"].value


def test_showing_a_state_does_not_change_it(dock, session):
    before = session.state.snapshot()
    heard = []
    session.state.changed.connect(heard.append)
    dock._show(session.view)
    session.state.filters.ranges["r"] = (0.123456, 0.654321)
    assert heard == ["filters.ranges"]
    assert session.state.filters.ranges["r"] == (0.123456, 0.654321)
    session.undo()
    assert session.state.snapshot() == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("slab_planes", 1e6),
        ("slab_planes", 0.04),
        ("point_size_um", 1000),
        ("point_size_um", 0.001),
        ("max_points", 10_000_000),
        ("color_by", "spot_id"),
        ("color_by", "cell_id"),
        ("filters.ranges", {"r": (5, 6)}),
        ("filters.ranges", {"r": (-6, -5)}),
        ("filters.ranges", {"r": (-np.inf, np.inf), "dist": (1e9, 1e10)}),
        ("filters.ranges", {"x": (0, 1)}),
        ("filters.status", set()),
        ("filters.channels", {"removed"}),
        ("filters.channels", set()),
    ],
)
def test_whatever_a_script_sets_can_be_shown(dock, session, path, value):
    part, _, field = path.rpartition(".")
    target = getattr(session.state, part) if part else session.state
    setattr(target, field, value)
    n = session.view.mask.count
    assert dock.counts.value == f"<b>{n:,} of 2,000 spots</b>"
    found = getattr(target, field)
    assert (dict(found) if field == "ranges" else found) == value


def test_an_end_that_is_not_moved_stays_exact(dock, session):
    session.state.filters.ranges.update({"r": (0.123456, 0.9), "x": (0, 50)})
    slider = dock.ranges["r"]
    slider.value = (slider.value[0], 0.5)
    assert session.state.filters.ranges["r"] == (0.123456, 0.5)
    dock.ranges["dist"].value = (0.5, 2.0)
    assert session.state.filters.ranges["r"] == (0.123456, 0.5)
    assert session.state.filters.ranges["x"] == (0, 50)
    assert session.state.filters.ranges["dist"] == pytest.approx((0.5, 2.0))


def test_boxes_keep_what_has_no_box(dock, session):
    session.state.color_by = "unmixed_chan"
    session.state.filters.channels = {"488", "removed"}
    dock.channels["514"].value = True
    assert session.state.filters.channels == {"488", "514", "removed"}


def test_sliders_span_the_finite_values(dock, session):
    r = session.dataset.spots.to_pandas()["r"]
    slider = dock.ranges["r"]
    assert slider.min <= r.min()
    assert slider.max >= r.max()
    assert slider.min == pytest.approx(r.min(), abs=0.011)
    assert slider.max == pytest.approx(r.max(), abs=0.011)


def test_undo_and_redo(dock, session):
    assert not dock.undo.enabled
    assert not dock.redo.enabled
    dock.status["removed"].value = True
    assert dock.undo.enabled
    dock.undo.changed.emit(True)
    assert not dock.status["removed"].value
    assert dock.redo.enabled
    dock.redo.changed.emit(True)
    assert dock.status["removed"].value


def test_a_number_shows_its_gradient(dock, session):
    session.state.color_by = "r"
    assert not hidden(dock.scale)
    low, high = np.percentile(session.dataset.spots.to_pandas()["r"], (1, 99))
    assert dock.scale.value.startswith(f"{low:.3g} ")
    assert dock.scale.value.endswith(f" {high:.3g}")
    session.state.color_by = "chan"
    assert hidden(dock.scale)


def odd_dataset(**columns):
    n = 4
    raw = {
        "chan": np.array(["488"] * n, object),
        "unmixed_chan": np.array(["488"] * n, object),
        **{axis: np.arange(float(n)) for axis in "zyx"},
        "chan_488_intensity": np.ones(n),
        **columns,
    }
    return Dataset("odd", "", Spots.from_columns(raw))


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"r": np.full(4, np.nan)},
        {"r": np.full(4, 0.5)},
        {"r": np.array([-1e30, 0, 1e30, np.inf])},
        {"dist": np.array([0, 1e-9, 2e-9, 0])},
        {"valid_spot": np.array([True, None, False, True], object)},
    ],
)
def test_odd_columns(dock, viewer, columns):
    session = Session(odd_dataset(**columns))
    sessions.attach(viewer, session)
    assert set(dock.ranges) == set(columns) & {"r", "dist"}
    for slider in dock.ranges.values():
        slider.value = (slider.min, (slider.min + slider.max) / 2)
    dock.valid_only.value = True
    table = session.visible()
    assert dock.counts.value == f"<b>{len(table)} of 4 spots</b>"


def test_no_spots(dock, make_session):
    make_session(0)
    assert dock.counts.value == "<b>0 of 0 spots</b>"
    assert set(numbers(dock.status).values()) == {0}


def test_what_is_drawn_is_said(qapp, sample, model):
    dock = SpotsWidget(model)
    session = nss.view(sample, viewer=model)
    assert dock.drawn.value == session.viewing.overlay.shown.text
    model.dims.set_point(0, 20)
    text = model.canvas.overlays["napari-seespot"].text
    assert dock.drawn.value == text
    assert "spots in view, as points" in text
    dock.native.deleteLater()
    finish_deleting()
    model.dims.set_point(0, 5)  # the dock's Python half may still be there
    session.undo()
    session.close()


def test_sessions_that_come_and_go_leave_no_widgets(dock, make_session, viewer):
    make_session()
    finish_deleting()
    gc.collect()
    before = len(dock.native.findChildren(QWidget))
    everywhere = len(QApplication.allWidgets())
    for seed in range(5):
        make_session(seed=seed)
        sessions.attach(viewer, None)
    make_session()
    gc.collect()
    finish_deleting()
    assert len(dock.native.findChildren(QWidget)) <= before
    assert len(QApplication.allWidgets()) <= everywhere + 5


def test_a_closed_dock_is_gone(qapp, viewer, session):
    dock = SpotsWidget(viewer)
    gone = weakref.ref(dock)
    dock.native.deleteLater()
    finish_deleting()
    session.state.color_by = "chan"
    session.undo()
    del dock
    gc.collect()
    assert gone() is None
    assert isinstance(session.visible(), pd.DataFrame)
