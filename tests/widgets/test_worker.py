import threading

import pytest

from napari_seespot.errors import CancelledError
from napari_seespot.widgets._worker import Worker


@pytest.fixture
def busy():
    return []


@pytest.fixture
def worker(qtbot, busy):
    worker = Worker("seespot-test", busy.append)
    yield worker
    worker.close()


def test_answer_arrives_in_the_thread_of_the_window(qtbot, worker, busy):
    answers = []

    def done(answer):
        answers.append((answer, threading.current_thread()))

    worker.submit(lambda job: threading.current_thread(), done=done)
    assert worker.busy
    qtbot.waitUntil(lambda: bool(answers))
    (worked_in, told_in) = answers[0]
    assert told_in is threading.main_thread()
    assert worked_in is not told_in
    assert not worker.busy
    assert busy == [True, False]


def test_no_thread_is_left_when_idle(qtbot, worker):
    answers = []
    worker.submit(lambda job: 1, done=answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    qtbot.waitUntil(
        lambda: all(t.name != "seespot-test" for t in threading.enumerate())
    )


def test_newest_request_wins_and_the_running_one_is_cancelled(qtbot, worker):
    answers, asked = [], []
    started, go_on = threading.Event(), threading.Event()

    def slow(job):
        started.set()
        go_on.wait(5)
        asked.append(job.cancelled())
        return "slow"

    worker.submit(slow, done=answers.append)
    assert started.wait(5)
    for name in ("second", "third", "fourth"):
        worker.submit(lambda job, name=name: name, done=answers.append)
    go_on.set()
    qtbot.waitUntil(lambda: bool(answers))
    qtbot.wait(20)
    assert answers == ["fourth"]
    assert asked == [True]


def test_kept_request_is_shown_on_the_way(qtbot, worker, busy):
    answers = []
    started, go_on = threading.Event(), threading.Event()

    def slow(job):
        started.set()
        go_on.wait(5)
        return "slow, cancelled" if job.cancelled() else "slow"

    worker.submit(slow, done=answers.append)
    assert started.wait(5)
    for name in ("second", "third"):
        worker.submit(
            lambda job, name=name: name, done=answers.append, keep_running=True
        )
    go_on.set()
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers == ["slow", "third"]
    assert busy == [True, False]


def test_answer_that_waits_to_be_told_is_dropped_when_stale(qtbot, worker):
    answers = []
    first = threading.Event()

    def at_once(job):
        first.set()
        return "first"

    worker.submit(at_once, done=answers.append)
    assert first.wait(5)
    while worker._thread is not None:  # it has posted its answer, nobody read it
        pass
    worker.submit(lambda job: "second", done=answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    qtbot.wait(20)
    assert answers == ["second"]


def test_error_is_told_and_the_next_request_works(qtbot, worker):
    errors, answers = [], []

    def broken(job):
        raise ZeroDivisionError("no")

    worker.submit(broken, done=answers.append, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], ZeroDivisionError)
    assert not worker.busy
    worker.submit(lambda job: 2, done=answers.append, failed=errors.append)
    qtbot.waitUntil(lambda: bool(answers))
    assert answers == [2]


def test_cancelled_task_tells_nothing(qtbot, worker, busy):
    told = []
    started = threading.Event()

    def endless(job):
        started.set()
        while True:
            job.check()

    worker.submit(endless, done=told.append, failed=told.append)
    assert started.wait(5)
    worker.cancel()
    assert not worker.busy
    qtbot.waitUntil(lambda: worker._thread is None)
    qtbot.wait(20)
    assert told == []
    assert busy == [True, False]


def test_check_says_that_it_was_cancelled(qtbot, worker):
    caught = []
    started = threading.Event()

    def endless(job):
        started.set()
        try:
            while True:
                job.check()
        except CancelledError as error:
            caught.append(str(error))
            raise

    worker.submit(endless, done=caught.append)
    assert started.wait(5)
    worker.cancel()
    qtbot.waitUntil(lambda: bool(caught))
    assert caught == ["the task was cancelled."]


def test_progress_arrives_and_its_last_value_before_the_answer(qtbot, worker):
    told = []

    def counting(job):
        for i in range(100):
            job.progress(i / 99, f"step {i}")
        return "done"

    worker.submit(
        counting,
        done=told.append,
        progress=lambda share, text: told.append((share, text)),
    )
    qtbot.waitUntil(lambda: "done" in told)
    qtbot.wait(20)
    assert told[-2:] == [(1.0, "step 99"), "done"]
    shares = [share for share, _ in told[:-1]]
    assert shares == sorted(shares)


def test_close_ends_the_thread_and_refuses_more(qtbot, worker, busy):
    told = []
    started = threading.Event()

    def endless(job):
        started.set()
        while not job.cancelled():
            job.progress(0.5, "still")
        return "ended"

    worker.submit(endless, done=told.append, failed=told.append)
    assert started.wait(5)
    worker.close()
    assert all(t.name != "seespot-test" for t in threading.enumerate())
    worker.submit(lambda job: 1, done=told.append)
    qtbot.wait(20)
    assert told == []
    assert busy == [True]  # whoever listened is gone
    worker.close()
