"""The gallery's pixels, orders and layout, against the files and the table."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr

import napari_seespot as nss
from napari_seespot import gallery
from napari_seespot.errors import CancelledError, NotFoundError, StateError
from napari_seespot.gallery import ORDERS, WallLayout, mosaic, ordered, strips
from napari_seespot.unmixing import dye_distances


def padded(folder, channel):
    path = folder / f"image_tile_fusing/fused/channel_{channel}.zarr/0"
    image = zarr.open_array(path, mode="r")[0, 0].astype(float)
    return np.pad(image, ((0, 0), (6, 6), (6, 6)), constant_values=np.nan)


def test_strips_are_the_pixels(sample, sample_folder):
    frame = sample.spots.to_pandas()
    rows = [7, *(int(frame[a].argmin()) for a in "yx"), int(frame["x"].argmax())]
    rows = np.array([*rows, *range(30, 60)])
    news = []
    found = strips(
        sample, rows, 6, progress=lambda share, text: news.append((share, text))
    )
    assert found.channels == sample.channels
    assert not found.unread.any()
    assert not found.problems
    assert news[0] == (0.0, f"0 of {len(rows)} spots")
    for channel, image in enumerate(padded(sample_folder, c) for c in found.channels):
        for place, row in enumerate(rows):
            z, y, x = (round(float(frame[a].iloc[row])) for a in "zyx")
            wanted = image[z, y : y + 13, x : x + 13]
            assert np.array_equal(found.pixels[place, channel], wanted, equal_nan=True)
    with pytest.raises(CancelledError):
        strips(sample, rows, 6, cancelled=lambda: True)
    with pytest.raises(StateError, match="no images"):
        strips(replace(sample, images={}), rows)
    assert strips(sample, rows[:0]).pixels.shape[0] == 0


def test_what_was_read_is_not_read_again(sample, monkeypatch):
    before = strips(sample, np.arange(20), 4)
    asked = []
    read = gallery.read_boxes

    def counted(boxes, **options):
        asked.append(len(boxes))
        return read(boxes, **options)

    monkeypatch.setattr(gallery, "read_boxes", counted)
    order = np.random.default_rng(0).permutation(20)
    after = strips(sample, order, 4, known=before)
    assert asked == []
    assert (after.rows == order).all()
    assert np.array_equal(after.pixels, before.pixels[order], equal_nan=True)
    rows = np.array([25, 3, 21, 7])
    more = strips(sample, rows, 4, known=before)
    assert asked == [2 * len(sample.channels)]
    fresh = strips(sample, rows, 4)
    assert np.array_equal(more.pixels, fresh.pixels, equal_nan=True)


def test_crops_that_cannot_be_read(sample, sample_folder, tmp_path):
    copy = tmp_path / "broken"
    shutil.copytree(sample_folder, copy)
    level = copy / "image_tile_fusing/fused/channel_561.zarr/0"
    array = zarr.open_array(level, mode="r")
    _, height, width = array.chunks[2:]
    (bad,) = [file for file in (level / "0/0").rglob("0/0") if file.is_file()][:1]
    whole = bad.read_bytes()
    bad.write_bytes(b"no chunk")
    broken = nss.open_dataset(copy, cache=False)
    rows = np.arange(120)
    found = strips(broken, rows, 5)
    truth = strips(sample, rows, 5)
    frame = sample.spots.to_pandas().iloc[rows]
    y, x = frame["y"].round(), frame["x"].round()
    assert array.shape[2] <= array.chunks[2]  # one chunk high
    touched = ((y - 5 < height) & (x - 5 < width)).to_numpy()
    assert 0 < touched.sum() < len(rows)
    place = sample.channels.index("561")
    assert (found.unread[:, place] == touched).all()
    assert not np.delete(found.unread, place, axis=1).any()
    assert "could not be read" in found.problems["561"]
    assert list(found.problems) == ["561"]
    for k in range(len(rows)):
        inside = (
            np.indices((11, 11))
            + np.array([y.iloc[k] - 5, x.iloc[k] - 5])[:, None, None]
        )
        lost = (inside[0] < height) & (inside[1] < width)
        pixels, wanted = found.pixels[k, place], truth.pixels[k, place]
        assert np.isnan(pixels[lost]).all()
        assert np.array_equal(pixels[~lost], wanted[~lost], equal_nan=True)
    bad.write_bytes(whole)  # those, and only those, are asked for again
    mended = strips(broken, rows, 5, known=found)
    assert not mended.unread.any()
    assert not mended.problems
    assert np.array_equal(mended.pixels, truth.pixels, equal_nan=True)


def test_channels_that_cannot_be_opened_are_told(sample):
    class Broken(dict):  # a mapping that fails for one key
        def __getitem__(self, channel):
            if channel == "561":
                raise NotFoundError("gone")
            return sample.images[channel]

    found = strips(
        replace(sample, images=Broken.fromkeys(sample.channels)), np.arange(3)
    )
    assert found.problems == {"561": "gone."}
    assert "561" not in found.channels


def keys_of(sample, rows):
    part = sample.spots.to_pandas().iloc[rows]
    vectors = part[[f"chan_{c}_intensity" for c in sample.channels]].to_numpy(float)
    unmixed = part["unmixed_chan"].astype(object)
    ratio = np.array(
        [
            v[sample.channels.index(u)] / v[sample.channels.index(c)]
            if isinstance(u, str)
            else np.nan
            for v, c, u in zip(vectors, part["chan"], unmixed, strict=True)
        ]
    )
    return {
        "r": part["r"].to_numpy(float),
        "dist": part["dist"].to_numpy(float),
        "residual": dye_distances(vectors, sample.ratios).min(axis=1),
        "intensity ratio": ratio,
    }


@pytest.mark.parametrize("block", [1 << 18, 64])
def test_orders(sample, monkeypatch, block):
    monkeypatch.setattr(gallery, "_BLOCK", block)
    rows = np.arange(0, 400)
    assert list(ordered(sample, rows, "table order")) == list(rows)
    assert list(ordered(sample, rows, "table order", descending=True, n=3)) == [
        399,
        398,
        397,
    ]
    for name, key in keys_of(sample, rows).items():
        for descending in (False, True):
            found = ordered(sample, rows, name, descending=descending)
            assert sorted(found) == list(rows)
            values = key[found]
            known = values[np.isfinite(values)]
            assert (
                (np.diff(known) <= 0) if descending else (np.diff(known) >= 0)
            ).all()
            assert np.isfinite(values[: len(known)]).all()
            first = ordered(sample, rows, name, descending=descending, n=9)
            assert list(first) == list(found[:9])
    assert len(ordered(sample, rows[:0], "r", n=5)) == 0
    with pytest.raises(StateError, match="no order 'beauty'"):
        ordered(sample, rows, "beauty")
    with pytest.raises(StateError, match="no ratios"):
        ordered(replace(sample, ratios=None), rows, "residual")
    assert set(ORDERS) == {"table order", *keys_of(sample, rows)}


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (5, 2), (7, 7), (6, 20), (0, 3)])
def test_the_mosaic_and_its_places(n, columns):
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 10, (n, 3, 5, 5)).astype(np.float32)
    limits = [(0, 10), (0, 5), (5, 10)]
    layout = WallLayout(n, 3, 5, columns)
    picture = mosaic(pixels, limits, layout)
    assert picture.shape == layout.shape
    left = picture.copy()
    for place in range(n):
        for channel, (low, high) in enumerate(limits):
            y, x = layout.corner(place, channel)
            tile = picture[y : y + 5, x : x + 5]
            wanted = np.clip((pixels[place, channel] - low) / (high - low), 0, 1) * 255
            assert np.abs(tile - wanted).max() <= 0.51
            for dy, dx in [(0, 0), (4, 4), (0, 4)]:
                assert layout.place_at(y + dy, x + dx) == (place, channel)
            assert layout.place_at(y + 4.9, x + 4.9) == (place, channel)
            left[y : y + 5, x : x + 5] = 0
    assert not left.any()  # black everywhere else
    for y, x in [(-1, 0), (0, 1), (9, -1), (10_000, 0), (9, 10_000)]:
        assert layout.place_at(y, x) is None
    blank = mosaic(np.full((1, 3, 5, 5), np.nan), limits, WallLayout(1, 3, 5, 1))
    assert not blank.any()
