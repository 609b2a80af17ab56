"""Where a dock goes when it is opened: below the others, or behind a tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["Placing", "dock_of"]

_HEIGHT = "seespot_height"
"""Qt's property by which docks of this plugin know each other."""

_PLUGIN = " (napari-seespot)"
_TITLE = 30  # pixels of a dock's title, where it is not known yet
_SIDES = (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea)


class Placing(QObject):
    """Puts a dock behind a tab of another one when the window is full.

    napari puts each dock below the others: nine would be twice as high as a screen.
    This happens once, when the dock is opened; later it stays where it is moved.

    Parameters
    ----------
    widget : QWidget
        What is in the dock; owns this object.
    height : int
        Pixels that it asks for.
    """

    def __init__(self, widget: QWidget, height: int) -> None:
        super().__init__(widget)
        self._widget = widget
        self._dock: QDockWidget | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        widget.setProperty(_HEIGHT, height)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Wait for the dock."""
        moved = event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self._dock is None:
            self._dock = dock_of(self._widget)
            if self._dock is not None:
                self._dock.dockLocationChanged.connect(self._place)
        return False

    def _place(self, area: Qt.DockWidgetArea) -> None:
        """Choose the place; before Qt lays out the window, which would grow."""
        dock = self._dock
        main = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(main, QMainWindow):
            return
        dock.dockLocationChanged.disconnect(self._place)
        # Three tabs with the plugin's name in each could not be read.
        dock.setWindowTitle(dock.windowTitle().removesuffix(_PLUGIN))
        others = _others(main, dock, area)
        ours = [other for other in others if _is_ours(other)]
        if not ours or area not in _SIDES:
            return
        if _needed(main, [*others, dock]) <= _room(main):
            self._later.timeout.connect(self._share)
        else:
            main.tabifyDockWidget(ours[-1], dock)
            self._later.timeout.connect(self._raise)
        self._later.start()  # once napari has done with it, and the tabs are there

    def _raise(self) -> None:
        dock = self._dock
        main = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(main, QMainWindow):
            return
        dock.raise_()
        # Names that are cut to two letters say nothing: the tabs scroll instead.
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        for bar in main.findChildren(QTabBar, options=direct):
            texts = [bar.tabText(place) for place in range(bar.count())]
            if dock.windowTitle() in texts:
                bar.setElideMode(Qt.TextElideMode.ElideNone)

    def _share(self) -> None:
        """Give each dock of the side its part of the height."""
        dock = self._dock
        main = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(main, QMainWindow) or dock.isFloating():
            return
        docks = [*_others(main, dock, main.dockWidgetArea(dock)), dock]
        heights = [_height(one) for one in docks]
        main.resizeDocks(docks, heights, Qt.Orientation.Vertical)


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget is in."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def _others(
    main: QMainWindow, dock: QDockWidget, area: Qt.DockWidgetArea
) -> list[QDockWidget]:
    """Return what else is docked at a side; not what the user has hidden."""
    return [
        other
        for other in main.findChildren(QDockWidget)
        if other is not dock
        and main.dockWidgetArea(other) == area
        and not other.isFloating()
        # A dock of a window that is not shown yet is hidden, but by nobody.
        and not (
            other.isHidden()
            and other.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
        )
    ]


def _is_ours(dock: QDockWidget) -> bool:
    content = dock.widget()
    return content is not None and content.property(_HEIGHT) is not None


def _height(dock: QDockWidget) -> int:
    """Return how many pixels a dock asks for."""
    content, title = dock.widget(), dock.titleBarWidget()
    wanted = None if content is None else content.property(_HEIGHT)
    if wanted is None:
        return dock.minimumSizeHint().height()
    return int(wanted) + (_TITLE if title is None else title.sizeHint().height())


def _needed(main: QMainWindow, docks: list[QDockWidget]) -> int:
    """Return how many pixels docks ask for above each other."""
    needed, seen = 0, set[int]()
    for dock in docks:
        if id(dock) not in seen:
            group = [dock, *main.tabifiedDockWidgets(dock)]
            seen.update(map(id, group))
            needed += max(map(_height, group))
    return needed


def _room(main: QMainWindow) -> int:
    """Return how many pixels of a window are there for docks."""
    bars = [bar for bar in (main.menuBar(), main.statusBar()) if bar is not None]
    return main.height() - sum(bar.sizeHint().height() for bar in bars)
