"""The Patterns dock: what it draws and lists, against pandas."""

import numpy as np
import pandas as pd
import pytest
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication

from napari_seespot import sessions
from napari_seespot.neighbours import clustering
from napari_seespot.patterns import flow_distributions, share_by_column
from napari_seespot.plots.marks import Bar, Path
from napari_seespot.plots.pattern_charts import (
    clustering_chart,
    flow_chart,
    share_chart,
)
from napari_seespot.session import Session
from napari_seespot.widgets.patterns import PatternsWidget


@pytest.fixture
def dock(viewer, session, qtbot):
    dock = PatternsWidget(viewer)
    dock.native.resize(360, 700)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    computed(dock, qtbot)
    yield dock
    if isalive(dock.native):
        dock.native.close()
        dock.native.deleteLater()


def computed(dock, qtbot):
    qtbot.wait(600)  # until the state has rested, on a busy machine too
    qtbot.waitUntil(lambda: not dock._worker.busy, timeout=20_000)
    QApplication.processEvents()


def passing(session):
    table = session.dataset.spots.to_pandas()
    table = table.astype({"chan": str, "unmixed_chan": str, "status": str})
    return table[session.view.mask.of(slice(None))]


def boxes(chart):
    return [mark for mark in chart.marks if isinstance(mark, Bar)]


def test_boxes_are_the_quantiles_that_pandas_finds(dock, session):
    table = passing(session)
    chart = dock.views["flow"].chart
    assert chart.title == "r of reassigned spots"
    assert chart.x.names == ("488\n→ 514", "488\n→ 561")
    assert len(boxes(chart)) == 6
    for box in boxes(chart):
        pick = box.key
        chosen = table[
            (table["chan"] == pick.chan) & (table["unmixed_chan"] == pick.unmixed_chan)
        ]["r"].astype(float)
        assert box.y == pytest.approx(tuple(chosen.quantile([0.25, 0.75])))
        assert f"{len(chosen):,} spots" in box.tip
    groups = dock.tables["flow"].frame["group"].unique()
    assert list(groups) == ["flow", "unchanged chan", "unchanged unmixed_chan"]


def test_measures_and_channels_are_chosen(dock, session):
    assert list(dock.measure_box.choices) == ["r", "dist", "intensity_ratio"]
    dock.measure_box.value = "intensity_ratio"
    dock.chan_box.value = "561"
    chart = dock.views["flow"].chart
    assert chart.title == "intensity_ratio of reassigned spots"
    assert chart.x.names == ("561\n→ 488", "561\n→ 514")
    table = passing(session)
    flow = table[(table["chan"] == "561") & (table["unmixed_chan"] == "488")]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = flow["chan_488_intensity"].astype(float) / flow["chan_561_intensity"]
    ratio = ratio[np.isfinite(ratio)]
    line = dock.tables["flow"].frame.iloc[0]
    assert line["count"] == len(ratio)
    assert line["q50"] == pytest.approx(ratio.median(), rel=1e-5)
    dock.chan_box.value = dock.chan_box.choices[0]
    assert len(dock.views["flow"].chart.x.names) == 6


def test_a_click_selects_the_group(dock, session):
    box = boxes(dock.views["flow"].chart)[0]
    dock.views["flow"].picked.emit(box.key, "replace")
    chosen = session.selected().astype(str)
    assert set(chosen["chan"]) == {box.key.chan}
    assert set(chosen["unmixed_chan"]) == {box.key.unmixed_chan}


def test_shares_need_removed_spots_to_pass(dock, session, qtbot):
    dock.pages.turn_to("Shares")
    computed(dock, qtbot)
    chart = dock.views["share"].chart
    assert "do not pass the filters" in chart.caption
    assert "removed" not in dock.tables["share"].frame
    dock.follow_box.value = False
    dock.column_box.value = "z"
    dock.bins_box.value = 4
    computed(dock, qtbot)
    frame = dock.tables["share"].frame
    table = session.dataset.spots.to_pandas()
    z = table["z"].to_numpy(float)
    edges = np.quantile(z, np.linspace(0, 1, 5))
    place = pd.cut(z, edges, labels=False, include_lowest=True, right=False)
    place = np.where(z == edges[-1], 3, place)
    removed = (table["status"] == "removed").groupby(place).mean()
    assert frame["removed"].tolist() == pytest.approx(removed.tolist())
    kept = table["status"] != "removed"
    moved = (table["status"] == "reassigned")[kept].groupby(place[kept]).mean()
    assert frame["reassigned"].tolist() == pytest.approx(moved.tolist())
    assert dock.views["share"].chart.title == "Shares against z"


def test_shares_are_steps_as_wide_as_the_bins():
    table = pd.DataFrame(
        {
            "low": [0.0, 1.0, 10.0],
            "high": [1.0, 10.0, 11.0],
            "count": [100, 100, 50],
            "reassigned": [0.5, 0.25, np.nan],
            "removed": [0.2, 0.0, 1.0],
        }
    )
    chart = share_chart(table, "r", True)
    lines = [mark for mark in chart.marks if isinstance(mark, Path)]
    assert [line.x.tolist() for line in lines] == [[0, 1, 1, 10, 10, 11]] * 2
    np.testing.assert_array_equal(lines[0].y, [0.5, 0.5, 0.25, 0.25, np.nan, np.nan])
    assert lines[1].y.tolist() == [0.2, 0.2, 0, 0, 1, 1]
    steps = boxes(chart)
    assert [step.x for step in steps] == [(0, 1), (1, 10), (0, 1), (1, 10), (10, 11)]
    error = 1.96 * np.sqrt(0.5 * 0.5 / 80)  # 80 of 100 were kept
    assert steps[0].y == pytest.approx((0.5 - error, 0.5 + error))
    error = 1.96 * np.sqrt(0.2 * 0.8 / 100)
    assert steps[2].y == pytest.approx((0.2 - error, 0.2 + error))
    assert "50.0% of 80 kept spots reassigned" in steps[0].tip
    only = share_chart(table, "r", False)
    assert len(boxes(only)) == 2
    assert "not known" in only.caption


def test_a_click_on_a_step_selects_its_spots(dock, session, qtbot):
    dock.follow_box.value = False
    dock.pages.turn_to("Shares")
    dock.bins_box.value = 5
    computed(dock, qtbot)
    frame = dock.tables["share"].frame
    table = session.dataset.spots.to_pandas()
    steps = boxes(dock.views["share"].chart)
    assert len(steps) == 10
    for step in steps:
        dock.views["share"].picked.emit(step.key, "replace")
        line = frame[frame["low"] == step.x[0]].iloc[0]
        among = line["count"]
        if step.key.status == "reassigned":
            among = line["count"] * (1 - line["removed"])
        wanted = round(among * line[step.key.status])
        assert session.state.selection.count == wanted
        assert set(session.selected()["status"]) == {step.key.status}
    assert frame["count"].sum() == np.isfinite(table["r"].astype(float)).sum()


def test_whiskers_boxes_and_medians_are_pandas_quantiles(dock, session):
    table = passing(session)
    chart = dock.views["flow"].chart
    marks = list(chart.marks)
    for place, box in enumerate(marks):
        if not isinstance(box, Bar):
            continue
        lower, upper, median, mean = (marks[place + step] for step in (-2, -1, 1, 2))
        pick = box.key
        chosen = table["chan"] == pick.chan
        chosen &= table["unmixed_chan"] == pick.unmixed_chan
        values = table.loc[chosen, "r"].astype(float)
        q = values.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
        assert lower.y.tolist() == pytest.approx(q[:2])
        assert box.y == pytest.approx((q[1], q[3]))
        assert upper.y.tolist() == pytest.approx(q[3:])
        assert median.y.tolist() == pytest.approx([q[2]] * 2)
        assert mean.y.tolist() == pytest.approx([values.mean()])


def test_empty_groups_have_no_box(make_dataset):
    dataset = make_dataset(400)
    table = dataset.spots.to_pandas()
    # Nothing of 488 stayed in 488, and the flow to 514 has no r.
    where = ~((table["chan"] == "488") & (table["status"] == "unchanged")).to_numpy()
    found = flow_distributions(dataset.spots, where)
    chart = flow_chart(found, dataset, "r", "488")
    groups = [(box.key.chan, box.key.unmixed_chan) for box in boxes(chart)]
    assert groups == [("488", "514"), ("514", "514"), ("488", "561"), ("561", "561")]
    found.loc[found["group"] == "flow", "count"] = 0
    chart = flow_chart(found, dataset, "r", "488")
    assert [box.key.chan for box in boxes(chart)] == ["514", "561"]


def test_intensity_ratios_are_readable(make_dataset):
    dataset = make_dataset(3000)
    found = flow_distributions(dataset.spots)
    ratios = found[found["measure"] == "intensity_ratio"]
    assert ratios["q05"].min() < 0  # the background was brighter than some spots
    chart = flow_chart(found, dataset, "intensity_ratio")
    low, high = chart.y.limits
    values = {float(text.replace(",", "")): place for place, text in chart.y.ticks}
    assert {0.0, 1.0} <= set(values)
    assert all(low <= place <= high for place in values.values())
    # Of a whisker to hundreds, what is near 1 keeps a good part of the axis.
    assert (values[1.0] - values[0.0]) / (high - low) > 0.1
    for box in boxes(chart):
        line = ratios[
            (ratios["q25"] == np.sinh(box.y[0]) * 0.1)
            | np.isclose(ratios["q25"], np.sinh(box.y[0]) * 0.1)
        ]
        assert len(line)
        assert np.isclose(line["q75"], np.sinh(box.y[1]) * 0.1).any()
    assert "Linear from -0.1 to 0.1, log beyond" in chart.caption


def test_clustering_is_drawn_with_its_interval(dock, session, qtbot):
    dock.pages.turn_to("Clustering")
    dock.k_box.value = 3
    dock.sample_box.value = 200
    computed(dock, qtbot)
    wanted = clustering(
        session.dataset.spots, session.dataset.voxel_size, 3, 200,
        where=session.view.where,
    )  # fmt: skip
    pd.testing.assert_frame_equal(dock.tables["clustering"].frame, wanted)
    chart = dock.views["clustering"].chart
    assert chart.title == "Own kind among the 3 nearest"
    assert [box.y[1] for box in boxes(chart)] == wanted["share"].dropna().tolist()


def test_nothing_to_count(make_dataset, viewer, dock, qtbot):
    dataset = make_dataset(0)
    assert flow_chart(flow_distributions(dataset.spots), dataset, "r").caption == (
        "No spot that counts was reassigned."
    )
    empty = share_chart(share_by_column(dataset.spots, "r"), "r", True)
    assert empty.caption == "No spot to count."
    clustering_chart(clustering(dataset.spots, (1, 1, 1)), 3)
    sessions.attach(viewer, Session(dataset))
    for page in dock.pages.names:
        dock.pages.turn_to(page)
        computed(dock, qtbot)
        for chart in dock.charts:
            chart.grab()
    sessions.attach(viewer, None)
    assert dock._measures() == []
    assert dock._columns() == []
    dock._show_flows()
