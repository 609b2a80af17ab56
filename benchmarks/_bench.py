"""How a benchmark measures and what it prints: one JSON line a target."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RUNS", "machine", "median_ms", "medians_ms", "report"]

RUNS = int(os.environ.get("BENCHMARK_RUNS", "5"))
"""Measured runs after the warm-up, unless a benchmark asks for more.

The environment asks for fewer where only the benchmark itself is tried.
"""


def median_ms(function: Callable[[], Any], runs: int = RUNS, warm_up: int = 1) -> float:
    """Return the median time of a call in milliseconds, after a warm-up."""
    return medians_ms([function], runs, warm_up)[0]


def medians_ms(
    functions: list[Callable[[], Any]], runs: int = RUNS, warm_up: int = 1
) -> list[float]:
    """Return the median time of each, called in turn: load hits all alike."""
    for function in functions * warm_up:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(runs):
        for place, function in enumerate(functions):
            start = time.perf_counter()
            function()
            times[place].append(1e3 * (time.perf_counter() - start))
    return [statistics.median(each) for each in times]


def machine() -> str:
    """Return cores, memory and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, napari {metadata.version('napari')}"
    )


def report(
    name: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    ratio: float | None = None,
    limit: float | None = None,
    n: int | None = None,
) -> None:
    """Print one result.

    `ratio` is ``baseline / value`` unless given; `limit` is the target, of
    `value` in its unit; `n` is how many rows were worked on.
    """
    if ratio is None and baseline is not None:
        ratio = baseline / value
    line = {
        "name": name,
        "value": _short(value),
        "unit": unit,
        "baseline": _short(baseline),
        "ratio": _short(ratio),
        "limit": _short(limit),
        "n": n,
        "machine": machine(),
    }
    print(json.dumps(line), flush=True)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
