"""A cached dataset of 8 and 25 million spots: until it is ready, and on the screen.

Each run is a fresh process with an open viewer; libraries are loaded by a small
dataset first. Warm, the file is in the system's memory; cold, the system was told
to forget it. Memory is the growth of the resident set while opening, anonymous
pages and those of the mapped file told apart.

Run ``python benchmarks/first_spots.py [n_spots ...]``, on a screen or under xvfb-run.
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
from _scene import make_spots

HERE = Path(__file__).parent
LIMITS_MS = {"warm": 50, "cold": 1_500}

CHILD = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from _scene import Window, make_image
from first_spots import forget, key, memory
from napari_seespot.dataset import Dataset
from napari_seespot.overlay import SpotOverlay
from napari_seespot.session import Session
from napari_seespot.sources.cache import load_spots
from z_step import defer

def show(name):
    start = time.perf_counter()
    spots = load_spots(key(name)).spots
    ready = time.perf_counter() - start
    session = Session(Dataset(name=name, uri=name, spots=spots))
    overlays.append(SpotOverlay(window.viewer, session, defer))
    window.drawn(lambda: None)
    return ready, time.perf_counter() - start

overlays = []
window = Window()
make_image(window.viewer)
window.viewer.reset_view()
show("small")
overlays.pop().close()
window.viewer.layers.clear()
make_image(window.viewer)
window.settle()
if sys.argv[2] == "cold":
    forget()
before = memory()
spots = load_spots(key("large")).spots
grown = [after - old for after, old in zip(memory(), before)]
del spots
if sys.argv[2] == "cold":
    forget()
ready, shown = show("large")
drawn = overlays[0].shown.total
print(json.dumps([1e3 * ready, shown, *grown, drawn]))
window.close()
"""


def key(name: str):  # type: ignore[no-untyped-def]  # imports late: a child counts them
    """Return the cache's key of a table of this benchmark."""
    from napari_seespot.sources.cache import CacheKey

    return CacheKey(uri=name)


def memory() -> tuple[int, int]:
    """Return the resident bytes of this process: anonymous, and mapped from files."""
    fields = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        fields[name] = rest.split()
    return 1024 * int(fields["RssAnon"][0]), 1024 * int(fields["RssFile"][0])


def forget() -> None:
    """Have the system forget the cached files' contents."""
    for path in Path(os.environ["NAPARI_SEESPOT_CACHE"]).glob("spots/*.arrow"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(state: str, cache: Path) -> list[float]:
    """Return what a fresh process measures, warm or cold."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(HERE), state],
        env={**os.environ, "NAPARI_SEESPOT_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def store(cache: Path, n: int) -> int:
    """Put a large and a small table into a cache; return the file's bytes."""
    os.environ["NAPARI_SEESPOT_CACHE"] = str(cache)
    from napari_seespot.sources.cache import Imported, store_spots

    store_spots(key("small"), Imported(make_spots(min(n, 1_000))))
    return store_spots(key("large"), Imported(make_spots(n))).stat().st_size


def main(n: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name)
        size = store(cache, n)
        for state, limit in LIMITS_MS.items():
            # The first process of all is the warm-up, where there is another one.
            runs = [run(state, cache) for _ in range(RUNS + (RUNS > 1))][RUNS > 1 :]
            medians = [statistics.median(values) for values in zip(*runs, strict=True)]
            ready, shown, anonymous, mapped, drawn = medians
            if not drawn:
                raise SystemExit("no spot was drawn")
            report(f"cached_ready_{state}", ready, "ms", limit=limit, n=n)
            # Nothing is promised for a file that has to be read from the disk.
            most = 1.5 if state == "warm" else None
            report(f"cached_first_spots_{state}", shown, "s", limit=most, n=n)
        report("opened_anonymous", anonymous / n, "bytes/spot", limit=4, n=n)
        report("opened_resident", (anonymous + mapped) / n, "bytes/spot", limit=64, n=n)
        report("cached_file", size / n, "bytes/spot", limit=64, n=n)


if __name__ == "__main__":
    for rows in sys.argv[1:] or ("8_000_000", "25_000_000"):
        main(int(rows))
