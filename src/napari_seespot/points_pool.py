"""One napari points layer of fixed capacity, filled anew at each look.

napari's own ways to change points rebuild the layer's arrays; writing into
them and refreshing once is 4 to 10 times cheaper. The capacity stays, because
napari's status thread may still be reading: rows that are not needed are
hidden and have no size. Two of them mark the corners of the volume for ever, so
that napari's sliders and its home view see the whole of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.spot_looks import NO_POINTS

if TYPE_CHECKING:
    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.index import Box
    from napari_seespot.spot_looks import PointLooks

__all__ = ["CANVAS_SIZES", "PointsPool"]

CANVAS_SIZES = (3, 60)
"""A spot's smallest and largest diameter on the canvas, in pixels."""

# What hides what in 3-D: napari's names of blendings that differ in nothing else.
_BY_DEPTH, _BY_ORDER = "translucent", "translucent_no_depth"


class PointsPool:
    """A points layer whose rows are lent to the spots in view.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    dataset : Dataset
        For scale, units and the features' columns.
    translate : tuple of float
        (z, y, x) of the first voxel's centre, in um.
    extent : Box
        The volume, in voxels.
    capacity : int
        The most spots that it shows.
    name : str
    """

    def __init__(
        self,
        viewer: Any,
        dataset: Dataset,
        translate: tuple[float, float, float],
        extent: Box,
        capacity: int,
        name: str,
    ) -> None:
        from napari_seespot.spots_layer import Points

        self._dataset = dataset
        self.rows = np.zeros(0, np.int64)
        # The centres of the first and the last voxel, where the images end too.
        low, high = extent.ends
        self._corners = np.stack([low + 0.5, np.maximum(high - 0.5, low + 0.5)])
        size = min(capacity, len(dataset.spots)) + len(self._corners)
        self._order = np.zeros(size, np.int64)
        self._described = True
        self._blending = _BY_DEPTH
        self.layer = Points(
            np.resize(self._corners, (size, 3)),
            ndim=3,
            size=np.zeros(size, np.float32),
            shown=np.zeros(size, np.bool_),
            face_color=np.zeros((size, 4), np.float32),
            border_width=np.zeros(size, np.float32),
            border_color=np.zeros((size, 4), np.float32),
            symbol="ring",
            antialiasing=0,
            scale=dataset.voxel_size,
            translate=translate,
            axis_labels=("z", "y", "x"),
            units=("micrometer",) * 3,
            features=self._features(self._order),
            projection_mode="all",
            blending=_BY_DEPTH,
            canvas_size_limits=CANVAS_SIZES,
            name=name,
        )
        # Its rows are lent: what a user would move or delete is not the table's.
        self.layer.kept = True
        self.layer.led = True
        self._plain_symbols()
        viewer.add_layer(self.layer)

    def _plain_symbols(self) -> None:
        # napari turns each symbol into text at each refresh, which is most of what
        # a refresh costs; of a text that costs nothing, of its own enum much.
        self.layer.symbol[:] = "ring"

    @property
    def capacity(self) -> int:
        """The most spots that it shows."""
        return len(self._order) - len(self._corners)

    def show(self, looks: PointLooks) -> None:
        """Show spots.

        Parameters
        ----------
        looks : PointLooks
            At most `capacity` spots, and how they look.
        """
        rows = looks.rows
        m = len(rows)
        layer = self.layer
        spots = self._dataset.spots
        data = layer.data
        for axis, name in enumerate("zyx"):
            data[:m, axis] = spots.column(name)[rows]
        data[m:] = np.resize(self._corners, (len(data) - m, 3))
        layer.size[:m] = looks.sizes
        layer.size[m:] = 0
        layer.face_color[:m] = looks.face_color
        layer.face_color[m:] = 0
        layer.border_width[:m] = looks.border_width
        # napari gives borders to the points that it enlarges to the least size on
        # the canvas, also to those that have none, of any size.
        layer.border_color[:m] = looks.border_color
        layer.border_color[m:] = 0
        layer.shown[:m] = True
        layer.shown[m:] = False
        self._order[:m] = rows
        self._order[m:] = rows[0] if m else 0
        self.rows = self._order[:m].copy()
        self._described = False
        # Where no point is in view, napari draws one of no size in the corner, which
        # the least size on the canvas would bring out.
        limits = CANVAS_SIZES if m else (0, 0)
        if layer.canvas_size_limits != limits:
            layer.canvas_size_limits = limits
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def describe(self) -> None:
        """Give the layer the features of the spots that it shows.

        Apart from `show`, since it takes longer than all the rest: nobody reads
        a spot's values while the view moves.
        """
        if not self._described:
            self._described = True
            self.layer.features = self._features(self._order)

    def put_last_on_top(self, on_top: bool) -> None:
        """Draw the last points, in 3-D, on top of what is nearer, or not.

        Another blending that a user has chosen stays.
        """
        blending = _BY_ORDER if on_top else _BY_DEPTH
        if blending == self._blending:
            return
        if self.layer.blending == self._blending:
            self.layer.blending = blending
        self._blending = blending

    def clear(self) -> None:
        """Show nothing; free of charge when nothing is shown."""
        if len(self.rows):
            self.show(NO_POINTS)

    def row_at(self, place: int | None) -> int | None:
        """Return the table's row behind a point of the layer."""
        if place is None or not 0 <= place < len(self.rows):
            return None
        return int(self.rows[place])

    def grow(self, needed: int) -> None:
        """Have room for this many spots; the capacity never shrinks."""
        if needed <= self.capacity:
            return
        size = needed + len(self._corners)
        self._order = np.resize(self._order, size)
        self.layer.data = np.resize(self._corners, (size, 3))
        self._plain_symbols()

    def _features(self, rows: np.ndarray) -> pd.DataFrame:
        spots = self._dataset.spots
        if not len(spots):
            rows = rows[:0]
        table = spots.to_pandas(rows=rows).drop(columns=["z", "y", "x"])
        if not len(spots):
            table = table.reindex(range(len(self._order)))
        genes = spots.genes
        if genes:
            names = [genes.get(str(c), "") for c in table["chan"].cat.categories]
            table.insert(2, "gene", np.array([*names, ""])[table["chan"].cat.codes])
        return table.reset_index(drop=True)
