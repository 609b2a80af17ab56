"""The *Evidence* dock: one spot's pixels, intensities and neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, Container, Label, PushButton, SpinBox

from napari_seespot.coloring import class_colors
from napari_seespot.errors import NotFoundError, SeeSpotError
from napari_seespot.evidence import Crop, CropsAhead, crops
from napari_seespot.palette import channel_colors
from napari_seespot.plots.bars import IntensityBars, Level
from napari_seespot.plots.crop_cells import CropScene, Neighbour
from napari_seespot.plots.crops import CropGrid
from napari_seespot.session import AHEAD
from napari_seespot.spot_facts import Facts, facts_of
from napari_seespot.widgets import _evidence_text as text
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._layer_limits import (
    LayerLimits,
    drop_limits,
    image_limits,
)
from napari_seespot.widgets._rows import row_of
from napari_seespot.widgets._theme import plot_theme
from napari_seespot.widgets._wakefulness import Wakefulness
from napari_seespot.widgets._worker import Worker
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari.viewer

    from napari_seespot.dataset import Dataset
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["Evidence", "EvidenceWidget"]

_DEPTH = 3  # planes to either side that the projection takes in
_START = "Click a spot in the image or in a plot."
_KEY = '<font color="#ff00ff">✛</font> this spot &nbsp; ○ others, by status{kept}'
_KEPT_KEY = "<br>◯─ the kept spot, dashed where it lies in another plane"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is shown of one spot.

    Attributes
    ----------
    facts : Facts
    crops : dict of str to Crop
    problems : dict of str to str
        By channel, what could not be read.
    limits : dict of str to tuple of float
        Contrast of each channel, where no layer tells it.
    reach : tuple of int
        Voxels to either side in z, and in y and x.
    """

    facts: Facts
    crops: dict[str, Crop]
    problems: dict[str, str]
    limits: dict[str, tuple[float, float]]
    reach: tuple[int, int]

    @property
    def row(self) -> int:
        """The spot's row."""
        return self.facts.row


class EvidenceWidget(SessionDock):
    """Shows the spot that was last flown to or picked; steps through a selection.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    facts : Facts or None
        What the text and the bars tell about.
    evidence : Evidence or None
        The same with the pixels, once these were read.
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._row: int | None = None
        self._stale = False
        self.facts: Facts | None = None
        self.evidence: Evidence | None = None
        self._make_widgets()
        # Two, so that numbers need not wait until pixels are given up.
        self._numbers = Worker("seespot-evidence-numbers")
        self._pixels = Worker("seespot-evidence-pixels")
        self._ahead = CropsAhead()
        self._limits = LayerLimits(self._on_limits)
        self._awake = Wakefulness(self.native, self._on_awake)
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        self._connect()
        for worker in (self._numbers, self._pixels):
            self.native.destroyed.connect(partial(Worker.close, worker))
        self.native.destroyed.connect(partial(CropsAhead.drop, self._ahead))
        self.native.destroyed.connect(partial(drop_limits, self._limits))
        self.follow()

    def _make_widgets(self) -> None:
        self.title = Label(value="")
        self.verdict = Label(value="")
        self.key = Label(value="")
        self.legend = Label(value="")
        self.fit = Label(value="")
        self.kept = PushButton(text="Go to the kept spot")
        self.previous = PushButton(text="◀", tooltip="Previous spot of the selection")
        self.following = PushButton(text="▶", tooltip="Next spot of the selection")
        self.radius = SpinBox(
            value=12, min=3, max=64, tooltip="Voxels to either side in y and x"
        )
        self.radius_z = SpinBox(
            value=6, min=1, max=32, tooltip="Planes to either side in the side view"
        )
        self.own_contrast = CheckBox(
            text="Own contrast",
            tooltip="Stretch each channel's crop to its own values, not to the limits "
            "of its layer",
        )
        self.others = CheckBox(
            value=True, text="Other spots", tooltip="Mark the other spots in the crops"
        )
        self.grid = CropGrid()
        self.bars = IntensityBars()

    def _lay_out(self) -> None:
        for label in (self.title, self.verdict, self.key, self.legend, self.fit):
            wrap(label)
        above = [row_of(self.previous, self.following), self.title, self.verdict]
        below = [
            self.key,
            row_of(self.own_contrast, self.others),
            row_of(Label(value="±"), self.radius, Label(value="z ±"), self.radius_z),
            self.legend,
        ]
        self._body.extend([*above, self.kept, *below])
        self.bars.setMinimumHeight(170)
        layout = self._body.native.layout()
        layout.insertWidget(len(above) + 1, self.grid)
        layout.addWidget(self.bars, 1)
        layout.addWidget(self.fit.native)
        self.add_scrolled(self._body)
        self._body.visible = self.kept.visible = False

    def _connect(self) -> None:
        self.radius.changed.connect(self._reload)
        self.radius_z.changed.connect(self._reload)
        self.own_contrast.changed.connect(self._on_limits)
        self.others.changed.connect(self.grid.set_others)
        self.kept.changed.connect(self._go_to_kept)
        self.previous.changed.connect(partial(self.step, -1))
        self.following.changed.connect(partial(self.step, 1))
        theme = getattr(getattr(self._viewer, "events", None), "theme", None)
        if theme is not None:
            theme.connect(self._on_theme)  # napari refers to it weakly
        self._on_theme()

    def _on_theme(self, _event: Any = None) -> None:
        theme = plot_theme(self._viewer)
        self.grid.set_theme(theme)
        self.bars.set_theme(theme)

    # --- the session

    def _attach(self, session: Session) -> None:
        self._body.visible = True
        self.listen(session.moved, self.show_row)
        self.listen(session.picked, self.show_row)
        self._limits.follow(session)
        self._clear(_START)
        self._refresh(session.view, frozenset({"selected"}))

    def _detach(self) -> None:
        self._numbers.cancel()
        self._pixels.cancel()
        self._ahead.drop()
        self._limits.drop()
        self._row = None
        self._clear("")
        self._body.visible = False

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if "selected" in names:
            some = view.selected is not None
            self.previous.enabled = self.following.enabled = some

    def step(self, by: int, *_: Any) -> None:
        """Fly to the next or the previous spot of the selection, in row order."""
        session = self._session
        if session is None or session.view.selected is None:
            return
        rows = np.flatnonzero(session.view.selected)
        if self._row is None:
            place = 0 if by > 0 else -1
        else:
            place = int(np.searchsorted(rows, self._row)) + by
            if by > 0 and rows[place - 1] != self._row:
                place -= 1  # the spot shown is not selected: its follower is next
        # at its end the list begins anew
        listed = rows.take(place + by * np.arange(1 + AHEAD), mode="wrap")
        try:
            session.go_to_row(int(listed[0]), listed[1:])
        except NotFoundError:
            # It has no position, so that there is nowhere to fly to; what else is
            # known of it is shown, and the next step goes on from here.
            self.show_row(int(listed[0]))

    # --- one spot

    @property
    def reach(self) -> tuple[int, int]:
        """Voxels to either side in z, and in y and x."""
        return (int(self.radius_z.value), int(self.radius.value))

    def show_row(self, row: int) -> None:
        """Gather and show what is known of a spot."""
        self._row = row
        self._reload()

    def _reload(self, *_: Any) -> None:
        session, row = self._session, self._row
        if session is None or row is None:
            return
        self._stale = not self._awake.awake
        if self._stale:
            return  # nobody sees it: the pixels are read when somebody does
        dataset, index, reach = session.dataset, session.index, self.reach
        if self.facts is None or self.facts.row != row:
            spot_id = dataset.spots.column("spot_id")[row]
            self.title.value = f"<b>Spot {spot_id}</b><br>Reading …"
        self._pixels.cancel()
        self._numbers.submit(
            lambda _job: facts_of(dataset, index, row, (reach[0], reach[1], reach[1])),
            done=lambda facts: self._show_facts(facts, reach),
            failed=self._show_error,
        )

    def _on_awake(self, awake: bool) -> None:
        if not awake:
            self._stale = self._stale or self._numbers.busy or self._pixels.busy
            self._numbers.cancel()
            self._pixels.cancel()
        elif self._stale:
            self._reload()

    def _show_facts(self, facts: Facts, reach: tuple[int, int]) -> None:
        session = self._session
        if session is None:
            return
        dataset = session.dataset
        other = self.evidence is None or self.evidence.row != facts.row
        self.facts = facts
        self.title.value = text.title_text(facts.record)
        self.verdict.value = text.verdict_text(facts, dataset)
        self.kept.visible = facts.duplicate is not None
        self._draw_bars(facts, dataset)
        if not facts.placed:
            self.evidence = Evidence(facts, {}, {}, {}, reach)
            self._show_no_crops("This spot has no position.")
            return
        if other:
            self.evidence = None
            self._show_no_crops("Reading …")

        def read(job: Job) -> Evidence:
            found, problems = crops(
                dataset,
                facts.row,
                radius=reach[1],
                radius_z=reach[0],
                depth=_DEPTH,
                cancelled=job.cancelled,
            )
            job.check()
            limits = image_limits(dataset, found)
            return Evidence(facts, found, problems, limits, reach)

        self._pixels.submit(read, done=self._show_pixels, failed=self._show_pixel_error)

    def _show_pixels(self, evidence: Evidence) -> None:
        session = self._session
        if session is None:
            return
        self.evidence = evidence
        facts, dataset = evidence.facts, session.dataset
        self.verdict.value = text.verdict_text(facts, dataset, evidence.problems)
        self._draw_crops(evidence, dataset)
        reach_z, radius = evidence.reach
        self._ahead.read(dataset, session.following, radius, reach_z)

    # --- what went wrong

    def _clear(self, title: str) -> None:
        """Show a text, and nothing of any spot."""
        self.facts = self.evidence = None
        self.title.value = title
        self.verdict.value = self.legend.value = self.fit.value = ""
        self.kept.visible = False
        self.bars.clear_spot()
        self._show_no_crops("")

    def _show_no_crops(self, message: str) -> None:
        self.grid.show_message(message)
        self.key.value = ""

    def _show_error(self, error: Exception) -> None:
        self._clear(str(error) or type(error).__name__)
        if not isinstance(error, SeeSpotError):
            raise error

    def _show_pixel_error(self, error: Exception) -> None:
        self._show_no_crops(f"The pixels cannot be shown: {error}")
        if not isinstance(error, SeeSpotError):
            raise error

    # --- drawing

    def _draw_crops(self, evidence: Evidence, dataset: Dataset) -> None:
        channels = [*evidence.crops, *evidence.problems]
        titles = {c: _two_lines(dataset, c) for c in dataset.channels if c in channels}
        if not titles:
            self._show_no_crops("The dataset has no images to show it in.")
            return
        facts = evidence.facts
        z, y, x = (float(facts.record[axis]) for axis in "zyx")
        voxel = dataset.voxel_size
        scene = CropScene(
            titles,
            evidence.crops,
            (z, y, x),
            evidence.reach,
            _DEPTH,
            voxel[0] / voxel[2],
            _neighbours(facts),
            None if facts.kept is None else _neighbour(facts.kept),
        )
        self.grid.show_scene(scene, self._contrast(evidence))
        self.key.value = _KEY.format(kept="" if facts.kept is None else _KEPT_KEY)

    def _on_limits(self, *_: Any) -> None:
        if self.evidence is not None:
            self.grid.set_limits(self._contrast(self.evidence))

    def _contrast(self, evidence: Evidence) -> dict[str, tuple[float, float]]:
        own = bool(self.own_contrast.value)
        return {
            channel: crop.value_range
            if own
            else self._limits.of(channel) or evidence.limits[channel]
            for channel, crop in evidence.crops.items()
        }

    def _draw_bars(self, facts: Facts, dataset: Dataset) -> None:
        channels = dataset.channels
        colors = channel_colors(channels)
        levels = {}
        for dye, roles in facts.dyes.items():
            assert facts.fits is not None
            fit = facts.fits.loc[dye]
            values = fit[[f"expected_{c}" for c in channels]].to_numpy(float)
            levels[dye] = Level(values, colors[dye], text.line_of(roles))
        self.bars.show_spot(
            [_two_lines(dataset, c) for c in channels],
            np.array([facts.record[f"chan_{c}_intensity"] for c in channels], float),
            [colors[c] for c in channels],
            levels,
            text.bar_tips(facts, dataset),
        )
        self.legend.value = text.legend_text(facts, dataset)
        self.fit.value = text.fit_text(facts, dataset)

    def _go_to_kept(self) -> None:
        facts = self.facts
        if self._session is not None and facts is not None and facts.duplicate:
            self._session.go_to_row(facts.duplicate.row)


def _two_lines(dataset: Dataset, channel: str) -> str:
    return dataset.label(channel).replace(" · ", "\n")


def _neighbours(facts: Facts) -> tuple[Neighbour, ...]:
    return tuple(map(_neighbour, facts.neighbours.to_dict("records")))


def _neighbour(record: Mapping[Any, Any]) -> Neighbour:
    place = (float(record["z"]), float(record["y"]), float(record["x"]))
    colors = class_colors("status", ())
    return Neighbour(place, colors[record["status"]], text.spot_tip(record))
