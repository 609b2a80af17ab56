"""One block of a Blosc frame: bit-exact, and never wrong where the frame is damaged."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from numcodecs import Blosc

from napari_seespot._blosc_blocks import HEAD_BYTES, decode_frame, read_table

CODECS = ("zstd", "lz4", "lz4hc", "zlib", "blosclz")
SHUFFLES = (Blosc.NOSHUFFLE, Blosc.SHUFFLE, Blosc.BITSHUFFLE)


def voxels(shape, dtype="uint16"):
    rng = np.random.default_rng(0)
    return (rng.gamma(2.0, 40.0, size=shape) + 100).astype(dtype)


def blocks(frame, nbytes, plane=0):
    """Return every block, decoded from its own bytes only; None without a table."""
    table = read_table(frame[:HEAD_BYTES], nbytes, plane)
    if table is None:
        return None
    return [
        table.decode(n, frame[slice(*table.span_of(n))])
        for n in range(len(table.spans))
    ]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("shape", [(64, 64, 64), (11, 100, 70)])  # the last is short
def test_every_block_is_exact(codec, shuffle, shape):
    values = voxels(shape)
    for level in range(10):
        frame = Blosc(codec, level, shuffle).encode(values)
        assert b"".join(blocks(frame, values.nbytes)) == values.tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "int32", ">u2", "float64"])
def test_every_type_is_exact(dtype):
    values = voxels((40, 64, 64), dtype)
    for level in (1, 5, 9):
        frame = Blosc("zstd", level, Blosc.SHUFFLE).encode(values)
        assert b"".join(blocks(frame, values.nbytes)) == values.tobytes()


def test_a_copy_is_cut_into_planes():
    noise = np.random.default_rng(0).integers(0, 2**16, (20, 64, 64), "uint16")
    frame = Blosc("zstd", 0).encode(noise)
    table = read_table(frame[:HEAD_BYTES], noise.nbytes, 64 * 64 * 2)
    assert len(table.spans) == 20
    assert table.decode(7, frame[slice(*table.span_of(7))]) == noise[7].tobytes()


def test_a_constant_chunk_is_smaller_than_what_is_asked_first():
    values = np.full((64, 64, 64), 7, "uint16")
    frame = Blosc("zstd", 9).encode(values)
    assert decode_frame(frame, values.nbytes) == values.tobytes()


def test_the_last_block_of_the_table_need_not_be_the_last_in_the_file():
    values = voxels((32, 64, 64))
    frame = Blosc("zstd", 1).encode(values)
    nbytes, blocksize, cbytes = struct.unpack_from("<III", frame, 4)
    count = -(-nbytes // blocksize)
    starts = list(struct.unpack_from(f"<{count}I", frame, 16))
    bodies = [frame[a:b] for a, b in zip(starts, [*starts[1:], cbytes], strict=True)]
    order = random.Random(0).sample(range(count), count)
    place, new = 16 + 4 * count, {}
    for n in order:
        new[n] = place
        place += len(bodies[n])
    shuffled = (
        frame[:16]
        + struct.pack(f"<{count}I", *(new[n] for n in range(count)))
        + b"".join(bodies[n] for n in order)
    )
    assert decode_frame(shuffled, values.nbytes) == values.tobytes()
    assert b"".join(blocks(shuffled, values.nbytes)) == values.tobytes()


def test_what_is_no_frame():
    values = voxels((32, 64, 64))
    frame = Blosc("zstd", 1).encode(values)
    assert read_table(b"", values.nbytes) is None
    assert read_table(frame[:15], values.nbytes) is None
    assert read_table(frame[:30], values.nbytes) is None  # half a table
    assert read_table(frame[:1024], values.nbytes + 2) is None
    assert decode_frame(frame[:-1], values.nbytes) is None
    assert decode_frame(frame, values.nbytes + 2) is None
    assert decode_frame(frame[:10], values.nbytes) is None
    table = read_table(frame[:1024], values.nbytes)
    assert table.decode(0, frame[slice(*table.span_of(0))][:-1]) is None


def test_damaged_headers_give_the_truth_or_nothing():
    """What a whole decoding of the damaged frame gives, block by block."""
    values = voxels((32, 64, 64))
    pick = random.Random(1)
    answered = 0
    for codec in ("zstd", "lz4"):
        sound = Blosc(codec, 1, Blosc.SHUFFLE).encode(values)
        for _ in range(400):
            frame = bytearray(sound)
            for _ in range(pick.randint(1, 3)):
                frame[pick.randrange(16 + 4 * 8)] = pick.randrange(256)
            found = blocks(bytes(frame), values.nbytes)
            whole = decode_frame(bytes(frame), values.nbytes)
            if found is None or None in found or whole is None:
                continue
            answered += 1
            assert b"".join(found) == whole
    assert answered


def test_a_huge_size_in_the_header_allocates_nothing():
    frame = bytearray(Blosc("zstd", 1).encode(voxels((32, 64, 64))))
    frame[4:8] = struct.pack("<I", 2**31 - 17)
    assert decode_frame(bytes(frame), 32 * 64 * 64 * 2) is None
    assert read_table(bytes(frame), 32 * 64 * 64 * 2) is None
