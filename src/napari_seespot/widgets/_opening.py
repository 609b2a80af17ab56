"""Opening a dataset in a viewer: in a worker, with progress, to be cancelled.

Each viewer has one `Opening`, which the dock, the reader and the sample share:
whatever was asked for last is what will be shown. The viewer keeps what it
shows until a new dataset is ready.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from psygnal import Signal
from qtpy.QtCore import QEventLoop, QThread

from napari_seespot import sessions
from napari_seespot._addresses import redact
from napari_seespot.errors import CancelledError, SeeSpotError
from napari_seespot.preparing import prepare
from napari_seespot.recent import remember_dataset
from napari_seespot.sample import SAMPLES
from napari_seespot.session import Session
from napari_seespot.sources import open_dataset
from napari_seespot.sources._task import Task
from napari_seespot.viewing import show_session, tell
from napari_seespot.widgets._column_mapping import (
    ColumnMappingDialog,
    UnmappedError,
    check_columns,
)
from napari_seespot.widgets._defer import once
from napari_seespot.widgets._plugin_settings import PluginSettings, plugin_settings
from napari_seespot.widgets._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_seespot.preparing import Prepared
    from napari_seespot.restoring import SavedSession
    from napari_seespot.widgets._activity import Activity
    from napari_seespot.widgets._worker import Job

__all__ = ["Opening", "Request", "in_event_loop", "opening_of", "report"]


@dataclass(frozen=True)
class Request:
    """What shall be opened.

    Attributes
    ----------
    uri : str
    options : mapping
        For `open_dataset`.
    saved : SavedSession, optional
        How to look at it.
    """

    uri: str
    options: Mapping[str, Any] = field(default_factory=dict)
    saved: SavedSession | None = None

    @property
    def title(self) -> str:
        """A few words for progress, without credentials."""
        name = redact(self.uri).rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        return f"Opening {name or self.uri}"


class Opening:
    """Opens datasets in one viewer, one after the other; the newest wins.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel

    Attributes
    ----------
    started : psygnal.Signal
        Emitted with a `Request`.
    progressed : psygnal.Signal
        Emitted with a share, 0 to 1, and a text.
    ended : psygnal.Signal
        Emitted with the session, or with the error why there is none; a
        `CancelledError` when the user cancelled.
    """

    started = Signal(Request)
    progressed = Signal(float, str)
    ended = Signal(object)

    def __init__(self, viewer: Any) -> None:
        viewer = sessions.unwrap(viewer)
        self._viewer = ref(viewer)  # openings are kept as long as their viewers
        self._in_window = hasattr(viewer, "window")
        self._worker = Worker("seespot-open")
        self._activity: Activity | None = None
        self._request: Request | None = None
        self._waited_for = False
        self._closed = False
        self.dialog: ColumnMappingDialog | None = None
        if self._in_window:
            from napari_seespot.widgets._window_watch import WindowWatch

            WindowWatch(viewer, self.close)

    @property
    def busy(self) -> bool:
        """Whether a dataset is being opened."""
        return self._request is not None

    def open(
        self, uri: str, *, saved: SavedSession | None = None, **options: Any
    ) -> None:
        """Begin to open a dataset in the place of the one that is shown.

        Parameters
        ----------
        uri : str
            As `open_dataset` takes it.
        saved : SavedSession, optional
            How to look at it; as at the start by default.
        **options
            For `open_dataset`.
        """
        if self._closed:
            return
        if self.busy:
            self._end(CancelledError("another dataset was asked for"))
        self._request = request = Request(uri, options, saved)
        settings = plugin_settings()
        settings.apply()
        if self._in_window:
            from napari_seespot.widgets._activity import Activity

            activity = Activity(request.title, self.cancel)
            # napari let Qt handle events: the user may have changed his mind.
            if self._request is not request:
                activity.close()
                return
            self._activity = activity
        self.started.emit(request)
        self._worker.submit(
            lambda job: _load(request, settings, job),
            done=self._show,
            failed=self._fail,
            progress=self._progress,
        )

    def open_now(self, uri: str, **options: Any) -> Session:
        """Open a dataset and return its session, while the window stays alive.

        For scripts, which run outside of Qt's event loop.

        Raises
        ------
        SeeSpotError
            When it cannot be opened, or the user cancels.
        """
        loop = QEventLoop()
        outcome: list[object] = []

        def end(result: object) -> None:
            outcome.append(result)
            loop.quit()

        self.ended.connect(end)
        self._waited_for = True
        try:
            self.open(uri, **options)
            if self.busy:
                loop.exec()
        finally:
            self._waited_for = False
            self.ended.disconnect(end)
        (result,) = outcome or [CancelledError("the viewer was closed")]
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, Session)  # what else `ended` tells
        return result

    def cancel(self) -> None:
        """Open nothing; the viewer shows what it showed."""
        if self.busy:
            self._worker.cancel()
            self._end(CancelledError("opening was cancelled"))

    def close(self) -> None:
        """End for good: the viewer was closed."""
        if not self._closed:
            self._closed = True
            self.cancel()
            self._worker.close()

    def _progress(self, share: float, text: str) -> None:
        if self._activity is not None:
            self._activity.show(share, text)
        self.progressed.emit(share, text)

    def _show(self, prepared: Prepared) -> None:
        request, viewer = self._request, self._viewer()
        if request is None or viewer is None:
            return
        defer = once if self._in_window else None
        try:
            viewing = show_session(
                viewer, prepared.session, prepared.images, defer=defer
            )
            if request.saved is not None:
                request.saved.restore(prepared.session)
            if self._waited_for:  # a script goes on with all layers there
                viewing.finish()
        except Exception as error:  # noqa: BLE001
            # napari and its plugins raise what they like; the user must be told
            # and must be able to go on.
            self._fail(error)
            return
        if request.uri not in SAMPLES:
            remember_dataset(prepared.session.dataset, request.options)
        self._end(prepared.session)
        tell(prepared.messages)

    def _fail(self, error: Exception) -> None:
        request, waited_for = self._request, self._waited_for
        self._end(error)
        if waited_for:  # whoever waits is told
            return
        if isinstance(error, UnmappedError) and request is not None and self._in_window:
            self.ask_columns(error.path, error.names, request)
        else:
            report(error)

    def ask_columns(
        self, path: Path, names: tuple[str, ...], request: Request | None = None
    ) -> None:
        """Ask what a table's columns are, and then open it when it is requested."""
        viewer = self._viewer()
        if viewer is None:
            return

        def accepted(column_map: dict[str, str | None]) -> None:
            if request is not None:
                options = {**request.options, "column_map": column_map}
                self.open(request.uri, saved=request.saved, **options)

        window = viewer.window.main_menu.window() if self._in_window else None
        self.dialog = ColumnMappingDialog(path, names, accepted, window)
        self.dialog.open()

    def _end(self, result: object) -> None:
        self._request = None
        self._end_activity()
        self.ended.emit(result)

    def _end_activity(self) -> None:
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()


def _load(request: Request, settings: PluginSettings, job: Job) -> Prepared:
    """Do everything that is slow; called in the worker's thread."""
    task = Task(job.progress, job.cancelled)
    task.step(0.0, request.title)
    options = {**settings.options_for(request.uri), **request.options}
    if "column_map" not in options:
        column_map = check_columns(request.uri)
        if column_map:
            options["column_map"] = column_map
    dataset = open_dataset(
        request.uri,
        progress=task.part(0.0, 0.8).step,
        cancelled=job.cancelled,
        **options,
    )
    return prepare(
        dataset,
        settings.new_state(),
        saved=request.saved,
        progress=task.part(0.8, 1.0).step,
        cancelled=job.cancelled,
    )


_openings: WeakKeyDictionary[Any, Opening] = WeakKeyDictionary()


def opening_of(viewer: Any) -> Opening:
    """Return the opening of a viewer."""
    viewer = sessions.unwrap(viewer)
    if viewer not in _openings:
        _openings[viewer] = Opening(viewer)
    return _openings[viewer]


def in_event_loop() -> bool:
    """Return whether Qt's event loop is running what calls this.

    It is when a user clicks or drops; it is not in a script, a notebook's cell
    or napari's command line.
    """
    thread = QThread.currentThread()
    return thread is not None and thread.loopLevel() > 0


def report(error: Exception) -> None:
    """Tell of an error in napari; nothing of one that the user asked for."""
    from napari.utils.notifications import notification_manager, show_error

    if isinstance(error, CancelledError):
        return
    if isinstance(error, SeeSpotError):
        show_error(str(error))
    else:  # a mistake of ours or of a library: with its traceback
        notification_manager.receive_error(type(error), error, error.__traceback__)
