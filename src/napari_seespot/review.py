"""Judging a sample of verdicts by eye, and what it says about the whole dataset.

Spots are drawn at random from strata (flow between channels, status, quarter of
r). Each verdict is appended to a file at once, so that nothing is lost when the
computer stops; several reviewers may judge the same queue.

A script can do all that the *Review* dock does:

>>> import napari_seespot as nss
>>> from napari_seespot.review import Judging, Plan, Review, review_path
>>> dataset = nss.open_dataset("sample")
>>> review = Review(review_path(dataset), reviewer="ada")
>>> judging = Judging(dataset.spots, review, Plan(per_stratum=10, by=("flow",)))
>>> while (place := judging.first_open()) is not None:
...     row = judging.queue.rows[place]
...     entry = judging.judge(place, "right")  # or wrong, unsure, skip; note="..."
>>> judging.rates().loc["all", ["error", "low", "high", "covered"]]
>>> judging.take_in("bob.jsonl")  # what another reviewer exported
>>> judging.agreements()  # Cohen's kappa of each pair of reviewers
>>> judging.export("review.csv")  # and review-rates.csv, review-agreement.csv

`review_sample` draws, `review_file` keeps, `review_rates` counts, and says which
verdicts may count; their names are all to be had from here.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.review_file import (
    VERDICTS,
    Entry,
    Review,
    Verdict,
    read_review,
    review_path,
    write_entries,
    write_table,
)
from napari_seespot.review_rates import Tally, agreement, estimate, wilson
from napari_seespot.review_sample import (
    BY,
    Plan,
    Queue,
    Strata,
    draw_queue,
    refines,
    strata,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_seespot.spots import Spots

__all__ = [
    "BY",
    "VERDICTS",
    "Entry",
    "Judging",
    "Plan",
    "Queue",
    "Review",
    "Tally",
    "Verdict",
    "agreement",
    "derived_files",
    "draw_queue",
    "estimate",
    "read_review",
    "refines",
    "review_path",
    "strata",
    "wilson",
]


class Judging:
    """A review of a dataset: its queue, its file and its figures, in step.

    Parameters
    ----------
    spots : Spots
    review : Review
        With the verdicts so far.
    plan : Plan, optional
        How to draw the queue; by default as the file says, else `Plan()`.
    check : callable, optional
        Called now and then while the queue is drawn; what it raises ends that.

    Attributes
    ----------
    plan : Plan
    queue : Queue
    """

    def __init__(
        self,
        spots: Spots,
        review: Review,
        plan: Plan | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.review = review
        self.plan = plan or review.plan or Plan()
        self._spots = spots
        self._strata = Strata.of(spots, self.plan.by)
        self.queue = self.plan.draw(spots, found=self._strata, check=check)
        self.spot_ids = spots.column("spot_id")[self.queue.rows]
        self._tally = Tally(self.queue.sizes)
        self._count(review.entries)
        self._done = self._done_of(review.reviewer)

    def _count(self, entries: Sequence[Entry]) -> None:
        """Count verdicts of the file, by the strata of the plan at hand."""
        rows = _rows_of(self._spots, (entry.spot_id for entry in entries))
        for entry in entries:
            row = rows.get(entry.spot_id)
            stratum = None
            if row is not None and refines(self.plan.by, entry.parts):
                stratum = self._strata.names[self._strata.codes[row]]
            self._tally.add(entry, stratum)

    def _done_of(self, reviewer: str) -> np.ndarray:
        counted = self._tally.counted(reviewer)
        return np.array([int(spot) in counted for spot in self.spot_ids], np.bool_)

    # --- whose turn it is

    @property
    def reviewer(self) -> str:
        """Whose verdicts are given."""
        return self.review.reviewer

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self.review.reviewer = name
        self._done = self._done_of(name)

    @property
    def reviewers(self) -> list[str]:
        """All who have judged something, sorted."""
        return self._tally.reviewers

    @property
    def done(self) -> int:
        """How many spots of the queue the reviewer has judged, by a plan that counts.

        A spot that was skipped counts as judged here.
        """
        return int(np.count_nonzero(self._done))

    def is_done(self, place: int) -> bool:
        """Return whether the reviewer has judged a spot of the queue."""
        return bool(self._done[place])

    def first_open(self, start: int = 0) -> int | None:
        """Return the place of the first spot from `start` on that is not judged.

        After the last one it goes on at the first; None when all are judged.
        """
        left = np.flatnonzero(~self._done)
        if not len(left):
            return None
        return int(left[np.searchsorted(left, start) % len(left)])

    def verdict_at(self, place: int) -> Entry | None:
        """Return the verdict that the reviewer has given there, by whatever plan."""
        return self._tally.last(self.reviewer, int(self.spot_ids[place]))

    def judge(self, place: int, verdict: Verdict, note: str = "") -> Entry:
        """Give the spot at a place of the queue a verdict; it is on disk then.

        Raises
        ------
        StateError
            For an unknown verdict.
        SeeSpotError
            When the file cannot be written; the verdict does not count then.
        """
        self.review.begin(self.plan)
        spot, stratum = int(self.spot_ids[place]), self.queue.stratum[place]
        entry = self.review.judge(spot, verdict, stratum, note)
        self._tally.add(entry, stratum)
        self._done[place] = True
        return entry

    # --- what comes out

    def rates(self, reviewer: str | None = None) -> pd.DataFrame:
        """Return the error rates by one reviewer's verdicts; see `estimate`.

        Parameters
        ----------
        reviewer : str, optional
            The one whose turn it is by default.
        """
        return self._tally.rates(self.reviewer if reviewer is None else reviewer)

    def agreement(self, first: str, second: str) -> tuple[float, int]:
        """Return Cohen's kappa of two reviewers, and of how many spots."""
        return self._tally.agreement(first, second)

    def agreements(self) -> pd.DataFrame:
        """Return kappa of each pair of reviewers: first, second, kappa, spots."""
        return self._tally.agreements()

    # --- from and to other reviewers

    def take_in(self, path: str | Path) -> dict[str, int]:
        """Take in another reviewer's file, and return how many verdicts of whom.

        Parameters
        ----------
        path : str or Path
            The reviewer's own ``.jsonl`` file, or what `export` wrote.

        Raises
        ------
        SeeSpotError
            When it is not a review, or not one of these spots; nothing of it is
            taken in then.
        """
        return self.merge(self.read_other(path))

    def read_other(self, path: str | Path) -> list[Entry]:
        """Return another reviewer's verdicts, checked; for `merge`.

        Raises
        ------
        SeeSpotError
            As `take_in`.
        """
        entries = read_review(Path(path))
        self._check_spots(entries, Path(path))
        return entries

    def merge(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Add verdicts that `read_other` returned; return how many new ones of whom.

        Raises
        ------
        SeeSpotError
            When they cannot be written; nothing is taken in then.
        """
        new = self.review.merge(entries)
        self._count(new)
        self._done = self._done_of(self.reviewer)
        return dict(Counter(entry.reviewer for entry in new))

    def _check_spots(self, entries: Sequence[Entry], path: Path) -> None:
        """Raise unless each spot is here, in the stratum that the verdict names."""
        rows = _rows_of(self._spots, (entry.spot_id for entry in entries))
        strangers = [entry for entry in entries if entry.spot_id not in rows]
        if strangers:
            raise _other_spots(path, entries, strangers, "not in this dataset")
        for by in {entry.parts for entry in entries} - {()}:
            found = Strata.of(self._spots, by)
            others = [
                entry
                for entry in entries
                if entry.parts == by
                and entry.stratum != found.names[found.codes[rows[entry.spot_id]]]
            ]
            if others:
                raise _other_spots(path, entries, others, "of another stratum here")

    def export(self, path: str | Path, *, replace: bool = False) -> list[Path]:
        """Write the verdicts of all reviewers, and return which files were written.

        Parameters
        ----------
        path : str or Path
            Its ending says what is written: ``.csv`` the verdicts, and beside it
            each reviewer's error rates and the agreement of each pair of them;
            ``.jsonl`` a file that another reviewer can take in.
        replace : bool
            Whether the files beside it may replace others of that name; the one
            at `path` itself always does.

        Raises
        ------
        StateError
            For another ending.
        SeeSpotError
            When a file cannot be written, or one is there that was not chosen.
        """
        path = Path(path)
        if path.suffix.lower() == ".jsonl":
            write_entries(path, self.review.entries, self.review.plan)
            return [path]
        if path.suffix.lower() != ".csv":
            raise StateError(
                f"a review is not written as {path.suffix or 'a file without ending'}",
                where=path,
                expected=".csv for tables, .jsonl for another reviewer",
            )
        present = [other for other in derived_files(path) if other.exists()]
        if present and not replace:
            raise SeeSpotError(
                "this file is there already", where=present[0], hint="Choose a new name"
            )
        tables = (self._verdicts(), self._all_rates(), self.agreements())
        written = (path, *derived_files(path))
        for where, table in zip(written, tables, strict=True):
            write_table(where, table)
        return list(written)

    def _verdicts(self) -> pd.DataFrame:
        table = self.review.table()
        table["counts"] = [
            spot in self._tally.counted(who)
            for who, spot in zip(table["reviewer"], table["spot_id"], strict=True)
        ]
        return table

    def _all_rates(self) -> pd.DataFrame:
        parts = {who: self.rates(who) for who in self.reviewers or [self.reviewer]}
        return pd.concat(parts, names=["reviewer", "stratum"]).reset_index()


def derived_files(path: Path) -> tuple[Path, Path]:
    """Return what `Judging.export` writes beside the verdicts: rates, agreement."""
    rates, kappa = (path.with_name(f"{path.stem}-{x}.csv") for x in _DERIVED)
    return rates, kappa


_DERIVED = ("rates", "agreement")


def _rows_of(spots: Spots, wanted: Iterable[int]) -> dict[int, int]:
    """Return the rows of those of these spots that are in the table."""
    ids = spots.column("spot_id")
    rows = np.flatnonzero(np.isin(ids, np.fromiter(set(wanted), np.int64)))
    return dict(zip(ids[rows].tolist(), rows.tolist(), strict=True))


def _other_spots(
    path: Path, entries: Sequence[Entry], others: Sequence[Entry], how: str
) -> SeeSpotError:
    first = others[0]
    stratum = f" ({first.stratum})" if first.stratum else ""
    return SeeSpotError(
        f"{len(others):,} of {len(entries):,} verdicts are about spots that are {how}, "
        f"the first about spot {first.spot_id}{stratum}",
        where=path,
        expected="a review of this dataset, with the same min_dist",
    )
