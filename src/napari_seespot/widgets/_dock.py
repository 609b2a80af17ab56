"""What all docks share: they follow their viewer's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import Container, Label
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea

from napari_seespot import sessions
from napari_seespot.widgets._placing import Placing
from napari_seespot.widgets._window_font import WindowFont

if TYPE_CHECKING:
    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["SessionDock", "scrolled"]


_MINIMUM_WIDTH = 290  # pixels; two docks and a canvas fit 1366
_LINES, _MOST_WIDTH = 19, 400  # so many lines are as high as a dock is wide


class _ScrollArea(QScrollArea):
    """A scroll area that leaves room for other docks.

    Parameters
    ----------
    least, preferred : int
        Its height in pixels where there is little room, and where there is more.
    """

    def __init__(self, least: int, preferred: int) -> None:
        super().__init__()
        self._least = least
        self._preferred = preferred

    def sizeHint(self) -> QSize:  # Qt's name
        # Large letters need more; it can be made as narrow as any.
        wide = min(_LINES * self.fontMetrics().height(), _MOST_WIDTH)
        return QSize(max(_MINIMUM_WIDTH, wide), self._preferred)

    def minimumSizeHint(self) -> QSize:  # Qt's name
        return QSize(_MINIMUM_WIDTH, self._least)


def scrolled(
    content: Container[Any] | None = None, least: int = 75, preferred: int = 300
) -> QScrollArea:
    """Return an area in which content scrolls rather than overflow a screen.

    Parameters
    ----------
    content : Container, optional
    least, preferred : int
        Its height in pixels where there is little room, and where there is more.
    """
    area = _ScrollArea(least, preferred)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    if content is not None:
        area.setWidget(content.native)
    return area


class SessionDock(Container[Any]):
    """A dock that shows its viewer's session, and follows when it is replaced.

    A dock supplies `_attach` (make it show a session), `_refresh` (something of
    the view changed) and `_detach` (there is no session any more).

    Parameters
    ----------
    viewer : napari.Viewer
    """

    least_height: ClassVar[int] = 75
    """Pixels of what is scrolled, where other docks need the room."""

    preferred_height: ClassVar[int] = 400
    """Pixels that it asks for; it takes more where there is more."""

    needs_session: ClassVar[str] = (
        "No dataset is open in this viewer.\n"
        "Plugins > napari-seespot > Open dataset, or drop a dataset folder here."
    )

    def __init__(self, viewer: Any, **options: Any) -> None:
        super().__init__(labels=options.pop("labels", False), **options)
        self._viewer = sessions.unwrap(viewer)
        self._session: Session | None = None
        self._heard: list[tuple[Any, Any]] = []
        self._hint = Label(value=self.needs_session)
        self.append(self._hint)
        self.native.setAttribute(Qt.WidgetAttribute.WA_StyledBackground, True)
        self._placing = Placing(self.native, self.preferred_height)
        self._font = WindowFont(self.native)

    def add_scrolled(self, content: Container[Any] | None = None) -> QScrollArea:
        """Put content into the dock that scrolls rather than overflow a screen."""
        area = scrolled(content, self.least_height, self.preferred_height)
        self.native.layout().addWidget(area)
        return area

    def follow(self) -> None:
        """Begin to follow the viewer; a dock calls it once it is built."""
        sessions.session_changed.connect(self._on_session)
        self.native.destroyed.connect(_Disconnect(self))
        self._on_session(self._viewer)

    @property
    def session(self) -> Session | None:
        """The session shown, or None."""
        return self._session

    def _on_session(self, viewer: Any) -> None:
        if viewer is not self._viewer:
            return
        session = sessions.current(viewer)
        if session is self._session:
            return
        self.release()
        self._session = session
        self._hint.visible = session is None
        if session is not None:
            self._attach(session)
            self.listen(session.changed, self._on_changed)

    def listen(self, signal: Any, slot: Any) -> None:
        """Connect a psygnal until the session is let go or the dock destroyed.

        A dock whose Qt half was destroyed lives on until Python collects it:
        every signal that reaches it then would raise.
        """
        signal.connect(slot)
        self._heard.append((signal, slot))

    def stop_listening(self) -> None:
        """Disconnect what `listen` connected; touches nothing of Qt."""
        for signal, slot in self._heard:
            signal.disconnect(slot, missing_ok=True)
        self._heard.clear()

    def _on_changed(self, view: View, names: frozenset[str]) -> None:
        self._refresh(view, names)

    def release(self) -> None:
        """Let go of the session; the dock stays and shows that there is none."""
        self.stop_listening()
        session, self._session = self._session, None
        if session is not None:
            self._detach()

    def _attach(self, session: Session) -> None:
        """Show a session."""

    def _refresh(self, view: View, names: frozenset[str]) -> None:
        """Show what has changed."""

    def _detach(self) -> None:
        """Show that there is no session."""


class _Disconnect:
    """Lets go of everything once Qt has destroyed the dock's widget."""

    def __init__(self, dock: SessionDock) -> None:
        self._dock: SessionDock | None = dock

    def __call__(self, *_: Any) -> None:
        dock, self._dock = self._dock, None
        if dock is None or "_heard" not in vars(dock):
            return  # Python collects widget and dock together, and has emptied it
        sessions.session_changed.disconnect(dock._on_session, missing_ok=True)
        dock.stop_listening()
        dock._session = None
