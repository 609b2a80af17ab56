"""The report: its pages hold what the table holds; no viewer and no screen needed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import napari_seespot as nss
from napari_seespot.errors import CancelledError, SeeSpotError, StateError
from napari_seespot.figures import filters_text, report_pages
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


def test_the_pages_count_what_passes(session):
    table = session.visible()
    pages = list(report_pages(session.view, filters_text(session)))
    assert pages[0].heading.startswith(f"{session.dataset.name}\n{len(table):,} of")
    assert "0.2 ≤ r" in pages[0].heading
    charts = {chart.title: chart for page in pages for chart in page.charts}
    assert charts["Spots by channel of detection"].data.to_numpy().sum() == len(table)
    assert charts["Detected → unmixed channel"].data["spots"].sum() == len(table)
    assert charts["Map: spots a tile"].data["spots"].sum() == len(table)
    assert len(pages[3].charts) == 10
    r = charts["Distribution of r"].data
    edges = np.append(r["low"], r["high"].iloc[-1])
    moved = table.loc[table["status"] == "reassigned", "r"].to_numpy(float)
    assert (r["reassigned"] == np.histogram(moved, edges)[0]).all()
    assert "do not pass" in charts["Shares against r"].caption


def test_filters_in_words(session):
    filters = session.state.filters
    filters.status = {"removed"}
    filters.channels = {"488"}
    filters.chan = set()
    filters.ranges["dist"] = (None, 1.25)
    filters.valid_only = True
    assert filters_text(session) == (
        "Filters: status removed; channels 488; detected none; dist ≤ 1.25; 0.2 ≤ r; "
        "valid only."
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
