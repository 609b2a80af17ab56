from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_seespot.coloring import class_colors, gradient, make_coloring
from napari_seespot.columns import NULL_BOOL
from napari_seespot.errors import NotFoundError
from napari_seespot.spots import Spots


def make(n=300, **columns):
    rng = np.random.default_rng(0)
    raw = {
        "chan": rng.choice(["488", "514"], n).astype(object),
        "unmixed_chan": rng.choice(["488", "514", None], n).astype(object),
        **{axis: rng.uniform(0, 9, n) for axis in "zyx"},
        **{f"chan_{c}_intensity": rng.normal(size=n) for c in ("488", "514")},
        **columns,
    }
    return Spots.from_columns(raw, channels=("488", "514"))


@pytest.mark.parametrize("by", ["status", "chan", "unmixed_chan"])
def test_classes_have_the_colours_of_their_names(by):
    spots = make()
    coloring = make_coloring(spots, by)
    names = class_colors(by, spots.channels)
    column = spots.to_pandas()[by].astype(object)
    wanted = [names["removed" if pd.isna(name) else name] for name in column]
    rgba = coloring.rgba(spots, slice(None))
    assert rgba.dtype == np.float32
    assert (rgba[:, 3] == 1).all()
    found = [
        "#" + bytes(np.round(row * 255).astype(np.uint8)).hex()[:6] for row in rgba
    ]
    assert found == wanted
    assert coloring.names == tuple(names) == spots.class_names(by)
    assert coloring.limits is None


def test_a_number_is_coloured_between_its_percentiles():
    r = np.linspace(-1, 1, 300)
    spots = make(r=r)
    coloring = make_coloring(spots, "r")
    low, high = np.percentile(spots.column("r").astype(np.float64), (1, 99))
    assert coloring.limits == (pytest.approx(low), pytest.approx(high))
    share = np.clip((spots.column("r") - low) / (high - low), 0, 1)
    index = coloring.index(spots, slice(None)).astype(int)
    assert (abs(index - share * 255) <= 1).all()
    assert (coloring.rgba(spots, [5]) * 255 == gradient()[index[5]]).all()
    lightness = gradient()[:, :3] @ [0.21, 0.72, 0.07]
    assert (np.diff(lightness) >= 0).all()


@pytest.mark.parametrize(
    "values",
    [
        [np.nan] * 4,
        [np.nan, np.inf, -np.inf, 0.5],
        [2.0] * 4,
        [3.4e38, -3.4e38, 0, np.inf],
        [1e-45, 0, 0, 0],
    ],
)
def test_odd_numbers_have_a_colour_too(values):
    spots = make(4, r=np.array(values))
    coloring = make_coloring(spots, "r")
    assert np.isfinite(coloring.limits).all()
    index = coloring.index(spots, slice(None))
    column = spots.column("r")
    assert (index[np.isnan(column) | np.isneginf(column)] == 0).all()
    assert (index[np.isposinf(column)] == 255).all()


def test_unknown_truth_is_no_large_number():
    spots = make(4, valid_spot=np.array([True, False, None, True], object))
    assert NULL_BOOL in spots.column("valid_spot")
    coloring = make_coloring(spots, "valid_spot")
    assert coloring.limits[1] <= 1
    index = coloring.index(spots, slice(None))
    assert (index[spots.column("valid_spot") == 1] == 255).all()
    assert (index[spots.column("valid_spot") != 1] == 0).all()


def test_no_spots():
    spots = make(0, r=np.zeros(0))
    for by in ("status", "chan", "unmixed_chan", "r", "spot_id"):
        coloring = make_coloring(spots, by)
        assert coloring.rgba(spots, slice(None)).shape == (0, 4)


def test_an_unknown_column():
    with pytest.raises(NotFoundError, match="there is no numeric column 'colour'"):
        make_coloring(make(), "colour")


def test_cells_that_follow_each_other_get_different_colours(tables):
    coloring = make_coloring(tables.spots, "cell_id")
    cells = tables.spots.column("cell_id")
    places = coloring.index(tables.spots, slice(None))
    assert (places[cells == 0] == 0).all()
    assert (places[cells > 0] > 0).all()
    by_cell = dict(zip(cells.tolist(), places.tolist(), strict=True))
    by_cell.pop(0)
    assert len(set(by_cell.values())) == len(coloring.table) - 1
    neighbours = [by_cell[c] == by_cell[c + 1] for c in by_cell if c + 1 in by_cell]
    assert sum(neighbours) == 0
