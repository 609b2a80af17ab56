"""The reader: each piece once, blocks where they pay, the same voxels as zarr."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc
from zarr.codecs import BloscCodec

import napari_seespot.settings as user_settings
from napari_seespot import _chunk_reader
from napari_seespot._blosc_blocks import read_table
from napari_seespot._chunk_cache import ChunkCache, Piece
from napari_seespot._chunk_frames import KeptFrames, frame_of
from napari_seespot._chunk_reader import reader
from napari_seespot._zarr_store import Folder
from napari_seespot.errors import CacheError
from napari_seespot.images import ChannelImage


@pytest.fixture(autouse=True)
def fresh():
    reader().clear()
    yield
    reader().clear()


@pytest.fixture
def reads(monkeypatch):
    """(key, span) of every read of a chunk."""
    seen = []
    read = Folder.read_now

    def counted(self, key, span=None):
        seen.append((key, span))
        return read(self, key, span)

    monkeypatch.setattr(Folder, "read_now", counted)
    return seen


def voxels(shape, dtype="uint16"):
    rng = np.random.default_rng(0)
    return (rng.gamma(2.0, 40.0, size=shape) + 100).astype(dtype)


def write(path, values, chunks, **how):
    """Write one level of (t, c, z, y, x); return it opened."""
    version = how.setdefault("zarr_format", 2)
    if version == 2:
        how.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
    axes = [{"name": a, "type": "space" if a in "zyx" else "other"} for a in "tczyx"]
    document = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    if version == 3:
        document = {"ome": document}
    zarr.create_group(path, zarr_format=version, attributes=document)
    array = zarr.create_array(
        path, name="0", shape=(1, 1, *values.shape), dtype=values.dtype,
        chunks=(1, 1, *chunks), **how,
    )  # fmt: skip
    array[0, 0] = values
    return ChannelImage.open(path, channel="488").arrays[0]


def blosc(level=1, shuffle=Blosc.SHUFFLE, codec="zstd"):
    return {"compressors": Blosc(codec, level, shuffle)}


def slow_reads(monkeypatch):
    """Let each request take a while, so that others come in between."""
    read = Folder.read_now

    def slow(self, key, span=None):
        time.sleep(0.01)
        return read(self, key, span)

    monkeypatch.setattr(Folder, "read_now", slow)


def at_once(array, keys):
    """Return what an array gives threads that all ask at the same time."""
    keys = list(keys)
    barrier = threading.Barrier(len(keys))

    def ask(key):
        barrier.wait(10)
        return array[key]

    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(ask, keys))


SETTINGS = [
    *(blosc(level) for level in range(10)),
    *(blosc(level, Blosc.BITSHUFFLE) for level in (1, 5)),
    *(blosc(level, Blosc.NOSHUFFLE, "lz4") for level in (1, 5)),
    {"zarr_format": 3, "compressors": BloscCodec(cname="zstd", clevel=1)},
]


@pytest.mark.parametrize(
    ("how", "dtype"),
    [*((how, "uint16") for how in SETTINGS), (blosc(1), ">u2"), (blosc(5), ">u2")],
    ids=lambda value: value if isinstance(value, str) else "",  # two runs agree on it
)
def test_planes_are_exact(tmp_path, how, dtype):
    values = voxels((70, 150, 140), dtype)
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **how)
    for z in (0, 3, 40, 63, 64, 69):
        np.testing.assert_array_equal(array[z], values[z])
        np.testing.assert_array_equal(array[z, 5:149, 3:131], values[z, 5:149, 3:131])
    assert array.image.failures == set()


def test_big_endian_of_format_3(tmp_path):
    values = voxels((64, 128, 128))
    array = write(
        tmp_path / "a.zarr", values, (64, 128, 128), zarr_format=3,
        serializer=zarr.codecs.BytesCodec(endian="big"),
        compressors=BloscCodec(cname="zstd", clevel=1),
    )  # fmt: skip
    assert array.layout is not None
    np.testing.assert_array_equal(array[9], values[9])


def test_one_plane_reads_a_block(tmp_path, reads):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    np.testing.assert_array_equal(array[17], values[17])
    (head, body) = reads
    assert head == ("0/0/0/0/0/0", (0, 1024))
    assert body[1][1] - body[1][0] < array.layout.nbytes / 8
    np.testing.assert_array_equal(array[18], values[18])  # the same block
    assert len(reads) == 2


def test_a_plane_of_a_dask_array_reads_a_block_too(tmp_path, reads):
    values = voxels((128, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    lazy = array.image.levels[0]
    np.testing.assert_array_equal(lazy[17].compute(), values[17])
    np.testing.assert_array_equal(lazy[70, 5:9, ::2].compute(), values[70, 5:9, ::2])
    assert [span is None for _, span in reads] == [False] * 4
    np.testing.assert_array_equal(lazy[1:127].sum(axis=0).compute(),
                                  values[1:127].sum(axis=0))  # fmt: skip
    assert len(reads) == 6  # and whole chunks


def test_several_blocks_become_a_whole_chunk(tmp_path, reads):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    for z in (0, 10, 20, 30, 40):
        np.testing.assert_array_equal(array[z], values[z])
    assert [span is None for _, span in reads] == [False] * 5 + [True]
    np.testing.assert_array_equal(array[...], values)
    assert len(reads) == 6
    assert len(reader().cache) == 1  # the blocks made room for the chunk


def test_no_chunk_is_read_whole_for_which_there_is_no_room(tmp_path, reads):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    owner, limit = object(), reader().cache.limit
    reader().claim("another", limit // 4)
    reader().claim(owner, limit // 2)
    for z in (0, 10, 20, 30, 40):
        np.testing.assert_array_equal(array[z], values[z])
    assert all(span is not None for _, span in reads)
    reader().claim(owner, limit // 4)  # half of the cache: there is room
    np.testing.assert_array_equal(array[50], values[50])
    assert reads[-1][1] is None
    reader().claim("another", 0)
    reader().claim(owner, 0)
    assert not reader()._claims


def test_a_chunk_that_would_not_be_kept_is_read_by_blocks(tmp_path, reads, monkeypatch):
    monkeypatch.setenv(user_settings.CHUNKS_MB_ENV, "3")  # the chunk has 2 MB
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    for z in range(0, 64, 4):
        np.testing.assert_array_equal(array[z], values[z])
    assert all(span is not None for _, span in reads)


def test_blocks_that_are_gone_do_not_count_for_reading_the_whole(tmp_path, reads):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    for z in (0, 10, 20, 30, 40, 50):
        np.testing.assert_array_equal(array[z], values[z])
        reader().cache.clear()  # as if other chunks had taken their place
    assert all(span is not None for _, span in reads)


def test_blocks_smaller_than_a_plane_are_read_together(tmp_path, reads):
    """Large chunks at a low level: tables of many blocks, planes of several."""
    values = voxels((128, 256, 256))
    array = write(tmp_path / "a.zarr", values, (128, 256, 256), **blosc(1))
    for z in (5, 77, 127):
        np.testing.assert_array_equal(array[z], values[z])
    first, rest, *blocks = (span for _, span in reads)
    assert (first, rest) == ((0, 1024), (1024, 16 + 4 * 512))
    assert len(blocks) == 3
    assert all(stop - start < array.layout.nbytes / 64 for start, stop in blocks)


def test_blocks_that_cut_planes_are_asked_for_once_an_array(tmp_path, reads):
    values = voxels((64, 250, 130))
    array = write(tmp_path / "a.zarr", values, (64, 125, 130), **blosc(3))
    for y in (0, 125):
        np.testing.assert_array_equal(array[3, y : y + 9], values[3, y : y + 9])
    assert [span for _, span in reads] == [(0, 1024), None, None]


def test_tables_stay_within_a_limit_and_their_blocks_go_with_them():
    frames = KeptFrames(limit=10_000)
    frame = Blosc("zstd", 3).encode(voxels((64, 128, 128)))
    table = read_table(frame[:1024], 64 * 128 * 128 * 2)
    gone = {}
    for n in range(20):
        one = frame_of(table, 128 * 128 * 2)
        assert one.nbytes < 1500
        one.touched.add(n)
        gone |= frames.put(("a", (0, 0, n)), one)
        assert frames.nbytes <= 10_000
    assert 0 < len(frames) < 20
    assert [one.touched for one in gone.values()] == [
        {n} for n in range(20 - len(frames))
    ]
    assert frames.look(("a", (0, 0, 0))) == (False, None)
    frames.put(("a", (9, 9, 9)), None)
    assert frames.look(("a", (9, 9, 9))) == (True, None)
    frames.forget_whole(frozenset("a"))
    assert frames.look(("a", (9, 9, 9))) == (False, None)


def test_a_block_without_its_table_is_not_kept(tmp_path, monkeypatch):
    values = voxels((64, 256, 256))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    monkeypatch.setattr(reader()._frames, "limit", 2000)  # one table
    for y, x in ((0, 0), (0, 128), (128, 0), (128, 128)):
        np.testing.assert_array_equal(array[7, y : y + 9, x], values[7, y : y + 9, x])
    assert len(reader()._frames) == 1
    assert len(reader().cache) == 1


@pytest.mark.parametrize(
    "how", [blosc(3), {"zarr_format": 3, "compressors": BloscCodec()}]
)
@pytest.mark.parametrize("key", [np.s_[:], 3])
def test_what_is_kept_is_no_more_than_what_is_counted(tmp_path, how, key):
    """An edge chunk holds few planes of many, and a view would keep them all."""
    values = voxels((6, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **how)
    array[key]
    for piece in reader().cache._pieces.values():
        base = piece.values
        while isinstance(base, np.ndarray) and base.base is not None:
            base = base.base
        held = len(base) if isinstance(base, bytes) else base.nbytes
        assert held == piece.values.nbytes


def test_a_thick_slice_reads_the_whole_chunk_at_once(tmp_path, reads):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    np.testing.assert_array_equal(array[10:30], values[10:30])
    assert reads == [("0/0/0/0/0/0", None)]


@pytest.mark.parametrize("chunks", [(16, 32, 32), (1, 128, 128)])
def test_small_chunks_are_read_in_one_request(tmp_path, reads, chunks):
    values = voxels((32, 128, 128))
    array = write(tmp_path / "a.zarr", values, chunks, **blosc(3))
    np.testing.assert_array_equal(array[5, :32, :32], values[5, :32, :32])
    assert [span for _, span in reads] == [None]


def test_absent_and_constant_chunks(tmp_path, reads):
    values = np.zeros((128, 128, 128), "uint16")
    values[:64] = 7
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3), fill_value=0)
    np.testing.assert_array_equal(array[3], values[3])
    np.testing.assert_array_equal(array[100], values[100])
    assert len(reads) == 2  # a head each: small enough to be all, and nothing there
    np.testing.assert_array_equal(array[...], values)
    assert len(reads) == 2
    assert reader().cache.nbytes < 2 * 64 * 128 * 128 * 2  # absent ones cost nothing
    array.image.retry()
    np.testing.assert_array_equal(array[100], values[100])
    assert len(reads) == 3


def test_a_damaged_block_is_read_with_its_chunk_and_then_told(tmp_path):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    file = next(
        path for path in (tmp_path / "a.zarr").rglob("*/0/0/0/0/0") if path.is_file()
    )
    data = bytearray(file.read_bytes())
    data[2000:60_000] = bytes(58_000)
    file.write_bytes(bytes(data))
    assert (array[0] == 0).all()
    ((level, chunk, _),) = array.image.failures
    assert (level, chunk) == (0, (0, 0, 0))
    np.testing.assert_array_equal(array[60], values[60])  # its block is sound


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_region_in_any_order(arrays, data):
    array, values = arrays
    if data.draw(st.booleans()):
        reader().clear()
    key = []
    for length in values.shape:
        a, b = (data.draw(st.integers(0, length)) for _ in range(2))
        plane = data.draw(st.integers(0, length - 1))
        key.append(plane if data.draw(st.booleans()) else slice(min(a, b), max(a, b)))
    np.testing.assert_array_equal(array[tuple(key)], values[tuple(key)])


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    values = voxels((70, 150, 140))
    path = tmp_path_factory.mktemp("pixels") / "a.zarr"
    return write(path, values, (64, 128, 128), **blosc(1)), values


def test_many_askers_read_once(tmp_path, reads):
    values = voxels((64, 300, 300))
    array = write(tmp_path / "a.zarr", values, (32, 64, 64), **blosc(3))
    barrier, wrong = threading.Barrier(8), []

    def ask():
        barrier.wait(10)
        if not np.array_equal(array[...], values):
            wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert set(Counter(reads).values()) == {1}
    assert len(reads) == 2 * 5 * 5


def test_askers_of_other_planes_of_one_chunk_get_theirs(tmp_path, monkeypatch):
    """One plane, a few, many: each asks for another piece of the same chunk."""
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    slow_reads(monkeypatch)
    pick = random.Random(0)
    for _ in range(12):
        reader().clear()
        wanted = []
        for _ in range(8):
            z = pick.randrange(56)
            depth = pick.choice([0, 1, 2, 8])
            wanted.append(slice(z, z + depth) if depth else z)
        for key, got in zip(wanted, at_once(array, wanted), strict=True):
            np.testing.assert_array_equal(got, values[key])
    assert array.image.failures == set()


def test_planes_of_one_chunk_at_once_fetch_each_byte_once(tmp_path, reads, monkeypatch):
    values = voxels((64, 128, 128))
    array = write(tmp_path / "a.zarr", values, (64, 128, 128), **blosc(3))
    slow_reads(monkeypatch)
    planes = [0, 1, 2, 3, 32, 33, 34, 35]  # of two blocks
    for z, got in zip(planes, at_once(array, planes), strict=True):
        np.testing.assert_array_equal(got, values[z])
    assert set(Counter(reads).values()) == {1}
    assert len(reads) <= 1 + 2 + 1  # head, two blocks, or the chunk after all
    reads.clear()
    reader().clear()
    deep = [slice(z, z + 20) for z in range(0, 40, 5)]
    for key, got in zip(deep, at_once(array, deep), strict=True):
        np.testing.assert_array_equal(got, values[key])
    assert reads == [("0/0/0/0/0/0", None)]


def test_who_waited_for_a_lost_store_does_not_wait_again(tmp_path, monkeypatch):
    array = write(
        tmp_path / "a.zarr", voxels((64, 128, 128)), (64, 128, 128), **blosc(3)
    )
    tries, begun, end = [], threading.Event(), threading.Event()

    def lost(self, key, span=None):
        tries.append(key)
        begun.set()
        end.wait(10)
        raise TimeoutError

    monkeypatch.setattr(Folder, "read_now", lost)
    asking = threading.Thread(target=at_once, args=(array, range(8)))
    asking.start()
    assert begun.wait(10)
    deadline = time.monotonic() + 10
    while [turn.waiting for turn in list(reader()._turns.values())] != [8]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    end.set()
    asking.join(10)
    assert len(tries) == 1
    ((*_, why),) = array.image.failures
    assert why == "no answer in time"


def test_two_images_of_one_address_share_what_was_read(tmp_path, reads):
    values = voxels((32, 64, 64))
    array = write(tmp_path / "a.zarr", values, (32, 64, 64), **blosc(3))
    array[...]
    other = ChannelImage.open(tmp_path / "a.zarr", channel="514")
    np.testing.assert_array_equal(other.levels[0].compute(), values)
    assert len(reads) == 1


def test_a_folder_written_anew_is_read_anew(tmp_path):
    for number in (1, 2):
        values = np.full((32, 64, 64), number, "uint16")
        path = tmp_path / "a.zarr"
        if path.exists():
            path.rename(tmp_path / "old.zarr")
        array = write(path, values, (32, 64, 64), **blosc(3))
        assert (array[...] == number).all()


def test_the_limit_holds(tmp_path, reads, monkeypatch):
    monkeypatch.setenv(user_settings.CHUNKS_MB_ENV, "1")
    values = voxels((32, 256, 256))
    array = write(tmp_path / "a.zarr", values, (32, 64, 64), **blosc(3))
    np.testing.assert_array_equal(array[...], values)
    assert len(reads) == 16
    assert 500_000 < reader().cache.nbytes <= 1_000_000
    np.testing.assert_array_equal(array[...], values)
    assert len(reads) > 16


def test_the_setting(monkeypatch):
    monkeypatch.delenv(user_settings.CHUNKS_MB_ENV, raising=False)
    monkeypatch.setattr(user_settings, "_configured", {})
    assert user_settings.chunks_limit() == 1024 * 10**6
    user_settings.configure(chunks_mb=200)
    assert user_settings.chunks_limit() == 200 * 10**6
    monkeypatch.setenv(user_settings.CHUNKS_MB_ENV, "32")
    assert user_settings.chunks_limit() == 32 * 10**6
    monkeypatch.setenv(user_settings.CHUNKS_MB_ENV, "lots")
    with pytest.raises(
        CacheError, match=r"CHUNKS_MB: the size of the memory .* 'lots'"
    ):
        user_settings.chunks_limit()
    monkeypatch.delenv(user_settings.CHUNKS_MB_ENV)


def test_cache_forgets_the_oldest():
    cache = ChunkCache(10_000)
    pieces = [Piece(0, np.zeros((1, 1, 3000), "uint8")) for _ in range(4)]
    keys = [("a", (0, 0, n), -1) for n in range(4)]
    for key, piece in zip(keys[:2], pieces, strict=False):
        cache.put(key, piece)
    cache.get(keys[0])
    cache.put(keys[2], pieces[2])
    assert [cache.get(key) is not None for key in keys] == [True, False, True, False]
    cache.put(keys[3], Piece(0, np.zeros((1, 1, 20_000), "uint8")))
    assert cache.get(keys[3]) is None  # would have driven out all the others
    cache.limit = 0
    assert (len(cache), cache.nbytes) == (0, 0)


def test_a_fork_has_a_reader_of_its_own(monkeypatch):
    mine = reader()
    monkeypatch.setattr(_chunk_reader.os, "getpid", lambda: -1)
    monkeypatch.setattr(_chunk_reader, "_shared", dict(_chunk_reader._shared))
    assert reader() is not mine
