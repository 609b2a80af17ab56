"""The *Review* dock: judging a sample of verdicts, spot by spot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Label, LineEdit, ProgressBar, PushButton
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtGui import QShortcut  # type: ignore[attr-defined]  # isort: skip

from napari_seespot.errors import SeeSpotError
from napari_seespot.review import Judging, Review, Verdict, review_path
from napari_seespot.widgets._canvas_keys import CanvasKeys
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._review_files import ReviewFiles, tell
from napari_seespot.widgets._review_setup import ReviewSetup
from napari_seespot.widgets._review_table import RateTable
from napari_seespot.widgets._review_text import plan_text, result_text, spot_text
from napari_seespot.widgets._rows import row_of
from napari_seespot.widgets._wakefulness import Wakefulness
from napari_seespot.widgets._worker import Worker
from napari_seespot.widgets._wrapped import wrap

if TYPE_CHECKING:
    from pathlib import Path

    import napari.viewer
    import pandas as pd

    from napari_seespot.review import Queue
    from napari_seespot.session import Session
    from napari_seespot.widgets._worker import Job

__all__ = ["ReviewWidget"]

_KEYS: dict[Verdict, str] = {"right": "1", "wrong": "2", "unsure": "3", "skip": "4"}


class ReviewWidget(SessionDock):
    """Shows a stratified random sample spot by spot, and asks for verdicts.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    judging : Judging or None
        The review that is asked for, once its spots are drawn.
    active : bool
        Whether it goes on: verdicts are taken.
    """

    # napari hands the viewer to the parameter with exactly this annotation.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.judging: Judging | None = None
        self.active = False
        self._wanted = self._stale = False
        self._place = 0
        self._notes: dict[int, str] = {}  # begun, and left with Back
        self._make_widgets()
        self._keys = CanvasKeys()
        self._draws = Worker("seespot-review", on_busy=self._show_busy)
        self._awake = Wakefulness(self.native, self._on_awake)
        self._body: Container[Any] = Container(labels=False)
        self.judge_box: Container[Any] = Container(labels=False)
        self._lay_out()
        self._connect()
        # Not their bound methods: those would not keep them alive until then.
        self.native.destroyed.connect(partial(Worker.close, self._draws))
        self.native.destroyed.connect(partial(Worker.close, self.files.worker))
        self.native.destroyed.connect(partial(CanvasKeys.release, self._keys))
        self.follow()

    def _make_widgets(self) -> None:
        self.setup = ReviewSetup()
        self.plan = Label(value="")
        self.begin = PushButton(
            text="Begin",
            tooltip="Verdicts are kept after each spot; a review goes on where it was",
        )
        self.change = PushButton(
            text="Change …", tooltip="Another reviewer, or other spots; all is kept"
        )
        self.progress = ProgressBar(max=1)
        self.spot = Label(value="")
        self.buttons = {
            verdict: PushButton(
                text=f"{verdict.capitalize()} ({key})",
                tooltip=f"Key {key}, here and on the image",
            )
            for verdict, key in _KEYS.items()
        }
        self.remark = LineEdit(label="Note", tooltip="Kept with the next verdict")
        self.back = PushButton(text="◀ Back", tooltip="See or judge the last one again")
        self.forward = PushButton(text="Next ▶", tooltip="Leave the verdict as it is")
        self.result = Label(value="")
        self.table = RateTable()
        self.files = ReviewFiles()

    def _lay_out(self) -> None:
        verdicts = [*self.buttons.values()]
        note: Container[Any] = Container(widgets=[self.remark])
        self.judge_box.extend([self.progress, self.spot])
        self.judge_box.extend([row_of(*verdicts[:2]), row_of(*verdicts[2:]), note])
        self.judge_box.append(row_of(self.back, self.forward, self.change))
        above = [self.setup, self.plan, self.begin, self.judge_box, self.result]
        self._body.extend([*above, self.files])
        self._body.native.layout().insertWidget(len(above), self.table)
        for part in (self.judge_box, note):
            part.margins = (0, 0, 0, 0)
        for label in (self.plan, self.spot, self.result):
            wrap(label)
        self.progress.native.setFormat("%v of %m")
        self._body.native.layout().addStretch(1)
        self.add_scrolled(self._body)
        self._body.visible = False

    def _connect(self) -> None:
        self.setup.edited.connect(self._on_edit)
        self.begin.changed.connect(self._begin)
        self.change.changed.connect(self._stop)
        self.back.changed.connect(partial(self._step, -1))
        self.forward.changed.connect(partial(self._step, 1))
        self.files.taken_in.connect(self._show_state)
        for verdict, button in self.buttons.items():
            button.changed.connect(partial(self._judged, verdict))
            shortcut = QShortcut(QKeySequence(_KEYS[verdict]), self.native)
            # Digits typed into the note or a number box are text there, and a key
            # that is held down is one verdict.
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(partial(self._judged, verdict))

    # --- the session

    def _attach(self, session: Session) -> None:
        self._body.visible = True
        self._show_state()
        self._prepare(from_file=True)

    def _detach(self) -> None:
        self._draws.cancel()
        self._pause()
        self.judging = None
        self.files.show_review(None)
        self._wanted = self._stale = False
        self._body.visible = False

    def _on_awake(self, awake: bool) -> None:
        if not awake:
            self._keys.release()
        elif self.active:
            self._bind_keys()
        elif self._stale:
            self._prepare(from_file=True)

    @property
    def path(self) -> Path | None:
        """The file of the reviews of the session's dataset."""
        return None if self._session is None else review_path(self._session.dataset)

    @property
    def review(self) -> Review | None:
        """The file, while a review goes on."""
        return self.judging.review if self.active and self.judging else None

    @property
    def queue(self) -> Queue | None:
        """The spots to judge, while a review goes on."""
        return self.judging.queue if self.active and self.judging else None

    # --- what is to be judged

    def _prepare(self, from_file: bool = False) -> None:
        """Draw the spots, beside the window: that takes a second for millions."""
        session, path = self._session, self.path
        self._stale = not self._awake.awake
        if session is None or path is None or self._stale:
            return
        spots, who = session.dataset.spots, self.setup.who
        plan = None if from_file else self.setup.plan

        def draw(job: Job) -> Judging:
            return Judging(spots, Review(path, who), plan, check=job.check)

        self.judging = None
        self._draws.submit(draw, done=self._prepared, failed=self._failed)
        self._show_state()

    def _prepared(self, judging: Judging) -> None:
        if self._session is None:
            return
        self.judging = judging
        self.setup.fill(judging.plan)
        judging.reviewer = self.setup.who
        self._show_state()
        if self._wanted:
            self._begin()

    def _failed(self, error: Exception) -> None:
        self._wanted = False
        self._show_state()
        tell(error)

    def _on_edit(self) -> None:
        """Prepare what is asked for now; whose verdicts, is no other queue."""
        self._pause()
        if self.judging is not None and self.judging.plan == self.setup.plan:
            self.judging.reviewer = self.setup.who
            self._show_state()
        else:
            self._prepare()

    def _begin(self) -> None:
        """Begin, or go on; as soon as the spots are drawn."""
        judging = self.judging
        self._wanted = judging is None
        if judging is None:
            if self._session is not None and not self._draws.busy:
                self._prepare()  # it failed before
            self._show_busy(self._draws.busy)
            return
        try:
            judging.review.begin(judging.plan)
        except SeeSpotError as error:
            tell(error)
            return
        self.setup.remember()
        self.active = True
        self._bind_keys()
        self._show_open(0)

    def _bind_keys(self) -> None:
        if self._session is not None:
            actions = {
                key: partial(self.judge, verdict) for verdict, key in _KEYS.items()
            }
            self._keys.bind(self._session, actions)

    def _pause(self) -> None:
        """Take no verdicts any more."""
        self.active = False
        self._keys.release()
        self._notes.clear()
        self._place = 0

    def _stop(self, *_: Any) -> None:
        self._pause()
        self._show_state()

    # --- judging

    def judge(self, verdict: Verdict) -> None:
        """Give the spot shown a verdict, and show the next one."""
        judging = self.judging
        if judging is None or not self.active or self._place >= len(judging.queue):
            return
        try:
            judging.judge(self._place, verdict, str(self.remark.value).strip())
        except SeeSpotError as error:  # the spot stays, so that nothing is lost
            tell(error)
            return
        self._notes.pop(self._place, None)
        self._show_open(self._place + 1)

    def _judged(self, verdict: Verdict, *_: Any) -> None:
        self.judge(verdict)

    def _step(self, by: int, *_: Any) -> None:
        """Show the spot before or after, whether or not it is judged."""
        if self.judging is not None and self.active:
            self._notes[self._place] = str(self.remark.value)
            last = len(self.judging.queue)
            self._show_place(min(max(self._place + by, 0), last))

    def _show_open(self, start: int) -> None:
        """Show the first spot from a place on that this reviewer has not judged."""
        judging = self.judging
        if judging is not None:
            place = judging.first_open(start)
            self._show_place(len(judging.queue) if place is None else place)

    def _show_place(self, place: int) -> None:
        judging, session = self.judging, self._session
        if judging is None or session is None:
            return
        self._place = place
        self._show_state()
        if place >= len(judging.queue):
            return
        given = judging.verdict_at(place)
        self.remark.value = self._notes.pop(place, given.note if given else "")
        rows = judging.queue.rows
        try:
            session.go_to_row(int(rows[place]), rows[place + 1 :])
        except SeeSpotError as error:  # it has no position: its numbers remain
            tell(error)

    # --- what is shown

    def _show_busy(self, busy: bool) -> None:
        if busy:
            self.plan.value = "Drawing spots …"
        self.begin.enabled = not (busy and self._wanted)

    def _show_state(self) -> None:
        """Show how far the review is, and what it says."""
        judging, active = self.judging, self.active
        for part, visible in ((self.setup, not active), (self.judge_box, active)):
            part.visible = visible
        self.plan.visible = self.begin.visible = not active
        self.plan.value = plan_text(judging) if judging else "Drawing spots …"
        if judging is None and not self._draws.busy:
            self.plan.value = "No spots are drawn."
        done, n = (judging.done, len(judging.queue)) if judging else (0, 0)
        self.begin.text = f"Go on: {done:,} of {n:,} judged" if done else "Begin"
        self.files.show_review(judging)
        self._show_progress(done, n)
        self._show_spot()
        self._show_result()

    def _show_progress(self, done: int, n: int) -> None:
        bar = self.progress.native
        bar.setUpdatesEnabled(False)  # else Qt paints at once, and all that waits
        self.progress.max = max(n, 1)
        self.progress.value = done
        bar.setUpdatesEnabled(True)

    def _show_spot(self) -> None:
        judging, place = self.judging, self._place
        if judging is None or not self.active:
            return
        left = place < len(judging.queue)
        given = judging.verdict_at(place) if left else None
        self.spot.value = spot_text(judging, place)
        for verdict, button in self.buttons.items():
            button.enabled = left
            font = button.native.font()
            font.setBold(given is not None and given.verdict == verdict)
            button.native.setFont(font)
        self.remark.enabled = left
        self.back.enabled = place > 0
        self.forward.enabled = left and judging.is_done(place)

    def rates(self) -> pd.DataFrame | None:
        """Return the error rates of this reviewer's verdicts; see `estimate`."""
        return None if self.judging is None else self.judging.rates()

    def _show_result(self) -> None:
        rates = self.rates()
        text = result_text(self.judging, rates) if self.judging else ""
        self.result.value = text
        self.result.visible = bool(text)
        self.table.show_rates(rates)
