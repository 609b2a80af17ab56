"""The only thing that changes: filters, colouring, pair, selection, limits.

A script, a dock and an undo step all set the same fields; whoever shows
something listens to `State.changed`. A value that the dataset cannot show is
refused with a `StateError` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, PrivateAttr, field_validator

from napari_seespot.axis_rules import LIMITS_MODES, AxisRules
from napari_seespot.errors import StateError
from napari_seespot.evented import Domain, Evented, EventedMap
from napari_seespot.gates import Gate, as_gate

__all__ = [
    "CLASS_COLUMNS",
    "AxisLimits",
    "Filters",
    "Selection",
    "State",
]

CLASS_COLUMNS = ("status", "chan", "unmixed_chan")
"""What colours come from besides numeric columns."""

DEFAULT_STATUS = frozenset({"unchanged", "reassigned"})

Range = tuple[float | None, float | None]


class Filters(Evented):
    """Which rows pass.

    Attributes
    ----------
    ranges : mapping of str to (low, high)
        Any numeric column; both ends included, None is an open end. A row with
        NaN in a ranged column does not pass.
    status : set of str
        Statuses that pass; removed spots are left out by default.
    channels : set of str or None
        Channels that pass, of the channel that the state colours by (the
        unmixed one when `State.color_by` is ``"unmixed_chan"``, else the
        detected one); None for all.
    chan, unmixed_chan : set of str or None
        Detected and unmixed channels that pass, whatever the colours; None for
        all. ``"removed"`` stands for no unmixed channel.
    valid_only : bool
        Only spots that passed the pipeline's quality gates.
    cells : set of int or None
        Segmented cells of which the spots pass; None for all spots, also those
        in no cell.
    """

    ranges: EventedMap[Range] = Field(default_factory=EventedMap)
    status: frozenset[str] = DEFAULT_STATUS
    channels: frozenset[str] | None = None
    chan: frozenset[str] | None = None
    unmixed_chan: frozenset[str] | None = None
    valid_only: bool = False
    cells: frozenset[int] | None = None

    def __init__(self, **values: Any) -> None:
        ranges = values.pop("ranges", {})
        super().__init__(**values)
        self.ranges.convert = self._range
        self.ranges.replace(ranges)
        self.ranges.changed.connect(self._ranges_changed)

    def _ranges_changed(self) -> None:
        self._changed.emit("ranges")

    def _range(self, column: str, value: Any) -> Range:
        if self._domain is not None:
            self._domain.check(column, self._domain.columns, "column")
        try:
            # The text "12" would be taken apart into 1 and 2.
            ends = () if isinstance(value, str) else value
            low, high = (None if end is None else float(end) for end in ends)
        except (TypeError, ValueError):
            raise StateError(
                f"the range of {column!r} cannot be {value!r}",
                expected="(low, high), either of which may be None",
            ) from None
        if np.isnan([e for e in (low, high) if e is not None]).any():
            raise StateError(f"the range of {column!r} has an end that is no number")
        if low is not None and high is not None and low > high:
            raise StateError(
                f"the range of {column!r} goes from {low:g} down to {high:g}",
                expected="the lower end first",
            )
        return (low, high)

    def _check(self, name: str, value: Any) -> Any:
        if self._domain is None or value is None:
            return value
        if name == "cells":
            self._domain.check("cell_id", self._domain.columns, "column")
        if name not in _SETS:
            return value
        items = _items(value)
        for item in items or ():
            if name == "status":
                self._domain.check(item, self._domain.statuses, "status")
            else:
                choices = (*self._domain.channels, "removed")
                self._domain.check(item, choices, "channel")
        # psygnal compares with what was there what is given, not what it becomes.
        return value if items is None else frozenset(items)

    def reset(self) -> None:
        """Let pass what passes at the start."""
        self.ranges.clear()
        for name, field in type(self).model_fields.items():
            if name != "ranges":
                setattr(self, name, field.get_default())


_SETS = ("status", "channels", "chan", "unmixed_chan")


def _items(value: Any) -> tuple[Any, ...] | None:
    """Return what is in a collection or generator; None for anything else."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return None  # the model refuses it, in its own words
    return tuple(value)  # a generator can be looked through but once


class Selection(Evented):
    """The selected rows: one boolean mask is the truth.

    Attributes
    ----------
    mask : ndarray of bool, shape (n,), or None
        None where nothing is selected. Replaced, never written into.
    """

    mask: np.ndarray | None = None

    @field_validator("mask")
    @classmethod
    def _frozen(cls, mask: np.ndarray | None) -> np.ndarray | None:
        if mask is None:
            return None
        if mask.dtype != np.bool_ or mask.ndim != 1:
            raise ValueError("a boolean array with one entry a row")
        if mask.flags.writeable:  # a later change by its owner must not be ours
            mask = mask.copy()
            mask.flags.writeable = False
        return mask

    def _check(self, name: str, value: Any) -> Any:
        rows = None if self._domain is None else self._domain.rows
        if rows is not None and isinstance(value, np.ndarray) and value.size != rows:
            raise StateError(
                f"the selection is of {value.size:,} spots, the dataset has {rows:,}",
                expected="one entry a row",
                hint="Was it made with another dataset?",
            )
        return value

    @property
    def count(self) -> int:
        """How many rows are selected."""
        return 0 if self.mask is None else int(np.count_nonzero(self.mask))


class AxisLimits(Evented):
    """The axes of the channel-pair plots.

    Attributes
    ----------
    fixed : mapping of str to (x_low, x_high, y_low, y_high)
        By pair, as ``"488/594"``; a pair without an entry is automatic.
    mode : str
        How limits that are not fixed are found: ``"auto"`` (0.1 to 99.9 % of the
        spots; on a log axis 2 to 99.9 %), ``"minmax"``, or ``"percentile"``, by
        `percentiles`.
    modes : mapping of str to str
        By pair, where a pair has a mode of its own.
    percentiles : tuple of float
        Low and high, in percent, of the mode ``"percentile"``.
    """

    fixed: EventedMap[tuple[float, float, float, float]] = Field(
        default_factory=EventedMap
    )
    mode: Literal["auto", "minmax", "percentile"] = "auto"
    modes: EventedMap[str] = Field(default_factory=EventedMap)
    percentiles: tuple[float, float] = (1.0, 99.0)

    def __init__(self, **values: Any) -> None:
        fixed, modes = values.pop("fixed", {}), values.pop("modes", {})
        super().__init__(**values)
        self.fixed.convert = self._limits
        self.fixed.replace(fixed)
        self.fixed.changed.connect(self._fixed_changed)
        self.modes.convert = self._mode
        self.modes.replace(modes)
        self.modes.changed.connect(self._modes_changed)

    @field_validator("percentiles")
    @classmethod
    def _in_order(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= ends[0] < ends[1] <= 100:
            raise ValueError("two percentiles, 0 to 100, the lower one first")
        return ends

    @property
    def rules(self) -> AxisRules:
        """The limits of all pairs, as they are now."""
        return AxisRules(
            tuple(self.fixed.items()),
            tuple(self.modes.items()),
            self.mode,
            self.percentiles,
        )

    def fix(
        self,
        pair: tuple[str, str],
        limits: tuple[float, float, float, float] | None,
        mode: str | None = None,
    ) -> None:
        """Fix a pair's limits, or let them be found again.

        Parameters
        ----------
        pair : tuple of str
        limits : tuple of float or None
            x low, x high, y low, y high; None lets them go.
        mode : str, optional
            How this pair's limits are found then.
        """
        key, turned = "/".join(pair), "/".join(pair[::-1])
        if mode is not None:
            others = {k: v for k, v in self.modes.items() if k != turned}
            self.modes.replace({**others, key: mode})
        kept = {k: v for k, v in self.fixed.items() if k not in (key, turned)}
        self.fixed.replace(kept if limits is None else {**kept, key: limits})

    def _fixed_changed(self) -> None:
        self._changed.emit("fixed")

    def _modes_changed(self) -> None:
        self._changed.emit("modes")

    @staticmethod
    def _mode(key: str, value: Any) -> str:
        if value not in LIMITS_MODES:
            raise StateError(
                f"the limits of {key} cannot be {value!r}",
                expected=f"one of {', '.join(LIMITS_MODES)}",
            )
        return str(value)

    @staticmethod
    def _limits(key: str, value: Any) -> tuple[float, float, float, float]:
        try:
            x0, x1, y0, y1 = map(float, value)
        except (TypeError, ValueError):
            x0 = x1 = y0 = y1 = np.nan
        if not (np.isfinite([x0, x1, y0, y1]).all() and x0 < x1 and y0 < y1):
            raise StateError(
                f"the limits of {key} cannot be {value!r}",
                expected="four numbers: x low, x high, y low, y high",
            )
        return (x0, x1, y0, y1)


class State(Evented):
    """What one viewer shows of a dataset.

    Attributes
    ----------
    pair : tuple of str or None
        Channels of the x and the y axis; None where there is but one channel.
    color_by : str
        ``"status"``, ``"chan"``, ``"unmixed_chan"``, or any numeric column.
    filters : Filters
    selection : Selection
    limits : AxisLimits
    plot : str
        ``"auto"``: the density of all spots, and single points where few are in view.
        ``"density"``, or ``"points"``: a fair choice of them where they are many.
    count_scale : str
        Colours of the density: ``"log"`` or ``"linear"`` in the count.
    axis_scale : str
        Of both axes of the channel-pair plots: ``"linear"``, ``"log"`` or
        ``"asinh"``.
    asinh_width : float
        Where an asinh axis turns from linear to logarithmic.
    dye_lines : bool
        Whether the channel-pair plots show the dyes' lines.
    point_size_um : float
        Diameter of a spot's disc on the image, in um.
    slab_planes : float
        Spots are shown this many planes before and behind the current one.
    picture : str
        ``"auto"``: points while few are in view, else the density of all.
    max_points : int
        How many points are drawn at most; 0 lets the machine decide.
    highlight : str or None
        Fade all spots but the ``"reassigned"``, the ``"removed"`` or the
        ``"selected"`` ones; None fades none.
    gates : mapping of str to Gate
        Polygons by name, in data units.
    """

    pair: tuple[str, str] | None = None
    color_by: str = "status"
    filters: Filters = Field(default_factory=Filters)
    selection: Selection = Field(default_factory=Selection)
    limits: AxisLimits = Field(default_factory=AxisLimits)
    plot: Literal["auto", "density", "points"] = "auto"
    count_scale: Literal["log", "linear"] = "log"
    axis_scale: Literal["linear", "log", "asinh"] = "linear"
    asinh_width: float = Field(default=100.0, gt=0, le=1e9)
    dye_lines: bool = True
    point_size_um: float = Field(default=2.0, gt=0, le=1000)
    slab_planes: float = Field(default=2.0, ge=0, le=1e6)
    picture: Literal["auto", "points", "density"] = "auto"
    max_points: int = Field(default=0, ge=0, le=10_000_000)
    highlight: Literal["reassigned", "removed", "selected"] | None = None
    gates: EventedMap[Gate] = Field(default_factory=EventedMap)
    _relays: list[_Relay] = PrivateAttr(default_factory=list)

    def __init__(self, **values: Any) -> None:
        gates = values.pop("gates", {})
        super().__init__(**values)
        self.gates.convert = self._gate
        self.gates.replace(gates)
        self.gates.changed.connect(self._gates_changed)
        # Signals refer to their listeners weakly: someone must keep the relays.
        self._relays = [_Relay(self, name) for name in _PARTS]
        for relay in self._relays:
            getattr(self, relay.name).changed.connect(relay)

    def _gates_changed(self) -> None:
        self._changed.emit("gates")

    def _gate(self, _name: str, value: Any) -> Gate:
        gate = as_gate(value)
        if self._domain is not None:
            for axis in (gate.x, gate.y):
                choices = (*self._domain.channels, *self._domain.columns)
                self._domain.check(axis, choices, "the gate's column")
        return gate

    def bind(self, domain: Domain) -> None:
        """Check this and every later value against what a dataset holds.

        Raises
        ------
        StateError
            When a present value is not in the dataset.
        """
        before = self._domain
        self._set_domain(domain)
        try:
            self._check_all()
        except StateError:
            self._set_domain(before)  # it may belong to another dataset's session
            raise

    def _set_domain(self, domain: Domain | None) -> None:
        for part in (self, *(getattr(self, name) for name in _PARTS)):
            part._domain = domain

    def _check_all(self) -> None:
        self._check("color_by", self.color_by)
        self._check("pair", self.pair)
        for name in _SETS:
            self.filters._check(name, getattr(self.filters, name))
        for column, value in self.filters.ranges.items():
            self.filters._range(column, value)
        self.filters._check("cells", self.filters.cells)
        for name, gate in self.gates.items():
            self._gate(name, gate)
        self.selection._check("mask", self.selection.mask)

    def _check(self, name: str, value: Any) -> Any:
        if self._domain is None or value is None:
            return value
        if name == "color_by" and isinstance(value, str):
            self._domain.check(value, (*CLASS_COLUMNS, *self._domain.columns), "colour")
        items = _items(value) if name == "pair" else None
        for channel in items or ():
            self._domain.check(channel, self._domain.channels, "channel")
        return value if items is None else items

    def snapshot(self) -> dict[str, Any]:
        """Return all values, as plain data; the selection's mask is shared."""
        values = {
            name: dict(value) if isinstance(value, EventedMap) else value
            for name in type(self).model_fields
            for value in (getattr(self, name),)
            if name not in _PARTS
        }
        for name in _PARTS:
            part = getattr(self, name)
            values[name] = {
                field: dict(value) if isinstance(value, EventedMap) else value
                for field in type(part).model_fields
                for value in (getattr(part, field),)
            }
        return values

    def restore(self, values: Mapping[str, Any]) -> None:
        """Set all values that `snapshot` returned."""
        for name, value in values.items():
            if name in _PARTS:
                part = getattr(self, name)
                for field, inner in value.items():
                    setattr(part, field, inner)
            else:
                setattr(self, name, value)


_PARTS = ("filters", "selection", "limits")


class _Relay:
    """Passes a part's change on with the part's name before the field's."""

    def __init__(self, state: State, name: str) -> None:
        self._signal = state.changed
        self.name = name

    def __call__(self, field: str) -> None:
        self._signal.emit(f"{self.name}.{field}")
