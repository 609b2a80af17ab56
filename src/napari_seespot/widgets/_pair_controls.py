"""The form above a channel-pair plot: it shows the state and asks to change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, Container, PushButton
from psygnal import Signal

from napari_seespot.gates import SELECT_MODES
from napari_seespot.widgets._flow import flow_row, narrow
from napari_seespot.widgets._outline_tools import MODES_TIP, tool_buttons

if TYPE_CHECKING:
    from napari_seespot.resolve import View

__all__ = ["COLOR_NAMES", "PairControls"]

COLOR_NAMES = [
    ("status", "status"),
    ("detected channel", "chan"),
    ("unmixed channel", "unmixed_chan"),
]
"""What classes are called on the screen; columns go by their own names."""

_PLOTS = [
    ("density or points", "auto"),
    ("density", "density"),
    ("single points", "points"),
]
_SCALES = [("linear", "linear"), ("log", "log"), ("asinh", "asinh")]
_LIMITS = [
    ("automatic", "auto"),
    ("percentiles", "percentile"),
    ("min to max", "minmax"),
    ("fixed", "fixed"),
]
_MODES = [(mode, mode) for mode in SELECT_MODES]


class PairControls(Container[Any]):
    """Combo boxes, buttons and check boxes of a channel-pair dock.

    Attributes
    ----------
    asked : psygnal.Signal
        Emitted with a field of the state and the value that the user wants.
    stepped : psygnal.Signal
        Emitted with 1 for the next pair and -1 for the one before.
    reset : psygnal.Signal
        Back to the axes as they are without zoom.
    limits_chosen : psygnal.Signal
        Emitted with ``"auto"``, ``"percentile"``, ``"minmax"`` or ``"fixed"``.
    numbers_asked : psygnal.Signal
        The user wants to type where the axes end.
    tool_chosen : psygnal.Signal
        Emitted with the name of the tool to draw with, or the empty string.
    mode_chosen : psygnal.Signal
        Emitted with how an outline changes the selection.
    inverted, cleared : psygnal.Signal
        The selection is to be inverted, or cleared.
    """

    asked = Signal(str, object)
    stepped = Signal(int)
    reset = Signal()
    limits_chosen = Signal(str)
    numbers_asked = Signal()
    tool_chosen = Signal(str)
    mode_chosen = Signal(str)
    inverted = Signal()
    cleared = Signal()

    def __init__(self) -> None:
        self._view: View | None = None
        self._build_choices()
        self._build_switches()
        first = (self.previous_button, self.pair_box, self.next_button)
        third = (self.scale_box, self.limits_box)
        selection = (self.invert_button, self.clear_button)
        rows = (
            flow_row(*first, grow=[self.pair_box]),
            _row(self.color_box, self.plot_box),
            flow_row(*third, self.numbers_button, grow=third),
            _row(*self.tool_buttons.values(), self.mode_box),
            _row(*selection, self.log_box, self.dye_box, self.reset_button),
        )
        super().__init__(labels=False, widgets=rows)
        self.native.layout().setSpacing(4)
        self.margins = (0, 0, 0, 0)
        self._connect()

    def _build_choices(self) -> None:
        self.previous_button = PushButton(text="◀", tooltip="Previous pair  [")
        self.next_button = PushButton(text="▶", tooltip="Next pair  ]")
        # Functions: magicgui asks again whenever a widget gets another parent.
        self.pair_box = ComboBox(
            choices=self._pairs, tooltip="Channels of the x and the y axis"
        )
        self.color_box = ComboBox(choices=self._colors, tooltip="What the colours mean")
        self.plot_box = ComboBox(
            choices=_PLOTS,
            tooltip="Density counts every spot; points are single spots, a fair "
            "choice of them where there are too many. The first shows density, and "
            "points once few are in view",
        )
        self.scale_box = ComboBox(
            choices=_SCALES,
            tooltip="Scale of both axes; asinh is logarithmic too, but has a place "
            "for 0 and for negative intensities",
        )
        self.limits_box = ComboBox(
            choices=_LIMITS,
            tooltip="Where the axes of this pair end: at 0.1 and 99.9 % of the spots, "
            "at percentiles of yours, at the first and last, or where they are now, "
            "whatever is shown. The button beside it takes numbers",
        )
        self.mode_box = ComboBox(
            choices=_MODES, tooltip=f"What an outline does. {MODES_TIP}"
        )
        for box, characters in (
            (self.pair_box, 10),
            (self.color_box, 3),
            (self.scale_box, 2),
            (self.limits_box, 5),
            (self.mode_box, 4),
        ):
            narrow(box, characters)

    def _build_switches(self) -> None:
        self.tool_buttons = tool_buttons(self.tool_chosen.emit)
        self.numbers_button = PushButton(
            text="…", tooltip="Type where the axes end, or their percentiles"
        )
        self.reset_button = PushButton(
            text="Reset", tooltip="Undo zoom and fixed limits (A, or a double click)"
        )
        self.invert_button = PushButton(
            text="Invert", tooltip="Select what passes and is not selected"
        )
        self.clear_button = PushButton(text="Clear", tooltip="Select nothing")
        self.log_box = CheckBox(
            text="Log", tooltip="Colours follow the logarithm of the count"
        )
        self.dye_box = CheckBox(
            value=True,
            text="Dyes",
            tooltip="Where pure spots of each dye lie, by the unmixing ratios",
        )

    def _connect(self) -> None:
        ask = self.asked.emit
        self.pair_box.changed.connect(lambda pair: ask("pair", pair))
        self.color_box.changed.connect(lambda by: ask("color_by", by))
        self.plot_box.changed.connect(lambda plot: ask("plot", plot))
        self.log_box.changed.connect(
            lambda log: ask("count_scale", "log" if log else "linear")
        )
        self.previous_button.changed.connect(lambda: self.stepped.emit(-1))
        self.next_button.changed.connect(lambda: self.stepped.emit(1))
        self.reset_button.changed.connect(lambda: self.reset.emit())
        self.numbers_button.changed.connect(lambda: self.numbers_asked.emit())
        self.scale_box.changed.connect(lambda scale: ask("axis_scale", scale))
        self.dye_box.changed.connect(lambda shown: ask("dye_lines", shown))
        self.limits_box.changed.connect(self.limits_chosen)
        self.mode_box.changed.connect(self.mode_chosen)
        self.invert_button.changed.connect(lambda: self.inverted.emit())
        self.clear_button.changed.connect(lambda: self.cleared.emit())

    def show_view(self, view: View) -> None:
        """Show what the state says; nothing is asked for by that."""
        before, self._view = self._view, view
        new = before is None or before.dataset is not view.dataset
        for box, value in (
            (self.pair_box, view.pair),
            (self.color_box, view.coloring.by),
            (self.plot_box, view.plot),
            (self.scale_box, view.axis_scale),
            (self.limits_box, view.limits_mode if view.limits is None else "fixed"),
        ):
            with box.changed.blocked():
                if new or value not in box.choices:
                    box.reset_choices()
                if value is not None:
                    box.value = value
        for check, on in (
            (self.log_box, view.count_scale == "log"),
            (self.dye_box, view.dye_lines),
        ):
            with check.changed.blocked():
                check.value = on
        self.log_box.enabled = view.plot != "points"
        self.dye_box.enabled = view.dataset.ratios is not None
        self.clear_button.enabled = view.selected is not None

    def forget(self) -> None:
        """Let go of the dataset."""
        self._view = None

    def _pairs(self, _widget: Any = None) -> list[tuple[str, Any]]:
        if self._view is None:
            return []
        dataset, chosen = self._view.dataset, self._view.pair
        pairs = dataset.channel_pairs
        if chosen is not None and chosen not in pairs:  # a script turned it round
            pairs = [*pairs, chosen]
        return [(f"{dataset.label(a)} / {dataset.label(b)}", (a, b)) for a, b in pairs]

    def _colors(self, _widget: Any = None) -> list[tuple[str, Any]]:
        if self._view is None:
            return []
        columns = self._view.spots.numeric_columns
        return [*COLOR_NAMES, *((name, name) for name in columns)]


def _row(*widgets: Any) -> Container[Any]:
    return flow_row(*widgets, grow=widgets)
