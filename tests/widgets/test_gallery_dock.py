"""The gallery's pixels, order and clicks, against the files and the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import zarr

from napari_seespot import sessions
from napari_seespot.errors import CancelledError, StateError
from napari_seespot.gallery import ORDERS, mosaic, ordered, place_in_mosaic, strips
from napari_seespot.session import Session
from napari_seespot.unmixing import dye_distances
from napari_seespot.widgets.gallery import GalleryWidget


@pytest.fixture
def opened(viewer, sample, qtbot):
    session = Session(sample)
    sessions.attach(viewer, session)
    dock = GalleryWidget(viewer)
    qtbot.addWidget(dock.native)
    dock.native.resize(400, 500)
    return session, dock


def padded(sample_folder, channel):
    path = sample_folder / f"image_tile_fusing/fused/channel_{channel}.zarr/0"
    image = zarr.open_array(path, mode="r")[0, 0].astype(float)
    return np.pad(image, ((0, 0), (6, 6), (6, 6)), constant_values=np.nan)


def test_strips_are_the_pixels(sample, sample_folder):
    frame = sample.spots.to_pandas()
    rows = [7, *(int(frame[a].argmin()) for a in "yx"), int(frame["x"].argmax())]
    rows = np.array([*rows, *range(30, 60)])
    news = []
    pixels, channels = strips(
        sample, rows, 6, progress=lambda share, text: news.append((share, text))
    )
    assert channels == sample.channels
    assert news[0] == (0.0, f"0 of {len(rows)} spots")
    for channel, image in enumerate(padded(sample_folder, c) for c in channels):
        for place, row in enumerate(rows):
            z, y, x = (round(float(frame[a].iloc[row])) for a in "zyx")
            wanted = image[z, y : y + 13, x : x + 13]
            assert np.array_equal(pixels[place, channel], wanted, equal_nan=True)
    with pytest.raises(CancelledError):
        strips(sample, rows, 6, cancelled=lambda: True)
    with pytest.raises(StateError, match="no images"):
        strips(replace(sample, images={}), rows)
    assert strips(sample, rows[:0])[0].shape[0] == 0


def test_orders(sample):
    frame = sample.spots.to_pandas()
    rows = np.arange(0, 400)
    part = frame.iloc[rows]
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
    keys = {
        "r": part["r"].to_numpy(float),
        "dist": part["dist"].to_numpy(float),
        "residual": -dye_distances(vectors, sample.ratios).min(axis=1),
        "intensity ratio": ratio,
    }
    assert list(ordered(sample, rows, "table order")) == list(rows)
    for name in ORDERS[1:]:
        key = keys[name][ordered(sample, rows, name)]
        known = key[np.isfinite(key)]
        assert (np.diff(known) >= 0).all()
        assert np.isfinite(key[: len(known)]).all()
    with pytest.raises(StateError, match="no order 'beauty'"):
        ordered(sample, rows, "beauty")
    with pytest.raises(StateError, match="no ratios"):
        ordered(replace(sample, ratios=None), rows, "residual")


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (5, 2), (7, 7), (6, 20), (0, 3)])
def test_the_mosaic_and_its_places(n, columns):
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 10, (n, 3, 5, 5)).astype(np.float32)
    picture = mosaic(pixels, [(0, 10), (0, 5), (5, 10)], columns)
    for place in range(n):
        found = [
            (y, x)
            for y in range(picture.shape[0])
            for x in range(picture.shape[1])
            if place_in_mosaic(y, x, n, 3, 5, columns) == place
        ]
        ys, xs = (sorted({p[k] for p in found}) for k in (0, 1))
        tile = picture[ys[0] : ys[0] + 5, xs[0] : xs[0] + 5]
        wanted = np.clip(pixels[place, 0] / 10, 0, 1) * 255
        assert np.abs(tile - wanted).max() <= 0.51
        third = picture[ys[0] : ys[0] + 5, xs[0] + 14 : xs[0] + 19]
        wanted = np.clip((pixels[place, 2] - 5) / 5, 0, 1) * 255
        assert np.abs(third - wanted).max() <= 0.51
    for y, x in [(-1, 0), (0, -1), (10_000, 0), (0, 10_000)]:
        assert place_in_mosaic(y, x, n, 3, 5, columns) is None


def test_the_dock(opened, sample, qtbot, tmp_path):
    session, dock = opened
    dock.load.native.click()
    assert "Nothing is selected" in dock.text.value
    ids = sample.spots.column("spot_id")[100:130]
    session.select(ids)
    dock.order.value = "dist"
    dock.load.native.click()
    qtbot.waitUntil(lambda: dock.wall is not None, timeout=20_000)
    rows = dock.wall.rows
    assert set(sample.spots.column("spot_id")[rows]) == set(ids)
    assert (np.diff(sample.spots.column("dist")[rows]) >= 0).all()
    assert "30 spots" in dock.text.value
    flown = []
    session.moved.connect(flown.append)
    size, step_x = 17, 5 * 19 + 2
    column = min(1, dock.columns - 1)
    dock.go_to_place(3, column * step_x + 4)
    assert flown == [rows[column]]
    dock.export(tmp_path / "wall.png")
    from matplotlib.image import imread

    picture = imread(tmp_path / "wall.png")
    assert picture.shape == dock.picture.image.shape
    assert np.abs(picture * 255 - dock.picture.image).max() < 1
    assert picture.shape[0] % (size + 4) == 0
    dock.export(tmp_path / "no" / "wall.png")
    assert "cannot be written" in dock.text.value


def test_a_random_sample_of_what_passes(opened, sample, qtbot):
    session, dock = opened
    session.state.filters.status = {"reassigned"}
    dock.which.value = "spots that pass"
    dock.number.value = 12
    dock.load.native.click()
    qtbot.waitUntil(lambda: dock.wall is not None, timeout=20_000)
    assert len(dock.wall.rows) == 12
    assert set(sample.spots.codes("status")[dock.wall.rows]) == {1}


def test_without_images_and_closing(viewer, tables, qtbot):
    sessions.attach(viewer, Session(tables))
    dock = GalleryWidget(viewer)
    qtbot.addWidget(dock.native)
    dock.which.value = "spots that pass"
    dock.load.native.click()
    qtbot.waitUntil(lambda: "no images" in dock.text.value, timeout=20_000)
    sessions.attach(viewer, None)
    dock.show_spots()
    dock.go_to_place(0, 0)
    assert dock.wall is None
