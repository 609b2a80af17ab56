"""The Review dock: judging by buttons and keys, going on, rates, errors."""

from __future__ import annotations

import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_seespot import sessions
from napari_seespot.review import Plan, wilson
from napari_seespot.session import Session
from napari_seespot.widgets.review import ReviewWidget


@pytest.fixture
def opened(viewer, tables, qtbot):
    session = Session(tables)
    sessions.attach(viewer, session)
    dock = ReviewWidget(viewer)
    qtbot.addWidget(dock.native)
    dock.reviewer.value = "ada"
    dock.strata.value = "status"
    dock.per_stratum.value = 3
    return session, dock


def test_a_whole_review(opened, tables, tmp_path):
    session, dock = opened
    assert not dock.buttons["right"].enabled
    flown = []
    session.moved.connect(flown.append)
    dock.begin.native.click()
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
    dock.export(tmp_path / "out.csv")
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
    known = [s for s in sizes.index if (judged["stratum"] == s).any()]
    error /= sizes[known].sum()
    assert rates.loc["all", "error"] == pytest.approx(error)
    assert f"{100 * error:.1f} %" in dock.result.value


def test_it_goes_on_where_it_was_and_back(opened, viewer, qtbot):
    _, dock = opened
    dock.begin.native.click()
    for _ in range(4):
        dock.buttons["right"].native.click()
    dock.back.native.click()
    assert "4 of 9" in dock.spot.value
    dock.buttons["wrong"].native.click()
    assert "5 of 9" in dock.spot.value
    again = ReviewWidget(viewer)
    qtbot.addWidget(again.native)
    again.reviewer.value = "ada"
    again.strata.value, again.per_stratum.value = "status", 3
    again.begin.native.click()
    assert "5 of 9" in again.spot.value
    assert int(again.rates().loc["all", "judged"]) == 4
    assert int(again.rates().loc["all", "wrong"]) == 1
    again.reviewer.value = "bob"
    again.begin.native.click()
    assert "1 of 9" in again.spot.value
    again.buttons["right"].native.click()
    assert "kappa 1.00 on 1 spot" in again.result.value


def test_keys(opened, qtbot):
    _, dock = opened
    dock.native.show()
    dock.begin.native.click()
    dock.native.activateWindow()
    dock.begin.native.setFocus()
    qtbot.waitUntil(dock.native.isActiveWindow)
    for key in (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4):
        QTest.keyClick(dock.begin.native, key)
    verdicts = [entry.verdict for entry in dock.review.entries]
    assert verdicts == ["right", "wrong", "unsure", "skip"]
    dock.remark.native.setFocus()
    QTest.keyClicks(dock.remark.native, "12")
    assert dock.remark.value == "12"
    assert len(dock.review.entries) == 4


def test_a_verdict_that_cannot_be_written(opened, monkeypatch):
    _, dock = opened
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
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


def test_another_dataset_stops_it(opened, viewer, tables):
    _, dock = opened
    dock.begin.native.click()
    sessions.attach(viewer, Session(tables))
    assert dock.review is None
    assert dock.spot.value == "Not begun."
    dock.judge("right")
    sessions.attach(viewer, None)
    assert dock.path is None
    assert dock.rates() is None
