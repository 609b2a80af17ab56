"""Five fused channels from a slow store: this package against napari-ome-zarr.

Both open the same channels from the same S3-like server on loopback, 40 ms a
request, in viewers of the same size: first picture, a jump in z, a step in z. Each
picture is compared with the truth before its time is taken.

Needs a screen (``xvfb-run -a``) and, for the comparison, an environment with
``napari[pyqt6] napari-ome-zarr s3fs`` whose Python is named::

    SEESPOT_BASELINE_PYTHON=/tmp/baseline/bin/python xvfb-run -a -s \
        "-screen 0 1600x1000x24" python benchmarks/images.py
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
from pathlib import Path

from _bench import RUNS, report

HERE = Path(__file__).parent
LATENCY_MS = 40
BASELINE = os.environ.get("SEESPOT_BASELINE_PYTHON", "")
# phase, quantity -> target of the value, its unit
TARGETS = {
    ("open", "requests"): (40, "requests"),
    ("open", "sharp"): (None, "s"),
    ("first", "first"): (None, "s"),
    ("first", "sharp"): (None, "s"),
    ("first", "stall"): (1.5, "s"),
    ("jump", "first"): (None, "s"),
    ("jump", "sharp"): (None, "s"),
    ("jump", "bytes"): (None, "bytes"),
    ("jump", "requests"): (None, "requests"),
    ("jump", "stall"): (0.4, "s"),
    ("step", "sharp"): (None, "s"),
    ("step", "stall"): (0.4, "s"),
}


def measured(python: str, kind: str, url: str) -> dict[str, dict[str, float]]:
    """Run one viewer and return what it measured."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "FSSPEC_S3_ANON": "true",
        "FSSPEC_S3_ENDPOINT_URL": url,
    }
    done = subprocess.run(
        [python, str(HERE / "_image_client.py"), kind, url],
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


def main(runs: int = RUNS) -> None:
    """Measure both in turn, and report each quantity."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(HERE / "_image_server.py"), str(port), str(LATENCY_MS)]
    server = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        url = f"http://127.0.0.1:{port}"
        ours, today = [], []
        for _ in range(runs):
            ours.append(measured(sys.executable, "seespot", url))
            if BASELINE:
                today.append(measured(BASELINE, "today", url))
    finally:
        server.terminate()
        server.wait()
    for (phase, what), (limit, unit) in TARGETS.items():
        baseline = median(today, phase, what) if today else None
        report(
            f"images_{phase}_{what}",
            median(ours, phase, what),
            unit,
            baseline=baseline,
            limit=limit,
            n=len(ours),
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
