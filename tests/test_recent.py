"""What is remembered between starts: datasets and columns, never a credential."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_seespot import _memory, recent
from napari_seespot.column_maps import recall_columns, remember_columns
from napari_seespot.dataset import Dataset, LazyMapping
from napari_seespot.recent import (
    RecentDataset,
    forget_dataset,
    recent_datasets,
    remember_dataset,
    without_credentials,
)


@pytest.fixture
def named(tables):
    def make(uri, name="HCR", images=()):
        return Dataset(name, uri, tables.spots, images=LazyMapping(images))

    return make


def test_nothing_is_remembered_at_first():
    assert recent_datasets() == []
    assert not _memory.config_folder().exists()


def test_newest_comes_first_and_each_address_once(named):
    for uri in ("/a", "/b", "/a"):
        remember_dataset(named(uri))
    assert [entry.uri for entry in recent_datasets()] == ["/a", "/b"]


def test_an_entry_tells_what_the_dataset_held(named):
    remember_dataset(named("/a", "HCR_1", ["488"]))
    (entry,) = recent_datasets()
    assert entry.name == "HCR_1"
    assert entry.contents == "5,000 spots, 1 image"
    assert len(entry.opened) == len("2026-11-23 14:45")


def test_only_min_dist_is_remembered_of_the_options(named):
    options = {"min_dist": 3, "storage": object(), "column_map": {"a": "z"}}
    remember_dataset(named("/a"), options)
    assert recent_datasets()[0].options == {"min_dist": "3"}


def test_a_limited_number_is_remembered(named, monkeypatch):
    monkeypatch.setattr(recent, "MOST", 3)
    for place in range(5):
        remember_dataset(named(f"/{place}"))
    assert [entry.uri for entry in recent_datasets()] == ["/4", "/3", "/2"]


def test_forgetting(named):
    for uri in ("/a", "/b"):
        remember_dataset(named(uri))
    forget_dataset("/a")
    forget_dataset("/never")
    assert [entry.uri for entry in recent_datasets()] == ["/b"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/data/a@b?c=d", "/data/a@b?c=d"),
        ("C:\\data\\HCR", "C:\\data\\HCR"),
        ("http://user:secret@host:5555", "http://host:5555"),
        ("http://u:s@cret@host:5555/x", "http://host:5555/x"),
        (
            "http://host:1/?dataset=HCR%201&sample_size=9&token=secret#secret",
            "http://host:1/?dataset=HCR%201&sample_size=9",
        ),
        ("s3://user:secret@bucket/name", "s3://bucket/name"),
        ("s3://bucket/name?X-Amz-Signature=secret", "s3://bucket/name"),
        ("http://[secret@host", "http://host"),
    ],
)
def test_credentials_are_taken_out(uri, expected):
    assert without_credentials(uri) == expected


def test_no_credential_reaches_the_disk(named):
    remember_dataset(named("https://me:secret@host:1/?dataset=A&key=secret"))
    (file,) = _memory.config_folder().iterdir()
    assert "secret" not in file.read_text()


ENTRY = {"uri": "/a", "name": "A", "opened": "now", "contents": "", "options": {}}


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"\xff\xfe", b"{}", b"3", b"[" * 100_000, json.dumps([ENTRY] * 2)[:-9]],
    ids=["empty", "cut", "bytes", "object", "number", "deep", "truncated"],
)
def test_a_damaged_file_counts_as_forgotten(named, content):
    folder = _memory.config_folder()
    folder.mkdir(parents=True)
    content = content if isinstance(content, bytes) else content.encode()
    (folder / "recent.json").write_bytes(content)
    assert recent_datasets() == []
    remember_dataset(named("/b"))
    assert [entry.uri for entry in recent_datasets()] == ["/b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*ENTRY, "columns", "map", "other"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(items=st.lists(JSON, max_size=4))
def test_damaged_entries_are_left_out(items):
    _memory.remember("recent.json", [*items, ENTRY])
    _memory.remember("columns.json", items)
    found = recent_datasets()
    assert all(isinstance(entry, RecentDataset) and entry.uri for entry in found)
    assert found[-1].uri == "/a"
    assert recall_columns(["a", "b"]) is None


def test_a_folder_that_cannot_be_written_is_only_logged(
    named, monkeypatch, tmp_path, caplog
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_SEESPOT_CONFIG", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        remember_dataset(named("/a"))
    assert "recent.json is not remembered" in caplog.text
    assert recent_datasets() == []


def test_nothing_half_written_stays(named, monkeypatch):
    remember_dataset(named("/a"))

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(_memory.os, "replace", fail)
    remember_dataset(named("/b"))
    assert [path.name for path in _memory.config_folder().iterdir()] == ["recent.json"]
    assert [entry.uri for entry in recent_datasets()] == ["/a"]


def test_the_folder_is_the_users_own_by_default(monkeypatch):
    from platformdirs import user_config_path

    monkeypatch.delenv("NAPARI_SEESPOT_CONFIG")
    expected = user_config_path("napari-seespot", appauthor=False)
    assert _memory.config_folder() == expected


def test_a_mapping_is_remembered_for_tables_with_the_same_columns():
    names = ["Channel", "pos_z", "extra"]
    assert recall_columns(names) is None
    remember_columns(names, {"Channel": "chan", "extra": None})
    assert recall_columns(reversed(names)) == {"Channel": "chan", "extra": None}
    assert recall_columns([*names, "more"]) is None
    remember_columns(names, {"pos_z": "z"})
    assert recall_columns(names) == {"pos_z": "z"}


def test_a_mapping_of_columns_that_are_not_there_is_not_used():
    remember_columns(["a"], {"b": "z"})
    assert recall_columns(["a"]) is None
