"""Chunks that were cut off or changed: told, never wrong, and the process lives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
import zarr.codecs.numcodecs
from numcodecs import Blosc, Delta
from zarr.codecs import BloscCodec

from napari_seespot._blosc_blocks import decode_frame, fault_of
from napari_seespot._chunk_reader import reader
from napari_seespot.images import ChannelImage

SHAPE = (64, 96, 100)  # 1.2 MB, which is more than what is read in one go


def voxels(shape=SHAPE):
    rng = np.random.default_rng(0)
    return (rng.gamma(2.0, 40.0, size=shape) + 100).astype("uint16")


def write(path, values, **how):
    """Write an array without metadata of OME; return the file that holds a chunk."""
    if how.setdefault("zarr_format", 2) == 2:
        how.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
    array = zarr.create_array(
        path, shape=values.shape, dtype=values.dtype, chunks=values.shape, **how
    )
    array[...] = values
    (file,) = (f for f in Path(path).rglob("*0") if f.is_file())
    return file


# What a process of its own does: a crash would end that one. It damages the chunk in
# many ways, and says what came of each.
CODE = """
import json, random, sys
from pathlib import Path
import numpy as np
from napari_seespot._chunk_reader import reader
from napari_seespot.images import ChannelImage

folder, file, how, begin, end, times = sys.argv[1:]
begin, end = int(begin), int(end)
file = Path(file)
good, pick = file.read_bytes(), random.Random(0)
image = ChannelImage.open(folder, channel="488")
array = image.arrays[0]
truth = array[...]
found = {"exact": 0, "told": 0, "wrong": 0}
reasons = set()
for _ in range(int(times)):
    data = bytearray(good)
    if how == "cut":
        data = data[: pick.randrange(len(data))]
    else:
        for _ in range(pick.randint(1, 3)):
            place = begin + pick.randrange(end - begin)
            data[place % len(data)] = pick.randrange(256)
    file.write_bytes(bytes(data))
    reader().clear()
    image.retry()
    z = pick.randrange(len(truth))
    got = array[z]
    if image.failures:
        found["told"] += 1
        reasons |= {why for *_, why in image.failures}
    else:
        found["exact" if np.array_equal(got, truth[z]) else "wrong"] += 1
print(json.dumps([found, sorted(reasons)]))
"""


def run(folder, file, how, begin=0, end=1, times=200):
    command = [sys.executable, "-c", CODE, str(folder), str(file), how]
    command += map(str, (begin, end, times))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return json.loads(done.stdout)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_chunk_cut_off_anywhere_is_told(tmp_path, codec):
    file = write(tmp_path / "a", voxels(), compressors=Blosc(codec, 3, Blosc.SHUFFLE))
    found, reasons = run(tmp_path / "a", file, "cut")
    assert found["wrong"] == 0
    assert found["told"] > 50  # the others had the block of their plane
    assert any(why.startswith("the chunk is truncated: ") for why in reasons)


def test_a_chunk_with_filters_that_is_cut_off_is_told(tmp_path):
    how = {"filters": [Delta("<u2")], "compressors": Blosc("lz4", 3)}
    file = write(tmp_path / "a", voxels(), **how)
    found, reasons = run(tmp_path / "a", file, "cut", times=100)
    assert found == {"exact": 0, "told": 100, "wrong": 0}
    assert all("the chunk is truncated: " in why for why in reasons)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("level", [1, 5])
def test_a_changed_header_or_table_kills_nothing(tmp_path, codec, level):
    how = Blosc(codec, level, Blosc.SHUFFLE)
    file = write(tmp_path / "a", voxels(), compressors=how)
    found, _ = run(tmp_path / "a", file, "flip", 0, 16 + 4 * 10)
    assert found["told"] > 50


def test_a_changed_header_in_a_shard_kills_nothing(tmp_path):
    values = voxels()
    array = zarr.create_array(
        tmp_path / "a", shape=values.shape, dtype="uint16", chunks=(32, 96, 100),
        shards=SHAPE, zarr_format=3,
        compressors=BloscCodec(cname="lz4", clevel=3, shuffle="shuffle"),
    )  # fmt: skip
    array[...] = values
    file = tmp_path / "a" / "c" / "0" / "0" / "0"
    found, reasons = run(tmp_path / "a", file, "flip", 0, 16)
    assert found["told"] > 50
    assert any("the chunk is truncated: " in why for why in reasons)


def test_zarrs_way_refuses_a_frame_that_is_longer_than_its_chunk(tmp_path):
    """In a shard, where the index says how long a chunk is."""
    file = write(
        tmp_path / "a", voxels((4, 8, 8)), zarr_format=3, shards=(4, 8, 8),
        compressors=BloscCodec(cname="lz4", clevel=3),
    )  # fmt: skip
    data = bytearray(file.read_bytes())
    data[14] = 255  # of the length of the frame: now 16 MB
    file.write_bytes(bytes(data))
    reader().clear()
    image = ChannelImage.open(tmp_path / "a", channel="488")
    assert not image.arrays[0][0].any()
    ((*_, why),) = image.failures
    assert why.startswith("the chunk is truncated: ")


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
def test_numcodecs_blosc_in_format_3_is_looked_at_too(tmp_path):
    values = voxels((64, 128, 128))
    how = zarr.codecs.numcodecs.Blosc(cname="zstd", clevel=3, shuffle=1)
    file = write(tmp_path / "a", values, zarr_format=3, compressors=how)
    reader().clear()
    image = ChannelImage.open(tmp_path / "a", channel="488")
    np.testing.assert_array_equal(image.arrays[0][7], values[7])
    file.write_bytes(file.read_bytes()[:5000])
    reader().clear()
    assert not image.arrays[0][...].any()
    ((*_, why),) = image.failures
    assert why.startswith("the chunk is truncated: 5,000 of ")


def test_what_is_wrong_with_a_frame():
    values = voxels((32, 64, 64))
    frame, nbytes = Blosc("zstd", 1).encode(values), values.nbytes
    size = f"{len(frame):,}"
    assert fault_of(frame, nbytes) is None
    assert fault_of(frame[:9]) == (
        "the chunk is truncated: 9 bytes, less than a header of Blosc"
    )
    assert fault_of(frame[:99]) == f"the chunk is truncated: 99 of {size} bytes"
    assert fault_of(frame + b"x") == (
        f"the chunk is damaged: {len(frame) + 1:,} bytes, its header says {size}"
    )
    assert fault_of(frame, nbytes + 2) == (
        "the chunk is damaged: its header tells 262,144 bytes of voxels "
        "instead of 262,146"
    )
    assert decode_frame(frame[:99], nbytes) is None


def test_a_frame_that_blosc_cannot_decode(tmp_path):
    file = write(tmp_path / "a", voxels(), compressors=Blosc("zstd", 3, Blosc.SHUFFLE))
    data = bytearray(file.read_bytes())
    data[2000:] = bytes(len(data) - 2000)
    file.write_bytes(bytes(data))
    reader().clear()
    image = ChannelImage.open(tmp_path / "a", channel="488")
    image.arrays[0][...]
    ((*_, why),) = image.failures
    assert why == "the chunk is damaged: Blosc cannot decode it."
