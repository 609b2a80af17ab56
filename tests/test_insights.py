"""Overview, maps and patterns against pandas on random tables with odd values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from napari_seespot.dataset import Dataset
from napari_seespot.errors import (
    CancelledError,
    NotFoundError,
    SeeSpotError,
    StateError,
)
from napari_seespot.maps import MEASURES, spatial_map
from napari_seespot.overview import overview
from napari_seespot.patterns import flow_distributions, share_by_column
from napari_seespot.session import Session
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    from pathlib import Path

CHANNELS = ("488", "514", "594")
VOXEL = (1.0, 0.25, 0.5)
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def make_table(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    chan = rng.choice(CHANNELS, n)
    unmixed = np.where(rng.random(n) < 0.6, chan, rng.choice(CHANNELS, n))
    table = pd.DataFrame(
        {
            "spot_id": rng.permutation(n) + 1,
            "chan": chan,
            "unmixed_chan": pd.array(unmixed, dtype=object),
            "z": rng.uniform(0, 40, n),
            "y": rng.uniform(-30, 900, n),
            "x": rng.uniform(0, 500, n),
            "r": rng.uniform(-1, 1, n),
            "dist": rng.exponential(size=n),
            "dye_line_dist_ratio": rng.exponential(size=n) * 5,
        }
    )
    for channel in CHANNELS:
        table[f"chan_{channel}_intensity"] = rng.normal(50, 80, n)
    table.loc[rng.random(n) < 0.3, "unmixed_chan"] = None
    table.loc[rng.random(n) < 0.1, "r"] = np.nan
    table.loc[rng.random(n) < 0.02, "chan_488_intensity"] = np.inf
    table.loc[rng.random(n) < 0.02, "x"] = np.nan
    # Zero denominators, ties and values that are no numbers.
    for value in (0.0, -0.0, -np.inf, np.nan, 7.0):
        table.loc[rng.random(n) < 0.02, "chan_514_intensity"] = value
    table.loc[rng.random(n) < 0.2, "dist"] = 0.5
    table.loc[rng.random(n) < 0.02, "r"] = -np.inf
    table.loc[rng.random(n) < 0.02, "r"] = -0.0
    return table


@pytest.fixture(scope="module")
def spots() -> Spots:
    return Spots.from_pandas(make_table(4000))


@pytest.fixture(scope="module")
def frame(spots: Spots) -> pd.DataFrame:
    return spots.to_pandas().astype({"chan": str, "status": str, "unmixed_chan": str})


@pytest.fixture(scope="module")
def where(spots: Spots) -> np.ndarray:
    return np.random.default_rng(5).random(len(spots)) < 0.5


def finite_mean(values: pd.Series) -> float:
    values = values.astype(float)
    return float(values[np.isfinite(values)].mean())


@pytest.mark.parametrize("filtered", [False, True])
def test_overview(
    spots: Spots, frame: pd.DataFrame, where: np.ndarray, filtered: bool
) -> None:
    mask = where if filtered else None
    part = frame[where] if filtered else frame
    found = overview(Dataset("a", "a", spots), ("488", "594"), mask, bins=16)
    wanted = {
        "spots": len(part),
        "reassigned": (part["status"] == "reassigned").sum(),
        "mean_488": finite_mean(part["chan_488_intensity"]),
        "mean_594": finite_mean(part["chan_594_intensity"]),
        "mean_r": finite_mean(part["r"]),
        "mean_dist": finite_mean(part["dist"]),
    }
    assert dict(found.statistics) == pytest.approx(wanted)
    assert dict(found.channels) == dict(part["chan"].value_counts())
    for place, name in enumerate(("unchanged", "reassigned", "removed")):
        some = part[part["status"] == name]
        for column in ("r", "dist"):
            histogram = getattr(found, column)
            values = some[column].astype(float)
            counts, _ = np.histogram(values[np.isfinite(values)], histogram.edges)
            assert (histogram.counts[place] == counts).all()
        x, y = (some[f"chan_{c}_intensity"].astype(float) for c in ("488", "594"))
        known = np.isfinite(x) & np.isfinite(y)
        counts, _, _ = np.histogram2d(
            x[known], y[known], [found.picture.x_edges, found.picture.y_edges]
        )
        assert (found.picture.counts[place] == counts.T).all()


def test_overview_of_a_session_follows_its_filters(spots: Spots) -> None:
    session = Session(Dataset("a", "a", spots))
    session.state.filters.status = {"reassigned"}
    found = session.overview(("514", "594"))
    assert found.pair == ("514", "594")
    assert found.statistics["spots"] == found.statistics["reassigned"]
    assert session.overview().pair == ("488", "514")


def test_overview_of_odd_values(spots: Spots, frame: pd.DataFrame) -> None:
    table = make_table(4000)
    table.loc[:2, "chan_488_intensity"] = [-1e9, 1e9, 2e9]
    table.loc[3:4, "dist"] = [1e6, 2e6]
    dataset = Dataset("odd", "odd", Spots.from_pandas(table))
    found = overview(dataset, ("488", "514"))
    whole = overview(dataset, ("488", "514"), axes="minmax")
    assert (found.statistics == whole.statistics).all()  # nothing is left out of them
    assert whole.picture.x_edges[[0, -1]].tolist() == [-1e9, 2e9]
    x = table["chan_488_intensity"][np.isfinite(table["chan_488_intensity"])]
    low, high = found.picture.x_edges[[0, -1]]
    assert -400 < low < np.percentile(x, 0.1)
    assert np.percentile(x, 99.8) < high < 500
    assert found.dist is not None
    assert found.dist.edges[-1] < 50
    # An axis never reaches beyond the values.
    r = table["r"][np.isfinite(table["r"])].astype(np.float32)
    assert found.r is not None
    assert found.r.edges[0] == r.min()
    assert found.r.edges[-1] == r.max()
    with pytest.raises(StateError, match=r"no axes 'nice'.*percentile or minmax"):
        overview(dataset, ("488", "514"), axes="nice")  # type: ignore[arg-type]  # bad
    with pytest.raises(NotFoundError, match="no spot channel '700'"):
        overview(dataset, ("488", "700"))
    with pytest.raises(CancelledError):
        overview(dataset, ("488", "514"), cancelled=lambda: True)


def test_overview_of_nothing(spots: Spots) -> None:
    dataset = Dataset("a", "a", spots)
    found = overview(dataset, ("488", "514"), np.zeros(len(spots), bool))
    assert found.statistics["spots"] == 0
    assert np.isnan(found.statistics["mean_488"])
    assert found.picture.total == 0
    table = make_table(50).drop(columns=["r", "dist"])
    found = overview(Dataset("a", "a", Spots.from_pandas(table)), ("488", "514"))
    assert found.r is None
    assert "mean_dist" not in found.statistics


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".PNG"])
@pytest.mark.parametrize("pair", [("488", "514"), ("594", "488")])
def test_a_figure_of_any_pair(
    spots: Spots, tmp_path: Path, ending: str, pair: tuple[str, str]
) -> None:
    session = Session(Dataset("Round 1", "a", spots))
    found = session.overview(pair)
    path = found.figure(tmp_path / f"pair{ending}", (800, 600))
    content = path.read_bytes()
    starts = {".svg": b"<?xml", ".pdf": b"%PDF"}
    assert content.startswith(starts.get(ending, b"\x89PNG"))
    if ending == ".svg":
        text = content.decode()
        for told in (
            " / ".join(pair),
            f"Round 1: spots {len(session.visible()):,}",
            "Intensities by status",
            "Distribution of r",
            "Distribution of dist",
            "Spots per channel",
            "mean r ",
        ):
            assert told in text
        dark = found.figure(str(tmp_path / "dark.svg"), dark=True).read_text()
        assert 'fill="#000000"' in dark
    with pytest.raises(SeeSpotError, match=r"cannot be saved as \.jpg"):
        found.figure(tmp_path / "pair.jpg")


def tiles(part: pd.DataFrame, tile_um: float) -> pd.DataFrame:
    y, x = part["y"].astype(float) * VOXEL[1], part["x"].astype(float) * VOXEL[2]
    row, column = np.floor(y / tile_um), np.floor(x / tile_um)
    return part.assign(row=row, column=column)[x.notna()]


def median(values: pd.Series) -> float:
    values = values.astype(float)
    return float(values[np.isfinite(values)].median())


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("filtered", [False, True])
def test_maps(
    spots: Spots,
    frame: pd.DataFrame,
    where: np.ndarray,
    measure: str,
    filtered: bool,
) -> None:
    found = spatial_map(spots, measure, VOXEL, 40.0, where if filtered else None)
    part = tiles(frame[where] if filtered else frame, 40.0)
    top, left = found.origin_um
    assert (top, left) == (part["row"].min() * 40, part["column"].min() * 40)
    groups = dict(list(part.groupby(["row", "column"])))
    for i in range(found.values.shape[0]):
        for j in range(found.values.shape[1]):
            group = groups.get((top / 40 + i, left / 40 + j), part[:0])
            status = group["status"]
            kept = (status != "removed").sum()
            wanted = {
                "density": len(group),
                "reassigned": (status == "reassigned").sum() / kept if kept else np.nan,
                "removed": (status == "removed").mean() if len(group) else np.nan,
                "median_r": median(group["r"]),
            }[measure]
            np.testing.assert_equal(found.values[i, j], wanted)  # to the bit
            n = {"reassigned": kept, "median_r": np.isfinite(group["r"]).sum()}
            assert found.counts[i, j] == n.get(measure, len(group))
    assert found.center_um(0, 1) == (top + 20, left + 60)
    table = found.to_pandas()
    rows = ((table["y_um"] - 20 - top) / 40).astype(int)
    columns = ((table["x_um"] - 20 - left) / 40).astype(int)
    assert len(table) == (found.counts > 0).sum()
    assert (found.values[rows, columns] == table["value"]).all()
    assert (found.counts[rows, columns] == table["spots"]).all()


@pytest.mark.parametrize("tile_um", [0.1, 0.3, 1 / 3, 7.0])
@pytest.mark.parametrize("voxel", [(1.0, 0.24, 0.24), (1.0, 0.1, 0.3), (1.0, 1.0, 1.0)])
def test_spots_on_the_borders_of_tiles(
    tile_um: float, voxel: tuple[float, ...]
) -> None:
    # Multiples of a tile's side, as near as float32 voxels come, and their neighbours.
    place = np.arange(40).repeat(40) * tile_um / voxel[1]
    y = np.nextafter(place.astype(np.float32), np.float32(np.inf))
    y[::3], y[1::3] = place[::3], np.nextafter(y[1::3], np.float32(-np.inf))
    table = make_table(1600).assign(
        y=y, x=np.tile(np.arange(40), 40) * tile_um / voxel[2]
    )
    spots = Spots.from_pandas(table)
    found = spatial_map(spots, "density", voxel, tile_um)
    assert found.counts.sum() == len(spots)
    for (row, column), count in np.ndenumerate(found.counts):
        inside = found.tiles.inside(spots, row, column)
        assert inside.sum() == count
        assert found.tiles.at_um(*found.center_um(row, column)) == (row, column)
    # A click on a spot is a click on the tile that counts it.
    for row in range(0, len(spots), 7):
        y_um = float(spots.column("y")[row]) * voxel[1]
        x_um = float(spots.column("x")[row]) * voxel[2]
        tile = found.tiles.at_um(y_um, x_um)
        assert tile is not None
        assert found.tiles.inside(spots, *tile)[row]
    assert found.tiles.at_um(-1.0, 0.0) is None
    assert found.tiles.at_um(0.0, 1e9) is None
    assert found.tiles.at_um(np.nan, 0.0) is None


def test_maps_refuse_what_makes_no_sense(spots: Spots) -> None:
    with pytest.raises(StateError, match=r"no map of 'beauty'.*density, reassigned"):
        spatial_map(spots, "beauty", VOXEL)
    for size in (0.0, -1.0, float("nan")):
        with pytest.raises(StateError, match="a size above 0"):
            spatial_map(spots, "density", VOXEL, size)
    with pytest.raises(StateError, match="Choose larger tiles"):
        spatial_map(spots, "density", VOXEL, 1e-9)


def test_map_of_nothing(spots: Spots) -> None:
    nothing = np.zeros(len(spots), bool)
    for measure in MEASURES:
        assert spatial_map(spots, measure, VOXEL, where=nothing).counts.sum() == 0


@pytest.mark.parametrize("filtered", [False, True])
def test_flow_distributions(
    spots: Spots, frame: pd.DataFrame, where: np.ndarray, filtered: bool
) -> None:
    found = flow_distributions(spots, where if filtered else None)
    part = frame[where] if filtered else frame
    assert len(found) == 6 * 3 * 4  # flows, groups, measures
    for row in found.itertuples():
        ends = {
            "flow": (row.chan, row.unmixed_chan),
            "unchanged chan": (row.chan, row.chan),
            "unchanged unmixed_chan": (row.unmixed_chan, row.unmixed_chan),
        }[row.group]
        some = part[(part["chan"] == ends[0]) & (part["unmixed_chan"] == ends[1])]
        if row.measure == "intensity_ratio":
            values = some[f"chan_{row.unmixed_chan}_intensity"].astype(float)
            values = values / some[f"chan_{row.chan}_intensity"].astype(float)
        else:
            values = some[row.measure].astype(float)
        values = values[np.isfinite(values)].to_numpy()
        assert row.count == len(values)
        assert row.mean == values.mean()  # to the bit, as all that follow
        for name, share in QUANTILES.items():
            assert getattr(row, name) == np.quantile(values, share)


def test_flows_without_values_have_no_numbers() -> None:
    table = make_table(60).assign(r=np.nan)
    table["unmixed_chan"] = "514"  # nothing stays in 488 and 594
    found = flow_distributions(Spots.from_pandas(table))
    assert set(found["unmixed_chan"]) == {"514"}
    assert set(found.loc[found["group"] == "unchanged chan", "count"]) == {0}
    assert (
        found.loc[found["measure"] == "r", ["mean", *QUANTILES]].isna().all(axis=None)
    )
    nothing = np.zeros(60, bool)
    assert flow_distributions(Spots.from_pandas(table), nothing).empty
    assert flow_distributions(Spots.from_pandas(table[:0], channels=CHANNELS)).empty


def test_long_counts_can_be_cancelled(spots: Spots) -> None:
    for count in (
        lambda: flow_distributions(spots, cancelled=lambda: True),
        lambda: spatial_map(spots, "density", VOXEL, cancelled=lambda: True),
        lambda: spatial_map(spots, "median_r", VOXEL, cancelled=lambda: True),
    ):
        with pytest.raises(CancelledError):
            count()


@pytest.mark.parametrize("column", ["r", "z"])
def test_share_by_column(
    spots: Spots, frame: pd.DataFrame, where: np.ndarray, column: str
) -> None:
    found = share_by_column(spots, column, 7, where)
    part = frame[where & np.isfinite(frame[column].astype(float))]
    assert found["count"].sum() == len(part)
    edges = np.quantile(part[column].astype(float), np.linspace(0, 1, 8))
    assert found["low"].tolist() == edges[:-1].tolist()
    assert found["high"].tolist() == edges[1:].tolist()
    for place, row in enumerate(found.itertuples()):
        values = part[column].astype(float)
        last = place == len(found) - 1
        inside = (values >= row.low) & ((values < row.high) | last)
        status = part["status"][inside]
        assert row.count == len(status)
        assert row.removed == pytest.approx((status == "removed").mean())
        kept = status[status != "removed"]
        assert row.reassigned == pytest.approx((kept == "reassigned").mean())
    with pytest.raises(StateError, match=r"0 bins"):
        share_by_column(spots, column, 0)


def test_share_by_a_column_of_ties() -> None:
    table = make_table(50).assign(r=0.5)
    found = share_by_column(Spots.from_pandas(table), "r", 4)
    assert list(found["count"]) == [50]
    empty = Spots.from_pandas(table.assign(r=np.nan))
    assert share_by_column(empty, "r", 4).empty


def test_share_by_a_column_of_booleans_leaves_nulls_out() -> None:
    table = make_table(90)
    table["valid_spot"] = pd.array([True, False, None] * 30, dtype="boolean")
    spots = Spots.from_pandas(table)
    found = share_by_column(spots, "valid_spot", 4)
    assert found["count"].sum() == 60
    assert found["high"].max() == 1


def test_shares_without_kept_spots_are_unknown() -> None:
    table = make_table(40)
    table["unmixed_chan"] = None
    found = share_by_column(Spots.from_pandas(table), "z", 2)
    assert found["removed"].tolist() == [1, 1]
    assert found["reassigned"].isna().all()


def test_memory_as_pandas_would_hold_the_same_table(tables: Dataset) -> None:
    spots = tables.spots
    table = spots.to_pandas().drop(columns="status")
    # As a table comes out of the pipeline's pickles: numbers of 8 bytes, and texts
    # as objects, with None where there is no unmixed channel.
    for name, column in table.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            texts = column.astype(object)
            table[name] = texts.where(column.notna(), None)
        elif column.dtype.kind in "iuf":
            kind = "float64" if column.dtype.kind == "f" else "int64"
            table[name] = column.astype(kind)
        else:
            table[name] = column.fillna(False).astype(bool)
    real = table.memory_usage(deep=True, index=False)
    report = spots.memory_report()
    assert set(real.index) == {*report.index, "chan", "unmixed_chan"} - {"code"}
    for name, dtype in table.dtypes.items():
        if dtype.kind != "O":
            assert report.loc[str(name), "pandas_bytes"] == real[name]
    # A text of three letters takes 52 bytes in Python 3.11 and 44 later; None takes 16.
    assert report["pandas_bytes"].sum() == pytest.approx(real.sum(), rel=0.15)
    texts_here = report.loc["code", "pandas_bytes"]
    assert texts_here == pytest.approx(real[["chan", "unmixed_chan"]].sum(), rel=0.25)
    held = sum(array.nbytes for array in spots.columns.values())
    assert report["bytes"].sum() == held < real.sum() / 3
