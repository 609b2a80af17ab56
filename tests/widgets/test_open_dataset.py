"""The Open dataset dock: choosing, listing, opening, failing, cancelling."""

import os
import shutil
import threading

import pandas as pd
import pytest
import yaml
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialogButtonBox
from tests import _seespot_server as seespot

import napari_seespot as nss
from napari_seespot import sessions, settings
from napari_seespot.column_maps import recall_columns, remember_columns
from napari_seespot.errors import CancelledError, NotFoundError, TableError
from napari_seespot.recent import recent_datasets, remember_dataset
from napari_seespot.sources._column_names import is_known
from napari_seespot.widgets import _opening, _plugin_settings
from napari_seespot.widgets import open_dataset as module
from napari_seespot.widgets._column_mapping import (
    MEANINGS,
    ColumnMappingDialog,
    UnmappedError,
    check_columns,
    missing,
    table_path,
)
from napari_seespot.widgets._open_options import signed_in, start_folder
from napari_seespot.widgets._opening import opening_of
from napari_seespot.widgets._plugin_settings import PluginSettings, plugin_settings
from napari_seespot.widgets.open_dataset import OpenDatasetWidget


@pytest.fixture
def docks():
    """Destroy what a test makes."""
    made = []
    yield made
    for dock in made:
        opening_of(dock._viewer).cancel()
        sessions.attach(dock._viewer, None)
        dock.native.close()
        dock.native.deleteLater()


@pytest.fixture
def make_dock(docks):
    def make(viewer):
        dock = OpenDatasetWidget(viewer)
        docks.append(dock)
        dock.native.show()
        return dock

    return make


@pytest.fixture
def dock(make_dock, model):
    return make_dock(model)


@pytest.fixture
def told(monkeypatch):
    """Return what napari would show as errors."""
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    return told


@pytest.fixture(scope="module")
def parent(tmp_path_factory, tables_folder):
    """Return a folder with two datasets in it, one of them with two minDist."""
    folder = tmp_path_factory.mktemp("parent")
    for name in ("HCR_1_2025-05-08_14-00-00", "HCR_2_2025-05-09_14-00-00"):
        shutil.copytree(tables_folder, folder / name)
    tables = folder / "HCR_2_2025-05-09_14-00-00" / "image_spot_spectral_unmixing"
    (table,) = tables.glob("unmixed_spots_*minDist*")
    shutil.copy(table, str(table).replace("minDist_3", "minDist_5"))
    (folder / "notes").mkdir()
    return folder


@pytest.fixture
def server():
    content = seespot.answer("newer")
    content["fused_s3_paths"] = []  # they would be looked for in S3
    yield from seespot.serve(content)


def click(button):
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def rest(dock, qtbot):
    """Wait until nothing is under way."""

    def rested():
        workers = (dock._lister, dock._asker)
        return not dock._opening.busy and not any(worker.busy for worker in workers)

    qtbot.waitUntil(rested, timeout=30_000)
    qtbot.wait(1)


def list_folder(dock, qtbot, folder):
    dock.kind.value = "folder"
    dock.address.value = str(folder)
    QTest.keyClick(dock.address.native, Qt.Key.Key_Return)
    rest(dock, qtbot)


def choose(dock, qtbot, name):
    (entry,) = [e for e in dock.datasets.entries if name in e.name]
    assert dock.datasets.choose(entry.uri)
    rest(dock, qtbot)
    return entry


def open_folder(dock, qtbot, folder):
    dock.kind.value = "folder"
    dock.address.value = str(folder)
    rest(dock, qtbot)
    click(dock.open_button)
    rest(dock, qtbot)


def current(dock):
    return sessions.current(dock._viewer)


# ---- choosing


def test_the_sample_is_offered_first_and_later_what_was_opened(
    make_dock, model, tables
):
    dock = make_dock(model)
    assert dock.target == ("sample", {})
    assert dock.open_button.enabled
    remember_dataset(tables)
    again = make_dock(model)
    assert again.kind.value == "recent"
    assert [entry.name for entry in again.datasets.entries] == ["HCR_2"]
    assert not again.open_button.enabled


def test_only_what_a_source_needs_is_shown(dock, qtbot):
    def shown():
        return {
            name
            for name, widget in {
                "address": dock._address_row.native,
                "browse": dock.browse.native,
                "list": dock.refresh_button.native,
                "datasets": dock.datasets,
                "server": dock.server_options.native,
            }.items()
            if not widget.isHidden()
        }

    expected = {
        "sample": set(),
        "sample-million": set(),
        "recent": {"datasets"},
        "folder": {"address", "browse", "list", "datasets"},
        "file": {"address", "browse"},
        "s3": {"address", "list", "datasets"},
        "server": {"address", "list", "datasets", "server"},
    }
    for kind, widgets in expected.items():
        dock.kind.value = kind
        assert shown() == widgets, kind
        assert dock.hint.message
    rest(dock, qtbot)


def test_addresses_are_kept_for_each_source(dock):
    dock.kind.value = "server"
    assert dock.address.value == "http://localhost:5555"
    dock.address.value = "http://lab:9995"
    dock.kind.value = "s3"
    assert dock.address.value == ""
    dock.kind.value = "server"
    assert dock.address.value == "http://lab:9995"


def test_datasets_of_a_folder_are_listed_and_searched(dock, qtbot, parent):
    dock.kind.value = "folder"
    assert dock.refresh_button.text == "List"
    list_folder(dock, qtbot, parent)
    assert dock.refresh_button.text == "Refresh"
    assert [entry.name for entry in dock.datasets.entries] == [
        "HCR_1_2025-05-08_14-00-00",
        "HCR_2_2025-05-09_14-00-00",
    ]
    assert dock.datasets.entries[0].facts == "2025-05-08 14:00:00 · spots"
    assert dock.datasets.count.text() == "2 datasets"
    dock.datasets.search.setText("hcr 05-09")
    assert [entry.name[:5] for entry in dock.datasets.entries] == ["HCR_2"]
    assert dock.datasets.count.text() == "1 of 2 datasets"


def test_what_is_not_seen_is_not_opened(dock, qtbot, parent):
    list_folder(dock, qtbot, parent)
    choose(dock, qtbot, "HCR_1")
    assert dock.target[0] == str(parent / "HCR_1_2025-05-08_14-00-00")
    dock.datasets.search.setText("HCR_2")
    assert dock.target[0] == str(parent)


def test_a_list_is_dropped_when_the_address_changes(dock, qtbot, parent, tmp_path):
    list_folder(dock, qtbot, parent)
    dock.address.value = str(tmp_path)
    assert dock.datasets.entries == []
    assert dock.refresh_button.text == "List"
    list_folder(dock, qtbot, tmp_path)
    assert dock.hint.message == "There are no datasets."


def test_an_address_without_datasets_is_an_error_that_is_told(dock, qtbot, told):
    list_folder(dock, qtbot, "/nowhere/at/all")
    assert "no such file or folder" in dock.message.message
    assert told == [dock.message.message]


def test_min_dist_is_offered_where_there_are_several(dock, qtbot, parent):
    list_folder(dock, qtbot, parent)
    choose(dock, qtbot, "HCR_1")
    assert dock.min_dist.native.isHidden()
    assert dock.target[1] == {}
    choose(dock, qtbot, "HCR_2")
    assert not dock.min_dist.native.isHidden()
    assert dock.min_dist.box.choices == ("3", "5")
    dock.min_dist.box.value = "5"
    assert dock.target[1] == {"min_dist": "5"}


def test_browsing(dock, qtbot, parent, monkeypatch):
    asked = []

    def existing(_parent, _title, start):
        asked.append(start)
        return str(parent)

    monkeypatch.setattr(module.QFileDialog, "getExistingDirectory", existing)
    dock.kind.value = "folder"
    click(dock.browse)
    rest(dock, qtbot)
    assert len(dock.datasets.entries) == 2
    table = str(parent / "a.parquet")
    monkeypatch.setattr(
        module.QFileDialog, "getOpenFileName", lambda *_: (table, "Tables")
    )
    dock.kind.value = "file"
    click(dock.browse)
    assert dock.address.value == table
    monkeypatch.setattr(module.QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    click(dock.browse)
    assert dock.address.value == table
    assert asked == [os.path.expanduser("~")]
    rest(dock, qtbot)


def test_a_dialog_begins_where_the_address_leads(tmp_path):
    assert start_folder(str(tmp_path / "absent" / "deep")) == str(tmp_path)
    assert start_folder(str(tmp_path)) == str(tmp_path)


# ---- opening


def test_a_dataset_is_opened_from_the_list(dock, qtbot, parent):
    list_folder(dock, qtbot, parent)
    entry = choose(dock, qtbot, "HCR_2")
    dock.min_dist.box.value = "5"
    click(dock.open_button)
    assert dock._opening.busy
    assert not dock.open_button.enabled
    assert not dock._progress_row.native.isHidden()
    rest(dock, qtbot)
    session = current(dock)
    assert session.dataset.uri == entry.uri
    assert session.dataset.min_dist == "5"
    assert dock.session is session
    assert dock.message.message == f"Opened {entry.name}."
    assert entry.name in dock.current.message
    assert dock._progress_row.native.isHidden()
    (recent,) = recent_datasets()
    assert (recent.uri, recent.options) == (entry.uri, {"min_dist": "5"})


def test_a_double_click_opens(dock, qtbot, parent):
    list_folder(dock, qtbot, parent)
    dock.datasets.items.itemActivated.emit(dock.datasets.items.item(0))
    rest(dock, qtbot)
    assert current(dock).dataset.name.startswith("HCR_1")


def test_recent_datasets_open_again_as_they_were(make_dock, model, qtbot, parent):
    first = make_dock(model)
    list_folder(first, qtbot, parent)
    choose(first, qtbot, "HCR_2")
    first.min_dist.box.value = "5"
    click(first.open_button)
    rest(first, qtbot)
    sessions.attach(model, None)
    dock = make_dock(model)
    assert dock.kind.value == "recent"
    assert "minDist 5" in dock.datasets.entries[0].facts
    choose(dock, qtbot, "HCR_2")
    assert dock.min_dist.box.value == "5"
    click(dock.open_button)
    rest(dock, qtbot)
    assert current(dock).dataset.min_dist == "5"


def test_notes_are_told(dock, qtbot, tables_folder, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(_opening, "tell", told.extend)
    copy = tmp_path / "HCR_9"
    shutil.copytree(tables_folder, copy)
    (mixed,) = (copy / "image_spot_spectral_unmixing").glob("mixed_spots*")
    mixed.unlink()
    open_folder(dock, qtbot, copy)
    assert "removed spots are unknown" in told[0]
    assert "Removed spots are unknown" in dock.message.message


def test_an_error_loses_nothing_and_the_next_try_works(
    dock, qtbot, parent, tmp_path, told
):
    (one, two) = sorted(path for path in parent.iterdir() if "HCR" in path.name)
    open_folder(dock, qtbot, one)
    session, layers = current(dock), list(dock._viewer.layers)
    open_folder(dock, qtbot, tmp_path)
    assert "there are no spot tables" in dock.message.message
    assert told == [dock.message.message]
    assert current(dock) is session
    assert not session.is_closed
    assert list(dock._viewer.layers) == layers
    open_folder(dock, qtbot, two)
    assert current(dock).dataset.name == two.name
    assert session.is_closed


def test_an_unexpected_error_is_told_with_its_traceback(
    dock, qtbot, tables_folder, monkeypatch
):
    received = []
    monkeypatch.setattr(
        "napari.utils.notifications.notification_manager.receive_error",
        lambda *error: received.append(error),
    )

    def fail(*_, **__):
        raise ZeroDivisionError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(_opening, "show_session", fail)
        open_folder(dock, qtbot, tables_folder)
    assert received[0][0] is ZeroDivisionError
    assert received[0][2] is not None
    assert dock.message.message == "a mistake"
    assert not dock._opening.busy
    assert recent_datasets() == []
    open_folder(dock, qtbot, tables_folder)
    assert current(dock) is not None


@pytest.fixture
def slow(monkeypatch):
    """Make opening wait until it is cancelled, or told to go on."""
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    real = _opening.open_dataset

    def wait(uri, *, progress, cancelled, **options):
        progress(0.5, "waiting")
        started.set()
        while not go_on.wait(0.005):
            if cancelled():
                ended.set()
                raise CancelledError("opening was cancelled")
        return real(uri, progress=progress, cancelled=cancelled, **options)

    monkeypatch.setattr(_opening, "open_dataset", wait)
    yield started, go_on, ended
    go_on.set()


def test_cancelling_keeps_what_is_shown(dock, qtbot, parent, told, slow):
    started, go_on, ended = slow
    one, two = sorted(path for path in parent.iterdir() if "HCR" in path.name)
    go_on.set()
    open_folder(dock, qtbot, one)
    session = current(dock)
    go_on.clear()
    started.clear()
    dock.address.value = str(two)
    rest(dock, qtbot)
    click(dock.open_button)
    qtbot.waitUntil(started.is_set)
    qtbot.waitUntil(lambda: dock.task.message == "waiting")
    assert 0 < dock.progress.value < 100
    click(dock.cancel_button)
    assert dock.message.message == "Cancelled. The viewer shows what it showed."
    assert dock.open_button.enabled
    qtbot.waitUntil(ended.is_set)
    qtbot.wait(20)
    assert current(dock) is session
    assert told == []
    go_on.set()
    click(dock.open_button)
    rest(dock, qtbot)
    assert current(dock).dataset.name == two.name


def test_the_newest_request_wins(dock, qtbot, parent, slow):
    started, go_on, ended = slow
    one, two = sorted(path for path in parent.iterdir() if "HCR" in path.name)
    results = []
    dock._opening.ended.connect(results.append)
    dock._opening.open(str(one))
    qtbot.waitUntil(started.is_set)
    dock._opening.open(str(two))
    qtbot.waitUntil(ended.is_set)
    go_on.set()
    rest(dock, qtbot)
    assert current(dock).dataset.name == two.name
    assert isinstance(results[0], CancelledError)
    assert results[1] is current(dock)
    assert len(results) == 2
    dock._opening.ended.disconnect(results.append)


def test_listing_is_cancelled(dock, qtbot, monkeypatch, parent):
    started, ended = threading.Event(), threading.Event()

    def wait(_uri, _options, job, _found):
        started.set()
        while not job.cancelled():
            pass
        ended.set()
        job.check()

    monkeypatch.setattr(module, "list_entries", wait)
    dock.kind.value = "folder"
    dock.address.value = str(parent)
    click(dock.refresh_button)
    qtbot.waitUntil(started.is_set)
    assert not dock._progress_row.native.isHidden()
    click(dock.cancel_button)
    assert dock.message.message == "Cancelled."
    assert dock._progress_row.native.isHidden()
    qtbot.waitUntil(ended.is_set)


def test_what_a_bucket_answers_is_shown_as_it_comes(dock, qtbot, monkeypatch):
    more = threading.Event()

    def pages(uri, **options):
        assert options["storage"].anonymous is None
        for place in range(3):
            yield nss.DatasetInfo(f"HCR_{place}", f"{uri}/HCR_{place}")
            if place == 1:
                more.wait(20)

    source = "napari_seespot.widgets._source_details.iter_datasets"
    monkeypatch.setattr(source, pages)
    monkeypatch.setattr(module, "details_of", lambda *_: module.Details())
    dock.kind.value = "s3"
    dock.address.value = "s3://bucket"
    click(dock.refresh_button)
    qtbot.waitUntil(lambda: len(dock.datasets.entries) == 2)
    dock.datasets.choose("s3://bucket/HCR_0")
    more.set()
    rest(dock, qtbot)
    assert [entry.name for entry in dock.datasets.entries] == [
        "HCR_0",
        "HCR_1",
        "HCR_2",
    ]
    assert dock.target == ("s3://bucket/HCR_0", {})


def test_two_viewers_are_independent(make_dock, model, qtbot, parent, slow):
    from napari.components import ViewerModel

    other = ViewerModel()
    one, two = sorted(path for path in parent.iterdir() if "HCR" in path.name)
    first, second = make_dock(model), make_dock(other)
    slow[1].set()
    first._opening.open(str(one))
    second._opening.open(str(two))
    rest(first, qtbot)
    rest(second, qtbot)
    assert sessions.current(model).dataset.name == one.name
    assert sessions.current(other).dataset.name == two.name
    assert first.session is not second.session


def test_docks_of_one_viewer_show_the_same(make_dock, model, qtbot, tables_folder):
    first, second = make_dock(model), make_dock(model)
    open_folder(first, qtbot, tables_folder)
    assert second.session is first.session
    assert second.message.message == first.message.message


def test_a_dock_that_is_gone_is_told_nothing(make_dock, docks, model, qtbot, parent):
    from qtpy.QtCore import QCoreApplication, QEvent

    dock, other = make_dock(model), make_dock(model)
    docks.remove(dock)
    dock.native.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    open_folder(
        other, qtbot, next(path for path in parent.iterdir() if "HCR" in path.name)
    )
    assert current(other) is not None


# ---- a server


def test_datasets_of_a_server_are_listed_and_opened(dock, qtbot, server):
    dock.kind.value = "server"
    dock.address.value = server.url
    click(dock.refresh_button)
    rest(dock, qtbot)
    (entry,) = dock.datasets.entries
    assert entry.name == seespot.NEWER_NAME
    assert "served now" in entry.facts
    dock.server_options.sample_size.value = 12
    dock.server_options.sampling_type.value = "random"
    dock.server_options.valid_only.value = True
    dock.server_options.force_refresh.value = True
    click(dock.open_button)
    rest(dock, qtbot)
    assert len(current(dock).dataset.spots) == 12
    query = server.asked(seespot.SPOTS)[-1].query
    assert query["sample_size"] == "12"
    assert query["sampling_type"] == "random"
    assert query["valid_spots_only"] == "true"
    assert query["force_refresh"] == "true"
    (recent,) = recent_datasets()
    assert "sample_size=12" in recent.uri
    assert "force_refresh" not in recent.uri
    assert not dock.remove_button.enabled


def test_a_servers_fault_is_told_and_the_next_try_works(dock, qtbot, server, told):
    server.fail(seespot.SPOTS, seespot.status(500, {"error": "out of memory"}))
    dock.kind.value = "server"
    dock.address.value = server.url
    click(dock.open_button)
    rest(dock, qtbot)
    assert "out of memory" in dock.message.message
    assert told
    assert current(dock) is None
    assert not dock._viewer.layers
    click(dock.open_button)
    rest(dock, qtbot)
    assert current(dock).dataset.name == seespot.NEWER_NAME


def test_a_password_is_used_and_never_shown_or_kept(dock, qtbot, server, told):
    dock.kind.value = "server"
    dock.address.value = server.url.replace("//", "//me:secret@")
    click(dock.refresh_button)
    assert "secret" not in dock.task.message
    rest(dock, qtbot)
    dock.datasets.items.setCurrentRow(0)
    assert "me:secret@" in dock.target[0]
    server.fail(seespot.SPOTS, seespot.status(500, {"error": "no"}))
    click(dock.open_button)
    assert "secret" not in dock.task.message
    rest(dock, qtbot)
    assert told
    assert "secret" not in " ".join([*told, dock.message.message])
    click(dock.open_button)
    rest(dock, qtbot)
    assert "Authorization" in server.asked(seespot.SPOTS)[-1].headers
    (recent,) = recent_datasets()
    assert (
        "secret" not in f"{recent} {current(dock).dataset.uri} {dock.current.message}"
    )


@pytest.mark.parametrize(
    ("uri", "address", "expected"),
    [
        ("http://h:1/?dataset=A", "http://u:p@h:1", "http://u:p@h:1/?dataset=A"),
        ("http://h:1/?dataset=A", " http://h:1 ", "http://h:1/?dataset=A"),
        ("http://other/?dataset=A", "http://u:p@h:1", "http://other/?dataset=A"),
        ("https://h:1", "http://u:p@h:1", "https://h:1"),
        ("http://h:1", "http://[u@h", "http://h:1"),
    ],
)
def test_signing_in(uri, address, expected):
    assert signed_in(uri, address) == expected


# ---- the cache


def test_removing_from_the_cache(dock, qtbot, parent):
    list_folder(dock, qtbot, parent)
    choose(dock, qtbot, "HCR_1")
    click(dock.open_button)
    rest(dock, qtbot)
    click(dock.refresh_button)
    rest(dock, qtbot)
    choose(dock, qtbot, "HCR_1")
    assert "in the cache" in dock.datasets.entry.facts
    click(dock.remove_button)
    rest(dock, qtbot)
    assert "MB are free" in dock.message.message
    assert not any("in the cache" in entry.facts for entry in dock.datasets.entries)
    assert not list(settings.cache_folder().rglob("*.arrow"))
    assert current(dock).visible() is not None  # what is open stays usable
    choose(dock, qtbot, "HCR_1")
    click(dock.remove_button)
    rest(dock, qtbot)
    assert dock.message.message == "Nothing of it is in the cache."


def test_the_samples_tables_are_removed_and_others_stay(
    dock, qtbot, monkeypatch, parent
):
    from napari_seespot import sample

    monkeypatch.setitem(sample.SAMPLES, "sample", ("small", 200, False))
    dock.kind.value = "sample"
    click(dock.open_button)
    rest(dock, qtbot)
    assert recent_datasets() == []
    one = next(path for path in parent.iterdir() if "HCR" in path.name)
    nss.open_dataset(one)
    assert len(list(settings.cache_folder().rglob("*.arrow"))) == 2
    click(dock.remove_button)
    rest(dock, qtbot)
    assert len(list(settings.cache_folder().rglob("*.arrow"))) == 1


# ---- tables whose columns have other names

OTHERS = {
    "chan": "Channel",
    "unmixed_chan": "final",
    "z": "pos_z",
    "y": "pos_y",
    "x": "pos_x",
    "chan_488_intensity": "488 nm",
}


@pytest.fixture
def odd(tables, tmp_path):
    """Return a table of which the names of the columns differ."""
    path = tmp_path / "odd.parquet"
    frame = tables.spots.to_pandas().head(200)
    frame.drop(columns="status").rename(columns=OTHERS).to_parquet(path)
    return path


def test_every_column_that_can_be_mapped_is_known():
    assert all(map(is_known, MEANINGS))


def test_what_a_table_lacks():
    names = ["chan", "unmixed_chan", "z", "y", "x", "chan_488_intensity"]
    assert missing(names) == ()
    assert missing(names[1:]) == ("chan",)
    assert missing(names, {"z": None}) == ("z",)
    assert missing(["ch", *names[1:]], {"ch": "chan"}) == ()
    calibrated = ["chan", "v3_chan", "z", "y", "x", "fg", "bg"]
    assert missing(calibrated) == ()
    assert missing(calibrated[:-1]) == ("chan_<channel>_intensity",)
    pairs = ["chan", "unmixed_chan", "z", "y", "x", "chan_488_fg", "chan_488_bg"]
    assert missing(pairs) == ()


def test_only_tables_are_looked_into(odd, tables_folder, tmp_path):
    assert check_columns("http://host:1") is None
    assert check_columns("s3://bucket/a.parquet") is None
    assert check_columns(str(tables_folder)) is None
    assert check_columns("sample") is None
    assert table_path(f"file://{odd}") == odd
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "few.csv", index=False)
    assert check_columns(str(tmp_path / "few.csv")) is None
    with pytest.raises(UnmappedError, match=r"lacks .*Expected .*column_map="):
        check_columns(str(odd))


def test_a_mapping_that_does_not_suffice_is_asked_for_again(odd):
    names = list(pd.read_parquet(odd).columns)
    remember_columns(names, {"pos_z": "z"})
    with pytest.raises(UnmappedError):
        check_columns(str(odd))
    remember_columns(names, {theirs: ours for ours, theirs in OTHERS.items()})
    assert check_columns(str(odd))["pos_z"] == "z"


@pytest.fixture
def dialog(odd, qtbot):
    answers = []
    names = list(pd.read_parquet(odd).columns)
    dialog = ColumnMappingDialog(odd, names, answers.append)
    dialog.answers, dialog.names = answers, names
    dialog.show()
    yield dialog
    if isalive(dialog):  # it is deleted once it is closed
        dialog.close()


def ok(dialog):
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)


def test_the_dialog_begins_with_a_guess_and_tells_what_is_missing(dialog):
    assert dialog.column_map["pos_z"] == "z"
    assert dialog.column_map["Channel"] == "chan"
    assert "final" not in dialog.column_map
    assert dialog.message.text() == "Still missing: unmixed_chan"
    assert not ok(dialog).isEnabled()
    dialog.accept()
    assert dialog.answers == []
    assert recall_columns(dialog.names) is None


def test_the_dialogs_answer_is_remembered(dialog, odd, qtbot):
    box = dialog.boxes["final"]
    box.setCurrentIndex(box.findData("unmixed_chan"))
    assert dialog.message.text() == "All that is needed is there."
    QTest.mouseClick(ok(dialog), Qt.MouseButton.LeftButton)
    (column_map,) = dialog.answers
    assert column_map == {theirs: ours for ours, theirs in OTHERS.items()}
    assert recall_columns(dialog.names) == column_map
    assert len(nss.open_dataset(odd, column_map=check_columns(str(odd))).spots) == 200


def test_the_dialog_says_what_is_wrong(dialog):
    dialog.boxes["final"].setEditText("unmixed_chan")
    dialog.boxes["cell_id"].setEditText("z")
    assert "Two columns are to be z" in dialog.message.text()
    dialog.boxes["cell_id"].setEditText("nonsense")
    assert "'nonsense' is no column" in dialog.message.text()
    dialog.boxes["cell_id"].setEditText("(left out)")
    assert ok(dialog).isEnabled()
    assert dialog.column_map["cell_id"] is None
    dialog.boxes["cell_id"].setEditText("chan_Alexa_intensity")
    assert ok(dialog).isEnabled()
    assert dialog.column_map["cell_id"] == "chan_Alexa_intensity"


def test_without_a_window_other_columns_are_an_error(dock, qtbot, odd, told):
    dock.kind.value = "file"
    dock.address.value = str(odd)
    rest(dock, qtbot)
    assert not dock.columns.native.isHidden()
    click(dock.open_button)
    rest(dock, qtbot)
    assert "the table lacks" in told[0]
    with pytest.raises(TableError, match="the table lacks"):
        dock._opening.open_now(str(odd))


# ---- settings


def test_defaults_are_those_of_the_manifest():
    path = os.path.join(os.path.dirname(nss.__file__), "napari.yaml")
    with open(path) as file:
        groups = yaml.safe_load(file)["contributions"]["configurations"]
    declared = {
        f"{group}_{name}": item["default"]
        for group, content in groups.items()
        for name, item in content["properties"].items()
    }
    assert vars(PluginSettings()) == declared


def test_settings_are_asked_of_napari(monkeypatch):
    from napari.settings import get_plugin_settings
    from npe2 import PluginManager

    PluginManager.instance().discover()
    found = get_plugin_settings("napari-seespot")
    monkeypatch.setattr(found.sources, "server_url", "http://lab:1")
    assert plugin_settings().sources_server_url == "http://lab:1"


def test_without_the_plugin_the_defaults_hold(monkeypatch):
    def absent(_name):
        raise KeyError("Plugin named 'napari-seespot' does not exist.")

    monkeypatch.setattr("napari.settings.get_plugin_settings", absent)
    assert plugin_settings() == PluginSettings()


@pytest.fixture
def preferences(monkeypatch):
    def use(**values):
        found = PluginSettings(**values)
        for place in (_opening, module):
            monkeypatch.setattr(place, "plugin_settings", lambda: found)

    yield use
    settings.configure()


def test_addresses_come_from_the_settings(preferences, make_dock, model):
    preferences(sources_server_url="http://lab:1", sources_s3_bucket="bucket/prefix")
    dock = make_dock(model)
    dock.kind.value = "server"
    assert dock.address.value == "http://lab:1"
    dock.kind.value = "s3"
    assert dock.address.value == "s3://bucket/prefix"
    dock._asker.cancel()


def test_drawing_and_cache_come_from_the_settings(
    preferences, make_dock, model, qtbot, tables_folder, tmp_path, monkeypatch
):
    monkeypatch.delenv("NAPARI_SEESPOT_CACHE")
    preferences(
        cache_folder=str(tmp_path / "own"),
        cache_size_gb=3,
        drawing_max_points=77,
        drawing_slab_picture="points",
    )
    dock = make_dock(model)
    open_folder(dock, qtbot, tables_folder)
    state = current(dock).state
    assert (state.max_points, state.picture) == (77, "points")
    assert list((tmp_path / "own").rglob("*.arrow"))
    assert settings.cache_limit() == 3 * 10**9


def test_how_s3_is_reached_comes_from_the_settings():
    own = PluginSettings(
        sources_s3_endpoint=" http://s3:9 ", sources_s3_anonymous=False
    )
    for uri in ("s3://bucket/name", "HTTP://host:1", "/data/answer.json"):
        storage = own.options_for(uri)["storage"]
        assert (storage.endpoint_url, storage.anonymous) == ("http://s3:9", False)
    assert own.options_for("/data/HCR") == {}
    usual = PluginSettings().options_for("s3://bucket/name")["storage"]
    assert (usual.endpoint_url, usual.anonymous) == (None, None)


def test_settings_without_a_plugin_manager_are_not_asked_at_import():
    assert _plugin_settings.PluginSettings().new_state().max_points == 0


# ---- napari's own window


@pytest.fixture
def window(qapp, mock_app_model):
    import napari

    viewer = napari.Viewer(show=False)
    yield viewer
    viewer.close()


@pytest.fixture
def in_window(window):
    _, dock = window.window.add_plugin_dock_widget("napari-seespot", "Open dataset")
    return dock


def test_opening_is_in_the_activity_dock_and_cancelled_there(
    window, in_window, qtbot, tables_folder, slow
):
    from napari.utils.progress import progress

    started, _, ended = slow
    in_window._opening.open(str(tables_folder))
    (bar,) = progress._all_instances
    assert "Opening HCR_2" in bar.desc
    qtbot.waitUntil(lambda: bar.n == 40)
    assert "waiting" in bar.desc
    bar.cancel()
    assert not progress._all_instances
    assert not in_window._opening.busy
    qtbot.waitUntil(ended.is_set)
    assert started.is_set()
    assert not window.layers


def test_columns_are_asked_for_once(window, in_window, qtbot, odd):
    opening = in_window._opening
    opening.open(str(odd))
    rest(in_window, qtbot)
    assert "say which is which" in in_window.message.message
    box = opening.dialog.boxes["final"]
    box.setCurrentIndex(box.findData("unmixed_chan"))
    opening.dialog.accept()
    rest(in_window, qtbot)
    session = sessions.current(window)
    assert len(session.dataset.spots) == 200
    opening.open(str(odd))
    rest(in_window, qtbot)
    assert sessions.current(window) is not session
    in_window.kind.value = "file"
    in_window.address.value = str(odd)
    rest(in_window, qtbot)
    click(in_window.columns)
    rest(in_window, qtbot)
    assert opening.dialog.column_map["final"] == "unmixed_chan"
    opening.dialog.reject()


def test_the_dock_goes_behind_the_spots(window, in_window, qtbot, tables_folder):
    open_folder(in_window, qtbot, tables_folder)
    main = window.window.main_menu.window()
    own = module._dock_of(in_window)

    def is_behind():
        titles = [dock.windowTitle() for dock in main.tabifiedDockWidgets(own)]
        return any(title.startswith("Spots") for title in titles)

    qtbot.waitUntil(is_behind, timeout=20_000)


def test_an_error_in_a_window_is_a_notification(
    window, in_window, qtbot, tmp_path, told
):
    open_folder(in_window, qtbot, tmp_path)
    assert "there are no spot tables" in told[0]
    assert isinstance(in_window.message.message, str)
    with pytest.raises(NotFoundError):
        in_window._opening.open_now(str(tmp_path))
    assert len(told) == 1
