"""The Review dock: judging by buttons and keys, going on, rates, files, errors."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Points
from napari.utils.key_bindings import KeymapHandler
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QMessageBox, QScrollArea
from tests.widgets.conftest import finish_deleting

import napari_seespot as nss
from napari_seespot import review_file, review_sample, sessions
from napari_seespot.errors import SeeSpotError
from napari_seespot.review import Judging, Plan, Review, review_path, wilson
from napari_seespot.session import Session
from napari_seespot.viewing import Viewing
from napari_seespot.widgets import _review_setup
from napari_seespot.widgets._review_table import short_name
from napari_seespot.widgets.review import ReviewWidget

VIEWPORT = 275  # pixels that a dock's content has in a window of 1366


@pytest.fixture(autouse=True)
def no_wait(monkeypatch):
    """Do not wait for the disk at each verdict; what is written is the same."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def said(monkeypatch):
    """What the dock tells the user."""
    said = []
    for name in ("show_error", "show_info"):
        monkeypatch.setattr(f"napari.utils.notifications.{name}", said.append)
    return said


@pytest.fixture
def make_dock(qtbot):
    def make(viewer):
        dock = ReviewWidget(viewer)
        qtbot.addWidget(dock.native)
        drawn(qtbot, dock)
        return dock

    return make


def drawn(qtbot, dock):
    """Wait until the spots are drawn."""
    qtbot.waitUntil(lambda: dock.judging is not None, timeout=20_000)


def ask(qtbot, dock, strata="status", n=3, who="ada"):
    dock.setup.reviewer.value = who
    dock.setup.strata.value = strata
    dock.setup.per_stratum.value = n
    drawn(qtbot, dock)


@pytest.fixture
def opened(viewer, tables, qtbot, make_dock):
    session = Session(tables)
    sessions.attach(viewer, session)
    dock = make_dock(viewer)
    ask(qtbot, dock)
    return session, dock


def test_a_whole_review(opened, tables, tmp_path):
    session, dock = opened
    assert dock.plan.value == "3 strata, 9 spots to judge"
    assert dock.begin.text == "Begin"
    assert dock.judge_box.native.isHidden()
    flown = []
    session.moved.connect(flown.append)
    dock.begin.native.click()
    assert dock.setup.native.isHidden()
    queue = Plan(3, ("status",), 0).draw(tables.spots)
    assert len(queue) == 9
    verdicts = ["right", "wrong", "unsure"] * 3
    dock.remark.value = "two dyes"
    for place, verdict in enumerate(verdicts):
        assert f"{place + 1} of 9" in dock.spot.value
        assert queue.stratum[place] in dock.spot.value
        assert dock.progress.value == place
        dock.buttons[verdict].native.click()
    assert flown == list(queue.rows)
    assert dock.spot.value == "All 9 spots are judged."
    assert not dock.buttons["right"].enabled
    dock.files.export(tmp_path / "out.csv")
    written = pd.read_csv(tmp_path / "out.csv")
    ids = tables.spots.column("spot_id")[queue.rows]
    assert list(written["spot_id"]) == list(ids)
    assert list(written["verdict"]) == verdicts
    assert written["note"].iloc[0] == "two dyes"
    rates = pd.read_csv(tmp_path / "out-rates.csv", index_col="stratum")
    sizes = tables.spots.to_pandas()["status"].value_counts()
    judged = written[written["verdict"].isin(["right", "wrong"])]
    error = 0.0
    for stratum, size in sizes.items():
        some = judged[judged["stratum"] == stratum]["verdict"]
        wrong = (some == "wrong").sum()
        assert list(rates.loc[stratum, ["size", "judged", "wrong"]]) == [
            size,
            len(some),
            wrong,
        ]
        low, high = wilson(int(wrong), len(some))
        assert rates.loc[stratum, ["low", "high"]].tolist() == pytest.approx(
            [low, high]
        )
        if len(some):
            error += size * wrong / len(some)
            row = (stratum, f"{wrong}/{len(some)}")
            assert row in [texts[:2] for texts in dock.table.texts()]
    known = [s for s in sizes.index if (judged["stratum"] == s).any()]
    covered = sizes[known].sum() / sizes.sum()
    error /= sizes[known].sum()
    assert rates.loc["all", "error"] == pytest.approx(error)
    result = dock.result.value.replace("\u00a0", " ")
    assert f"{100 * error:.1f} %" in result
    assert rates.loc["all", "covered"] == pytest.approx(covered)
    share = "100 %" if covered == 1 else f"{100 * covered:.0f} %"
    assert f"covers {share} of the spots" in result


def test_the_first_offer_is_short(viewer, tables, make_dock):
    sessions.attach(viewer, Session(tables))
    dock = make_dock(viewer)
    queue = Plan().draw(tables.spots)
    assert dock.setup.plan == Plan()
    text = f"{len(queue.sizes)} strata, {len(queue)} spots to judge"
    assert dock.plan.value == text
    assert len(queue) <= 300


def test_a_fresh_dock_offers_to_go_on(opened, viewer, qtbot, make_dock):
    _, dock = opened
    dock.setup.seed.value = 5
    drawn(qtbot, dock)
    dock.begin.native.click()
    for _ in range(4):
        dock.buttons["right"].native.click()
    again = make_dock(viewer)
    assert again.setup.plan == Plan(3, ("status",), 5)
    assert again.setup.who == "ada"
    assert again.begin.text == "Go on: 4 of 9 judged"
    assert again.table.texts()
    again.begin.native.click()
    assert "5 of 9" in again.spot.value
    assert int(again.rates().loc["all", "judged"]) == 4
    lines = again.path.read_text().splitlines()
    assert sum('"plan"' in line for line in lines) == 1  # it went on by the same


def test_changes_are_shown_before_one_begins(opened, qtbot):
    _, dock = opened
    dock.setup.per_stratum.value = 5
    assert "Drawing" in dock.plan.value
    drawn(qtbot, dock)
    assert dock.plan.value == "3 strata, 15 spots to judge"
    dock.setup.reviewer.value = "bob"
    assert dock.judging.reviewer == "bob"  # at once: it is the same queue
    assert dock.plan.value == "3 strata, 15 spots to judge"
    assert not dock.path.exists()  # looking at offers leaves nothing behind


def test_begin_waits_for_the_spots(opened, qtbot):
    _, dock = opened
    dock.setup.per_stratum.value = 7
    assert dock.judging is None
    dock.begin.native.click()
    assert not dock.active
    assert not dock.begin.enabled
    assert "Drawing spots" in dock.plan.value
    qtbot.waitUntil(lambda: dock.active)
    assert "1 of 21" in dock.spot.value


def test_the_window_does_not_draw(opened, qtbot, monkeypatch):
    _, dock = opened
    real, go_on, drew = review_sample.draw_queue, threading.Event(), []

    def slow(*args, **options):
        drew.append(threading.current_thread())
        assert go_on.wait(20)
        return real(*args, **options)

    monkeypatch.setattr(review_sample, "draw_queue", slow)
    for n in range(4, 12):  # the window goes on while the first is being drawn
        dock.setup.per_stratum.value = n
    assert "Drawing" in dock.plan.value
    go_on.set()
    drawn(qtbot, dock)
    assert dock.judging.plan.per_stratum == 11  # the newest, whatever was drawn first
    assert threading.main_thread() not in drew
    assert len(drew) < 8


def test_back_shows_what_was_said(opened, qtbot):
    _, dock = opened
    dock.begin.native.click()
    dock.remark.value = "dust"
    dock.buttons["wrong"].native.click()
    for _ in range(3):
        dock.buttons["right"].native.click()
    assert not dock.forward.enabled
    dock.remark.value = "begun"
    dock.back.native.click()
    assert "4 of 9" in dock.spot.value
    assert "Judged: <b>right</b>" in dock.spot.value
    assert dock.buttons["right"].native.font().bold()
    for _ in range(3):
        dock.back.native.click()
    assert not dock.back.enabled
    assert "Judged: <b>wrong</b>" in dock.spot.value
    assert dock.remark.value == "dust"
    for _ in range(4):  # each is left as it is
        dock.forward.native.click()
    assert "5 of 9" in dock.spot.value
    assert dock.remark.value == "begun"
    assert not dock.buttons["right"].native.font().bold()
    assert len(dock.review.entries) == 4
    dock.remark.value = ""
    dock.back.native.click()
    dock.buttons["wrong"].native.click()
    assert "5 of 9" in dock.spot.value
    assert int(dock.rates().loc["all", "wrong"]) == 2


def test_a_verdict_of_another_plan_is_asked_again(opened, qtbot):
    _, dock = opened
    ask(qtbot, dock, "status and r", 20)
    dock.begin.native.click()
    while "All" not in dock.spot.value:
        dock.judge("wrong")
    dock.change.native.click()
    ask(qtbot, dock, "status", 20)
    assert dock.begin.text == "Begin"
    assert dock.result.value == ""
    dock.begin.native.click()
    places = range(len(dock.queue))
    known = [p for p in places if dock.judging.verdict_at(p) is not None]
    assert known
    while f" {known[0] + 1} of " not in dock.spot.value:
        dock.judge("right")
    assert "Judged by another plan: <b>wrong</b>" in dock.spot.value
    assert dock.progress.value == dock.judging.rates().loc["all", "judged"]


def test_two_reviewers(opened, qtbot, viewer, make_dock):
    _, dock = opened
    dock.begin.native.click()
    dock.judge("right")
    dock.change.native.click()
    assert not dock.setup.native.isHidden()
    dock.setup.reviewer.value = "bob"
    dock.begin.native.click()
    assert "1 of 9" in dock.spot.value
    dock.buttons["right"].native.click()
    assert "kappa 1.00 on 1 spot" in dock.result.value
    assert make_dock(viewer).setup.who == "bob"


def test_the_name_of_the_reviewer_without_a_memory(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    setup = _review_setup.ReviewSetup()
    assert setup.who == "reviewer"
    setup.reviewer.value = "  ada "
    setup.remember()
    assert _review_setup.ReviewSetup().who == "ada"
    setup.reviewer.value = " "
    assert setup.who == "reviewer"


def test_a_plan_of_a_script_is_offered(viewer, tables, qtbot, make_dock):
    plan = Plan(4, ("r", "status"), 2)
    review = Review(review_path(tables), "eve")
    Judging(tables.spots, review, plan).judge(0, "right")
    sessions.attach(viewer, Session(tables))
    dock = make_dock(viewer)
    assert dock.setup.plan == plan
    dock.setup.strata.value = "flow"
    assert dock.setup.plan == Plan(4, ("flow",), 2)
    drawn(qtbot, dock)


# --- keys


def test_keys(opened, qtbot):
    _, dock = opened
    dock.native.show()
    dock.begin.native.click()
    dock.native.activateWindow()
    dock.change.native.setFocus()
    qtbot.waitUntil(dock.native.isActiveWindow)
    for key in (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4):
        QTest.keyClick(dock.change.native, key)
    verdicts = [entry.verdict for entry in dock.review.entries]
    assert verdicts == ["right", "wrong", "unsure", "skip"]
    dock.remark.native.setFocus()
    QTest.keyClicks(dock.remark.native, "12")
    assert dock.remark.value == "12"
    assert len(dock.review.entries) == 4


def press(viewer, name):
    """Press a key as a canvas would: the layer first, then the viewer, its class."""
    handler = KeymapHandler()
    active = viewer.layers.selection.active
    handler.keymap_providers = [viewer] if active is None else [active, viewer]
    handler.press_key(name)


@pytest.fixture
def on_canvas(sample, qtbot, make_dock):
    """A review that goes on in a viewer."""
    model = ViewerModel()
    session = Session(sample)
    sessions.attach(model, session)
    images = [sample.images[name] for name in list(sample.images)[:2]]
    Viewing(model, session, images)
    dock = make_dock(model)
    ask(qtbot, dock)
    dock.begin.native.click()
    yield model, dock
    sessions.attach(model, None)


def verdicts_of(dock):
    return [entry.verdict for entry in dock.judging.review.entries]


def test_keys_act_on_the_canvas_while_one_judges(on_canvas, sample):
    viewer, dock = on_canvas
    layer = viewer.layers["Spots"]
    assert viewer.layers.selection.active is layer
    n = len(layer.data)
    for name in "1234":
        press(viewer, name)
    assert verdicts_of(dock) == ["right", "wrong", "unsure", "skip"]
    for other in list(viewer.layers):  # of ours, whichever is active
        viewer.layers.selection.active = other
        press(viewer, "2")
        assert getattr(other, "mode", "pan_zoom") == "pan_zoom"
    assert verdicts_of(dock)[4:] == ["wrong"] * 5
    assert len(layer.data) == n
    viewer.layers.selection.clear()
    viewer.layers.selection.active = None
    dock.change.native.click()
    press(viewer, "1")
    assert len(verdicts_of(dock)) == 9


def test_keys_are_given_back(on_canvas, qtbot):
    viewer, dock = on_canvas
    ours = [viewer, *viewer.layers]
    for how in ("stop", "hide", "session"):
        if how == "hide":
            dock.native.show()
        assert any(one.keymap for one in ours)
        if how == "stop":
            dock.change.native.click()
        elif how == "hide":
            dock.native.hide()
        else:
            sessions.attach(viewer, None)
        assert not any(one.keymap for one in ours), how
        if how == "stop":
            dock.begin.native.click()
        elif how == "hide":
            dock.native.show()
    viewer.layers.selection.active = None


def test_keys_are_given_back_when_the_dock_is_destroyed(on_canvas, qtbot):
    viewer, dock = on_canvas
    dock.change.native.click()
    other = ReviewWidget(viewer)
    drawn(qtbot, other)
    other.begin.native.click()
    assert viewer.keymap
    other.native.deleteLater()
    qtbot.wait(10)
    assert not any(one.keymap for one in [viewer, *viewer.layers])


def test_keys_of_others_stay_theirs(on_canvas, request):
    viewer, dock = on_canvas
    dock.change.native.click()
    pressed = []
    spots = viewer.layers["Spots"]
    spots.bind_key("3", lambda layer: pressed.append("layer"))
    viewer.bind_key("4", lambda viewer: pressed.append("viewer"))
    mine = viewer.add_points(np.zeros((2, 3)))
    shared = Points.bind_key("2", None)  # napari's, where it has bound them already
    Points.bind_key("2", lambda layer: pressed.append("all points"))
    request.addfinalizer(lambda: Points.bind_key("2", shared, overwrite=True))
    viewer.layers.selection.active = mine
    dock.begin.native.click()
    press(viewer, "2")
    assert pressed.pop() == "all points"
    assert not verdicts_of(dock)
    viewer.layers.selection.active = None
    press(viewer, "2")
    press(viewer, "4")
    assert (verdicts_of(dock), pressed) == (["wrong"], ["viewer"])
    viewer.layers.selection.active = spots
    press(viewer, "3")
    assert pressed == ["viewer", "layer"]
    press(viewer, "1")
    taken = []
    spots.bind_key("1", lambda layer: taken.append(1), overwrite=True)
    dock.change.native.click()
    for name in "13":
        press(viewer, name)
    assert taken == [1]
    assert pressed == ["viewer", "layer", "layer"]
    assert verdicts_of(dock) == ["wrong", "right"]


def test_real_keys_in_a_real_window(make_napari_viewer, qtbot, tables):
    viewer = make_napari_viewer(show=True)
    session = nss.view(tables, viewer=viewer, docks=False)
    _, dock = viewer.window.add_plugin_dock_widget("napari-seespot", "Review")
    drawn(qtbot, dock)
    dock.begin.native.click()
    layer = viewer.layers["Spots"]
    n = len(layer.data)
    window = viewer.window.main_menu.window()
    kinds = [w for w in window.findChildren(object) if "Canvas" in type(w).__name__]
    canvas = next(w for w in kinds if hasattr(w, "width") and w.isVisible())
    for key in "2121":
        QTest.keyClicks(canvas, key)
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(verdicts_of(dock)) == 4)
    assert verdicts_of(dock) == ["wrong", "right", "wrong", "right"]
    assert (len(layer.data), layer.mode) == (n, "pan_zoom")
    viewer.window.remove_dock_widget(dock.native)
    assert not layer.keymap
    session.close()


# --- files


def test_another_review_is_taken_in(opened, tables, tmp_path, qtbot, said):
    _, dock = opened
    dock.begin.native.click()
    for _ in range(5):
        dock.judge("right")
    bob = Review(tmp_path / "bob.jsonl", "bob")
    theirs = Judging(tables.spots, bob, Plan(3, ("status",), 0))
    for place in range(4):
        theirs.judge(place, "right" if place else "wrong")
    dock.files.take_in(bob.path)
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["bob.jsonl: 4 verdicts of bob."]
    assert "Agreement with bob: kappa 0.00 on 4 spots" in dock.result.value
    assert dock.progress.value == 5
    dock.files.take_in(bob.path)
    qtbot.waitUntil(lambda: len(said) == 2)
    assert said[1] == "bob.jsonl: no new verdicts."
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    dock.files.take_in(tmp_path / "other.jsonl")
    qtbot.waitUntil(lambda: len(said) == 3)
    assert "this is not a review" in said[2]
    dock.files.export(tmp_path / "both.csv")
    rates = pd.read_csv(tmp_path / "both-rates.csv")
    assert set(rates["reviewer"]) == {"ada", "bob"}
    kappa = pd.read_csv(tmp_path / "both-agreement.csv")
    assert kappa.to_numpy().tolist() == [["ada", "bob", 0.0, 4]]


def test_the_dialogs(opened, tmp_path, qtbot, said, monkeypatch):
    _, dock = opened
    assert not dock.files.save.enabled
    dock.begin.native.click()
    dock.judge("right")
    chosen, asked, answers = [("", "")], [], []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen[0])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: chosen[0])

    def question(_parent, _title, text):
        asked.append(text)
        return answers.pop()

    monkeypatch.setattr(QMessageBox, "question", question)
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    dock.files.save.native.click()  # cancelled
    dock.files.take.native.click()
    assert not list(tmp_path.glob("*.csv"))
    chosen[0] = (str(tmp_path / "out"), "Tables (*.csv)")
    dock.files.save.native.click()
    files = ["out-agreement.csv", "out-rates.csv", "out.csv"]
    assert sorted(p.name for p in tmp_path.glob("*.csv")) == files
    assert not asked
    (tmp_path / "out-rates.csv").write_text("mine")
    answers.append(no)
    dock.files.save.native.click()
    assert asked[-1].startswith("out.csv, out-rates.csv, out-agreement.csv are there")
    assert (tmp_path / "out-rates.csv").read_text() == "mine"
    (tmp_path / "out-agreement.csv").unlink()
    chosen[0] = (str(tmp_path / "out.csv"), "Tables (*.csv)")  # the dialog has asked
    answers.append(yes)
    dock.files.save.native.click()
    assert asked[-1].startswith("out-rates.csv is there already")
    assert (tmp_path / "out-rates.csv").read_text() != "mine"
    chosen[0] = (str(tmp_path / "send"), "For another reviewer (*.jsonl)")
    dock.files.save.native.click()
    assert (tmp_path / "send.jsonl").exists()
    chosen[0] = (str(tmp_path / "send.jsonl"), "")
    dock.files.take.native.click()
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["send.jsonl: no new verdicts."]
    dock.files.export(tmp_path / "out.csv")
    assert "there already" in said[-1]
    assert len(asked) == 2


def test_files_that_cannot_be_written_are_told(opened, tmp_path, said, monkeypatch):
    _, dock = opened
    dock.begin.native.click()
    dock.files.export(tmp_path / "nowhere" / "a.csv")
    assert "cannot be exported" in said[-1]
    dock.change.native.click()

    def full(*_):
        raise SeeSpotError("the disk is full")

    monkeypatch.setattr(review_file, "append", full)
    dock.judging.review.plan = None
    dock.begin.native.click()
    assert "the disk is full" in said[-1]
    assert not dock.active
    dock.files._take_in(tmp_path / "b", [review_file.Entry(1, "right", "s", "bob")])
    assert said.count(said[-1]) == 2


def test_a_verdict_that_cannot_be_written(opened, said):
    _, dock = opened
    dock.begin.native.click()
    dock.path.unlink()
    dock.path.mkdir()
    dock.remark.value = "stays"
    dock.buttons["right"].native.click()
    assert "verdict cannot be written" in said[0]
    assert dock.remark.value == "stays"
    assert "1 of 9" in dock.spot.value
    dock.path.rmdir()
    dock.buttons["right"].native.click()
    assert "2 of 9" in dock.spot.value


def test_a_file_that_cannot_be_read(viewer, tables, qtbot, said):
    path = review_path(tables)
    path.mkdir(parents=True)
    sessions.attach(viewer, Session(tables))
    dock = ReviewWidget(viewer)
    qtbot.addWidget(dock.native)
    qtbot.waitUntil(lambda: bool(said))
    assert "cannot be read" in said[0]
    assert dock.plan.value == "No spots are drawn."
    dock.begin.native.click()
    qtbot.waitUntil(lambda: len(said) == 2)
    path.rmdir()
    dock.begin.native.click()
    qtbot.waitUntil(lambda: dock.active)


# --- the session, and the room there is


def test_another_dataset_stops_it(opened, viewer, tables, qtbot):
    _, dock = opened
    dock.begin.native.click()
    sessions.attach(viewer, Session(tables))
    assert dock.review is None
    assert not dock.active
    dock.judge("right")
    drawn(qtbot, dock)
    assert dock.begin.text == "Begin"
    assert not dock.setup.native.isHidden()
    sessions.attach(viewer, None)
    assert dock.path is None
    assert dock.rates() is None
    assert dock.judging is None


def test_a_window_that_is_closed_while_one_judges_is_freed(
    make_napari_viewer, qtbot, tables
):
    viewer = make_napari_viewer()
    session = nss.view(tables, viewer=viewer, docks=False)
    _, dock = viewer.window.add_plugin_dock_widget("napari-seespot", "Review")
    drawn(qtbot, dock)
    dock.begin.native.click()
    dock.judge("right")
    kept = [weakref.ref(one) for one in (viewer, session, dock.judging)]
    viewer.close()
    finish_deleting()
    del viewer, session, dock
    for _ in range(2):
        gc.collect()
        finish_deleting()
    assert [ref() for ref in kept] == [None] * 3


def test_a_table_without_spots(viewer, make_dataset, make_dock):
    sessions.attach(viewer, Session(make_dataset(0)))
    dock = make_dock(viewer)
    assert dock.plan.value == "0 strata, 0 spots to judge"
    dock.begin.native.click()
    dock.judge("right")
    assert dock.spot.value == "All 0 spots are judged."
    assert not dock.back.enabled


def test_a_dock_that_is_put_away_draws_nothing(viewer, tables, qtbot, make_dock):
    sessions.attach(viewer, Session(tables))
    dock = make_dock(viewer)
    dock.native.show()
    dock.native.hide()
    sessions.attach(viewer, Session(tables))
    qtbot.wait(50)
    assert dock.judging is None
    assert not dock._draws.busy
    dock.native.show()
    drawn(qtbot, dock)


def test_short_names():
    assert short_name("removed, 488 -> removed, r Q1") == "488 → removed, Q1"
    assert short_name("488 -> 514") == "488 → 514"
    assert short_name("removed, r ?") == "removed, ?"
    assert short_name("r Q2") == "r Q2"
    assert short_name("unchanged") == "unchanged"


@pytest.mark.parametrize("strata", ["flow and r", "status"])
def test_it_fits_a_narrow_dock(opened, qtbot, strata):
    _, dock = opened
    ask(qtbot, dock, strata, 3, "a reviewer with a rather long name")
    area = dock.native.findChild(QScrollArea)
    dock.native.resize(VIEWPORT + 20, 700)
    dock.native.show()
    body = area.widget()
    qtbot.wait(20)
    assert body.minimumSizeHint().width() <= VIEWPORT
    dock.begin.native.click()
    for verdict in ("right", "wrong") * 30:
        dock.judge(verdict)
    qtbot.wait(20)
    assert body.minimumSizeHint().width() <= VIEWPORT
    for button in (*dock.buttons.values(), dock.change, dock.files.save):
        right = button.native.mapTo(body, button.native.rect().topRight()).x()
        assert 0 < right < area.viewport().width()
    for row, (name, *_rest) in enumerate(dock.table.texts()):
        tip = dock.table.model().index(row, 0).data(Qt.ItemDataRole.ToolTipRole)
        assert short_name(tip.partition(":")[0]) == name
        assert "spots in the table" in tip
