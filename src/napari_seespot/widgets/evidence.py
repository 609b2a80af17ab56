"""The *Evidence* dock: one spot's pixels, intensities and neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, Container, Label, PushButton, SpinBox

from napari_seespot.coloring import class_colors
from napari_seespot.errors import SeeSpotError
from napari_seespot.evidence import (
    Crop,
    CropsAhead,
    Duplicate,
    crops,
    duplicate_of,
    dye_fits,
    spots_near,
)
from napari_seespot.palette import channel_colors
from napari_seespot.plots.bars import IntensityBars
from napari_seespot.plots.crops import CropGrid, Neighbour
from napari_seespot.session import AHEAD
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._theme import plot_theme
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari.viewer
    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.index import SpotIndex
    from napari_seespot.resolve import View
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["Evidence", "EvidenceWidget", "gather"]

_DEPTH_Z = 6  # planes before and behind that the side view shows
_DYES = 2  # the nearest dyes are drawn beside the intensities
_GRID_HEIGHT = 270  # pixels; square crops in three rows, of five channels


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one spot, ready to be shown."""

    row: int
    record: Mapping[Any, Any]
    crops: dict[str, Crop]
    problems: dict[str, str]
    neighbours: tuple[Neighbour, ...]
    fits: pd.DataFrame | None
    duplicate: Duplicate | None


def gather(
    dataset: Dataset, index: SpotIndex, row: int, radius: int, job: Job | None = None
) -> Evidence:
    """Read all that speaks for and against a spot's verdict; slow, for a worker."""
    cancelled = None if job is None else job.cancelled
    found, problems = crops(
        dataset, row, radius=radius, radius_z=_DEPTH_Z, cancelled=cancelled
    )
    record = dataset.spots.to_pandas(rows=np.array([row])).iloc[0].to_dict()
    removed = record["status"] == "removed"
    return Evidence(
        row,
        record,
        found,
        problems,
        _neighbours(dataset, index, row, radius),
        dye_fits(dataset, row) if dataset.ratios is not None else None,
        duplicate_of(dataset, index, row) if removed else None,
    )


def _neighbours(
    dataset: Dataset, index: SpotIndex, row: int, radius: int
) -> tuple[Neighbour, ...]:
    spots = dataset.spots
    center = np.array([spots.column(axis)[row] for axis in "zyx"], float)
    near = spots_near(index, center, (_DEPTH_Z, radius, radius))
    table = spots.to_pandas(rows=near[near != row])
    colors = class_colors("status", spots.channels)
    return tuple(
        Neighbour(
            (float(other["z"]), float(other["y"]), float(other["x"])),
            colors[other["status"]],
            f"spot {other['spot_id']}: {_flow(other)}, {other['status']}",
        )
        for other in table.to_dict("records")
    )


def _flow(record: Mapping[Any, Any]) -> str:
    unmixed = record["unmixed_chan"]
    return f"{record['chan']} → {unmixed if isinstance(unmixed, str) else 'removed'}"


class EvidenceWidget(SessionDock):
    """Shows the spot that was last flown to or picked; steps through a selection.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._row: int | None = None
        self.evidence: Evidence | None = None
        self.title = Label(value="")
        self.verdict = Label(value="")
        self.fit = Label(value="")
        self.kept = PushButton(text="Go to the kept spot")
        self.previous = PushButton(text="◀", tooltip="Previous spot of the selection")
        self.following = PushButton(text="▶", tooltip="Next spot of the selection")
        self.radius = SpinBox(
            value=12, min=3, max=64, tooltip="Voxels to either side of the spot"
        )
        self.own_contrast = CheckBox(
            text="Own contrast",
            tooltip="Stretch each crop to its own values, not to the layers' limits",
        )
        self.grid = CropGrid()
        self.bars = IntensityBars()
        self._worker = Worker("seespot-evidence", self._show_busy)
        self._ahead = CropsAhead()
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        self._connect()
        self.native.destroyed.connect(partial(Worker.close, self._worker))
        self.native.destroyed.connect(partial(CropsAhead.drop, self._ahead))
        self.follow()

    def _lay_out(self) -> None:
        steps: Container[Any] = Container(
            widgets=[self.previous, self.following, self.radius],
            layout="horizontal",
            labels=False,
        )
        steps.margins = (0, 0, 0, 0)
        self._body.extend(
            [steps, self.title, self.verdict, self.kept, self.own_contrast]
        )
        for label in (self.title, self.verdict):
            label.native.setWordWrap(True)  # a narrow dock must not cut them off
        layout = self._body.native.layout()
        self.grid.setFixedHeight(_GRID_HEIGHT)
        self.grid.setMinimumWidth(270)
        self.bars.setMinimumHeight(160)
        layout.addWidget(self.grid)
        layout.addWidget(self.bars, 1)
        layout.addWidget(self.fit.native)
        self.add_scrolled(self._body)
        self._body.visible = self.kept.visible = False

    def _connect(self) -> None:
        self.radius.changed.connect(self._reload)
        self.own_contrast.changed.connect(self._draw_crops)
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
        self.title.value = "Click a spot in the image or in a plot."
        self._refresh(session.view, frozenset({"selected"}))

    def _detach(self) -> None:
        self._worker.cancel()
        self._ahead.drop()
        self._row = self.evidence = None
        self._body.visible = False

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        if "selected" in names:
            some = view.selected is not None
            self.previous.enabled = self.following.enabled = some

    def step(self, by: int, *_: Any) -> None:
        """Fly to the next or the previous spot of the selection, in row order."""
        if self._session is None or self._session.view.selected is None:
            return
        rows = np.flatnonzero(self._session.view.selected)
        if self._row is None:
            place = 0 if by > 0 else -1
        else:
            place = int(np.searchsorted(rows, self._row)) + by
            if by > 0 and rows[place - 1] != self._row:
                place -= 1  # the spot shown is not selected: its follower is next
        # at its end the list begins anew
        listed = rows.take(place + by * np.arange(1 + AHEAD), mode="wrap")
        self._session.go_to_row(int(listed[0]), listed[1:])

    # --- one spot

    def show_row(self, row: int) -> None:
        """Gather and show what is known of a spot."""
        self._row = row
        self._reload()

    def _reload(self, *_: Any) -> None:
        session, row = self._session, self._row
        if session is None or row is None:
            return
        radius = int(self.radius.value)
        self._worker.submit(
            lambda job: gather(session.dataset, session.index, row, radius, job),
            done=self._show,
            failed=self._show_error,
        )

    def _show_busy(self, busy: bool) -> None:
        if busy:
            self.title.value = "Reading …"

    def _show_error(self, error: Exception) -> None:
        if not isinstance(error, SeeSpotError):
            raise error
        self.title.value = str(error)

    def _show(self, evidence: Evidence) -> None:
        session = self._session
        if session is None:
            return
        self.evidence = evidence
        record, dataset = evidence.record, session.dataset
        self.title.value = f"<b>Spot {record['spot_id']}</b>  {_where(record)}"
        self.verdict.value = _verdict(record, dataset, evidence)
        self.kept.visible = evidence.duplicate is not None
        self._draw_crops()
        self._draw_bars(evidence, dataset)
        self._ahead.read(dataset, session.following, int(self.radius.value), _DEPTH_Z)

    def _draw_crops(self, *_: Any) -> None:
        evidence, session = self.evidence, self._session
        if evidence is None or session is None:
            return
        voxel = session.dataset.voxel_size
        self.grid.show_crops(
            evidence.crops,
            {name: _two_lines(session.dataset, name) for name in evidence.crops},
            {name: self._limits(name, crop) for name, crop in evidence.crops.items()},
            session.position(evidence.row),
            evidence.neighbours,
            voxel[0] / voxel[2],
        )

    def _limits(self, channel: str, crop: Crop) -> tuple[float, float]:
        session = self._session
        if not self.own_contrast.value and session is not None:
            limits = session.dataset.images[channel].contrast_limits
            if limits is not None:
                return limits
        return float(crop.volume.min()), float(max(crop.volume.max(), 1))

    def _draw_bars(self, evidence: Evidence, dataset: Dataset) -> None:
        channels = dataset.channels
        heights = np.array([evidence.record[f"chan_{c}_intensity"] for c in channels])
        colors = channel_colors(channels)
        expected = {}
        if evidence.fits is not None:
            for dye, fit in evidence.fits.head(_DYES).iterrows():
                levels = fit[[f"expected_{c}" for c in channels]].to_numpy(float)
                if np.isfinite(levels).all():
                    name = f"dye {dataset.label(str(dye))}"
                    expected[name] = (levels, colors[str(dye)])
        self.bars.show_spot(
            [_two_lines(dataset, c) for c in channels],
            heights,
            [colors[c] for c in channels],
            expected,
        )
        self.fit.value = _fit_text(evidence.fits, dataset)

    def _go_to_kept(self) -> None:
        evidence = self.evidence
        if self._session is None or evidence is None or evidence.duplicate is None:
            return
        self._session.go_to_row(evidence.duplicate.row)


def _two_lines(dataset: Dataset, channel: str) -> str:
    return dataset.label(channel).replace(" · ", "\n")


def _where(record: Mapping[Any, Any]) -> str:
    place = ", ".join(f"{record[axis]:.1f}" for axis in "zyx")
    cell = record.get("cell_id")
    return f"z, y, x {place}" + (f"; cell {cell}" if cell else "")


def _verdict(record: Mapping[Any, Any], dataset: Dataset, evidence: Evidence) -> str:
    unmixed = record["unmixed_chan"]
    target = dataset.label(unmixed) if isinstance(unmixed, str) else "removed"
    color = class_colors("status", ())[record["status"]]
    lines = [
        f"{dataset.label(record['chan'])} → {target} "
        f'<font color="{color}">● {record["status"]}</font>',
        " &nbsp; ".join(
            f"{name} {record[name]:.3f}"
            for name in ("r", "dist", "dye_line_dist_ratio")
            if name in record
        ),
    ]
    if evidence.duplicate is not None:
        other = dataset.spots.to_pandas(rows=np.array([evidence.duplicate.row])).iloc[0]
        lines.append(
            f"repeats kept spot {other['spot_id']} ({_flow(other.to_dict())}), "
            f"{evidence.duplicate.distance:.2f} voxels away"
        )
    elif record["status"] == "removed":
        lines.append("no kept spot of its cell lies within the radius")
    lines += [f"Channel {name}: {text}" for name, text in evidence.problems.items()]
    return "<br>".join(lines)


def _fit_text(fits: pd.DataFrame | None, dataset: Dataset) -> str:
    if fits is None:
        return "The dataset has no ratios: dyes cannot be compared."
    rows = "".join(
        f"<tr><td>{dataset.label(str(dye))} &nbsp;</td>"
        f"<td align=right>{fit['distance']:.1f} &nbsp;</td>"
        f"<td align=right>{fit['scale']:.1f}</td></tr>"
        for dye, fit in fits.iterrows()
    )
    head = "<tr><td>dye</td><td>residual &nbsp;</td><td>amount</td></tr>"
    return f"<table>{head}{rows}</table>"
