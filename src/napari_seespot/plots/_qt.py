"""pyqtgraph, imported after qtpy has decided which Qt binding it has to take."""

from __future__ import annotations

# qtpy's Signal is each binding's own, under conditions that mypy cannot follow;
# pyqtgraph has no annotations: all of it is Any.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]

import pyqtgraph as pg  # type: ignore[import-untyped]  # isort: skip

__all__ = ["Signal", "pg"]
