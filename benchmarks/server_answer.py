"""A SeeSpot answer, from its bytes to a Dataset: time, memory, stalls of other threads.

The baseline is what the server's users do today: json.loads and one pandas table.
Memory is the growth of a fresh process's peak, over the size of the body.

python benchmarks/server_answer.py [n_spots]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _bench import medians_ms, report

from napari_seespot.sources.server import dataset_from_answer

CHANNELS = ("488", "514", "561", "594", "638")

PEAK = """
import re, sys
from pathlib import Path
from napari_seespot.sources.server import dataset_from_answer
def peak():  # ru_maxrss would begin with that of the process that started this one
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])
dataset_from_answer(sys.argv[2])  # a small one: what is imported late is none of it
before = peak()
assert len(dataset_from_answer(sys.argv[1]).spots) == int(sys.argv[3])
print(peak() - before)
"""


def write_answer(path: Path, n: int) -> None:
    """Write an answer with `n` spots as a server sends it, about 400 bytes a spot."""
    rng = np.random.default_rng(0)
    ids = rng.permutation(8 * n)[:n] + 1
    chan = rng.choice(CHANNELS, n)
    unmixed = rng.choice([*CHANNELS, ""], n)
    floats = (rng.random((n, 7)) * 300).astype(np.float32).astype(float)
    places = rng.integers(0, (50_000, 1_200, 12_000, 12_000), (n, 4))
    names = ("r", "dist", *(f"chan_{c}_intensity" for c in CHANNELS))
    with path.open("w") as file:
        pairs = [[a, b] for a in CHANNELS for b in CHANNELS if a < b]
        file.write(f'{{"channel_pairs":{json.dumps(pairs)},"spots_data":[')
        for i in range(n):
            row = {
                "spot_id": int(ids[i]),
                "chan": str(chan[i]),
                "unmixed_chan": str(unmixed[i]) or None,
                "reassigned": bool(unmixed[i] != chan[i]),
                "unmixed_removed": not unmixed[i],
                **dict(zip(names, floats[i].tolist(), strict=True)),
            }
            file.write("," * bool(i) + json.dumps(row, separators=(",", ":")))
        file.write('],"spot_details":{')
        for i in range(n):
            cell, z, y, x = places[i].tolist()
            detail = {"cell_id": str(cell), "round": 4, "z": z, "y": y, "x": x}
            text = json.dumps(detail, separators=(",", ":"))
            file.write(f'{"," * bool(i)}"{ids[i]}":{text}')
        file.write('},"fused_s3_paths":[],"current_dataset":"HCR"}')


def with_pandas(path: Path) -> pd.DataFrame:
    """Read the answer as the notebook does, positions joined."""
    content = json.loads(path.read_bytes())
    details = pd.DataFrame.from_dict(content["spot_details"], orient="index")
    details.index = details.index.astype(int)
    return pd.DataFrame(content["spots_data"]).join(details, on="spot_id")


def longest_stall_ms(path: Path) -> float:
    """Return the longest time that another thread was kept from running."""
    done = threading.Event()
    gaps = [0.0]

    def tick() -> None:
        last = time.perf_counter()
        while not done.wait(0.001):
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    dataset_from_answer(path)
    done.set()
    thread.join()
    return 1e3 * max(gaps)


def peak_ratio(path: Path, small: Path, n: int) -> float:
    """Return the memory that a fresh process needs, in sizes of the body."""
    arguments = [sys.executable, "-c", PEAK, str(path), str(small), str(n)]
    grown = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return int(grown.stdout) / path.stat().st_size


def main(n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder, "answer.json"), Path(folder, "small.json")
        write_answer(path, n)
        write_answer(small, 100)
        table = with_pandas(path).set_index("spot_id").sort_index()
        found = dataset_from_answer(path).spots.to_pandas()
        found = found.set_index("spot_id").sort_index()
        assert found.index.equals(table.index)
        for name in ("z", "y", "x", "r", "chan_594_intensity"):
            assert np.array_equal(found[name], table[name].astype(np.float32))
        ours, theirs = medians_ms(
            [lambda: dataset_from_answer(path), lambda: with_pandas(path)]
        )
        limit = 1500 * n / 100_000
        report("server_answer", ours, "ms", baseline=theirs, limit=limit, n=n)
        memory = peak_ratio(path, small, n)
        report("server_answer_memory", memory, "sizes of the body", limit=3, n=n)
        stall = longest_stall_ms(path)
        report("server_answer_stall", stall, "ms", limit=100, n=n)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
