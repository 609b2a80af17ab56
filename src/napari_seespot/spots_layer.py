"""A points layer that may be asked for its status while it changes.

napari computes the status bar's text on a thread of its own, from arrays that
the main thread replaces: with a points layer whose number of visible points
changes at each step, `get_status` now and then reads arrays of two lengths and
raises, which napari shows as an error. Here such a reading tells nothing.
"""

from __future__ import annotations

from typing import Any

from napari import layers

__all__ = ["Points"]


# The name stays: napari takes the layer's icon and its kind in files from it.
class Points(layers.Points):  # type: ignore[misc]  # napari ships no types
    """napari's points, safe to be read while they are written."""

    def get_value(self, *args: Any, **options: Any) -> Any:
        """Return the point at a position, as napari does; None when torn."""
        try:
            return super().get_value(*args, **options)
        except (IndexError, ValueError):
            return None

    def get_status(self, *args: Any, **options: Any) -> dict[str, str]:
        """Return what the status bar tells, as napari does; nothing when torn."""
        try:
            status: dict[str, str] = super().get_status(*args, **options)
        except (IndexError, KeyError, ValueError):
            return {**dict.fromkeys(_STATUS, ""), "layer_name": self.name}
        return status


_STATUS = (
    *("layer_name", "layer_base", "source_type", "plugin"),
    *("coordinates", "coords", "value"),
)
