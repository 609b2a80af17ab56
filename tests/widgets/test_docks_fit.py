"""All docks in a window of 1366x768, in small and in large letters."""

from __future__ import annotations

from pathlib import Path

import npe2
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QScrollBar,
    QTabBar,
    QTableView,
    QToolTip,
    QWidget,
)

import napari_seespot as nss
from napari_seespot.plots.base import PlotPanel
from napari_seespot.plots.chart_view import ChartView
from napari_seespot.widgets._placing import dock_of

PLUGIN = "napari-seespot"
WIDTH, HEIGHT = 1366, 768
SIZES = (9, 12, 16)  # of letters, in points; 9 is napari's own


def dock_names():
    manifest = npe2.PluginManifest.from_file(Path(nss.__file__).parent / "napari.yaml")
    return [widget.display_name for widget in manifest.contributions.widgets]


@pytest.fixture
def letters():
    """Return a function that sets napari's font size; it is set back."""
    appearance = get_settings().appearance
    before = appearance.font_size

    def set_size(size):
        appearance.font_size = size

    set_size(SIZES[0])
    yield set_size
    set_size(before)


@pytest.fixture
def make_window(make_napari_viewer, letters, sample, qtbot):
    """Return a function that opens a window, with docks of these names."""
    positions = get_settings().application.plugin_widget_positions
    positions.clear()
    opened = []

    def make(*names, size=(WIDTH, HEIGHT), docks=False, of=sample):
        viewer = make_napari_viewer(show=True)
        viewer.window.resize(*size)
        opened.append(nss.view(of, viewer=viewer, docks=docks))
        for name in names:
            open_dock(viewer, name)
        qtbot.wait(50)  # until Qt has shown them
        return viewer

    yield make
    for session in opened:
        session.close()
    positions.clear()


def open_dock(viewer, name):
    """Open a dock as napari's menu does; return what is in it, and the dock."""
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return widget, dock


def main_of(viewer):
    return viewer.window.main_menu.window()


def areas_of(widget):
    """Return the areas of a dock in which something scrolls, and what does."""
    return [
        (area, area.widget())
        for area in widget.native.findChildren(QScrollArea)
        if area.widget() is not None and area.isVisible()
    ]


def raised(viewer, name, qtbot):
    """Return a dock's content once it is in front."""
    widget, dock = open_dock(viewer, name)
    dock.raise_()
    qtbot.waitUntil(widget.native.isVisible)
    qtbot.wait(30)  # until all is laid out
    return widget


def in_view(part, area):
    """Whether all of a widget's width can be seen without scrolling."""
    left = part.mapTo(area.viewport(), part.rect().topLeft()).x()
    return left >= 0 and left + part.width() <= area.viewport().width()


def parts_of(body):
    """Return what is seen of a dock's content, but for what scrolls by itself."""
    inner = body.findChildren(QAbstractScrollArea)
    return [
        part
        for part in body.findChildren(QWidget)
        if part.isVisibleTo(body) and not any(area.isAncestorOf(part) for area in inner)
    ]


def all_is_reached(area):
    """Whether all that is in an area is seen, or scrolled to."""
    body, bar = area.widget(), area.horizontalScrollBar()
    beyond = max(0, body.width() - area.viewport().width())
    parts = parts_of(body)
    ends = [part.mapTo(body, part.rect().topLeft()).x() for part in parts]
    ends += [part.mapTo(body, part.rect().topRight()).x() for part in parts]
    within = not ends or (min(ends) >= 0 and max(ends) < body.width())
    return within and bar.maximum() == beyond and bar.isVisible() == (beyond > 0)


# ---- how large they are


def test_all_docks_at_once_fit_a_small_screen(make_window, letters, qtbot):
    names = dock_names()
    viewer = make_window(*names)
    qtbot.wait(200)
    main = main_of(viewer)
    assert (main.width(), main.height()) == (WIDTH, HEIGHT)
    tabs = {n: len(main_tabs(open_dock(viewer, n)[1])) + 1 for n in names}
    assert tabs == dict.fromkeys(names, len(names))
    too_wide = []
    for size in SIZES:
        letters(size)
        qtbot.wait(100)
        assert main.minimumSizeHint().height() <= HEIGHT, size
        assert main.minimumSizeHint().width() <= WIDTH, size
        for name in names:
            for area, body in areas_of(raised(viewer, name, qtbot)):
                qtbot.waitUntil(lambda area=area: all_is_reached(area))
                needed, given = body.minimumSizeHint().width(), area.viewport().width()
                if size == SIZES[0] and needed > given:
                    too_wide.append((name, needed, given))
    assert too_wide == []


@pytest.mark.parametrize("name", ["Filters", "Table", "Maps", "Spots", "Channel pairs"])
def test_nothing_lies_beside_a_narrow_dock(make_window, qtbot, name):
    widget = raised(make_window(name), name, qtbot)
    ((area, body),) = areas_of(widget)
    assert area.viewport().width() <= 290
    assert not area.horizontalScrollBar().isVisible()
    parts = parts_of(body)
    assert len(parts) > 10
    for part in parts:
        assert in_view(part, area), part


def test_both_handles_of_a_filter_are_in_view(make_window, qtbot):
    widget = raised(make_window("Filters"), "Filters", qtbot)
    ((area, _),) = areas_of(widget)
    assert len(widget.columns) >= 5
    for shown in widget.columns.values():
        assert shown.plot.isVisible()
        assert in_view(shown.plot, area)


def test_no_text_of_channel_pairs_is_cut_in_large_letters(make_window, letters, qtbot):
    letters(16)
    widget = raised(make_window("Channel pairs"), "Channel pairs", qtbot)
    buttons = widget.controls.native.findChildren(QPushButton)
    assert len(buttons) == 9
    for button in buttons:
        text = button.fontMetrics().horizontalAdvance(button.text())
        assert button.width() >= text, button.text()


# ---- what the mouse points at


def test_what_is_under_the_pointer_is_seen_in_a_low_window(make_window, qtbot):
    viewer = make_window(docks=True)
    widget = raised(viewer, "Channel pairs", qtbot)
    qtbot.waitUntil(lambda: widget.plot.picture is not None, timeout=20_000)
    ((area, _),) = areas_of(widget)
    note, plot = widget._pointed, widget.plot
    plot.hovered.emit((100.0, 100.0))
    assert " · 514: " in note.text()
    assert note.isVisible()
    assert not note.visibleRegion().isEmpty()
    assert in_view(note, area)
    top = note.mapTo(area.viewport(), note.rect().topLeft()).y()
    assert 0 <= top <= area.viewport().height() - note.height()
    assert plot.rect().contains(note.geometry())
    # The mouse reaches the plot through it.
    assert plot.childAt(note.geometry().center()) is plot.viewport()
    counts = widget._counts
    assert counts.visibleRegion().boundingRect() == counts.rect()
    plot.hovered.emit(None)
    assert not note.isVisible()


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_the_note_leaves_the_pointer_free(make_window, qtbot, monkeypatch, share):
    widget = raised(make_window("Channel pairs"), "Channel pairs", qtbot)
    qtbot.waitUntil(lambda: widget.plot.picture is not None, timeout=20_000)
    note, plot = widget._pointed, widget.plot
    pointer = QPoint(plot.width() // 2, int(plot.height() * share))
    place = plot.mapToGlobal(pointer)
    monkeypatch.setattr("napari_seespot.widgets._plot_note.QCursor.pos", lambda: place)
    plot.hovered.emit((100.0, 100.0))
    assert not note.geometry().contains(pointer)
    assert (note.geometry().center().y() > pointer.y()) == (share < 0.5)
    note.show_text("a spot that was chosen elsewhere", 0.05)
    assert note.isVisible()
    qtbot.waitUntil(lambda: not note.isVisible())
    note.show_text("gone soon", 0.05)
    long = " · ".join(["some more words"] * 9)
    note.show_text(long)
    qtbot.wait(100)
    assert note.text() == long
    assert note.height() >= note.heightForWidth(note.width())
    assert plot.rect().contains(note.geometry())


CONTROLS = (
    *(QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractSlider),
    *(QTabBar, QAbstractItemView, ChartView),
)


def explained(part, top):
    """Whether a widget or one around it, in the same dock, has a tool tip."""
    while part is not None and not part.toolTip():
        part = None if part is top else part.parentWidget()
    return part is not None


def test_everything_has_a_tool_tip(make_window, qtbot):
    names = dock_names()
    viewer = make_window(*names)
    silent = []
    for name in names:
        top = raised(viewer, name, qtbot).native
        for part in top.findChildren(QWidget):
            if not isinstance(part, CONTROLS) or isinstance(part, QScrollBar):
                continue
            if part.isVisible() and not explained(part, top):
                silent.append((name, type(part).__name__, part.objectName()))
    assert silent == []


def test_a_mark_of_a_chart_has_its_own_tip(make_window, qtbot, monkeypatch):
    chart = raised(make_window("Maps"), "Maps", qtbot).chart
    help_event = QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), QPoint(5, 5))
    told = []
    monkeypatch.setattr(QToolTip, "showText", lambda _at, text, *_: told.append(text))
    monkeypatch.setattr(QToolTip, "isVisible", lambda: True)  # one of a mark
    assert QApplication.sendEvent(chart, help_event)
    assert told == []
    assert "a click selects" in chart.toolTip()


# ---- where they go


def tabs_of(dock):
    return {other.windowTitle() for other in main_tabs(dock)}


def main_tabs(dock):
    return dock.parentWidget().tabifiedDockWidgets(dock)


def test_docks_are_tabs_where_there_is_no_room(make_window, qtbot):
    viewer = make_window(docks=True)
    _, spots = open_dock(viewer, "Spots")
    pairs_widget, _ = open_dock(viewer, "Channel pairs")
    assert tabs_of(spots) == {"Channel pairs"}
    qtbot.waitUntil(pairs_widget.native.isVisible)
    assert pairs_widget.plot.height() >= 250
    widget, filters = open_dock(viewer, "Filters")
    qtbot.wait(50)
    qtbot.waitUntil(widget.native.isVisible)  # the newest is in front
    assert tabs_of(filters) == {"Spots", "Channel pairs"}
    assert main_of(viewer).height() == HEIGHT
    for name in ("Maps", "Table", "Summary"):
        open_dock(viewer, name)
        qtbot.wait(50)
    bars = main_of(viewer).findChildren(
        QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly
    )
    (bar,) = (bar for bar in bars if bar.isVisible())
    for place in range(bar.count()):  # the names can be read
        text = bar.fontMetrics().horizontalAdvance(bar.tabText(place))
        assert bar.tabRect(place).width() > text


def test_two_docks_are_above_each_other_on_a_high_screen(make_window, qtbot):
    viewer = make_window(docks=True, size=(WIDTH, 930))
    spots_widget, spots = open_dock(viewer, "Spots")
    pairs_widget, pairs = open_dock(viewer, "Channel pairs")
    qtbot.wait(100)
    assert tabs_of(spots) == set()
    assert spots_widget.native.isVisible()
    assert pairs_widget.native.isVisible()
    assert spots.geometry().bottom() < pairs.geometry().top()
    assert spots.height() >= 200
    assert pairs_widget.plot.height() >= 250
    _, maps = open_dock(viewer, "Maps")
    qtbot.wait(50)
    assert tabs_of(maps) == {"Channel pairs"}
    assert main_of(viewer).height() == 930


def test_a_dock_stays_where_it_is_moved(make_window, qtbot):
    viewer = make_window("Spots", "Filters")
    main = main_of(viewer)
    _, filters = open_dock(viewer, "Filters")
    assert tabs_of(filters) == {"Spots"}
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    main.addDockWidget(left, filters)
    qtbot.wait(50)
    assert main.dockWidgetArea(filters) == left
    assert tabs_of(filters) == set()
    filters.setFloating(True)
    filters.setFloating(False)
    qtbot.wait(50)
    assert main.dockWidgetArea(filters) == left
    _, table = open_dock(viewer, "Table")
    qtbot.wait(50)
    assert tabs_of(table) == {"Spots"}


def test_docks_that_were_hidden_or_float_are_no_place_for_a_tab(make_window, qtbot):
    viewer = make_window("Spots", "Filters")
    open_dock(viewer, "Spots")[1].hide()
    open_dock(viewer, "Filters")[1].setFloating(True)
    qtbot.wait(50)
    widget, table = open_dock(viewer, "Table")
    qtbot.waitUntil(widget.native.isVisible)
    assert tabs_of(table) == set()


def test_docks_of_others_are_left_alone(make_window, qtbot):
    viewer = make_window()
    other = QWidget()
    other.setMinimumHeight(400)
    theirs = viewer.window.add_dock_widget(other, name="other")
    _, spots = open_dock(viewer, "Spots")
    assert tabs_of(spots) == set()
    _, table = open_dock(viewer, "Table")
    qtbot.wait(50)
    assert tabs_of(table) == {"Spots"}
    assert main_tabs(theirs) == []
    viewer.window.remove_dock_widget(other)


def test_a_widget_without_a_dock(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    assert dock_of(widget) is None
    dock = QDockWidget()
    qtbot.addWidget(dock)
    inner = QWidget()
    dock.setWidget(inner)
    child = QLabel(inner)
    assert dock_of(child) is dock


# ---- the size of letters


def test_letters_follow_napari_at_once(make_window, letters, qtbot):
    names = ("Filters", "Channel pairs", "Table", "Maps")
    viewer = make_window(*names)
    for size in (16, 12, 9):
        letters(size)
        qtbot.wait(100)
        for name in names:
            widget = open_dock(viewer, name)[0].native
            kinds = (PlotPanel, ChartView, QTableView, QLineEdit)
            parts = [p for kind in kinds for p in widget.findChildren(kind)]
            assert parts, name
            for part in parts:
                assert part.font().pointSize() == size, (name, part)
    letters(16)
    qtbot.wait(100)
    check_large(viewer)


def test_letters_are_large_in_docks_that_open_later(make_window, letters, qtbot):
    letters(16)
    viewer = make_window("Filters", "Channel pairs", "Table", "Maps")
    for name in ("Maps", "Filters", "Table", "Channel pairs"):
        raised(viewer, name, qtbot)
    check_large(viewer)


def check_large(viewer):
    """Look at what is drawn with the font, rather than has it."""
    plot = open_dock(viewer, "Channel pairs")[0].plot
    for axis in plot._axes:
        assert axis.style["tickFont"].pointSize() == 16
        assert axis.label.font().pointSize() == 16
    for name in ("Table", "Maps"):
        table = open_dock(viewer, name)[0].table
        line = table.fontMetrics().height()
        assert table.horizontalHeader().font().pointSize() == 16
        assert table.verticalHeader().defaultSectionSize() >= line
        assert line > 20
    chart = open_dock(viewer, "Maps")[0].chart
    assert chart.fontMetrics().height() == line
    for shown in open_dock(viewer, "Filters")[0].columns.values():
        assert shown.plot.minimumSizeHint().height() == 3 * line
