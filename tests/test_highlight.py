"""What is highlighted on the image keeps its colour while the rest fades."""

import numpy as np
import pytest

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.spot_looks import _FADED
from napari_seespot.viewing import Viewing


@pytest.fixture
def viewing(model, tables):
    session = nss.Session(tables)
    session.state.slab_planes = 1000
    session.state.max_points = 10_000
    sessions.attach(model, session)
    viewing = Viewing(model, session, [])
    model.reset_view()
    yield viewing
    sessions.attach(model, None)


def opacities(viewing):
    overlay = viewing.overlay
    return overlay.points.face_color[: len(overlay.drawn_rows), 3].copy()


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_points_that_are_not_highlighted_fade(viewing, ndisplay):
    viewing.viewer.dims.ndisplay = ndisplay
    session, overlay = viewing.session, viewing.overlay
    overlay.update()
    assert overlay.shown.picture == "points"
    before, rows = opacities(viewing), overlay.drawn_rows
    status = session.dataset.spots.status.to_numpy()[rows]
    session.state.highlight = "reassigned"
    np.testing.assert_array_equal(overlay.drawn_rows, rows)
    share = np.where(status == "reassigned", 1, _FADED)
    assert {*np.unique(share)} == {_FADED, 1}
    np.testing.assert_allclose(opacities(viewing), before * share, rtol=1e-5)
    session.state.highlight = None
    np.testing.assert_array_equal(opacities(viewing), before)


def test_the_picture_of_all_spots_fades_too(viewing):
    session, overlay = viewing.session, viewing.overlay
    session.state.picture = "density"
    before = overlay.raster.data.copy()
    session.state.highlight = "removed"  # of which none passes
    after = overlay.raster.data
    assert after.shape == before.shape
    assert 0 < after[..., 3].sum() < 0.6 * before[..., 3].sum()
    session.state.highlight = None
    np.testing.assert_array_equal(overlay.raster.data, before)
