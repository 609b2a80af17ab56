"""A lasso of 200 vertices over 8 million spots, against matplotlib's Path.

python benchmarks/lasso.py [n_spots]
"""

from __future__ import annotations

import sys

import numpy as np
from _bench import medians_ms, report
from matplotlib.path import Path

from napari_seespot.polygons import inside_polygon


def make_points(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Intensities in two channels, the second with bleed from the first."""
    rng = np.random.default_rng(0)
    x = rng.lognormal(6, 0.8, n).astype(np.float32)
    y = (0.6 * x + 150 * rng.standard_normal(n)).astype(np.float32)
    return x, y


def make_lasso(n: int) -> np.ndarray:
    """Return a wavy outline around the middle of the cloud, shape (n, 2)."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    reach = 350 * (1 + 0.2 * np.sin(7 * angle))
    reach *= 1 + 0.05 * np.random.default_rng(1).random(n)
    return np.c_[500 + reach * np.cos(angle), 350 + reach * np.sin(angle)]


def main(n: int) -> None:
    x, y = make_points(n)
    vertices = make_lasso(200)
    path = Path(np.vstack([vertices, vertices[:1]]), closed=True)
    part = min(n, 1_000_000)  # matplotlib takes seconds for all rows

    def with_path() -> np.ndarray:
        return path.contains_points(np.c_[x[:part], y[:part]])

    assert np.array_equal(inside_polygon(x[:part], y[:part], vertices), with_path())
    ours, theirs = medians_ms([lambda: inside_polygon(x, y, vertices), with_path])
    report("lasso_200", ours, "ms", baseline=theirs * n / part, limit=300, n=n)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000)
