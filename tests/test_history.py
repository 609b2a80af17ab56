from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from napari_seespot.errors import StateError
from napari_seespot.history import History
from napari_seespot.state import State


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state():
    return State()


@pytest.fixture
def history(state, clock):
    return History(state, clock)


def test_nothing_to_undo(state, history):
    assert not history.can_undo
    assert not history.can_redo
    assert not history.undo()
    assert not history.redo()


def test_back_and_forth(state, history):
    state.color_by = "chan"
    state.filters.ranges["r"] = (0, 1)
    assert history.undo()
    assert dict(state.filters.ranges) == {}
    assert state.color_by == "chan"
    assert history.undo()
    assert state.color_by == "status"
    assert not history.undo()
    assert history.redo()
    assert history.redo()
    assert (state.color_by, dict(state.filters.ranges)) == ("chan", {"r": (0.0, 1.0)})
    assert not history.redo()


def test_a_drag_is_one_step(state, history, clock):
    for low in (0.1, 0.2, 0.3):
        clock.now += 0.5
        state.filters.ranges["r"] = (low, 1)
    clock.now += 2
    state.filters.ranges["r"] = (0.4, 1)
    history.undo()
    assert state.filters.ranges["r"] == (0.3, 1.0)
    history.undo()
    assert dict(state.filters.ranges) == {}
    assert not history.can_undo


def test_what_is_no_drag_is_a_step_each(state, history):
    masks = [np.arange(9) % k == 0 for k in (2, 3, 4)]
    for mask in masks:
        state.selection.mask = mask
    for mask in masks[1::-1]:
        history.undo()
        assert (state.selection.mask == mask).all()
    history.undo()
    assert state.selection.mask is None


def test_past_selections_take_an_eighth_of_the_memory(state, history):
    rng = np.random.default_rng(0)
    masks = [rng.random(80_003) < 0.5 for _ in range(40)]
    tracemalloc.start()
    for mask in masks:
        state.selection.mask = mask
        state.slab_planes += 1  # snapshots share a selection that stays
        state.color_by = "chan" if state.color_by == "status" else "status"
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 2 * 40 * 80_003 / 8 + 2 * 80_003 + 1_000_000
    for mask in masks[::-1]:
        assert (state.selection.mask == mask).all()
        for _ in range(3):
            history.undo()
    assert state.selection.mask is None
    history.redo()
    assert (state.selection.mask == masks[0]).all()


def test_other_fields_in_between_part_the_steps(state, history):
    state.slab_planes = 3
    state.point_size_um = 3
    state.slab_planes = 4
    history.undo()
    assert (state.slab_planes, state.point_size_um) == (3, 3)


def test_a_change_after_undo_ends_what_could_be_made_again(state, history):
    state.color_by = "chan"
    history.undo()
    state.color_by = "r"
    assert not history.can_redo
    history.undo()
    assert state.color_by == "status"


def test_several_changes_as_one_step(state, history):
    with history.one_step():
        state.color_by = "chan"
        with history.one_step():
            state.slab_planes = 7
        state.filters.valid_only = True
        with pytest.raises(StateError, match="cannot be undone within it"):
            history.undo()
    state.filters.valid_only = False  # a step of its own, however soon
    history.undo()
    assert state.filters.valid_only
    history.undo()
    assert (state.color_by, state.slab_planes) == ("status", 2)
    assert not history.can_undo


def test_a_step_without_a_change_is_none(state, history):
    with history.one_step():
        state.color_by = "status"
    assert not history.can_undo
    state.color_by = "chan"
    history.undo()
    with history.one_step():
        pass
    assert history.can_redo


def test_a_step_that_fails_half_way_can_be_taken_back(state, history):
    def fail():
        with history.one_step():
            state.color_by = "chan"
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert history.undo()
    assert state.color_by == "status"


def test_it_tells_when_it_has_changed(state, history):
    told = []
    history.changed.connect(lambda: told.append((history.can_undo, history.can_redo)))
    state.color_by = "chan"
    history.undo()
    history.redo()
    assert told == [(True, False), (False, True), (True, False)]


def test_selections_are_shared_not_copied(state, history, clock):
    mask = np.array([True, False])
    state.selection.mask = mask
    kept = state.selection.mask
    clock.now += 10
    state.selection.mask = None
    history.undo()
    assert state.selection.mask is kept


def test_it_forgets_what_is_long_ago(state, history, clock):
    for planes in range(3, 403):
        clock.now += 1
        state.slab_planes = planes
    steps = 0
    while history.undo():
        steps += 1
    assert steps == 200
    assert state.slab_planes == 202


class AnyOrder(RuleBasedStateMachine):
    """Undo and redo against a list of everything that the state ever was."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.state = State()
        self.history = History(self.state, self.clock)
        self.line, self.here = [self.state.snapshot()], 0

    def set_one(self, name, value):
        before = self.state.snapshot()
        self.clock.now += 10
        part, _, field = name.rpartition(".")
        setattr(getattr(self.state, part) if part else self.state, field, value)
        if self.state.snapshot() != before:
            self.line[self.here + 1 :] = [self.state.snapshot()]
            self.here += 1

    @rule(value=st.sampled_from(["status", "chan", "r"]))
    def color(self, value):
        self.set_one("color_by", value)

    @rule(value=st.integers(0, 3))
    def slab(self, value):
        self.set_one("slab_planes", value)

    @rule(low=st.integers(0, 2))
    def range(self, low):
        self.set_one("filters.ranges", {"r": (low, 3)} if low else {})

    @rule(value=st.sampled_from([{"removed"}, set(), {"unchanged", "reassigned"}]))
    def statuses(self, value):
        self.set_one("filters.status", value)

    @precondition(lambda self: self.here > 0)
    @rule()
    def undo(self):
        assert self.history.undo()
        self.here -= 1

    @precondition(lambda self: self.here < len(self.line) - 1)
    @rule()
    def redo(self):
        assert self.history.redo()
        self.here += 1

    @invariant()
    def agrees(self):
        assert self.state.snapshot() == self.line[self.here]
        assert self.history.can_undo == (self.here > 0)
        assert self.history.can_redo == (self.here < len(self.line) - 1)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, deadline=None)
