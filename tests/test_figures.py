"""The report: its pages hold what the table holds; no viewer and no screen needed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import napari_seespot as nss
from napari_seespot.errors import CancelledError, SeeSpotError, StateError
from napari_seespot.figures import report_pages
from napari_seespot.filter_text import filters_text
from napari_seespot.session import Session


@pytest.fixture
def session(tables):
    session = Session(tables)
    session.state.filters.ranges["r"] = (0.2, None)
    return session


def test_a_report_without_a_screen(tables_folder, tmp_path):
    code = f"""
import napari_seespot as nss
session = nss.Session(nss.open_dataset({str(tables_folder)!r}, cache=False))
print(session.figure({str(tmp_path / "report.pdf")!r}))
"""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") == 8


def charts_by_title(pages):
    return {chart.title: chart for page in pages for chart in page.charts}


def test_the_pages_count_what_passes(session):
    table = session.visible()
    pages = list(report_pages(session.view, filters_text(session.state)))
    assert pages[0].heading.startswith(f"{session.dataset.name}\n{len(table):,} of")
    assert "0.2 ≤ r" in pages[0].heading
    charts = charts_by_title(pages)
    assert charts["Spots by channel of detection"].data.to_numpy().sum() == len(table)
    assert charts["Detected → unmixed channel"].data["spots"].sum() == len(table)
    assert charts["Map: spots a tile"].data["spots"].sum() == len(table)
    assert len(pages[3].charts) == 10
    r = charts["Distribution of r"].data
    edges = np.append(r["low"], r["high"].iloc[-1])
    moved = table.loc[table["status"] == "reassigned", "r"].to_numpy(float)
    assert (r["reassigned"] == np.histogram(moved, edges)[0]).all()
    assert "do not pass" in charts["Shares against r"].caption
    assert "Map: share removed, of all" not in charts  # nobody knows it


def test_a_report_can_ignore_the_filters(session, monkeypatch):
    session.state.filters.cells = {1, 2}
    spots = session.dataset.spots
    told = filters_text(session.state, follow=False)
    pages = list(report_pages(session.view, told, follow=False))
    n = len(spots)
    assert pages[0].heading.endswith(f"{n:,} of {n:,} spots. {told}")
    assert told == "All spots count, whatever the filters."
    charts = charts_by_title(pages)
    table = spots.to_pandas()
    for title, column in (
        ("Detected → unmixed channel", "spots"),
        ("Map: spots a tile", "spots"),
        ("Map: share removed, of all", "spots"),
        ("Spots per channel", "spots"),
        ("Shares against z", "count"),
    ):
        assert charts[title].data[column].sum() == n
    pair = charts["488 · Crh / 514 · Penk"].data
    inside = pair[list(spots.class_names("status"))].to_numpy().sum()
    assert 0.9 * n < inside <= n
    assert charts["Distribution of r"].data["removed"].sum() > 0
    flows = charts["r of reassigned spots"].data
    moved = ((table["status"] == "reassigned") & table["r"].notna()).sum()
    assert flows.loc[flows["group"] == "flow", "count"].sum() == moved
    # The script's parameter is the report's.
    asked = []
    monkeypatch.setattr(
        "napari_seespot.figures.report_pages",
        lambda *args: asked.append(args[-1]) or [],
    )
    monkeypatch.setattr("napari_seespot.figures.save_pages", lambda *_, **__: None)
    session.figure("report.pdf", follow=False)
    session.figure("report.pdf")
    assert asked == [False, True]


def test_what_is_marked_in_the_pairs_is_said(session):
    session.state.highlight = "reassigned"
    session.select_polygon([(0, 0), (9e4, 0), (9e4, 9e4), (0, 9e4)])
    pages = list(report_pages(session.view))
    count = session.state.selection.count
    assert pages[3].heading == (
        "All channel pairs\nColoured by status, reassigned spots highlighted, "
        f"{count:,} selected spots marked"
    )


def test_a_report_can_be_cancelled(session):
    with pytest.raises(CancelledError):
        list(report_pages(session.view, cancelled=lambda: True))


def test_what_cannot_be_written_says_why(session, tmp_path):
    for name in ("report.png", "report"):
        with pytest.raises(StateError, match="a report cannot be saved as"):
            session.figure(tmp_path / name)
    with pytest.raises(SeeSpotError, match="cannot be written"):
        session.figure(tmp_path / "no" / "report.pdf")
    assert nss.figure is not None
