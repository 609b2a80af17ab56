"""The chart of a spatial map: its tiles in a picture, its colours in a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.coloring import gradient
from napari_seespot.plots.charts import (
    Axis,
    Chart,
    Ramp,
    nice_ticks,
    number_text,
)
from napari_seespot.plots.marks import Picture

if TYPE_CHECKING:
    import pandas as pd

    from napari_seespot.maps import SpatialMap
    from napari_seespot.spots import Spots

__all__ = [
    "MEASURE_NAMES",
    "automatic_tile",
    "hottest",
    "map_chart",
    "map_limits",
]

_TILES_ACROSS = 48

MEASURE_NAMES = {
    "density": "spots a tile",
    "reassigned": "share reassigned, of the kept",
    "removed": "share removed, of all",
    "median_r": "median of r",
}


def map_limits(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the colours: the 1st and the 99th percentile."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (0.0, 1.0)
    low, high = (float(end) for end in np.percentile(finite, (1, 99)))
    return (low, high) if high > low else (low, low + 1.0)


def map_chart(found: SpatialMap) -> Chart:
    """Draw a map with its colour bar, y pointing down as in the viewer."""
    low, high = map_limits(found.values)
    steps = gradient()
    share = np.nan_to_num((found.values - low) / (high - low))
    rgba = steps[(np.clip(share, 0, 1) * 255).astype(np.uint8)]
    rgba[~np.isfinite(found.values) | (found.counts == 0)] = 0
    rows, columns = found.values.shape
    y0, x0 = found.origin_um
    y1, x1 = y0 + rows * found.tile_um, x0 + columns * found.tile_um
    return Chart(
        f"Map: {MEASURE_NAMES[found.measure]}",
        (Picture(rgba[::-1], (x0, x1), (y1, y0)),),
        Axis((x0, x1), "x (um)"),
        Axis((y1, y0), "y (um)"),
        ramp=Ramp(steps, number_text(low), number_text(high)),
        caption=f"{int(found.counts.sum()):,} spots in tiles of {found.tile_um:g} um",
        data=found.to_pandas(),
        aspect=float(np.clip((y1 - y0) / (x1 - x0), 0.3, 1.2)),
        equal=True,
    )


def hottest(found: SpatialMap, n: int, fewest: int) -> pd.DataFrame:
    """Return the tiles of the highest value.

    Parameters
    ----------
    found : SpatialMap
    n : int
        How many at most.
    fewest : int
        Tiles with fewer spots are left out: their shares are chance.
    """
    table = found.to_pandas()
    table = table[table["spots"] >= fewest].dropna()
    table = table.sort_values("value", ascending=False, kind="stable")
    return table.head(n).reset_index(drop=True)


def automatic_tile(spots: Spots, voxel_size: tuple[float, float, float]) -> float:
    """Return a round size of tiles, in um, of which some 50 lie across the tissue."""
    sides = []
    for axis, size in zip("yx", voxel_size[1:], strict=True):
        values = spots.column(axis)[:: max(1, len(spots) // 100_000)]
        values = values[np.isfinite(values)]
        if values.size:
            sides.append(float(np.ptp(values)) * size)
    side = max(sides, default=0.0)
    if side <= 0:
        return 50.0
    ticks = nice_ticks(0, side, _TILES_ACROSS)
    return max(0.5, ticks[1] - ticks[0])
