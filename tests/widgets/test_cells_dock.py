"""The Cells dock against the table that pandas makes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.cells import cell_table
from napari_seespot.session import Session
from napari_seespot.widgets.cells import CellsWidget


@pytest.fixture
def opened(viewer, tables, qtbot):
    session = Session(tables)
    sessions.attach(viewer, session)
    dock = CellsWidget(viewer)
    qtbot.addWidget(dock.native)
    qtbot.waitUntil(lambda: dock.model.rowCount() > 0, timeout=20_000)
    return session, dock


def shown(dock):
    model = dock.model
    names = [
        model.headerData(k, Qt.Orientation.Horizontal)
        for k in range(model.columnCount())
    ]
    rows = [
        [int(model.data(model.index(i, k)).replace(",", "")) for k in range(len(names))]
        for i in range(model.rowCount())
    ]
    return pd.DataFrame(rows, columns=names)


def choose(dock, *rows):
    flags = QItemSelectionModel.SelectionFlag
    model = dock.view.selectionModel()
    model.clear()
    for row in rows:
        model.select(dock.model.index(row, 0), flags.Select | flags.Rows)


def test_numbers_and_sorting(opened, tables):
    _, dock = opened
    wanted = cell_table(tables).reset_index()
    assert (shown(dock) == wanted).all(axis=None)
    frame = tables.spots.to_pandas()
    inside = frame[frame["cell_id"] != 0]
    assert f"{inside['cell_id'].nunique():,} cells" in dock.summary.value
    assert f"{len(inside):,} spots" in dock.summary.value
    changed = (wanted["change"] > 0).sum()
    assert f"counts of {changed:,} cells" in dock.summary.value
    dock.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    found = shown(dock)
    assert found["spots"].is_monotonic_decreasing
    assert set(found["cell_id"]) == set(wanted["cell_id"])


def test_what_is_chosen_moves_with_its_cell(opened):
    _, dock = opened
    choose(dock, 0, 5)
    cells = set(dock.chosen())
    dock.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert set(dock.chosen()) == cells
    dock.view.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert set(dock.chosen()) == cells


def test_a_cell_that_is_clicked_on(opened, tables):
    session, dock = opened
    frame = tables.spots.to_pandas()
    cell = int(frame.loc[frame["cell_id"] > 0, "cell_id"].iloc[7])
    session.cell_picked.emit(cell)
    assert list(dock.chosen()) == [cell]
    own = frame[frame["cell_id"] == cell]
    kept = own[own["status"] != "removed"]
    text = dock.picked.value
    assert text.startswith(f"cell {cell}: {len(own)} spots, ")
    assert f"{(own['status'] == 'reassigned').sum()} reassigned" in text
    assert f"{(own['status'] == 'removed').sum()} removed" in text
    for channel, gene in tables.genes.items():
        before = (own["chan"] == channel).sum()
        after = (kept["unmixed_chan"] == channel).sum()
        if before or after:
            assert f"{gene} {before} → {after}" in text
    session.cell_picked.emit(10**6)
    assert dock.picked.value == "cell 1000000: no spots"


def test_the_cells_are_shown(model, sample_folder, qtbot):
    session = nss.view(sample_folder, model)
    dock = CellsWidget(model)
    qtbot.addWidget(dock.native)
    qtbot.waitUntil(lambda: dock.model.rowCount() > 0, timeout=20_000)
    dock.show_cells.native.click()
    qtbot.waitUntil(lambda: bool(session.viewing.images.masks), timeout=20_000)
    (layer,) = session.viewing.images.masks.values()
    assert model.layers.selection.active is layer
    sessions.attach(model, None)


def test_the_script_has_the_same_table(tables):
    session = Session(tables)
    assert session.cells().equals(cell_table(tables))
    frame = tables.spots.to_pandas()
    shown = frame[(frame["status"] != "removed") & (frame["cell_id"] != 0)]
    visible = session.cells(visible=True)
    assert visible["spots"].sum() == len(shown)
    assert visible["removed"].sum() == 0


def test_choosing_selects_and_flies(opened, tables):
    session, dock = opened
    dock.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    choose(dock, 0, 2)
    cells = set(dock.chosen())
    assert len(cells) == 2
    dock.select.native.click()
    frame = tables.spots.to_pandas()
    wanted = frame["cell_id"].isin(cells).to_numpy()
    assert (session.state.selection.mask == wanted).all()
    flown = []
    session.moved.connect(flown.append)
    choose(dock, 4)
    dock.go.native.click()
    (cell,) = dock.chosen()
    assert frame["cell_id"].iloc[flown[0]] == cell
    dock.view.doubleClicked.emit(dock.model.index(4, 0))
    assert flown[1] == flown[0]


def test_it_can_follow_the_filters(opened, tables, qtbot, tmp_path):
    session, dock = opened
    dock.visible_only.value = True
    for status in ({"reassigned"}, {"unchanged", "removed"}):
        session.state.filters.status = status
        frame = tables.spots.to_pandas()
        where = frame["status"].isin(status).to_numpy()
        wanted = cell_table(tables, where)
        qtbot.waitUntil(
            lambda wanted=wanted: wanted.equals(dock.model.table), timeout=20_000
        )
    dock.export(tmp_path / "cells.csv")
    assert (pd.read_csv(tmp_path / "cells.csv", index_col=0) == wanted).all(axis=None)


def test_a_table_without_cells(viewer, tables, qtbot):
    from dataclasses import replace

    from napari_seespot.spots import Spots

    table = tables.spots.to_pandas().drop(columns="cell_id")
    bare = replace(tables, spots=Spots.from_pandas(table))
    sessions.attach(viewer, Session(bare))
    dock = CellsWidget(viewer)
    qtbot.addWidget(dock.native)
    qtbot.waitUntil(lambda: "no cell_id" in dock.summary.value, timeout=20_000)
    assert dock.model.rowCount() == 0
    for button in (dock.select, dock.go):
        button.native.click()
    sessions.attach(viewer, None)
    assert dock.session is None
    assert not len(np.asarray(dock.chosen()))
