"""The review: its draws, its file and its figures against independent formulas."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import napari_seespot as nss
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.review import (
    VERDICTS,
    Plan,
    Review,
    Verdict,
    agreement,
    draw_queue,
    estimate,
    strata,
    wilson,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> nss.Spots:
    folder = nss.make_sample(
        tmp_path_factory.mktemp("review") / "a", n_spots=3000, images=False
    )
    return nss.open_dataset(folder).spots


@pytest.mark.parametrize("n", [1, 2, 7, 50, 1000])
def test_wilson_against_scipy(n: int) -> None:
    for wrong in {0, 1, n // 3, n - 1, n}:
        wanted = stats.binomtest(wrong, n).proportion_ci(method="wilson")
        assert wilson(wrong, n) == pytest.approx((wanted.low, wanted.high), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


def test_strata_against_pandas(spots: nss.Spots) -> None:
    frame = spots.to_pandas()
    unmixed = frame["unmixed_chan"].astype(object).fillna("removed")
    flow = frame["chan"].astype(str) + " -> " + unmixed.astype(str)
    quarter = pd.qcut(frame["r"], 4, labels=["r Q1", "r Q2", "r Q3", "r Q4"])
    wanted = (
        frame["status"].astype(str)
        + ", "
        + flow
        + ", "
        + quarter.astype(object).fillna("r ?").astype(str)
    )
    found = strata(spots).astype(str)
    # A value on a quartile itself may belong to either side of it.
    assert (found == wanted).mean() > 0.998
    assert list(strata(spots, ["status"])) == list(frame["status"])
    for by in ([], ["beauty"]):
        with pytest.raises(StateError, match="one or more of status, flow, r"):
            strata(spots, by)


def test_the_queue(spots: nss.Spots) -> None:
    labels = strata(spots).astype(str).to_numpy()
    queue = draw_queue(spots, per_stratum=5, seed=3)
    assert len(set(queue.rows)) == len(queue)
    assert list(labels[queue.rows]) == list(queue.stratum)
    counts = pd.Series(labels).value_counts()
    assert queue.sizes == dict(counts)
    drawn = pd.Series(queue.stratum).value_counts()
    assert dict(drawn) == dict(np.minimum(counts, 5))
    again = draw_queue(spots, per_stratum=5, seed=3)
    assert list(again.rows) == list(queue.rows)
    assert list(draw_queue(spots, 5, seed=4).rows) != list(queue.rows)
    where = spots.codes("status") == 1
    some = draw_queue(spots, 5, where=where)
    assert where[some.rows].all()
    assert sum(some.sizes.values()) == where.sum()
    assert len(draw_queue(spots, 5, where=np.zeros(len(spots), bool))) == 0
    with pytest.raises(StateError, match="1 or more"):
        draw_queue(spots, 0)


def test_verdicts_are_kept_and_resumed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "review.jsonl"
    review = Review(path, "ada")
    review.judge(5, "right", "a")
    review.judge(6, "wrong", "a", "two dyes?")
    review.judge(5, "wrong", "a")
    assert set(VERDICTS) == set(get_args(Verdict))
    again = Review(path, "bob")
    assert again.judged() == set()
    again.judge(5, "right", "a")
    table = Review(path, "ada").table()
    assert list(table["spot_id"]) == [6, 5, 5]
    assert list(table["verdict"]) == ["wrong", "wrong", "right"]
    assert list(table["note"]) == ["two dyes?", "", ""]
    with pytest.raises(StateError, match="one of right, wrong, unsure, skip"):
        review.judge(7, "maybe", "a")  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    "rest",
    [b'{"spot_id": 7, "verd', b"\xff\xfe", b"[]", b'{"a": 1}', b"null", b"[" * 9999],
)
def test_a_line_cut_short_loses_itself_only(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "review.jsonl"
    Review(path, "ada").judge(1, "right", "s")
    with path.open("ab") as file:
        file.write(rest)
    review = Review(path, "ada")
    review.judge(2, "wrong", "s")
    assert list(Review(path, "ada").table()["spot_id"]) == [1, 2]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SeeSpotError, match="cannot be read"):
        Review(tmp_path / "folder", "ada")
    review = Review(tmp_path / "a.jsonl", "ada")
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(SeeSpotError, match="verdict cannot be written"):
        review.judge(1, "right", "s")
    assert not review.entries


def test_the_plan_is_kept(tmp_path: Path, spots: nss.Spots) -> None:
    path = tmp_path / "review.jsonl"
    review = Review(path, "ada")
    assert review.plan is None
    plan = Plan(3, ("status", "r"), 7)
    review.begin(plan)
    review.judge(1, "right", "s")
    review.begin(plan)
    with path.open("a") as file:
        file.write('{"plan": {"per_stratum": 0, "by": ["r"], "seed": 1}}\n')
        file.write('{"plan": {"per_stratum": 1, "by": ["beauty"], "seed": 1}}\n')
    again = Review(path, "bob")
    assert again.plan == plan
    assert len(again.entries) == 1
    assert list(plan.draw(spots).rows) == list(
        draw_queue(spots, 3, ["status", "r"], 7).rows
    )


_WRITER = """
import sys
from pathlib import Path
from napari_seespot.review import Review
review = Review(Path(sys.argv[1]), "ada")
for spot_id in range(len(review.entries), 10**6):
    review.judge(spot_id, "right", "s")
    print(spot_id, flush=True)
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "review.jsonl"
    rng = np.random.default_rng(0)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        reported = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        ids = list(Review(path, "ada").table()["spot_id"])
        assert ids == list(range(len(ids)))
        if reported:
            assert len(ids) > int(reported[-1])


def verdicts(**wrong_of: tuple[int, int]) -> pd.DataFrame:
    rows = [
        (place, "wrong" if k < wrong else "right", name, "ada")
        for name, (wrong, n) in wrong_of.items()
        for place, k in enumerate(range(n))
    ]
    return pd.DataFrame(rows, columns=["spot_id", "verdict", "stratum", "reviewer"])


def test_the_estimate_by_hand() -> None:
    table = verdicts(a=(2, 10), b=(5, 20))
    table.loc[len(table)] = [99, "unsure", "a", "ada"]
    found = estimate(table, {"a": 100, "b": 900, "c": 50})
    assert list(found.loc["a", ["size", "judged", "wrong"]]) == [100, 10, 2]
    assert found.loc["a", "error"] == 0.2
    assert tuple(found.loc["b", ["low", "high"]]) == pytest.approx(wilson(5, 20))
    assert math.isnan(found.loc["c", "error"])
    whole = found.loc["all"]
    error = 0.1 * 0.2 + 0.9 * 0.25
    (low_a, high_a), (low_b, high_b) = wilson(2, 10), wilson(5, 20)
    below = math.hypot(0.1 * (0.2 - low_a), 0.9 * (0.25 - low_b))
    above = math.hypot(0.1 * (high_a - 0.2), 0.9 * (high_b - 0.25))
    assert whole["error"] == pytest.approx(error)
    assert whole["low"] == pytest.approx(error - below)
    assert whole["high"] == pytest.approx(error + above)
    flawless = estimate(verdicts(a=(0, 1)), {"a": 100}).loc["all"]
    assert flawless["high"] == pytest.approx(wilson(0, 1)[1])
    nothing = estimate(table[:0], {"a": 100})
    assert tuple(nothing.loc["all", ["low", "high"]]) == (0, 1)


def test_the_estimate_covers_the_truth() -> None:
    rng = np.random.default_rng(1)
    sizes = {"a": 5000, "b": 20_000}
    truth = (0.1 * 5000 + 0.3 * 20_000) / 25_000
    covered = 0
    for _ in range(200):
        wrong = {"a": rng.binomial(60, 0.1), "b": rng.binomial(60, 0.3)}
        table = verdicts(**{name: (int(k), 60) for name, k in wrong.items()})
        whole = estimate(table, sizes).loc["all"]
        covered += whole["low"] <= truth <= whole["high"]
    assert covered > 180


def test_kappa() -> None:
    rows = [
        *((k, "right", "ada") for k in range(20)),
        *((k, "wrong", "ada") for k in range(20, 50)),
        *((k, "right", "bob") for k in range(35)),
        *((k, "wrong", "bob") for k in range(35, 50)),
        (51, "skip", "ada"),
        (51, "right", "bob"),
    ]
    table = pd.DataFrame(rows, columns=["spot_id", "verdict", "reviewer"])
    kappa, n = agreement(table, "ada", "bob")
    po, pe = 35 / 50, 0.4 * 0.7 + 0.6 * 0.3
    assert (kappa, n) == (pytest.approx((po - pe) / (1 - pe)), 50)
    assert math.isnan(agreement(table, "ada", "eve")[0])
    assert agreement(table[:20], "ada", "ada") == (1.0, 20)
