"""The review: its draws, its file and its figures against independent formulas."""

from __future__ import annotations

import doctest
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import napari_seespot as nss
from napari_seespot import review_file, review_sample
from napari_seespot.dataset import Dataset
from napari_seespot.errors import CancelledError, SeeSpotError, StateError
from napari_seespot.review import (
    BY,
    VERDICTS,
    Entry,
    Judging,
    Plan,
    Review,
    Verdict,
    agreement,
    derived_files,
    draw_queue,
    estimate,
    read_review,
    refines,
    review_path,
    strata,
    wilson,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    queue = draw_queue(spots, 5, BY, seed=3)
    assert len(set(queue.rows)) == len(queue)
    assert list(labels[queue.rows]) == list(queue.stratum)
    counts = pd.Series(labels).value_counts()
    assert queue.sizes == dict(counts)
    drawn = pd.Series(queue.stratum).value_counts()
    assert dict(drawn) == dict(np.minimum(counts, 5))
    again = draw_queue(spots, 5, BY, seed=3)
    assert list(again.rows) == list(queue.rows)
    assert list(draw_queue(spots, 5, BY, seed=4).rows) != list(queue.rows)
    where = spots.codes("status") == 1
    some = draw_queue(spots, 5, BY, where=where)
    assert where[some.rows].all()
    assert sum(some.sizes.values()) == where.sum()
    assert len(draw_queue(spots, 5, where=np.zeros(len(spots), bool))) == 0
    with pytest.raises(StateError, match="1 or more"):
        draw_queue(spots, 0)
    with pytest.raises(StateError, match="a seed of -1"):
        draw_queue(spots, seed=-1)


def test_the_default_plan_can_be_judged_in_a_sitting(spots: nss.Spots) -> None:
    queue = Plan().draw(spots)
    assert set(queue.sizes) == set(strata(spots, ["flow"]))
    assert len(queue.sizes) <= 30
    assert len(queue) <= 300


@pytest.mark.parametrize("chunk", [1, 7, 1000, 2**18])
def test_chunks_make_no_difference(
    spots: nss.Spots, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = draw_queue(spots, 4, ["status", "r"], seed=9)
    monkeypatch.setattr(review_sample, "_CHUNK", chunk)
    few = nss.Spots.from_pandas(spots.to_pandas(rows=np.arange(50)), spots.channels)
    some = few if chunk == 1 else spots
    if chunk == 1:
        wanted = Plan(4, ("status", "r"), 9).draw(few)
    assert list(draw_queue(some, 4, ["status", "r"], seed=9).rows) == list(wanted.rows)


def test_the_order_of_the_rows_makes_no_difference(spots: nss.Spots) -> None:
    order = np.random.default_rng(0).permutation(len(spots))
    other = nss.Spots.from_pandas(spots.to_pandas(rows=order), spots.channels)
    one, two = draw_queue(spots, 6), draw_queue(other, 6)
    ids = [s.column("spot_id")[q.rows] for s, q in ((spots, one), (other, two))]
    assert list(ids[0]) == list(ids[1])
    assert one.stratum == two.stratum


def test_a_larger_sample_holds_the_smaller_one(spots: nss.Spots) -> None:
    small, large = (draw_queue(spots, n, ["status"], 2) for n in (5, 50))
    assert set(small.rows) < set(large.rows)
    kept = np.isin(large.rows, small.rows)
    assert list(large.rows[kept]) == list(small.rows)


def test_each_spot_of_a_stratum_is_drawn_as_often(spots: nss.Spots) -> None:
    """Over seeds; and its place in the queue says nothing about its stratum."""
    drawn = np.zeros(len(spots))
    first: Counter[str] = Counter()
    for seed in range(400):
        queue = draw_queue(spots, 30, ["status"], seed)
        drawn[queue.rows] += 1
        first.update(queue.stratum[:10])
    for status in range(3):
        counts = drawn[spots.codes("status") == status]
        assert counts.sum() == 400 * 30
        p = 30 / len(counts)
        z = (counts - 400 * p) / math.sqrt(400 * p * (1 - p))
        assert abs(z.mean()) < 1e-6
        assert z.var() == pytest.approx(1, abs=0.2)
        assert abs(z).max() < 6
        # The row's place in the table says nothing either.
        assert abs(np.corrcoef(np.arange(len(z)), z)[0, 1]) < 4 / math.sqrt(len(z))
    shares = np.array([*first.values()]) / 4000
    assert shares == pytest.approx([1 / 3] * 3, abs=0.05)


def test_drawing_can_be_cancelled(spots: nss.Spots) -> None:
    def stop() -> None:
        raise CancelledError("not wanted any more")

    with pytest.raises(CancelledError):
        draw_queue(spots, 5, check=stop)


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
    # Each verdict says how its spot was drawn, whatever is planned later.
    assert [entry.by for entry in again.entries] == ["status, r"]
    again.begin(Plan(3, ("flow",), 7))
    again.judge(2, "right", "s")
    parts = [entry.parts for entry in Review(path, "ada").entries]
    assert parts == [("status", "r"), ("flow",)]


def test_files_whose_verdicts_do_not_say_how_they_were_drawn(tmp_path: Path) -> None:
    path = tmp_path / "review.jsonl"
    old = {"spot_id": 1, "verdict": "right", "stratum": "s", "reviewer": "ada"}
    lines = [old, {"plan": {"per_stratum": 3, "by": ["r"], "seed": 1}}, old]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [entry.by for entry in Review(path, "ada").entries] == ["", "r"]


_NURSERY = """
import os, sys
from pathlib import Path
from napari_seespot.review import Review
path = Path(sys.argv[1])
for _ in sys.stdin:
    child = os.fork()
    if not child:
        review = Review(path, "ada")
        for spot_id in range(len(review.entries), 10**6):
            review.judge(spot_id, "right", "s", "x" * (spot_id % 999))
            os.write(1, b"%d\\n" % spot_id)
    os.write(1, b"pid %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """A process that appends verdicts is killed: those it reported are there."""
    path = tmp_path / "review.jsonl"
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", _NURSERY, str(path)]
    kept = 0
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for _ in range(25):
            nursery.stdin.write(b"go on\n")
            nursery.stdin.flush()
            lines: Iterator[bytes] = iter(nursery.stdout.readline, b"dead\n")
            reported = []
            for line in lines:
                if line.startswith(b"pid"):
                    time.sleep(rng.uniform(0, 0.04))
                    os.kill(int(line.split()[1]), signal.SIGKILL)
                else:
                    reported.append(int(line))
            ids = list(Review(path, "ada").table()["spot_id"])
            assert ids == list(range(len(ids)))  # none is lost, none is twice
            assert len(ids) > max(reported, default=-1)
            assert len(ids) >= kept
            kept = len(ids)
        nursery.stdin.close()
    assert kept > 25


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


# --- a whole review, without a screen


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path / "mine" / "review.jsonl", "ada")


def is_wrong(spots: nss.Spots, row: int) -> bool:
    """Say what is wrong: the unmixing errs where r is low, more if reassigned."""
    limit = 0.75 if spots.codes("status")[row] == 1 else 0.45
    return bool(spots.column("r")[row] < limit)


def judge_all(judging: Judging, spots: nss.Spots, most: int = 10**6) -> None:
    for _ in range(most):
        place = judging.first_open()
        if place is None:
            return
        wrong = is_wrong(spots, int(judging.queue.rows[place]))
        judging.judge(place, "wrong" if wrong else "right")


def test_the_queue_is_judged_in_its_order_and_goes_on(
    spots: nss.Spots, review: Review
) -> None:
    plan = Plan(3, ("status",), 5)
    judging = Judging(spots, review, plan)
    assert (judging.done, judging.first_open(), len(judging.queue)) == (0, 0, 9)
    judge_all(judging, spots, 4)
    assert judging.is_done(3)
    assert not judging.is_done(4)
    again = Judging(spots, Review(review.path, "ada"))
    assert again.plan == plan
    assert (again.done, again.first_open(), again.first_open(7)) == (4, 4, 7)
    last = again.verdict_at(3)
    assert last is not None
    assert last.spot_id == spots.column("spot_id")[again.queue.rows[3]]
    assert again.verdict_at(4) is None
    again.judge(8, "skip")
    assert again.first_open(8) == 4  # around the end
    judge_all(again, spots)
    assert again.first_open() is None
    again.reviewer = "bob"
    assert (again.done, again.first_open()) == (0, 0)
    assert again.verdict_at(3) is None


def by_hand(
    judging: Judging, spots: nss.Spots, entries: list[Entry], reviewer: str
) -> pd.DataFrame:
    """Return the rates of the spots that count, by pandas, from the file alone."""
    frame = pd.DataFrame([vars(e) for e in entries if e.reviewer == reviewer])
    fine = {*judging.plan.by, *(["status"] if "flow" in judging.plan.by else [])}
    frame["ok"] = [bool(by) and set(by.split(", ")) <= fine for by in frame["by"]]
    last = frame.groupby("spot_id").agg({"verdict": "last", "ok": "any"})
    last = last[last["ok"]]
    labels = strata(spots, judging.plan.by).astype(str)
    labels.index = pd.Index(spots.column("spot_id"))
    last["stratum"] = labels[last.index]
    return estimate(last, judging.queue.sizes)


def test_rates_are_kept_in_step(spots: nss.Spots, review: Review) -> None:
    """After each of many verdicts, under changing plans, against pandas."""
    rng = np.random.default_rng(3)
    plans = [
        Plan(3, by, seed) for by in (("status",), ("flow", "r")) for seed in (0, 1)
    ]
    for step in range(24):
        judging = Judging(spots, review, plans[int(rng.integers(4))])
        for _ in range(4):
            judging.reviewer = str(rng.choice(["ada", "bob"]))
            place = int(rng.integers(len(judging.queue)))
            judging.judge(place, VERDICTS[int(rng.integers(4))])
            wanted = by_hand(judging, spots, review.entries, judging.reviewer)
            found = judging.rates()
            pd.testing.assert_frame_equal(found, wanted)
        fresh = Judging(spots, Review(review.path, "ada"), judging.plan)
        for who in fresh.reviewers:
            pd.testing.assert_frame_equal(fresh.rates(who), judging.rates(who))
        if step > 3:
            wanted_kappa = agreement(review.table(), "ada", "bob")
            assert judging.agreement("ada", "bob") == pytest.approx(
                wanted_kappa, nan_ok=True
            )


def test_which_strata_lie_in_which() -> None:
    assert refines(("status", "r"), ("status",))
    assert refines(("status",), ("status",))
    assert refines(("r", "status"), ("status", "r"))
    assert refines(("flow",), ("status",))  # a status follows from the flow
    assert refines(("flow", "r"), ("status", "r"))
    assert not refines(("status",), ("flow",))
    assert not refines(("status",), ("status", "r"))
    assert not refines(("flow",), ())


def test_verdicts_of_a_coarser_plan_count_and_are_done(
    spots: nss.Spots, review: Review
) -> None:
    coarse = Judging(spots, review, Plan(30, ("status",)))
    judge_all(coarse, spots)
    assert coarse.rates().loc["all", "judged"] == 90
    fine = Judging(spots, review, Plan(30, ("status", "r")))
    assert fine.done > 0
    assert fine.rates().loc["all", "judged"] == 90
    judge_all(fine, spots)
    assert fine.done == len(fine.queue)
    assert fine.rates().loc["all", "judged"] >= len(fine.queue)


def test_verdicts_of_a_finer_plan_are_asked_again(
    spots: nss.Spots, review: Review
) -> None:
    fine = Judging(spots, review, Plan(30, ("status", "r")))
    judge_all(fine, spots)
    coarse = Judging(spots, review, Plan(30, ("status",)))
    assert (coarse.done, coarse.rates().loc["all", "judged"]) == (0, 0)
    known = [coarse.verdict_at(place) for place in range(90)]
    assert sum(entry is not None for entry in known) > 20  # and shown with what it had
    judge_all(coarse, spots, 50)
    assert (coarse.done, coarse.rates().loc["all", "judged"]) == (50, 50)
    # What was judged again goes on to count for the plan that drew it first.
    again = Judging(spots, review, Plan(30, ("status", "r")))
    assert again.done == len(again.queue)


def test_the_estimate_stays_right_when_plans_change(
    spots: nss.Spots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By simulation: unbiased with what counts, biased if all verdicts counted."""
    for name in ("append", "_settle"):
        monkeypatch.setattr(review_file, name, lambda *_: None)
    common = np.bincount(spots.code)[spots.code] > 120
    found, naive = [], []
    for seed in range(150):
        review = Review(tmp_path / "none.jsonl", "ada")
        for by in (("flow",), ("status",), ("status", "r")):
            judging = Judging(spots, review, Plan(6, by, seed))
            for _ in range(30):
                place = judging.first_open()
                if place is not None:  # the unmixing errs in what is rare
                    right = common[judging.queue.rows[place]]
                    judging.judge(place, "right" if right else "wrong")
        table = review.table()
        labels = strata(spots, ["status"]).astype(str)
        labels.index = pd.Index(spots.column("spot_id"))
        table["stratum"] = labels[table["spot_id"]].to_numpy()
        status = Judging(spots, review, Plan(6, ("status",), seed))
        for errors, rates in (
            (found, status.rates()),
            (naive, estimate(table, status.queue.sizes)),
        ):
            errors.append(rates.loc["all", "error"])
    truth = 1 - common.mean()
    off = {
        name: (np.mean(errors) - truth) / (np.std(errors) / math.sqrt(len(errors)))
        for name, errors in (("found", found), ("naive", naive))
    }
    assert abs(off["found"]) < 3
    assert off["naive"] > 10


def test_spots_that_somebody_chose_count_in_no_rate(
    spots: nss.Spots, review: Review
) -> None:
    judging = Judging(spots, review, Plan(2, ("status",)))
    review.judge(int(judging.spot_ids[0]), "wrong", "")  # no plan was begun
    review.judge(10**9, "wrong", "")
    again = Judging(spots, review, Plan(2, ("status",)))
    assert (again.done, again.rates().loc["all", "judged"]) == (0, 0)


def test_the_share_of_the_table_that_was_judged(
    spots: nss.Spots, review: Review
) -> None:
    judging = Judging(spots, review, Plan(1, ("status",)))
    sizes = spots.to_pandas()["status"].value_counts()
    assert judging.rates().loc["all", "covered"] == 0
    first = judging.queue.stratum[0]
    judging.judge(0, "right")
    rates = judging.rates()
    assert rates.loc["all", "covered"] == pytest.approx(sizes[first] / len(spots))
    assert rates.loc[first, "covered"] == 1
    assert (rates["covered"] == 1).sum() == 1
    judging.judge(1, "unsure")
    assert judging.rates().loc["all", "covered"] == rates.loc["all", "covered"]
    judge_all(judging, spots)
    judging.judge(1, "right")
    assert judging.rates().loc["all", "covered"] == pytest.approx(1)


# --- files of others


def test_the_file_is_of_one_source_and_radius(spots: nss.Spots) -> None:
    def path(name: str, uri: str, min_dist: str | None = None) -> Path:
        return review_path(Dataset(name, uri, spots, min_dist=min_dist))

    folder = "/data/HCR 1"
    assert path("a", folder).parent.name == "reviews"
    assert path("HCR 1/x", folder).name.startswith("HCR_1_x-")
    server = "http://host:5555/?dataset=a"
    different = [
        path("a", folder),
        path("b", folder),
        path("a", folder, "3"),
        path("a", folder, "5"),
        path("a", "http://host:5555"),
        path("a", server),
        path("a", f"{server}&sample_size=100"),
    ]
    assert len(set(different)) == len(different)
    assert path("a", folder, "3") == path("a", folder, "3")
    secret = "http://ada:secret@host:5555/?dataset=a&token=xyz"
    assert path("a", secret) == path("a", server)
    assert path("", "").name.startswith("dataset-")


def bobs_file(spots: nss.Spots, path: Path, plan: Plan, n: int = 5) -> Review:
    bob = Review(path, "bob")
    judging = Judging(spots, bob, plan)
    for _ in range(n):
        place = judging.first_open()
        assert place is not None
        judging.judge(place, "wrong", 'naïve, "quoted"\nNA')
    return bob


@pytest.mark.parametrize("kind", ["own", ".jsonl", ".csv"])
def test_another_reviewers_file_is_taken_in(
    spots: nss.Spots, review: Review, tmp_path: Path, kind: str
) -> None:
    plan = Plan(3, ("flow",))
    bob = bobs_file(spots, tmp_path / "bob.jsonl", plan)
    path = bob.path
    if kind != "own":
        path = tmp_path / f"sent{kind}"
        Judging(spots, bob, plan).export(path)
    judging = Judging(spots, review, plan)
    judge_all(judging, spots, 4)
    assert judging.take_in(path) == {"bob": 5}
    assert judging.take_in(path) == {}
    assert judging.reviewers == ["ada", "bob"]
    assert judging.done == 4
    assert judging.rates("bob").loc["all", "wrong"] == 5
    assert judging.agreement("ada", "bob")[1] == 4
    again = Judging(spots, Review(review.path, "bob"))
    assert again.done == 5
    last = again.verdict_at(0)
    assert last is not None
    assert last.note == 'naïve, "quoted"\nNA'
    pd.testing.assert_frame_equal(again.rates(), judging.rates("bob"))


def test_the_later_verdict_of_one_reviewer_stays(tmp_path: Path) -> None:
    mine = Review(tmp_path / "a.jsonl", "ada")
    mine.judge(1, "right", "s")
    at = mine.entries[0].at
    old = Entry(1, "wrong", "s", "ada", at="2020-01-01T00:00:00+00:00")
    new = Entry(1, "unsure", "s", "ada", at=f"9{at[1:]}")
    assert mine.merge([old, new, old]) == [new]
    assert list(Review(mine.path, "ada").table()["verdict"]) == ["unsure"]


def test_a_merge_that_is_cut_short_takes_nothing_in(tmp_path: Path) -> None:
    mine = Review(tmp_path / "a.jsonl", "ada")
    mine.judge(1, "right", "s")
    mine.merge([Entry(k, "right", "s", "bob") for k in range(9)])
    whole = mine.path.read_bytes()
    mine.path.write_bytes(whole[:-20])
    again = Review(mine.path, "ada")
    assert len(again.entries) == 1
    again.judge(2, "right", "s")
    assert [e.spot_id for e in Review(mine.path, "ada").entries] == [1, 2]


GOOD = {"spot_id": 1, "verdict": "right", "stratum": "s", "reviewer": "bob"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b"", "there is no verdict in it"),
        ("x.jsonl", b'{"plan":{"per_stratum":1,"by":["r"],"seed":0}}', "no verdict"),
        ("x.jsonl", b"PAR1\x00\xff\n\x80", "there is no verdict in it"),
        ("x.jsonl", b'{"a": 1}\n', "the 1. line says something else"),
        *(
            ("x.jsonl", json.dumps({**GOOD, **bad}).encode(), "the 1. line")
            for bad in (
                {"spot_id": "1"},
                {"spot_id": True},
                {"spot_id": -1},
                {"spot_id": 10**30},
                {"verdict": "maybe"},
                {"verdict": ["right"]},
                {"reviewer": ""},
                {"reviewer": None},
                {"note": 5},
                {"by": "beauty"},
                {"more": 1},
            )
        ),
        ("x.csv", b"", "not a review"),
        ("x.csv", b"a,b\n1,2\n", "row 1 is not a verdict"),
        ("x.csv", b"spot_id,verdict,stratum,reviewer\n1,right,s,b\nx,right,s,b\n", "2"),
        ("x.csv", b"\xff\xfe\x00", "not a review"),
        ("y.jsonl", None, "there is no such file"),
    ],
)
def test_files_that_are_no_review(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeeSpotError, match=message) as caught:
        read_review(path)
    assert str(path) in str(caught.value)


def test_reviews_of_other_spots_are_refused(
    spots: nss.Spots, review: Review, tmp_path: Path
) -> None:
    plan = Plan(3, ("status", "r"))
    bob = bobs_file(spots, tmp_path / "bob.jsonl", plan)
    bob.judge(10**8, "right", "removed, r Q1")
    judging = Judging(spots, review, plan)
    with pytest.raises(SeeSpotError, match=r"1 of 6 verdicts .* not in this dataset"):
        judging.take_in(bob.path)
    frame = spots.to_pandas()
    first = frame["chan"].cat.categories[0]
    frame["unmixed_chan"] = first  # as another min_dist might have it
    other = nss.Spots.from_pandas(frame.drop(columns="status"), spots.channels)
    bob = bobs_file(other, tmp_path / "other.jsonl", plan)
    with pytest.raises(SeeSpotError, match="of another stratum here") as caught:
        judging.take_in(bob.path)
    assert "min_dist" in str(caught.value)
    assert not review.entries
    assert not review.path.exists()


# --- what is exported


def test_the_exported_tables(spots: nss.Spots, review: Review, tmp_path: Path) -> None:
    plan = Plan(2, ("status",))
    judging = Judging(spots, review, plan)
    judge_all(judging, spots)
    for other in ("bob", "eve"):
        theirs = Judging(spots, Review(tmp_path / f"{other}.jsonl", other), plan)
        judge_all(theirs, spots, 4)
        judging.take_in(theirs.review.path)
    review.plan = None
    review.judge(7, "wrong", "", "chosen")
    judging = Judging(spots, review, plan)
    path = tmp_path / "out.csv"
    written = judging.export(path)
    assert written == [path, *derived_files(path)]
    assert [p.name for p in written] == [
        "out.csv",
        "out-rates.csv",
        "out-agreement.csv",
    ]
    table = pd.read_csv(path)
    assert table.groupby("reviewer").size().to_dict() == {"ada": 7, "bob": 4, "eve": 4}
    assert list(table.loc[~table["counts"], "note"]) == ["chosen"]
    rates = pd.read_csv(written[1], index_col=["reviewer", "stratum"])
    for who in ("ada", "bob", "eve"):
        pd.testing.assert_frame_equal(
            rates.loc[who], judging.rates(who), check_names=False, check_dtype=False
        )
    kappa = pd.read_csv(written[2])
    pairs = list(zip(kappa["first"], kappa["second"], strict=True))
    assert pairs == [("ada", "bob"), ("ada", "eve"), ("bob", "eve")]
    assert list(kappa["spots"]) == [4, 4, 4]
    assert (kappa["kappa"] == 1).all()


def test_files_that_were_not_chosen_are_not_replaced(
    spots: nss.Spots, review: Review, tmp_path: Path
) -> None:
    judging = Judging(spots, review, Plan(2, ("status",)))
    judging.judge(0, "right")
    mine = tmp_path / "out-agreement.csv"
    mine.write_text("mine")
    with pytest.raises(SeeSpotError, match=r"out-agreement\.csv: .* there already"):
        judging.export(tmp_path / "out.csv")
    assert [p.name for p in tmp_path.glob("out*")] == ["out-agreement.csv"]
    assert mine.read_text() == "mine"
    judging.export(tmp_path / "out.csv", replace=True)
    judging.export(tmp_path / "other.csv")
    with pytest.raises(StateError, match=r"not written as \.xlsx"):
        judging.export(tmp_path / "out.xlsx")
    with pytest.raises(SeeSpotError, match="cannot be exported"):
        judging.export(tmp_path / "nowhere" / "out.csv")
    with pytest.raises(SeeSpotError, match="cannot be exported"):
        judging.export(tmp_path / "nowhere" / "out.jsonl")
    assert not list(tmp_path.glob(".*"))


def test_the_example_of_the_module(
    spots: nss.Spots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_seespot import review as module

    dataset = Dataset("example", "memory", spots)
    monkeypatch.setattr(nss, "open_dataset", lambda _: dataset, raising=False)
    monkeypatch.chdir(tmp_path)
    bobs_file(spots, tmp_path / "bob.jsonl", Plan())
    assert module.__doc__ is not None
    names: dict[str, object] = {}
    for example in doctest.DocTestParser().get_examples(module.__doc__):
        exec(example.source, names)
    assert {"review.csv", "review-rates.csv"} <= {p.name for p in tmp_path.glob("*")}
    judging = names["judging"]
    assert isinstance(judging, Judging)
    assert judging.reviewers == ["ada", "bob"]
    assert judging.done == len(judging.queue)
    assert judging.rates().loc["all", "error"] == 0
