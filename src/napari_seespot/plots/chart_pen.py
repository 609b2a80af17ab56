"""How texts and colours of a chart reach Qt's painter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QTextOption

if TYPE_CHECKING:
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["CENTER", "GAP", "LEFT", "RIGHT", "Pen", "image_of", "wrapped"]

GAP = 5.0
CENTER = Qt.AlignmentFlag.AlignCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Pen:
    """A painter with a theme and a font.

    Parameters
    ----------
    painter : QPainter
    theme : PlotTheme
    font : QFont
    """

    def __init__(self, painter: QPainter, theme: PlotTheme, font: QFont) -> None:
        self.painter = painter
        self.theme = theme
        self.font = QFont(font)
        # Of the device: a page has other pixels than the screen.
        self.metrics = QFontMetricsF(self.font, painter.device())

    def bold(self) -> Pen:
        """Return a pen that writes bold."""
        font = QFont(self.font)
        font.setBold(True)
        return Pen(self.painter, self.theme, font)

    def scaled(self, factor: float) -> Pen:
        """Return a pen that writes larger or smaller."""
        font = QFont(self.font)
        if font.pixelSize() > 0:
            font.setPixelSize(max(1, int(font.pixelSize() * factor)))
        else:
            font.setPointSizeF(max(0.5, font.pointSizeF() * factor))
        return Pen(self.painter, self.theme, font)

    @property
    def height(self) -> float:
        """Height of a line."""
        return float(self.metrics.height())

    def width(self, text: str) -> float:
        """Return the width of a text, of its longest line."""
        advance = self.metrics.horizontalAdvance
        return max(float(advance(line)) for line in text.split("\n"))

    def elided(self, text: str, width: float) -> str:
        """Return a text that fits a width."""
        mode = Qt.TextElideMode.ElideRight
        return str(self.metrics.elidedText(text, mode, width))

    def color(self, name: str, alpha: int = 255) -> QColor:
        """Return ``#rrggbb``, or a colour of the theme by its name."""
        color = QColor(name if name.startswith("#") else getattr(self.theme, name))
        color.setAlpha(alpha)
        return color

    def write(
        self,
        room: QRectF,
        text: str,
        flags: Any = LEFT,
        color: QColor | str = "text",
    ) -> None:
        """Write a text into an area, of which it may leave the borders."""
        # With a QTextOption: its flags are the same in all bindings of Qt.
        option = QTextOption(flags)
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        self.painter.setFont(self.font)
        self.painter.setPen(self.color(color) if isinstance(color, str) else color)
        self.painter.drawText(room, text, option)

    def write_lines(
        self, text: str, area: QRectF, top: float, color: QColor | str = "text"
    ) -> float:
        """Write a text in lines that fit an area's width; return their height."""
        lines = wrapped(text, self.metrics, area.width())
        for place, line in enumerate(lines):
            y = top + place * self.height
            self.write(
                QRectF(area.left(), y, area.width(), self.height), line, LEFT, color
            )
        return self.height * len(lines)


def wrapped(text: str, metrics: QFontMetricsF, width: float) -> list[str]:
    """Return a text in lines that fit a width; a word is never cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and metrics.horizontalAdvance(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def image_of(rgba: np.ndarray) -> QImage:
    """Return pixels, uint8 of shape (lines, columns, 4), as Qt's image."""
    height, width = rgba.shape[:2]
    pixels = np.ascontiguousarray(rgba, np.uint8).tobytes()
    image = QImage(pixels, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.copy()  # the bytes' memory is not the image's
