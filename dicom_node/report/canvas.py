"""Drawing words and shapes on the summary picture, in pixels from its upper left corner."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import ImageDraw, ImageFont

from dicom_node.report.letters import FONT_FILE, NOT_SHOWN, in_own_font
from inference.types import Standing

Colour = tuple[int, int, int]

WIDTH, HEIGHT, MARGIN = 1280, 960, 40

BACKGROUND = (14, 16, 20)
BRIGHT = (236, 239, 243)
DIM = (150, 158, 170)
LINE = (62, 68, 78)
PANEL = (27, 31, 38)
AMBER = (255, 190, 92)
GREEN = (120, 200, 150)
RED = (255, 110, 100)

#: The band that says how far the model may be trusted.
BAND = {
    Standing.UNTRAINED: (255, 84, 72),
    Standing.PHANTOM: (255, 122, 214),
    Standing.RESEARCH: (255, 190, 92),
}


_SMALLEST = 11


@dataclass(frozen=True, slots=True)
class Canvas:
    """Pillow's drawing with its built-in scalable font, which needs no font file on the host.

    It has the letters of English alone: words that need more come in the font of the page.
    """

    draw: ImageDraw.ImageDraw

    def text(self, x: int, y: int, words: str, size: int, fill: Colour = BRIGHT) -> int:
        """One line, its upper left corner at (x, y); returns the x behind it."""
        font = _font(size, english=words.isascii())
        self.draw.text((x, y), words, fill=fill, font=font)
        return x + round(self.draw.textlength(words, font=font))

    def line(self, x: int, y: int, width: int, words: str, size: int, fill: Colour) -> None:
        """One line of a source's words, cut to a width; that they cannot be shown, where so."""
        shown = unicodedata.normalize("NFC", words)
        shown = shown if in_own_font(shown) else NOT_SHOWN
        font = _font(size, english=shown.isascii())
        if self.draw.textlength(shown, font=font) > width:
            while self.draw.textlength(f"{shown} ...", font=font) > width:
                shown = shown[:-1]
            shown = f"{shown.rstrip()} ..."
        self.text(x, y, shown, size, fill)

    def right(self, x: int, y: int, words: str, size: int, fill: Colour) -> None:
        """One line that ends at x."""
        self.draw.text((x, y), words, fill=fill, font=_font(size), anchor="ra")

    def centred(self, x: int, y: int, words: str, size: int, fill: Colour) -> None:
        """One line with its middle at (x, y)."""
        self.draw.text((x, y), words, fill=fill, font=_font(size), anchor="mm")

    def paragraph(self, x: int, y: int, width: int, words: str, size: int, fill: Colour) -> int:
        """Lines broken to a width; returns the y below them."""
        for line in self._lines(words, size, width):
            self.text(x, y, line, size, fill)
            y += _line_height(size)
        return y

    def fitted(self, box: tuple[int, int, int, int], words: str, size: int, fill: Colour) -> None:
        """A paragraph inside (left, top, right, bottom), in smaller letters where it must be."""
        left, top, right, bottom = box
        while size > _SMALLEST and top + self._height(words, size, right - left) > bottom:
            size -= 1
        self.paragraph(left, top, right - left, words, size, fill)

    def box(
        self,
        corners: tuple[int, int, int, int],
        fill: Colour,
        *,
        radius: int = 0,
        outline: Colour | None = None,
    ) -> None:
        """A filled rectangle (left, top, right, bottom)."""
        self.draw.rounded_rectangle(corners, radius, fill=fill, outline=outline)

    def dot(self, x: int, y: int, radius: int, fill: Colour, *, outline: Colour) -> None:
        """A filled circle."""
        corners = (x - radius, y - radius, x + radius, y + radius)
        self.draw.ellipse(corners, fill=fill, outline=outline, width=3)

    def path(self, corners: Sequence[tuple[int, int]], fill: Colour) -> None:
        """A line through corners."""
        self.draw.line(list(corners), fill=fill, width=3)

    def _height(self, words: str, size: int, width: int) -> int:
        return len(self._lines(words, size, width)) * _line_height(size)

    def _lines(self, words: str, size: int, width: int) -> list[str]:
        lines: list[str] = []
        for word in words.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.draw.textlength(longer, font=_font(size)) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def _line_height(size: int) -> int:
    return round(1.35 * size)


@cache
def _font(size: int, *, english: bool = True) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size) if english else ImageFont.truetype(FONT_FILE, size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font
