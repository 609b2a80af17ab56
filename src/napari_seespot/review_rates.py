"""What verdicts say: error rates with their intervals, and how far reviewers agree.

Which verdicts may count
------------------------
A rate is that of the sample of a stratum, so every spot of the stratum must
have had the same chance to be judged. That holds for spots that were drawn by
the plan at hand. It holds too for spots drawn by a plan with coarser strata: of
a random sample, those that fall into a smaller part are a random sample of the
part, given their number. A coarser sample is therefore divided anew
(post-stratification: Holt, D. and Smith, T. M. F. (1979), J. R. Stat. Soc. A
142, 33-46; Cochran, W. G. (1977), Sampling Techniques, 3rd ed., section 5A.9).

It does not hold the other way round: strata by status and quarter of r, of ten
spots each, hold ten of the worst quarter of a thousand spots and ten of a
quarter of a million. Put together by status alone, the bad spots would be
counted far too often. Such verdicts, and those on spots that somebody chose,
count in no rate and are not taken for done: the spot is shown again, with the
verdict that it had.

Verdicts *unsure* and *skip* are left out of the rates, as if they had been left
out at random. The intervals know nothing of a stratum being judged whole: for
small strata they are rather too wide.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.review_file import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_seespot.review_file import Entry

__all__ = ["RATES", "Tally", "agreement", "estimate", "wilson"]

RATES = ("size", "judged", "wrong", "error", "low", "high", "covered")
"""The columns of a table of error rates."""

_Z = 1.959964  # the normal quantile of 95 %


def wilson(wrong: int, judged: int, z: float = _Z) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion; (0, 1) where none is judged.

    Wilson, E. B. (1927), J. Am. Stat. Assoc. 22, 209-212, without continuity
    correction: ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``.

    Parameters
    ----------
    wrong, judged : int
    z : float
        Normal quantile; the default gives 95 %.
    """
    low, high = _wilson(np.array([wrong]), np.array([judged]), z)
    return float(low[0]), float(high[0])


def _wilson(
    wrong: np.ndarray, judged: np.ndarray, z: float = _Z
) -> tuple[np.ndarray, np.ndarray]:
    n = np.maximum(judged, 1)
    p = wrong / n
    middle = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    # Rounding must not leave the interval short of a share of 0 or 1.
    low = np.where(wrong == 0, 0.0, (middle - half) / scale)
    high = np.where(wrong == judged, 1.0, (middle + half) / scale)
    return low, high


def estimate(table: pd.DataFrame, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Return the error rate of each stratum, and of the whole weighted by size.

    Verdicts ``"unsure"`` and ``"skip"`` do not count as judged.

    Parameters
    ----------
    table : DataFrame
        With `verdict` and `stratum`: verdicts on spots that were drawn from these
        strata (see `Tally` for a file in which others stand too). With several
        reviewers each verdict counts for itself.
    sizes : mapping of str to int
        `Queue.sizes`.

    Returns
    -------
    DataFrame
        One row a stratum: `size`, `judged`, `wrong`, `error`, `low`, `high` (95 %
        Wilson) and `covered`, and a last row ``"all"``: the errors weighted by the
        sizes of the strata that were judged. They are the share `covered` of the
        whole; of the rest the estimate says nothing. Its interval is put together
        from those of the strata (MOVER: Zou and Donner 2008, Stat. Med. 27,
        1693-1702), ``p - sqrt(sum w_h^2 (p_h - l_h)^2)`` to
        ``p + sqrt(sum w_h^2 (u_h - p_h)^2)``, which unlike the normal one does not
        vanish where no verdict was wrong.
    """
    judged = table[table["verdict"].isin(["right", "wrong"])]
    names = pd.Index(list(sizes))
    place = names.get_indexer(pd.Index(judged["stratum"]))
    wrong = (judged["verdict"] == "wrong").to_numpy() & (place >= 0)
    return _rates(
        list(sizes),
        np.array(list(sizes.values()), float),
        np.bincount(place[place >= 0], minlength=len(names)),
        np.bincount(place[wrong], minlength=len(names)),
    )


def _rates(
    names: Sequence[str], sizes: np.ndarray, judged: np.ndarray, wrong: np.ndarray
) -> pd.DataFrame:
    some = judged > 0
    error = np.where(some, wrong / np.maximum(judged, 1), np.nan)
    low, high = _wilson(wrong, judged)
    total, known = sizes.sum(), sizes[some].sum()
    whole = [np.nan, 0.0, 1.0, known / total if total else 0.0]
    if some.any():
        weight, p = sizes[some] / known, error[some]
        middle = float((weight * p).sum())
        below = np.sqrt(np.square(weight * (p - low[some])).sum())
        above = np.sqrt(np.square(weight * (high[some] - p)).sum())
        whole[:3] = middle, max(middle - below, 0.0), min(middle + above, 1.0)
    columns: list[Any] = [sizes, judged, wrong, error, low, high, some.astype(float)]
    last = [total, judged.sum(), wrong.sum(), *whole]
    values = {
        name: np.append(column, end).astype(np.int64 if place < 3 else np.float64)
        for place, (name, column, end) in enumerate(
            zip(RATES, columns, last, strict=True)
        )
    }
    return pd.DataFrame(values, index=pd.Index([*names, "all"]))


def agreement(table: pd.DataFrame, first: str, second: str) -> tuple[float, int]:
    """Return Cohen's kappa of two reviewers, and of how many spots.

    Cohen, J. (1960), Educ. Psychol. Meas. 20, 37-46: ``(po - pe) / (1 - pe)``
    with `po` the share of equal verdicts and `pe` that expected by chance.
    Verdicts ``"skip"`` do not count. NaN without a spot in common; 1 where both
    gave one and the same verdict throughout.

    Parameters
    ----------
    table : DataFrame
        `Review.table`.
    first, second : str
        Reviewers.
    """
    a, b = (
        dict(zip(some["spot_id"], some["verdict"], strict=True))
        for some in (table[table["reviewer"] == name] for name in (first, second))
    )
    return _kappa(Counter((a[spot], b[spot]) for spot in a.keys() & b.keys()))


def _kappa(pairs: Mapping[tuple[str, str], int]) -> tuple[float, int]:
    """Return kappa, and of how many, from how often two verdicts met."""
    kinds = [verdict for verdict in VERDICTS if verdict != "skip"]
    met = np.array([[pairs.get((a, b), 0) for b in kinds] for a in kinds], float)
    n = met.sum()
    if not n:
        return (float("nan"), 0)
    same = np.trace(met) / n
    chance = (met.sum(axis=0) * met.sum(axis=1)).sum() / n**2
    return (1.0 if chance == 1 else float((same - chance) / (1 - chance)), int(n))


class Tally:
    """Counts of verdicts by reviewer and stratum, kept in step one by one.

    A rate after each verdict must not take the longer the more there are.

    Parameters
    ----------
    sizes : mapping of str to int
        `Queue.sizes`.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._names = list(sizes)
        self._sizes = np.array(list(sizes.values()), float)
        self._place = {name: place for place, name in enumerate(sizes)}
        self._last: dict[str, dict[int, Entry]] = {}
        self._counted: dict[str, dict[int, str]] = {}
        self._counts: dict[str, np.ndarray] = {}
        self._met: dict[tuple[str, str], Counter[tuple[str, str]]] = {}

    def add(self, entry: Entry, stratum: str | None) -> None:
        """Count a verdict in the place of the reviewer's last one on the spot.

        Parameters
        ----------
        entry : Entry
        stratum : str or None
            Of the plan at hand; None where the spot was not drawn so that it may
            count. One that counted once goes on to count, by its last verdict.
        """
        who, spot = entry.reviewer, entry.spot_id
        last = self._last.setdefault(who, {})
        counted = self._counted.setdefault(who, {})
        counts = self._counts.setdefault(who, np.zeros((2, len(self._names)), int))
        before = last.get(spot)
        if before is not None and spot in counted:
            counts[:, self._place[counted[spot]]] -= _weights(before)
        if stratum is not None and stratum in self._place:
            counted[spot] = stratum
        self._meet(entry, before)
        last[spot] = entry
        if spot in counted:
            counts[:, self._place[counted[spot]]] += _weights(entry)

    def _meet(self, entry: Entry, before: Entry | None) -> None:
        """Count the verdicts of others that a verdict meets, in both orders."""
        who = entry.reviewer
        for other, verdicts in self._last.items():
            theirs = verdicts.get(entry.spot_id)
            if theirs is None or other == who:
                continue
            for one, sign in ((entry, 1), (before, -1)):
                if one is not None:
                    ours, others = one.verdict, theirs.verdict
                    self._pair(who, other)[ours, others] += sign
                    self._pair(other, who)[others, ours] += sign

    def _pair(self, first: str, second: str) -> Counter[tuple[str, str]]:
        return self._met.setdefault((first, second), Counter())

    @property
    def reviewers(self) -> list[str]:
        """The reviewers, sorted."""
        return sorted(self._last)

    def last(self, reviewer: str, spot_id: int) -> Entry | None:
        """Return a reviewer's verdict on a spot, whether or not it counts."""
        return self._last.get(reviewer, {}).get(spot_id)

    def counted(self, reviewer: str) -> Mapping[int, str]:
        """Return the strata of the spots of which a reviewer's verdict counts."""
        return self._counted.get(reviewer, {})

    def rates(self, reviewer: str) -> pd.DataFrame:
        """Return a reviewer's error rates; see `estimate`."""
        nothing = np.zeros((2, len(self._names)), int)
        judged, wrong = self._counts.get(reviewer, nothing)
        return _rates(self._names, self._sizes, judged, wrong)

    def agreement(self, first: str, second: str) -> tuple[float, int]:
        """Return Cohen's kappa of two reviewers, and of how many spots."""
        return _kappa(self._pair(first, second))

    def agreements(self) -> pd.DataFrame:
        """Return kappa of each pair of reviewers: first, second, kappa, spots."""
        rows = [
            (first, second, *self.agreement(first, second))
            for first, second in combinations(self.reviewers, 2)
        ]
        return pd.DataFrame(rows, columns=["first", "second", "kappa", "spots"])


def _weights(entry: Entry) -> tuple[int, int]:
    return (int(entry.verdict in ("right", "wrong")), int(entry.verdict == "wrong"))
