"""The Summary dock: its numbers against pandas, its clicks, its pages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_seespot import sessions
from napari_seespot.picks import Pick
from napari_seespot.plots.marks import Bar, Path, Ribbon
from napari_seespot.plots.theme import DARK, LIGHT
from napari_seespot.session import Session
from napari_seespot.widgets._frame_table import FrameTable, cell_text
from napari_seespot.widgets.summary import SummaryWidget


@pytest.fixture
def dock(viewer, session, qtbot):
    dock = SummaryWidget(viewer)
    dock.native.resize(360, 700)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    computed(dock, qtbot)
    yield dock
    if isalive(dock.native):
        dock.native.close()
        dock.native.deleteLater()


def computed(dock, qtbot):
    qtbot.wait(140)  # until the state has rested
    qtbot.waitUntil(lambda: not dock._worker.busy, timeout=20_000)
    QApplication.processEvents()


def turn(dock, qtbot, page):
    dock.pages.turn_to(page)
    computed(dock, qtbot)


def passing(session):
    table = session.dataset.spots.to_pandas()
    return table[session.view.mask.of(slice(None))]


def keyed(chart):
    kinds = (Bar, Ribbon)
    return [m for m in chart.marks if isinstance(m, kinds) and m.key is not None]


def test_bars_follow_the_filters_and_can_ignore_them(dock, session, qtbot):
    chart = dock.views["status"].chart
    wanted = pd.crosstab(passing(session)["chan"], passing(session)["status"])
    for bar in keyed(chart):
        assert bar.x[1] - bar.x[0] == wanted.loc[bar.key.chan, bar.key.status]
    assert "removed 0" in dict(chart.legend)
    session.state.filters.ranges["r"] = (0.1, 1)
    computed(dock, qtbot)
    total = int(dock.views["status"].chart.data.to_numpy().sum())
    assert total == len(passing(session))
    assert dock.counted.value == f"<b>{total:,} of 2,000 spots</b>"
    dock.follow_box.value = False
    computed(dock, qtbot)
    assert dock.views["status"].chart.data.to_numpy().sum() == 2000
    assert dock.counted.value == "<b>2,000 of 2,000 spots</b>"
    before = dock.views["status"].chart
    session.state.filters.ranges["r"] = (0.3, 1)
    computed(dock, qtbot)
    assert dock.views["status"].chart is before


def test_a_click_on_a_bar_selects_its_spots(dock, session):
    view = dock.views["status"]
    view.grab()
    table = passing(session)
    rows = (table["chan"] == "514") & (table["status"] == "reassigned")
    key = Pick(chan="514", status="reassigned")
    (hit,) = [hit for hit in view.layout_.hits if hit.key == key]
    place = hit.outline.boundingRect().center().toPoint()
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
    assert session.state.selection.count == rows.sum()
    assert set(session.selected()["status"]) == {"reassigned"}
    view.picked.emit(Pick(chan="488", status="unchanged"), "add")
    more = (table["chan"] == "488") & (table["status"] == "unchanged")
    assert session.state.selection.count == rows.sum() + more.sum()
    view.picked.emit("nothing", "replace")


def test_a_click_selects_what_was_counted(dock, session, qtbot):
    session.state.filters.ranges["r"] = (0.1, 1)
    dock.follow_box.value = False
    computed(dock, qtbot)
    dock.views["status"].picked.emit(Pick(chan="488"), "replace")
    table = session.dataset.spots.to_pandas()
    assert session.state.selection.count == (table["chan"] == "488").sum()


def test_the_flow_is_what_pandas_crosses(dock, session, qtbot):
    dock.follow_box.value = False
    turn(dock, qtbot, "Flow")
    table = session.dataset.spots.to_pandas().astype({"chan": str})
    given = (
        table["unmixed_chan"]
        .astype(object)
        .where(table["unmixed_chan"].notna(), "removed")
    )
    wanted = pd.crosstab(table["chan"], given)
    frame = dock.flow_table.frame
    assert (frame.to_numpy() == wanted[frame.columns].to_numpy()).all()
    ribbon = keyed(dock.views["flow"].chart)[0]
    dock.views["flow"].picked.emit(ribbon.key, "replace")
    assert (
        session.state.selection.count
        == (wanted.loc[ribbon.key.chan, ribbon.key.unmixed_chan])
    )


@pytest.mark.parametrize("by", ["status", "chan", "unmixed_chan"])
def test_histograms_are_numpys(dock, session, qtbot, by):
    dock.by_box.value = by
    turn(dock, qtbot, "Quality")
    table = passing(session)
    codes = session.dataset.spots.codes(by)[table.index]
    names = session.dataset.spots.class_names(by)
    for column in ("r", "dist"):
        data = dock.views[column].chart.data
        edges = np.append(data["low"], data["high"].iloc[-1])
        for code, name in enumerate(names):
            values = table[column].to_numpy(float)[codes == code]
            assert (data[name] == np.histogram(values, edges)[0]).all()
    assert dock.views["r_dist"].chart.data[list(names)].to_numpy().sum() == len(table)
    bar = keyed(dock.views["r"].chart)[0]
    dock.views["r"].picked.emit(bar.key, "replace")
    assert session.state.selection.count == bar.y[1] - bar.y[0]


def test_the_pair_page_is_the_notebooks(dock, session, qtbot):
    turn(dock, qtbot, "Pair")
    session.state.pair = ("488", "561")
    computed(dock, qtbot)
    summed = session.overview()
    shown = dock.pair_page.statistics.frame["value"]
    pd.testing.assert_series_equal(shown, summed.statistics, check_names=False)
    table = passing(session)
    assert shown["spots"] == len(table)
    assert shown["mean_r"] == pytest.approx(table["r"].mean(), rel=1e-5)
    finite = table["chan_561_intensity"].replace([np.inf, -np.inf], np.nan)
    assert shown["mean_561"] == pytest.approx(finite.mean(), rel=1e-5)
    channels = dock.pair_page.views["channels"].chart.data["spots"]
    assert channels.to_dict() == table["chan"].value_counts().to_dict()
    assert dock.pair_page.views["picture"].chart.x.label == "488 · Crh intensity"
    assert keyed(dock.pair_page.views["dist"].chart)


def test_a_click_on_a_bin_selects_its_spots(dock, session, qtbot):
    turn(dock, qtbot, "Quality")
    view = dock.views["r_dist"]
    view.grab()
    ((picture, shape),) = view.layout_.pictures
    table = view.chart.data
    names = list(session.dataset.spots.class_names("status"))
    for line in table[::37].to_dict("records"):
        x = (line["x_low"] + line["x_high"]) / 2
        y = (line["y_low"] + line["y_high"]) / 2
        view.picked.emit(picture.cell_at(x, y, shape).key, "replace")
        assert session.state.selection.count == sum(line[name] for name in names)
        selected = session.selected()
        assert selected["r"].between(line["x_low"], line["x_high"]).all()
        assert selected["dist"].between(line["y_low"], line["y_high"]).all()
    place = view.layout_.pixel(x, y).toPoint()
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
    rows = passing(session)
    assert session.state.selection.count > 0
    assert set(session.selected()["spot_id"]) <= set(rows["spot_id"])


def test_a_click_on_the_pairs_picture_selects_its_spots(dock, session, qtbot):
    dock.follow_box.value = False
    turn(dock, qtbot, "Pair")
    view = dock.pair_page.views["picture"]
    view.grab()
    ((picture, shape),) = view.layout_.pictures
    line = view.chart.data.iloc[5]
    x, y = (line[["x_low", "x_high"]].mean(), line[["y_low", "y_high"]].mean())
    view.picked.emit(picture.cell_at(x, y, shape).key, "replace")
    names = list(session.dataset.spots.class_names("status"))
    assert session.state.selection.count == line[names].sum()
    a, b = (session.selected()[f"chan_{c}_intensity"] for c in session.state.pair)
    assert a.between(line["x_low"], line["x_high"]).all()
    assert b.between(line["y_low"], line["y_high"]).all()


def test_any_pair_is_chosen_on_its_page(dock, session, viewer, qtbot, make_dataset):
    turn(dock, qtbot, "Pair")
    page = dock.pair_page
    assert page.pair_box.value == ("488", "514")
    assert len(page.pair_box.choices) == 3
    page.pair_box.value = ("514", "561")
    assert session.state.pair == ("514", "561")
    computed(dock, qtbot)
    assert page.summed.pair == ("514", "561")
    session.state.pair = ("561", "488")  # by others, and the other way round
    assert page.pair_box.value == ("561", "488")
    computed(dock, qtbot)
    assert "mean_561" in page.statistics.frame.index
    assert page.views["picture"].chart.x.label == "561 intensity"
    paths = [m for m in page.views["picture"].chart.marks if isinstance(m, Path)]
    assert paths
    session.state.dye_lines = False
    computed(dock, qtbot)
    marks = page.views["picture"].chart.marks
    assert not [m for m in marks if isinstance(m, Path)]
    sessions.attach(viewer, Session(make_dataset(channels=("488", "514"))))
    assert page.pair_box.choices == (("488", "514"),)
    sessions.attach(viewer, None)
    assert page.pair_box.choices == ()


def test_axes_of_the_pair_leave_odd_values_out_or_hold_them(dock, session, qtbot):
    turn(dock, qtbot, "Pair")
    page = dock.pair_page
    shown = page.summed.picture.total
    finite = passing(session)[["chan_488_intensity", "chan_514_intensity"]]
    finite = finite[np.isfinite(finite).all(axis=1)]
    assert 0.98 * len(finite) < shown < len(finite)
    assert f"{shown:,} of {len(passing(session)):,} spots; the others lie" in (
        page.views["picture"].chart.caption
    )
    page.axes_box.value = "minmax"
    computed(dock, qtbot)
    assert page.summed.picture.total == len(finite)
    assert page.summed.picture.x_edges[-1] == finite["chan_488_intensity"].max()


def test_the_pairs_page_is_saved(dock, session, qtbot, tmp_path, monkeypatch):
    page = dock.pair_page
    page.save_button.native.click()  # nothing is there yet
    page.save(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
    turn(dock, qtbot, "Pair")
    for ending in (".png", ".svg", ".pdf"):
        path = tmp_path / f"page{ending}"
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", lambda *_, p=path: (str(p), "")
        )
        page.save_button.native.click()
        assert path.stat().st_size > 1000
    text = (tmp_path / "page.svg").read_text()
    assert "488 · Crh / 514 · Penk" in text
    assert f"spots {len(passing(session)):,}" in text
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "a.png"), "")
    )
    page.save_button.native.click()
    assert "cannot be written" in dock._note.value
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    page.save_button.native.click()


def test_a_new_theme_counts_nothing_anew(dock, qtbot):
    turn(dock, qtbot, "Quality")
    before = dock.views["r_dist"].chart
    for theme in (LIGHT, DARK):
        for view in dock.charts:
            view.set_theme(theme)
            view.grab()
    assert dock.views["r_dist"].chart is before
    assert not dock._worker.busy


@pytest.mark.parametrize("follows", [True, False])
def test_the_docks_report_counts_what_the_dock_counts(
    dock, session, qtbot, tmp_path, monkeypatch, follows
):
    asked = []

    def pages(view, filters, follow, cancelled):
        asked.append((filters, follow))
        return iter(())

    monkeypatch.setattr("napari_seespot.widgets.summary.report_pages", pages)
    monkeypatch.setattr(
        "napari_seespot.plots.exports.save_pages", lambda *_, **__: None
    )
    dock.follow_box.value = follows
    dock.write_report(tmp_path / "report.pdf")
    qtbot.waitUntil(lambda: dock._note.value.startswith("Written"), timeout=10_000)
    ((filters, follow),) = asked
    assert follow == follows
    assert ("whatever the filters" in filters) != follows


def test_ratios_and_memory(dock, session, qtbot):
    turn(dock, qtbot, "Ratios")
    chart = dock.views["ratios"].chart
    pd.testing.assert_frame_equal(chart.data, session.dataset.ratios, check_names=False)
    turn(dock, qtbot, "Memory")
    report = session.dataset.spots.memory_report()
    pd.testing.assert_frame_equal(dock.memory.frame, report)
    assert f"{report['bytes'].sum() / 2000:.1f} bytes a spot" in (
        dock._memory_text.text()
    )


def test_the_pipelines_summary_is_set_beside_the_table(
    viewer, dock, make_dataset, qtbot
):
    assert dock.differences.isHidden()
    assert "no summary" in dock._told_text.text()
    dataset = make_dataset()
    kept = dataset.spots.flow().sum().drop("removed")
    told = pd.DataFrame({"channel": kept.index, "kept_spots": kept.to_numpy()})
    told.loc[0, "kept_spots"] -= 3
    sessions.attach(viewer, Session(replace(dataset, summary=told)))
    computed(dock, qtbot)
    frame = dock.differences.frame
    assert frame["difference"].tolist() == [3, 0, 0]
    assert not dock.differences.isHidden()
    assert "differs in 1 of 3 numbers, by 3" in dock.views["status"].chart.caption


def test_every_page_without_rows_columns_and_pairs(dock, viewer, make_dataset, qtbot):
    empty, single = make_dataset(0), make_dataset(channels=("488",), ratios=False)
    columns = {
        name: column
        for name, column in single.spots.columns.items()
        if name not in ("r", "dist")
    }
    bare = type(single.spots)(columns, channels=("488",))
    for dataset in (empty, single, replace(single, spots=bare)):
        sessions.attach(viewer, Session(dataset))
        for page in dock.pages.names:
            turn(dock, qtbot, page)
            for chart in dock.charts:
                chart.grab()
    turn(dock, qtbot, "Quality")
    assert dock._note.value == "This table has no column r and no dist."
    for name in ("r", "dist", "r_dist"):  # nothing is left of the table before
        assert not dock.views[name].chart.marks
        assert "no such column" in dock.views[name].chart.caption
    turn(dock, qtbot, "Pair")
    assert dock._note.value == "A pair needs two spot channels."
    assert dock.pair_page.summed is None
    assert not any(view.chart.marks for view in dock.pair_page.views.values())
    assert len(dock.pair_page.statistics.frame) == 0
    sessions.attach(viewer, None)
    assert dock._hint.visible


def test_an_error_is_told(dock, qtbot, monkeypatch):
    dock.report(ValueError("it went wrong"))
    assert dock._note.value == "it went wrong"
    assert dock._note.visible


def test_the_report_is_written_beside_the_window(
    dock, session, qtbot, tmp_path, monkeypatch
):
    path = tmp_path / "report.pdf"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    dock.report_button.native.click()
    qtbot.waitUntil(lambda: dock._note.value.startswith("Written"), timeout=30_000)
    assert path.read_bytes().startswith(b"%PDF")
    dock.write_report(tmp_path / "no" / "report.pdf")
    qtbot.waitUntil(lambda: "cannot be written" in dock._note.value, timeout=30_000)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    dock.report_button.native.click()
    assert not dock._reporter.busy
    sessions.attach(dock._viewer, None)
    dock.report_button.native.click()
    dock.write_report(path)


# ---- the small table


@pytest.fixture
def table(qtbot):
    widget = FrameTable("A table")
    frame = pd.DataFrame({"a": [1, 2], "b": [0.123456, np.nan], "c": ["x", None]})
    widget.show_frame(frame)
    yield widget
    widget.close()
    widget.deleteLater()


def test_cells_are_texts(table):
    assert [cell_text(v) for v in (8059238, 0.123456, np.nan, "x", None)] == [
        "8,059,238", "0.1235", "\N{EN DASH}", "x", "\N{EN DASH}",
    ]  # fmt: skip
    model = table.model()
    assert model.data(model.index(0, 1)) == "0.1235"
    assert model.headerData(1, Qt.Orientation.Horizontal) == "b"
    assert model.headerData(1, Qt.Orientation.Vertical) == "1"


def test_a_table_is_copied_and_saved(table, tmp_path, monkeypatch):
    QTest.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    text = QApplication.clipboard().text()
    assert text.splitlines()[0] == "a\tb\tc"
    table.selectRow(1)
    table.copy()
    assert len(QApplication.clipboard().text().splitlines()) == 2
    path = str(tmp_path / "t.csv")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    copy, save = table.menu().actions()
    copy.trigger()
    save.trigger()
    pd.testing.assert_frame_equal(pd.read_csv(path), table.frame)
    told = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *args: told.append(args[-1]))
    path = str(tmp_path / "no" / "t.csv")
    table._save_as()
    assert "cannot be written" in told[0]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    table._save_as()


def test_enter_activates_a_row(table, qtbot):
    table.show()
    table.setCurrentIndex(table.model().index(1, 0))
    with qtbot.waitSignal(table.activated_row) as told:
        QTest.keyClick(table, Qt.Key.Key_Return)
    assert told.args == [1]


@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize(
    ("page", "view", "columns"),
    [("Quality", "r_dist", ("r", "dist")), ("Pair", "picture", ("488", "514"))],
)
def test_what_is_drawn_in_a_plane_is_selected(
    dock, session, qtbot, page, view, columns, follows
):
    assert not dock.tools.native.isVisible()
    dock.follow_box.value = follows
    turn(dock, qtbot, page)
    assert dock.tools.native.isVisible()
    chart = dock.views[view] if page == "Quality" else dock.pair_page.views[view]
    assert chart.chart.columns in (columns, columns[::-1]) or page == "Pair"
    dock.tools.buttons["rectangle"].native.click()
    qtbot.wait(50)  # Qt lays the page out
    chart.grab()
    layout = chart.layout_
    plot = layout.plot
    ends = [
        QPoint(int(plot.x() + a * plot.width()), int(plot.y() + b * plot.height()))
        for a, b in ((0.2, 0.3), (0.8, 0.95))
    ]
    QTest.mousePress(chart, Qt.MouseButton.LeftButton, pos=ends[0])
    QTest.mouseMove(chart, ends[1])
    QTest.mouseRelease(chart, Qt.MouseButton.LeftButton, pos=ends[1])
    qtbot.waitUntil(lambda: not dock._outliner.busy, timeout=20_000)
    (x0, y1), (x1, y0) = (layout.value(QPointF(end)) for end in ends)
    table = session.dataset.spots.to_pandas()
    names = [n if n in table else f"chan_{n}_intensity" for n in chart.chart.columns]
    x, y = (table[name].to_numpy(float) for name in names)
    wanted = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    if follows:
        wanted &= session.view.mask.of(slice(None))
    assert wanted.sum() > 20
    assert (session.state.selection.mask != wanted).sum() <= 2  # on the line
    assert session.outline[1] == chart.chart.columns
    dock.tools.buttons["rectangle"].native.click()
    assert not chart.draws
