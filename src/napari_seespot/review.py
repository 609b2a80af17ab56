"""Judging a sample of verdicts by eye, and what it says about the whole dataset.

Spots are drawn at random from strata (status, flow between channels, quantile
of r). Each verdict is appended to a file at once, so that nothing is lost when
the computer stops; several reviewers may judge the same queue.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from napari_seespot._user_data import append, read_lines
from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_seespot.spots import Spots

__all__ = [
    "VERDICTS",
    "Plan",
    "Queue",
    "Review",
    "Verdict",
    "agreement",
    "draw_queue",
    "estimate",
    "strata",
    "wilson",
]

Verdict = Literal["right", "wrong", "unsure", "skip"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_BY = ("status", "flow", "r")
_R_QUANTILES = 4


def wilson(wrong: int, judged: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion; (0, 1) where none is judged.

    Wilson, E. B. (1927), J. Am. Stat. Assoc. 22, 209-212, without continuity
    correction: ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``.

    Parameters
    ----------
    wrong, judged : int
    z : float
        Normal quantile; the default gives 95 %.
    """
    if judged <= 0:
        return (0.0, 1.0)
    p, n = wrong / judged, judged
    middle = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low, high = (middle - half) / scale, (middle + half) / scale
    # Rounding must not leave the interval short of a share of 0 or 1.
    return (0.0 if wrong == 0 else float(low), 1.0 if wrong == n else float(high))


def strata(spots: Spots, by: Sequence[str] = _BY) -> pd.Series[Any]:
    """Return each row's stratum, categorical, shape (n,).

    Parameters
    ----------
    spots : Spots
    by : sequence of str
        Of ``"status"``, ``"flow"`` (chan -> unmixed_chan) and ``"r"`` (quarters
        of the finite values; ``"r ?"`` without one).
    """
    unknown = set(by) - set(_BY)
    if unknown or not by:
        raise StateError(
            f"strata by {', '.join(sorted(unknown)) or 'nothing'}",
            expected=f"one or more of {', '.join(_BY)}",
        )
    code = np.zeros(len(spots), np.int64)
    names = [""]
    for part in by:
        labels, codes = _part(spots, part)
        names = [f"{a}, {b}" if a else b for a in names for b in labels]
        code = code * len(labels) + codes
    used, compact = np.unique(code, return_inverse=True)
    categories = pd.Index([names[place] for place in used])
    return pd.Series(
        pd.Categorical.from_codes(compact.astype(np.int32), categories=categories),
        name="stratum",
    )


def _part(spots: Spots, part: str) -> tuple[list[str], np.ndarray]:
    if part == "status":
        return list(spots.class_names("status")), spots.codes("status")
    if part == "flow":
        ends = (*spots.channels, "removed")
        names = [f"{a} -> {b}" for a in spots.channels for b in ends]
        return names, spots.code
    r = spots.column("r")
    known = np.isfinite(r)
    quantiles = np.linspace(0, 1, _R_QUANTILES + 1)[1:-1]
    edges = np.quantile(r[known], quantiles) if known.any() else np.zeros(0)
    codes = np.searchsorted(edges, r, side="right")
    codes[~known] = _R_QUANTILES
    return [*(f"r Q{k + 1}" for k in range(_R_QUANTILES)), "r ?"], codes


@dataclass(frozen=True)
class Queue:
    """The spots to judge, in a random order.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        Rows of the table.
    stratum : tuple of str
        Of each of them.
    sizes : dict of str to int
        How many spots of the whole table each stratum has.
    """

    rows: np.ndarray
    stratum: tuple[str, ...]
    sizes: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows)


def draw_queue(
    spots: Spots,
    per_stratum: int = 20,
    by: Sequence[str] = _BY,
    seed: int = 0,
    where: np.ndarray | None = None,
) -> Queue:
    """Draw a stratified random sample, without repeats.

    Parameters
    ----------
    spots : Spots
    per_stratum : int
        Spots of each stratum; all where it has fewer.
    by : sequence of str
        See `strata`.
    seed : int
        The same seed draws the same queue.
    where : ndarray of bool, shape (n,), optional
        The rows that the review is about.
    """
    if per_stratum < 1:
        raise StateError(f"{per_stratum} spots a stratum", expected="1 or more")
    labels = strata(spots, by)
    rows = np.arange(len(spots)) if where is None else np.flatnonzero(where)
    codes = labels.cat.codes.to_numpy()[rows]
    rng = np.random.default_rng(seed)
    # A random order, then stably by stratum: the first ones of each are the sample.
    shuffled = rng.permutation(len(rows))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    ordered = codes[order]
    first = np.searchsorted(ordered, ordered)
    drawn = order[np.arange(len(order)) - first < per_stratum]
    drawn = rng.permutation(drawn)
    names = list(labels.cat.categories)
    counts = np.bincount(codes, minlength=len(names))
    sizes = {name: int(n) for name, n in zip(names, counts, strict=True) if n}
    return Queue(rows[drawn], tuple(names[k] for k in codes[drawn]), sizes)


@dataclass(frozen=True)
class Entry:
    """One verdict, as it stands in the file."""

    spot_id: int
    verdict: Verdict
    stratum: str
    reviewer: str
    note: str = ""
    at: str = ""


@dataclass(frozen=True)
class Plan:
    """How a queue is drawn: what `draw_queue` takes, so that a review goes on."""

    per_stratum: int = 20
    by: tuple[str, ...] = _BY
    seed: int = 0

    def draw(self, spots: Spots) -> Queue:
        """Draw the queue."""
        return draw_queue(spots, self.per_stratum, self.by, self.seed)


class Review:
    """Verdicts in an append-only file: one JSON object a line.

    Opened again, it goes on where it was left; a line that a stop cut short is
    left out. The last verdict of a reviewer on a spot counts.

    Parameters
    ----------
    path : Path
    reviewer : str

    Attributes
    ----------
    entries : list of Entry
        All verdicts in the file, of all reviewers.
    plan : Plan or None
        How the queue was drawn that the file is about.

    Raises
    ------
    SeeSpotError
        When the file cannot be read.
    """

    def __init__(self, path: Path, reviewer: str) -> None:
        self.path = path
        self.reviewer = reviewer
        lines = read_lines(path, "the review")
        self.entries = [entry for entry in map(_entry, lines) if entry is not None]
        plans = [plan for plan in map(_plan, lines) if plan is not None]
        self.plan: Plan | None = plans[-1] if plans else None

    def begin(self, plan: Plan) -> None:
        """Write down how the queue is drawn, unless that is what stands there.

        Raises
        ------
        SeeSpotError
            When the file cannot be written.
        """
        if plan != self.plan:
            append(self.path, {"plan": asdict(plan)}, "the review")
            self.plan = plan

    def judge(
        self, spot_id: int, verdict: Verdict, stratum: str, note: str = ""
    ) -> Entry:
        """Write a verdict down; it is on disk when this returns.

        Raises
        ------
        StateError
            For an unknown verdict.
        SeeSpotError
            When the file cannot be written; the verdict does not count then.
        """
        if verdict not in VERDICTS:
            raise StateError(
                f"a verdict cannot be {verdict!r}",
                expected=f"one of {', '.join(VERDICTS)}",
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(int(spot_id), verdict, stratum, self.reviewer, note, now)
        append(self.path, asdict(entry), "the verdict")
        self.entries.append(entry)
        return entry

    def table(self) -> pd.DataFrame:
        """Return the verdicts that count, one row a spot and reviewer."""
        names = list(Entry.__dataclass_fields__)
        table = pd.DataFrame([asdict(entry) for entry in self.entries], columns=names)
        return table.drop_duplicates(["spot_id", "reviewer"], keep="last").reset_index(
            drop=True
        )

    def judged(self) -> set[int]:
        """Return the ids of the spots that this reviewer has judged."""
        return {e.spot_id for e in self.entries if e.reviewer == self.reviewer}


def _plan(line: dict[str, Any]) -> Plan | None:
    try:
        values = line["plan"]
        by = tuple(values["by"])
        plan = Plan(int(values["per_stratum"]), by, int(values["seed"]))
    except (KeyError, TypeError, ValueError):  # a verdict
        return None
    return plan if plan.per_stratum > 0 and set(by) <= set(_BY) else None


def _entry(line: dict[str, Any]) -> Entry | None:
    try:
        entry = Entry(**line)
    except TypeError:  # a plan, or nothing of ours
        return None
    known = entry.verdict in VERDICTS and isinstance(entry.spot_id, int)
    return entry if known and isinstance(entry.reviewer, str) else None


def estimate(table: pd.DataFrame, sizes: dict[str, int]) -> pd.DataFrame:
    """Return the error rate of each stratum, and of the whole weighted by size.

    Verdicts ``"unsure"`` and ``"skip"`` do not count as judged.

    Parameters
    ----------
    table : DataFrame
        `Review.table`; with several reviewers each verdict counts for itself.
    sizes : dict of str to int
        `Queue.sizes`.

    Returns
    -------
    DataFrame
        One row a stratum: `size`, `judged`, `wrong`, `error`, `low`, `high` (95 %
        Wilson), and a last row ``"all"``: the errors weighted by the sizes of the
        strata that were judged. Its interval is put together from those of the
        strata (MOVER: Zou and Donner 2008, Stat. Med. 27, 1693-1702),
        ``p - sqrt(sum w_h^2 (p_h - l_h)^2)`` to ``p + sqrt(sum w_h^2 (u_h - p_h)^2)``,
        which unlike the normal one does not vanish where no verdict was wrong.
    """
    judged = table[table["verdict"].isin(["right", "wrong"])]
    rows = {}
    for name, size in sizes.items():
        verdicts = judged.loc[judged["stratum"] == name, "verdict"]
        n, wrong = len(verdicts), int((verdicts == "wrong").sum())
        error = wrong / n if n else np.nan
        rows[name] = (size, n, wrong, error, *wilson(wrong, n))
    columns = ["size", "judged", "wrong", "error", "low", "high"]
    result = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    result.loc["all"] = _whole(result)
    return result.astype({"size": int, "judged": int, "wrong": int})


def _whole(by_stratum: pd.DataFrame) -> tuple[float, ...]:
    known = by_stratum[by_stratum["judged"] > 0]
    size, judged = known["size"].to_numpy(float), known["judged"].to_numpy(float)
    total = (by_stratum["size"].sum(), judged.sum(), known["wrong"].sum())
    if not len(known):
        return (*total, np.nan, 0.0, 1.0)
    weight, p = size / size.sum(), known["error"].to_numpy(float)
    error = float((weight * p).sum())
    low, high = known["low"].to_numpy(float), known["high"].to_numpy(float)
    below = float(np.sqrt(np.square(weight * (p - low)).sum()))
    above = float(np.sqrt(np.square(weight * (high - p)).sum()))
    return (*total, error, max(error - below, 0.0), min(error + above, 1.0))


def agreement(table: pd.DataFrame, first: str, second: str) -> tuple[float, int]:
    """Return Cohen's kappa of two reviewers, and of how many spots.

    Cohen, J. (1960), Educ. Psychol. Meas. 20, 37-46: ``(po - pe) / (1 - pe)``
    with `po` the share of equal verdicts and `pe` that expected by chance.
    Verdicts ``"skip"`` do not count. NaN without a spot in common; 1 where both
    gave one and the same verdict throughout.
    """
    some = table[table["verdict"] != "skip"]
    a, b = (
        some[some["reviewer"] == name].set_index("spot_id")["verdict"]
        for name in (first, second)
    )
    common = a.index.intersection(b.index)
    if not len(common):
        return (float("nan"), 0)
    a, b = a[common], b[common]
    same = float((a.to_numpy() == b.to_numpy()).mean())
    chance = sum(_share(a, v) * _share(b, v) for v in VERDICTS)
    return (1.0 if chance == 1 else (same - chance) / (1 - chance), len(common))


def _share(values: Iterable[str], verdict: str) -> float:
    listed = list(values)
    return listed.count(verdict) / len(listed)
