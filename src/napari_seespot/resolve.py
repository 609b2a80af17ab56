"""What to show: a state and a dataset, resolved.

Pure: the same state and dataset give the same `View`. Masks over all rows are
computed when first asked for and taken over from the previous view while what
they depend on is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunks import each_chunk, frozen
from napari_seespot.axis_rules import AxisRules
from napari_seespot.coloring import Coloring, make_coloring
from napari_seespot.columns import NULL_BOOL
from napari_seespot.typed import BOOLEANS

if TYPE_CHECKING:
    import pandas as pd

    from napari_seespot.axis_scales import AxisScale
    from napari_seespot.dataset import Dataset
    from napari_seespot.gates import Gate
    from napari_seespot.spots import Spots
    from napari_seespot.state import Filters, State

__all__ = ["Mask", "View", "changes", "resolve"]

_CHUNK = 1 << 18  # rows whose columns fit the processor's cache together
_FEW_ROWS = 1 << 14  # for these numpy is fast enough without loading numba
_EVERY_ROW = frozen([], np.bool_)


@dataclass(frozen=True, eq=False)
class Mask:
    """Which rows pass the filters.

    Attributes
    ----------
    spots : Spots
    codes : ndarray of bool, shape (n_codes,)
        The codes (channel and unmixed channel) that pass.
    ranges : tuple of (str, float, float)
        Column, low and high; both ends included.
    valid_only : bool
    code_parts : tuple of (str, ndarray of bool)
        Of what `codes` was put together: ``"status"``, ``"chan"``,
        ``"unmixed_chan"`` and the codes that each lets pass.
    cells : tuple of int, or None
        Sorted; the cells of which the spots pass, None for all.
    """

    spots: Spots
    codes: np.ndarray
    ranges: tuple[tuple[str, float, float], ...] = ()
    valid_only: bool = False
    code_parts: tuple[tuple[str, np.ndarray], ...] = ()
    cells: tuple[int, ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes two masks of one table the same."""
        parts = tuple((name, codes.tobytes()) for name, codes in self.code_parts)
        filters = (self.ranges, self.valid_only, self.cells)
        return (self.codes.tobytes(), parts, *filters)

    @property
    def by_code(self) -> bool:
        """Whether the codes alone decide."""
        return not self.ranges and not self.valid_only and self.cells is None

    def without(self, column: str) -> Mask:
        """Return the mask without a column's range: what its slider is set on."""
        ranges = tuple(entry for entry in self.ranges if entry[0] != column)
        return self if ranges == self.ranges else replace(self, ranges=ranges)

    def of(self, rows: Any) -> np.ndarray:
        """Return whether each of some rows passes; bool, shape (m,)."""
        code, passes = self.spots.code[rows], self.in_ranges(rows)
        if code.dtype == np.uint8 and len(code) > _FEW_ROWS:
            from napari_seespot._kernels import look_up

            named = np.empty(len(code), np.bool_)
            look_up(named, frozen(code, np.uint8), frozen(self.codes, np.bool_))
        else:
            named = self.codes[code]
        if passes is not None:
            named &= passes
        return named

    def in_ranges(self, rows: Any) -> np.ndarray | None:
        """Return whether each of some rows passes all but the codes' filters.

        bool, shape (m,); None where nothing but the codes decides.
        """
        if self.by_code:
            return None
        code = self.spots.code[rows]
        passes = np.ones(len(code), np.bool_)
        for column, low, high in self.ranges:
            values = self.spots.column(column)[rows]
            if values.dtype == np.float32 and len(values) > _FEW_ROWS:
                from napari_seespot._kernels import narrow

                with np.errstate(over="ignore"):
                    ends = np.float32(low), np.float32(high)
                narrow(
                    passes, frozen(values, np.float32), float(ends[0]), float(ends[1])
                )
                continue
            # NaN compares false: a row without a value does not pass.
            with np.errstate(over="ignore"):  # an end beyond float32 is infinite
                passes &= values >= low
                passes &= values <= high
            if column in BOOLEANS:
                passes &= values != NULL_BOOL
        if self.valid_only:
            passes &= self.spots.column("valid_spot")[rows] == 1
        if self.cells is not None:
            passes &= np.isin(self.spots.column("cell_id")[rows], self._cells)
        return passes

    @cached_property
    def _cells(self) -> np.ndarray:
        return np.array(self.cells or (), np.int64)

    @cached_property
    def rows(self) -> np.ndarray | None:
        """Return whether each row passes; bool, shape (n,); None where all do."""
        if self.by_code and self.codes.all():
            return None
        mask = np.empty(len(self.spots), np.bool_)

        def fill(_: None, rows: slice) -> None:
            mask[rows] = self.of(rows)

        each_chunk(len(mask), lambda: None, fill, rows_per_chunk=_CHUNK)
        mask.flags.writeable = False
        return mask

    def passing(self, rows: np.ndarray) -> np.ndarray:
        """Return those of some rows that pass; their codes are known to pass.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
        """
        if self.by_code:
            return rows
        # Looking up many rows one by one costs more than all of them in order.
        if "rows" in self.__dict__ or len(rows) > len(self.spots) // 8:
            every = self.rows
            return rows if every is None else rows[every[rows]]
        return rows[self.in_ranges(rows)]

    @cached_property
    def outside_codes(self) -> np.ndarray | None:
        """The row mask where ranges decide too; None where the codes suffice."""
        return None if self.by_code else self.rows

    @cached_property
    def counts_in_ranges(self) -> np.ndarray:
        """How many rows of each code are in the ranges, whatever the codes that pass.

        int64, shape (n_codes,).
        """
        code, n = self.spots.code, len(self.codes)

        def count(counts: np.ndarray, rows: slice) -> None:
            passes = self.in_ranges(rows)
            if code.dtype == np.uint8 and len(code) > _FEW_ROWS:
                from napari_seespot._kernels import count_codes

                keep = _EVERY_ROW if passes is None else frozen(passes, np.bool_)
                count_codes(counts, frozen(code[rows], np.uint8), keep)
            else:
                chosen = code[rows] if passes is None else code[rows][passes]
                counts[:n] += np.bincount(chosen, minlength=n)

        size = max(n, 256)  # the kernel's counts
        parts = each_chunk(
            len(code),
            lambda: np.zeros(size, np.int64),
            count,
            rows_per_chunk=_CHUNK,
        )
        return np.asarray(np.sum(parts, axis=0)[:n])

    @cached_property
    def counts(self) -> np.ndarray:
        """How many rows of each code pass; int64, shape (n_codes,)."""
        return np.asarray(self.counts_in_ranges * self.codes)

    def class_counts(self, by: str) -> np.ndarray:
        """Return how many rows of each class pass all filters but the class's own.

        What a check box beside the class would show or hide.

        Parameters
        ----------
        by : str
            ``"status"``, ``"chan"`` or ``"unmixed_chan"``.

        Returns
        -------
        ndarray of int64, shape (n_classes,)
        """
        counts = self.counts_in_ranges.copy()
        for name, codes in self.code_parts:
            if name != by:
                counts *= codes
        classes = self.spots.class_of_code(by)
        totals = np.zeros(len(self.spots.class_names(by)), np.int64)
        np.add.at(totals, classes, counts)
        return totals

    @cached_property
    def count(self) -> int:
        """How many rows pass."""
        return int(self.counts.sum())


@dataclass(frozen=True, eq=False)
class View:
    """What every view must show.

    Attributes
    ----------
    dataset : Dataset
    mask : Mask
        Which rows pass the filters.
    coloring : Coloring
    pair : tuple of str or None
        Channels of the x and the y axis.
    limits : tuple of float or None
        x low, x high, y low, y high, where they are fixed.
    selected : ndarray of bool, shape (n,), or None
    limits_mode : str
        How limits that are not fixed are found, for this pair.
    axis_rules : AxisRules
        The limits of all pairs.
    plot, count_scale, point_size_um, slab_planes, picture, max_points
        As in `State`.
    axis_scale, asinh_width, dye_lines
        As in `State`.
    highlight : str or None
    gates : tuple of (str, Gate)
        As in `State`.
    """

    dataset: Dataset
    mask: Mask
    coloring: Coloring
    pair: tuple[str, str] | None
    limits: tuple[float, float, float, float] | None
    limits_mode: str
    axis_rules: AxisRules
    selected: np.ndarray | None
    plot: str
    count_scale: str
    point_size_um: float
    slab_planes: float
    picture: str
    max_points: int
    highlight: str | None = None
    gates: tuple[tuple[str, Gate], ...] = ()
    axis_scale: AxisScale = "linear"
    asinh_width: float = 100.0
    dye_lines: bool = True

    @property
    def spots(self) -> Spots:
        """The table."""
        return self.dataset.spots

    @property
    def where(self) -> np.ndarray | None:
        """Which rows pass the filters; None where all do."""
        return self.mask.rows

    @property
    def count_text(self) -> str:
        """How many spots pass, of how many: ``"n of N spots"``."""
        return f"{self.mask.count:,} of {len(self.spots):,} spots"

    def faded(self, rows: Any) -> np.ndarray | None:
        """Return which of some rows are faded, bool, shape (m,); None for no row."""
        if self.highlight is None:
            return None
        if self.highlight == "selected":
            chosen = self.selected
            return None if chosen is None else ~chosen[rows]
        kept = self.spots.class_names("status").index(self.highlight)
        faded = self.spots.class_of_code("status") != kept
        return np.asarray(faded[self.spots.code[rows]])

    def visible(self) -> pd.DataFrame:
        """Return the rows that pass the filters."""
        return self.spots.to_pandas(rows=self.where)

    def selection(self) -> pd.DataFrame:
        """Return the selected rows."""
        rows = np.zeros(0, np.int64) if self.selected is None else self.selected
        return self.spots.to_pandas(rows=rows)


def resolve(state: State, dataset: Dataset, previous: View | None = None) -> View:
    """Return what to show.

    Parameters
    ----------
    state : State
    dataset : Dataset
    previous : View, optional
        Masks and colours are taken over from it where they are the same.
    """
    spots = dataset.spots
    mask = make_mask(state.filters, spots, state.color_by)
    coloring: Coloring | None = None
    if previous is not None and previous.dataset is dataset:
        mask = previous.mask if previous.mask.key == mask.key else mask
        if previous.coloring.by == state.color_by:
            coloring = previous.coloring
    pair, rules = state.pair, state.limits.rules
    limits, mode = (None, rules.mode) if pair is None else rules.of(pair)
    return View(
        dataset=dataset,
        mask=mask,
        coloring=coloring or make_coloring(spots, state.color_by),
        pair=pair,
        limits=limits,
        limits_mode=mode,
        axis_rules=rules,
        selected=state.selection.mask,
        plot=state.plot,
        count_scale=state.count_scale,
        point_size_um=state.point_size_um,
        slab_planes=state.slab_planes,
        picture=state.picture,
        max_points=state.max_points,
        highlight=state.highlight,
        gates=tuple(state.gates.items()),
        axis_scale=state.axis_scale,
        asinh_width=state.asinh_width,
        dye_lines=state.dye_lines,
    )


def make_mask(filters: Filters, spots: Spots, color_by: str) -> Mask:
    """Return which rows pass these filters, as a rule not yet applied."""
    n = len(spots.channels)
    codes = np.ones(n * (n + 1), np.bool_)
    parts = []
    by = "unmixed_chan" if color_by == "unmixed_chan" else "chan"
    for name, allowed in (
        ("status", filters.status),
        (by, filters.channels),
        ("chan", filters.chan),
        ("unmixed_chan", filters.unmixed_chan),
    ):
        if allowed is not None:
            named = [item in allowed for item in spots.class_names(name)]
            part = np.array(named, np.bool_)[spots.class_of_code(name)]
            parts.append((name, part))
            codes &= part
    ranges = tuple(
        (column, -np.inf if low is None else low, np.inf if high is None else high)
        for column, (low, high) in sorted(filters.ranges.items())
    )
    valid_only = filters.valid_only and "valid_spot" in spots.columns
    known = filters.cells is not None and "cell_id" in spots.columns
    cells = tuple(sorted(filters.cells or ())) if known else None
    return Mask(spots, codes, ranges, valid_only, tuple(parts), cells)


def changes(before: View | None, after: View) -> frozenset[str]:
    """Return the names of the fields of `View` that are not the same."""
    names = {item.name for item in fields(View)}
    if before is None:
        return frozenset(names)
    return frozenset(
        name for name in names if _differs(getattr(before, name), getattr(after, name))
    )


def _differs(before: object, after: object) -> bool:
    if isinstance(before, (str, int, float, tuple, AxisRules)):
        return before != after
    return before is not after
