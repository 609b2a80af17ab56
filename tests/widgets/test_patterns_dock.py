"""The Patterns dock: what it draws and lists, against pandas."""

import numpy as np
import pandas as pd
import pytest
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication

from napari_seespot import sessions
from napari_seespot.neighbours import clustering
from napari_seespot.patterns import flow_distributions, share_by_column
from napari_seespot.plots.charts import Bar, Dots, Path
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
    qtbot.wait(430)  # until the state has rested
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


def test_intervals_of_shares():
    table = pd.DataFrame(
        {
            "low": [0.0, 1.0],
            "high": [1.0, 2.0],
            "count": [100, 100],
            "reassigned": [0.5, np.nan],
            "removed": [0.2, 1.0],
        }
    )
    chart = share_chart(table, "r", True)
    bands = [m for m in chart.marks if isinstance(m, Path) and m.band is not None]
    assert len(bands) == 2
    error = 1.96 * np.sqrt(0.5 * 0.5 / 80)  # 80 of 100 were kept
    assert bands[0].y[0] == pytest.approx(0.5 + error)
    assert bands[0].band[0] == pytest.approx(0.5 - error)
    assert len([m for m in chart.marks if isinstance(m, Dots)]) == 2


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
