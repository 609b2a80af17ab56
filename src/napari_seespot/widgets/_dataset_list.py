"""A list of datasets that is searched while one types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # isort: skip
from qtpy.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from napari_seespot.dataset import DatasetInfo
    from napari_seespot.recent import RecentDataset

__all__ = ["DatasetList", "Entry", "entry_of_info", "entry_of_recent"]

_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Entry:
    """A dataset as the list shows it: its name, and below it a line of facts.

    Attributes
    ----------
    name, uri : str
    facts : str
        Its date and what it holds.
    options : mapping
        For `open_dataset`.
    """

    name: str
    uri: str
    facts: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, words: Sequence[str]) -> bool:
        """Return whether each word is in it; words are lower case."""
        text = f"{self.name} {self.facts}".lower()
        return all(word in text for word in words)


def entry_of_info(info: DatasetInfo, cached: Collection[str] = ()) -> Entry:
    """Return what a source offers, as an entry.

    Parameters
    ----------
    info : DatasetInfo
    cached : collection of str
        The addresses of which tables are in the cache.
    """
    facts = [info.created or "", ", ".join(info.contents)]
    facts += ["served now"] if info.active else []
    facts += ["in the cache"] if info.uri in cached else []
    return Entry(info.name, info.uri, " · ".join(filter(None, facts)))


def entry_of_recent(recent: RecentDataset) -> Entry:
    """Return a dataset that was opened before, as an entry."""
    facts = [f"opened {recent.opened}" if recent.opened else "", recent.contents]
    facts += [f"minDist {recent.options[k]}" for k in recent.options if k == "min_dist"]
    return Entry(
        recent.name or recent.uri,
        recent.uri,
        " · ".join(filter(None, facts)),
        recent.options,
    )


class DatasetList(QWidget):
    """Entries, a line to search them, and how many there are.

    Attributes
    ----------
    chosen : Signal
        Emitted when another entry is chosen, or none.
    opened : Signal
        Emitted when an entry is double-clicked, or Enter is pressed on it.
    """

    chosen = Signal()
    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search by name, date or contents")
        self.search.setClearButtonEnabled(True)
        self.items = QListWidget()
        self.items.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.items.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.items.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.items.setUniformItemSizes(True)
        self.items.setMinimumHeight(120)
        self.count = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.search, self.items, self.count):
            layout.addWidget(widget)
        self.search.textChanged.connect(self._filter)
        self.items.itemSelectionChanged.connect(self.chosen)
        self.items.itemActivated.connect(self._activated)
        self.show_entries([])

    @property
    def entry(self) -> Entry | None:
        """The entry that is chosen and seen."""
        for item in self.items.selectedItems():
            if not item.isHidden():
                entry = item.data(_ROLE)
                assert isinstance(entry, Entry)  # nothing else is put there
                return entry
        return None

    @property
    def entries(self) -> list[Entry]:
        """The entries that are seen, from above to below."""
        rows = (self.items.item(row) for row in range(self.items.count()))
        return [row.data(_ROLE) for row in rows if row and not row.isHidden()]

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show other entries; what is chosen stays chosen when it is still there."""
        before = self.entry
        self.items.clear()
        self._append(entries, before)

    def extend(self, entries: Sequence[Entry]) -> None:
        """Show more entries below the others."""
        if entries:
            self._append(entries, self.entry)

    def _append(self, entries: Sequence[Entry], before: Entry | None) -> None:
        for entry in entries:
            item = QListWidgetItem(f"{entry.name}\n{entry.facts}")
            item.setData(_ROLE, entry)
            item.setToolTip(f"{entry.name}\n{entry.uri}\n{entry.facts}")
            self.items.addItem(item)
            if before is not None and entry.uri == before.uri:
                self.items.setCurrentItem(item)
        self._filter()

    def choose(self, uri: str) -> bool:
        """Choose the entry with an address; return whether there is one."""
        for row in range(self.items.count()):
            item = self.items.item(row)
            if item is not None and item.data(_ROLE).uri == uri:
                self.items.setCurrentItem(item)
                return True
        return False

    def _filter(self, _text: str = "") -> None:
        words = self.search.text().lower().split()
        total, seen = self.items.count(), 0
        for row in range(total):
            item = self.items.item(row)
            if item is None:
                continue
            hidden = not item.data(_ROLE).matches(words)
            item.setHidden(hidden)
            seen += not hidden
        noun = "dataset" if total == 1 else "datasets"
        self.count.setText(
            f"{seen:,} of {total:,} {noun}" if words else f"{total:,} {noun}"
        )
        self.count.setVisible(total > 0)
        self.chosen.emit()

    def _activated(self, item: QListWidgetItem) -> None:
        self.items.setCurrentItem(item)
        self.opened.emit()
