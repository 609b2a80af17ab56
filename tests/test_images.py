"""Pixels of channel images: bit-exact, lazy, and never lost to one bad chunk."""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import shutil
import warnings
from itertools import permutations

import numpy as np
import pytest
import zarr
from napari.layers import Labels
from numcodecs import Blosc, GZip, Zstd
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ZstdCodec
from zarr.errors import ZarrUserWarning

from napari_seespot import _zarr_store
from napari_seespot._chunk_reader import reader
from napari_seespot.errors import ImageError, SeeSpotError
from napari_seespot.images import ChannelImage, open_channels

VOXEL = {"z": 1.0, "y": 0.24, "x": 0.24}


def voxels(shape, dtype="uint16", seed=0):
    """Return blurred noise above a background, as a camera makes."""
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, 40.0, size=shape) + 100
    return values.astype(dtype)


def metadata(axes, levels, omero=None):
    def step(level, number):
        size = [VOXEL.get(a, 1.0) * (2**number if a in VOXEL else 1) for a in axes]
        shift = [VOXEL.get(a, 0.0) * (2**number - 1) / 2 for a in axes]
        steps = [{"type": "scale", "scale": size}]
        if number:
            steps.append({"type": "translation", "translation": shift})
        return {"path": level, "coordinateTransformations": steps}

    kinds = {"t": "time", "c": "channel"}
    listed = []
    for name in axes:
        entry = {"name": name, "type": kinds.get(name, "space")}
        listed.append(entry | ({"unit": "micrometer"} if name in VOXEL else {}))
    datasets = [step(str(n), n) for n in range(levels)]
    entry = {"version": "0.4", "axes": listed, "datasets": datasets}
    return {"multiscales": [entry]} | ({"omero": omero} if omero else {})


def downsampled(values, axes):
    return values[
        tuple(slice(None, None, 2) if a in VOXEL else slice(None) for a in axes)
    ]


def write(path, values, axes="tczyx", *, levels=1, zarr_format=2, omero=None, **how):
    """Write a pyramid with zarr; return the values of each level, as stored."""
    document = metadata(axes, levels, omero)
    if zarr_format == 3:
        document = {"ome": {"version": "0.5"} | document}
    zarr.create_group(path, zarr_format=zarr_format, attributes=document)
    how.setdefault("chunks", tuple(16 if a in VOXEL else 1 for a in axes))
    if zarr_format == 2:
        how.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
    stored = []
    for level in range(levels):
        array = zarr.create_array(
            path, name=str(level), shape=values.shape, dtype=values.dtype,
            zarr_format=zarr_format, **how,
        )  # fmt: skip
        array[...] = values
        stored.append(values)
        values = downsampled(values, axes)
    return stored


def as_zyx(values, axes):
    """Return stored values as (z, y, x), written without the code under test."""
    values = values[tuple(slice(None) if a in VOXEL else 0 for a in axes)]
    spatial = [a for a in axes if a in VOXEL]
    values = np.moveaxis(
        values, [spatial.index(a) for a in "zyx" if a in spatial], range(values.ndim)
    )
    return values if values.ndim == 3 else values[None]


def open_image(path, **how):
    return ChannelImage.open(path, **({"channel": "488"} | how))


@pytest.fixture
def keys(monkeypatch):
    """Every key that is read after opening, in order."""
    read = _zarr_store.Folder.read
    seen = []

    async def counted(self, key, span=None):
        seen.append(key)
        return await read(self, key, span)

    monkeypatch.setattr(_zarr_store.Folder, "read", counted)
    return seen


def assert_same(image, stored, axes="tczyx"):
    assert len(image.levels) == len(stored)
    for lazy, values in zip(image.levels, stored, strict=True):
        wanted = as_zyx(values, axes)
        assert lazy.shape == wanted.shape
        native = wanted.dtype.newbyteorder("=")
        assert lazy.dtype == ("uint8" if native.kind == "b" else native)
        got = lazy.compute()
        assert got.dtype.isnative
        np.testing.assert_array_equal(got, wanted)
    assert image.failures == set()


# --- bit-exact

FORMAT_2 = {
    "none": None,
    "gzip": GZip(1),
    "zstd": Zstd(3),
    **{
        f"blosc-{name}-{level}-{shuffle}": Blosc(name, level, shuffle)
        for name, level, shuffle in [
            ("zstd", 1, Blosc.SHUFFLE),
            ("zstd", 5, Blosc.SHUFFLE),
            ("zstd", 9, Blosc.BITSHUFFLE),
            ("zstd", 3, Blosc.NOSHUFFLE),
            ("lz4", 5, Blosc.SHUFFLE),
            ("lz4", 0, Blosc.SHUFFLE),
        ]
    },
}


@pytest.mark.parametrize("codec", FORMAT_2)
@pytest.mark.parametrize("separator", ["/", "."])
def test_format_2(tmp_path, codec, separator):
    stored = write(
        tmp_path / "a.zarr",
        voxels((1, 1, 20, 37, 41)),
        levels=2,
        compressors=FORMAT_2[codec],
        chunk_key_encoding={"name": "v2", "separator": separator},
    )
    assert_same(open_image(tmp_path / "a.zarr"), stored)


FORMAT_3 = {
    "none": None,
    "gzip": GzipCodec(level=1),
    "zstd": ZstdCodec(level=3),
    "blosc": BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=2),
}


@pytest.mark.parametrize("codec", FORMAT_3)
@pytest.mark.parametrize("shards", [None, (1, 1, 32, 32, 32)])
def test_format_3(tmp_path, codec, shards):
    stored = write(
        tmp_path / "a.zarr",
        voxels((1, 1, 20, 37, 41)),
        levels=2,
        zarr_format=3,
        compressors=FORMAT_3[codec],
        shards=shards,
    )
    image = open_image(tmp_path / "a.zarr")
    assert_same(image, stored)
    assert image.levels[0].chunksize == (16, 16, 16)


@pytest.mark.parametrize(
    "dtype",
    ["<u2", ">u2", "|u1", "|i1", "<i2", ">i4", "<u4", "<f4", ">f4", "<f8", "|b1"],
)
def test_types_and_byte_orders(tmp_path, dtype):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 9, 20, 21)).astype(dtype))
    assert_same(open_image(tmp_path / "a.zarr"), stored)


def test_big_endian_of_format_3(tmp_path):
    stored = write(
        tmp_path / "a.zarr",
        voxels((1, 1, 9, 20, 21)),
        zarr_format=3,
        serializer=BytesCodec(endian="big"),
    )
    assert_same(open_image(tmp_path / "a.zarr"), stored)


def test_fortran_order(tmp_path):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 9, 20, 21)), order="F")
    assert_same(open_image(tmp_path / "a.zarr"), stored)


AXES = ["tczyx", "czyx", "tzyx", "zyx", "cyx", "tyx", "tcyx", "yx", "ctzyx", "zctyx"]
AXES += ["".join(p) for p in permutations("zyx")] + [
    "".join(p) for p in permutations("cyx")
]


@pytest.mark.parametrize("axes", dict.fromkeys(AXES))
def test_axes_in_any_order(tmp_path, axes):
    sizes = {"t": 1, "c": 1, "z": 20, "y": 37, "x": 41}
    stored = write(
        tmp_path / "a.zarr", voxels([sizes[a] for a in axes]), axes, levels=2
    )
    image = open_image(tmp_path / "a.zarr")
    assert_same(image, stored, axes)
    assert image.scale == (1.0, 0.24, 0.24)
    if "z" in axes:
        assert image.level_translates[1] == (0.5, 0.12, 0.12)


def test_longer_t_and_c_show_the_first(tmp_path):
    chunks = (1, 2, 16, 16, 16)  # a chunk that holds two channels
    stored = write(tmp_path / "a.zarr", voxels((2, 3, 20, 18, 17)), chunks=chunks)
    image = open_image(tmp_path / "a.zarr")
    assert_same(image, stored)
    assert image.notes[:2] == (
        "axis 't' has 2 entries: the first is shown",
        "axis 'c' has 3 entries: the first is shown",
    )


@pytest.mark.parametrize(
    "index",
    [np.s_[5], np.s_[3:19, 30, ::3], np.s_[::-1, 5:6], np.s_[..., -1], np.s_[4:4],
     np.s_[17, 20:30, 1:40], np.s_[-3:, ::-7, 2]],
)  # fmt: skip
def test_slices(tmp_path, index):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 20, 37, 41)))
    image = open_image(tmp_path / "a.zarr")
    wanted = stored[0][0, 0][index]
    np.testing.assert_array_equal(image.levels[0][index].compute(), wanted)
    np.testing.assert_array_equal(image._arrays[0][index], wanted)


@pytest.mark.parametrize(
    "index",
    [np.s_[[3, 19, 0]], np.s_[5, [30, 2]], np.s_[..., np.array([40, -1])],
     np.s_[:, np.arange(37) % 5 == 0, 3], np.s_[[], 2], np.s_[2:9, :, [7]]],
)  # fmt: skip
def test_lists_of_places(tmp_path, index):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 20, 37, 41)))
    image = open_image(tmp_path / "a.zarr")
    wanted = stored[0][0, 0][index]
    np.testing.assert_array_equal(image.levels[0][index].compute(), wanted)
    np.testing.assert_array_equal(image._arrays[0][index], wanted)


def test_points_of_a_dask_array(tmp_path):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 20, 37, 41)))
    image = open_image(tmp_path / "a.zarr")
    points = [3, 17, 0], [30, 2, 36], [40, 1, 20]
    wanted = stored[0][0, 0][points]
    np.testing.assert_array_equal(image.levels[0].vindex[points].compute(), wanted)
    np.testing.assert_array_equal(image._arrays[0][points], wanted)


def test_a_list_out_of_range(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)))
    with pytest.raises(IndexError):
        open_image(tmp_path / "a.zarr")._arrays[0][[1, 4]]


def test_index_out_of_range(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)))
    array = open_image(tmp_path / "a.zarr")._arrays[0]
    with pytest.raises(IndexError):
        array[4]
    with pytest.raises(TypeError):
        array[1.5]


def test_missing_chunks_are_fill_value(tmp_path):
    how = {"fill_value": 7, "compressors": None}
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 20, 37, 41)), **how)
    shutil.rmtree(tmp_path / "a.zarr" / "0" / "0" / "0" / "1")
    stored[0][0, 0, 16:] = 7
    assert_same(open_image(tmp_path / "a.zarr"), stored)


def test_plain_array_and_plain_group(tmp_path):
    values = voxels((20, 37, 41))
    for path, name in [(tmp_path / "array.zarr", None), (tmp_path / "group.zarr", "0")]:
        if name:
            zarr.create_group(path, zarr_format=2)
        array = zarr.create_array(
            path, name=name, shape=values.shape, chunks=(16, 16, 16), dtype="uint16",
            zarr_format=2,
        )  # fmt: skip
        array[...] = values
        image = open_image(path)
        np.testing.assert_array_equal(image.levels[0].compute(), values)
        assert "no OME metadata: levels by their names, 1 um a voxel" in image.notes


def test_empty_list_of_filters(tmp_path):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)))
    change(tmp_path / "a.zarr" / "0" / ".zarray", filters=[])
    assert_same(open_image(tmp_path / "a.zarr"), stored)


# --- lazy, and what it says


def test_opening_reads_no_chunk(tmp_path, keys):
    write(tmp_path / "a.zarr", voxels((1, 1, 40, 40, 40)), levels=3)
    image = open_image(tmp_path / "a.zarr")
    _ = image.shape, image.dtype, image.colormap, image.name, repr(image), image.notes
    assert keys == []
    image.levels[0][0, :16, :16].compute()
    assert keys == ["0/0/0/0/0/0"]


def test_contrast_reads_one_chunk_of_the_coarsest_level(tmp_path, keys):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 80, 80, 80)), levels=3)
    image = open_image(tmp_path / "a.zarr")
    low, high = image.contrast_limits
    assert keys == ["2/0/0/0/0/0"]
    central = stored[2][0, 0, :16, :16, :16]
    assert (low, high) == tuple(np.percentile(central, [1, 99.9]))
    assert image.contrast_limits == (low, high)
    assert len(keys) == 1


def omero(start, end):
    window = {"start": start, "end": end, "min": 0, "max": 65535}
    return {"channels": [{"color": "00FF00", "window": window}]}


def test_contrast_and_color_from_omero(tmp_path, keys):
    values = voxels((1, 1, 20, 20, 20))
    write(tmp_path / "a.zarr", values, omero=omero(90, 1200))
    image = open_image(tmp_path / "a.zarr")
    assert image.contrast_limits == (90.0, 1200.0)
    assert image.colormap == "#00ff00"
    assert keys == []


MEASURED = "are not told: measured on the coarsest level"
COLOR = "the colour is not told: "


@pytest.mark.parametrize(
    ("told", "how", "wanted"),
    [
        (omero(90, 1200), {}, ()),
        (omero(0, 65535), {}, ("contrast limits 0 to 65535 are nobody's choice: ",)),
        (None, {}, (f"contrast limits {MEASURED}; {COLOR}taken from the wavelength",)),
        (None, {"channel": "nuclei"}, (f"contrast limits {MEASURED}; {COLOR}gray",)),
        (None, {"kind": "labels"}, ()),
    ],
)
def test_what_is_assumed_about_showing_it_is_told(tmp_path, told, how, wanted):
    write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)), omero=told)
    notes = open_image(tmp_path / "a.zarr", **how).notes
    assert len(notes) == len(wanted)
    assert all(part in note for part, note in zip(wanted, notes, strict=True))


def test_masks_of_truth_values_can_be_shown(tmp_path):
    values = voxels((20, 37, 41)) > 150
    for version, how in ((2, {"compressors": Blosc("zstd", 1)}), (3, {})):
        path = tmp_path / f"{version}.zarr"
        write(path, values[None, None], zarr_format=version, fill_value=None, **how)
        mask = open_image(path, channel="cells", kind="labels")
        assert mask.dtype == "uint8"
        np.testing.assert_array_equal(mask.levels[0].compute(), values.astype("uint8"))
        layer = Labels(mask.levels[0])
        assert layer.data.dtype == "uint8"
        assert "truth values are shown as 0 and 1" in mask.notes
    shutil.rmtree(path / "0" / "c")
    reader().clear()
    assert not open_image(path).levels[0].compute().any()


def test_an_absent_fill_value_is_told(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)), omero=omero(90, 1200))
    change(tmp_path / "a.zarr" / "0" / ".zarray", fill_value=None)
    (note,) = open_image(tmp_path / "a.zarr").notes
    assert note == "the fill value is not told: absent chunks are shown as 0"


@pytest.mark.parametrize("window", [(0, 65535), (0, 1), (-5, 100), (0, 70000), (9, 9)])
def test_windows_that_nobody_chose(tmp_path, window):
    values = voxels((1, 1, 20, 20, 20))
    write(tmp_path / "a.zarr", values, omero=omero(*window))
    low, high = open_image(tmp_path / "a.zarr").contrast_limits
    assert 90 < low < high < 2000


def test_contrast_ignores_padding_and_what_is_not_finite(tmp_path):
    values = voxels((1, 1, 16, 16, 16), "float32")
    values[..., :12, :] = 0
    values[..., 12, :] = np.nan
    values[..., 13, 0] = np.inf
    write(tmp_path / "a.zarr", values)
    low, high = open_image(tmp_path / "a.zarr").contrast_limits
    assert 100 <= low < high < 2000


def test_contrast_of_a_blank_centre_comes_from_the_rest(tmp_path):
    values = voxels((1, 1, 48, 48, 48))
    values[..., 16:32, 16:32, 16:32] = 0
    write(tmp_path / "a.zarr", values)
    low, high = open_image(tmp_path / "a.zarr").contrast_limits
    assert 90 < low < high < 2000


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [("uint16", (0, 65535)), ("int16", (-32768, 32767)), ("float32", (0, 1))],
)
def test_contrast_of_a_blank_image(tmp_path, dtype, wanted):
    write(tmp_path / "a.zarr", np.zeros((1, 1, 8, 8, 8), dtype))
    assert open_image(tmp_path / "a.zarr").contrast_limits == wanted


def test_contrast_of_two_values(tmp_path):
    values = np.full((1, 1, 16, 16, 16), 5, "uint16")
    values[0, 0, 0, 0, 0] = 9
    write(tmp_path / "a.zarr", values)
    assert open_image(tmp_path / "a.zarr").contrast_limits == (5, 9)


def test_colormap_by_wavelength_else_gray(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)))
    assert open_image(tmp_path / "a.zarr", channel="594").colormap == "#e69f00"
    assert open_image(tmp_path / "a.zarr", channel="nuclei").colormap == "gray"


def test_names(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 4, 5, 6)))
    image = open_image(tmp_path / "a.zarr", gene="Crh")
    assert image.name == "488 · Crh"
    assert (image.channel, image.gene) == ("488", "Crh")
    assert image.units == ("micrometer",) * 3
    assert image.uri == str(tmp_path / "a.zarr")
    assert repr(image).startswith("<ChannelImage 488 · Crh: 4 x 5 x 6 uint16, 1 levels")
    assert open_image(tmp_path / "a.zarr").name == "488"


def test_labels(tmp_path, keys):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 20, 37, 41), "uint32"), levels=2)
    mask = open_image(tmp_path / "a.zarr", channel="cells", kind="labels")
    assert (mask.contrast_limits, mask.colormap, mask.kind) == (None, None, "labels")
    assert keys == []
    assert_same(mask, stored)


def test_names_of_dask_arrays_are_stable_and_distinct(tmp_path):
    for name in "ab":
        write(tmp_path / name, voxels((1, 1, 20, 20, 20)), levels=2)
    names = [
        [level.name for level in open_image(tmp_path / name).levels] for name in "aab"
    ]
    assert names[0] == names[1]
    assert len({*names[0], *names[2]}) == 4


def test_pickled_arrays_read_elsewhere(tmp_path):
    stored = write(tmp_path / "a.zarr", voxels((1, 1, 20, 37, 41)))
    image = pickle.loads(pickle.dumps(open_image(tmp_path / "a.zarr", gene="Crh")))
    assert image.name == "488 · Crh"
    assert_same(image, stored)
    lazy = pickle.loads(pickle.dumps(image.levels[0]))
    np.testing.assert_array_equal(lazy.compute(), stored[0][0, 0])


def test_a_shards_index_is_read_once(tmp_path, keys):
    values = voxels((1, 1, 32, 32, 32))
    write(tmp_path / "a.zarr", values, zarr_format=3, shards=(1, 1, 32, 32, 32))
    image = open_image(tmp_path / "a.zarr")
    image.levels[0].compute(scheduler="synchronous")
    assert len(keys) == 8 + 1


def test_chunks_of_a_shard_at_once_ask_for_its_index_once(tmp_path, keys, monkeypatch):
    values = voxels((1, 1, 32, 32, 32))
    write(tmp_path / "a.zarr", values, zarr_format=3, shards=(1, 1, 32, 32, 32))
    image = open_image(tmp_path / "a.zarr")
    read = _zarr_store.Folder.read

    async def slow(self, key, span=None):
        await asyncio.sleep(0.02)
        return await read(self, key, span)

    monkeypatch.setattr(_zarr_store.Folder, "read", slow)
    np.testing.assert_array_equal(image.levels[0].compute(num_workers=8), values[0, 0])
    assert len(keys) == 8 + 1


# --- many at once


def test_channels_open_together_and_fail_alone(tmp_path):
    for channel in ("488", "514"):
        write(tmp_path / f"channel_{channel}.zarr", voxels((1, 1, 4, 5, 6)))
    (tmp_path / "channel_561.zarr").mkdir()
    (tmp_path / "channel_561.zarr" / ".zattrs").write_text("{")
    uris = {c: tmp_path / f"channel_{c}.zarr" for c in ("488", "514", "561", "594")}
    images, errors = open_channels(uris | {"638": "ftp://x/y"}, genes={"514": "Sst"})
    assert list(images) == ["488", "514"]
    assert images["514"].name == "514 · Sst"
    assert "is not JSON" in str(errors["561"])
    assert "there is no such folder" in str(errors["594"])
    assert "this kind of address cannot be read" in str(errors["638"])


def test_no_channels():
    assert open_channels({}) == ({}, {})


# --- refusals


def change(path, **changes):
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(document))


def refusal(path, **how):
    with pytest.raises(ImageError) as caught:
        open_image(path, **how)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"compressor": {"id": "jpeg3000"}}, "jpeg3000"),
        ({"dtype": "<x2"}, "this array cannot be read"),
        ({"dtype": None}, "this array cannot be read"),
        ({"chunks": [1, 1, 4]}, "this array cannot be read"),
        ({"chunks": [1, 1, 0, 4, 4]}, "its chunks are (1, 1, 0, 4, 4)"),
        ({"chunks": None}, "this array cannot be read"),
        ({"order": "Z"}, "this array cannot be read"),
        ({"chunks": [1, 1, 2048, 2048, 2048]}, "1 chunks of 17,179,869,184 bytes"),
        ({"shape": [1, 1, 10**6, 10**6, 8]}, "chunks of"),
        ({"dtype": "<c8"}, "the voxels are complex64"),
        ({"dtype": "|S4"}, "the voxels are |S4"),
    ],
)
def test_arrays_that_cannot_be_read(tmp_path, changes, found):
    write(tmp_path / "a.zarr", voxels((1, 1, 8, 8, 8)), compressors=None, fill_value=0)
    change(tmp_path / "a.zarr" / "0" / ".zarray", **({"fill_value": None} | changes))
    message = refusal(tmp_path / "a.zarr")
    assert found in message
    assert str(tmp_path / "a.zarr") in message
    assert "Expected " in message


def test_levels_of_different_types(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 8, 8, 8)), levels=2)
    change(tmp_path / "a.zarr" / "1" / ".zarray", dtype="<u4")
    assert "the levels have the types uint16, uint32" in refusal(tmp_path / "a.zarr")


def test_labels_of_a_wrong_type(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 8, 8, 8), "float32"))
    assert "the labels are float32" in refusal(tmp_path / "a.zarr", kind="labels")


# --- failing chunks


def chunk_file(path, z, y, x):
    return path / "0" / "0" / "0" / str(z) / str(y) / str(x)


def damage(path, how):
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:20])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "noise":
        path.write_bytes(random.Random(0).randbytes(500))
    else:  # a folder where a file should be
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("codec", [Blosc("zstd", 3), Zstd(3), GZip(1), None])
@pytest.mark.parametrize("how", ["truncated", "empty", "noise", "folder"])
def test_a_bad_chunk_is_fill_value_and_recorded(tmp_path, codec, how):
    path = tmp_path / "a.zarr"
    values = voxels((1, 1, 20, 37, 41))
    (stored,) = write(path, values, compressors=codec, fill_value=7)
    whole = chunk_file(path, 0, 1, 2).read_bytes()
    damage(chunk_file(path, 0, 1, 2), how)
    image = open_image(path)
    heard = []
    image.chunk_failed.connect(lambda *args: heard.append(args))
    wanted = stored[0, 0].copy()
    wanted[:16, 16:32, 32:] = 7
    for _ in range(2):  # told once
        np.testing.assert_array_equal(image.levels[0].compute(), wanted)
    ((level, chunk, message),) = image.failures
    assert (level, chunk) == (0, (0, 1, 2))
    assert message
    assert heard == [(0, (0, 1, 2), message)]

    if how == "folder":
        chunk_file(path, 0, 1, 2).rmdir()
    chunk_file(path, 0, 1, 2).write_bytes(whole)
    image.retry()
    assert image.failures == set()
    assert_same(image, [stored])


def test_a_chunk_that_works_again_is_no_failure(tmp_path):
    path = tmp_path / "a.zarr"
    (stored,) = write(path, voxels((1, 1, 20, 20, 20)))
    whole = chunk_file(path, 0, 0, 0).read_bytes()
    damage(chunk_file(path, 0, 0, 0), "truncated")
    image = open_image(path)
    image.levels[0].compute()
    assert len(image.failures) == 1
    chunk_file(path, 0, 0, 0).write_bytes(whole)
    assert_same(image, [stored])


def test_contrast_survives_a_bad_chunk(tmp_path):
    write(tmp_path / "a.zarr", voxels((1, 1, 8, 8, 8)))
    path = chunk_file(tmp_path / "a.zarr", 0, 0, 0)
    whole = path.read_bytes()
    damage(path, "noise")
    image = open_image(tmp_path / "a.zarr")
    assert image.contrast_limits == (0, 65535)
    path.write_bytes(whole)
    assert image.contrast_limits != (0, 65535)


def test_a_damaged_shard_fails_alone(tmp_path):
    path = tmp_path / "a.zarr"
    values = voxels((1, 1, 32, 32, 64))
    write(path, values, zarr_format=3, shards=(1, 1, 32, 32, 32))
    damage(path / "0" / "c" / "0" / "0" / "0" / "0" / "0", "truncated")
    image = open_image(path)
    got = image.levels[0].compute()
    np.testing.assert_array_equal(got[..., 32:], values[0, 0, ..., 32:])
    assert not got[..., :32].any()
    assert len(image.failures) == 8


# --- seeded mutations of the documents

OTHERS = [None, True, 0, -1, 3, 2**63, 1.5, "", "x", [], [1], {}, {"id": "zlib"}, "<f4"]


def mutated(document, rng):
    """Return a document in which one node is replaced, removed or doubled."""
    document = json.loads(json.dumps(document))
    node, key = None, None
    inner = document
    while (
        isinstance(inner, dict | list)
        and inner
        and (node is None or rng.random() < 0.8)
    ):
        node = inner
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        inner = node[key]
    what = rng.randrange(4)
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(inner, int | float) and not isinstance(inner, bool):
        node[key] = rng.choice([-inner, inner * 2, inner + 1, inner / 2])
    else:
        node[key] = rng.choice(OTHERS)
    return json.dumps(document)


def cut(text, rng):
    at = rng.randrange(len(text))
    return rng.choice(
        [text[:at], text[:at] + rng.choice('{}[]",:0x\0') + text[at + 1 :]]
    )


@pytest.mark.parametrize("name", [".zattrs", "0/.zarray", "1/.zarray"])
def test_mutated_documents_of_format_2(tmp_path, name):
    check_mutations(tmp_path, name, zarr_format=2)


@pytest.mark.parametrize("name", ["zarr.json", "0/zarr.json"])
def test_mutated_documents_of_format_3(tmp_path, name):
    # zarr warns of types and codecs that its format 3 has no standard for, and a
    # mutation may name one
    check_mutations(tmp_path, name, zarr_format=3)


def check_mutations(tmp_path, name, *, zarr_format, rounds=60):
    path = tmp_path / "a.zarr"
    write(path, voxels((1, 1, 20, 24, 28)), levels=2, zarr_format=zarr_format)
    original = (path / name).read_text()
    rng = random.Random(name)
    right = 0
    for _ in range(rounds):
        text = mutated(json.loads(original), rng)
        if rng.random() < 0.2:
            text = cut(original, rng)
        (path / name).write_text(text)
        right += check_read_or_refused(path, text)
    assert 0 < right < rounds


def check_read_or_refused(path, text):
    """Open a damaged image; what opens must hold what zarr reads there."""
    try:
        image = open_image(path)
    except SeeSpotError:
        return 0
    assert all(np.isfinite(image.contrast_limits))
    if any(np.prod(level.shape) > 10**7 for level in image.levels):
        return 1
    axes = [axis.name for axis in image.pyramid.axes]
    for lazy, level in zip(image.levels, image.pyramid.levels, strict=True):
        got = lazy.compute()
        failed = {chunk for n, chunk, _ in image.failures if image.levels[n] is lazy}
        if not failed:
            with warnings.catch_warnings():
                # zarr warns of `"filters": []`, which we read all the same
                warnings.simplefilter("ignore", ZarrUserWarning)
                values = zarr.open_array(path / level.path, mode="r")[...]
            np.testing.assert_array_equal(got, as_zyx(values, axes), err_msg=text)
    return 1
