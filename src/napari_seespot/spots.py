"""The columnar table of an imaging round's spots: compact, immutable, exact.

A row is a detected spot. Its channel and its unmixed channel are packed into
one small integer, the *code*, from which status, classes, filters and colours
follow by table look-up.
"""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from napari_seespot.columns import NULL_BOOL, as_integer, intensity_column
from napari_seespot.errors import NotFoundError, TableError
from napari_seespot.priority import row_order
from napari_seespot.typed import BOOLEANS, typed_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from pathlib import Path

__all__ = ["CLASSES", "STATUSES", "Counter", "Spots"]

STATUSES = ("unchanged", "reassigned", "removed")
"""The three disjoint statuses of a spot, in the order of their codes."""

CLASSES = ("chan", "unmixed_chan", "status")
"""What rows can be counted and coloured by, besides numeric columns."""

REMOVED = STATUSES[2]

_CHUNK = 1 << 18

_FEW = 4
"""Up to so many ids are looked for row by row, 4 ms each among 8 million."""


class Counter(Protocol):
    """Counts over all rows of a table somewhere else: in parts, on a cluster."""

    def count_codes(self, spots: Spots, where: np.ndarray | None) -> np.ndarray:
        """Return how many rows have each code, int64, shape (n_codes,)."""
        ...

    def density(
        self, spots: Spots, x_channel: str, y_channel: str, **options: Any
    ) -> Any:
        """Return what `napari_seespot.density` does."""
        ...


class Spots:
    """All spots of a dataset, in row order.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Arrays of shape (n,), already typed; `code` among them.
    channels : sequence of str
        What the codes count.
    categories : mapping of str to sequence of str, optional
        The names behind columns of small codes (``"tile"``, ``"round"``).
    genes : mapping of str to str, optional
        A gene for each channel.
    file : Path, optional
        The cache file that the columns are mapped from.
    counter : Counter, optional
        What counts over all rows run on, where that is not this process.

    Notes
    -----
    `Spots.from_columns` builds one from a table as it comes.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        *,
        channels: Sequence[str],
        categories: Mapping[str, Sequence[str]] | None = None,
        genes: Mapping[str, str] | None = None,
        file: Path | None = None,
        counter: Counter | None = None,
    ) -> None:
        frozen = {name: _read_only(array) for name, array in columns.items()}
        self._columns = MappingProxyType(frozen)
        self.channels = tuple(channels)
        self.categories = MappingProxyType(
            {name: tuple(names) for name, names in (categories or {}).items()}
        )
        self.genes = dict(genes or {})
        self.file = file
        self.counter = counter

    @classmethod
    def from_pandas(
        cls,
        table: pd.DataFrame,
        channels: Sequence[str] | None = None,
        genes: Mapping[str, str] | None = None,
        *,
        where: str = "table",
        ordered: bool = False,
    ) -> Spots:
        """Build the spots from a merged table; see `from_columns`."""
        raw = {str(name): table[name].to_numpy() for name in table.columns}
        return cls.from_columns(
            raw, channels=channels, genes=genes, where=where, ordered=ordered
        )

    @classmethod
    def from_columns(
        cls,
        raw: MutableMapping[str, Any],
        *,
        channels: Sequence[str] | None = None,
        genes: Mapping[str, str] | None = None,
        where: str = "table",
        ordered: bool = False,
    ) -> Spots:
        """Build the spots from the columns of a merged table.

        Parameters
        ----------
        raw : mutable mapping of str to array-like, each of shape (n,)
            Columns with their names on disk. It is emptied on the way, so that
            a table of millions is never in memory twice.
        channels : sequence of str, optional
            The spot channels; those with an intensity column by default.
        genes : mapping of str to str, optional
            A gene for each channel.
        where : str
            The file or address, for messages.
        ordered : bool
            The rows are in the index's order already.

        Raises
        ------
        TableError
            When a needed column is missing, or a column holds what it must not.
        """
        columns, categories, found = typed_columns(raw, channels=channels, where=where)
        if not ordered:
            order = row_order(columns["spot_id"], columns["z"])
            for name in columns:
                columns[name] = columns[name][order]
        return cls(columns, channels=found, categories=categories, genes=genes)

    def replace(self, **changes: Any) -> Spots:
        """Return the same table with another `genes`, `file`, `counter`, ..."""
        parts: dict[str, Any] = {
            "columns": self._columns,
            "channels": self.channels,
            "categories": self.categories,
            "genes": self.genes,
            "file": self.file,
            "counter": self.counter,
        }
        return Spots(**{**parts, **changes})

    def part(self, rows: slice, names: Sequence[str] | None = None) -> Spots:
        """Return a slice of the rows, not copied, as a table of its own.

        Parameters
        ----------
        rows : slice
        names : sequence of str, optional
            The columns that it needs to have; `code` is always there.
        """
        wanted = self._columns if names is None else ("code", *names)
        columns = {name: self._columns[name][rows] for name in wanted}
        known = {n: names for n, names in self.categories.items() if n in columns}
        return self.replace(columns=columns, categories=known, file=None, counter=None)

    def __len__(self) -> int:
        return len(self._columns["code"])

    def __repr__(self) -> str:
        return f"<Spots: {len(self):,} in {', '.join(self.channels)}>"

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """The stored arrays by name, each read-only and of shape (n,)."""
        return self._columns

    @property
    def nbytes(self) -> int:
        """Bytes of all columns; those of a cached dataset are mapped, not held."""
        return sum(array.nbytes for array in self._columns.values())

    @property
    def code(self) -> np.ndarray:
        """Channel and unmixed channel in one number, shape (n,).

        ``chan * (n_channels + 1) + unmixed``, where `unmixed` is `n_channels`
        for a removed spot.
        """
        return self._columns["code"]

    @property
    def numeric_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold numbers."""
        hidden = {"code", *self.categories}
        return tuple(name for name in self._columns if name not in hidden)

    def column(self, name: str) -> np.ndarray:
        """Return a numeric column, shape (n,), read-only.

        Raises
        ------
        NotFoundError
            When there is no such column of numbers.
        """
        if name not in self._columns or name in ("code", *self.categories):
            raise NotFoundError(
                f"there is no numeric column {name!r}",
                expected=f"one of {', '.join(self.numeric_columns)}",
            )
        return self._columns[name]

    def intensity(self, channel: str) -> np.ndarray:
        """Return the intensities in a channel, fg - bg, shape (n,)."""
        return self.column(intensity_column(channel))

    def class_names(self, by: str) -> tuple[str, ...]:
        """Return the names of the classes that `codes` counts."""
        if by == "status":
            return STATUSES
        if by == "chan":
            return self.channels
        if by == "unmixed_chan":
            return (*self.channels, REMOVED)
        if by in self.categories:
            return self.categories[by]
        raise NotFoundError(
            f"there are no classes {by!r}",
            expected=f"one of {', '.join((*CLASSES, *self.categories))}",
        )

    def class_of_code(self, by: str) -> np.ndarray:
        """Return the class that each value of `code` belongs to, uint8.

        The table has an entry for each pair of channel and unmixed channel, so
        that a question about a class is a look-up in `code`.
        """
        n = len(self.channels)
        chan, unmixed = np.divmod(np.arange(n * (n + 1)), n + 1)
        if by == "chan":
            table = chan
        elif by == "unmixed_chan":
            table = unmixed
        elif by == "status":
            table = np.where(unmixed == n, 2, (unmixed != chan).astype(int))
        else:
            raise NotFoundError(
                f"{by!r} does not follow from the channels",
                expected=f"one of {', '.join(CLASSES)}",
            )
        return table.astype(np.uint8)

    def codes(self, by: str) -> np.ndarray:
        """Return each row's place in `class_names(by)`, shape (n,)."""
        if by in self.categories:
            return self._columns[by]
        return np.asarray(self.class_of_code(by)[self.code])

    @property
    def status(self) -> pd.Series:
        """Each row's status: unchanged, reassigned or removed."""
        return pd.Series(self._categorical("status", slice(None)), name="status")

    @cached_property
    def _row_of_id(self) -> tuple[np.ndarray, np.ndarray]:
        ids = self._columns["spot_id"]
        order = np.argsort(ids, kind="stable").astype(np.int32)
        return ids[order], order

    def rows_of(self, spot_ids: Any) -> np.ndarray:
        """Return the rows of these spots, in their order.

        Raises
        ------
        NotFoundError
            When an id is not in the table.
        """
        wanted = np.atleast_1d(np.asarray(spot_ids))
        if wanted.size == 0:
            return np.zeros(0, np.int64)
        if wanted.dtype.kind not in "iu":
            wanted = as_integer(wanted, column="spot_id", where="spot_ids")
        if wanted.size <= _FEW:
            return self._search(wanted)
        ids, order = self._row_of_id
        place = np.searchsorted(ids, wanted)
        known = place < len(ids)
        known[known] = ids[place[known]] == wanted[known]
        if not known.all():
            missing = wanted[~known]
            raise self._unknown(len(missing), len(wanted), missing[0])
        return order[place].astype(np.int64)

    def _search(self, wanted: np.ndarray) -> np.ndarray:
        """Look for a few ids in all rows: no table of 100 million has to be sorted."""
        ids = self._columns["spot_id"]
        found = [np.flatnonzero(ids == spot_id) for spot_id in wanted]
        missing = [i for i, rows in zip(wanted, found, strict=True) if not rows.size]
        if missing:
            raise self._unknown(len(missing), len(wanted), missing[0])
        return np.concatenate(found)

    def _unknown(self, missing: int, asked: int, first: int) -> NotFoundError:
        ids = self._columns["spot_id"]
        return NotFoundError(
            f"{missing:,} of {asked:,} spots are not in the table, the first is "
            f"spot_id {first}",
            expected=f"spot_id from {ids.min()} to {ids.max()}" if len(ids) else None,
        )

    def to_pandas(
        self, columns: Sequence[str] | None = None, rows: Any = None
    ) -> pd.DataFrame:
        """Return spots as a table with compact dtypes, one row a spot.

        Parameters
        ----------
        columns : sequence of str, optional
            Names on disk, and ``"status"``; all of them by default.
        rows : ndarray, optional
            Row numbers, or a boolean mask of shape (n,); all by default.

        Returns
        -------
        DataFrame
            Its index holds the row numbers. z, y and x are the sub-voxel
            positions, in voxels of level 0.
        """
        pick: Any = slice(None)
        if rows is not None:
            pick = np.asarray(rows)
            pick = np.flatnonzero(pick) if pick.dtype == np.bool_ else pick
        index = pd.RangeIndex(len(self)) if rows is None else pd.Index(pick)
        names = self.column_names if columns is None else tuple(columns)
        data = {name: self._pandas_column(name, pick) for name in names}
        return pd.DataFrame(data, index=index, copy=False)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns of `to_pandas`, in its order."""
        lead = ("spot_id", "chan", "chan_spot_id", "cell_id", "round", "tile")
        stored = [name for name in self._columns if name != "code"]
        first = [name for name in lead if name in stored or name == "chan"]
        rest = [name for name in stored if name not in first]
        return (*first, *rest, "unmixed_chan", "status")

    def _pandas_column(self, name: str, pick: Any) -> Any:
        if name in CLASSES or name in self.categories:
            return self._categorical(name, pick)
        if name == "unmixed_removed":
            return (self.class_of_code("status") == 2)[self.code[pick]]
        if name not in self._columns or name == "code":
            raise NotFoundError(
                f"there is no column {name!r}",
                expected=f"one of {', '.join(self.column_names)}",
            )
        values = self._columns[name][pick]
        if name in BOOLEANS:
            if name in self._with_null:
                return pd.arrays.BooleanArray(values == 1, values == NULL_BOOL)
            return values == 1
        return values

    @cached_property
    def _with_null(self) -> frozenset[str]:
        # Of all rows, so that a column's dtype does not depend on those chosen.
        booleans = [name for name in BOOLEANS if name in self._columns]
        return frozenset(
            name for name in booleans if (self._columns[name] == NULL_BOOL).any()
        )

    def _categorical(self, by: str, pick: Any) -> Any:
        names = self.class_names(by)
        if by in self.categories:
            codes: Any = self._columns[by][pick]
        else:
            codes = self.class_of_code(by)[self.code[pick]]
            codes = codes.astype(np.int8 if len(names) < 128 else np.int16)
        if by == "unmixed_chan":  # a removed spot has none: null, as on disk
            codes[codes == len(self.channels)] = -1
            names = self.channels
        return pd.Categorical.from_codes(codes, categories=pd.Index(names))

    def sample(
        self, n: int, by: str | None = "chan", seed: int = 0, where: Any = None
    ) -> pd.DataFrame:
        """Return `n` different spots at random, or all where there are fewer.

        Parameters
        ----------
        n : int
        by : str or None
            Classes that get equal shares (a class with fewer spots gives all
            it has, the others share the rest); None draws from all rows alike.
        seed : int
            The same seed draws the same spots.
        where : ndarray of bool, shape (n,), optional
            The rows to draw from.
        """
        return self.to_pandas(rows=self.sample_rows(n, by=by, seed=seed, where=where))

    def sample_rows(
        self, n: int, by: str | None = "chan", seed: int = 0, where: Any = None
    ) -> np.ndarray:
        """Return the row numbers that `sample` draws, in row order."""
        if n < 0:
            raise TableError(f"a sample of {n} spots was asked for", expected="n >= 0")
        rng = np.random.default_rng(seed)
        rows = np.arange(len(self)) if where is None else np.flatnonzero(where)
        if by is None:
            return np.sort(rng.choice(rows, min(n, len(rows)), replace=False))
        codes = self.codes(by)[rows]
        groups = [rows[codes == code] for code in range(len(self.class_names(by)))]
        shares = _equal_shares([len(group) for group in groups], n)
        drawn = [
            rng.choice(group, share, replace=False)
            for group, share in zip(groups, shares, strict=True)
        ]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *drawn]))

    def flow(self, where: np.ndarray | None = None) -> pd.DataFrame:
        """Return exact counts from detected to unmixed channel.

        Parameters
        ----------
        where : ndarray of bool, shape (n,), optional
            The rows to count.

        Returns
        -------
        DataFrame of int64
            Rows `chan`, columns `unmixed_chan` and ``"removed"``.
        """
        n = len(self.channels)
        if self.counter is None:
            counts = self._count_codes(where)
        else:
            counts = self.counter.count_codes(self, where)
        return pd.DataFrame(
            counts.reshape(n, n + 1).astype(np.int64),
            index=pd.Index(self.channels, name="chan"),
            columns=pd.Index((*self.channels, REMOVED), name="unmixed_chan"),
        )

    def _count_codes(self, where: np.ndarray | None) -> np.ndarray:
        n = len(self.channels)
        counts = np.zeros(n * (n + 1), np.int64)
        # By chunks: numpy.bincount makes a copy of 8 bytes a row of what it counts.
        for start in range(0, len(self), _CHUNK):
            rows = slice(start, start + _CHUNK)
            code = self.code[rows] if where is None else self.code[rows][where[rows]]
            counts += np.bincount(code, minlength=len(counts))
        return counts

    def memory_report(self) -> pd.DataFrame:
        """Return bytes by column, as pandas would hold the table and as here.

        Returns
        -------
        DataFrame
            Columns `dtype`, `bytes`, `pandas_bytes` (float64, int64 and object
            columns: 8 bytes a number, 8 a pointer and 52 a text of three
            letters) and `saved`, the share from 0 to 1.
        """
        rows = []
        for name, array in self._columns.items():
            text = 2 if name == "code" else int(name in self.categories)
            plain = len(self) * (60 * text if text else _plain_bytes(name))
            saved = 1 - array.nbytes / plain if plain else 0.0
            rows.append((name, str(array.dtype), array.nbytes, plain, saved))
        names = ["column", "dtype", "bytes", "pandas_bytes", "saved"]
        return pd.DataFrame(rows, columns=names).set_index("column")


def _plain_bytes(name: str) -> int:
    return 1 if name in BOOLEANS else 8


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _equal_shares(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many each class gives: equal shares, capped by its size."""
    shares = [0] * len(sizes)
    left = min(n, sum(sizes))
    by_size = sorted(range(len(sizes)), key=lambda place: sizes[place])
    for done, place in enumerate(by_size):
        shares[place] = min(sizes[place], left // (len(sizes) - done))
        left -= shares[place]
    return shares
