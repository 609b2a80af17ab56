"""The *Open dataset* dock: choose a source, one of its datasets, and open it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import (
    ComboBox,
    Container,
    LineEdit,
    ProgressBar,
    PushButton,
)
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QFileDialog

from napari_seespot.errors import CancelledError
from napari_seespot.recent import recent_datasets
from napari_seespot.sample import SAMPLES
from napari_seespot.widgets._column_mapping import UnmappedError, table_path
from napari_seespot.widgets._dataset_list import DatasetList, entry_of_recent
from napari_seespot.widgets._dock import SessionDock
from napari_seespot.widgets._open_options import (
    FILE_FILTER,
    HINTS,
    KINDS,
    MinDistChoice,
    ServerOptions,
    TextLabel,
    row,
    signed_in,
    start_folder,
)
from napari_seespot.widgets._opening import Request, opening_of, report
from napari_seespot.widgets._plugin_settings import plugin_settings
from napari_seespot.widgets._source_details import (
    Details,
    details_of,
    list_entries,
    remove_from_cache,
)
from napari_seespot.widgets._worker import Job, Worker

if TYPE_CHECKING:
    import napari.viewer

    from napari_seespot.dataset import Dataset
    from napari_seespot.session import Session
    from napari_seespot.widgets._dataset_list import Entry

__all__ = ["OpenDatasetWidget"]

_ADDRESSED = ("folder", "file", "server", "s3")
_BROWSED = ("folder", "file")
_LISTED = ("folder", "server", "s3")


class OpenDatasetWidget(SessionDock):
    """Opens datasets in one viewer; needs none to be open.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    preferred_height: ClassVar[int] = 440  # it is alone while it is needed
    needs_session: ClassVar[str] = "No dataset is open in this viewer."

    # napari passes its viewer by this annotation, which it compares as text.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._opening = opening_of(viewer)
        self._lister = Worker("seespot-list", self._show_busy)
        self._asker = Worker("seespot-details")
        self._typed: dict[str, str] = {}
        self._details = Details()
        self._listed = ""  # the address of which the datasets are listed
        self._kind = ""
        self._make_source()
        self._make_actions()
        self._compose()
        self._connect()
        self.follow()
        self.kind.value = "recent" if recent_datasets() else "sample"
        self._on_kind()
        self._show_busy()

    # ---- building

    def _make_source(self) -> None:
        self.current = TextLabel()
        # A function: magicgui asks anew whenever the box changes its place.
        self.kind = ComboBox(
            choices=lambda _widget: KINDS, tooltip="Where the dataset comes from"
        )
        self.address = LineEdit(tooltip="Where it lies")
        self.browse = PushButton(text="Browse…", tooltip="Choose it in a dialog")
        self.refresh_button = PushButton(
            text="List", tooltip="Ask which datasets there are"
        )
        self._address_row = row(self.address, self.browse)
        self.datasets = DatasetList()
        self.hint = TextLabel()

    def _make_actions(self) -> None:
        self.server_options = ServerOptions()
        self.min_dist = MinDistChoice()
        self.columns = PushButton(
            text="Columns…", tooltip="Say what the columns of this table are"
        )
        self.open_button = PushButton(text="Open", tooltip="Show it in this viewer")
        self.remove_button = PushButton(
            text="Remove from cache",
            tooltip="Delete the copy of its tables that makes it open at once",
        )
        self.progress = ProgressBar(min=0, max=100, value=0)
        self.task = TextLabel()
        self.cancel_button = PushButton(
            text="Cancel", tooltip="What is shown stays as it is"
        )
        self._progress_row = row(self.progress, self.cancel_button)
        self.message = TextLabel()

    def _compose(self) -> None:
        self._body: Container[Any] = Container(
            widgets=[self.kind, self._address_row, self.refresh_button], labels=False
        )
        self._buttons = row(self.open_button, self.remove_button)
        layout = self._body.native.layout()
        layout.insertWidget(0, self.current)
        # The list takes the height that is left; the space below it when hidden.
        layout.addWidget(self.datasets, 1)
        for widget in (
            self.hint,
            self.server_options.native,
            self.min_dist.native,
            self.columns.native,
            self._buttons.native,
            self.task,
            self._progress_row.native,
            self.message,
        ):
            layout.addWidget(widget)
        layout.addStretch(0)
        self.add_scrolled(self._body)

    def _connect(self) -> None:
        self.kind.changed.connect(self._on_kind)
        self.browse.changed.connect(self._on_browse)
        self.refresh_button.changed.connect(self.list_datasets)
        self.columns.changed.connect(self._on_columns)
        self.open_button.changed.connect(self.open)
        self.remove_button.changed.connect(self._on_remove)
        self.cancel_button.changed.connect(self._on_cancel)
        self.address.native.returnPressed.connect(self._on_return)
        self.address.native.textChanged.connect(self._on_address)
        self.datasets.chosen.connect(self._on_chosen)
        self.datasets.opened.connect(self.open)
        self._opening.started.connect(self._on_started)
        self._opening.progressed.connect(self._on_progress)
        self._opening.ended.connect(self._on_ended)
        self.native.destroyed.connect(partial(_let_go, self))

    # ---- following the session

    def _attach(self, session: Session) -> None:
        dataset = session.dataset
        text = f"Open in this viewer, {len(dataset.spots):,} spots:"
        self.current.say(text, bold=dataset.name)
        self._show_recent()

    def _detach(self) -> None:
        self.current.say("")

    # ---- choosing

    @property
    def target(self) -> tuple[str, dict[str, Any]]:
        """What *Open* opens: an address, "" for nothing, and options."""
        kind, entry = self.kind.value, self._entry
        if kind in SAMPLES:
            return str(kind), {}
        address = str(self.address.value).strip()
        options: dict[str, Any] = {}
        if kind == "server":
            options |= self.server_options.chosen
            return (signed_in(entry.uri, address) if entry else address), options
        if entry is not None:
            options |= entry.options
        options |= self.min_dist.chosen
        return (entry.uri if entry else address), options

    @property
    def _entry(self) -> Entry | None:
        shown = self.kind.value in (*_LISTED, "recent")
        return self.datasets.entry if shown else None

    def _on_kind(self, _kind: Any = None) -> None:
        self._typed[self._kind] = str(self.address.value)
        kind = self._kind = str(self.kind.value)
        self._lister.cancel()
        self._address_row.visible = kind in _ADDRESSED
        self.browse.visible = kind in _BROWSED
        self.refresh_button.visible = kind in _LISTED
        self.server_options.visible = kind == "server"
        self.datasets.setVisible(kind in (*_LISTED, "recent"))
        self.datasets.search.clear()
        self._show_entries([], "")
        if kind in _ADDRESSED:
            self.address.value = self._typed.get(kind, self._default_address(kind))
        self._show_recent()
        self._on_chosen()

    def _default_address(self, kind: str) -> str:
        settings = plugin_settings()
        if kind == "server":
            return settings.sources_server_url
        bucket = settings.sources_s3_bucket.strip()
        if kind == "s3" and bucket:
            return bucket if "://" in bucket else f"s3://{bucket}"
        return ""

    def _show_recent(self) -> None:
        if self.kind.value == "recent":
            self._show_entries([entry_of_recent(r) for r in recent_datasets()], "")

    def _show_entries(self, entries: list[Entry], listed: str) -> None:
        self._listed = listed
        self.datasets.show_entries(entries)
        self._show_hint()

    def _show_hint(self) -> None:
        kind, address = str(self.kind.value), str(self.address.value).strip()
        listed = bool(self._listed) and self._listed == address
        self.refresh_button.text = "Refresh" if listed else "List"
        text = HINTS[kind]
        if listed and not self.datasets.items.count():
            text = "There are no datasets."
        told = kind in (*_LISTED, "recent") and self.datasets.items.count() > 0
        self.hint.say("" if told else text)

    def _on_browse(self) -> None:
        start = start_folder(str(self.address.value))
        if self.kind.value == "folder":
            path = QFileDialog.getExistingDirectory(
                self.native, "A dataset's folder, or a folder of datasets", start
            )
        else:
            path, _ = QFileDialog.getOpenFileName(
                self.native, "A table or a saved answer", start, FILE_FILTER
            )
        if path:
            self.address.value = path
            self._on_return()

    def _on_address(self, _text: str = "") -> None:
        if self._listed and self._listed != str(self.address.value).strip():
            self._show_entries([], "")
        self._show_hint()
        self._on_chosen()

    def _on_return(self) -> None:
        if self.kind.value in _LISTED:
            self.list_datasets()

    def _on_chosen(self) -> None:
        """Find out what can be chosen about the dataset, and offer that."""
        uri, _ = self.target
        self._show_details(Details())
        self._show_enabled()
        if self.kind.value == "server" or not uri:
            self._asker.cancel()
            return
        options = plugin_settings().options_for(uri)
        self._asker.submit(
            lambda _job: details_of(uri, options), done=self._show_details
        )

    def _show_details(self, details: Details) -> None:
        self._details = details
        entry = self._entry
        chosen = entry.options.get("min_dist") if entry else None
        self.min_dist.offer(details.min_dists, chosen)
        self.columns.visible = details.is_table

    def _show_enabled(self) -> None:
        uri, _ = self.target
        self.open_button.enabled = bool(uri) and not self._opening.busy
        self.remove_button.enabled = bool(uri) and self.kind.value != "server"
        self.refresh_button.enabled = bool(str(self.address.value).strip())

    # ---- listing

    def list_datasets(self, *_: Any) -> None:
        """Ask the source for its datasets; the list appears when it answers."""
        address = str(self.address.value).strip()
        if self.kind.value not in _LISTED or not address:
            return
        self._say("")
        settings = plugin_settings()
        settings.apply()
        # A server is asked for its datasets only, not for images in S3.
        options = settings.options_for(address) if self._kind == "s3" else {}
        found: list[Entry] = []

        def ask(job: Job) -> None:
            list_entries(address, options, job, found)

        self._show_entries([], "")
        self._lister.submit(
            ask,
            done=lambda _none: self._show_listed(address, found),
            failed=self._report,
            progress=lambda _share, text: self._show_found(found, text),
        )
        self.task.say(f"Asking {address.rpartition('@')[2]}")

    def _show_found(self, found: list[Entry], text: str) -> None:
        """Show what was found so far; the worker may go on appending."""
        self.datasets.extend(found[self.datasets.items.count() : len(found)])
        self.task.say(text)

    def _show_listed(self, address: str, found: list[Entry]) -> None:
        self._show_found(found, "")
        self._listed = address
        self._show_hint()
        if len(found) == 1:
            self.datasets.choose(found[0].uri)

    # ---- opening

    def open(self, *_: Any) -> None:
        """Open what is chosen, in a worker."""
        uri, options = self.target
        if uri and not self._opening.busy:
            self._opening.open(uri, **options)

    def _on_cancel(self) -> None:
        if self._lister.busy:
            self._lister.cancel()
            self._say("Cancelled.")
        self._opening.cancel()

    def _on_started(self, request: Request) -> None:
        self._say("")
        self.progress.value = 0
        self.task.say(request.title)
        self._show_busy()

    def _on_progress(self, share: float, text: str) -> None:
        self.progress.value = round(100 * share)
        self.task.say(text)

    def _on_ended(self, result: object) -> None:
        self._show_busy()
        if isinstance(result, CancelledError):
            self._say("Cancelled. The viewer shows what it showed.")
        elif isinstance(result, UnmappedError):
            self._say("The columns of this table have other names: say which is which.")
        elif isinstance(result, Exception):
            self._say(str(result), error=True)
        elif self._session is not None:
            self._say_opened(self._session.dataset)
            if self._session.viewing is not None:
                # The docks open some turns later; this is done after them.
                self._session.viewing.turns.add(self._make_room)

    def _say_opened(self, dataset: Dataset) -> None:
        notes = (f"{note[:1].upper()}{note[1:]}".rstrip(".") for note in dataset.notes)
        self._say(" ".join(f"{text}." for text in (f"Opened {dataset.name}", *notes)))

    def _make_room(self) -> None:
        """Go behind the *Spots* dock: three docks do not fit above each other."""
        window = getattr(self._viewer, "window", None)
        if window is None or self._session is None:  # or closed meanwhile
            return
        names = [name for name in window.dock_widgets if name.startswith("Spots (")]
        docks = [_dock_of(window.dock_widgets[name]) for name in names[:1]]
        own, main = _dock_of(self.native), window.main_menu.window()
        for dock in docks:
            if own is None or dock is None or own.isFloating() or dock.isFloating():
                continue
            if main.dockWidgetArea(own) != main.dockWidgetArea(dock):
                continue
            if dock not in main.tabifiedDockWidgets(own):
                main.tabifyDockWidget(own, dock)
                QTimer.singleShot(0, dock.raise_)  # once the tabs are there

    def _show_busy(self, _busy: bool = False) -> None:
        opening = self._opening.busy
        listing = self._lister.busy and not opening
        self._progress_row.visible = opening or listing
        if not (opening or listing):
            self.task.say("")
        self.progress.max = 0 if listing else 100  # 0: it only moves
        self._show_enabled()

    def _report(self, error: Exception) -> None:
        self._say(str(error), error=True)
        report(error)

    def _say(self, text: str, error: bool = False) -> None:
        self.message.say(text, error=error)

    # ---- the rest

    def _on_columns(self) -> None:
        path = table_path(self.target[0])
        if path is None:
            return
        from napari_seespot.sources.table import table_columns

        self._asker.submit(
            lambda _job: table_columns(path),
            done=partial(self._opening.ask_columns, path),
            failed=self._report,
        )

    def _on_remove(self) -> None:
        uri, _ = self.target
        self._asker.submit(
            lambda _job: remove_from_cache(uri),
            done=self._show_removed,
            failed=self._report,
        )

    def _show_removed(self, freed: int) -> None:
        if freed and self._listed:
            self.list_datasets()
        free = f"Removed from the cache: {freed / 1e6:,.1f} MB are free."
        self._say(free if freed else "Nothing of it is in the cache.")


def _let_go(dock: OpenDatasetWidget, *_: Any) -> None:
    """End what works for a dock that Qt has destroyed."""
    for signal, slot in (
        (dock._opening.started, dock._on_started),
        (dock._opening.progressed, dock._on_progress),
        (dock._opening.ended, dock._on_ended),
    ):
        signal.disconnect(slot, missing_ok=True)
    dock._lister.close()
    dock._asker.close()


def _dock_of(widget: Any) -> QDockWidget | None:
    """Return the dock that a widget, or a magicgui one, is in."""
    parent = getattr(widget, "native", widget)
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
