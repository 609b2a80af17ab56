"""Charts: what they say, where they are drawn, and what is written to files."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QFont, QGuiApplication, QImage, QPainter
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox
from scipy.optimize import isotonic_regression

from napari_seespot.densities import density, histogram
from napari_seespot.errors import SeeSpotError
from napari_seespot.palette import STATUS_COLORS
from napari_seespot.picks import Pick
from napari_seespot.plots import chart_menu
from napari_seespot.plots.chart_labels import spread
from napari_seespot.plots.chart_painter import ChartPainter
from napari_seespot.plots.chart_pen import Pen, wrapped
from napari_seespot.plots.chart_view import ChartView
from napari_seespot.plots.charts import (
    NOTHING,
    Axis,
    Chart,
    Ramp,
    nice_ticks,
    number_text,
    short_number,
)
from napari_seespot.plots.density_charts import density_chart
from napari_seespot.plots.dye_line_marks import line_marks
from napari_seespot.plots.exports import save_chart, save_page, save_pages
from napari_seespot.plots.marks import (
    Bar,
    Dots,
    Labels,
    Path,
    Picture,
    Ribbon,
    Word,
)
from napari_seespot.plots.pages import Page, grid_shape
from napari_seespot.plots.sankey import sankey_chart
from napari_seespot.plots.shades import Shades, pixels_on
from napari_seespot.plots.summary_charts import (
    channels_chart,
    histogram_chart,
    ratio_chart,
    status_chart,
)
from napari_seespot.plots.theme import DARK, LIGHT, PAPER
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
    chart = density_chart(counted, dataset, title="t", labels=("x", "y"))
    assert chart.data[list(counted.classes)].to_numpy().sum() == counted.total
    assert len(chart.data) == (counted.counts.sum(axis=0) > 0).sum()
    plain = density(dataset.spots, "488", "514", bins=32)
    chart = density_chart(plain, dataset, title="t", labels=("x", "y"))
    assert chart.data["spots"].sum() == plain.total
    assert chart.ramp.high == f"{plain.counts.max():,}"


def test_channel_bars(dataset):
    counts = dataset.spots.to_pandas()["chan"].value_counts().sort_index()
    chart = channels_chart(counts, dataset)
    assert [bar.y[1] for bar in bars(chart)] == counts.tolist()


# ---- the flow's labels

tall = st.lists(st.floats(-50, 450), min_size=1, max_size=12).map(sorted)


@given(tall, st.floats(1, 60))
def test_labels_are_spread_as_little_as_need_be(places, size):
    got = np.array(spread(places, size, 0.0, 400.0))
    assert (np.diff(got) >= size - 1e-6).all()  # none covers another
    if size * len(places) <= 400:
        assert got[0] >= size / 2 - 1e-6
        assert got[-1] <= 400 - size / 2 + 1e-6
    # The least squares of scipy, under the same conditions, are no better.
    offsets = np.arange(len(places)) * size
    wanted = np.array(places) - offsets
    best = isotonic_regression(wanted).x
    highest = max(size / 2, 400 - size / 2 - offsets[-1])
    best = np.clip(best, size / 2, highest) + offsets
    assert got == pytest.approx(best)


def flow_with_tiny_nodes():
    names = ("488", "514", "561", "594", "638")
    flow = pd.DataFrame(0, index=list(names), columns=[*names, "removed"])
    flow.loc["488", "488"] = 8_000_000
    for place, name in enumerate(names):
        flow.loc["488", name] += place + 1
        flow.loc[name, "removed"] += 2
    return flow, {name: f"{name} · Gene{name}" for name in names}


@pytest.mark.parametrize("size", [(1200, 800), (340, 330), (300, 160), (200, 90)])
def test_labels_of_tiny_flows_do_not_cover_each_other(qapp, size, monkeypatch):
    flow, labels = flow_with_tiny_nodes()
    chart = sankey_chart(flow, labels)
    written = []
    write = Pen.write

    def note(pen, room, text, *args):
        written.append((text, room, pen.width(text), pen.height))
        write(pen, room, text, *args)

    monkeypatch.setattr(Pen, "write", note)
    _, layout = drawn(chart, size)
    told = [entry for entry in written if "\n" in entry[0]]
    counts = {text.split("\n")[1] for text, *_ in told}
    sums = [*flow.sum(axis=1), *flow.sum(axis=0)]
    assert counts == {f"{count:,}" for count in sums if count}  # exact, and uncut
    for side in (True, False):
        rooms = [
            room for _, room, *_ in told
            if (room.center().x() < layout.plot.center().x()) == side
        ]  # fmt: skip
        assert len(rooms) == 5 + (not side)
        for a, b in itertools.combinations(rooms, 2):
            assert a.intersected(b).height() < 0.5
    for text, room, width, _ in told:
        # Names may be cut; what is written fits its room.
        assert width <= room.width() + 1, text
        assert layout.plot.adjusted(-2, -2, 2, 2).contains(room) or size[1] < 100


def test_a_flow_without_spots_has_no_labels(qapp):
    drawn(Chart("", (Labels(0.5, ()),)))


# ---- on any background


def filled_colors(image, layout, counts):
    """Colour of each bin that holds spots, and how many, in the picture's middle."""
    shape = counts.shape
    found = {}
    for line, column in zip(*np.nonzero(counts), strict=True):
        x = layout.plot.left() + (column + 0.5) / shape[1] * layout.plot.width()
        y = layout.plot.bottom() - (line + 0.5) / shape[0] * layout.plot.height()
        color = image.pixelColor(QPointF(x, y).toPoint())
        found.setdefault(int(counts[line, column]), []).append(color.lightness())
    return {count: np.mean(values) for count, values in found.items()}


@pytest.mark.parametrize("by", [None, "status"])
def test_full_bins_stand_out_on_white_and_on_black(qapp, make_dataset, by):
    dataset = make_dataset(4000, bad=False)
    counted = density(dataset.spots, "488", "514", bins=16, by=by)
    chart = density_chart(counted, dataset, title="t", labels=("x", "y"))
    total = counted.counts if by is None else counted.counts.sum(axis=0)
    for theme, back in ((PAPER, 255), (DARK, 0), (LIGHT, 255)):
        image, layout = drawn(chart, (400, 400), theme)
        lightness = filled_colors(image, layout, total)
        few, many = lightness[1], lightness[max(lightness)]
        assert abs(many - back) > 100
        assert abs(many - back) > abs(few - back)
        ramp = pixels_on(chart.ramp.table, theme)[:, :3].mean(axis=1)
        assert abs(ramp[-1] - back) > abs(ramp[0] - back)


def test_a_bar_of_counts_needs_counts(make_dataset):
    dataset = make_dataset(1, bad=False)
    counted = density(dataset.spots, "488", "514", bins=4)
    chart = density_chart(counted, dataset, title="t", labels=("x", "y"))
    assert chart.ramp is None
    counted = density(make_dataset(500).spots, "488", "514", bins=4, by="status")
    chart = density_chart(counted, dataset, title="t", labels=("x", "y"))
    most = counted.counts.sum(axis=0).max()
    assert (chart.ramp.low, chart.ramp.high) == ("1", f"{most:,}")


def test_what_has_no_look_is_not_drawn(qapp):
    nothing = Shades(lambda _theme: None)
    ramp = Ramp(nothing, "low", "high")
    drawn(Chart("", (Picture(nothing, (0, 1), (0, 1)),), ramp=ramp))


def test_a_look_is_made_once():
    made = []
    shades = Shades(lambda theme: made.append(theme) or np.zeros((1, 1, 4)), {DARK: 5})
    assert shades.on(DARK) == 5
    assert shades.on(PAPER) is shades.on(PAPER)
    assert made == [PAPER]


# ---- names of dye lines


def test_dye_lines_have_their_names(qapp, dataset):
    marks = line_marks(dataset, ("488", "514"), (0, 900, 0, 900))
    words = [mark for mark in marks if isinstance(mark, Word)]
    assert [word.text for word in words] == ["488 · Crh", "514 · Penk", "561"]
    paths = [mark for mark in marks if isinstance(mark, Path)]
    assert [word.frame for word in words] == [path.color for path in paths]
    for word, path in zip(words, paths, strict=True):
        for x, y in [(word.x, word.y), *(place[:2] for place in word.elsewhere)]:
            assert y == pytest.approx(x * path.y[-1] / path.x[-1])  # on its line
    short = line_marks(dataset, ("488", "514"), (0, 900, 0, 900), short=True)
    assert [m.text for m in short if isinstance(m, Word)] == ["488", "514", "561"]


def test_names_give_way_to_each_other(qapp, monkeypatch):
    at = ((0.5, 0.5, (0.5, 0.5)), (0.5, 0.2, (0.5, 0.5)))
    words = [
        Word(0.5, 0.9, name, elsewhere=at) for name in ("one", "two", "three", "x")
    ]
    placed = {}
    monkeypatch.setattr(
        Pen, "write", lambda _pen, room, text, *_: placed.update({text: room})
    )
    _, layout = drawn(Chart("", tuple(words), Axis(shown=False), Axis(shown=False)))
    assert set(placed) == {"one", "two", "three"}  # for the fourth there is no room
    for a, b in itertools.combinations(placed.values(), 2):
        assert not a.intersects(b)
    assert all(layout.plot.contains(room) for room in placed.values())


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


def pdf_size(path):
    box = re.search(rb"/MediaBox \[([\d. ]+)\]", path.read_bytes()).group(1)
    return [float(side) for side in box.split()[2:]]


def test_a_pdf_has_the_chosen_size(qapp, tmp_path):
    path = save_chart(two_bars(), tmp_path / "a.pdf", (960, 480))
    assert path.read_bytes().startswith(b"%PDF")
    assert pdf_size(path) == pytest.approx([720, 360], abs=1)  # 72 points an inch


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_one_page_as_a_picture(qapp, tmp_path, ending):
    page = Page("Heading\nmore", [two_bars()] * 4)
    path = save_page(page, tmp_path / f"a{ending}", (640, 480), DARK)
    if ending == ".png":
        image = QImage(str(path))
        assert (image.width(), image.height()) == (640, 480)
        assert image.pixelColor(1, 1).name() == DARK.background
    elif ending == ".svg":
        assert QSvgRenderer(str(path)).isValid()
        assert path.read_text().count("Two bars") == 4
    else:
        assert pdf_size(path) == pytest.approx([480, 360], abs=1)
    with pytest.raises(SeeSpotError, match=r"cannot be saved as \.csv.*\.png, \.svg"):
        save_page(page, tmp_path / "a.csv")
    with pytest.raises(SeeSpotError, match="cannot be written"):
        save_page(page, tmp_path / "no" / f"a{ending}")


def test_a_long_heading_gets_the_room_it_needs(qapp, monkeypatch, tmp_path):
    charts = []
    paint = ChartPainter.paint

    def note(painter, chart, area, *args):
        charts.append(area)
        return paint(painter, chart, area, *args)

    monkeypatch.setattr(ChartPainter, "paint", note)
    written = []
    write = Pen.write

    def note_text(pen, room, text, *args):
        written.append((text, room))
        write(pen, room, text, *args)

    monkeypatch.setattr(Pen, "write", note_text)
    for n in (1, 20, 60, 2000):
        charts.clear()
        written.clear()
        words = [f"filter{i}" for i in range(n)]
        heading = "Title\n" + " ".join(words)
        save_page(Page(heading, [two_bars()]), tmp_path / "a.png", (600, 400))
        lines = [(t, room) for t, room in written if "filter" in t]
        told = " ".join(text for text, _ in lines).split()
        assert told == words if n < 100 else told[-1] == "…"
        assert charts[0].top() >= max(room.bottom() for _, room in lines)
        assert charts[0].height() > 180  # most of the page is theirs
        assert all(room.right() <= 600 for _, room in lines)


def test_csv_holds_the_data(qapp, tmp_path):
    path = save_chart(two_bars(), tmp_path / "a.csv")
    pd.testing.assert_frame_equal(pd.read_csv(path), two_bars().data)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("a.jpg", (300, 200), r"cannot be saved as \.jpg.*\.png, \.svg, \.pdf, \.csv"),
        ("no/folder/a.pdf", (300, 200), "cannot be written"),
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


@pytest.fixture
def cloud(view, dataset):
    counted = density(dataset.spots, "r", "dist", bins=(6, 5), by="status")
    view.show_chart(density_chart(counted, dataset, title="t", labels=("r", "dist")))
    view.grab()
    return counted


def bin_place(view, counted, line, column):
    edges = (counted.x_edges, column), (counted.y_edges, line)
    x, y = ((e[place] + e[place + 1]) / 2 for e, place in edges)
    return at(view, x, y)


def test_a_click_on_a_bin_is_its_spots(view, cloud, dataset, qtbot):
    total = cloud.counts.sum(axis=0)
    for (line, column), count in np.ndenumerate(total):
        place = bin_place(view, cloud, line, column)
        if not count:
            with qtbot.assertNotEmitted(view.picked):
                QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
            continue
        with qtbot.waitSignal(view.picked) as told:
            QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
        pick, mode = told.args
        assert mode == "replace"
        assert pick.mask(dataset.spots).sum() == count
    beside = view.layout_.plot.topLeft().toPoint() - QPoint(3, 3)
    with qtbot.assertNotEmitted(view.picked):
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=beside)


def test_a_bin_tells_what_it_holds(view, cloud):
    total = cloud.counts.sum(axis=0)
    line, column = np.unravel_index(total.argmax(), total.shape)
    hit = view.layout_.hit_at(QPointF(bin_place(view, cloud, line, column)))
    kinds = dict(zip(cloud.classes, cloud.counts[:, line, column], strict=True))
    told = ", ".join(f"{count:,} {name}" for name, count in kinds.items() if count)
    assert hit.tip.startswith(f"{total.max():,} spots: {told}\nr ")
    view._point_at(hit)
    view.grab()
    assert view.hot == hit.key
    view.leaveEvent(QEvent(QEvent.Type.Leave))
    assert view.hot is None
    assert view._cell is None


def test_the_arrow_keys_reach_the_bins(view, cloud, dataset, qtbot):
    QTest.keyClick(view, Qt.Key.Key_Right)
    start = view._cell
    assert start is not None  # in the middle
    for key, axis, sign in (
        (Qt.Key.Key_Right, "x", 1),
        (Qt.Key.Key_Left, "x", -1),
        (Qt.Key.Key_Up, "y", 1),
        (Qt.Key.Key_Down, "y", -1),
    ):
        before = view._cell
        QTest.keyClick(view, key)
        moved = getattr(view._cell, axis)[0] - getattr(before, axis)[0]
        assert moved * sign > 0
    assert view._cell.key == start.key
    assert "spots: " in view.accessibleDescription()
    with qtbot.waitSignal(view.picked) as told:
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert told.args[0].mask(dataset.spots).sum() > 0
    for _ in range(10):  # to the border, and not beyond
        QTest.keyClick(view, Qt.Key.Key_Left)
    assert view._cell.x[0] >= cloud.x_edges[0] - 1e-9
    view.show_chart(Chart("nothing"))
    view.grab()
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view._cell is None


def test_empty_pictures_cannot_be_walked(view, make_dataset):
    counted = density(make_dataset(0).spots, "r", "dist", bins=4)
    chart = density_chart(counted, make_dataset(0), title="t", labels=("r", "dist"))
    view.show_chart(chart)
    view.grab()
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view._cell is None


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


def test_from_a_dark_window_to_white_paper(view, dataset, tmp_path, monkeypatch):
    counted = density(dataset.spots, "488", "514", bins=8)
    view.set_theme(DARK)
    view.show_chart(density_chart(counted, dataset, title="t", labels=("x", "y")))
    view.grab()
    monkeypatch.setattr(QDialog, "exec", lambda self: True)
    path = str(tmp_path / "a.png")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    menu = view._menu()
    menu.actions()[0].trigger()
    menu.deleteLater()
    saved = QImage(path)
    assert saved.pixelColor(1, 1).name() == PAPER.background
    size = (saved.width(), saved.height())
    _, layout = drawn(view.chart, size, PAPER)
    lightness = filled_colors(saved, shifted(layout, size), counted.counts)
    assert lightness[max(lightness)] < 110


def shifted(layout, size):
    """The layout within a file's margins."""
    area = QRectF(0, 0, *size).adjusted(12, 12, -12, -12)
    image = QImage(QSize(*size), QImage.Format.Format_RGB32)
    painter = QPainter(image)
    font = QFont(QGuiApplication.font())
    font.setPixelSize(13)
    found = ChartPainter(painter, PAPER, font).paint(layout.chart, area)
    painter.end()
    return found


@pytest.mark.parametrize(
    ("text", "chosen", "wanted"),
    [
        ("here", "SVG drawing (*.svg)", "here.svg"),
        ("here.png", "SVG drawing (*.svg)", "here.png"),
        ("here.txt", "SVG drawing (*.svg)", "here.txt.svg"),
        ("here", "", "here.png"),
        ("", "", None),
    ],
)
def test_a_path_gets_the_ending_that_was_chosen(
    view, monkeypatch, text, chosen, wanted
):
    asked = []

    def ask(_parent, _title, name, filters):
        asked.append((name, filters))
        return text, chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    path = chart_menu.ask_path(view, "Pair 488/514", ".png", ".svg")
    assert (None if path is None else path.name) == wanted
    both = "PNG picture (*.png);;SVG drawing (*.svg)"
    assert asked == [("pair_488_514.png", both)]


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
