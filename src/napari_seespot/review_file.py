"""The file of a review: verdicts of all reviewers, to which lines are only added.

Each line is a JSON object: a plan, a verdict, or all verdicts that were taken
in from another reviewer's file at once. What a line says is on disk (`fsync`)
before the next spot is shown; a line that a stop cut short spoils no other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd

from napari_seespot._user_data import append, data_folder, read_lines
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.recent import without_credentials
from napari_seespot.review_sample import BY, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_seespot.dataset import Dataset

__all__ = [
    "VERDICTS",
    "Entry",
    "Review",
    "Verdict",
    "read_review",
    "review_path",
    "write_entries",
    "write_table",
]

Verdict = Literal["right", "wrong", "unsure", "skip"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_MERGED = "taken in"
_TEXTS = ("stratum", "reviewer", "note", "at", "by")


def review_path(dataset: Dataset) -> Path:
    """Return the file of a dataset's reviews; it need not exist yet.

    Another source, another radius of de-duplication (`min_dist`) and another
    sample of a server have files of their own: there the same spot may have got
    another channel, and a stratum is of another size.
    """
    source = without_credentials(dataset.uri)
    text = f"{dataset.name}\n{source}\n{dataset.min_dist or ''}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", dataset.name)[:80].strip("._") or "dataset"
    return data_folder() / "reviews" / f"{name}-{digest}.jsonl"


@dataclass(frozen=True)
class Entry:
    """One verdict, as it stands in the file.

    Attributes
    ----------
    spot_id : int
    verdict : {"right", "wrong", "unsure", "skip"}
    stratum : str
        Of the plan by which the spot was drawn.
    reviewer, note : str
    at : str
        When, in ISO 8601, in UTC.
    by : str
        What that plan's strata are made of: ``"flow"``, ``"status, r"``. Empty
        where that is not known: such a spot may have been chosen on purpose, and
        counts in no rate.
    """

    spot_id: int
    verdict: Verdict
    stratum: str
    reviewer: str
    note: str = ""
    at: str = ""
    by: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What the strata are made of, as `Plan.by` has it."""
        return tuple(self.by.split(", ")) if self.by else ()


class Review:
    """Verdicts in an append-only file: one JSON object a line.

    Opened again, it goes on where it was left; a line that a stop cut short is
    left out. The last verdict of a reviewer on a spot counts.

    Parameters
    ----------
    path : Path
        `review_path` of the dataset, or any other.
    reviewer : str
        Whose verdicts `judge` writes down.

    Attributes
    ----------
    entries : list of Entry
        All verdicts in the file, of all reviewers, in its order.
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
        self.plan: Plan | None = None
        self.entries: list[Entry] = []
        for line in read_lines(path, "the review"):
            self._replay(line)

    def _replay(self, line: dict[str, Any]) -> None:
        """Do as a line says; what says nothing is passed over."""
        self.plan = _plan(line) or self.plan
        if isinstance(line.get(_MERGED), list):
            found = (_entry(one) for one in line[_MERGED])
            self.entries.extend(entry for entry in found if entry is not None)
        elif (entry := _entry(line)) is not None:
            if "by" not in line and self.plan is not None:  # as files once were
                entry = replace(entry, by=", ".join(self.plan.by))
            self.entries.append(entry)

    def begin(self, plan: Plan) -> None:
        """Write down how the queue is drawn, unless that is what stands there.

        Raises
        ------
        SeeSpotError
            When the file cannot be written.
        """
        if plan != self.plan:
            self._append({"plan": asdict(plan)}, "the review")
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
        by = ", ".join(self.plan.by) if self.plan else ""
        entry = Entry(int(spot_id), verdict, stratum, self.reviewer, note, now, by)
        self._append(asdict(entry), "the verdict")
        self.entries.append(entry)
        return entry

    def merge(self, entries: Iterable[Entry]) -> list[Entry]:
        """Add verdicts of another file, and return those that were new.

        Of two verdicts of one reviewer on one spot the later one stays: people
        work on two computers, too. All are written in one line, so that half of
        a file is never taken in.

        Raises
        ------
        SeeSpotError
            When the file cannot be written; nothing is taken in then.
        """
        last = {(e.reviewer, e.spot_id): e.at for e in self.entries}
        new = []
        for entry in entries:
            key = (entry.reviewer, entry.spot_id)
            if key not in last or entry.at > last[key]:
                last[key] = entry.at
                new.append(entry)
        if new:
            lines = [asdict(entry) for entry in new]
            self._append({_MERGED: lines}, "the other review")
            self.entries.extend(new)
        return new

    def _append(self, line: dict[str, Any], what: str) -> None:
        fresh = not self.path.exists()
        append(self.path, line, what)
        if fresh:
            _settle(self.path.parent)

    def table(self) -> pd.DataFrame:
        """Return the verdicts that count, one row a spot and reviewer."""
        names = [field.name for field in fields(Entry)]
        last: dict[tuple[int, str], Entry] = {}
        for entry in self.entries:
            last.pop((entry.spot_id, entry.reviewer), None)  # to the end of the order
            last[entry.spot_id, entry.reviewer] = entry
        return pd.DataFrame([asdict(entry) for entry in last.values()], columns=names)

    def judged(self) -> set[int]:
        """Return the ids of the spots that this reviewer has judged."""
        return {e.spot_id for e in self.entries if e.reviewer == self.reviewer}


def read_review(path: Path) -> list[Entry]:
    """Return the verdicts of a reviewer's own file, or of an exported one.

    Parameters
    ----------
    path : Path
        The ending tells what it is: ``.jsonl``, or ``.csv`` with the columns of
        `Review.table`.

    Raises
    ------
    SeeSpotError
        When it cannot be read, or is not a review.
    """
    if not path.is_file():
        raise SeeSpotError("there is no such file", where=path)
    if path.suffix.lower() == ".csv":
        entries = _read_table(path)
    else:
        for number, line in enumerate(read_lines(path, "the review"), 1):
            if _plan(line) is None and _entry(line) is None and _MERGED not in line:
                raise _not_a_review(path, f"the {number}. line says something else")
        entries = Review(path, "").entries
    if not entries:
        raise _not_a_review(path, "there is no verdict in it")
    return entries


def _read_table(path: Path) -> list[Entry]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        text = f"the review cannot be read: {error.strerror}"
        raise SeeSpotError(text, where=path) from error
    except ValueError as error:  # pandas's own, and text that is not UTF-8
        raise _not_a_review(path, str(error)) from error
    known = {field.name for field in fields(Entry)}
    entries: list[Entry] = []
    for row in table.to_dict("records"):
        line = {str(name): value for name, value in row.items() if name in known}
        if str(line.get("spot_id")).isdecimal():
            line["spot_id"] = int(line["spot_id"])
        entry = _entry(line)
        if entry is None:
            raise _not_a_review(path, f"row {len(entries) + 1} is not a verdict")
        entries.append(entry)
    return entries


def _not_a_review(path: Path, why: str) -> SeeSpotError:
    return SeeSpotError(
        f"this is not a review: {why}",
        where=path,
        expected="the .jsonl file of a reviewer, or verdicts that were exported",
    )


def write_entries(path: Path, entries: Sequence[Entry], plan: Plan | None) -> None:
    """Write a file that another reviewer can take in.

    Raises
    ------
    SeeSpotError
        When it cannot be written.
    """
    lines: list[dict[str, Any]] = [{"plan": asdict(plan)}] if plan else []
    lines += [asdict(entry) for entry in entries]
    _write(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV.

    Raises
    ------
    SeeSpotError
        When it cannot be written.
    """
    _write(path, table.to_csv(index=False, lineterminator="\n"))


def _write(path: Path, text: str) -> None:
    """Write a file by way of a temporary one: whole, or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise SeeSpotError(
            f"the review cannot be exported: {error.strerror}", where=path
        ) from error


def _plan(line: dict[str, Any]) -> Plan | None:
    try:
        values = line["plan"]
        by = tuple(values["by"])
        plan = Plan(int(values["per_stratum"]), by, int(values["seed"]))
    except (KeyError, TypeError, ValueError):  # a verdict
        return None
    possible = plan.per_stratum > 0 and plan.seed >= 0 and bool(by)
    return plan if possible and set(by) <= set(BY) else None


def _entry(line: Any) -> Entry | None:
    try:
        entry = Entry(**line)
    except TypeError:  # a plan, or nothing of ours
        return None
    if type(entry.spot_id) is not int or not 0 <= entry.spot_id < 2**63:
        return None
    if entry.verdict not in VERDICTS:
        return None
    texts = [getattr(entry, name) for name in _TEXTS]
    whole = all(isinstance(text, str) for text in texts) and bool(entry.reviewer)
    return entry if whole and set(entry.parts) <= set(BY) else None


def _settle(folder: Path) -> None:
    """Have a new file's name on disk, too: not all systems can, nor need to."""
    with suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
