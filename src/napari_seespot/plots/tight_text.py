"""Text in little room: a smaller font before anything is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QFont, QFontInfo, QFontMetricsF

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["fitting_font"]


def fitting_font(
    font: QFont, texts: Iterable[str], width: float, smallest: int
) -> QFont:
    """Return the largest font in which all texts fit a width.

    Parameters
    ----------
    font : QFont
        The largest that is returned.
    texts : iterable of str
    width : float
        Pixels.
    smallest : int
        Height in pixels that stays readable: it is returned where nothing fits.
    """
    texts = list(texts)
    fitting = QFont(font)
    for pixels in range(max(QFontInfo(font).pixelSize(), smallest), smallest - 1, -1):
        fitting.setPixelSize(pixels)
        metrics = QFontMetricsF(fitting)
        if all(metrics.horizontalAdvance(text) <= width for text in texts):
            break
    return fitting
