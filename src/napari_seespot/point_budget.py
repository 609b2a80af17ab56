"""How many points are drawn at most, by what this machine draws fluently.

A frame takes some time whatever is in it, and some for each point. The second is
what matters here: it is the slope through the frames seen so far, of which there
are always some with few and some with many points. The budget follows it in large
steps, so that it stays the same for a whole session on a machine that does.
"""

from __future__ import annotations

from collections import deque

import numpy as np

__all__ = ["AUTOMATIC_POINTS", "MOST_POINTS", "PointBudget"]

AUTOMATIC_POINTS = 20_000
"""As many points are drawn fluently by software OpenGL: what is begun with."""

MOST_POINTS = 100_000
"""More than this, points hide each other on any screen."""

_FEWEST = 4_000
_SECONDS = 0.13  # that the points may add to a frame: to 5 a second in software
_MOVING = 0.4  # of the budget, while the view moves
_STEP = 1.5  # a budget changes by this factor at least
_BACK = 0.8  # of the budget: so few spots are points again, after having been more
_FRAMES = 24
_ENOUGH = 6  # frames with few points, and as many with many
_APART = 1_000  # points; frames that differ by less tell nothing of a slope


class PointBudget:
    """The number of points that are drawn at most, and when there are too many.

    Parameters
    ----------
    fixed : int
        The number that the user has set; 0 follows the machine.

    Attributes
    ----------
    resting : int
        Points that are drawn while the view rests.
    """

    def __init__(self, fixed: int = 0) -> None:
        self._frames: deque[tuple[int, float]] = deque(maxlen=_FRAMES)
        self._as_points = True
        self._fixed = fixed
        self.resting = fixed or AUTOMATIC_POINTS

    @property
    def moving(self) -> int:
        """Points that are drawn while the view moves."""
        return self._fixed or int(_MOVING * self.resting)

    def fix(self, fixed: int) -> None:
        """Take over the number that the user has set; 0 follows the machine."""
        if fixed != self._fixed:
            self._fixed = fixed
            self.resting = fixed or AUTOMATIC_POINTS
            self._as_points = True

    def as_points(self, total: int) -> bool:
        """Return whether so many spots in view are drawn as points.

        Once there were too many, they have to become clearly fewer: a view at the
        border does not go to and fro between two pictures.
        """
        limit = self.resting if self._as_points else _BACK * self.resting
        self._as_points = total <= limit
        return self._as_points

    def add_frame(self, points: int, seconds: float) -> None:
        """Take note of how long a frame with points took."""
        self._frames.append((points, seconds))

    def adapt(self) -> bool:
        """Let the budget follow the frames; return whether it changed."""
        slope = self._seconds_per_point()
        if self._fixed or slope is None:
            return False
        wanted = float(np.clip(_SECONDS / slope, _FEWEST, MOST_POINTS))
        at_end = wanted in (_FEWEST, MOST_POINTS) and wanted != self.resting
        if 1 / _STEP < wanted / self.resting < _STEP and not at_end:
            return False
        # A step at a time: one odd frame does not turn everything over.
        self.resting = int(np.clip(wanted, self.resting / 2, self.resting * 2))
        self._frames.clear()  # what is next is judged by what is next
        return True

    def _seconds_per_point(self) -> float | None:
        """Return the slope from frames with few points to those with many.

        None where there are too few that differ. Of each kind, the lower quartile
        counts: whatever else held a frame up, it only made it longer.
        """
        if not self._frames:
            return None
        points, seconds = np.array(self._frames).T
        many = points > (points.min() + points.max()) / 2
        if min(np.count_nonzero(many), np.count_nonzero(~many)) < _ENOUGH:
            return None
        apart = np.median(points[many]) - np.median(points[~many])
        longer = np.quantile(seconds[many], 0.25) - np.quantile(seconds[~many], 0.25)
        return max(float(longer / apart), 1e-9) if apart >= _APART else None
