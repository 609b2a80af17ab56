from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_seespot import palette
from napari_seespot.palette import (
    CELL_COLOR,
    STATUS_COLORS,
    channel_color,
    channel_colors,
    rgba,
    wavelength,
)


@pytest.mark.parametrize(
    ("channel", "nm"),
    [
        ("488", 488),
        ("channel_561", 561),
        ("R4 638 nm", 638),
        ("1064", 1064),
        ("DAPI", None),
        ("12", None),
        ("12345", None),
        ("", None),
    ],
)
def test_wavelengths_in_names(channel, nm):
    assert wavelength(channel) == nm


def test_each_laser_has_its_own_colour_and_neighbours_take_it():
    lasers = ["405", "488", "514", "561", "594", "638", "700", "750"]
    colors = {channel_color(laser) for laser in lasers}
    assert len(colors) == len(lasers)
    assert channel_color("490") == channel_color("488")
    assert channel_color("640") == channel_color("638")
    assert channel_color("DAPI") == CELL_COLOR


@given(st.lists(st.text(max_size=6), unique=True, max_size=8))
def test_channels_differ_while_the_palette_lasts(channels):
    colors = channel_colors(channels)
    assert list(colors) == channels
    assert len(set(colors.values())) == len(channels)


def test_more_channels_than_colours():
    colors = channel_colors([str(n) for n in range(400, 440)])
    assert len(colors) == 40
    assert all(len(color) == 7 for color in colors.values())


def test_statuses_have_different_colours():
    assert list(STATUS_COLORS) == ["unchanged", "reassigned", "removed"]
    assert len(set(STATUS_COLORS.values())) == 3


def test_numbers_of_a_colour():
    assert rgba("#ff0080") == (1.0, 0.0, 128 / 255, 1.0)
    assert rgba("#000000", 0.25) == (0.0, 0.0, 0.0, 0.25)
    assert palette.rgba_table(["#ffffff"]) == [(1.0, 1.0, 1.0, 1.0)]
