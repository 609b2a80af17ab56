"""The crops as they are painted: pixels, marks, lines, crosses, labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_seespot.evidence import Crop
from napari_seespot.plots.crop_cells import VIEWS, CropCells, CropScene, Neighbour
from napari_seespot.plots.crops import CropGrid, gray
from napari_seespot.plots.theme import LIGHT

SPOT = (20.2, 60.4, 80.6)  # in voxel (20, 60, 81)
REACH_Z, REACH = 3, 7


def crop(channel="488", unread=()):
    rng = np.random.default_rng(len(channel))
    shape = (2 * REACH_Z + 1, 2 * REACH + 1, 2 * REACH + 1)
    volume = rng.integers(0, 200, shape).astype(np.uint16)
    whole = tuple(slice(0, size) for size in shape)
    origin = (20 - REACH_Z, 60 - REACH, 81 - REACH)
    return Crop(channel, volume, origin, 2, whole, tuple(unread))


def scene(**changes):
    plain = CropScene(
        {"488": "488\nCrh", "514": "514\nPenk"},
        {"488": crop("488"), "514": crop("51")},
        SPOT,
        (REACH_Z, REACH),
        2,
        3.0,
    )
    return replace(plain, **changes)


@pytest.fixture
def grid(qtbot):
    grid = CropGrid()
    qtbot.addWidget(grid)
    grid.resize(400, 100)
    return grid


def painted(grid, shown, limits=(0, 255)):
    """Return the pixels that the grid paints, (height, width, 3)."""
    grid.show_scene(shown, dict.fromkeys(shown.crops, limits))
    grid.resize(400, grid.heightForWidth(400))
    image = (
        grid.grab().toImage().convertToFormat(grid.grab().toImage().Format.Format_RGB32)
    )
    data = image.constBits()
    data.setsize(image.sizeInBytes())
    whole = np.frombuffer(data, np.uint8).reshape(image.height(), image.width(), 4)
    return whole[..., 2::-1].copy()


def like(pixels, color, tolerance=60):
    """Return where pixels have nearly a colour."""
    return (np.abs(pixels.astype(int) - color).max(axis=-1)) <= tolerance


WHITE, MAGENTA, RED, BLUE = (255, 255, 255), (255, 0, 255), (255, 64, 64), (0, 0, 255)


def cell(pixels, grid, channel, view):
    left, top, width, height = (round(v) for v in grid.cells.rect(channel, view))
    return pixels[top : top + height, left : left + width]


def test_each_view_shows_its_pixels(grid):
    shown = scene()
    pixels = painted(grid, shown)
    for channel, one in shown.crops.items():
        wanted = {
            "xy": one.volume[REACH_Z],
            "max": one.volume[REACH_Z - 2 : REACH_Z + 3].max(axis=0),
            "xz": one.volume[:, REACH],
        }
        for view in VIEWS:
            values = wanted[view]
            hits = 0
            down, across = grid.cells.steps(view)
            left, top, *_ = grid.cells.rect(channel, view)
            for row, column in np.ndindex(values.shape):
                y, x = top + (row + 0.5) * down, left + (column + 0.5) * across
                found = pixels[int(y), int(x)]
                hits += (np.abs(found.astype(int) - values[row, column]) <= 2).all()
            # but for those under the mark of the spot
            assert hits > values.size - 30


def test_rows_are_as_high_as_voxels_are(grid):
    painted(grid, scene())
    cells = grid.cells
    assert cells.steps("xz")[0] == pytest.approx(3 * cells.steps("xy")[0])
    assert cells.size("xy")[0] == cells.size("max")[0] == cells.size("xy")[1]
    assert cells.size("xz")[0] == pytest.approx(7 * cells.steps("xz")[0])
    assert grid.heightForWidth(350) > grid.heightForWidth(200)  # it uses the room
    assert CropCells(scene(), 5000, 20, 10).size("xy")[1] == 160  # some of it


def test_a_voxels_centre_is_its_coordinate(grid):
    painted(grid, scene())
    cells = grid.cells
    for view in VIEWS:
        left, top, width, _ = cells.rect("514", view)
        down, across = cells.steps(view)
        first = 20 - REACH_Z if view == "xz" else 60 - REACH
        v = {"xy": 1, "max": 1, "xz": 0}[view]
        for place in [(18.0, 55.0, 78.0), (20.4, 60.25, 81.3)]:
            x, y = cells.point("514", view, place)
            assert (x - left) / across - 0.5 == pytest.approx(place[2] - (81 - REACH))
            assert (y - top) / down - 0.5 == pytest.approx(place[v] - first)
            pixel = cells.voxel(x, y)
            assert pixel == (
                "514",
                view,
                int(place[v] - first + 0.5),
                int(place[2] - (81 - REACH) + 0.5),
            )
        assert cells.voxel(left + width + 1, top) is None


def test_rings_stand_around_other_spots(grid):
    near = Neighbour((20.0, 56.0, 76.0), "#0000ff", "spot 7: 488 → 514, reassigned")
    above = replace(near, place=(22.4, 64.0, 86.0))  # seen in the projection only
    aside = replace(near, place=(18.0, 60.9, 86.0))  # in the plane that xz shows
    black = {"488": replace(crop(), volume=np.zeros_like(crop().volume))}
    shown = scene(titles={"488": "488"}, crops=black, others=(near, above, aside))
    pixels = painted(grid, shown)
    seen = {"xy": {near}, "max": {near, above, aside}, "xz": {aside}}
    for view in VIEWS:
        assert set(shown.seen(view)) == seen[view]
        picture = cell(pixels, grid, "488", view)
        left, top, *_ = grid.cells.rect("488", view)
        for one in seen[view]:
            center = np.array(grid.cells.point("488", view, one.place)) - (left, top)
            assert around(picture, center, 2.2 * grid.cells.step, BLUE) > 0.9
            assert around(picture, center + 3, 2.2 * grid.cells.step, BLUE) < 0.6
        if view == "xy":
            ys, xs = np.nonzero(like(picture, BLUE, 90))
            assert (xs.min() + xs.max()) / 2 + 0.5 == pytest.approx(center[0], abs=1)
            assert (ys.min() + ys.max()) / 2 + 0.5 == pytest.approx(center[1], abs=1)
        text = grid.text_at(*grid.cells.point("488", view, aside.place))
        assert ("spot 7: 488 → 514, reassigned" in text) == (aside in seen[view])
    grid.set_others(False)
    assert not like(painted(grid, shown), BLUE, 90).any()
    assert "spot 7" not in grid.text_at(*grid.cells.point("488", "xy", near.place))


def test_a_line_leads_to_the_kept_spot(grid):
    black = {"488": replace(crop(), volume=np.zeros_like(crop().volume))}
    kept = Neighbour((20.0, 55.0, 84.0), "#56b4e9", "spot 9: kept")
    plain = scene(titles={"488": "488"}, crops=black)
    shown = replace(plain, kept=kept)
    far = replace(plain, kept=replace(kept, place=(23.0, 55.0, 84.0)))
    assert not like(cell(painted(grid, plain), grid, "488", "xy"), WHITE).any()
    for view in VIEWS:
        solid = cell(painted(grid, shown), grid, "488", view)
        left, top, *_ = grid.cells.rect("488", view)
        here = np.array(grid.cells.point("488", view, SPOT)) - (left, top)
        there = np.array(grid.cells.point("488", view, kept.place)) - (left, top)
        white = like(solid, WHITE, 150)
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            x, y = (here + share * (there - here)).astype(int)
            assert white[y - 1 : y + 2, x - 1 : x + 2].any(), (view, share)
        assert ring(solid, there, grid)
        assert "spot 9: kept" in grid.text_at(
            *grid.cells.point("488", view, kept.place)
        )
    assert shown.kept_is_in_plane("xy")
    assert shown.kept_is_in_plane("max")
    assert not shown.kept_is_in_plane("xz")  # five rows away
    assert not far.kept_is_in_plane("max")
    assert not plain.kept_is_in_plane("xy")
    # A dashed ring has gaps.
    for view in ("xy", "max"):
        pixels = cell(painted(grid, far), grid, "488", view)
        left, top, *_ = grid.cells.rect("488", view)
        there = np.array(grid.cells.point("488", view, kept.place)) - (left, top)
        dashed = ring(pixels, there, grid)
        solid = ring(cell(painted(grid, shown), grid, "488", view), there, grid)
        assert 0.2 < dashed < 0.8
        assert solid > 0.95


def ring(pixels, center, grid):
    """Return the share of the kept spot's ring that is drawn."""
    return around(pixels, center, 3 * grid.cells.step, WHITE)


def around(pixels, center, radius, color):
    """Return the share of a circle that has a colour."""
    height, width, _ = pixels.shape
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    x, y = (
        center[0] + np.outer((radius - 1, radius, radius + 1), np.cos(angles)),
        center[1] + np.outer((radius - 1, radius, radius + 1), np.sin(angles)),
    )
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    hits = np.zeros(x.shape, bool)
    hits[inside] = like(pixels, color, 110)[
        y[inside].astype(int), x[inside].astype(int)
    ]
    return hits.any(axis=0)[inside.all(axis=0)].mean()


def test_the_mark_leaves_the_spot_free(grid):
    black = {"488": replace(crop(), volume=np.zeros_like(crop().volume))}
    pixels = painted(grid, scene(titles={"488": "488"}, crops=black))
    for view in VIEWS:
        marks = np.argwhere(like(cell(pixels, grid, "488", view), MAGENTA, 90))
        left, top, *_ = grid.cells.rect("488", view)
        x, y = grid.cells.point("488", view, SPOT)
        away = np.hypot(marks[:, 1] + 0.5 - (x - left), marks[:, 0] + 0.5 - (y - top))
        assert len(marks) > 10
        assert away.min() > 4 * grid.cells.step  # of 15 voxels; a spot has about 5


def test_what_could_not_be_read_is_crossed_out(grid):
    part = (slice(0, 7), slice(0, 15), slice(0, 6))
    before = (slice(0, 1), slice(0, 15), slice(9, 15))  # planes that xy does not show
    crops = {"488": crop(unread=(part, before)), "514": crop("51")}
    shown = scene(titles={"488": "488", "514": "514", "561": "561\nPvalb"}, crops=crops)
    pixels = painted(grid, shown)
    assert shown.unread("488", "xy") == shown.unread("488", "max")
    assert shown.unread("488", "xy") == [(0, 15, 0, 6)]
    assert shown.unread("488", "xz") == [(0, 7, 0, 6), (0, 1, 9, 15)]
    for view in VIEWS:
        red = like(cell(pixels, grid, "488", view), RED, 90)
        border = int(6 * grid.cells.steps(view)[1])
        assert red[:, :border].sum() > 30
        assert red[:, border + 2 :].any() == (view == "xz")
        assert not like(cell(pixels, grid, "514", view), RED, 90).any()
        whole = cell(pixels, grid, "561", view)  # a channel without any pixel
        assert like(whole, RED, 90).sum() > 50
        x, y = grid.cells.point("561", view, SPOT)
        assert grid.text_at(x, y) == "561 · Pvalb: could not be read"


def test_contrast(grid):
    values = np.array([[0, 50], [100, 150]], np.uint16)
    assert gray(values, (50, 150)).tolist() == [[0, 0], [128, 255]]
    assert gray(values, (50, 50)).tolist() == [[0, 0], [255, 255]]
    shown = scene()
    dark = painted(grid, shown, (0, 20_000))
    grid.set_limits(dict.fromkeys(shown.crops, (0, 10)))
    assert grid.limits == dict.fromkeys(shown.crops, (0, 10))
    bright = painted(grid, shown, (0, 10))
    assert (
        cell(bright, grid, "514", "xy").mean()
        > 10 * cell(dark, grid, "514", "xy").mean()
    )


def test_labels_and_tool_tips(grid, qtbot):
    shown = scene()
    painted(grid, shown)
    assert [grid.row_label(view) for view in VIEWS] == ["plane", "max ±2", "xz ±3"]
    cells = grid.cells
    for view, told in zip(VIEWS, ("plane", "2 to either", "3 planes"), strict=True):
        assert told in grid.text_at(2, cells.top(view) + 3)
    assert grid.text_at(200, 1) == ""
    x, y = cells.point("488", "xy", (20, 57, 78))
    value = shown.crops["488"].volume[REACH_Z, REACH - 3, REACH - 3]
    assert grid.text_at(x, y) == f"488 · Crh: {value}"
    grid.show()
    place = QPoint(int(x), int(y))
    event = QHelpEvent(QEvent.Type.ToolTip, place, grid.mapToGlobal(place))
    QApplication.sendEvent(grid, event)
    assert QToolTip.text() == f"488 · Crh: {value}"
    QToolTip.hideText()
    # Something is written above each column and beside each row.
    text = painted(grid, shown)
    for channel in shown.titles:
        left, top, width, _ = (round(v) for v in cells.rect(channel, "xy"))
        assert text[: top - 1, left : left + width].max() > 150
    for view in VIEWS:
        top, (height, _) = round(cells.top(view)), cells.size(view)
        assert text[top : top + round(height), : int(cells.label)].max() > 150


def test_messages_and_themes(grid):
    grid.show_scene(scene(), dict.fromkeys(("488", "514"), (0, 255)))
    grid.show_message("Nothing here")
    assert grid.cells is None
    assert grid.heightForWidth(300) < 100
    assert grid.text_at(5, 5) == ""
    grid.set_theme(LIGHT)
    image = grid.grab().toImage()
    assert image.pixelColor(2, 2).name() == LIGHT.background
    assert grid.minimumSizeHint().width() < 200
    assert grid.sizeHint().width() == 260
