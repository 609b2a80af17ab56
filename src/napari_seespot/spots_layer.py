"""The layers of spots: led by the overlay, and safe to be read meanwhile.

napari slices every layer at each step, and once more when the overlay puts the
new spots in: the first time is wasted, since it shows the old ones, and takes
half of a step. There is no public way to leave it out (`refresh` can be told what
to leave out, a step of the dims cannot), so a *led* layer here takes note of the
step and leaves slicing to its leader's `refresh`. That rests on two names of
napari's own, `_slice_dims` and `_slicing_state`: where they are not as expected, a
step costs twice, as in the public way, and shows the same.

napari also computes the status bar's text on a thread of its own, from arrays that
the main thread replaces: with a points layer whose number of visible points
changes at each step, `get_status` now and then reads arrays of two lengths and
raises, which napari shows as an error. Here such a reading tells nothing.

And they are *kept* from edits, since what they show is the table's. `editable =
False` alone does not last: napari's controls of a points layer set it to True when
they are made and whenever the viewer turns between 2-D and 3-D. With it the key
``2`` adds points at each click; and whatever it says, ``1`` deletes those selected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari import layers

from napari_seespot.errors import StateError

__all__ = ["Image", "Points"]


_NAMES = ("make_slice_input", "_slice_input", "_units")


class _Led:
    """A layer that somebody refreshes after each step.

    Attributes
    ----------
    led : bool
        Whether napari's own slicing is left out. The leader calls `refresh`
        after each change of the dims.
    """

    led = False

    def _slice_dims(self, dims: Any, force: bool = False) -> None:
        if not (self.led and not force and self._take_note(dims)):
            super()._slice_dims(dims, force)  # type: ignore[misc]  # napari's layer

    def _take_note(self, dims: Any) -> bool:
        """Move the slice without reading it; False where that is not known to do."""
        state: Any = getattr(self, "_slicing_state", None)
        if not all(hasattr(state, name) for name in _NAMES):
            return False
        before, after = state._slice_input, state.make_slice_input(dims)
        same = (after.ndisplay, after.order) == (before.ndisplay, before.order)
        if not same or state._units != dims.units:
            return False  # other axes: the painter has to be made anew
        state._slice_input = after
        return True


class _Kept:
    """A layer that shows what is not the user's to move or delete.

    Attributes
    ----------
    kept : bool
        Whether it is not editable, whoever says that it were. Set before the
        layer is added to a viewer.
    """

    kept = False

    @property
    def editable(self) -> bool:
        """Whether a user may edit what the layer shows."""
        return not self.kept and bool(super().editable)  # type: ignore[misc]  # napari's layer

    @editable.setter
    def editable(self, editable: bool) -> None:
        if not self.kept:
            napari_s: Any = super(_Kept, type(self))
            napari_s.editable.fset(self, editable)


# The names stay: napari takes a layer's icon and its kind in files from them.
class Image(_Led, _Kept, layers.Image):  # type: ignore[misc]  # napari's are untyped
    """napari's image, sliced by its leader."""


class Points(_Led, _Kept, layers.Points):  # type: ignore[misc]  # as above
    """napari's points, sliced by their leader, and safe to be read while written."""

    @property
    def selected_data(self) -> Any:
        """The points that napari would colour, move, copy or delete; none if kept."""
        return super().selected_data

    @selected_data.setter
    def selected_data(self, selected: Any) -> None:
        # Keys delete and copy what is selected, and napari's controls colour it,
        # all without asking whether the layer is editable.
        napari_s: Any = layers.Points.selected_data
        napari_s.fset(self, () if self.kept else selected)

    def add(self, coords: Any) -> None:
        """Add points, unless they are kept."""
        self._check_free()
        super().add(coords)

    def remove(self, indices: Any) -> None:
        """Remove points, unless they are kept."""
        if len(indices):
            self._check_free()
        super().remove(indices)

    def _check_free(self) -> None:
        if self.kept:
            raise StateError(
                f"the points of the layer {self.name} cannot be edited",
                hint="Filters say which spots are shown; Duplicate layer gives a "
                "copy that is yours to edit",
            )

    def get_value(
        self,
        position: Any,
        *,
        view_direction: Any = None,
        dims_displayed: Any = None,
        world: bool = False,
    ) -> Any:
        """Return the point at a position; None when torn.

        Where points overlap, napari returns the last one of the data, which says
        nothing about a spot; here it is the one whose centre is nearest.
        """
        try:
            value = super().get_value(
                position,
                view_direction=view_direction,
                dims_displayed=dims_displayed,
                world=world,
            )
            if value is None or dims_displayed is None or len(dims_displayed) != 2:
                return value
            place = self.world_to_data(position) if world else position
            extra = len(position) - self.ndim
            axes = [axis - extra for axis in dims_displayed]
            return self._nearest(value, np.asarray(place)[-self.ndim :], axes)
        except (IndexError, ValueError):
            return None

    def _nearest(self, value: Any, place: np.ndarray, displayed: list[int]) -> Any:
        """Return the nearest of the shown points that cover a place, or `value`."""
        shown = np.flatnonzero(self.shown)
        # In voxels of the last axis, in which napari measures sizes.
        away = (self.data[shown] - place) * (self.scale / self.scale[-1])
        radius = self.size[shown, None] / 2
        hit = np.flatnonzero((np.abs(away[:, displayed]) <= radius).all(axis=1))
        if not len(hit):
            return value
        return int(shown[hit[np.argmin((away[hit] ** 2).sum(axis=1))]])

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
