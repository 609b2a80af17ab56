"""napari's ways in: the reader, dropped folders, samples, with and without a window."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from npe2 import PluginManager
from qtpy.QtCore import QEventLoop, QTimer

import napari_seespot as nss
from napari_seespot import _reader, sample, sessions
from napari_seespot._reader import NO_LAYERS, get_reader
from napari_seespot.errors import CancelledError, NotFoundError, SeeSpotError
from napari_seespot.recent import recent_datasets
from napari_seespot.widgets._opening import in_event_loop, opening_of

PLUGIN = "napari-seespot"


@pytest.fixture
def window(qapp, mock_app_model):
    """Return napari's viewer in a window that is not shown.

    `mock_app_model`: napari's own fixture of a viewer makes it register its commands
    anew, which the application that there is one of in a process refuses.
    """
    import napari

    viewer = napari.Viewer(show=False)
    yield viewer
    viewer.close()  # a second time does nothing


@pytest.fixture
def no_viewer(monkeypatch):
    PluginManager.instance().discover()
    monkeypatch.setattr("napari.current_viewer", lambda: None)


@pytest.fixture(scope="session")
def files(tmp_path_factory, tables_folder):
    """Return a folder with one file of each kind that reaches the reader."""
    folder = tmp_path_factory.mktemp("files")
    dataset = nss.open_dataset(tables_folder, cache=False)
    frame = dataset.spots.to_pandas().head(50)
    frame.to_parquet(folder / "merged.parquet")
    frame.to_csv(folder / "merged_spots.csv", index=False)
    frame.to_feather(folder / "merged.feather")
    other = {"Channel": frame["chan"], "pos_z": frame["z"], "pos_y": frame["y"]}
    pd.DataFrame(other | {"pos_x": frame["x"]}).to_parquet(folder / "odd.parquet")
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(folder / "any.parquet")
    pd.DataFrame({"a": [1], "b": [2]}).to_csv(folder / "any_spots.csv", index=False)
    (folder / "broken.parquet").write_bytes(b"PAR1 no more")
    (folder / "answer.json").write_text(json.dumps({"channel_pairs": []}))
    (folder / "any.json").write_text(json.dumps({"shapes": []}))
    (folder / "list.json").write_text("[1, 2]")
    (folder / "notes.txt").write_text("spots")
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("merged.parquet", True),
        ("merged_spots.csv", True),
        ("merged.feather", True),
        ("odd.parquet", True),
        ("answer.json", True),
        ("any.parquet", False),
        ("any_spots.csv", False),
        ("broken.parquet", False),
        ("any.json", False),
        ("list.json", False),
        ("notes.txt", False),
        ("empty", False),
        ("absent", False),
        ("absent.parquet", False),
    ],
)
def test_files_are_told_apart_by_what_they_hold(files, name, ours):
    assert (get_reader(str(files / name)) is not None) == ours


def test_dataset_folders_are_ours_and_others_are_not(tables_folder):
    assert get_reader(str(tables_folder)) is not None
    assert get_reader(tables_folder) is not None
    assert get_reader(f"file://{tables_folder}") is not None
    assert get_reader(str(tables_folder / "image_spot_spectral_unmixing")) is not None
    assert get_reader(str(tables_folder.parent)) is None


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("http://localhost:5555", True),
        ("http://localhost:5555/", True),
        ("HTTP://user:p@host:1/?dataset=HCR", True),
        ("https://host:8443", True),
        ("s3://bucket/HCR_1", True),
        ("s3://bucket", False),
        ("http://host/picture.png", False),
        ("http://host:80/picture.png", False),
        ("ftp://host:21", False),
        ("://", False),
    ],
)
def test_addresses_are_told_apart_without_a_request(address, ours):
    assert (get_reader(address) is not None) == ours


@pytest.mark.parametrize("paths", [[], ["a"], ("a", "b"), None, 3])
def test_several_paths_are_no_dataset(paths):
    assert get_reader(paths) is None


@given(text=st.text())
def test_the_question_never_raises(text):
    assert get_reader(text) in (None, _reader.read)


def test_without_a_viewer_there_are_plain_layers(no_viewer, sample_folder, model):
    layers = model.open(str(sample_folder), plugin=PLUGIN)
    names = [layer.name for layer in layers]
    assert names[:2] == ["488 · Crh", "514 · Penk"]
    assert names[5:] == ["Spots: unchanged", "Spots: reassigned", "Spots: removed"]
    counts = [len(layer.data) for layer in layers[5:]]
    assert sum(counts) == 2000
    assert [layer.visible for layer in layers[5:]] == [True, True, False]
    assert sessions.current(model) is None


def test_a_script_has_the_session_when_open_returns(window, sample_folder):
    assert not in_event_loop()
    assert window.open(str(sample_folder), plugin=PLUGIN) == []
    session = sessions.current(window)
    assert session.dataset.name == sample_folder.name
    assert "488 · Crh" in window.layers
    assert {"Spots", "Channel pairs"} <= {
        name.partition(" (")[0] for name in window.window.dock_widgets
    }


def test_an_error_is_raised_in_a_script_and_nothing_is_lost(
    window, tables_folder, tmp_path
):
    window.open(str(tables_folder), plugin=PLUGIN)
    before, layers = sessions.current(window), list(window.layers)
    (tmp_path / "derived").mkdir()
    with pytest.raises(NotFoundError, match="there are no spot tables"):
        window.open(str(tmp_path), plugin=PLUGIN)
    assert sessions.current(window) is before
    assert list(window.layers) == layers
    assert not opening_of(window).busy


def run(action, viewer, qtbot):
    """Run an action as a click does: inside of the event loop, until it has ended."""
    results, returned = [], []
    opening = opening_of(viewer)
    loop = QEventLoop()

    def end(result):
        results.append(result)
        loop.quit()

    opening.ended.connect(end)
    QTimer.singleShot(0, lambda: returned.append((action(), opening.busy)))
    QTimer.singleShot(60_000, loop.quit)
    loop.exec()
    opening.ended.disconnect(end)
    qtbot.wait(1)
    return results[0], returned[0]


def test_a_drop_does_not_wait_for_the_dataset(window, tables_folder, qtbot):
    def drop():
        return window.open(str(tables_folder), plugin=PLUGIN)

    session, (layers, busy) = run(drop, window, qtbot)
    assert layers == []
    assert busy
    assert sessions.current(window) is session


def test_a_drop_of_a_bad_folder_is_a_notification(window, tmp_path, qtbot, notified):
    (tmp_path / "derived").mkdir()
    result, _ = run(lambda: window.open(str(tmp_path), plugin=PLUGIN), window, qtbot)
    assert isinstance(result, NotFoundError)
    assert "there are no spot tables" in notified[0]
    assert sessions.current(window) is None
    assert not window.layers


@pytest.fixture
def notified(monkeypatch):
    """Return the errors that napari shows."""
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    return told


@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setitem(sample.SAMPLES, "sample", ("small", 300, True))
    monkeypatch.setitem(sample.SAMPLES, "sample-million", ("smaller", 200, False))


@pytest.mark.parametrize(
    ("key", "name"), [("hcr-sample", "small"), ("million-spots", "smaller")]
)
def test_samples_open_from_the_menu_without_blocking(
    window, qtbot, small_sample, key, name
):
    opening = opening_of(window)
    steps = []
    opening.progressed.connect(steps.append)
    session, (layers, busy) = run(
        lambda: window.open_sample(PLUGIN, key), window, qtbot
    )
    assert layers == []
    assert busy
    assert session.dataset.name == name
    assert steps
    assert "Spots" in window.layers
    assert recent_datasets() == []


def test_a_sample_without_a_viewer_is_plain_layers(no_viewer, small_sample, model):
    layers = model.open_sample(PLUGIN, "million-spots")
    assert sum(len(layer.data) for layer in layers) == 200


def test_the_sentinel_is_what_napari_expects():
    from napari.plugins.io import _is_null_layer_sentinel

    assert _is_null_layer_sentinel(NO_LAYERS)


def test_closing_the_viewer_ends_the_opening(window, tables_folder, qtbot, monkeypatch):
    import threading

    from napari_seespot.widgets import _opening

    started = threading.Event()

    def slow(uri, *, progress, cancelled, **_):
        started.set()
        while not cancelled():
            pass
        raise CancelledError("stopped")

    monkeypatch.setattr(_opening, "open_dataset", slow)
    opening = opening_of(window)
    timer = QTimer()
    timer.timeout.connect(lambda: started.is_set() and (timer.stop(), window.close()))
    timer.start(1)
    with pytest.raises(CancelledError):
        opening.open_now(str(tables_folder))
    opening.open(str(tables_folder))
    assert not opening.busy


def test_arrays_of_the_reader_are_lazy(no_viewer, sample_folder, tmp_path):
    copy = tmp_path / "HCR_3"
    shutil.copytree(sample_folder, copy)
    layers = get_reader(str(copy))(str(copy))
    levels = layers[0][0]
    assert not isinstance(levels[0], np.ndarray)
    assert layers[0][1]["multiscale"]


def test_errors_without_a_viewer_are_raised(no_viewer, tmp_path):
    (tmp_path / "derived").mkdir()
    with pytest.raises(SeeSpotError, match="no spot tables"):
        get_reader(str(tmp_path))(str(tmp_path))
