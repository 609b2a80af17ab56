"""What is told of a spot, against the table and the ratios."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import napari_seespot as nss
from napari_seespot.evidence import duplicate_of
from napari_seespot.index import SpotIndex
from napari_seespot.spot_facts import DETECTED, NEAREST, VERDICT, facts_of

REACH = (6, 12, 12)


@pytest.fixture(scope="module")
def index(sample):
    return SpotIndex(sample.spots)


def distances(vector, ratios):
    """Return the distance from each dye's line, by projection."""
    found = {}
    for dye in ratios.index:
        line = ratios.loc[dye].to_numpy(float)
        amount, *_ = np.linalg.lstsq(line[:, None], vector, rcond=None)
        found[dye] = float(np.linalg.norm(vector - amount[0] * line))
    return pd.Series(found)


def vector_of(record, ratios):
    return np.array([record[f"chan_{c}_intensity"] for c in ratios.columns], float)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_dyes_residuals_and_line_ratio(sample, index, status):
    frame = sample.spots.to_pandas()
    for row in np.flatnonzero(sample.spots.codes("status") == status)[:40]:
        record = frame.iloc[row]
        facts = facts_of(sample, index, int(row), REACH)
        assert facts.placed
        assert facts.record["spot_id"] == record["spot_id"]
        vector = vector_of(record, sample.ratios)
        away = distances(vector, sample.ratios).sort_values()
        why = {}
        why.setdefault(record["chan"], []).append(DETECTED)
        if status < 2:
            why.setdefault(record["unmixed_chan"], []).append(VERDICT)
        why.setdefault(away.index[0], []).append(NEAREST)
        assert facts.dyes == {dye: tuple(roles) for dye, roles in why.items()}
        assert list(facts.residuals.columns) == list(facts.dyes)
        for dye in facts.dyes:
            left = facts.residuals[dye].to_numpy()
            assert np.linalg.norm(left) == pytest.approx(away[dye])
            # what is left stands at right angles to the dye's line
            line = sample.ratios.loc[dye].to_numpy(float)
            assert left @ line == pytest.approx(0, abs=1e-6 * np.linalg.norm(vector))
        computed = away.iloc[1] / away.iloc[0]
        assert facts.line_ratio == pytest.approx(computed, rel=2e-3)
        assert facts.line_ratio_computed == (status == 2)
        if status < 2:
            assert facts.line_ratio == pytest.approx(record["dye_line_dist_ratio"])


def test_neighbours_and_duplicates(sample, index):
    frame = sample.spots.to_pandas()
    points = frame[["z", "y", "x"]].to_numpy(float)
    seen = {"duplicate": 0, "stranger": 0}
    for row in np.flatnonzero(sample.spots.codes("status") == 2)[:150]:
        facts = facts_of(sample, index, int(row), REACH)
        inside = (np.abs(points - points[row]) <= np.array(REACH)).all(axis=1)
        inside[row] = False
        if facts.duplicate is not None:
            seen["duplicate"] += 1
            assert facts.duplicate == duplicate_of(sample, index, int(row))
            assert facts.kept["spot_id"] == frame["spot_id"][facts.duplicate.row]
            assert facts.stranger is None
            inside[facts.duplicate.row] = False  # it is drawn by itself
        elif facts.stranger is not None:
            seen["stranger"] += 1
            assert facts.kept is None
        assert set(facts.neighbours.index) == set(np.flatnonzero(inside))
    assert min(seen.values()) > 0


def test_without_ratios_position_or_verdict(sample):
    table = sample.spots.to_pandas()
    table["y"] = table["y"].where(table.index != 5)
    table["dye_line_dist_ratio"] = np.float32(np.nan)
    table["chan_488_intensity"] = table["chan_488_intensity"].where(table.index != 9)
    spot_ids = table["spot_id"].iloc[[5, 9]]
    poor = replace(sample, spots=nss.Spots.from_pandas(table))
    rows = [int(row) for row in poor.spots.rows_of(spot_ids)]
    index = SpotIndex(poor.spots)
    lost = facts_of(poor, index, rows[0], REACH)
    assert not lost.placed
    assert lost.neighbours.empty
    assert lost.duplicate is None
    assert lost.line_ratio_computed
    assert lost.dyes
    blank = facts_of(poor, index, rows[1], REACH)
    assert blank.dyes == {}
    assert blank.residuals.columns.empty
    assert np.isnan(blank.line_ratio)
    without = replace(poor, ratios=None)
    bare = facts_of(without, index, rows[0], REACH)
    assert bare.fits is None
    assert bare.residuals is None
    assert bare.dyes == {}
    assert np.isnan(bare.line_ratio)
    assert not bare.line_ratio_computed
