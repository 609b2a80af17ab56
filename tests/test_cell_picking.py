"""A click on a cell of the segmentation selects its spots, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from tests._mouse import click

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.layers import add_mask


@pytest.fixture
def shown(model, sample_folder):
    session = nss.view(sample_folder, model)
    layer = add_mask(session, "segmentation_mask")
    model.layers.selection.active = layer
    yield session, layer
    sessions.attach(model, None)


def places(session, layer):
    """Return the middle of two cells that the plane in view cuts, and their ids."""
    mask = session.dataset.masks["segmentation_mask"]
    z = round(layer.world_to_data(session.viewer.dims.point)[0])
    plane = np.asarray(mask.levels[0][z])
    found = []
    for cell in np.unique(plane[plane > 0]):
        y, x = np.argwhere(plane == cell)[np.count_nonzero(plane == cell) // 2]
        assert plane[y, x] == cell
        found.append((int(cell), (z, int(y), int(x))))
    world = [tuple(layer.data_to_world(place)) for _, place in found]
    return [cell for cell, _ in found], world


def wanted(session, *cells):
    frame = session.dataset.spots.to_pandas()
    return frame["cell_id"].isin(cells).to_numpy()


def test_a_click_selects_all_spots_of_the_cell(shown):
    session, layer = shown
    told = []
    session.cell_picked.connect(told.append)
    (one, other, *_), (here, there, *_) = places(session, layer)
    click(session.viewer, here)
    assert told == [one]
    assert (session.state.selection.mask == wanted(session, one)).all()
    # removed spots too, though they are filtered out
    statuses = set(session.selected()["status"])
    assert "removed" in statuses
    click(session.viewer, there, modifiers=("Shift",))
    assert (session.state.selection.mask == wanted(session, one, other)).all()
    click(session.viewer, here, modifiers=("Alt",))
    assert (session.state.selection.mask == wanted(session, other)).all()
    click(session.viewer, there, drag=2)  # a hand is never still
    assert told == [one, other, one, other]


def test_what_selects_nothing(shown):
    session, layer = shown
    viewer = session.viewer
    told = []
    session.cell_picked.connect(told.append)
    _, (here, *_) = places(session, layer)
    click(viewer, here, drag=30)  # the view was dragged
    click(viewer, here, button=2)
    mask = session.dataset.masks["segmentation_mask"]
    z = round(layer.world_to_data(viewer.dims.point)[0])
    empty = np.argwhere(np.asarray(mask.levels[0][z]) == 0)[0]
    click(viewer, tuple(layer.data_to_world((z, *empty))))
    click(viewer, (1e6, 1e6, 1e6))
    viewer.layers.selection.active = session.viewing.overlay.points
    click(viewer, here)
    assert not told
    assert session.state.selection.mask is None
    viewer.layers.selection.active = layer
    session.close()
    click(viewer, here)
    assert not any("CellPicker" in repr(one) for one in viewer.mouse_drag_callbacks)


def test_cells_that_are_not_known(shown, monkeypatch):
    session, _ = shown
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    monkeypatch.setattr(type(session.dataset.spots), "columns", ("spot_id", "chan"))
    session.viewing._cells.pick(3)
    assert "cells are not known" in said[0]
