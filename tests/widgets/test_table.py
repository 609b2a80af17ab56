"""The Table dock: what it shows against pandas, and what its keys do."""

import gc
import io
import weakref

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QItemSelectionModel, QModelIndex, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_seespot import sessions
from napari_seespot.errors import SeeSpotError
from napari_seespot.widgets import table as table_module
from napari_seespot.widgets.table import HOTKEY_LABELS, TableWidget


@pytest.fixture
def dock(viewer, qtbot):
    dock = TableWidget(viewer)
    yield dock
    dock.native.close()
    dock.native.deleteLater()


@pytest.fixture
def wait(dock, qtbot):
    def wait():
        qtbot.waitUntil(lambda: not dock._worker.busy and not dock._exporter.busy)

    return wait


def shown(dock):
    """Return the cells as a frame of text."""
    model = dock.model
    cells = [
        [model.data(model.index(r, c)) for c in range(model.columnCount())]
        for r in range(model.rowCount())
    ]
    names = [
        model.headerData(c, Qt.Orientation.Horizontal)
        for c in range(model.columnCount())
    ]
    return pd.DataFrame(cells, columns=names)


def choose(dock, *places):
    model = dock.table.selectionModel()
    model.clearSelection()
    flags = QItemSelectionModel.SelectionFlag
    for place in places:
        model.select(dock.model.index(place, 0), flags.Select | flags.Rows)


def sort(dock, column, order=Qt.SortOrder.AscendingOrder):
    dock.table.sortByColumn(dock.model.columns.index(column), order)


def test_without_a_session_it_says_what_to_do(dock):
    assert "No dataset is open" in dock._hint.value
    assert not dock._hint.native.isHidden()
    assert dock.model.rowCount() == dock.model.columnCount() == 0
    assert dock.model.data(QModelIndex()) is None
    dock.copy_rows()
    dock.export("nowhere.csv")
    dock._fly_to_current()
    dock.write_label([0], "x")


def test_the_selected_spots_are_shown_and_sorted(dock, session, wait):
    wait()
    assert dock.model.rowCount() == 0
    assert "Draw a lasso" in dock.counts.value
    table = session.dataset.spots.to_pandas()
    chosen = table[(table["r"] > 0.5) & (table["status"] == "reassigned")]
    session.select(chosen["spot_id"])
    wait()
    assert f"<b>{len(chosen)} selected spots</b> of 2,000" in dock.counts.value
    ids = shown(dock)["spot_id"].astype(int).tolist()
    assert ids == sorted(chosen["spot_id"])
    sort(dock, "r", Qt.SortOrder.DescendingOrder)
    wait()
    expected = chosen.sort_values("r", ascending=False, kind="stable")
    assert shown(dock)["spot_id"].astype(int).tolist() == expected["spot_id"].tolist()
    sort(dock, "chan")
    wait()
    assert shown(dock)["chan"].tolist() == sorted(chosen["chan"])
    session.clear_selection()
    wait()
    assert dock.model.rowCount() == 0


def test_the_visible_spots_follow_the_filters(dock, session, wait):
    dock.which.value = "visible spots"
    session.state.filters.ranges["dist"] = (1.0, 2.0)
    wait()
    table = session.visible()
    assert sorted(dock.model.rows) == table.index.tolist()
    assert f"<b>{len(table):,} visible spots</b>" in dock.counts.value
    rows = dock.model.rows
    session.state.point_size_um = 3.0  # what the table does not depend on
    session.select([1])
    assert dock.model.rows is rows
    assert not dock._worker.busy


def standing_out(dock):
    """Return the table's rows that have a background of their own."""
    model, role = dock.model, Qt.ItemDataRole.BackgroundRole
    last = model.columnCount() - 1
    colors = [
        [model.data(model.index(r, c), role) for c in (0, last)]
        for r in range(model.rowCount())
    ]
    assert all((a is None) == (b is None) for a, b in colors)
    return [row for row, (a, _) in zip(model.rows, colors, strict=True) if a]


def test_selected_spots_stand_out_of_the_visible_ones(dock, session, wait):
    dock.which.value = "visible spots"
    wait()
    assert standing_out(dock) == []
    told = []
    dock.model.dataChanged.connect(lambda *change: told.append(change))
    ids = session.visible()["spot_id"].iloc[[3, 40, 41]]
    session.select(ids)
    assert sorted(standing_out(dock)) == ids.index.tolist()
    ((first, last, roles),) = told
    assert (first.row(), first.column()) == (0, 0)
    assert last.row() == dock.model.rowCount() - 1
    assert last.column() == dock.model.columnCount() - 1
    assert roles == [Qt.ItemDataRole.BackgroundRole]
    sort(dock, "r", Qt.SortOrder.DescendingOrder)
    wait()
    assert sorted(standing_out(dock)) == ids.index.tolist()
    dock.which.value = "selected spots"  # where all of them are
    wait()
    assert standing_out(dock) == []
    dock.which.value = "visible spots"
    session.clear_selection()
    wait()
    assert standing_out(dock) == []


def test_a_row_flies_the_viewer_there(dock, session, wait, qtbot):
    session.select([5, 6, 7])
    wait()
    flown = []
    session.moved.connect(lambda row: flown.append(row))
    dock.table.setCurrentIndex(dock.model.index(1, 2))
    qtbot.waitUntil(lambda: len(flown) == 1)
    assert session.dataset.spots.column("spot_id")[flown[0]] == 6
    dock.table.clicked.emit(dock.model.index(1, 2))  # again, from elsewhere
    qtbot.waitUntil(lambda: len(flown) == 2)
    QTest.keyClick(dock.table, Qt.Key.Key_Return)
    assert flown == [flown[0]] * 3


def test_a_spot_chosen_elsewhere_is_shown_without_flying(dock, session, wait, qtbot):
    session.select(np.arange(1, 60))
    wait()
    flown = []
    session.moved.connect(lambda row: flown.append(row))
    row = int(session.dataset.spots.rows_of([40])[0])
    session.picked.emit(row)
    QApplication.processEvents()
    assert dock.table.currentIndex().row() == 39
    assert dock.chosen_rows().tolist() == [row]
    session.picked.emit(int(session.dataset.spots.rows_of([900])[0]))  # not here
    assert dock.chosen_rows().tolist() == [row]
    assert flown == []


def test_a_spot_without_a_place_is_told_of(dock, session, wait):
    session.select([5])
    wait()
    dock.table.setCurrentIndex(dock.model.index(0, 0))

    def fail(row, following):
        raise SeeSpotError("spot 5 has no position")

    session.go_to_row = fail
    dock._fly_to_current()
    assert dock.message.value == "spot 5 has no position."


def test_keys_label_the_chosen_rows(dock, session, wait):
    session.select(np.arange(1, 11))
    wait()
    choose(dock, 2, 3, 7)
    QTest.keyClick(dock.table, Qt.Key.Key_2)
    ids = session.dataset.spots.column("spot_id")
    labelled = ids[session.labels.mask(HOTKEY_LABELS[1])]
    assert sorted(labelled) == [3, 4, 8]
    assert shown(dock)["label"].tolist().count(HOTKEY_LABELS[1]) == 3
    choose(dock, 3)
    QTest.keyClick(dock.table, Qt.Key.Key_0)
    assert session.labels.count == 2
    choose(dock, 2)
    QTest.keyClick(dock.table, Qt.Key.Key_Delete)
    assert session.labels.count == 1
    QTest.keyClick(dock.table, Qt.Key.Key_9)
    assert "key 9 has no label" in dock.message.value


def test_what_the_keys_write_is_remembered(dock, session, viewer, wait):
    dock.hotkeys.value = "one,  two"
    session.select([1])
    wait()
    choose(dock, 0)
    QTest.keyClick(dock.table, Qt.Key.Key_2)
    assert session.labels.counts == {"two": 1}
    other = TableWidget(viewer)
    assert other.hotkeys.value == "one, two"
    other.native.deleteLater()


def test_labels_are_written_into_the_table(dock, session, wait):
    session.select(np.arange(1, 6))
    wait()
    model = dock.model
    index = model.index(1, model.columns.index("label"))
    assert model.flags(index) & Qt.ItemFlag.ItemIsEditable
    assert not model.flags(model.index(1, 1)) & Qt.ItemFlag.ItemIsEditable
    assert model.setData(index, "my note")
    assert not model.setData(index, 3, Qt.ItemDataRole.DecorationRole)
    assert model.data(index) == "my note"
    choose(dock, 3)
    dock.label_text.value = "some"
    dock.set_label.changed.emit(True)
    assert shown(dock)["label"].tolist() == ["", "my note", "", "some", ""]
    dock.table.selectionModel().clearSelection()
    dock.label_text.value = "all"
    dock.set_label.changed.emit(True)
    assert session.labels.counts == {"all": 5}
    sort(dock, "label")
    session.labels.set([int(model.rows[4])], "a first")
    wait()
    assert shown(dock)["label"].tolist() == ["a first"] + ["all"] * 4
    dock.write_label([1], "x" * 2000)
    assert "2,000 characters" in dock.message.value


def test_rows_are_copied(dock, session, wait, monkeypatch):
    session.select(np.arange(1, 11))
    wait()
    session.labels.set([int(dock.model.rows[4])], "here")
    choose(dock, 4, 6)
    QTest.keyClick(dock.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    copied = pd.read_csv(io.StringIO(QApplication.clipboard().text()), sep="\t")
    assert copied["spot_id"].tolist() == [5, 7]
    assert copied["label"].fillna("").tolist() == ["here", ""]
    assert {*copied.columns} == {"label", *session.dataset.spots.column_names}
    assert "Copied 2 rows" in dock.message.value
    monkeypatch.setattr(table_module, "_MOST_COPIED", 1)
    dock.copy_rows()
    assert "2 rows are too many for the clipboard" in dock.message.value


def test_tables_are_exported(dock, session, wait, tmp_path, monkeypatch):
    session.select(np.arange(1, 11))
    wait()
    path = tmp_path / "some.parquet"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    dock.save_button.changed.emit(True)
    wait()
    assert sorted(pd.read_parquet(path)["spot_id"]) == list(range(1, 11))
    assert "Wrote" in dock.message.value
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    dock.save_button.changed.emit(True)  # cancelled
    dock.export(tmp_path / "some.xls")
    wait()
    assert "'.xls'" in dock.message.value


def test_labels_that_cannot_be_read(viewer, make_dataset, dock, wait):
    from napari_seespot.labels import labels_path
    from napari_seespot.session import Session

    session = Session(make_dataset())
    labels_path(session.dataset).mkdir(parents=True)
    sessions.attach(viewer, session)
    session.select([1, 2])
    wait()
    assert dock.model.rowCount() == 2
    assert "labels cannot be read" in dock.message.value
    dock.copy_rows()


def test_another_session_and_none(dock, make_session, viewer, wait):
    first = make_session()
    first.select([1, 2, 3])
    wait()
    second = make_session(500, ("488", "561"))
    wait()
    assert dock.model.rowCount() == 0
    assert "chan_514_intensity" not in dock.model.columns
    second.select([9])
    wait()
    assert dock.model.rowCount() == 1
    sessions.attach(viewer, None)
    assert dock.model.columnCount() == 0
    reference = weakref.ref(first)
    del first
    gc.collect()
    assert reference() is None


def test_a_dock_that_is_put_away_does_not_work(dock, session, wait, qtbot):
    dock.native.show()
    wait()
    dock.native.hide()
    session.select([1, 2])
    assert not dock._worker.busy
    assert dock.model.rowCount() == 0
    dock.native.show()
    wait()
    assert dock.model.rowCount() == 2
