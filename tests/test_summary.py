"""Counts by status against pandas; the pipeline's summary against the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_seespot.dataset import Dataset
from napari_seespot.densities import density, histogram
from napari_seespot.errors import CancelledError, RatiosError
from napari_seespot.picks import Pick, Span
from napari_seespot.spots import STATUSES, Spots
from napari_seespot.summary import compare_summary, nearest_dye_counts, status_table
from napari_seespot.unmixing import what_if

CHANNELS = ("488", "514", "594")


def make_table(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "spot_id": np.arange(1, n + 1),
            "chan": rng.choice(CHANNELS, n),
            "unmixed_chan": rng.choice([*CHANNELS, None], n),
            "z": rng.uniform(0, 9, n),
            "y": rng.uniform(0, 9, n),
            "x": rng.uniform(0, 9, n),
            # halves: many of them lie on the borders of bins
            "r": np.round(rng.uniform(-1, 1, n) * 2) / 2,
            "dist": rng.exponential(size=n),
        }
    )
    for channel in CHANNELS:
        table[f"chan_{channel}_intensity"] = rng.normal(80, 90, n)
    table.loc[rng.random(n) < 0.1, "r"] = np.nan
    table.loc[rng.random(n) < 0.02, "chan_514_intensity"] = np.inf
    return table


@pytest.fixture(scope="module")
def spots():
    return Spots.from_pandas(make_table())


@pytest.fixture(scope="module")
def frame(spots):
    table = spots.to_pandas().astype({"chan": str, "status": str})
    table["unmixed_chan"] = table["unmixed_chan"].astype(object)
    table["unmixed_chan"] = table["unmixed_chan"].where(
        table["unmixed_chan"].notna(), "removed"
    )
    return table


@pytest.fixture(scope="module")
def where(spots):
    return np.random.default_rng(3).random(len(spots)) < 0.4


@pytest.fixture
def dataset(spots):
    ratios = pd.DataFrame(
        [[100, 50, 1], [40, 100, 5], [1, 3, 100]], CHANNELS, CHANNELS, dtype=float
    )
    return Dataset("d", "memory", spots, ratios=ratios)


def nearest(dataset, frame):
    """Return each spot's nearest dye by the sine of the angle, written out."""
    matrix = dataset.ratios.to_numpy()
    units = matrix / np.linalg.norm(matrix, axis=1)[:, None]
    v = frame[[f"chan_{c}_intensity" for c in CHANNELS]].to_numpy(float)
    v = v[np.isfinite(v).all(axis=1)]
    square = (v**2).sum(axis=1)[:, None] - (v @ units.T) ** 2
    return np.bincount(square.argmin(axis=1), minlength=len(CHANNELS))


@pytest.mark.parametrize("by", ["chan", "unmixed_chan"])
@pytest.mark.parametrize("filtered", [False, True])
def test_status_table_is_what_pandas_counts(spots, frame, where, by, filtered):
    chosen = frame[where] if filtered else frame
    got = status_table(spots, where if filtered else None, by)
    wanted = pd.crosstab(chosen[by], chosen["status"])
    wanted = wanted.reindex(index=got.index, columns=list(STATUSES), fill_value=0)
    assert (got.to_numpy() == wanted.to_numpy()).all()
    assert list(got.index) == list(spots.class_names(by))


def test_nearest_dyes_are_what_angles_say(dataset, frame):
    got = nearest_dye_counts(dataset)
    assert got.tolist() == nearest(dataset, frame).tolist()
    assert list(got.index) == list(CHANNELS)


@pytest.mark.parametrize("seed", range(4))
def test_nearest_dyes_are_what_distances_say_also_on_borders(dataset, seed):
    rng = np.random.default_rng(seed)
    n = 2000
    units = dataset.ratios.to_numpy() / 100
    rows = rng.integers(0, 3, n)
    values = units[rows] * rng.uniform(-2, 2, (n, 1))  # on a line, or behind it
    middle = (units[0] / np.linalg.norm(units[0])) + units[1] / np.linalg.norm(units[1])
    values[: n // 4] = middle * rng.uniform(0, 9, (n // 4, 1))  # as near to both
    values[n // 4 : n // 2] = rng.normal(size=(n // 4, 3))
    values[rng.integers(0, n, 30)] = 0
    values[rng.integers(0, n, 9), 1] = [np.nan, np.inf, -np.inf] * 3
    table = make_table(n)
    for place, channel in enumerate(CHANNELS):
        table[f"chan_{channel}_intensity"] = values[:, place]
    spots = Spots.from_pandas(table)
    vectors = np.stack([spots.intensity(channel) for channel in CHANNELS], axis=1)
    for ratios in (dataset.ratios, dataset.ratios * np.array([[1], [0], [1]])):
        wanted = what_if(vectors, ratios)
        got = nearest_dye_counts(replace(dataset, spots=spots, ratios=ratios))
        assert got.tolist() == np.bincount(wanted[wanted >= 0], minlength=3).tolist()


def test_counting_dyes_can_be_cancelled_and_needs_ratios(dataset):
    with pytest.raises(CancelledError, match="was cancelled"):
        nearest_dye_counts(dataset, lambda: True)
    with pytest.raises(RatiosError, match="there are no ratios"):
        nearest_dye_counts(replace(dataset, ratios=None))


def summary_of(dataset, frame):
    kept = frame[frame["status"] != "removed"]
    moved = kept[kept["status"] == "reassigned"]
    return pd.DataFrame(
        {
            "channel": CHANNELS,
            "total_spots": nearest(dataset, frame),
            "kept_spots": [int((kept["unmixed_chan"] == c).sum()) for c in CHANNELS],
            "reassigned_spots": [
                int((moved["unmixed_chan"] == c).sum()) for c in CHANNELS
            ],
        }
    )


def test_a_summary_that_is_right_differs_nowhere(dataset, frame):
    told = summary_of(dataset, frame)
    got = compare_summary(replace(dataset, summary=told))
    assert len(got) == 9
    assert (got["difference"] == 0).all()
    assert (got["table"] == told.to_numpy()[:, 1:].astype(int).ravel()).all()
    assert got["counted"][0] == "nearest dye line is 488"


def test_differences_are_told_in_numbers(dataset, frame):
    told = summary_of(dataset, frame)
    told.loc[1, "kept_spots"] += 7
    got = compare_summary(replace(dataset, summary=told))
    off = got[got["difference"] != 0]
    assert off[["channel", "quantity", "difference"]].values.tolist() == [
        ["514", "kept", -7]
    ]


def test_tiles_are_added_up_and_radii_are_not(dataset, frame):
    told = summary_of(dataset, frame)
    parts = told.copy()
    parts["kept_spots"] -= 1
    ones = told.assign(total_spots=0, kept_spots=1, reassigned_spots=0)
    tiles = pd.concat([parts, ones])
    assert (compare_summary(replace(dataset, summary=tiles))["difference"] == 0).all()
    other = told.assign(kept_spots=5, min_dist=4.0)
    radii = pd.concat([told.assign(min_dist=3.0), other])
    for min_dist, right in (("3", True), ("4", False), (None, True), ("x", True)):
        got = compare_summary(replace(dataset, summary=radii, min_dist=min_dist))
        assert len(got) == 9
        assert bool((got["difference"] == 0).all()) is right, min_dist


def test_without_ratios_the_total_is_by_channel_of_detection(dataset, frame):
    told = summary_of(dataset, frame)
    got = compare_summary(replace(dataset, summary=told, ratios=None))
    total = got[got["quantity"] == "total"].set_index("channel")
    assert total["table"].to_dict() == frame["chan"].value_counts().to_dict()
    assert "no ratios" in total["counted"].iloc[0]


def test_a_summary_may_lack_anything(dataset):
    assert len(compare_summary(dataset)) == 0
    empty = pd.DataFrame({"channel": []})
    assert len(compare_summary(replace(dataset, summary=empty))) == 0
    odd = pd.DataFrame({"channel": ["488", "700"], "kept_spots": [np.nan, 4]})
    got = compare_summary(replace(dataset, summary=odd))
    assert got[["channel", "table", "difference"]].values.tolist() == [["700", 0, -4]]


# ---- what a mark stands for


def test_a_pick_of_classes_is_what_pandas_finds(spots, frame, where):
    for pick, wanted in (
        (Pick(), np.ones(len(frame), bool)),
        (Pick(chan="514"), frame["chan"] == "514"),
        (Pick(unmixed_chan="removed"), frame["status"] == "removed"),
        (
            Pick(chan="488", status="reassigned"),
            (frame["chan"] == "488") & (frame["status"] == "reassigned"),
        ),
        (Pick(unmixed_chan="594", status="removed"), frame["chan"] == "none"),
    ):
        assert (pick.mask(spots) == wanted).all()
        assert (pick.mask(spots, where) == (wanted & where)).all()


def test_bins_of_a_histogram_are_picked_to_the_count(spots, where):
    counted = histogram(spots, "r", bins=8, by="status", where=where)
    last = len(counted.edges) - 2
    for code, name in enumerate(counted.classes):
        for place, count in enumerate(counted.counts[code]):
            low, high = counted.edges[place : place + 2]
            span = Span("r", float(low), float(high), place == last)
            pick = Pick(status=name, spans=(span,))
            assert pick.mask(spots, where).sum() == count


def test_bins_of_a_density_are_picked_to_the_count(spots):
    counted = density(spots, "r", "dist", bins=(4, 5))
    xs, ys = counted.x_edges, counted.y_edges
    for (line, column), count in np.ndenumerate(counted.counts):
        x = Span("r", float(xs[column]), float(xs[column + 1]), column == 3)
        y = Span("dist", float(ys[line]), float(ys[line + 1]), line == 4)
        assert Pick(spans=(x, y)).mask(spots).sum() == count
