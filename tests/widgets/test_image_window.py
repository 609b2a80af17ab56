"""Images in a window: one a turn, closed safely, also with napari's async slicing."""

from __future__ import annotations

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication

from napari_seespot import sessions
from napari_seespot.preparing import prepare
from napari_seespot.viewing import show_session
from napari_seespot.widgets._defer import once


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def window(qapp, request, mock_app_model):
    import napari

    experimental = get_settings().experimental
    before, experimental.async_ = experimental.async_, request.param
    try:
        viewer = napari.Viewer(show=False)
        yield viewer
        viewer.close()
    finally:  # or every later test slices in threads
        experimental.async_ = before


@pytest.fixture
def viewing(window, sample):
    prepared = prepare(sample)
    return show_session(
        window, prepared.session, prepared.images, docks=False, defer=once
    )


def names(viewer):
    return [layer.name for layer in viewer.layers]


def sharp(image, layer):
    """Whether a layer shows the voxels that the image has."""
    view = np.asarray(layer._slice.image.view)
    array = image.levels[layer.data_level]
    place = layer.world_to_data(layer._slice_input.world_slice.point)[0]
    z = int((round(place) + 0.5) * array.shape[0] / image.shape[0])
    (_, y0, x0), (_, y1, x1) = layer.corner_pixels
    truth = array[z, y0 : y1 + 1, x0 : x1 + 1].compute()
    return view.shape == truth.shape and bool((view == truth).all())


def test_channels_come_one_a_turn(window, sample, qtbot):
    prepared = prepare(sample)
    viewing = show_session(window, prepared.session, prepared.images, defer=once)
    first, *others = sample.channels
    assert list(viewing.images.channels) == [first]
    assert not window.window.dock_widgets
    assert {"Spots", "Marked spot"} <= set(names(window))
    qtbot.waitUntil(lambda: not viewing.turns.busy, timeout=20_000)
    assert list(viewing.images.channels) == [first, *others]
    images = [layer.name for layer in viewing.images.channels.values()]
    assert names(window)[: len(images)] == images  # below the spots
    assert window.layers.selection.active is viewing.overlay.points
    assert len(window.window.dock_widgets) == 2


def test_steps_end_in_the_true_plane(viewing, window, sample, qtbot):
    viewing.finish()
    axis = window.dims.ndim - 3
    for step in (3, 4, 5, 11):
        window.dims.set_current_step(axis, step)
        QApplication.processEvents()
    layers = viewing.images.channels

    def all_sharp():
        return all(sharp(sample.images[c], layer) for c, layer in layers.items())

    qtbot.waitUntil(all_sharp, timeout=20_000)
    hidden = layers[sample.channels[1]]
    hidden.visible = False
    window.dims.set_current_step(axis, 7)
    qtbot.wait(100)
    hidden.visible = True
    qtbot.waitUntil(all_sharp, timeout=20_000)


def test_spots_follow_too(viewing, window, qtbot):
    viewing.finish()
    viewing.session.go_to_row(5)
    qtbot.waitUntil(lambda: 5 in viewing.overlay.drawn_rows, timeout=20_000)


def test_the_window_closes_with_the_session_open(viewing, window, qtbot):
    session = viewing.session
    window.close()  # channels are still to come
    qtbot.waitUntil(lambda: session.is_closed, timeout=20_000)
    assert not viewing.turns.busy
    assert sessions.current(window) is None


def test_the_session_ends_while_channels_come(viewing, window, qtbot):
    viewing.session.close()
    qtbot.wait(100)
    assert names(window) == []
