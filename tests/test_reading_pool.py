"""The pool that reads: urgency, joining, dropping, and threads that end."""

from __future__ import annotations

import threading

import pytest

from napari_seespot import _reading_pool
from napari_seespot._reading_pool import ReadingPool, Urgency
from napari_seespot.errors import CancelledError


@pytest.fixture
def gate():
    """A pool of one thread, held by a task until the gate is opened."""
    pool = ReadingPool(threads=1)
    opened, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        opened.wait(10)

    pool.submit("hold", hold, Urgency.NOW, "gate")
    begun.wait(10)
    yield pool, opened
    opened.set()


def test_results_and_errors():
    pool = ReadingPool()
    good = pool.submit("a", lambda: 7, Urgency.NOW, "me")
    bad = pool.submit("b", lambda: 1 / 0, Urgency.NOW, "me")
    assert good.wait(10)
    assert bad.wait(10)
    assert good.result == 7
    assert isinstance(bad.error, ZeroDivisionError)


def test_the_most_urgent_first(gate):
    pool, opened = gate
    done = []
    tasks = [
        pool.submit(name, lambda name=name: done.append(name), urgency, "me", rank)
        for name, urgency, rank in [
            ("idle", Urgency.IDLE, 0),
            ("sibling", Urgency.SIBLING, 0),
            ("far", Urgency.NOW, 9),
            ("near", Urgency.NOW, 1),
            ("coarse", Urgency.COARSE, 5),
        ]
    ]
    opened.set()
    assert all(task.wait(10) for task in tasks)
    assert done == ["coarse", "near", "far", "sibling", "idle"]


def test_equal_work_is_done_once_and_as_soon_as_anybody_wants_it(gate):
    pool, opened = gate
    done = []
    first = pool.submit("x", lambda: done.append("x"), Urgency.IDLE, "one")
    other = pool.submit("y", lambda: done.append("y"), Urgency.SIBLING, "one")
    again = pool.submit("x", lambda: done.append("x again"), Urgency.NOW, "two")
    assert again is first
    opened.set()
    assert first.wait(10)
    assert other.wait(10)
    assert done == ["x", "y"]


def test_what_nobody_wants_any_more_is_not_done(gate):
    pool, opened = gate
    done = []
    alone = pool.submit("alone", lambda: done.append(1), Urgency.NOW, "one")
    shared = pool.submit("shared", lambda: done.append(2), Urgency.NOW, "one")
    pool.submit("shared", lambda: None, Urgency.NOW, "two")
    kept = pool.submit("kept", lambda: done.append(3), Urgency.NOW, "one")
    pool.drop("one", keep={"kept"})
    assert alone.done
    assert isinstance(alone.error, CancelledError)
    assert pool.pending("one") == 1
    opened.set()
    assert shared.wait(10)
    assert kept.wait(10)
    assert done == [2, 3]


def test_idle_work_waits_until_the_others_are_done():
    pool = ReadingPool(threads=4)
    opened, begun, done = threading.Event(), threading.Event(), []

    def hold():
        begun.set()
        opened.wait(10)
        done.append("asked")

    asked = pool.submit("asked", hold, Urgency.NOW, "me")
    begun.wait(10)
    idle = pool.submit("idle", lambda: done.append("idle"), Urgency.IDLE, "me")
    assert not idle.wait(0.2)
    opened.set()
    assert idle.wait(10)
    assert asked.done
    assert done == ["asked", "idle"]


def test_idle_work_that_somebody_joins_counts_as_asked_for():
    pool = ReadingPool(threads=4)
    opened, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        opened.wait(10)

    task = pool.submit("x", hold, Urgency.IDLE, "me")
    begun.wait(10)
    assert pool.submit("x", hold, Urgency.NOW, "you") is task
    idle = pool.submit("idle", lambda: None, Urgency.IDLE, "me")
    assert not idle.wait(0.2)
    opened.set()
    assert idle.wait(10)
    assert not pool.busy or pool.pending("me") == 0


def test_many_at_once_and_threads_end(monkeypatch):
    monkeypatch.setattr(_reading_pool, "_LINGER", 0.05)
    before = set(threading.enumerate())
    pool = ReadingPool(threads=8)
    barrier = threading.Barrier(8)
    tasks = [
        pool.submit(n, lambda: barrier.wait(10), Urgency.NOW, "me") for n in range(16)
    ]
    assert all(task.wait(10) for task in tasks)
    assert [task.error for task in tasks] == [None] * 16
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert pool._alive == 0
    assert pool.submit("late", lambda: 5, Urgency.NOW, "me").wait(10)


def test_a_burst_is_not_left_to_the_one_thread_that_sleeps():
    pool = ReadingPool(threads=8)
    assert pool.submit("first", lambda: None, Urgency.NOW, "me").wait(10)
    together = threading.Barrier(8)
    # each waits for the others: one after another, none would end
    tasks = [
        pool.submit(k, lambda: together.wait(10), Urgency.NOW, "me") for k in range(8)
    ]
    assert all(task.wait(20) for task in tasks)
    assert not any(task.error for task in tasks)
