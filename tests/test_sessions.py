from __future__ import annotations

import gc
import weakref

import pytest

from napari_seespot import sessions
from napari_seespot.session import Session


class Viewer:
    """Anything that sessions can be kept by."""


class Proxy:
    """What napari hands to plugins."""

    def __init__(self, viewer):
        self.__wrapped__ = viewer


@pytest.fixture
def viewer():
    return Viewer()


@pytest.fixture
def told():
    viewers = []
    sessions.session_changed.connect(viewers.append)
    yield viewers
    sessions.session_changed.disconnect(viewers.append)


def test_a_viewer_has_no_session_at_first(viewer):
    assert sessions.current(viewer) is None


def test_one_session_a_viewer(viewer, tables, told):
    first, second = Session(tables), Session(tables)
    sessions.attach(viewer, first)
    assert sessions.current(viewer) is first
    sessions.attach(viewer, first)
    assert not first.is_closed
    sessions.attach(Proxy(viewer), second)
    assert first.is_closed
    assert sessions.current(Proxy(viewer)) is second
    sessions.attach(viewer, None)
    assert second.is_closed
    assert sessions.current(viewer) is None
    assert told == [viewer] * 4


def test_viewers_are_independent(tables):
    one, other = Viewer(), Viewer()
    first, second = Session(tables), Session(tables)
    sessions.attach(one, first)
    sessions.attach(other, second)
    first.state.color_by = "chan"
    sessions.attach(one, None)
    assert not second.is_closed
    assert second.state.color_by == "status"
    assert sessions.current(other) is second


def test_only_its_own_session_is_forgotten(viewer, tables, told):
    first, second = Session(tables), Session(tables)
    sessions.attach(viewer, first)
    sessions.forget(viewer, second)
    assert sessions.current(viewer) is first
    sessions.forget(Proxy(viewer), first)
    assert sessions.current(viewer) is None
    sessions.forget(viewer, first)
    assert told == [viewer, viewer]


def test_a_viewer_is_not_kept_alive(tables):
    viewer = Viewer()
    sessions.attach(viewer, Session(tables))
    gone = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert gone() is None
