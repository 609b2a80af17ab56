"""The picture of all spots against a plain one, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot.raster import Canvas, disc, rasterize

TABLE = np.array(
    [[255, 0, 0, 255], [0, 128, 255, 255], [10, 200, 30, 255], [255] * 4], np.uint8
)


def plain(rows, columns, color, table, alpha, shape, diameter):
    """Return sums of colour and weight at each pixel, spot by spot."""
    weight = np.zeros(shape)
    sums = np.zeros((*shape, 3))
    radius = max(diameter, 1) / 2
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for r, c, k, a in zip(rows, columns, color, alpha, strict=True):
        if not (0 <= r < shape[0] and 0 <= c < shape[1]):
            continue
        inside = (yy - int(r)) ** 2 + (xx - int(c)) ** 2 <= radius**2
        weight[inside] += a
        sums[inside] += a * table[k, :3].astype(float)
    return sums, weight


def check(picture, sums, weight):
    covered = weight > 0
    assert (picture[~covered] == 0).all()
    assert (picture[covered, 3] > 0).all()
    wanted = sums[covered] / weight[covered][:, None]
    # Opacities are rounded to 16 steps and colours to 255ths of each.
    assert abs(picture[covered, :3] - wanted).max(initial=0) <= 12
    opacity = 255 * -np.expm1(-2 * weight[covered])
    assert abs(picture[covered, 3] - opacity).max(initial=0) <= 4


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40),
    st.integers(0, 10**6),
    st.sampled_from([(1, 1), (1, 30), (25, 40)]),
    st.sampled_from([0.5, 1.0, 3.0, 4.0, 7.9, 60.0]),
)
def test_pixels_and_colours_are_those_of_a_plain_picture(n, seed, shape, diameter):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-3, shape[0] + 3, n).astype(np.float32)
    columns = rng.uniform(-3, shape[1] + 3, n).astype(np.float32)
    color = rng.integers(0, 4, n).astype(np.uint8)
    alpha = (rng.integers(1, 16, n) / 15).astype(np.float32)
    picture = rasterize(rows, columns, color, TABLE, alpha, shape, diameter)
    assert picture.shape == (*shape, 4)
    assert picture.dtype == np.uint8
    check(picture, *plain(rows, columns, color, TABLE, alpha, shape, diameter))


def one_place(n, color, alpha=1.0):
    return rasterize(
        np.zeros(n), np.zeros(n), np.resize(np.array(color, np.uint8), n), TABLE,
        np.full(n, alpha, np.float32), (1, 1), 1,
    )[0, 0]  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 100, 256, 257, 1000, 70_000, 300_000])
@pytest.mark.parametrize("alpha", [1.0, 0.25, 1 / 15])
def test_however_many_overlap_nothing_overflows(n, alpha):
    red, green, blue, opacity = one_place(n, [3], alpha)
    assert min(red, green, blue) >= 240
    assert opacity == pytest.approx(255 * -np.expm1(-2 * min(n * alpha, 99)), abs=20)
    if n * alpha > 4:
        assert opacity == 255


@pytest.mark.parametrize("n", [2, 300, 100_000])
def test_colours_mix_by_their_shares(n):
    assert one_place(n, [0, 1])[:3] == pytest.approx([128, 64, 128], abs=2)


def test_a_fainter_spot_counts_less():
    picture = rasterize(
        np.zeros(2), np.zeros(2), np.array([0, 1], np.uint8), TABLE,
        np.array([1, 0.2], np.float32), (1, 1), 1,
    )  # fmt: skip
    assert picture[0, 0, :3] == pytest.approx([255 / 1.2, 128 * 0.2 / 1.2, 42], abs=4)


def test_more_spots_are_more_opaque():
    opacity = [int(one_place(n, [0])[3]) for n in (1, 2, 3, 9)]
    assert opacity == sorted(opacity)
    assert opacity[0] > 200  # few spots look like points


def test_spots_at_the_border():
    """The far border of the last pixel is outside, the near one of the first inside."""
    rows = np.array([0.0, 9.999, 10.0, -0.001, 5, 5, 5, 5])
    columns = np.array([0.0, 19.999, 5, 5, 20.0, -1e-9, np.nan, np.inf])
    picture = rasterize(
        rows, columns, np.zeros(8, np.uint8), TABLE, np.ones(8, np.float32), (10, 20), 1
    )
    assert np.argwhere(picture[..., 3]).tolist() == [[0, 0], [9, 19]]
    large = rasterize(
        rows[:2], columns[:2], np.zeros(2, np.uint8), TABLE, np.ones(2, np.float32),
        (10, 20), 5,
    )  # fmt: skip
    assert large[[0, 2, 9], [2, 0, 17], 3].all()
    assert not large[3, 3, 3]


def test_nothing_to_draw():
    nothing = np.zeros(0, np.float32)
    picture = rasterize(
        nothing, nothing, nothing.astype(np.uint8), TABLE, nothing, (4, 5), 3
    )
    assert picture.shape == (4, 5, 4)
    assert not picture.any()


def test_tall_pictures():
    """Above 65,535 rows a spot's row no longer fits the sort's key."""
    rows = np.array([70_000.5, 2.0])
    picture = rasterize(
        rows, np.zeros(2), np.zeros(2, np.uint8), TABLE, np.ones(2, np.float32),
        (70_010, 1), 1,
    )  # fmt: skip
    assert np.flatnonzero(picture[:, 0, 3]).tolist() == [2, 70_000]


@pytest.mark.parametrize(("diameter", "pixels"), [(0.1, 1), (1, 1), (2, 5), (3, 9)])
def test_discs(diameter, pixels):
    offsets = disc(diameter)
    assert len(offsets) == pixels
    assert offsets.dtype == np.int32
    assert (offsets.sum(axis=0) == 0).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 30),
    st.integers(0, 10**6),
    st.sampled_from([(1, 1), (1, 30), (25, 40)]),
    st.sampled_from([1.0, 3.0, 5.0, 7.9, 60.0]),
)
def test_discs_on_top_hide_what_is_below(n, seed, shape, diameter):
    rng = np.random.default_rng(seed)
    rows, columns = (rng.uniform(0, size, n).astype(np.float32) for size in shape)
    color, alpha = np.zeros(n, np.uint8), np.ones(n, np.float32)
    canvas = Canvas()
    wanted = canvas.draw(rows, columns, color, TABLE, alpha, shape, 3).copy()
    top = (rows[: n // 2], columns[: n // 2], (1, 2, 3, 255), diameter, (9, 8, 7, 255))
    canvas.put(*top)
    picture = canvas.draw(rows[:0], rows[:0], color[:0], TABLE, rows[:0], shape, 3)
    assert not picture.any()  # drawn anew, nothing of it stays
    canvas.draw(rows, columns, color, TABLE, alpha, shape, 3)
    canvas.put(*top)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for r, c in zip(*top[:2], strict=True):
        far = np.hypot(yy - int(r), xx - int(c))
        wanted[far <= max(diameter, 1) / 2] = (9, 8, 7, 255)
        wanted[far <= max(diameter - 2, 1) / 2] = (1, 2, 3, 255)
    assert (picture == wanted).all()
