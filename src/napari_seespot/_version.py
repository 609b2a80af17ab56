"""The version, as the installation knows it: it comes from git when that is made."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("napari-seespot")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"
