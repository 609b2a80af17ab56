"""Opening a dataset of 8 million spots: import, cached opening, memory, disk.

The import (pickles -> merged, ordered, cached) runs in fresh processes, of which
each tells its own time and peak memory. Its baseline is what SeeSpot's server
does: pandas reads both pickles and merges them; it runs once, as it takes so
long. Bytes a spot are counted in anonymous memory, which is what opening costs:
the pages of a mapped file belong to the system.

Run ``python benchmarks/opening.py [dataset folder | n_spots]``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _bench import RUNS, report

IMPORT = """
import json, resource, sys, time
start = time.perf_counter()
from napari_seespot.sources import open_dataset
dataset = open_dataset(sys.argv[1])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([seconds, peak, len(dataset.spots)]))
"""

PANDAS = """
import json, pathlib, resource, sys, time
import pandas as pd
folder = pathlib.Path(sys.argv[1], "image_spot_spectral_unmixing")
start = time.perf_counter()
mixed = pd.read_pickle(next(folder.glob("mixed_spots_*.pkl")))
unmixed = pd.read_pickle(next(folder.glob("unmixed_spots_*.pkl")))
keys = ["chan", "chan_spot_id"]
new = [*keys, *(c for c in unmixed.columns if c not in mixed.columns)]
merged = mixed.merge(unmixed[new], how="left", on=keys, indicator=True)
merged["unmixed_removed"] = merged.pop("_merge") == "left_only"
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([seconds, peak, len(merged)]))
"""

CACHED = """
import json, sys, time
from napari_seespot.sources import open_dataset

def anonymous():
    with open("/proc/self/smaps_rollup") as file:
        lines = [line.split() for line in file]
    return next(int(line[1]) for line in lines if line[0] == "Anonymous:") * 1024

open_dataset(sys.argv[2])  # another dataset: all libraries are loaded
before = anonymous()
dataset = open_dataset(sys.argv[1])
grown = anonymous() - before
times = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    open_dataset(sys.argv[1])
    times.append(1e3 * (time.perf_counter() - start))
print(json.dumps([times, grown]))
"""

STARTUP = """
import json, sys, time
start = time.perf_counter()
import napari_seespot
seconds = time.perf_counter() - start
heavy = {"qtpy", "PyQt6", "dask", "zarr", "numba", "pyarrow"} & set(sys.modules)
print(json.dumps([1e3 * seconds, sorted(heavy)]))
"""


def child(code: str, cache: Path, *arguments: object) -> list:
    """Run code in a fresh process and return what it prints last."""
    environment = {**os.environ, "NAPARI_SEESPOT_CACHE": str(cache)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def cached_files(cache: Path) -> list[Path]:
    return list(cache.glob("spots/*.arrow"))


def measure_import(folder: Path, cache: Path) -> int:
    runs = []
    for _ in range(RUNS + 1):
        for path in cached_files(cache):
            path.unlink()
        runs.append(child(IMPORT, cache, folder))
    seconds = statistics.median(run[0] for run in runs[1:])
    peak = max(run[1] for run in runs)
    n = runs[0][2]
    slow, large, rows = child(PANDAS, cache, folder)
    if rows != n:
        raise SystemExit(f"pandas merges {rows:,} spots, {n:,} were imported")
    report("import of pickles", seconds, "s", baseline=slow, limit=25, n=n)
    report(
        "import of pickles, peak", peak / 1e9, "GB", baseline=large / 1e9, limit=3, n=n
    )
    return n


def measure_cached(folder: Path, small: Path, cache: Path, n: int) -> None:
    file_bytes = sum(path.stat().st_size for path in cached_files(cache))
    child(IMPORT, cache, small)
    times, grown = child(CACHED, cache, folder, small, 4 * RUNS)
    report("cached dataset, warm", statistics.median(times), "ms", limit=50, n=n)
    report("cached dataset, anonymous memory", grown / n, "bytes/spot", limit=4, n=n)
    report("cached dataset, file", file_bytes / n, "bytes/spot", limit=64, n=n)


def measure_startup(cache: Path) -> None:
    runs = [child(STARTUP, cache) for _ in range(RUNS + 1)][1:]
    heavy = sorted({name for run in runs for name in run[1]})
    if heavy:
        raise SystemExit(f"import napari_seespot loads {', '.join(heavy)}")
    value = statistics.median(run[0] for run in runs)
    report("import napari_seespot", value, "ms", limit=150)


def main() -> None:
    from napari_seespot.sample import make_sample

    asked = sys.argv[1] if len(sys.argv) > 1 else "8000000"
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        cache = place / "cache"
        measure_startup(cache)
        small = make_sample(place / "small", n_spots=1000, images=False)
        folder = Path(asked)
        if asked.isdecimal():
            folder = make_sample(place / "large", n_spots=int(asked), images=False)
        n = measure_import(folder, cache)
        measure_cached(folder, small, cache, n)


if __name__ == "__main__":
    main()
