"""Where the cache lies, how large it may grow, and who computes.

The environment comes first, then what napari's plugin settings passed to
`configure`, then the platform's own folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from napari_seespot.errors import CacheError

__all__ = [
    "CACHE_ENV",
    "CACHE_GB_ENV",
    "CHUNKS_MB_ENV",
    "DEFAULT_CACHE_GB",
    "DEFAULT_CHUNKS_MB",
    "SCHEDULER_ENV",
    "cache_folder",
    "cache_limit",
    "chunks_limit",
    "configure",
    "scheduler",
]

CACHE_ENV = "NAPARI_SEESPOT_CACHE"
CACHE_GB_ENV = "NAPARI_SEESPOT_CACHE_GB"
CHUNKS_MB_ENV = "NAPARI_SEESPOT_CHUNKS_MB"
SCHEDULER_ENV = "NAPARI_SEESPOT_SCHEDULER"

DEFAULT_CACHE_GB = 20.0
"""Some forty rounds of 8 million spots."""

DEFAULT_CHUNKS_MB = 1024.0
"""Five channels' planes of a large window, some hundred times."""

_configured: dict[str, str | float] = {}


def configure(
    *,
    cache_folder: str | os.PathLike[str] | None = None,
    cache_gb: float | None = None,
    chunks_mb: float | None = None,
    scheduler: str | None = None,
) -> None:
    """Take over the user's settings; None leaves one to its default.

    Parameters
    ----------
    cache_folder : path, optional
        The folder in which imported tables are kept.
    cache_gb : float, optional
        How many gigabytes (10**9 bytes) they may take together.
    chunks_mb : float, optional
        How many megabytes (10**6 bytes) of memory decoded image chunks may take.
    scheduler : str, optional
        What counts over datasets larger than memory; see `scheduler`.
    """
    _configured.clear()
    if cache_folder is not None and str(cache_folder).strip():
        _configured["folder"] = str(cache_folder)
    if cache_gb is not None:
        _configured["gb"] = float(cache_gb)
    if chunks_mb is not None:
        _configured["mb"] = float(chunks_mb)
    if scheduler is not None and scheduler.strip():
        _configured["scheduler"] = scheduler


def cache_folder() -> Path:
    """Return the cache folder; it need not exist yet."""
    chosen = os.environ.get(CACHE_ENV, "").strip() or _configured.get("folder")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(str(chosen))))
    from platformdirs import user_cache_path

    return user_cache_path("napari-seespot", appauthor=False)


def cache_limit() -> int:
    """Return how many bytes the cached tables may take together.

    Raises
    ------
    CacheError
        When the environment holds something that is not a number.
    """
    gb = _configured.get("gb", DEFAULT_CACHE_GB)
    return _bytes(CACHE_GB_ENV, gb, 10**9, "cache", "gigabytes")


def chunks_limit() -> int:
    """Return how many bytes of memory decoded image chunks may take together.

    Raises
    ------
    CacheError
        When the environment holds something that is not a number.
    """
    mb = _configured.get("mb", DEFAULT_CHUNKS_MB)
    return _bytes(CHUNKS_MB_ENV, mb, 10**6, "memory for image chunks", "megabytes")


def scheduler() -> str | None:
    """Return the dask scheduler for datasets larger than memory; None: our own threads.

    The address of a cluster, or one of dask's own: ``"threads"``, ``"processes"``,
    ``"synchronous"``.
    """
    text = os.environ.get(SCHEDULER_ENV, "").strip()
    return text or str(_configured.get("scheduler", "")).strip() or None


def _bytes(
    variable: str, configured: str | float, unit: int, what: str, units: str
) -> int:
    text = os.environ.get(variable, "").strip()
    try:
        number = float(text) if text else float(configured)
        return max(int(number * unit), 0)
    except (ValueError, OverflowError):
        raise CacheError(
            f"the size of the {what} is {text!r}",
            where=f"environment variable {variable}",
            expected=f"a number of {units}",
        ) from None
