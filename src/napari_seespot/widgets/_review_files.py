"""A review to files, and another reviewer's into it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, PushButton
from psygnal import Signal
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_seespot.errors import SeeSpotError
from napari_seespot.review import derived_files
from napari_seespot.widgets._review_text import count
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.review import Entry, Judging

__all__ = ["ReviewFiles", "tell"]

_TABLES, _OTHERS = "Tables (*.csv)", "For another reviewer (*.jsonl)"


class ReviewFiles(Container[Any]):
    """Exports a review, and takes in those of other reviewers.

    Attributes
    ----------
    worker : Worker
        To be closed with the dock.
    taken_in : psygnal.Signal
        Emitted after verdicts of others were taken in.
    """

    taken_in = Signal()

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self._judging: Judging | None = None
        self.worker = Worker("seespot-review-file")
        self.save = PushButton(
            text="Export …", tooltip="Verdicts, error rates and agreement as tables"
        )
        self.take = PushButton(
            text="Take in another review …",
            tooltip="The verdicts of another reviewer: their own file (.jsonl), or "
            "what they exported",
        )
        self.extend([self.save, self.take])
        self.save.changed.connect(self._ask_export)
        self.take.changed.connect(self._ask_take_in)

    def show_review(self, judging: Judging | None) -> None:
        """Offer what can be done with a review."""
        if judging is None:
            self.worker.cancel()
        self._judging = judging
        self.save.enabled = judging is not None and bool(judging.review.entries)
        self.take.enabled = judging is not None

    def _ask_export(self) -> None:
        text, kind = QFileDialog.getSaveFileName(
            self.native, "Export the review", "review.csv", f"{_TABLES};;{_OTHERS}"
        )
        if not text:
            return
        path, unasked = Path(text), []
        if not path.suffix:  # the dialog has asked about another name
            ending = ".jsonl" if kind == _OTHERS else ".csv"
            path = path.with_name(f"{path.name}{ending}")
            unasked.append(path)
        if path.suffix.lower() == ".csv":
            unasked.extend(derived_files(path))
        present = [other for other in unasked if other.exists()]
        if not present or self._may_replace(present):
            self.export(path, replace=True)

    def _may_replace(self, paths: Sequence[Path]) -> bool:
        names = ", ".join(path.name for path in paths)
        verb = "is" if len(paths) == 1 else "are"
        question = f"{names} {verb} there already. Replace?"
        answer = QMessageBox.question(self.native, "Export the review", question)
        return bool(answer == QMessageBox.StandardButton.Yes)

    def export(self, path: Path, *, replace: bool = False) -> None:
        """Write the review to files; see `Judging.export`."""
        if self._judging is not None:
            try:
                self._judging.export(path, replace=replace)
            except SeeSpotError as error:
                tell(error)

    def _ask_take_in(self) -> None:
        text, _ = QFileDialog.getOpenFileName(
            self.native, "Take in another review", "", "Reviews (*.jsonl *.csv)"
        )
        if text:
            self.take_in(Path(text))

    def take_in(self, path: Path) -> None:
        """Take in another reviewer's file: read and checked beside the window."""
        judging = self._judging
        if judging is not None:
            self.worker.submit(
                lambda _job: judging.read_other(path),
                done=partial(self._take_in, path),
                failed=tell,
            )

    def _take_in(self, path: Path, entries: list[Entry]) -> None:
        if self._judging is None:
            return
        try:
            found = self._judging.merge(entries)
        except SeeSpotError as error:
            tell(error)
            return
        self.taken_in.emit()
        from napari.utils.notifications import show_info

        whose = " and ".join(
            f"{count(n, 'verdict', 'verdicts')} of {who}" for who, n in found.items()
        )
        show_info(f"{path.name}: {whose or 'no new verdicts'}.")


def tell(error: Exception) -> None:
    """Show an error that a user can act on; raise any other."""
    if not isinstance(error, SeeSpotError):
        raise error
    from napari.utils.notifications import show_error

    show_error(str(error))
