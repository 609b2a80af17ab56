"""Nearest neighbours against all distances; clustering against numpy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot import neighbours
from napari_seespot.errors import CancelledError, StateError
from napari_seespot.neighbours import clustering, nearest_rows
from napari_seespot.spots import STATUSES, Spots

VOXEL = (1.0, 0.25, 0.5)


def all_distances(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Nearest first, of equal distances the lower rows first."""
    places = points.astype(np.float64)
    steps = places[None] - places[queries][:, None]
    distance = (steps[..., 0] ** 2 + steps[..., 1] ** 2) + steps[..., 2] ** 2
    distance[np.arange(len(queries)), queries] = np.inf
    return np.argsort(distance, axis=1, kind="stable")[:, :k]


def clumps(n: int, seed: int) -> np.ndarray:
    """Points in clumps of all densities, some at one place, a few far away."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform(0, 1000, (7, 3))
    spread = 10.0 ** rng.uniform(-2, 2.5, (7, 1))
    which = rng.integers(0, 7, n)
    points = middle[which] + spread[which] * rng.normal(size=(n, 3))
    points[: n // 10] = points[0]
    points[-3:] *= 1000
    return points.astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 10])
def test_neighbours_are_those_of_all_distances(
    monkeypatch: pytest.MonkeyPatch, seed: int, k: int
) -> None:
    monkeypatch.setattr(neighbours, "_FEW_PAIRS", 3000)  # cells also for few points
    monkeypatch.setattr(neighbours, "_SOME", 300)
    points = clumps(2000, seed)
    queries = np.random.default_rng(seed).permutation(2000)[:700]
    got = nearest_rows(points, queries, k)
    assert (got == all_distances(points, queries, k)).all()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=2, max_size=40),
    st.floats(2.0**-10, 2.0**20, width=32),
    st.data(),
)
def test_neighbours_on_a_lattice(
    places: list, unit: float, data: st.DataObject
) -> None:
    # Ties everywhere, and points on the borders of cells.
    points = np.float32(unit) * np.array(places, np.float32)
    k = data.draw(st.integers(1, len(points) - 1))
    queries = np.arange(len(points))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_FEW_PAIRS", 0)
        patch.setattr(neighbours, "_first_side", lambda *_: float(unit))
        got = nearest_rows(points, queries, k)
    assert (got == all_distances(points, queries, k)).all()


def test_there_is_a_limit_to_the_number_of_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "_MOST_CELLS", 50)
    monkeypatch.setattr(neighbours, "_FEW_PAIRS", 0)
    points = clumps(300, 1)
    queries = np.arange(0, 300, 5)
    assert (nearest_rows(points, queries, 4) == all_distances(points, queries, 4)).all()


def make_table(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    chan = rng.choice(["488", "514"], n)
    unmixed = np.where(rng.random(n) < 0.6, chan, rng.choice(["488", "514"], n))
    table = pd.DataFrame(
        {
            "chan": chan,
            "unmixed_chan": pd.array(unmixed, dtype=object),
            # On a lattice: many distances are the same.
            "z": rng.integers(0, 9, n),
            "y": rng.integers(0, 40, n),
            "x": rng.integers(0, 30, n).astype(float),
        }
    )
    for channel in ("488", "514"):
        table[f"chan_{channel}_intensity"] = rng.normal(50, 80, n)
    lump = rng.random(n) < 0.3
    table.loc[lump, "unmixed_chan"] = None
    table.loc[lump, "y"] //= 10  # removed spots, that a random spread has not
    table.loc[rng.random(n) < 0.02, "x"] = np.nan
    return table


@pytest.mark.parametrize("filtered", [False, True])
def test_clustering_against_all_distances(filtered: bool) -> None:
    spots = Spots.from_pandas(make_table(600, seed=3))
    frame = spots.to_pandas()
    chosen = frame["x"].notna().to_numpy()
    where = None
    if filtered:
        where = np.random.default_rng(4).random(len(spots)) < 0.5
        chosen = chosen & where
    frame = frame[chosen]
    points = frame[["z", "y", "x"]].to_numpy(np.float32) * np.float32(VOXEL)
    status = frame["status"].astype(str).to_numpy()
    near = all_distances(points, np.arange(len(points)), 5)
    same = (status[near] == status[:, None]).mean(axis=1)
    found = clustering(spots, VOXEL, k=5, where=where)
    assert tuple(found.index) == STATUSES
    for name in STATUSES:
        wanted, row = same[status == name], found.loc[name]
        assert row["spots"] == len(wanted)
        assert row["share"] == pytest.approx(wanted.mean(), rel=1e-12)
        assert row["expected"] == (len(wanted) - 1) / (len(frame) - 1)
        error = 1.96 * wanted.std(ddof=1) / np.sqrt(len(wanted))
        assert row["low"] == pytest.approx(row["share"] - error)
        assert row["high"] == pytest.approx(row["share"] + error)
    assert found.loc["removed", "low"] > found.loc["removed", "expected"]
    with pytest.raises(StateError, match="0 neighbours"):
        clustering(spots, VOXEL, k=0)


def test_a_sample_is_of_each_status_and_repeats_with_its_seed() -> None:
    spots = Spots.from_pandas(make_table(600))
    found = clustering(spots, VOXEL, n=40)
    assert found["spots"].tolist() == [40, 40, 40]
    pd.testing.assert_frame_equal(found, clustering(spots, VOXEL, n=40))
    other = clustering(spots, VOXEL, n=40, seed=1)
    assert (found["share"] != other["share"]).any()


def test_clustering_of_one_spot_and_none() -> None:
    for n in (0, 1, 2):
        table = make_table(400).dropna()[:n]
        found = clustering(Spots.from_pandas(table, channels=("488", "514")), VOXEL)
        assert found["spots"].sum() == n
    # A status without spots has no numbers; one spot has no interval.
    table = make_table(400).dropna()
    table = table[table["chan"] == table["unmixed_chan"]]
    found = clustering(Spots.from_pandas(table), VOXEL)
    assert np.isnan(found.loc["removed", "share"])
    assert found.loc["removed", "expected"] == 0
    assert found.loc["unchanged", ["share", "low", "high"]].tolist() == [1, 1, 1]


def test_all_spots_at_one_place() -> None:
    table = make_table(50).assign(z=1, y=1, x=1.0)
    found = clustering(Spots.from_pandas(table), VOXEL, k=3)
    assert found["spots"].sum() == 50


def test_clustering_can_be_cancelled() -> None:
    spots = Spots.from_pandas(make_table(100))
    with pytest.raises(CancelledError):
        clustering(spots, VOXEL, cancelled=lambda: True)
