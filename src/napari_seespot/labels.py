"""Labels that a user gives to spots: they outlive filters, samples and restarts.

A label belongs to a spot, not to a row: it is kept by the spot's channel and
its number there, in a file of the dataset's own to which each change is
appended at once. Labels of spots that this table does not hold (another
sample of a server, another radius) stay in the file for the table that does.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_seespot._user_data import append, data_folder, read_lines
from napari_seespot.errors import StateError
from napari_seespot.recent import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_seespot.dataset import Dataset
    from napari_seespot.spots import Spots

__all__ = ["MAX_LENGTH", "Labels", "labels_path"]

MAX_LENGTH = 1000
"""Characters that a label may have: it is one cell of a table."""

_MAX_LABELS = 2**16 - 1


def labels_path(dataset: Dataset) -> Path:
    """Return the file that holds a dataset's labels; it need not exist yet."""
    source = without_credentials(dataset.uri)
    if "://" in source:  # the same data, however many of them were asked for
        source = source.partition("?")[0].rstrip("/")
    digest = hashlib.sha256(f"{dataset.name}\n{source}".encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", dataset.name)[:80].strip("._") or "dataset"
    return data_folder() / "labels" / f"{name}-{digest}.jsonl"


class Labels:
    """The labels of a dataset's spots.

    Parameters
    ----------
    dataset : Dataset
    path : Path, optional
        The file; `labels_path` by default.

    Attributes
    ----------
    changed : psygnal.Signal
        Emitted after a change, with the rows that have got another label.

    Raises
    ------
    SeeSpotError
        When the file is there and cannot be read.
    """

    changed = Signal(np.ndarray)

    def __init__(self, dataset: Dataset, path: Path | None = None) -> None:
        self._dataset = dataset
        self._spots = dataset.spots
        self.path = labels_path(dataset) if path is None else path
        self._keys = _Keys(dataset.spots)
        self._codes: np.ndarray | None = None  # most datasets have no labels
        self._names: list[str] = [""]
        self._code_of: dict[str, int] = {"": 0}
        self._replay(read_lines(self.path, "the labels"))

    def __repr__(self) -> str:
        return f"<Labels: {self.count:,} spots, {self.path}>"

    @property
    def count(self) -> int:
        """How many rows have a label."""
        return 0 if self._codes is None else int(np.count_nonzero(self._codes))

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each label, the labels sorted."""
        if self._codes is None:
            return {}
        totals = np.bincount(self._codes, minlength=len(self._names))
        found = zip(self._names, totals.tolist(), strict=True)
        return {name: n for name, n in sorted(found) if name and n}

    def get(self, rows: Any = None) -> np.ndarray:
        """Return the labels of rows, ``""`` for none; objects, shape (m,).

        Parameters
        ----------
        rows : array-like, optional
            Row numbers, or a boolean mask of shape (n,); all by default.
        """
        return np.asarray(np.array(self._names, object)[self.codes(rows)])

    def codes(self, rows: Any = None) -> np.ndarray:
        """Return a number for each row, the same for the same label; 0 for none."""
        picked: Any = slice(None) if rows is None else self._picked(rows)
        if self._codes is None:
            n = len(self._spots) if rows is None else len(picked)
            return np.zeros(n, np.uint16)
        return np.asarray(self._codes[picked])

    @property
    def ranks(self) -> np.ndarray:
        """The place of each number of `codes` in the order of the labels, int32."""
        ranks = np.empty(len(self._names), np.int32)
        order = sorted(range(len(self._names)), key=self._names.__getitem__)
        ranks[order] = np.arange(len(order))
        return ranks

    def column(self, rows: Any = None) -> Any:
        """Return the labels as a categorical, null for none; for tables."""
        codes = self.codes(rows).astype(np.int32) - 1
        return pd.Categorical.from_codes(codes, categories=pd.Index(self._names[1:]))

    def mask(self, label: str) -> np.ndarray:
        """Return which rows have a label (``""``: none); bool, shape (n,)."""
        code = self._code_of.get(label)
        if code is None:
            return np.zeros(len(self._spots), np.bool_)
        return np.asarray(self.codes() == code)

    def set(self, rows: Any, label: str) -> int:
        """Label rows; it is on disk when this returns.

        Parameters
        ----------
        rows : array-like
            Row numbers, or a boolean mask of shape (n,).
        label : str
            One line of text; ``""`` takes the label away.

        Returns
        -------
        int
            How many rows have got another label.

        Raises
        ------
        StateError
            For rows or a label that cannot be.
        SeeSpotError
            When it cannot be written; the labels stay as they were.
        """
        label = _checked(label)
        picked = np.unique(self._picked(rows))
        if label not in self._code_of and len(self._names) > _MAX_LABELS:
            raise StateError(f"there are {_MAX_LABELS:,} different labels already")
        picked = picked[self.codes(picked) != self._code_of.get(label, -1)]
        if len(picked):
            append(self.path, self._keys.entry(picked, label), "the label")
            self._put(picked, self._code(label))
            self.changed.emit(picked)
        return len(picked)

    def clear(self, rows: Any = None) -> int:
        """Take the labels of rows away, of all by default; return of how many."""
        if rows is None:
            rows = np.flatnonzero(self.codes())
        return self.set(rows, "")

    def entries(self) -> list[dict[str, Any]]:
        """Return the labels by spot, as `merge` takes them; what JSON can hold."""
        return [
            self._keys.entry(np.flatnonzero(self.mask(label)), label)
            for label in self.counts
        ]

    def merge(self, entries: Iterable[Mapping[str, Any]]) -> int:
        """Label spots that have none as another file says; return how many.

        Raises
        ------
        StateError
            When the entries are not what `Labels.entries` returned.
        """
        try:
            parts = [
                (_checked(entry["label"]), part)
                for entry in entries
                for part in _parts(entry)
            ]
        except _DAMAGED:
            raise StateError("the saved labels are damaged") from None
        changed = 0
        for label, (group, ids) in parts:
            rows, _ = self._keys.find(group, np.unique(ids))
            changed += self.set(rows[self.codes(rows) == 0], label)
        return changed

    def _replay(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Do as the lines of the file say; those that say nothing are passed over.

        All at once: to look each line's spots up by itself would take a walk
        through the table for each.
        """
        found: dict[_Group, list[tuple[np.ndarray, int]]] = {}
        for entry in entries:
            try:
                label, parts = _checked(entry.get("label")), _parts(entry)
            except _DAMAGED:
                continue
            if label not in self._code_of and len(self._names) > _MAX_LABELS:
                continue
            for group, ids in parts:
                found.setdefault(group, []).append((ids, self._code(label)))
        for group, lines in found.items():
            ids = np.concatenate([ids for ids, _ in lines])
            codes = np.repeat([code for _, code in lines], [len(i) for i, _ in lines])
            # Backwards, since the first of each is taken and the last line counts.
            ids, first = np.unique(ids[::-1], return_index=True)
            rows, places = self._keys.find(group, ids)
            if len(rows):
                self._put(rows, codes[::-1][first][places])

    def _code(self, label: str) -> int:
        if label not in self._code_of:
            self._code_of[label] = len(self._names)
            self._names.append(label)
        return self._code_of[label]

    def _put(self, rows: np.ndarray, codes: Any) -> None:
        if self._codes is None:
            self._codes = np.zeros(len(self._spots), np.uint16)
        self._codes[rows] = codes

    def _picked(self, rows: Any) -> np.ndarray:
        rows, n = np.atleast_1d(np.asarray(rows)), len(self._spots)
        if rows.dtype == np.bool_ and rows.shape == (n,):
            return np.flatnonzero(rows)
        if rows.size == 0:
            return np.zeros(0, np.int64)
        if rows.dtype.kind not in "iu" or rows.ndim != 1:
            raise StateError(
                f"labels are not given to {rows.dtype} values of shape {rows.shape}",
                expected=f"row numbers, or a boolean array of shape ({n},)",
            )
        if rows.min() < 0 or rows.max() >= n:
            raise StateError(
                f"there is no row {rows.max() if rows.max() >= n else rows.min()}",
                where=self._dataset.name,
                expected=f"0 to {n - 1}",
            )
        return np.asarray(rows, np.int64)


def _checked(label: Any) -> str:
    if not isinstance(label, str):
        raise StateError(f"a label cannot be {label!r}", expected="text")
    text = " ".join(label.split())  # one line: it is a cell of a table
    if len(text) > MAX_LENGTH:
        raise StateError(
            f"the label has {len(text):,} characters", expected=f"{MAX_LENGTH} at most"
        )
    return text


class _Keys:
    """From rows to what names a spot in a file, and back.

    A spot is named by its channel (and tile) and its number there. Where a table
    has no such numbers, or they are not its own, by its `spot_id`.
    """

    def __init__(self, spots: Spots) -> None:
        self._spots = spots
        self._tested: bool | None = None

    @property
    def by_channel(self) -> bool:
        """Whether channel and number name one spot each; found out once."""
        if self._tested is None:
            self._tested = "chan_spot_id" in self._spots.columns and self._unique()
        return self._tested

    def _unique(self) -> bool:
        # One group after the other: some bytes a spot, and not for long.
        numbers = self._spots.column("chan_spot_id")
        for _, group in self._groups():
            part = numbers[group]
            if len(part) == 0:
                continue
            low, high = int(part.min()), int(part.max())
            if high - low < 8 * len(part) + 1000:
                seen = np.zeros(high - low + 1, np.bool_)
                seen[part - low] = True
                unique = int(np.count_nonzero(seen))
            else:
                unique = len(np.unique(part))
            if unique != len(part):
                return False
        return True

    def _groups(self, rows: np.ndarray | None = None) -> Any:
        """Yield each channel, or channel and tile, and which rows belong to it."""
        spots = self._spots
        pick: Any = slice(None) if rows is None else rows
        chan = spots.class_of_code("chan")[spots.code[pick]]
        tiles = spots.categories.get("tile", ())
        tile = spots.codes("tile")[pick] if len(tiles) > 1 else None
        for place, channel in enumerate(spots.channels):
            if tile is None:
                yield {"chan": channel}, chan == place
                continue
            for number, name in enumerate(tiles):
                group = (chan == place) & (tile == number)
                yield {"chan": channel, "tile": name}, group

    def entry(self, rows: np.ndarray, label: str) -> dict[str, Any]:
        """Return what a file says of rows that have a label."""
        if not self.by_channel:
            ids = self._spots.column("spot_id")[rows].tolist()
            return {"label": label, "spot_id": ids}
        numbers = self._spots.column("chan_spot_id")[rows]
        groups = [
            {**name, "ids": numbers[group].tolist()}
            for name, group in self._groups(rows)
            if group.any()
        ]
        return {"label": label, "spots": groups}

    def find(self, group: _Group, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of spots that this table holds, and their places in `ids`.

        Parameters
        ----------
        group : tuple of str
        ids : ndarray of int64, shape (m,)
            Sorted, each once.
        """
        rows = np.zeros(0, np.int64)
        if group == _BY_SPOT_ID:
            numbers = self._spots.column("spot_id")
            rows = np.flatnonzero(np.isin(numbers, ids))
        elif self.by_channel:
            numbers = self._spots.column("chan_spot_id")
            for name, member in self._groups():
                if group == (name["chan"], name.get("tile", "")):
                    rows = np.flatnonzero(member)
                    rows = rows[np.isin(numbers[rows], ids)]
        else:
            return rows, rows
        return rows, np.searchsorted(ids, numbers[rows])


_Group = tuple[str, str]
_BY_SPOT_ID: _Group = ("spot_id", "spot_id")
_DAMAGED = (AttributeError, KeyError, OverflowError, TypeError, ValueError, StateError)


def _parts(entry: Mapping[str, Any]) -> list[tuple[_Group, np.ndarray]]:
    """Return the spots that an entry is about: groups, and numbers in them."""
    if "spot_id" in entry:
        return [(_BY_SPOT_ID, _ids(entry["spot_id"]))]
    return [
        ((str(group["chan"]), str(group.get("tile", ""))), _ids(group["ids"]))
        for group in entry["spots"]
    ]


def _ids(values: Any) -> np.ndarray:
    ids = np.asarray(values)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise ValueError("no list of whole numbers")
    return ids.astype(np.int64)
