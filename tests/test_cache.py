from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests._tables import make_tables, merged_by_pandas, write_dataset

from napari_seespot import settings as paths
from napari_seespot.errors import CacheError
from napari_seespot.sources import cache as module
from napari_seespot.sources import open_dataset
from napari_seespot.sources._scratch import host
from napari_seespot.sources.cache import (
    CacheKey,
    Imported,
    cache_info,
    clear_cache,
    load_spots,
    spots_through_cache,
    store_spots,
)
from napari_seespot.spots import Spots

KEY = CacheKey("/data/one", {"min_dist": "3"}, {"mixed.pkl": "1-2"})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path))
    monkeypatch.delenv("NAPARI_SEESPOT_CACHE_GB", raising=False)
    monkeypatch.setattr(module, "_opened", set())
    yield tmp_path / "spots"
    paths.configure()


def imported(
    n: int = 100, seed: int = 0, notes: tuple[str, ...] = ("a note",)
) -> Imported:
    merged = merged_by_pandas(*make_tables(n, seed=seed))
    return Imported(Spots.from_pandas(merged.drop(columns="status")), notes)


def same(one: Imported, other: Imported) -> None:
    pd.testing.assert_frame_equal(one.spots.to_pandas(), other.spots.to_pandas())
    assert one.spots.channels == other.spots.channels
    assert dict(one.spots.categories) == dict(other.spots.categories)
    assert one.notes == other.notes


def fails() -> Imported:
    raise AssertionError("the cache was not used")


# --- what is stored ---


def test_what_was_stored_is_loaded():
    table = imported()
    store_spots(KEY, table)
    same(load_spots(KEY), table)
    same(spots_through_cache(KEY, fails), table)


def test_an_empty_table(folder):
    table = imported(0)
    store_spots(KEY, table)
    assert len(load_spots(KEY).spots) == 0


def test_columns_are_views_of_the_file_and_read_only():
    store_spots(KEY, imported())
    before = pa.total_allocated_bytes()
    spots = load_spots(KEY).spots
    assert pa.total_allocated_bytes() == before
    for array in spots.columns.values():
        assert not array.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0


def test_the_file_is_small_enough(folder):
    table = imported(50_000)
    path = store_spots(KEY, table)
    assert path.stat().st_size / 50_000 <= 64
    assert [p.name for p in folder.iterdir()] == [KEY.file_name]


def test_codes_of_many_channels_are_kept_in_16_bits():
    channels = [str(c) for c in range(400, 420)]
    n = 60
    table = pd.DataFrame({"chan": np.resize(channels, n), "unmixed_chan": "419"})
    table = table.assign(
        z=1, y=2, x=3, **{f"chan_{c}_intensity": 1.0 for c in channels}
    )
    spots = Spots.from_pandas(table)
    assert spots.code.dtype == np.uint16
    store_spots(KEY, Imported(spots))
    same(load_spots(KEY), Imported(spots))


# --- what is not trusted ---


@pytest.mark.parametrize(
    "other",
    [
        CacheKey("/data/two", KEY.options, KEY.files),
        CacheKey(KEY.uri, {"min_dist": "4"}, KEY.files),
        CacheKey(KEY.uri, KEY.options, {"mixed.pkl": "1-3"}),
    ],
)
def test_another_key_is_another_table(other):
    path = store_spots(KEY, imported())
    assert load_spots(other) is None
    path.rename(path.with_name(other.file_name))  # even under its name
    assert load_spots(other) is None


def test_a_newer_table_of_the_same_source_replaces_the_older(folder):
    store_spots(KEY, imported())
    newer = CacheKey(KEY.uri, KEY.options, {"mixed.pkl": "9-9"})
    store_spots(newer, imported(seed=1))
    other = CacheKey(KEY.uri, {"min_dist": "4"}, KEY.files)
    store_spots(other, imported(seed=2))
    assert {p.name for p in folder.iterdir()} == {newer.file_name, other.file_name}


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.999, "last byte"])
def test_a_truncated_file_is_built_anew(share):
    path = store_spots(KEY, imported())
    content = path.read_bytes()
    path.unlink()
    keep = len(content) - 1 if share == "last byte" else int(share * len(content))
    path.write_bytes(content[:keep])
    assert load_spots(KEY) is None
    table = imported(seed=3)
    same(spots_through_cache(KEY, lambda: table), table)
    same(load_spots(KEY), table)


def test_a_file_of_another_format(monkeypatch):
    monkeypatch.setattr(module, "FORMAT", 0)
    store_spots(KEY, imported())
    monkeypatch.undo()
    assert load_spots(KEY) is None


def rewrite(path: Path, change) -> None:
    """Write the file again with other metadata or columns."""
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all().combine_chunks()
    content = json.loads(table.schema.metadata[module.METADATA])
    table = change(content, table) or table
    metadata = {module.METADATA: json.dumps(content).encode()}
    table = table.replace_schema_metadata(metadata)
    path.unlink()
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def replaced(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    place = table.schema.names.index(name)
    return table.set_column(place, name, pa.array(values))


@pytest.mark.parametrize(
    "change",
    [
        lambda content, table: content.pop("channels") and None,
        lambda content, table: content.update(rows=99),
        lambda content, table: content["dtypes"].pop("z") and None,
        lambda content, table: content.update(format=0),
        lambda content, table: content.update(channels=["488"]),
        lambda content, table: content["categories"].update(round=[]),
        lambda content, table: replaced(table, "code", np.full(100, 200, np.uint8)),
        lambda content, table: replaced(table, "z", np.ones(100)),
        lambda content, table: replaced(
            table, "z", pa.array([None] * 100, pa.float32())
        ),
        lambda content, table: table.drop_columns(["y"]),
        lambda content, table: pa.concat_tables([table.slice(0, 50), table.slice(50)]),
    ],
)
def test_a_file_that_contradicts_itself_is_built_anew(change):
    path = store_spots(KEY, imported())
    rewrite(path, change)
    assert load_spots(KEY) is None


def test_rewriting_alone_changes_nothing():
    table = imported()
    path = store_spots(KEY, table)
    rewrite(path, lambda content, table: None)
    same(load_spots(KEY), table)


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"hello" * 100, b"\0" * 5000])
def test_something_else_under_the_name(folder, content):
    folder.mkdir()
    (folder / KEY.file_name).write_bytes(content)
    assert load_spots(KEY) is None
    table = imported()
    same(spots_through_cache(KEY, lambda: table), table)


MUTATIONS = 2000 if os.environ.get("NAPARI_SEESPOT_NIGHTLY") == "1" else 150


def test_mutated_files_are_rebuilt_or_right():
    """Bytes of the framing are changed at random; the columns' bytes are not."""
    table = imported(30)
    path = store_spots(KEY, table)
    whole = path.read_bytes()
    rng = random.Random(7)
    framing = [i for i in range(len(whole)) if i < 6000 or i > len(whole) - 6000]
    for _ in range(MUTATIONS):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4, 40))):
            damaged[rng.choice(framing)] = rng.randrange(256)
        path.unlink()
        path.write_bytes(damaged)
        loaded = load_spots(KEY)
        if loaded is not None:
            assert len(loaded.spots) == 30
            loaded.spots.flow()
            loaded.spots.to_pandas()


# --- writing ---


def test_without_the_cache_nothing_is_written(folder):
    table = imported()
    assert spots_through_cache(KEY, lambda: table, enabled=False) is table
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_no_error(folder, monkeypatch):
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(folder.parent / "file"))
    (folder.parent / "file").write_text("not a folder")
    table = imported()
    got = spots_through_cache(KEY, lambda: table)
    assert got.spots is table.spots
    assert got.notes[0] == "a note"
    assert got.notes[1].startswith("the table is not kept in the cache")


def test_a_full_disk_is_no_error_and_leaves_nothing(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    got = spots_through_cache(KEY, imported)
    assert "No space left on device" in got.notes[-1]
    assert list(folder.iterdir()) == []


def test_an_interrupted_write_leaves_nothing(folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store_spots(KEY, imported())
    assert list(folder.iterdir()) == []


def test_two_processes_may_write_the_same(folder):
    table = imported()
    store_spots(KEY, table)
    first = load_spots(KEY)
    store_spots(KEY, table)  # renamed over the file that is mapped
    same(first, table)
    same(load_spots(KEY), table)


def old(path: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(path, (at, at))


def test_temporary_files_of_the_dead_are_swept(folder):
    folder.mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = host()
    kept = [
        folder / f".a.arrow.{here}-{os.getpid()}-00ff.tmp",  # still being written
        folder / f".a.arrow.deadbeef-{gone.pid}-00ff.tmp",  # on another machine
        folder / ".other.tmp",
    ]
    swept = [
        folder / f".a.arrow.{here}-{gone.pid}-00ff.tmp",
        folder / f".a.arrow.deadbeef-{gone.pid}-00fe.tmp",
    ]
    for path in (*kept, *swept):
        path.write_text("half")
    old(swept[1], 25 * 3600)
    store_spots(KEY, imported())
    left = set(folder.iterdir()) - {folder / KEY.file_name}
    assert left == set(kept)


# --- room ---


def keys(n: int) -> list[CacheKey]:
    return [CacheKey(f"/data/{i}", {}, {}) for i in range(n)]


def stored(n: int) -> list[Path]:
    """Store tables, of which each was used a minute after the one before."""
    made = []
    for place, key in enumerate(keys(n)):
        path = store_spots(key, imported(200, seed=place))
        old(path, (n - place) * 60)
        made.append(path)
    module._opened.clear()  # as a process that did not open them
    return made


def test_the_tables_used_longest_ago_make_room(monkeypatch):
    made = stored(4)
    size = made[0].stat().st_size
    load_spots(keys(1)[0])  # the oldest is used again
    module._opened.clear()
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE_GB", str(3.5 * size / 1e9))
    last = store_spots(KEY, imported(200))
    assert [path.exists() for path in made] == [True, False, False, True]
    assert last.exists()


def test_open_tables_are_not_removed(monkeypatch):
    made = stored(3)
    opened = load_spots(keys(1)[0])
    old(made[0], 9999)
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE_GB", "0")
    last = store_spots(KEY, imported(200))
    assert [path.exists() for path in made] == [True, False, False]
    assert last.exists()
    opened.spots.to_pandas()


def test_what_cannot_be_removed_stays(monkeypatch):
    stored(2)

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "in use")

    monkeypatch.setenv("NAPARI_SEESPOT_CACHE_GB", "0")
    monkeypatch.setattr(Path, "unlink", refuse)
    store_spots(KEY, imported(200))
    assert len(cache_info()) == 3
    assert clear_cache() == 0


def test_info_lists_the_last_used_first(folder):
    stored(3)
    (folder / "broken.arrow").write_text("no table")
    load_spots(keys(3)[1])
    entries = cache_info()
    assert [entry.uri for entry in entries] == ["/data/1", "/data/2", "/data/0"]
    assert {entry.rows for entry in entries} == {200}
    assert all(entry.path.stat().st_size == entry.nbytes for entry in entries)
    assert entries[0].used > entries[1].used


def test_info_and_clearing_of_nothing():
    assert cache_info() == []
    assert clear_cache() == 0


def test_clearing_one_source_or_all(folder):
    made = stored(3)
    size = made[1].stat().st_size
    assert clear_cache("/data/1") == size
    assert [path.exists() for path in made] == [True, False, True]
    assert clear_cache() > 0
    assert cache_info() == []


# --- where ---


def test_the_environment_comes_before_the_settings(monkeypatch, tmp_path):
    paths.configure(cache_folder=tmp_path / "chosen", cache_gb=2)
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path / "env"))
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE_GB", "1.5")
    assert paths.cache_folder() == tmp_path / "env"
    assert paths.cache_limit() == 1_500_000_000
    monkeypatch.delenv("NAPARI_SEESPOT_CACHE")
    monkeypatch.delenv("NAPARI_SEESPOT_CACHE_GB")
    assert paths.cache_folder() == tmp_path / "chosen"
    assert paths.cache_limit() == 2_000_000_000
    paths.configure()
    assert paths.cache_folder().name == "napari-seespot"
    assert paths.cache_limit() == paths.DEFAULT_CACHE_GB * 1e9
    paths.configure(cache_folder=" ", cache_gb=-1)
    assert paths.cache_folder().name == "napari-seespot"
    assert paths.cache_limit() == 0


def test_the_home_folder_in_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", "~/here")
    assert paths.cache_folder() == tmp_path / "here"


@pytest.mark.parametrize("text", ["much", "inf", "nan"])
def test_a_size_that_is_none(monkeypatch, text):
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE_GB", text)
    with pytest.raises(CacheError, match=f"the size of the cache is '{text}'"):
        paths.cache_limit()
    got = spots_through_cache(KEY, imported)  # the table opens all the same
    assert len(got.spots) == 100


# --- killed at any moment ---

KILLS = 60 if os.environ.get("NAPARI_SEESPOT_NIGHTLY") == "1" else 8

CHILD = """
import sys
from napari_seespot.sources import open_dataset
from napari_seespot.sources._scratch import host
import napari_seespot.sources.folder, napari_seespot.sources.table
sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    from napari_seespot.sources.cache import clear_cache
    open_dataset(sys.argv[1])
    clear_cache()
"""


def test_killed_at_any_moment_of_an_import(tmp_path, folder):
    dataset = write_dataset(tmp_path / "data", *make_tables(6000))
    expected = open_dataset(dataset, cache=False).spots.to_pandas()
    rng = random.Random()
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(dataset)], stdout=subprocess.PIPE
        )
        child.stdout.readline()
        time.sleep(rng.uniform(0, 0.35))
        child.kill()
        child.wait()
        child.stdout.close()
        again = open_dataset(dataset)
        pd.testing.assert_frame_equal(again.spots.to_pandas(), expected)
        assert again.notes == ()
        assert not list(folder.glob(".*.tmp"))
        clear_cache()
