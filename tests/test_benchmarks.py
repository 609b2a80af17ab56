"""Each benchmark runs at a tiny size and prints results that can be read."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FIELDS = {"name", "value", "unit", "baseline", "ratio", "limit", "n", "machine"}

TINY = {
    "add_overlay": "2000",
    "density": "20000",
    "first_spots": "2000",
    "index_queries": "20000",
    "insights": "20000",
    "lasso": "20000",
    "recolour": "2000",
    "rounds": "20000",
    "z_step": "2000",
}
"""Rows by benchmark: of those about spots."""

OTHERS = {"images": ("--latency-ms", "1", "--steps", "2")}
"""Arguments by benchmark: of those that make something else small."""

ON_A_SCREEN = {"add_overlay", "first_spots", "images", "recolour", "z_step"}


def run(name, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", BENCHMARKS / f"{name}.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        # nothing is installed for a comparison
        env={**os.environ, "BENCHMARK_RUNS": "1", "SEESPOT_BASELINE_PYTHON": "none"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", sorted({*TINY, *OTHERS}))
def test_a_benchmark_prints_its_results(name, request):
    if name in ON_A_SCREEN:
        request.getfixturevalue("qapp")  # there is a screen, as in the tests of docks
    results = run(name, *OTHERS.get(name, (TINY.get(name),)))
    assert results
    for result in results:
        assert set(result) == FIELDS
        assert isinstance(result["name"], str)
        assert result["value"] >= 0
        assert result["unit"]
        for field in ("baseline", "ratio", "limit"):
            assert result[field] is None or result[field] >= 0
    names = [result["name"] for result in results]
    assert len(set(names)) == len(names)


def test_a_missing_baseline_is_told(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    baseline = importlib.import_module("_baseline")
    monkeypatch.setattr(baseline, "user_cache_path", lambda _name: tmp_path)

    def fail(*_):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(baseline, "_install", fail)
    monkeypatch.delenv(baseline.BASELINE_ENV, raising=False)
    python, why = baseline.baseline_python()
    assert python is None
    assert "pip install 'napari[pyqt6]==" in why
    assert "napari-ome-zarr" in why
    assert "SEESPOT_BASELINE_PYTHON" in why
    monkeypatch.setattr(
        baseline, "_install", lambda folder, *_: folder.mkdir(parents=True)
    )
    made, why = baseline.baseline_python()
    assert (Path(made).name, why) == ("python", "")
    monkeypatch.setattr(baseline, "_install", fail)
    assert baseline.baseline_python() == (made, "")  # it is there
    monkeypatch.setenv(baseline.BASELINE_ENV, "/elsewhere/python")
    assert baseline.baseline_python() == ("/elsewhere/python", "")
    monkeypatch.setenv(baseline.BASELINE_ENV, "none")
    python, why = baseline.baseline_python()
    assert python is None
    assert "left out" in why


def test_each_benchmark_of_spots_is_tried():
    files = {path.stem for path in BENCHMARKS.glob("[!_]*.py")}
    assert {*TINY, *OTHERS} <= files
