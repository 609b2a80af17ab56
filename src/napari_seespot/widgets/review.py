"""The *Review* dock: judging a sample of verdicts, spot by spot."""

from __future__ import annotations

import getpass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import (
    ComboBox,
    Container,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    SpinBox,
)
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QFileDialog

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtGui import QShortcut  # type: ignore[attr-defined]  # isort: skip

from napari_seespot._user_data import data_folder
from napari_seespot.errors import SeeSpotError
from napari_seespot.review import (
    Plan,
    Queue,
    Review,
    Verdict,
    agreement,
    estimate,
)
from napari_seespot.widgets._dock import SessionDock

if TYPE_CHECKING:
    import napari.viewer
    import pandas as pd

    from napari_seespot.session import Session

__all__ = ["ReviewWidget"]

_KEYS: dict[Verdict, str] = {"right": "1", "wrong": "2", "unsure": "3", "skip": "4"}
_STRATA = {
    "status, flow and r": ("status", "flow", "r"),
    "flow": ("flow",),
    "status": ("status",),
    "status and r": ("status", "r"),
}


class ReviewWidget(SessionDock):
    """Shows a stratified random sample spot by spot, and asks for verdicts.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.review: Review | None = None
        self.queue: Queue | None = None
        self._place = 0
        self.reviewer = LineEdit(
            label="Reviewer", value=_user(), tooltip="Whose verdicts these are"
        )
        self.strata = ComboBox(
            label="Strata",
            choices=[*_STRATA],
            tooltip="Spots are drawn from each combination alike",
        )
        self.per_stratum = SpinBox(label="Spots a stratum", value=10, min=1, max=10_000)
        self.seed = SpinBox(
            label="Seed", value=0, max=2**31 - 1, tooltip="Same seed, same spots"
        )
        self.begin = PushButton(
            text="Begin or go on",
            tooltip="Verdicts are kept after each spot; a review goes on where it was",
        )
        self.progress = ProgressBar(max=1)
        self.spot = Label(value="")
        self.buttons = {
            verdict: PushButton(
                text=f"{verdict.capitalize()} ({key})", tooltip=f"Key {key}"
            )
            for verdict, key in _KEYS.items()
        }
        self.remark = LineEdit(label="Note", tooltip="Kept with the next verdict")
        self.back = PushButton(text="◀ Back", tooltip="Judge the last spot again")
        self.result = Label(value="")
        self.save = PushButton(text="Export …", tooltip="Verdicts and rates as CSV")
        self._setup: Container[Any] = Container(
            widgets=[self.reviewer, self.strata, self.per_stratum, self.seed]
        )
        self._body: Container[Any] = Container(labels=False)
        self._lay_out()
        self._connect()
        self.follow()

    def _lay_out(self) -> None:
        verdicts = [*self.buttons.values()]
        note: Container[Any] = Container(widgets=[self.remark])
        rows = [_row(*verdicts[:2]), _row(*verdicts[2:])]
        self._body.extend(
            [self._setup, self.begin, self.progress, self.spot, *rows, note]
        )
        self._body.extend([_row(self.back, self.save), self.result])
        for part in (self._setup, note):
            part.margins = (0, 0, 0, 0)
        self.spot.native.setWordWrap(True)
        self.add_scrolled(self._body)
        self._body.visible = False

    def _connect(self) -> None:
        self.begin.changed.connect(self._begin)
        self.back.changed.connect(self._go_back)
        self.save.changed.connect(self._ask_export)
        for verdict, button in self.buttons.items():
            button.changed.connect(partial(self._judged, verdict))
            shortcut = QShortcut(QKeySequence(_KEYS[verdict]), self.native)
            # Digits typed into the note or a number box are text there.
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self._judged, verdict))

    # --- the session

    def _attach(self, session: Session) -> None:
        self._body.visible = True
        self._stop()

    def _detach(self) -> None:
        self._stop()
        self._body.visible = False

    def _stop(self) -> None:
        self.review = self.queue = None
        self._place = 0
        self.progress.value = 0
        self.spot.value = "Not begun."
        self.result.value = ""
        self._enable(False)

    def _enable(self, judging: bool) -> None:
        for button in self.buttons.values():
            button.enabled = judging
        self.back.enabled = self.queue is not None and self._place > 0
        self.save.enabled = self.review is not None

    @property
    def path(self) -> Path | None:
        """The file of the reviews of the session's dataset."""
        if self._session is None:
            return None
        name = "".join(
            c if c.isalnum() or c in "-_." else "_" for c in self._session.dataset.name
        )
        return data_folder() / "reviews" / f"{name}.jsonl"

    def _begin(self) -> None:
        session, path = self._session, self.path
        if session is None or path is None:
            return
        plan = Plan(
            int(self.per_stratum.value),
            _STRATA[self.strata.value],
            int(self.seed.value),
        )
        try:
            self.review = Review(path, self.reviewer.value.strip() or _user())
            self.review.begin(plan)
            self.queue = plan.draw(session.dataset.spots)
        except SeeSpotError as error:
            self._stop()
            self._tell(error)
            return
        self.progress.max = max(len(self.queue), 1)
        self._show_first_open()

    # --- judging

    def judge(self, verdict: Verdict) -> None:
        """Give the spot shown a verdict, and show the next one."""
        if self.review is None or self.queue is None or self._session is None:
            return
        if self._place >= len(self.queue):
            return
        row = int(self.queue.rows[self._place])
        spot_id = int(self._session.dataset.spots.column("spot_id")[row])
        stratum = self.queue.stratum[self._place]
        try:
            self.review.judge(spot_id, verdict, stratum, self.remark.value.strip())
        except SeeSpotError as error:  # the spot stays, so that nothing is lost
            self._tell(error)
            return
        self.remark.value = ""
        self._show_first_open(self._place + 1)

    def _judged(self, verdict: Verdict, *_: Any) -> None:
        self.judge(verdict)

    def _show_first_open(self, start: int = 0) -> None:
        """Show the first spot from `start` on that this reviewer has not judged."""
        review, queue, session = self.review, self.queue, self._session
        if review is None or queue is None or session is None:
            return
        ids = session.dataset.spots.column("spot_id")[queue.rows]
        done = np.isin(ids, list(review.judged()))
        left = np.flatnonzero(~done[start:])
        self._place = start + int(left[0]) if len(left) else len(queue)
        self.progress.value = int(done.sum())
        self._show_result()
        self._show_spot()

    def _go_back(self) -> None:
        if self.queue is not None and self._place > 0:
            self._place -= 1
            self._show_spot()

    def _show_spot(self) -> None:
        session, queue = self._session, self.queue
        if session is None or queue is None:
            return
        if self._place >= len(queue):
            self.spot.value = f"All {len(queue):,} spots are judged."
            self._enable(False)
            return
        row = int(queue.rows[self._place])
        spot_id = int(session.dataset.spots.column("spot_id")[row])
        self.spot.value = (
            f"<b>Spot {spot_id}</b>, {self._place + 1:,} of {len(queue):,}<br>"
            f"{queue.stratum[self._place]}"
        )
        self._enable(True)
        try:
            session.go_to_row(row, queue.rows[self._place + 1 :])
        except SeeSpotError as error:  # it has no position: its numbers remain
            self._tell(error)

    # --- the result

    def rates(self) -> pd.DataFrame | None:
        """Return the error rates of this reviewer's verdicts; see `estimate`."""
        if self.review is None or self.queue is None:
            return None
        table = self.review.table()
        mine = table[table["reviewer"] == self.review.reviewer]
        return estimate(mine, self.queue.sizes)

    def _show_result(self) -> None:
        rates = self.rates()
        if rates is None or self.review is None:
            return
        whole = rates.loc["all"]
        lines = []
        if whole["judged"]:
            lines.append(
                f"Estimated error of the dataset: <b>{100 * whole['error']:.1f} %</b> "
                f"({100 * whole['low']:.1f} to {100 * whole['high']:.1f} %), "
                f"from {int(whole['judged']):,} verdicts"
            )
        table = self.review.table()
        for other in sorted(set(table["reviewer"]) - {self.review.reviewer}):
            kappa, n = agreement(table, self.review.reviewer, other)
            if n:
                spots = "spot" if n == 1 else "spots"
                lines.append(
                    f"Agreement with {other}: kappa {kappa:.2f} on {n:,} {spots}"
                )
        lines.append(_rates_html(rates))
        self.result.value = "<br>".join(lines)

    def _ask_export(self) -> None:
        text, _ = QFileDialog.getSaveFileName(
            self.native, "Export the review", "review.csv", "CSV (*.csv)"
        )
        if text:
            self.export(Path(text))

    def export(self, path: Path) -> None:
        """Write the verdicts to a CSV file, and the rates beside it."""
        rates = self.rates()
        if self.review is None or rates is None:
            return
        try:
            self.review.table().to_csv(path, index=False)
            rates.to_csv(
                path.with_name(f"{path.stem}-rates.csv"), index_label="stratum"
            )
        except OSError as error:
            self._tell(
                SeeSpotError(
                    f"the review cannot be exported: {error.strerror}", where=path
                )
            )

    def _tell(self, error: SeeSpotError) -> None:
        from napari.utils.notifications import show_error

        show_error(str(error))


def _rates_html(rates: pd.DataFrame) -> str:
    judged = rates[(rates["judged"] > 0) & (rates.index != "all")]
    rows = ""
    for name, rate in judged.iterrows():
        share = f"{int(rate['wrong'])}/{int(rate['judged'])}"
        interval = f"{100 * rate['low']:.0f}-{100 * rate['high']:.0f} %"
        cells = "".join(f"<td align=right>{x} &nbsp;</td>" for x in (share, interval))
        rows += f"<tr><td>{name} &nbsp;</td>{cells}</tr>"
    return f"<table><tr><td>stratum</td><td>wrong</td><td>95 %</td></tr>{rows}</table>"


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user: some containers
        return "reviewer"


def _row(*widgets: Any) -> Container[Any]:
    row: Container[Any] = Container(
        widgets=list(widgets), layout="horizontal", labels=False
    )
    row.margins = (0, 0, 0, 0)
    return row
