"""Steps one a turn: in order, all of them, whatever one of them does."""

from __future__ import annotations

import pytest

from napari_seespot.turns import Turns


@pytest.fixture
def loop():
    """What is asked to be called in the next turn."""
    asked = []

    def defer(update, _delay_ms):
        return lambda: asked.append(update)

    return asked, defer


def test_one_a_turn_and_in_order(loop):
    asked, defer = loop
    done = []
    turns = Turns(defer)
    turns.add(*(lambda n=n: done.append(n) for n in range(3)))
    assert done == []
    for n in range(3):
        assert turns.busy
        asked.pop()()
        assert done == list(range(n + 1))
    assert not turns.busy
    assert asked == []
    turns._turn()  # a late one finds nothing to do
    assert done == [0, 1, 2]


def test_without_a_window_at_once():
    done = []
    turns = Turns()
    turns.add(lambda: done.append(1))
    assert done == [1]


def test_finish_and_clear(loop):
    _, defer = loop
    done = []
    turns = Turns(defer)
    turns.add(lambda: done.append(1), lambda: done.append(2))
    turns.finish()
    assert done == [1, 2]
    turns.add(lambda: done.append(3))
    turns.clear()
    turns.finish()
    assert done == [1, 2]


def test_a_step_that_raises_costs_no_other(loop):
    asked, defer = loop
    done = []

    def fail():
        raise ValueError("no")

    turns = Turns(defer)
    turns.add(fail, lambda: done.append(1))
    with pytest.raises(ValueError, match="no"):
        asked.pop()()
    asked.pop()()
    assert done == [1]
