"""A spot's bars: heights, the lines of dyes, names that can be read."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QFont, QFontMetricsF, QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_seespot.plots.bars import LINES, IntensityBars, Level
from napari_seespot.plots.tight_text import fitting_font

NAMES = ["488\nCrh", "514\nPenk", "561\nSlc17a7", "594\nPvalb", "638\nSst"]
HEIGHTS = np.array([500.0, -40.0, np.nan, 90.0, 20.0])


@pytest.fixture
def bars(qtbot):
    bars = IntensityBars()
    qtbot.addWidget(bars)
    bars.resize(260, 170)
    bars.show()
    qtbot.waitExposed(bars)
    return bars


def test_bars_and_levels(bars):
    levels = {
        "488": Level(np.array([510.0, 120, 40, 10, 0]), "#56b4e9"),
        "514": Level(np.array([80.0, 700, 90, 10, 0]), "#1fc491", "dashed"),
        "638": Level(np.array([0.0, 0, 3, 9, -80]), "#ee6a1f", "dotted"),
    }
    tips = [f"tip {k}" for k in range(5)]
    bars.show_spot(NAMES, HEIGHTS, ["#56b4e9"] * 5, levels, tips)
    assert list(bars.bars.opts["height"]) == [500, -40, 0, 90, 20]
    assert list(bars.levels) == list(levels)
    styles = [item.opts["pen"].style() for item in bars.levels.values()]
    assert styles == [
        Qt.PenStyle.SolidLine,
        Qt.PenStyle.DashLine,
        Qt.PenStyle.DotLine,
    ]
    for dye, level in levels.items():
        x, y = bars.levels[dye].getData()
        assert (y == np.repeat(level.values, 2)).all()
        assert (np.round(x) == np.repeat(np.arange(5), 2)).all()
    _, _, low, high = bars.limits
    assert low < -80
    assert high > 700
    assert bars.plotItem.legend is None  # it would cover bars
    assert [bars.tip_at(x) for x in (-0.3, 1.2, 4.4)] == ["tip 0", "tip 1", "tip 4"]
    assert bars.tip_at(-0.8) == bars.tip_at(5.2) == ""
    bars.clear_spot()
    assert not bars.levels
    assert bars.tip_at(0) == ""
    assert len(LINES) == len(set(styles))


def test_names_are_not_cut(bars, qtbot):
    bars.show_spot(NAMES, HEIGHTS, ["#56b4e9"] * 5, {})
    QApplication.processEvents()
    axis = bars.getAxis("bottom")
    ticks = [text for _, text in axis._tickLevels[0]]
    assert ticks == NAMES
    font = axis.style["tickFont"]
    metrics = QFontMetricsF(font)
    room = bars.view_box.size().width() / 5.2
    assert (
        max(metrics.horizontalAdvance(n) for name in NAMES for n in name.split()) < room
    )
    assert axis.height() >= 2 * metrics.lineSpacing()
    # the font shrinks with the room, and grows with it
    bars.resize(180, 170)
    QApplication.processEvents()
    assert (
        axis.style["tickFont"].pixelSize() < font.pixelSize() or font.pixelSize() <= 8
    )
    bars.resize(900, 170)
    QApplication.processEvents()
    assert axis.style["tickFont"].pixelSize() >= font.pixelSize()
    long = ["488\nan_endless_name_of_a_gene"] * 5
    bars.resize(260, 170)
    bars.show_spot(long, HEIGHTS, ["#56b4e9"] * 5, {})
    QApplication.processEvents()
    assert axis._tickLevels[0][0][1].endswith("…")


def test_tool_tips_by_mouse(bars):
    tips = [f"tip {k}" for k in range(5)]
    bars.show_spot(NAMES, HEIGHTS, ["#56b4e9"] * 5, {}, tips)
    QApplication.processEvents()
    view = bars.view_box
    where = bars.mapFromScene(view.mapViewToScene(QPointF(3.0, 10.0)))
    place = QPoint(where)
    event = QHelpEvent(QEvent.Type.ToolTip, place, bars.mapToGlobal(place))
    QApplication.sendEvent(bars.viewport(), event)
    assert QToolTip.text() == "tip 3"
    QToolTip.hideText()


def test_fitting_font(qapp):
    font = QFont()
    font.setPixelSize(20)
    text = "Slc17a7"
    wide = QFontMetricsF(font).horizontalAdvance(text)
    assert fitting_font(font, [text], wide + 1, 6).pixelSize() == 20
    half = fitting_font(font, [text, "a"], wide / 2, 6)
    assert 6 < half.pixelSize() < 20
    assert QFontMetricsF(half).horizontalAdvance(text) <= wide / 2
    assert fitting_font(font, [text], 1, 6).pixelSize() == 6
    assert fitting_font(font, [], 1, 6).pixelSize() == 20
