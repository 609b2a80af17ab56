"""An outline being drawn with the mouse, in pixels: a rectangle, a lasso, a polygon."""

from __future__ import annotations

import numpy as np

from napari_seespot.plots.drawing import TOOLS, has_area

__all__ = ["Sketch"]

_STEP_PIXELS = 3.0  # a lasso's corners are no closer: a hand shakes more
_CLOSE_PIXELS = 8.0  # a click as near to a polygon's first corner closes it

Place = tuple[float, float]


class Sketch:
    """What is drawn so far.

    A rectangle and a lasso are dragged. A polygon's corners are clicked on; a double
    click, `close`, or a click on its first corner ends it.

    Attributes
    ----------
    tool : str
        One of `TOOLS`, or empty: nothing is drawn.
    corners : list of (float, float)
        Pixels.
    """

    def __init__(self) -> None:
        self.tool = ""
        self.corners: list[Place] = []
        self._held = False

    def choose(self, tool: str) -> None:
        """Draw with another tool; what was begun is forgotten."""
        if tool and tool not in TOOLS:
            raise ValueError(f"there is no tool {tool!r}: {', '.join(TOOLS)}")
        self.tool = tool
        self.cancel()

    def cancel(self) -> None:
        """Forget what is being drawn."""
        self.corners = []
        self._held = False

    def press(self, at: Place, double: bool = False) -> np.ndarray | None:
        """Take a press of the button; return the outline if that ends it."""
        if self.tool == "polygon":
            return self._corner(at, double)
        self.corners, self._held = [at], True
        return None

    def move(self, at: Place) -> None:
        """Take a movement of the mouse."""
        if not self._held:
            return
        first, last = self.corners[0], self.corners[-1]
        if self.tool == "rectangle":
            self.corners = [first, (at[0], first[1]), at, (first[0], at[1])]
        elif _distance(last, at) >= _STEP_PIXELS:
            self.corners.append(at)

    def release(self, at: Place) -> np.ndarray | None:
        """Take the button's release; return the outline if that ends it."""
        if not self._held:
            return None
        self.move(at)
        return self.close()

    def close(self) -> np.ndarray | None:
        """Return what was drawn; None where it encloses nothing."""
        vertices = np.array(self.corners, np.float64).reshape(-1, 2)
        self.cancel()
        return vertices if has_area(vertices) else None

    def back(self) -> None:
        """Take a polygon's last corner back."""
        if self.tool == "polygon" and self.corners:
            self.corners.pop()

    def _corner(self, at: Place, double: bool) -> np.ndarray | None:
        near = len(self.corners) > 2 and (
            _distance(self.corners[0], at) <= _CLOSE_PIXELS
        )
        if double or near:  # the first of two clicks has added the last corner
            return self.close()
        self.corners.append(at)
        return None


def _distance(a: Place, b: Place) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])
