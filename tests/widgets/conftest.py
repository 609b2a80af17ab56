"""Fixtures of tests that need Qt: a viewer without a window, and a leak check."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication

from napari_seespot import sessions
from napari_seespot.dataset import Dataset
from napari_seespot.session import Session
from napari_seespot.spots import Spots
from napari_seespot.state import State


class FakeViewer:
    """What a dock needs of a viewer: something that sessions can be kept by."""

    def __init__(self):
        self.layers = []
        self.events = SimpleNamespace()


def finish_deleting():
    """Let Qt delete what waits for it."""
    for _ in range(2):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()


def widget_kinds():
    """Count the live top-level widgets by class, besides those that Qt keeps."""
    kinds = Counter(type(widget).__name__ for widget in QApplication.topLevelWidgets())
    # For later use: tool tips, menus, combo boxes' lists and vispy's shared canvas.
    for name in ("QTipLabel", "QMenu", "QFrame", "CanvasBackendDesktop"):
        kinds.pop(name, None)
    return kinds


def own_threads():
    """Return the package's live threads but the pool that reads chunks, which stays.

    As do those of numba, dask and zarr.
    """
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("seespot") and thread.name != "seespot-reading"
    ]


@pytest.fixture(autouse=True)
def nothing_left(qapp):
    """After each test, no thread and no window of it is left."""
    finish_deleting()
    widgets = widget_kinds()
    yield
    finish_deleting()
    if own_threads() or widget_kinds() - widgets:
        gc.collect()  # costs a quarter of a second beside napari
        finish_deleting()
    assert not own_threads()
    assert not widget_kinds() - widgets


@pytest.fixture
def viewer():
    fake = FakeViewer()
    yield fake
    sessions.attach(fake, None)


def make_table(n=2000, channels=("488", "514", "561"), seed=0, bad=True):
    """Return random spots, with NaN, infinities and negative intensities."""
    rng = np.random.default_rng(seed)
    chan = rng.choice(channels, n) if n else np.array([], str)
    unmixed = rng.choice([*channels, None], n) if n else np.array([], object)
    table = pd.DataFrame(
        {
            "spot_id": np.arange(1, n + 1),
            "chan": chan,
            "chan_spot_id": np.arange(n),
            "cell_id": rng.integers(0, 9, n),
            "z": rng.uniform(0, 20, n),
            "y": rng.uniform(0, 100, n),
            "x": rng.uniform(0, 100, n),
            "r": rng.uniform(-1, 1, n),
            "dist": rng.uniform(0, 3, n),
            "unmixed_chan": unmixed,
        }
    )
    for channel in channels:
        values = rng.normal(300, 200, n)
        if bad and n > 20:
            values[rng.integers(0, n, 9)] = [np.nan, np.inf, -np.inf] * 3
        table[f"chan_{channel}_intensity"] = values.astype(np.float32)
    return table


@pytest.fixture
def make_dataset():
    def make(n=2000, channels=("488", "514", "561"), seed=0, ratios=True, bad=True):
        genes = dict(zip(channels, ("Crh", "Penk"), strict=False))
        spots = Spots.from_pandas(
            make_table(n, channels, seed, bad), channels=channels, genes=genes
        )
        matrix = 20 + 80 * np.eye(len(channels))
        frame = pd.DataFrame(matrix, index=list(channels), columns=list(channels))
        return Dataset(f"random {n}", "memory", spots, ratios=frame if ratios else None)

    return make


@pytest.fixture
def make_session(viewer, make_dataset):
    def make(*args, **kwargs):
        # so few spots would be drawn one by one
        session = Session(make_dataset(*args, **kwargs), State(plot="density"))
        sessions.attach(viewer, session)
        return session

    return make


@pytest.fixture
def session(make_session):
    return make_session()
