"""Whose verdicts, and by which plan: the form above a review."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, LineEdit, SpinBox
from psygnal import Signal

from napari_seespot import _memory
from napari_seespot.review import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ReviewSetup"]

_FILE = "reviewer.json"
_STRATA = {
    "flow": ("flow",),
    "flow and r": ("flow", "r"),
    "status": ("status",),
    "status and r": ("status", "r"),
}


class ReviewSetup(Container[Any]):
    """Asks for the reviewer, the strata, how many of each, and the seed.

    Attributes
    ----------
    edited : psygnal.Signal
        Emitted after the user has changed something.
    """

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.margins = (0, 0, 0, 0)
        plan = Plan()
        self.reviewer = LineEdit(
            label="Reviewer", value=_remembered(), tooltip="Whose verdicts these are"
        )
        self.strata = ComboBox(
            label="Strata",
            choices=[*_STRATA],
            tooltip="What spots are drawn from alike: each flow from channel to "
            "channel (which tells the status too), each status, each quarter of r",
        )
        self.per_stratum = SpinBox(
            label="Of each",
            value=plan.per_stratum,
            min=1,
            max=10_000,
            tooltip="So many spots of each stratum; all where it has fewer",
        )
        self.seed = SpinBox(
            label="Seed", value=0, max=2**31 - 1, tooltip="Same seed, same spots"
        )
        self.extend([self.reviewer, self.strata, self.per_stratum, self.seed])
        self._filling = False
        for widget in self:
            widget.changed.connect(self._on_edit)
        self.fill(plan)

    def _on_edit(self, _value: Any) -> None:
        if not self._filling:
            self.edited.emit()

    @property
    def who(self) -> str:
        """The name of the reviewer."""
        return str(self.reviewer.value).strip() or _user()

    @property
    def plan(self) -> Plan:
        """The plan that is asked for."""
        by = _STRATA.get(str(self.strata.value)) or tuple(self.strata.value.split(", "))
        return Plan(int(self.per_stratum.value), by, int(self.seed.value))

    def fill(self, plan: Plan) -> None:
        """Show a plan, as if it had been asked for."""
        self._filling = True
        try:
            name = _name(plan.by)
            if name not in self.strata.choices:  # of a script
                self.strata.choices = [*_STRATA, name]
            self.strata.value = name
            self.per_stratum.value = min(plan.per_stratum, int(self.per_stratum.max))
            self.seed.value = min(plan.seed, int(self.seed.max))
        finally:
            self._filling = False

    def remember(self) -> None:
        """Keep the reviewer's name for the next time."""
        if self.who != _remembered():
            _memory.remember(_FILE, [self.who])


def _name(by: Sequence[str]) -> str:
    names = {parts: name for name, parts in _STRATA.items()}
    return names.get(tuple(by), ", ".join(by))


def _remembered() -> str:
    found = _memory.recall(_FILE)
    return found[0] if found and isinstance(found[0], str) else _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user: some containers
        return "reviewer"
