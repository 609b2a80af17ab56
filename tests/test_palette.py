from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_seespot import palette
from napari_seespot.palette import (
    CELL_COLOR,
    CELL_COLORS,
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


# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation
# of color vision deficiency", severity 1.0, in linear RGB.
_BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(color, matrix):
    """Return CIE Lab of a colour as somebody sees it."""
    srgb = np.array(rgba(color)[:3])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(matrix) @ linear, 0, 1)
    srgb = np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return rgb2lab(srgb[None, None])[0, 0]


@pytest.mark.parametrize("blindness", _BLINDNESS)
@pytest.mark.parametrize(
    "colors",
    [STATUS_COLORS, channel_colors(["488", "514", "561", "594", "638"])],
    ids=["statuses", "channels"],
)
def test_colours_stay_apart_for_the_colour_blind(colors, blindness):
    lab = [seen(color, _BLINDNESS[blindness]) for color in colors.values()]
    for a, b in combinations(lab, 2):
        assert deltaE_ciede2000(a, b) > 15  # 1 is just noticeable


def test_colours_show_on_a_dark_canvas():
    for color in (*STATUS_COLORS.values(), *CELL_COLORS):
        assert seen(color, np.eye(3))[0] > 40
