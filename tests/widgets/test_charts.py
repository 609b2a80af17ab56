"""Charts: what they say, where they are drawn, and what is written to files."""

import re

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QFont, QImage, QPainter
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox

from napari_seespot.densities import density, histogram
from napari_seespot.errors import SeeSpotError
from napari_seespot.palette import STATUS_COLORS
from napari_seespot.picks import Pick
from napari_seespot.plots import chart_menu
from napari_seespot.plots.chart_painter import ChartPainter, wrapped
from napari_seespot.plots.chart_view import ChartView
from napari_seespot.plots.charts import (
    NOTHING,
    Axis,
    Bar,
    Chart,
    Dots,
    Path,
    Picture,
    Ribbon,
    Word,
    nice_ticks,
    number_text,
    short_number,
)
from napari_seespot.plots.exports import Page, grid_shape, save_chart, save_pages
from napari_seespot.plots.sankey import sankey_chart
from napari_seespot.plots.summary_charts import (
    channels_chart,
    density_chart,
    histogram_chart,
    ratio_chart,
    status_chart,
)
from napari_seespot.plots.theme import DARK, PAPER
from napari_seespot.summary import status_table


@pytest.fixture
def dataset(make_dataset):
    return make_dataset()


def bars(chart):
    return [mark for mark in chart.marks if isinstance(mark, Bar) and mark.key]


def two_bars():
    return Chart(
        "Two bars",
        (
            Bar((0, 1), (0, 1), "#ff0000", "left", "the left one"),
            Bar((1, 2), (0, 2), "#00ff00", "right", "the right one"),
        ),
        Axis((0, 2), names=("a", "b")),
        Axis((0, 2), "count"),
        data=pd.DataFrame({"name": ["a", "b"], "count": [1, 2]}),
    )


# ---- numbers


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7.5), (1e-9, 3e-9), (5, -5)])
def test_ticks_are_round_and_within(low, high):
    ticks = nice_ticks(low, high, 6)
    assert 2 <= len(ticks) <= 7
    assert min(low, high) - 1e-9 <= min(ticks)
    assert max(ticks) <= max(low, high) + 1e-9
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[0])
    mantissa = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
    assert round(mantissa, 6) in (1, 2, 5)


def test_ticks_of_nothing():
    assert nice_ticks(3, 3, 5) == [3]
    assert nice_ticks(np.nan, np.nan, 5) == []
    assert nice_ticks(0, np.inf, 5) == [0]


def test_numbers_are_short_or_full():
    values = (0.25, 1500, 20_000, 1.5e6, -3e9, 0)
    assert [short_number(v) for v in values] == [
        "0.25", "1,500", "20k", "1.5M", "-3G", "0",
    ]  # fmt: skip
    values = (8_059_238, 0.12345, 123456.7, np.nan)
    assert [number_text(v) for v in values] == [
        "8,059,238",
        "0.1235",
        "123,457",
        NOTHING,
    ]


# ---- what the charts hold


def test_status_bars_hold_the_counts_and_the_rows(dataset):
    spots = dataset.spots
    table = status_table(spots)
    chart = status_chart(table, dataset)
    for bar in bars(chart):
        wanted = table.loc[bar.key.chan, bar.key.status]
        assert bar.x[1] - bar.x[0] == wanted
        assert bar.key.mask(spots).sum() == wanted
        assert bar.color == STATUS_COLORS[bar.key.status]
        assert f"{wanted:,} {bar.key.status}" in bar.tip
    assert sum(bar.x[1] - bar.x[0] for bar in bars(chart)) == len(spots)
    assert chart.y.names[0] == "488 · Crh"


def test_status_chart_tells_of_differences(dataset):
    told = pd.DataFrame({"difference": [0, -7, 3]})
    table = status_table(dataset.spots)
    assert (
        "differs in 2 of 3 numbers, by 7" in status_chart(table, dataset, told).caption
    )
    agreed = status_chart(table, dataset, told[:1]).caption
    assert agreed == "The pipeline's summary agrees in all 1 numbers."


def test_ribbons_are_as_wide_as_their_flows(dataset):
    spots = dataset.spots
    flow = spots.flow()
    chart = sankey_chart(flow, {c: dataset.label(c) for c in spots.channels})
    ribbons = [mark for mark in chart.marks if isinstance(mark, Ribbon)]
    widths = {}
    for ribbon in ribbons:
        key = ribbon.key
        start, end = (abs(np.subtract(*side)) for side in (ribbon.start, ribbon.end))
        assert start == pytest.approx(end)
        widths[key.chan, key.unmixed_chan] = start
        count = flow.loc[key.chan, key.unmixed_chan]
        assert key.mask(spots).sum() == count
        assert f"{count:,} spots" in ribbon.tip
    scale = sum(widths.values()) / len(spots)
    for (chan, unmixed), width in widths.items():
        assert width == pytest.approx(flow.loc[chan, unmixed] * scale)
    for node in bars(chart):
        height = abs(node.y[1] - node.y[0])
        assert height == pytest.approx(node.key.mask(spots).sum() * scale)
    assert chart.data["spots"].sum() == len(spots)


def test_an_empty_flow_is_drawn(make_dataset, tmp_path):
    dataset = make_dataset(0)
    chart = sankey_chart(dataset.spots.flow(), {})
    assert not [mark for mark in chart.marks if isinstance(mark, Ribbon)]
    save_chart(chart, tmp_path / "empty.png")
    save_chart(status_chart(status_table(dataset.spots), dataset), tmp_path / "b.png")


def test_ratios_are_written_into_their_cells(dataset):
    cells = bars(ratio_chart(dataset))
    assert [float(cell.text) for cell in cells] == (
        dataset.ratios.to_numpy().ravel().tolist()
    )
    assert cells[1].key == Pick(chan="514", unmixed_chan="488")


def test_a_dataset_without_ratios_says_so(make_dataset):
    chart = ratio_chart(make_dataset(ratios=False))
    assert chart.caption == "This dataset has no ratios."
    assert not chart.marks


def test_histogram_bars_are_stacked_counts(dataset):
    counted = histogram(dataset.spots, "r", bins=12, by="status")
    chart = histogram_chart(counted, dataset)
    for bar in bars(chart):
        assert bar.key.mask(dataset.spots).sum() == bar.y[1] - bar.y[0]
    assert chart.data[list(counted.classes)].to_numpy().sum() == counted.total


def test_density_data_lists_the_filled_bins(dataset):
    counted = density(dataset.spots, "488", "514", bins=32, by="status")
    chart = density_chart(counted, dataset, title="t", labels=("x", "y"), dark=True)
    assert chart.data[list(counted.classes)].to_numpy().sum() == counted.total
    assert len(chart.data) == (counted.counts.sum(axis=0) > 0).sum()
    plain = density(dataset.spots, "488", "514", bins=32)
    chart = density_chart(plain, dataset, title="t", labels=("x", "y"), dark=False)
    assert chart.data["spots"].sum() == plain.total
    assert chart.ramp.high == f"{plain.counts.max():,}"


def test_channel_bars(dataset):
    counts = dataset.spots.to_pandas()["chan"].value_counts().sort_index()
    chart = channels_chart(counts, dataset)
    assert [bar.y[1] for bar in bars(chart)] == counts.tolist()


# ---- the painter


def drawn(chart, size=(300, 200), theme=DARK):
    image = QImage(QSize(*size), QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    layout = ChartPainter(painter, theme, QFont()).paint(chart, QRectF(0, 0, *size))
    painter.end()
    return image, layout


def test_bars_are_drawn_where_the_layout_says(qapp):
    image, layout = drawn(two_bars())
    assert image.pixelColor(layout.pixel(0.5, 0.5).toPoint()).name() == "#ff0000"
    assert image.pixelColor(layout.pixel(1.5, 1.5).toPoint()).name() == "#00ff00"
    assert layout.hit_at(layout.pixel(0.5, 0.5)).key == "left"
    assert layout.hit_at(layout.pixel(0.5, 1.5)) is None
    assert layout.value(layout.pixel(1.25, 0.5)) == pytest.approx((1.25, 0.5))


def test_an_axis_can_be_turned_round(qapp):
    chart = Chart("", (Bar((0, 1), (0, 1), "#ff0000", "top"),), y=Axis((2, 0)))
    _, layout = drawn(chart)
    assert layout.pixel(0.5, 0.5).y() < layout.pixel(0.5, 1.5).y()


def test_a_pictures_first_line_is_the_lowest(qapp):
    rgba = np.zeros((2, 1, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[0, 0, 0] = 255  # red below
    rgba[1, 0, 2] = 255  # blue above
    image, layout = drawn(Chart("", (Picture(rgba, (0, 1), (0, 1)),)))
    assert image.pixelColor(layout.pixel(0.5, 0.25).toPoint()).name() == "#ff0000"
    assert image.pixelColor(layout.pixel(0.5, 0.75).toPoint()).name() == "#0000ff"


def test_units_of_a_map_are_equally_long(qapp):
    chart = Chart("", x=Axis((0, 10)), y=Axis((5, 0)), equal=True)
    for size in ((300, 200), (120, 400)):
        _, layout = drawn(chart, size)
        plot = layout.plot
        assert plot.width() / 10 == pytest.approx(plot.height() / 5)


def test_marks_with_gaps_are_drawn(qapp):
    x = np.array([0.0, 0.2, np.nan, 0.6, 1.0])
    marks = (
        Path(x, np.full(5, 0.5), "#ff0000", width=5),
        Path(x, np.zeros(5), "#0000ff", band=np.full(5, 0.2)),
        Dots(x, np.full(5, 0.8), "#00ff00"),
        Word(0.5, 0.5, "two\nlines", boxed=True),
    )
    image, layout = drawn(Chart("", marks))
    assert image.pixelColor(layout.pixel(0.1, 0.5).toPoint()).name() == "#ff0000"
    assert image.pixelColor(layout.pixel(0.3, 0.5).toPoint()).name() == "#000000"
    assert image.pixelColor(layout.pixel(0.6, 0.8).toPoint()).name() == "#00ff00"


def test_long_captions_are_wrapped_at_words(qapp):
    from qtpy.QtGui import QFontMetricsF

    metrics = QFontMetricsF(QFont())
    text = "one two three four five\nsix"
    lines = wrapped(text, metrics, metrics.horizontalAdvance("three four") + 1)
    assert " ".join(lines).split() == text.split()
    assert lines[-1] == "six"
    assert len(lines) > 2


def test_a_chart_fits_any_size(qapp):
    for size in ((20, 20), (60, 400), (900, 40)):
        drawn(two_bars(), size)


# ---- files


@pytest.mark.parametrize("size", [(300, 200), (1000, 640)])
def test_png_and_svg_have_the_chosen_size(qapp, tmp_path, size):
    png = save_chart(two_bars(), tmp_path / "a.png", size)
    image = QImage(str(png))
    assert (image.width(), image.height()) == size
    assert image.pixelColor(1, 1).name() == PAPER.background
    svg = save_chart(two_bars(), tmp_path / "a.svg", size)
    renderer = QSvgRenderer(str(svg))
    assert renderer.isValid()
    assert renderer.viewBoxF() == QRectF(0, 0, *size)
    sides = re.findall(r'(?:width|height)="([\d.]+)mm"', svg.read_text())
    # millimetres, of which an inch has 25.4 and 96 of CSS's pixels
    assert [round(float(side) / 25.4 * 96) for side in sides[:2]] == list(size)
    assert "Two bars" in svg.read_text()


def test_csv_holds_the_data(qapp, tmp_path):
    path = save_chart(two_bars(), tmp_path / "a.csv")
    pd.testing.assert_frame_equal(pd.read_csv(path), two_bars().data)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("a.jpg", (300, 200), "cannot be saved as .jpg"),
        ("a", (300, 200), "cannot be saved as a file without ending"),
        ("a.png", (2, 200), "a figure of 2 x 200 pixels"),
        ("a.svg", (300, 10**6), "a figure of 300 x 1000000 pixels"),
        ("no/folder/a.png", (300, 200), "cannot be written"),
        ("no/folder/a.svg", (300, 200), "cannot be written"),
        ("no/folder/a.csv", (300, 200), "cannot be written"),
    ],
)
def test_what_cannot_be_saved_says_why(qapp, tmp_path, name, size, message):
    with pytest.raises(SeeSpotError, match=message):
        save_chart(two_bars(), tmp_path / name, size)


def test_pages_of_a_report(qapp, tmp_path):
    pages = [Page("First\nbelow", [two_bars()] * 5), Page("Second", [two_bars()], 1)]
    path = save_pages(pages, tmp_path / "r.pdf", title="A title")
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") == 2
    for name, message in (
        ("r.png", "cannot be saved as .png"),
        ("no/folder/r.pdf", "cannot be written"),
    ):
        with pytest.raises(SeeSpotError, match=message):
            save_pages(pages, tmp_path / name, title="A title")


def test_a_grid_holds_all_charts():
    for n in range(1, 26):
        columns, rows = grid_shape(n)
        assert columns * rows >= n
        assert columns * (rows - 1) < n
    assert grid_shape(0) == (1, 1)
    assert grid_shape(4) == (2, 2)
    assert grid_shape(5, 1) == (1, 5)


# ---- the widget


@pytest.fixture
def view(qtbot):
    widget = ChartView()
    widget.resize(300, 200)
    widget.show_chart(two_bars())
    widget.show()
    qtbot.waitExposed(widget)
    widget.grab()
    yield widget
    widget.close()
    widget.deleteLater()


def at(view, x, y):
    return view.layout_.pixel(x, y).toPoint()


def test_a_click_tells_what_was_clicked(view, qtbot):
    button = Qt.MouseButton.LeftButton
    for modifier, mode in (
        (Qt.KeyboardModifier.NoModifier, "replace"),
        (Qt.KeyboardModifier.ShiftModifier, "add"),
        (Qt.KeyboardModifier.AltModifier, "subtract"),
    ):
        with qtbot.waitSignal(view.picked) as told:
            QTest.mouseClick(view, button, modifier, at(view, 1.5, 0.5))
        assert told.args == ["right", mode]
    with qtbot.assertNotEmitted(view.picked):
        QTest.mouseClick(view, button, pos=at(view, 0.5, 1.5))


def test_the_keyboard_reaches_every_mark(view, qtbot):
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.hot == "left"
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.hot == "right"
    assert view.accessibleDescription() == "the right one"
    with qtbot.waitSignal(view.picked) as told:
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert told.args == ["right", "replace"]
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view.hot == "left"
    view.show_chart(Chart("other"))
    assert view.hot is None
    QTest.keyClick(view, Qt.Key.Key_Return)


def test_the_pointer_points_out(view):
    QTest.mouseMove(view, at(view, 0.5, 0.5))
    QApplication.processEvents()
    view.grab()
    assert view.hot in ("left", None)  # offscreen screens may send no movement
    view.show_message("Nothing passes")
    view.grab()
    view._set_hot(None)
    assert view.hot is None


def test_height_follows_width(view):
    assert view.hasHeightForWidth()
    assert view.heightForWidth(600) > view.heightForWidth(200) > 100


def test_the_menu_saves_what_is_shown(view, tmp_path, monkeypatch):
    menu = view._menu()
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == [
        "Save as PNG…", "Save as SVG…", "Save data as CSV…", "Copy data",
    ]  # fmt: skip
    monkeypatch.setattr(QDialog, "exec", lambda self: True)
    for place, name in enumerate(("a.png", "b", "c.csv")):
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", lambda *_, n=name: (str(tmp_path / n), "")
        )
        menu.actions()[place].trigger()
    assert QImage(str(tmp_path / "a.png")).width() == 1200
    assert (tmp_path / "b.svg").exists()
    assert len(pd.read_csv(tmp_path / "c.csv")) == 2
    menu.actions()[-1].trigger()
    assert QApplication.clipboard().text().split() == [
        "name",
        "count",
        "a",
        "1",
        "b",
        "2",
    ]
    menu.deleteLater()


def test_a_menu_that_cannot_save_says_so(view, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *args: told.append(args[-1]))
    path = str(tmp_path / "no" / "a.csv")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    chart_menu.save_as(view, view.chart, DARK, ".csv")
    assert "cannot be written" in told[0]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    chart_menu.save_as(view, view.chart, DARK, ".csv")
    monkeypatch.setattr(QDialog, "exec", lambda self: False)
    chart_menu.save_as(view, view.chart, DARK, ".png")
    assert len(told) == 1


def test_the_button_stays_in_its_corner(view):
    view.resize(420, 200)
    QApplication.processEvents()
    corner = view.menu_button.geometry().topRight()
    assert (corner - QPoint(420, 0)).manhattanLength() < 8
    assert view.layout_.hit_at(QPointF(-5, -5)) is None
