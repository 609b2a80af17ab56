"""The *Spots* dock: which spots are shown on the image, and how."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatRangeSlider,
    FloatSpinBox,
    Label,
    PushButton,
    SpinBox,
)

from napari_seespot.coloring import class_colors
from napari_seespot.spots import STATUSES
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._flow import flow_row, narrow
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari.viewer

    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["SpotsWidget"]

_COLOR_NAMES = {
    "status": "status",
    "chan": "detected channel",
    "unmixed_chan": "unmixed channel",
}
_PICTURES = {
    "automatic": "auto",
    "points": "points",
    "density of all": "density",
}
_RANGES = {
    "r": "Correlation with the point-spread function, -1 to 1",
    "dist": "Distance of the detected voxel from the fitted centre, voxels",
}


class SpotsWidget(SessionDock):
    """Colours, filters and sizes of the spots in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    preferred_height: ClassVar[int] = 300

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._showing = False
        self.status: dict[str, CheckBox] = {}
        self.channels: dict[str, CheckBox] = {}
        self.ranges: dict[str, FloatRangeSlider] = {}
        self._shown_ends: dict[str, tuple[float, float]] = {}
        self._area = self.add_scrolled()
        self._area.hide()
        self.follow()

    # --- following the session

    def _attach(self, session: Session) -> None:
        self._build(session)
        self.listen(session.history.changed, self._show_history)
        overlay = getattr(session.viewing, "overlay", None)
        if overlay is not None:
            self.listen(overlay.shown_changed, self._show_shown)
            self._show_shown(overlay.shown)
        self._show(session.view)
        self._area.show()

    def _detach(self) -> None:
        self._area.hide()
        body = self._area.takeWidget()
        if body is not None:
            body.deleteLater()

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        self._show(view)

    # --- building

    def _build(self, session: Session) -> None:
        """Make all widgets anew: Qt deletes them with the rows that hold them."""
        self._make_fixed()
        spots = session.dataset.spots
        self.status = {
            name: CheckBox(text=name, tooltip=_STATUS_TIPS[name]) for name in STATUSES
        }
        self.channels = {
            name: CheckBox(
                text=session.dataset.label(name),
                tooltip=f"Show the spots of channel {session.dataset.label(name)}: "
                "unmixed to it where the colours tell that, else detected in it",
            )
            for name in spots.channels
        }
        self.ranges = {
            name: _range_slider(spots.column(name), name, tip)
            for name, tip in _RANGES.items()
            if name in spots.columns
        }
        self._swatches = {
            name: Label(value="") for name in (*self.status, *self.channels)
        }
        self._body: Container[Any] = Container(widgets=self._rows(), labels=False)
        self.valid_only.visible = "valid_spot" in spots.columns
        self._area.setWidget(self._body.native)
        self._connect()

    def _make_fixed(self) -> None:
        """Make the widgets that every dataset has."""
        self.counts = Label(value="")
        self.drawn = Label(value="")
        self.scale = Label(value="")
        self.color_by = ComboBox(
            label="Colour by",
            choices=self._color_choices,
            tooltip="What a spot's colour tells",
        )
        self.valid_only = CheckBox(
            text="Only valid spots",
            tooltip="Spots that passed the pipeline's gates: r > 0.25, dist < 1.25 ...",
        )
        self.point_size = FloatSpinBox(
            label="Size (um)", min=0.1, max=1000, step=0.2, tooltip="Diameter of a ring"
        )
        self.slab = FloatSpinBox(
            label="Slab (± planes)",
            min=0,
            max=1_000_000,
            step=1,
            tooltip="Spots this many planes before and behind are shown, fainter",
        )
        for label in (self.counts, self.drawn):
            wrap(label)
        narrow(self.color_by, 10)
        self.slab.native.setDecimals(1)  # magicgui's own two are for micrometres
        self.picture = ComboBox(
            label="Draw as",
            choices=[*_PICTURES],
            tooltip="Points can be picked; the density shows all spots however many",
        )
        self.max_points = SpinBox(
            label="Points at most",
            min=0,
            max=10_000_000,
            step=5000,
            tooltip="0: as many as this machine draws fluently",
        )
        self.reset = PushButton(
            text="Reset filters", tooltip="Show what was shown first"
        )
        self.undo = PushButton(text="Undo", tooltip="Take the last change back")
        self.redo = PushButton(text="Redo", tooltip="Make it again")

    def _color_choices(self, _widget: Any) -> list[tuple[str, str]]:
        # A function: magicgui asks anew whenever the combo box changes its place.
        choices = [(text, name) for name, text in _COLOR_NAMES.items()]
        if self._session is not None:
            columns = self._session.dataset.spots.numeric_columns
            choices += [(name, name) for name in columns]
        return choices

    def _rows(self) -> list[Any]:
        rows: list[Any] = [
            self.counts,
            self.drawn,
            _labelled(self.color_by),
            self.scale,
            _heading("Status"),
            *(self._check_row(name, box) for name, box in self.status.items()),
            _heading("Channel"),
            *(self._check_row(name, box) for name, box in self.channels.items()),
        ]
        if self.ranges:
            rows += [_heading("Quality")]
            rows += [_below(slider) for slider in self.ranges.values()]
        buttons = [self.reset, self.undo, self.redo]
        return [
            *rows,
            self.valid_only,
            _heading("Drawing"),
            *map(
                _labelled, (self.point_size, self.slab, self.picture, self.max_points)
            ),
            flow_row(*buttons, grow=buttons),
        ]

    def _check_row(self, name: str, box: CheckBox) -> Container[Any]:
        return flow_row(self._swatches[name], box, grow=[box])

    def _connect(self) -> None:
        changes: dict[Any, Any] = {
            self.color_by: self._set_color_by,
            self.valid_only: self._set_valid_only,
            self.point_size: self._set_point_size,
            self.slab: self._set_slab,
            self.picture: self._set_picture,
            self.max_points: self._set_max_points,
            self.reset: self._reset,
            self.undo: self._undo,
            self.redo: self._redo,
        }
        for widget, change in changes.items():
            widget.changed.connect(change)
        for box in self.status.values():
            box.changed.connect(self._set_status)
        for box in self.channels.values():
            box.changed.connect(self._set_channels)
        for name, slider in self.ranges.items():
            slider.changed.connect(partial(self._set_range, name))

    # --- from the state to the widgets

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Keep the widgets from setting the state that they are being shown."""
        self._showing = True
        try:
            yield
        finally:
            self._showing = False

    def _show(self, view: View) -> None:
        session = self._session
        if session is None:
            return
        state = session.state
        with self._quiet():
            self.counts.value = f"<b>{view.count_text}</b>"
            self.color_by.value = state.color_by
            for name, box in self.status.items():
                box.value = name in state.filters.status
            for name, box in self.channels.items():
                allowed = state.filters.channels
                box.value = allowed is None or name in allowed
            for name, slider in self.ranges.items():
                low, high = state.filters.ranges.get(name, (None, None))
                slider.value = (
                    slider.min if low is None else _within(slider, low),
                    slider.max if high is None else _within(slider, high),
                )
                self._shown_ends[name] = slider.value
            self.valid_only.value = state.filters.valid_only
            self.point_size.value = _within(self.point_size, state.point_size_um)
            self.slab.value = _within(self.slab, state.slab_planes)
            self.picture.value = next(
                text for text, value in _PICTURES.items() if value == state.picture
            )
            self.max_points.value = state.max_points
            self._show_colors(view)
            self._show_history()

    def _show_colors(self, view: View) -> None:
        """Put each class's colour and count beside its name."""
        spots = view.spots
        by = view.coloring.by
        of_channel = "unmixed_chan" if by == "unmixed_chan" else "chan"
        for kind, boxes in (("status", self.status), (of_channel, self.channels)):
            colors = class_colors(kind, spots.channels)
            totals = view.mask.class_counts(kind)
            for place, (name, box) in enumerate(boxes.items()):
                color = colors[name] if by == kind else "#808080"
                self._swatches[name].value = f'<font color="{color}">●</font>'
                label = name if kind == "status" else view.dataset.label(name)
                box.text = f"{label}  ({int(totals[place]):,})"
        limits = view.coloring.limits
        self.scale.visible = limits is not None
        if limits is not None:
            self.scale.value = _gradient_html(view.coloring.table, limits)

    def _show_history(self) -> None:
        if self._session is not None:
            self.undo.enabled = self._session.history.can_undo
            self.redo.enabled = self._session.history.can_redo

    def _show_shown(self, shown: Any) -> None:
        self.drawn.value = shown.text

    # --- from the widgets to the state

    def _set(self, path: str, value: Any) -> None:
        if self._showing or self._session is None:
            return
        *parents, name = path.split(".")
        target: Any = self._session.state
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, name, value)

    def _set_color_by(self, value: str) -> None:
        self._set("color_by", value)

    def _set_valid_only(self, value: bool) -> None:
        self._set("filters.valid_only", value)

    def _set_point_size(self, value: float) -> None:
        self._set("point_size_um", value)

    def _set_slab(self, value: int) -> None:
        self._set("slab_planes", value)

    def _set_picture(self, value: str) -> None:
        self._set("picture", _PICTURES[value])

    def _set_max_points(self, value: int) -> None:
        self._set("max_points", value)

    def _set_status(self) -> None:
        chosen = {name for name, box in self.status.items() if box.value}
        self._set("filters.status", chosen)

    def _set_channels(self) -> None:
        if self._session is None:
            return
        chosen = {name for name, box in self.channels.items() if box.value}
        everything = len(chosen) == len(self.channels)
        # What a script chose besides has no box here: "removed".
        chosen |= (self._session.state.filters.channels or set()) - set(self.channels)
        self._set("filters.channels", None if everything else chosen)

    def _set_range(self, name: str, ends: tuple[float, float]) -> None:
        if self._showing or self._session is None:
            return
        slider, shown = self.ranges[name], self._shown_ends[name]
        ranges = dict(self._session.state.filters.ranges)
        # An end that was not moved stays what it is, however the slider rounds it; at
        # an end of the slider there is no limit: NaN and infinity pass too.
        low, high = ranges.pop(name, (None, None))
        if ends[0] != shown[0]:
            low = None if ends[0] <= slider.min else ends[0]
        if ends[1] != shown[1]:
            high = None if ends[1] >= slider.max else ends[1]
        if low is not None and high is not None and low > high:
            low, high = ends
        if (low, high) != (None, None):
            ranges[name] = (low, high)
        self._session.state.filters.ranges.replace(ranges)

    def _reset(self) -> None:
        if self._session is not None:
            with self._session.one_change():
                self._session.state.filters.reset()

    def _undo(self) -> None:
        if self._session is not None:
            self._session.undo()

    def _redo(self) -> None:
        if self._session is not None:
            self._session.redo()


_STATUS_TIPS = {
    "unchanged": "Kept in the channel in which it was detected",
    "reassigned": "Kept, but given to another channel",
    "removed": "Left out: the same molecule was counted elsewhere",
}


def _range_slider(values: np.ndarray, name: str, tip: str) -> FloatRangeSlider:
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    # Outwards to two decimals: a limit that is typed is a limit that is meant.
    low, high = np.floor(low * 100) / 100, np.ceil(high * 100) / 100
    high = high if high > low else low + 1
    return FloatRangeSlider(
        label=name,
        min=float(low),
        max=float(high),
        step=0.01,
        value=(float(low), float(high)),
        tooltip=tip,
    )


def _within(widget: Any, value: float) -> float:
    """Return the value, or the widget's end beside it: a script may go beyond."""
    return float(min(max(value, widget.min), widget.max))


def _gradient_html(table: np.ndarray, limits: tuple[float, float]) -> str:
    stops = table[:: len(table) // 16]
    blocks = "".join(
        f'<font color="#{r:02x}{g:02x}{b:02x}">█</font>' for r, g, b, _ in stops
    )
    return f"{limits[0]:.3g} {blocks} {limits[1]:.3g}"


def _heading(text: str) -> Label:
    return Label(value=f"<b>{text}</b>")


def _labelled(widget: Any) -> Container[Any]:
    return flow_row(Label(value=widget.label), widget, grow=[widget])


def _below(widget: Any) -> Container[Any]:
    """Put a wide widget below its name, so that the dock may be narrow."""
    rows = Container(widgets=[Label(value=widget.label), widget], labels=False)
    rows.margins = (0, 0, 0, 0)
    return rows
