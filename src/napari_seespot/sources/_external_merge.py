"""Tables in row order become one table in row order, larger than memory.

Each table is four runs that are sorted by z (`napari_seespot.priority`). The runs
of all tables are walked through together, one window in z after the other: its
rows get their new ids, are ordered, and are added to the ends of the four levels
of the result, which are files. Every row is read once and written once, and only
a window of them is in memory.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import NULL_BOOL, intensity_channels, intensity_column
from napari_seespot.priority import (
    LEVEL_LIMITS,
    level_of,
    level_slices,
    priority,
    row_order,
)
from napari_seespot.spots import Spots
from napari_seespot.typed import BOOLEANS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_seespot.sources._task import Task

__all__ = ["WINDOW_ROWS", "merge_ordered", "new_ids"]

WINDOW_ROWS = 1 << 21
"""Rows that are in memory at once, about: 100 to 200 bytes each."""

_SAMPLES = 64  # of z for each window: windows differ by some percent in size


def merge_ordered(
    tables: Sequence[Spots],
    labels: Mapping[str, Sequence[str]],
    folder: Path,
    task: Task,
) -> Spots:
    """Return all rows of all tables as one table in row order.

    Columns that a table lacks hold its nulls there: NaN, 0 for whole numbers, an
    unknown boolean, an empty name.

    Parameters
    ----------
    tables : sequence of Spots
        Each in row order; mapped files are read through once.
    labels : mapping of str to sequence of str
        Categories that are added, with a name for each table.
    folder : Path
        Where the columns are written, into files without a name: they are gone
        with the last array that looks into them.
    task : Task
        Progress and cancelling.

    Raises
    ------
    OSError
        When the disk is full.
    """
    plan = _Plan.of(tables, labels)
    total = sum(map(len, tables))
    counts = np.zeros(len(LEVEL_LIMITS), np.int64)
    for place, table in enumerate(tables):
        task.step(0.1 * place / len(tables), "counting the spots")
        for start in range(0, len(table), WINDOW_ROWS):
            ids = plan.ids(place, slice(start, start + WINDOW_ROWS))
            counts += np.bincount(level_of(priority(ids)), minlength=len(counts))
    starts = np.cumsum(counts) - counts
    with ExitStack() as files:
        out = {
            name: files.enter_context(_Column(folder, dtype, total, starts))
            for name, dtype in plan.dtypes.items()
        }
        _fill(out, plan, task, total)
        columns = {name: column.mapped() for name, column in out.items()}
    return Spots(columns, channels=plan.channels, categories=plan.categories)


def _fill(out: Mapping[str, _Column], plan: _Plan, task: Task, total: int) -> None:
    """Write all rows, one window after the other."""
    done, levels = 0, len(LEVEL_LIMITS)
    for window in _windows(plan.tables):
        task.step(0.1 + 0.9 * done / max(total, 1), "merging the tables")
        done += sum(rows.stop - rows.start for _, rows in window)
        ids = np.concatenate([plan.ids(place, rows) for place, rows in window])
        z = np.concatenate([plan.values("z", place, rows) for place, rows in window])
        order = row_order(ids, z)
        ends = np.bincount(level_of(priority(ids)), minlength=levels).cumsum()
        for name, column in out.items():
            parts = [plan.values(name, place, rows) for place, rows in window]
            column.append(np.split(np.concatenate(parts)[order], ends[:-1]))


def new_ids(tables: Sequence[Spots]) -> tuple[int, ...] | None:
    """Return what is added to each table's ids to make them differ from all others.

    None where that is not possible, since a table's ids are not counted from 1:
    rows are then numbered anew.
    """
    offsets, end = [], 0
    for table in tables:
        offsets.append(end)
        ids = table.column("spot_id")
        if len(ids):
            if int(ids.min()) < 1:
                return None
            end += int(ids.max())
    return tuple(offsets) if end < 2**53 else None


@dataclass(frozen=True)
class _Plan:
    """What the columns of the result are, and how each table's rows become it."""

    tables: Sequence[Spots]
    channels: tuple[str, ...]
    dtypes: Mapping[str, np.dtype[Any]]
    categories: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Sequence[str]]
    offsets: tuple[int, ...] | None

    @classmethod
    def of(cls, tables: Sequence[Spots], labels: Mapping[str, Sequence[str]]) -> _Plan:
        channels = intensity_channels(
            intensity_column(c) for table in tables for c in table.channels
        )
        categories = {name: _unique(words) for name, words in labels.items()}
        named = dict.fromkeys(n for t in tables for n in t.categories)
        for name in named:
            if name not in categories:
                missing = any(name not in t.categories for t in tables)
                found = [w for t in tables for w in t.categories.get(name, ())]
                categories[name] = _unique([*found, *([""] if missing else [])])
        dtypes: dict[str, np.dtype[Any]] = {}
        for name in dict.fromkeys(n for t in tables for n in t.columns):
            own = [t.columns[name].dtype for t in tables if name in t.columns]
            dtypes[name] = np.result_type(*own)
        for name, words in categories.items():
            dtypes[name] = np.dtype(np.int8 if len(words) < 128 else np.int32)
        n_codes = len(channels) * (len(channels) + 1)
        dtypes["code"] = np.dtype(np.uint8 if n_codes <= 256 else np.uint16)
        offsets = new_ids(tables)
        last = sum(map(len, tables))
        if offsets:
            last = max(
                (int(t.column("spot_id").max()) + o) if len(t) else 0
                for t, o in zip(tables, offsets, strict=True)
            )
        dtypes["spot_id"] = np.dtype(np.int32 if last < 2**31 else np.int64)
        return cls(tables, channels, dtypes, categories, labels, offsets)

    def ids(self, place: int, rows: slice) -> np.ndarray:
        """Return the new ids of a table's rows."""
        if self.offsets is None:
            first = 1 + sum(len(table) for table in self.tables[:place])
            start, stop, _ = rows.indices(len(self.tables[place]))
            return np.arange(first + start, first + stop, dtype=self.dtypes["spot_id"])
        own = self.tables[place].column("spot_id")[rows]
        dtype = self.dtypes["spot_id"].type
        return np.asarray(own.astype(dtype) + dtype(self.offsets[place]))

    def values(self, name: str, place: int, rows: slice) -> np.ndarray:
        """Return a column of some rows of a table, as the result has it."""
        table, dtype = self.tables[place], self.dtypes[name]
        n = rows.stop - rows.start
        if name == "spot_id":
            return self.ids(place, rows)
        if name == "code":
            return np.asarray(self._codes(table)[table.code[rows]].astype(dtype))
        if name in self.labels:
            word = self.labels[name][place]
            return np.full(n, self.categories[name].index(word), dtype)
        if name in self.categories:
            words = self.categories[name]
            if name not in table.categories:
                return np.full(n, words.index(""), dtype)
            places = np.array([words.index(w) for w in table.categories[name]], dtype)
            return np.asarray(places[table.columns[name][rows]])
        if name not in table.columns:
            return np.full(n, _null(name, dtype), dtype)
        return table.columns[name][rows]

    def _codes(self, table: Spots) -> np.ndarray:
        """Return the new code of each of a table's own codes."""
        own, n = len(table.channels), len(self.channels)
        chan, unmixed = np.divmod(np.arange(own * (own + 1)), own + 1)
        places = np.array([*map(self.channels.index, table.channels), n])
        return np.asarray(places[chan] * (n + 1) + places[unmixed])


def _unique(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _null(name: str, dtype: np.dtype[Any]) -> float:
    if name in BOOLEANS:
        return NULL_BOOL
    return np.nan if dtype.kind == "f" else 0


def _windows(tables: Sequence[Spots]) -> Iterator[list[tuple[int, slice]]]:
    """Give the rows of one window in z after the other: (table, rows) of each run."""
    runs = [
        (place, start, stop)
        for place, table in enumerate(tables)
        for start, stop in level_slices(table.column("spot_id"))
        if stop > start
    ]
    ends = [start for _, start, _ in runs]
    for limit in [*_limits(tables), None]:
        window = []
        for i, (place, _, stop) in enumerate(runs):
            first, last = ends[i], stop  # in the last window also rows without z
            if limit is not None:
                z = tables[place].column("z")[first:stop]
                last = first + int(np.searchsorted(z, limit, side="right"))
            if last > first:
                window.append((place, slice(first, last)))
                ends[i] = last
        if window:
            yield window


def _limits(tables: Sequence[Spots]) -> np.ndarray:
    """Return where windows of about `WINDOW_ROWS` rows end in z, but for the last."""
    total = sum(map(len, tables))
    windows = -(-total // WINDOW_ROWS)
    step = max(1, total // (_SAMPLES * max(windows, 1)))
    z = np.concatenate([table.column("z")[::step] for table in tables])
    z = np.sort(z[~np.isnan(z)])
    places = np.arange(1, windows) * len(z) // max(windows, 1)
    return np.unique(z[places]) if len(z) else z


class _Column:
    """A column that grows at the ends of its four levels, in a file."""

    def __init__(
        self, folder: Path, dtype: np.dtype[Any], n: int, starts: np.ndarray
    ) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # see __exit__
        self._dtype, self._n = dtype, n
        self._ends = starts.copy()

    def __enter__(self) -> _Column:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()  # what is mapped stays

    def append(self, levels: Sequence[np.ndarray]) -> None:
        """Add rows to each level."""
        for level, values in enumerate(levels):
            self._file.seek(int(self._ends[level]) * self._dtype.itemsize)
            # Written, not mapped: a full disk is then an error and not a crash.
            self._file.write(np.ascontiguousarray(values, self._dtype).data)
            self._ends[level] += len(values)

    def mapped(self) -> np.ndarray:
        """Return the whole column, read-only, as a view of the file."""
        self._file.flush()
        if not self._n:
            return np.zeros(0, self._dtype)
        return np.asarray(np.memmap(self._file, self._dtype, "r", shape=(self._n,)))
