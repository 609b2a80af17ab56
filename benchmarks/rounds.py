"""Several rounds as one: merged in bounded memory, then as quick as a single one.

Four cached rounds, 30 million spots together, are merged in a fresh process, which
tells its time and the anonymous memory that it took at most. Then: opening from
the cache, queries, and flow and density in this process, on dask's threads and on a
cluster of two processes. All results are compared, to the count.

Run ``python benchmarks/rounds.py [n_spots]``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import median_ms, medians_ms, report
from _scene import make_spots

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset
    from napari_seespot.spots import Spots

ROUNDS = 4
HERE = Path(__file__).parent

CHILD = """
import json, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from rounds import anonymous, joined

peak, busy = [0], True
def watch():
    while busy:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.02)

joined(0, 1, cache=False)  # libraries are loaded
before = anonymous()
thread = threading.Thread(target=watch)
thread.start()
start = time.perf_counter()
dataset = joined()
seconds = time.perf_counter() - start
busy = False
thread.join()
print(json.dumps([seconds, peak[0] - before]))
"""


def anonymous() -> int:
    """Return the bytes of this process that are not of mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise SystemExit("this system does not tell anonymous memory")


def joined(first: int = 0, last: int = ROUNDS, *, cache: bool = True) -> Dataset:
    """Return cached rounds as one dataset."""
    from napari_seespot.dataset import Dataset
    from napari_seespot.sources.cache import CacheKey, load_spots
    from napari_seespot.sources.several import join_datasets

    rounds = []
    for place in range(first, last):
        name = f"R{place}"
        found = load_spots(CacheKey(uri=name))
        if found is None:
            raise SystemExit(f"{name} is not in the cache")
        rounds.append(Dataset(name=name, uri=name, spots=found.spots, round=name))
    return join_datasets(rounds, cache=cache)


def store_rounds(n: int) -> None:
    """Put the rounds into the cache, each with a seed of its own."""
    from napari_seespot.sources.cache import CacheKey, Imported, store_spots

    for place in range(ROUNDS):
        spots = make_spots(n // ROUNDS, seed=place)
        store_spots(CacheKey(uri=f"R{place}"), Imported(spots))


def measure_merge(n: int) -> None:
    command = [sys.executable, "-c", CHILD, str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    report("rounds_merge", seconds, "s", n=n)
    # Nothing that grows with the rows: a window, and what is decided from.
    report("rounds_merge_peak", peak / 1e9, "GB", limit=1.0, n=n)
    report("rounds_cached", median_ms(joined), "ms", limit=1_500, n=n)


def measure_queries(spots: Spots) -> None:
    import numpy as np
    from index_queries import times_ms, windows

    from napari_seespot.index import SpotIndex

    boxes = windows(np.random.default_rng(1), 0)
    value = statistics.median(times_ms(SpotIndex(spots), boxes))
    report("rounds_query_slab", value, "ms", limit=6, n=len(spots))


def measure_counts(spots: Spots) -> None:
    import numpy as np
    from distributed import LocalCluster

    from napari_seespot import density
    from napari_seespot.distributed import DaskCounter
    from napari_seespot.sources.cache import read_spots

    limits = ((-100.0, 5000.0), (-100.0, 5000.0))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        tables = {"here": spots.replace(counter=None)}
        for name, address in (
            ("threads", "threads"),
            ("cluster", cluster.scheduler_address),
        ):
            counter = DaskCounter(address, read_spots)
            tables[name] = spots.replace(counter=counter)
        pictures = [
            lambda t=table: density(t, "488", "514", by="status", limits=limits)
            for table in tables.values()
        ]
        flows = [table.flow for table in tables.values()]
        expected, flow = pictures[0]().counts, flows[0]()
        for picture, count in zip(pictures[1:], flows[1:], strict=True):
            if not (
                np.array_equal(picture().counts, expected) and count().equals(flow)
            ):
                raise SystemExit("the results differ")
        for what, times in (
            ("density", medians_ms(pictures)),
            ("flow", medians_ms(flows)),
        ):
            for name, value in zip(tables, times, strict=True):
                n = len(spots)
                report(f"rounds_{what}_{name}", value, "ms", baseline=times[0], n=n)


def main(n: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ["NAPARI_SEESPOT_CACHE"] = name
        store_rounds(n)
        measure_merge(n)
        spots = joined().spots
        measure_queries(spots)
        measure_counts(spots)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000_000)
