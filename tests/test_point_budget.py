"""How many points are drawn: machines with known frame times, and views that move."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_seespot.dataset import Dataset
from napari_seespot.overlay import SpotOverlay
from napari_seespot.point_budget import AUTOMATIC_POINTS, MOST_POINTS, PointBudget
from napari_seespot.session import Session
from napari_seespot.spots import Spots


def run(budget, per_point, fixed=0.07, noise=0.0, rounds=150, seed=0):
    """Draw frames, moving and at rest; return the budgets on the way."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(rounds):
        points = budget.moving if place % 3 else budget.resting
        seconds = fixed + per_point * points
        if noise and rng.random() < noise:
            seconds += rng.exponential(0.5)
        budget.add_frame(points, seconds)
        budget.adapt()
        found.append(budget.resting)
    return found


@pytest.mark.parametrize(
    ("per_point", "low", "high"),
    [
        (6.5e-6, 15_000, 30_000),  # software OpenGL
        (1e-8, MOST_POINTS, MOST_POINTS),  # a graphics card
        (2e-6, 40_000, 95_000),
        (1e-3, 4_000, 4_000),
    ],
)
def test_it_follows_the_machine(per_point, low, high):
    budgets = run(PointBudget(), per_point)
    assert low <= budgets[-1] <= high
    assert len(set(budgets[-20:])) == 1


def test_frames_held_up_by_something_else_do_not_count():
    budgets = run(PointBudget(), 6.5e-6, noise=0.2, rounds=300)
    assert all(10_000 <= budget <= 45_000 for budget in budgets)
    changes = np.count_nonzero(np.diff(budgets))
    assert changes <= 6


def test_what_a_frame_takes_without_points_does_not_matter():
    assert run(PointBudget(), 6.5e-6, fixed=1.0)[-1] == run(PointBudget(), 6.5e-6)[-1]


def test_frames_that_are_alike_tell_nothing():
    budget = PointBudget()
    for points in (9_000, 9_100) * 20:
        budget.add_frame(points, 0.9)
        assert not budget.adapt()
    assert budget.resting == AUTOMATIC_POINTS


def test_a_number_that_is_set_stays():
    budget = PointBudget(500)
    run(budget, 1e-9)
    assert (budget.resting, budget.moving) == (500, 500)
    budget.fix(0)
    assert budget.resting == AUTOMATIC_POINTS
    assert budget.moving < budget.resting
    budget.fix(300)
    assert budget.resting == 300


def test_a_view_at_the_border_does_not_go_to_and_fro():
    budget = PointBudget(1_000)
    answers = [budget.as_points(n) for n in (1_000, 1_001, 990, 1_010, 900, 801)]
    assert answers == [True, False, False, False, False, False]
    assert budget.as_points(800)
    assert budget.as_points(999)


class Deferred:
    """Puts updates off until they are asked for, by their delay."""

    def __init__(self):
        self.asked = {}

    def __call__(self, update, delay_ms):
        def request():
            self.asked[update] = delay_ms

        return request

    def turn(self):
        """Do what has no delay, as an event loop's turn does."""
        self._do(lambda delay: delay == 0)

    def rest(self):
        self.turn()
        self._do(lambda delay: delay > 0)
        self.turn()

    def _do(self, wanted):
        for update, delay in list(self.asked.items()):
            if wanted(delay):
                del self.asked[update]
                update()


@pytest.fixture
def view(monkeypatch):
    monkeypatch.setattr("napari_seespot.point_budget.AUTOMATIC_POINTS", 1_000)
    monkeypatch.setattr("napari_seespot.point_budget._FEWEST", 10)
    rng = np.random.default_rng(0)
    n = 900
    table = pd.DataFrame(
        {
            "chan": "488",
            "unmixed_chan": "488",
            "z": rng.integers(0, 3, n),
            "y": rng.uniform(0, 100, n),
            "x": rng.uniform(0, 100, n),
            "chan_488_intensity": 1.0,
        }
    )
    viewer, deferred = ViewerModel(), Deferred()
    session = Session(Dataset("test", "test", Spots.from_pandas(table)))
    session.state.slab_planes = 5
    overlay = SpotOverlay(viewer, session, deferred)
    viewer.reset_view()
    deferred.rest()
    yield viewer, deferred, overlay
    overlay.close()
    session.close()
    viewer.layers.clear()


def step(viewer, plane):
    point = list(viewer.dims.point)
    point[0] = plane
    viewer.dims.point = point


def test_fewer_points_while_the_view_moves_and_all_at_rest(view):
    viewer, deferred, overlay = view
    at_rest = overlay.shown
    assert at_rest.drawn == at_rest.total == 900
    step(viewer, 2)
    deferred.turn()
    moving = overlay.shown
    assert moving.picture == "points"
    assert moving.drawn == 400
    assert moving.total == 900
    rows = set(overlay.drawn_rows)
    assert viewer.canvas.overlays["napari-seespot"].text.startswith("400 of 900 spots")
    deferred.rest()
    assert overlay.shown == at_rest
    assert rows < set(overlay.drawn_rows)


def test_other_changes_are_drawn_whole(view):
    _viewer, deferred, overlay = view
    overlay._session.state.color_by = "chan"
    deferred.turn()
    assert overlay.shown.drawn == 900


def test_a_number_that_is_set_is_drawn_while_moving(view):
    viewer, deferred, overlay = view
    overlay._session.state.max_points = 950
    deferred.rest()
    step(viewer, 2)
    deferred.turn()
    assert overlay.shown.drawn == 900


def test_each_frame_with_points_is_noted(view, monkeypatch):
    viewer, deferred, overlay = view
    noted = []
    monkeypatch.setattr(
        overlay._budget, "add_frame", lambda points, seconds: noted.append(points)
    )
    for plane in (0, 1, 2):
        step(viewer, plane)
        deferred.turn()
        deferred.turn()  # painted
        deferred.rest()
    assert noted == [400, 900] * 3
