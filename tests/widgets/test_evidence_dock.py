"""What the Evidence dock shows, against the table and the files."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QApplication

from napari_seespot import sessions
from napari_seespot.session import Session
from napari_seespot.unmixing import dye_distances
from napari_seespot.widgets.evidence import EvidenceWidget


@pytest.fixture
def opened(viewer, sample, qtbot):
    session = Session(sample)
    sessions.attach(viewer, session)
    dock = EvidenceWidget(viewer)
    qtbot.addWidget(dock.native)
    return session, dock


def rows_with(sample, status):
    return np.flatnonzero(sample.spots.codes("status") == status)


def show(qtbot, dock, row):
    qtbot.waitUntil(
        lambda: dock.evidence is not None and dock.evidence.row == row, timeout=20_000
    )
    QApplication.processEvents()


def test_a_reassigned_spot(opened, sample, sample_folder, qtbot):
    session, dock = opened
    row = int(rows_with(sample, 1)[3])
    session.go_to_row(row)
    show(qtbot, dock, row)
    record = sample.spots.to_pandas().iloc[row]
    assert f"Spot {record['spot_id']}" in dock.title.value
    text = dock.verdict.value
    assert sample.label(record["chan"]) in text
    assert sample.label(record["unmixed_chan"]) in text
    assert "reassigned" in text
    assert f"r {record['r']:.3f}" in text
    assert not dock.kept.visible
    z, y, x = (round(float(record[axis])) for axis in "zyx")
    for channel in sample.channels:
        path = sample_folder / f"image_tile_fusing/fused/channel_{channel}.zarr/0"
        image = np.pad(zarr.open_array(path, mode="r")[0, 0], 12)
        plane = image[z + 12, y : y + 25, x : x + 25]
        assert (plane == dock.grid.images[channel, "xy"].image.T).all()
    intensities = [record[f"chan_{channel}_intensity"] for channel in sample.channels]
    assert list(dock.bars.bars.opts["height"]) == pytest.approx(intensities)
    distances = np.sort(dye_distances(np.array([intensities], float), sample.ratios)[0])
    for distance in distances:
        assert f"{distance:.1f}" in dock.fit.value
    assert next(iter(dock.bars.levels)).startswith("dye ")


def test_a_removed_spot_leads_to_the_kept_one(opened, sample, qtbot):
    session, dock = opened
    frame = sample.spots.to_pandas()
    points = frame[["z", "y", "x"]].to_numpy(float)
    kept = (frame["status"] != "removed").to_numpy()
    for row in rows_with(sample, 2):
        distance = np.linalg.norm(points - points[row], axis=1)
        good = kept & (frame["cell_id"] == frame["cell_id"].iloc[row]).to_numpy()
        good &= distance <= 3
        if good.any():
            break
    session.picked.emit(int(row))
    show(qtbot, dock, row)
    nearest = distance[good].min()
    other = int(np.flatnonzero(good & (distance == nearest))[0])
    assert f"{nearest:.2f} voxels" in dock.verdict.value
    assert f"kept spot {frame['spot_id'].iloc[other]}" in dock.verdict.value
    flown = []
    session.moved.connect(flown.append)
    dock.kept.native.click()
    assert flown == [other]
    show(qtbot, dock, other)


def test_stepping_through_a_selection(opened, sample, qtbot):
    session, dock = opened
    assert not dock.following.enabled
    session.select(sample.spots.column("spot_id")[[5, 90, 400]])
    assert dock.following.enabled
    flown = []
    session.moved.connect(flown.append)
    for _ in range(4):
        dock.following.native.click()
    dock.previous.native.click()
    dock.show_row(100)  # not selected: its follower is next
    dock.following.native.click()
    dock.show_row(100)
    dock.previous.native.click()
    assert flown == [5, 90, 400, 5, 400, 400, 90]
    show(qtbot, dock, 90)


def test_the_next_of_the_list_are_read_ahead(opened, sample, qtbot, monkeypatch):
    session, dock = opened
    asked = []
    monkeypatch.setattr(dock._ahead, "read", lambda _ds, rows, *_: asked.append(rows))
    rows = np.array([4, 9, 30, 70])
    session.select_rows(np.isin(np.arange(len(sample.spots)), rows))
    dock.following.native.click()
    qtbot.waitUntil(lambda: dock.evidence is not None and dock.evidence.row == 4)
    dock.previous.native.click()
    qtbot.waitUntil(lambda: dock.evidence.row == 70)
    session.go_to_row(12)
    qtbot.waitUntil(lambda: dock.evidence.row == 12)
    assert asked == [(9, 30, 70), (30, 9, 4), ()]
    session.go_to_row(12, rows)
    assert session.following == (4, 9, 30)


def test_without_ratios_images_or_positions(viewer, qtbot, make_session):
    session = make_session()
    sessions.attach(viewer, session)
    dock = EvidenceWidget(viewer)
    qtbot.addWidget(dock.native)
    spots = session.dataset.spots
    position = np.isfinite([spots.column(axis) for axis in "zyx"]).all(axis=0)
    dock.show_row(int(np.flatnonzero(position)[0]))
    qtbot.waitUntil(lambda: dock.evidence is not None, timeout=20_000)
    assert not dock.grid.images
    dock.radius.value = 5
    if not position.all():
        dock.show_row(int(np.flatnonzero(~position)[0]))
        qtbot.waitUntil(lambda: "no position" in dock.title.value, timeout=20_000)


def test_it_lets_go(opened, viewer, sample, qtbot):
    session, dock = opened
    session.go_to_row(3)
    sessions.attach(viewer, None)
    assert dock.session is None
    QApplication.processEvents()
    assert dock.evidence is None
