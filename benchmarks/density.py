"""Channel-pair pictures of 8 million spots, against numpy.histogram2d.

Three classes, with the mask of a range of r and of a class applied; to make the
mask is another target. The baseline does the same with numpy; a second line
compares with numpy.histogram2d on all rows, without classes and mask, which is
less work than ours.

Run ``python benchmarks/density.py [n_spots]``.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys

import numpy as np
from _bench import RUNS, median_ms, medians_ms, report

from napari_seespot.densities import density
from napari_seespot.spots import Spots

CHANNELS = ("488", "514", "561", "594", "638")
LIMITS = ((-100.0, 5000.0), (-100.0, 5000.0))

FIRST_CALL = """
import time
import numpy as np
from napari_seespot.densities import density
from napari_seespot.spots import Spots
n = 1000
x = np.linspace(0, 1, n, dtype=np.float32)
columns = {"code": np.zeros(n, np.uint8), "chan_1_intensity": x}
spots = Spots(columns, channels=("1",))
start = time.perf_counter()
density(spots, "1", "1", by="status", where=x > 0.5)
print(time.perf_counter() - start)
"""


def make_spots(n: int) -> Spots:
    """Spots as in a round: bleed into the neighbour channels, a third removed."""
    rng = np.random.default_rng(0)
    chan = rng.integers(0, 5, n, dtype=np.uint8)
    fate = rng.random(n, dtype=np.float32)
    unmixed = np.where(fate < 0.8, chan, rng.integers(0, 5, n, dtype=np.uint8))
    unmixed[fate < 0.34] = 5
    columns = {"code": (chan * np.uint8(6) + unmixed).astype(np.uint8)}
    columns["r"] = rng.beta(6, 2, n).astype(np.float32)
    brightness = rng.lognormal(6, 0.8, n).astype(np.float32)
    for place, name in enumerate(CHANNELS):
        bleed = np.exp(-np.abs(chan.astype(np.float32) - place))
        noise = 20 * rng.standard_normal(n, np.float32)
        columns[f"chan_{name}_intensity"] = brightness * bleed + noise
    return Spots(columns, channels=CHANNELS)


def mask(spots: Spots) -> np.ndarray:
    """Rows with r from 0.5 to 1 that were not reassigned."""
    r = spots.column("r")
    kept_class = spots.class_of_code("status") != 1
    return (r >= 0.5) & (r <= 1.0) & kept_class[spots.code]


def picture(spots: Spots, pair: tuple[str, str], where: np.ndarray) -> np.ndarray:
    return density(spots, *pair, limits=LIMITS, by="status", where=where).counts


def numpy_picture(spots: Spots, pair: tuple[str, str], where: np.ndarray) -> np.ndarray:
    status = spots.codes("status")
    x, y = (spots.intensity(channel) for channel in pair)
    edges = np.linspace(*LIMITS[0], 513)
    layers = []
    for code in range(3):
        rows = where & (status == code)
        layers.append(np.histogram2d(y[rows], x[rows], bins=(edges, edges))[0])
    return np.array(layers)


def first_call_seconds() -> float:
    """Return what the first picture of a fresh process takes."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main(n: int) -> None:
    spots = make_spots(n)
    pair, where = ("488", "514"), mask(spots)
    x, y = (spots.intensity(channel) for channel in pair)
    assert np.array_equal(
        picture(spots, pair, where), numpy_picture(spots, pair, where)
    )
    ours, same, plain = medians_ms(
        [
            lambda: picture(spots, pair, where),
            lambda: numpy_picture(spots, pair, where),
            lambda: np.histogram2d(y, x, bins=512, range=LIMITS),
        ]
    )
    report("density_pair", ours, "ms", baseline=same, limit=100, n=n)
    report("density_pair_vs_plain", ours, "ms", baseline=plain, limit=100, n=n)

    def all_pairs() -> None:
        for each in itertools.combinations(CHANNELS, 2):
            picture(spots, each, where)

    report("density_all_pairs", median_ms(all_pairs), "ms", limit=700, n=n)

    first_call_seconds()  # compiles what is not yet on disk
    first = statistics.median(first_call_seconds() for _ in range(RUNS))
    report("density_first_call", first, "s", limit=1.0, n=1000)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
