"""Which spots lie in this slab and window: 8 and 25 million spots.

Slabs of 1 to 11 planes and windows of 500 to 12,000 voxels at random places,
with and without filters, at most 100,000 rows; then slabs across y and x, boxes
in 3-D, and the whole volume. The baseline is the same question asked of all
rows by numpy.

Run ``python benchmarks/index_queries.py [n_spots ...]``.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

import numpy as np
from _bench import RUNS, median_ms, report
from _scene import VOLUME, make_spots

from napari_seespot.index import Box, SpotIndex

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

LIMIT = 100_000
QUERIES = 200
TARGETS = {8_000_000: 2.0, 25_000_000: 6.0}
"""ms of the median query by the number of spots; a smaller table has the first."""


def windows(rng: np.random.Generator, axis: int, n: int = QUERIES) -> list[Box]:
    """Return slabs across an axis, each with a window, at random places."""
    boxes = []
    for _ in range(n):
        size = np.array(VOLUME, float) * rng.choice([0.04, 0.1, 0.3, 1.0])
        size[axis] = rng.choice([1, 3, 5, 11])
        low = rng.random(3) * np.maximum(np.array(VOLUME) - size, 0)
        boxes.append(Box(tuple(low), tuple(low + size)))
    return boxes


def filters(spots: Spots) -> tuple[np.ndarray, np.ndarray]:
    """Return codes that pass, all but the removed, and rows with r in a range."""
    allowed = spots.class_of_code("status") != 2
    r = spots.column("r")
    return allowed, (r >= 0.5) & (r <= 0.95)


def times_ms(index: SpotIndex, boxes: list[Box], **options: np.ndarray) -> list[float]:
    """Return what each query takes, the median of three times."""
    index.choose(boxes[0], LIMIT, **options)
    return [
        median_ms(lambda b=box: index.choose(b, LIMIT, **options), 3, warm_up=0)
        for box in boxes
    ]


def brute_force(spots: Spots, box: Box) -> np.ndarray:
    """Return the rows of a box, found by looking at all of them."""
    low, high = box.ends
    inside = np.ones(len(spots), np.bool_)
    for axis, name in enumerate("zyx"):
        values = spots.column(name)
        inside &= (values >= low[axis]) & (values <= high[axis])
    return np.flatnonzero(inside)


def main(n: int) -> None:
    spots = make_spots(n)
    index = SpotIndex(spots)
    rng = np.random.default_rng(1)
    allowed, where = filters(spots)
    target = TARGETS.get(n, 2.0)

    boxes = windows(rng, 0)
    assert np.array_equal(index.rows_in(boxes[0]), brute_force(spots, boxes[0]))
    plain = median_ms(lambda: brute_force(spots, boxes[0]), RUNS)
    times = times_ms(index, boxes, allowed=allowed, where=where)
    times += times_ms(index, boxes, allowed=allowed)
    median = statistics.median(times)
    report("query_slab", median, "ms", baseline=plain, limit=target, n=n)
    worst = statistics.quantiles(times, n=200)[-1]
    report("query_slab_worst", worst, "ms", baseline=plain, limit=25, n=n)

    rare = where & (spots.column("dist") < np.quantile(spots.column("dist"), 0.012))
    times = times_ms(index, boxes, allowed=allowed, where=rare)
    report("query_slab_after_1_percent", max(times), "ms", limit=30, n=n)

    for axis, name in ((1, "y"), (2, "x")):
        times = times_ms(index, windows(rng, axis, 20), allowed=allowed, where=where)
        median = statistics.median(times)
        report(f"query_slab_across_{name}", median, "ms", limit=30, n=n)

    counts = np.bincount(spots.code, minlength=len(allowed)) * allowed
    whole = median_ms(lambda: index.choose(Box(), LIMIT, allowed, counts=counts), 11)
    report("query_volume", whole, "ms", baseline=plain, limit=15, n=n)
    boxes = [Box(tuple(b.low), tuple(np.add(b.low, 0.4 * np.array(VOLUME))))
             for b in windows(rng, 0, 20)]  # fmt: skip
    median = statistics.median(times_ms(index, boxes, allowed=allowed))
    report("query_box_in_3d", median, "ms", limit=30, n=n)
    extra = index.nbytes / n
    report("index_bytes_a_spot", extra, "bytes", limit=2, n=n)


if __name__ == "__main__":
    for size in sys.argv[1:] or ("8_000_000", "25_000_000"):
        main(int(size))
