"""pyqtgraph, imported after qtpy has decided which Qt binding it has to take."""

from __future__ import annotations

# Each binding's own, under conditions that mypy cannot follow.
from qtpy.QtCore import Signal  # type: ignore[attr-defined]

import pyqtgraph as pg  # isort: skip

__all__ = ["Signal", "pg"]
