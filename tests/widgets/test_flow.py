"""Rows of widgets that break where a dock is narrow."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magicgui.widgets import CheckBox, ComboBox, Label, LineEdit, PushButton
from qtpy.QtCore import QRect
from qtpy.QtWidgets import QWidget

from napari_seespot.widgets._flow import flow_grid, flow_row, narrow
from napari_seespot.widgets._wrapped import wrap


def laid_out(row, width, qtbot):
    """Return the geometries of a row's widgets once it is so wide."""
    qtbot.addWidget(row.native)
    row.native.show()
    row.native.resize(width, row.native.heightForWidth(width))
    qtbot.waitUntil(lambda: row.native.width() == width)
    qtbot.wait(10)
    return [geometry(widget) for widget in row]


def geometry(widget):
    return QRect(widget.native.geometry())


def buttons(*texts):
    return [PushButton(text=text) for text in texts]


def widths(row):
    return [widget.native.sizeHint().width() for widget in row]


def lines(places):
    """Return how many widgets there are in each line."""
    tops = [place.center().y() for place in places]
    return [tops.count(top) for top in dict.fromkeys(tops)]


def test_a_row_breaks_where_it_has_to(qtbot):
    row = flow_row(*buttons("one", "two", "three", "four"))
    needed, widest = sum(widths(row)) + 3 * 4, max(widths(row))
    for width, expected in ((needed, [4]), (needed - 1, [3, 1]), (widest, [1] * 4)):
        places = laid_out(row, width, qtbot)
        assert lines(places) == expected
        assert all(
            place.width() >= w for place, w in zip(places, widths(row), strict=True)
        )
        assert all(place.right() < width for place in places)
        for one, other in itertools.pairwise(places):
            assert not one.intersects(other)
    height = places[0].height()
    assert row.native.heightForWidth(widest) == 4 * height + 3 * 4
    assert row.native.minimumSizeHint().width() == max(widths(row))


def test_those_that_grow_share_what_is_left(qtbot):
    first, second, last = buttons("a", "b", "c")
    row = flow_row(first, second, last, grow=[first, last])
    own = widths(row)
    places = laid_out(row, sum(own) + 8 + 51, qtbot)
    assert [place.width() for place in places] == [own[0] + 25, own[1], own[2] + 26]
    assert places[-1].right() == row.native.width() - 1


def test_what_grows_may_be_half_as_wide(qtbot):
    edit, button = LineEdit(), PushButton(text="Save")
    row = flow_row(edit, button, grow=[edit])
    least = edit.native.sizeHint().width() // 2
    width = least + 4 + button.native.sizeHint().width()
    assert lines(laid_out(row, width, qtbot)) == [2]
    assert geometry(edit).width() == least
    assert lines(laid_out(row, width - 1, qtbot)) == [1, 1]


def test_line_edits_have_room_for_digits(qtbot):
    edit, other = LineEdit(), LineEdit()
    row = flow_row(edit, other, digits=6)
    digits = edit.native.fontMetrics().horizontalAdvance("000000")
    assert lines(laid_out(row, 2 * (digits + 16) + 4, qtbot)) == [2]
    font = edit.native.font()
    font.setPointSize(2 * font.pointSize())
    for part in (edit, other):
        part.native.setFont(font)
    qtbot.wait(10)
    places = laid_out(row, 2 * (digits + 16) + 4, qtbot)
    assert lines(places) == [1, 1]
    wide = edit.native.fontMetrics().horizontalAdvance("000000")
    assert places[0].width() == wide + 16 > digits + 16


def test_hidden_widgets_take_no_room(qtbot):
    one, two, three = buttons("one", "two", "three")
    row = flow_row(one, two, three)
    laid_out(row, 300, qtbot)
    two.visible = False
    laid_out(row, 301, qtbot)
    assert geometry(three).left() == geometry(one).right() + 1 + 4


def test_a_grid_has_as_many_columns_as_there_is_room_for(qtbot):
    row = flow_grid(*(CheckBox(text=text) for text in ("a", "bb", "cccccc", "d", "e")))
    widest = max(widths(row))
    places = laid_out(row, 2 * widest + 4, qtbot)
    assert lines(places) == [2, 2, 1]
    assert {place.width() for place in places} == {widest}
    assert places[0].left() == places[2].left() == places[4].left() == 0
    assert places[1].left() == places[3].left() == widest + 4
    assert lines(laid_out(row, 2 * widest + 3, qtbot)) == [1] * 5
    assert lines(laid_out(row, 5 * widest + 16, qtbot)) == [5]


def test_wrapped_labels_are_as_high_as_their_text(qtbot):
    label, button = Label(value="some words " * 12), PushButton(text="Clear")
    wrap(label)
    row = flow_row(label, button, grow=[label])
    laid_out(row, 260, qtbot)
    native = label.native
    assert native.height() >= native.heightForWidth(native.width())
    line = native.fontMetrics().height()
    assert row.native.heightForWidth(200) >= 3 * line


def test_a_combo_box_is_narrower_than_its_choices(qtbot):
    box = ComboBox(choices=["a very long choice indeed, longer than a dock"])
    qtbot.addWidget(box.native)
    before = box.native.sizeHint().width()
    narrow(box, 5)
    assert box.native.minimumSizeHint().width() < before / 2


def test_a_row_without_widgets(qtbot):
    row = flow_row()
    assert laid_out(row, 100, qtbot) == []
    grid = flow_grid()
    assert laid_out(grid, 100, qtbot) == []


@pytest.fixture(scope="module")
def row(qapp):
    row = flow_row(*buttons("a", "bb", "ccc", "dddddd", "e"))
    yield row
    row.native.close()
    row.native.deleteLater()


@given(width=st.integers(1, 400))
def test_any_width_has_the_height_that_it_is_given(row, width):
    layout = row[0].native.parentWidget().layout()
    height = layout.heightForWidth(width)
    layout.setGeometry(QRect(0, 0, width, height))
    places = [geometry(widget) for widget in row]
    assert max(place.bottom() for place in places) == height - 1
    assert max(place.right() for place in places) < width
    assert isinstance(row[0].native.parentWidget(), QWidget)
