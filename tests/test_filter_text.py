"""Filters in words: every one of them."""

from __future__ import annotations

import pytest

from napari_seespot.filter_text import cells_text, filters_text
from napari_seespot.state import Filters, State


def test_every_filter_is_said():
    state = State()
    filters = state.filters
    assert filters_text(state) == "Filters: status reassigned, unchanged."
    filters.status = {"removed"}
    filters.channels = {"488"}
    filters.chan = set()
    filters.unmixed_chan = {"514", "removed"}
    filters.cells = {3, 1, 2, 9}
    filters.ranges["dist"] = (None, 1.25)
    filters.ranges["r"] = (0.2, None)
    filters.ranges["chan_488_intensity"] = (10, 1e6)
    filters.valid_only = True
    assert filters_text(state) == (
        "Filters: status removed; detected channel 488; detected channel none; "
        "unmixed channel 514, removed; cells 1-3, 9; "
        "10 ≤ chan_488_intensity ≤ 1e+06; dist ≤ 1.25; 0.2 ≤ r; valid only."
    )
    # The channels' filter is of the channel that colours.
    state.color_by = "unmixed_chan"
    assert "; unmixed channel 488; detected channel none; " in filters_text(state)
    assert filters_text(state, follow=False) == "All spots count, whatever the filters."
    filters.status = {"removed", "unchanged", "reassigned"}
    for name in ("channels", "chan", "unmixed_chan", "cells"):
        setattr(filters, name, None)
    filters.ranges.clear()
    filters.valid_only = False
    assert filters_text(state) == "No filters."


def test_no_filter_is_forgotten():
    # A new filter must be said too: then this test is to be extended.
    assert set(Filters.model_fields) == {
        "ranges", "status", "channels", "chan", "unmixed_chan", "valid_only", "cells",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ((), "no cell"),
        ((7,), "cell 7"),
        ((7, 8), "cells 7-8"),
        ((10, 1, 2, 3), "cells 1-3, 10"),
        (range(1, 100), "cells 1-99"),
        (
            range(1, 101, 2),
            "cells 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and others, 50 in all",
        ),
    ],
)
def test_cells_are_stretches(cells, text):
    assert cells_text(cells) == text
