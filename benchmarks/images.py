"""Five fused channels from a slow store: this package against napari-ome-zarr.

Both open the same channels from the same S3-like server on loopback, 40 ms a
request, in viewers of the same size: first picture, a jump in z, a small step, and
a walk of steps each of which leaves the planes that were read. Each picture is
compared with the truth before its time is taken.

Needs a screen (``xvfb-run -a``). napari-ome-zarr is installed when it is first
needed, with the same napari, into an environment of its own in the user's cache
folder; ``SEESPOT_BASELINE_PYTHON`` names another Python that has it, and ``none``
leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from pathlib import Path

from _baseline import baseline_python, baseline_version
from _bench import RUNS, report

HERE = Path(__file__).parent
LATENCY_MS = 40.0
STEPS = 12  # of a walk: more than a quarter of the blocks of a chunk
# phase, quantity -> target of the value, its unit
TARGETS = {
    ("open", "requests"): (40, "requests"),
    ("open", "bytes"): (None, "bytes"),
    ("open", "sharp"): (None, "s"),
    ("first", "first"): (None, "s"),
    ("first", "sharp"): (None, "s"),
    ("first", "requests"): (None, "requests"),
    ("first", "bytes"): (None, "bytes"),
    ("first", "stall"): (1.5, "s"),
    ("jump", "first"): (None, "s"),
    ("jump", "sharp"): (None, "s"),
    ("jump", "requests"): (None, "requests"),
    ("jump", "bytes"): (None, "bytes"),
    ("jump", "stall"): (0.4, "s"),
    ("step", "sharp"): (None, "s"),
    ("step", "requests"): (None, "requests"),
    ("step", "bytes"): (None, "bytes"),
    ("step", "stall"): (0.4, "s"),
    ("walk", "sharp"): (None, "s"),
    ("walk", "slowest"): (None, "s"),
    ("walk", "requests"): (None, "requests"),
    ("walk", "bytes"): (None, "bytes"),
    ("walk", "stall"): (0.4, "s"),
}


def measured(
    python: str, kind: str, url: str, steps: int
) -> dict[str, dict[str, float]]:
    """Run one viewer and return what it measured."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "FSSPEC_S3_ANON": "true",
        "FSSPEC_S3_ENDPOINT_URL": url,
    }
    done = subprocess.run(
        [python, str(HERE / "_image_client.py"), kind, url, str(steps)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def median(runs: list[dict[str, dict[str, float]]], phase: str, what: str) -> float:
    """Return the median of one quantity."""
    return statistics.median(run[phase][what] for run in runs)


def main(runs: int, latency_ms: float, steps: int) -> None:
    """Measure both in turn, and report each quantity."""
    baseline, why = baseline_python()
    reader = (
        why if baseline is None else f"napari-ome-zarr {baseline_version(baseline)}"
    )
    report("images_baseline", float(baseline is not None), f"readers ({reader})")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(HERE / "_image_server.py"), str(port), str(latency_ms)]
    server = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        url = f"http://127.0.0.1:{port}"
        ours, today = [], []
        for _ in range(runs):
            ours.append(measured(sys.executable, "seespot", url, steps))
            if baseline is not None:
                today.append(measured(baseline, "today", url, steps))
            # single runs, for whoever waits
            print(json.dumps([ours[-1], *today[-1:]]), file=sys.stderr, flush=True)
    finally:
        server.terminate()
        server.wait()
    for (phase, what), (limit, unit) in TARGETS.items():
        value = median(ours, phase, what)
        other = median(today, phase, what) if today else None
        report(
            f"images_{phase}_{what}",
            value,
            unit,
            baseline=other,
            # a step may cost no request at all
            ratio=None if value or other is None else 0.0,
            limit=limit,
            n=len(ours),
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--latency-ms", type=float, default=LATENCY_MS)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    main(given.runs, given.latency_ms, given.steps)
