"""What the Gallery dock chooses, shows and exports, and what a click does."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QFont, QHelpEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QToolTip

import napari_seespot as nss
from napari_seespot import gallery, sessions
from napari_seespot.coloring import class_colors
from napari_seespot.errors import StateError
from napari_seespot.gallery import ordered
from napari_seespot.plots.strips import wall_image
from napari_seespot.preparing import prepare
from napari_seespot.session import Session
from napari_seespot.spots import STATUSES
from napari_seespot.viewing import show_session
from napari_seespot.widgets.gallery import SOURCES, GalleryWidget

SELECTED, PASSING, RANDOM = SOURCES


@pytest.fixture
def make_dock(viewer, qtbot):
    def make(dataset):
        session = Session(dataset)
        sessions.attach(viewer, session)
        dock = GalleryWidget(viewer)
        qtbot.addWidget(dock.native)
        dock.native.resize(400, 700)
        return session, dock

    return make


@pytest.fixture
def opened(make_dock, sample):
    return make_dock(sample)


def load(qtbot, dock):
    """Press *Show* and wait for what it brings."""
    before = dock.wall
    dock.load.native.click()
    qtbot.waitUntil(
        lambda: dock.wall is not None and dock.wall is not before, timeout=20_000
    )
    return dock.wall.rows


def reorder(qtbot, dock, change):
    """Change the order and wait for what it brings."""
    before = dock.wall
    change()
    qtbot.waitUntil(lambda: dock.wall is not before, timeout=20_000)
    return dock.wall.rows


@pytest.fixture
def reads(monkeypatch):
    """How many crops each reading asked for."""
    asked = []
    read = gallery.read_boxes

    def counted(boxes, **options):
        asked.append(len(boxes))
        return read(boxes, **options)

    monkeypatch.setattr(gallery, "read_boxes", counted)
    return asked


def test_the_first_of_a_selection(opened, sample, qtbot, reads):
    session, dock = opened
    dock.load.native.click()
    assert "Nothing is selected" in dock.text.value
    rows = np.sort(np.random.default_rng(0).permutation(len(sample.spots))[:300])
    session.select_rows(np.isin(np.arange(len(sample.spots)), rows))
    dock.order.value = "r"  # nothing is shown yet: nothing is read
    assert not reads
    dock.number.value = 20
    r = sample.spots.column("r")
    found = load(qtbot, dock)
    assert (found == ordered(sample, rows, "r", n=20)).all()
    # the lowest of all 300, not of some 20 of them
    assert (np.sort(r[found]) == np.sort(r[rows])[:20]).all()
    assert "20 of 300 spots selected, smallest r first" in dock.text.value
    assert reads == [20 * len(sample.channels)]

    found = reorder(qtbot, dock, lambda: setattr(dock.descending, "value", True))
    known = np.sort(r[rows][np.isfinite(r[rows])])
    assert (r[found] == known[:-21:-1]).all()
    assert "largest r first" in dock.text.value
    for order in ("dist", "residual", "intensity ratio", "table order"):
        dock.descending.value = False
        found = reorder(qtbot, dock, lambda o=order: setattr(dock.order, "value", o))
        assert (found == ordered(sample, rows, order, n=20)).all()
    assert (found == rows[:20]).all()


def test_a_sample_is_read_once_whatever_its_order(opened, sample, qtbot, reads):
    session, dock = opened
    session.state.filters.status = {"reassigned"}
    assert dock._seed_row.native.isHidden()
    dock.which.value = RANDOM
    assert not dock._seed_row.native.isHidden()
    dock.number.value = 12
    first = load(qtbot, dock)
    assert len(first) == 12
    assert set(sample.spots.codes("status")[first]) == {1}
    total = int((sample.spots.codes("status") == 1).sum())
    assert f"12 of {total:,} spots" in dock.text.value
    assert len(reads) == 1
    found = reorder(qtbot, dock, lambda: setattr(dock.order, "value", "residual"))
    assert (found == ordered(sample, np.sort(first), "residual")).all()
    found = reorder(qtbot, dock, lambda: setattr(dock.descending, "value", True))
    assert set(found) == set(first)
    truth = gallery.strips(sample, found, int(dock.radius.value)).pixels
    assert np.array_equal(dock.wall.pixels, truth, equal_nan=True)
    assert len(reads) == 2  # of which one is this test's
    dock.seed.value = 7
    other = load(qtbot, dock)
    assert set(other) != set(first)
    dock.seed.value = 0
    assert set(load(qtbot, dock)) == set(first)
    reads.clear()
    dock.radius.value = 5  # other pixels
    load(qtbot, dock)
    assert reads == [12 * len(sample.channels)]
    assert dock.wall.pixels.shape[-1] == 11


def test_the_first_of_all_that_pass(opened, sample, qtbot):
    session, dock = opened
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    dock.which.value = PASSING
    dock.order.value = "dist"
    dock.descending.value = True
    dock.number.value = 5
    found = load(qtbot, dock)
    dist = sample.spots.column("dist")
    assert (dist[found] == np.sort(dist)[:-6:-1]).all()
    assert f"5 of {len(dist):,} spots, largest dist first" in dock.text.value


def test_frames_tell_the_status(opened, sample, qtbot):
    session, dock = opened
    codes = sample.spots.codes("status")
    rows = np.array(
        [np.flatnonzero(codes == code)[k] for code in range(3) for k in (1, 2)]
    )
    session.select_rows(np.isin(np.arange(len(codes)), rows))
    found = load(qtbot, dock)
    colors = class_colors("status", ())
    wanted = [colors[STATUSES[code]] for code in codes[found]]
    assert dock.picture.picture.colors == wanted
    for status in STATUSES:
        assert f'<font color="{colors[status]}">' in dock.text.value
    layout = dock.picture.picture.layout
    image = wall_image(dock.picture.picture, 4, QFont())
    assert (image.height(), image.width()) == tuple(4 * n for n in layout.shape)
    gray = dock.picture.picture.gray
    for place in range(6):
        top, left = layout.corner(place)
        y, x = 4 * (top - 1), 4 * (left + 20)  # the frame lies in the gap
        assert image.pixelColor(x, y).name() == wanted[place]
        for dy, dx in [(0, 0), (8, 8), (16, 3)]:
            value = gray[top + dy, left + dx]
            pixel = image.pixelColor(4 * (left + dx) + 2, 4 * (top + dy) + 2)
            assert pixel.red() == pixel.green() == pixel.blue() == value
    # the names of the channels stand above the first row
    header = [
        max(
            image.pixelColor(x, y).lightness()
            for y in range(4 * layout.header)
            for x in range(
                4 * layout.corner(0, channel)[1], 4 * layout.corner(0, channel)[1] + 68
            )
        )
        for channel in range(layout.n_channels)
    ]
    assert min(header) > 150
    with pytest.raises(StateError, match="would have"):
        wall_image(dock.picture.picture, 400, QFont())


def test_the_mouse(opened, sample, qtbot):
    session, dock = opened
    session.select(sample.spots.column("spot_id")[100:130])
    dock.native.show()
    qtbot.waitExposed(dock.native)
    rows = load(qtbot, dock)
    qtbot.wait(100)  # it is arranged anew when the text above has taken its room
    layout = dock.picture.picture.layout
    place = min(1, layout.used_columns - 1) + layout.used_columns  # of the second row
    flown = []
    session.moved.connect(flown.append)

    def pixel_of(place, channel):
        top, left = layout.corner(place, channel)
        scene = dock.picture.mapToScene(QPointF(left + 8, top + 8))
        return dock.canvas.mapFromScene(scene)

    viewport = dock.canvas.viewport()
    assert viewport.rect().contains(pixel_of(place, 2))
    QTest.mouseMove(viewport, pixel_of(place, 2))
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=pixel_of(place, 2))
    assert flown == [rows[place]]
    assert session.following == tuple(rows[place + 1 : place + 4])
    QTest.mouseClick(viewport, Qt.MouseButton.RightButton, pos=pixel_of(place, 2))
    _, left = layout.corner(place, 2)
    outside = dock.canvas.mapFromScene(dock.picture.mapToScene(QPointF(left, 3)))
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=outside)
    assert flown == [rows[place]]

    record = sample.spots.to_pandas().iloc[rows[place]]
    tip = dock._tip(place, 2)
    assert f"spot {record['spot_id']}: {record['chan']} → " in tip
    assert str(record["status"]) in tip
    assert f"r {record['r']:.3f}, dist {record['dist']:.3f}" in tip
    assert sample.label(sample.channels[2]) in tip
    pointer = pixel_of(place, 2)
    QTest.mouseMove(viewport, pointer + QPoint(1, 1))
    qtbot.waitUntil(lambda: dock.picture.toolTip() == tip)
    event = QHelpEvent(QEvent.Type.ToolTip, pointer, viewport.mapToGlobal(pointer))
    QApplication.sendEvent(viewport, event)
    assert QToolTip.text() == tip
    QToolTip.hideText()


def wheel(dock, steps, modifiers=Qt.KeyboardModifier.NoModifier):
    viewport = dock.canvas.viewport()
    at = QPointF(viewport.rect().center())
    event = QWheelEvent(
        at,
        QPointF(viewport.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)


def test_many_strips_are_scrolled(opened, qtbot):
    _, dock = opened
    dock.native.resize(300, 600)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    dock.which.value = PASSING
    dock.number.value = 200
    load(qtbot, dock)

    def fits():
        layout = dock.picture.picture.layout
        columns = max(1, int(dock.canvas.width() / (1.5 * layout.step[1])))
        (x0, x1), (y0, _) = dock.box.viewRange()
        seen = (x0, x1, y0) == pytest.approx((0, layout.shape[1], 0), abs=1)
        return layout.used_columns == columns and seen

    qtbot.waitUntil(fits)
    before = dock.picture.picture.layout.used_columns
    dock.native.resize(700, 600)
    qtbot.waitUntil(lambda: dock.picture.picture.layout.used_columns > before)
    qtbot.waitUntil(fits)
    _, (y0, y1) = dock.box.viewRange()
    wheel(dock, -2)
    _, (low, high) = dock.box.viewRange()
    assert low > y0
    assert high - low == pytest.approx(y1 - y0)
    wheel(dock, 2, Qt.KeyboardModifier.ControlModifier)
    _, (after, end) = dock.box.viewRange()
    assert end - after < high - low
    dock.number.value = 4  # all of them fit
    load(qtbot, dock)
    layout = dock.picture.picture.layout
    _, (low, high) = dock.box.viewRange()
    assert low <= 0
    assert high >= layout.shape[0]


def test_the_export(opened, sample, qtbot, tmp_path):
    session, dock = opened
    dock.export(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
    session.select(sample.spots.column("spot_id")[100:130])
    load(qtbot, dock)
    from matplotlib.image import imread

    shape = dock.picture.picture.layout.shape
    assert dock.scale.value == 4
    for scale in (4, 1):
        dock.scale.value = scale
        dock.export(tmp_path / "wall.png")
        picture = imread(tmp_path / "wall.png")
        assert picture.shape[:2] == tuple(scale * n for n in shape)
    dock.export(tmp_path / "no" / "wall.png")
    assert "cannot be written" in dock.text.value


def test_unreadable_crops_are_crossed_out(make_dock, sample_folder, tmp_path, qtbot):
    copy = tmp_path / "broken"
    shutil.copytree(sample_folder, copy)
    for file in (copy / "image_tile_fusing/fused/channel_514.zarr/0/0").rglob("*"):
        if file.is_file():
            file.write_bytes(b"no chunk")
    broken = nss.open_dataset(copy, cache=False)
    session, dock = make_dock(broken)
    session.select(broken.spots.column("spot_id")[10:14])
    load(qtbot, dock)
    assert "Channel&nbsp;514: crops could not be read" in dock.text.value
    assert "crossed out" in dock.text.value
    picture = dock.picture.picture
    assert picture.unread[:, 1].all()
    assert picture.unread.sum() == 4
    image = wall_image(picture, 4, QFont())
    for place in range(4):
        for channel in range(5):
            top, left = picture.layout.corner(place, channel)
            middle = image.pixelColor(4 * left + 34, 4 * top + 34)
            assert (middle.red() > 2 * middle.green() + 40) == (channel == 1)
    assert "could not be read" in dock._tip(0, 1)
    assert "could not be read" not in dock._tip(0, 0)


def test_spots_without_a_position(make_dock, sample, qtbot):
    table = sample.spots.to_pandas()
    table["y"] = table["y"].where(table.index != 90)
    ids = table["spot_id"].iloc[[5, 90]].to_numpy()
    spots = nss.Spots.from_pandas(table, channels=sample.channels, ordered=True)
    session, dock = make_dock(replace(sample, spots=spots))
    session.select(ids)
    rows = load(qtbot, dock)
    assert "1 without a position" in dock.text.value
    place = list(rows).index(90)
    assert np.isnan(dock.wall.pixels[place]).all()
    assert not dock.wall.unread.any()
    dock.go_to_strip(place)
    assert "has no position" in dock.text.value


def test_it_follows_the_contrast_of_the_layers(model, sample, qtbot):
    prepared = prepare(sample)
    viewing = show_session(model, prepared.session, prepared.images, docks=False)
    viewing.finish()
    dock = GalleryWidget(model)
    qtbot.addWidget(dock.native)
    dock.which.value = PASSING
    dock.number.value = 3
    load(qtbot, dock)
    layer = viewing.images.channels["488"]
    before = dock.picture.picture.gray
    low, high = layer.contrast_limits
    layer.contrast_limits = (low, low + (high - low) / 4)
    qtbot.waitUntil(lambda: dock.picture.picture.gray is not before)
    top, left = dock.picture.picture.layout.corner(0, 0)
    pixels = dock.wall.pixels[0, 0]
    wanted = np.clip(np.nan_to_num((pixels - low) / ((high - low) / 4)), 0, 1) * 255
    tile = dock.picture.picture.gray[top : top + 17, left : left + 17]
    assert np.abs(tile - wanted).max() <= 0.51
    viewing.session.close()
    sessions.attach(model, None)


def test_it_fits_a_narrow_dock(opened, qtbot):
    _, dock = opened
    for which in SOURCES:
        dock.which.value = which
        assert dock._body.native.minimumSizeHint().width() <= 275


def test_without_images_and_closing(viewer, tables, qtbot):
    sessions.attach(viewer, Session(tables))
    dock = GalleryWidget(viewer)
    qtbot.addWidget(dock.native)
    dock.which.value = PASSING
    dock.load.native.click()
    qtbot.waitUntil(lambda: "no images" in dock.text.value, timeout=20_000)
    sessions.attach(viewer, None)
    dock.show_spots()
    dock.go_to_strip(0)
    assert dock.wall is None
    assert dock._tip(0, 0) == ""
