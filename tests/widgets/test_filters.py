"""The Filters dock: its numbers against pandas, and what its sliders set."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_seespot import sessions
from napari_seespot.axis_scales import from_scale
from napari_seespot.errors import StateError
from napari_seespot.filter_sets import filter_sets
from napari_seespot.widgets._column_filter import BINS, axis_of
from napari_seespot.widgets._range_histogram import Axis, RangeHistogram
from napari_seespot.widgets.filters import FiltersWidget, _cells, _cells_text


@pytest.fixture
def dock(viewer, qtbot):
    dock = FiltersWidget(viewer)
    yield dock
    dock.native.close()
    dock.native.deleteLater()


@pytest.fixture
def wait(dock, qtbot):
    def wait():
        qtbot.waitUntil(lambda: not dock._pending)
        qtbot.wait(300)  # until histograms are asked for
        qtbot.waitUntil(lambda: not dock._worker.busy and not dock._counter.busy)

    return wait


@pytest.fixture
def plot(qtbot):
    plot = RangeHistogram("tip")
    qtbot.addWidget(plot)
    plot.resize(212, 50)  # 200 pixels between the margins
    plot.show_axis(Axis(0.0, 10.0))
    plot.show_counts(np.arange(5))
    plot.show()
    return plot


# ---- the slider


def drag(plot, start, *stops):
    button = Qt.MouseButton.LeftButton
    QTest.mousePress(plot, button, pos=QPoint(start, 20))
    for stop in stops:
        QTest.mouseMove(plot, QPoint(stop, 20))
    QTest.mouseRelease(plot, button, pos=QPoint(stops[-1] if stops else start, 20))


def test_handles_are_dragged(plot):
    seen, ended = [], []
    plot.dragged.connect(seen.append)
    plot.released.connect(lambda: ended.append(True))
    drag(plot, 6, 46, 66)
    assert seen == [(2.0, None), (3.0, None)]
    assert ended == [True]
    drag(plot, 206, 106)
    assert plot.ends == (3.0, 5.0)
    drag(plot, 66, 196)  # stops at the other one
    assert plot.ends == (5.0, 5.0)
    drag(plot, 106, 166)  # of two in one place, the one that can go there
    assert plot.ends == (5.0, 8.0)
    drag(plot, 26)  # a click: the nearer one jumps
    assert plot.ends == (1.0, 8.0)
    drag(plot, 26, -50)
    assert plot.ends == (None, 8.0)
    QTest.mouseDClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(90, 20))
    assert plot.ends == (None, None)
    assert not plot.dragging
    QTest.mousePress(plot, Qt.MouseButton.RightButton, pos=QPoint(90, 20))
    assert not plot.dragging


def test_handles_are_moved_by_keys(plot):
    plot.show_ends((2.0, 8.0))
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.ends == (2.05, 8.0)
    QTest.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert plot.ends == (1.55, 8.0)
    QTest.keyClick(plot, Qt.Key.Key_Home)
    assert plot.ends == (None, 8.0)
    QTest.keyClick(plot, Qt.Key.Key_Space)
    QTest.keyClick(plot, Qt.Key.Key_Left)
    assert plot.ends == (None, 7.95)
    QTest.keyClick(plot, Qt.Key.Key_End)
    assert plot.ends == (None, None)
    plot.show_ends((1.0, 2.0))
    QTest.keyClick(plot, Qt.Key.Key_Delete)
    assert plot.ends == (None, None)
    QTest.keyClick(plot, Qt.Key.Key_X)
    assert plot.ends == (None, None)


def test_bars_are_painted(plot):
    plot.show_ends((2.0, 8.0))
    image = plot.grab().toImage()
    colors = {image.pixelColor(x, 46).name() for x in range(6, 206)}
    assert "#3b9fd4" in colors  # what passes
    assert len(colors) > 2
    plot.show_counts(np.zeros(5, int))
    assert "#3b9fd4" not in {
        plot.grab().toImage().pixelColor(x, 40).name() for x in range(6, 206)
    }


@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-3, 1e7),
    place=st.floats(0, 1),
    scale=st.sampled_from(["linear", "asinh"]),
)
def test_places_and_values(low, span, place, scale):
    axis = Axis(low, low + span, scale, 100.0)
    value = axis.value(place)
    assert axis.place(value) == pytest.approx(place, abs=0.005)
    assert axis.place(low - 1) == 0
    assert axis.place(low + 2 * span) == 1
    # Short, but to the axis' precision.
    assert len(repr(value)) <= 22


# ---- the dock


def test_histograms_count_what_all_other_filters_let_pass(dock, session, wait):
    filters = session.state.filters
    filters.ranges.update({"r": (-0.5, 0.5), "dist": (0.5, None)})
    filters.chan = {"488", "514"}
    wait()
    table = session.dataset.spots.to_pandas()
    passes = table["status"].isin(filters.status) & table["chan"].isin(filters.chan)
    ranges = {"r": table["r"].between(-0.5, 0.5), "dist": table["dist"] >= 0.5}
    expected = {"r", "dist"} | {f"chan_{c}_intensity" for c in ("488", "514", "561")}
    assert {*dock.columns} == expected
    for name, shown in dock.columns.items():
        axis = shown.plot.axis
        ends = np.arcsinh(np.array([axis.low, axis.high]) / axis.width)
        if axis.scale == "linear":
            edges = np.linspace(axis.low, axis.high, BINS + 1)
        else:
            edges = from_scale(np.linspace(*ends, BINS + 1), "asinh", axis.width)
            edges[[0, -1]] = axis.low, axis.high
        others = [keep for column, keep in ranges.items() if column != name]
        chosen = table[np.logical_and.reduce([passes, *others])][name].to_numpy(float)
        counts = np.histogram(chosen, edges)[0]
        np.testing.assert_array_equal(shown.plot.counts, counts)
        assert counts.sum() > 100
    n = (passes & ranges["r"] & ranges["dist"]).sum()
    assert dock.counts.value == f"<b>{n:,} of 2,000 spots</b> pass"


def test_axes_show_most_of_a_column(session):
    spots = session.dataset.spots
    axis = axis_of(spots, "r")
    low, high = np.percentile(spots.column("r"), (0.1, 99.9))
    assert (axis.low, axis.high, axis.scale) == (low, high, "linear")
    axis = axis_of(spots, "chan_488_intensity")
    values = spots.intensity("488")
    values = values[np.isfinite(values)].astype(float)
    assert (axis.low, axis.high) == tuple(np.percentile(values, (0.1, 99.9)))
    assert axis.scale == "asinh"


def test_a_drag_sets_the_newest_range_once(dock, session, wait, qtbot):
    seen = []
    session.changed.connect(lambda view, names: seen.append(view.mask.ranges))
    plot = dock.columns["r"].plot
    for value in (0.1, 0.2, 0.3):
        plot.dragged.emit((value, None))
    plot.dragged.emit((0.35, 0.9))
    dock.columns["dist"].plot.dragged.emit((None, 2.0))
    wait()
    assert seen == [(("dist", -np.inf, 2.0), ("r", 0.35, 0.9))]
    assert (dock.columns["r"].low.value, dock.columns["r"].high.value) == (
        "0.35",
        "0.9",
    )
    dock.columns["r"].plot.dragged.emit((None, None))
    wait()
    assert "r" not in session.state.filters.ranges
    assert dock.columns["r"].low.value == ""


def test_a_range_is_typed(dock, session, wait):
    shown = dock.columns["r"]
    shown.low.value = " 0.125"
    shown.low.native.editingFinished.emit()
    wait()
    assert session.state.filters.ranges["r"] == (0.125, None)
    assert shown.plot.ends == (0.125, None)
    shown.high.value = "high"
    shown.high.native.editingFinished.emit()
    assert "an end that is no number" in dock.message.value
    shown.high.value = "-3"
    shown.high.native.editingFinished.emit()
    wait()
    assert "goes from 0.125 down to -3" in dock.message.value
    assert session.state.filters.ranges["r"] == (0.125, None)
    assert shown.high.value == ""


def test_boxes_set_classes(dock, session):
    filters = session.state.filters
    assert not dock.boxes["status"]["removed"].value
    dock.boxes["status"]["removed"].value = True
    assert filters.status == {"unchanged", "reassigned", "removed"}
    dock.boxes["chan"]["514"].value = False
    assert filters.chan == {"488", "561"}
    dock.boxes["chan"]["514"].value = True
    assert filters.chan is None
    dock.boxes["unmixed_chan"]["removed"].value = False
    assert filters.unmixed_chan == {"488", "514", "561"}
    filters.status = {"removed"}
    assert [box.value for box in dock.boxes["status"].values()] == [False, False, True]
    assert dock.boxes["chan"]["488"].text == "488 · Crh"
    dock.reset.changed.emit(True)
    assert filters.status == {"unchanged", "reassigned"}
    session.undo()
    assert filters.status == {"removed"}


def test_cells_are_typed(dock, session):
    dock.cells.value = "3, 5-6; 8"
    dock.cells.native.editingFinished.emit()
    assert session.state.filters.cells == {3, 5, 6, 8}
    table = session.dataset.spots.to_pandas()
    passes = table["status"] != "removed"
    passes &= table["cell_id"].isin([3, 5, 6, 8])
    assert session.view.mask.count == passes.sum()
    assert dock.cells.value == "3, 5-6, 8"
    dock.cells.value = "3, x"
    dock.cells.native.editingFinished.emit()
    assert "'x' names no cells" in dock.message.value
    dock.cells.value = " "
    dock.cells.native.editingFinished.emit()
    assert session.state.filters.cells is None
    for text in ("9-3", "1-", "0-99999999"):
        with pytest.raises(StateError, match="names no cells"):
            _cells(text)


@given(st.sets(st.integers(0, 30)))
def test_cells_are_told_as_they_are_typed(cells):
    assert _cells(_cells_text(frozenset(cells))) == (cells or None)


def test_highlight_and_valid_spots(dock, session):
    dock.highlight.value = "removed"
    assert session.state.highlight == "removed"
    session.state.highlight = None
    assert dock.highlight.value == "nothing"
    dock.valid_only.value = True
    assert session.state.filters.valid_only


def test_any_other_column_is_added(dock, session, wait):
    assert "z" in dock.add_column.choices
    assert "r" not in dock.add_column.choices
    dock.add_column.value = "z"
    wait()
    assert "z" not in dock.add_column.choices
    passes = session.visible()["z"]
    axis = dock.columns["z"].plot.axis
    expected = np.histogram(passes, BINS, (axis.low, axis.high))[0].sum()
    assert dock.columns["z"].plot.counts.sum() == expected
    session.state.filters.ranges["cell_id"] = (2, 4)  # by a script
    assert dock.columns["cell_id"].plot.ends == (2, 4)


def test_a_column_that_was_added_is_taken_away(dock, session, wait):
    assert all(shown.close_button.native.isHidden() for shown in dock.columns.values())
    dock.add_column.value = "z"
    session.state.filters.ranges.update({"z": (2.0, 9.0), "r": (0.0, None)})
    wait()
    shown = dock.columns["z"]
    assert shown.plot.ends == (2.0, 9.0)
    assert not shown.close_button.native.isHidden()
    assert shown.close_button.tooltip == "Take the filter of z away"
    shown.close_button.changed.emit(True)
    wait()
    assert "z" not in dock.columns
    assert "z" in dock.add_column.choices
    assert shown not in [*dock._ranges]
    assert dict(session.state.filters.ranges) == {"r": (0.0, None)}
    passes = session.dataset.spots.to_pandas()
    passes = passes[passes["status"].isin(session.state.filters.status)]
    assert session.view.mask.count == (passes["r"] >= 0).sum()
    session.undo()  # the filter is back, and so that it can be seen
    assert dock.columns["z"].plot.ends == (2.0, 9.0)
    dock.columns["z"].close_button.changed.emit(True)
    dock.add_column.value = "z"
    assert dock.columns["z"].plot.ends == (None, None)


def test_a_column_without_a_range_is_taken_away(dock, session, wait):
    before = session.view
    dock.add_column.value = "z"
    wait()
    dock.columns["z"].close_button.changed.emit(True)
    assert "z" not in dock.columns
    assert session.view is before
    dock._on_close_column("z")  # a second click that was on its way
    assert "z" in dock.add_column.choices


def test_channels_that_are_filtered_elsewhere_are_told(dock, session):
    filters = session.state.filters
    assert dock._elsewhere_row.native.isHidden()
    filters.channels = {"561", "488"}
    assert not dock._elsewhere_row.native.isHidden()
    assert dock.elsewhere.value == "Also filtered in Spots: channels 488, 561"
    assert all(box.value for box in dock.boxes["chan"].values())
    filters.channels = {"514"}
    assert dock.elsewhere.value == "Also filtered in Spots: channel 514"
    session.state.color_by = "unmixed_chan"
    filters.status = {"unchanged", "removed"}
    filters.channels = {"514", "removed"}
    assert dock.elsewhere.value == "Also filtered in Spots: channels 514, removed"
    filters.channels = set()
    assert dock.elsewhere.value == "Also filtered in Spots: no channel passes"
    dock.clear_elsewhere.changed.emit(True)
    assert filters.channels is None
    assert dock._elsewhere_row.native.isHidden()
    session.undo()
    assert filters.channels == set()
    assert not dock._elsewhere_row.native.isHidden()


def test_filters_are_saved_under_a_name(dock, session, viewer):
    session.state.filters.ranges["r"] = (0.5, None)
    dock.save_set.changed.emit(True)
    assert "has no name" in dock.message.value
    dock.save_name.value = "sharp"
    dock.save_set.changed.emit(True)
    assert [*filter_sets()] == ["sharp"]
    dock.reset.changed.emit(True)
    assert not session.state.filters.ranges
    dock.saved.value = "sharp"
    assert dict(session.state.filters.ranges) == {"r": (0.5, None)}
    assert dock.saved.value == "saved filters ..."
    dock.delete_set.changed.emit(True)
    assert filter_sets() == {}
    assert dock.saved.choices == ("saved filters ...",)


def test_another_session_and_none(dock, make_session, viewer, wait):
    first = make_session()
    wait()
    make_session(500, ("488", "561"))
    wait()
    assert [*dock.boxes["chan"]] == ["488", "561"]
    assert "chan_514_intensity" not in dock.columns
    sessions.attach(viewer, None)
    assert dock.columns == {}
    reference = weakref.ref(first)
    del first
    gc.collect()
    assert reference() is None


def test_a_dock_that_is_put_away_does_not_count(dock, session, wait, qtbot):
    dock.native.show()
    wait()
    before = dock.columns["dist"].plot.counts
    dock.native.hide()
    session.state.filters.ranges["r"] = (0.5, 1.0)
    qtbot.wait(300)
    assert dock.columns["dist"].plot.counts is before
    dock.native.show()
    wait()
    assert dock.columns["dist"].plot.counts.sum() < before.sum()


def test_empty_tables(dock, make_session, wait):
    make_session(0)
    wait()
    assert dock.counts.value == "<b>0 of 0 spots</b> pass"
    assert all(shown.plot.counts.sum() == 0 for shown in dock.columns.values())
