"""The reader of images that users install today, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib import metadata
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BASELINE_ENV", "NONE", "baseline_python", "baseline_version"]

BASELINE_ENV = "SEESPOT_BASELINE_PYTHON"
"""The environment variable that names another Python that has it, or ``none``."""

NONE = "none"


def baseline_python() -> tuple[str | None, str]:
    """Return the Python that has napari-ome-zarr, made when it is first asked for.

    Returns
    -------
    python : str or None
    why : str
        Why there is none, and how to get one.
    """
    chosen = os.environ.get(BASELINE_ENV, "").strip()
    if chosen.lower() == NONE:
        return None, f"left out, since {BASELINE_ENV} is {NONE}; unset it to compare"
    if chosen:
        return chosen, ""
    napari = metadata.version("napari")
    folder = user_cache_path("napari-seespot-benchmarks") / f"napari-{napari}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        wanted = [f"napari[pyqt6]=={napari}", "napari-ome-zarr", "s3fs"]
        try:
            _install(folder, python, wanted)
        except (OSError, subprocess.SubprocessError) as error:
            hint = f"pip install '{wanted[0]}' {wanted[1]} {wanted[2]} elsewhere"
            return None, f"{error}; {hint}, and name its Python in {BASELINE_ENV}"
        ready.touch()
    return str(python), ""


def _install(folder: Path, python: Path, wanted: list[str]) -> None:
    print(f"installing napari-ome-zarr into {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", *wanted]
    subprocess.run(pip, check=True, stdout=sys.stderr)


def baseline_version(python: str) -> str:
    """Return the version of napari-ome-zarr that a Python has."""
    ask = "from importlib.metadata import version; print(version('napari-ome-zarr'))"
    done = subprocess.run(
        [python, "-c", ask], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
