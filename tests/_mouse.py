"""The mouse on a viewer without a window: what napari hands to callbacks."""

from __future__ import annotations

import numpy as np
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)


class Event:
    """What napari tells of the mouse."""

    def __init__(self, kind, position, viewer, pos=(0, 0), modifiers=(), button=1):
        self.type = kind
        self.is_dragging = kind == "mouse_move"
        self.position = position
        self.pos = np.array(pos, float)
        self.modifiers = modifiers
        self.button = button
        self.handled = False
        self.dims_displayed = list(viewer.dims.displayed)
        self.view_direction = viewer.scene.camera.calculate_nd_view_direction(
            viewer.dims.ndim, self.dims_displayed
        )

    def __setattr__(self, name, value):
        if name == "__wrapped__":  # napari puts later events into the first one
            self.__dict__.update(vars(value))
        else:
            super().__setattr__(name, value)


def click(viewer, position, *, drag=0, **more):
    mouse_press_callbacks(viewer, Event("mouse_press", position, viewer, **more))
    if drag:
        moved = Event("mouse_move", position, viewer, pos=(drag, 0), **more)
        mouse_move_callbacks(viewer, moved)
    mouse_release_callbacks(viewer, Event("mouse_release", position, viewer, **more))
