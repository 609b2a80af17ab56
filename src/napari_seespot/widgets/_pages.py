"""Pages of one dock, chosen by tabs; each is as long as it needs to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QSizePolicy, QTabBar, QVBoxLayout, QWidget

from napari_seespot.plots._qt import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Pages"]


class Pages(QWidget):
    """Shows one of several columns of widgets.

    A `QTabWidget` would be as long as its longest page.

    Attributes
    ----------
    turned : Signal
        Emitted with the name of the page that is shown.
    """

    turned = Signal(str)

    def __init__(
        self, pages: Mapping[str, Sequence[QWidget]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self.tabs = QTabBar()
        self.tabs.setUsesScrollButtons(True)
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setToolTip("Pages of this dock; the arrow keys turn them")
        layout.addWidget(self.tabs)
        self._pages: dict[str, QWidget] = {}
        for name, widgets in pages.items():
            page = QWidget()
            column = QVBoxLayout(page)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(6)
            for widget in widgets:
                column.addWidget(widget)
            page.setVisible(not self._pages)
            layout.addWidget(page)
            self._pages[name] = page
            self.tabs.addTab(name)
        self.tabs.currentChanged.connect(self._turn)

    @property
    def current(self) -> str:
        """The name of the page that is shown."""
        return list(self._pages)[self.tabs.currentIndex()]

    @property
    def names(self) -> list[str]:
        """The names of all pages."""
        return list(self._pages)

    def turn_to(self, name: str) -> None:
        """Show a page."""
        self.tabs.setCurrentIndex(self.names.index(name))

    def _turn(self, _place: int) -> None:
        for name, page in self._pages.items():
            page.setVisible(name == self.current)
        self.turned.emit(self.current)
