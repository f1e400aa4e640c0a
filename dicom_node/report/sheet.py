"""Drawing words and shapes on a page of A4, in points from its upper left corner."""

from io import BytesIO

from PIL import Image
from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from dicom_node.report.letters import OWN_FONT, Letters

#: Streams stay binary: seven bits cost a fifth of the size and most of the time.
rl_config.useA85 = 0

Colour = tuple[int, int, int]

WIDTH, HEIGHT = A4
MARGIN = 40.0

INK = (22, 26, 32)
DIM = (94, 102, 114)
LINE = (200, 205, 212)
PANEL = (243, 245, 247)
WHITE = (255, 255, 255)
AMBER = (176, 104, 0)
GREEN = (24, 116, 66)
RED = (186, 28, 28)

_SMALLEST = 5.5
_LEADING = 1.32
#: From the top of a line to the foot of its letters, in parts of their size.
_ASCENT = 0.93


class Sheet:
    """One page whose words can be selected; the same drawing gives the same bytes."""

    def __init__(self, letters: Letters, *, title: str, author: str) -> None:
        self._letters = letters
        self._buffer = BytesIO()
        self._canvas = Canvas(
            self._buffer,
            pagesize=A4,
            invariant=1,
            lang="en-GB",
            initialFontName=OWN_FONT,  # type: ignore[arg-type] # its stub takes it for a number
        )
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)

    def to_bytes(self) -> bytes:
        """The finished PDF; nothing can be drawn after it."""
        self._canvas.showPage()
        self._canvas.save()
        return self._buffer.getvalue()

    def text(self, x: float, y: float, words: str, size: float, fill: Colour = INK) -> float:
        """One line, its upper left corner at (x, y); returns the x behind it."""
        self._fill(fill)
        for run in self._letters.runs(self._letters.shown(words)):
            self._canvas.setFont(run.font, size)
            self._canvas.drawString(x, HEIGHT - y - _ASCENT * size, run.words)
            x += stringWidth(run.words, run.font, size)
        return x

    def right(self, x: float, y: float, words: str, size: float, fill: Colour) -> None:
        """One line that ends at x."""
        self.text(x - self._width(words, size), y, words, size, fill)

    def centred(self, x: float, y: float, words: str, size: float, fill: Colour = INK) -> None:
        """One line with its middle at x."""
        self.text(x - self._width(words, size) / 2, y, words, size, fill)

    def paragraph(
        self, x: float, y: float, width: float, words: str, size: float, fill: Colour = INK
    ) -> float:
        """Lines broken to a width; returns the y below them."""
        for line in self._lines(self._letters.shown(words), size, width):
            self.text(x, y, line, size, fill)
            y += _LEADING * size
        return y

    def height(self, words: str, width: float, size: float) -> float:
        """How high a paragraph is."""
        return len(self._lines(self._letters.shown(words), size, width)) * _LEADING * size

    def fitting_size(self, words: list[str], width: float, height: float, size: float) -> float:
        """The size, not above `size`, at which paragraphs fit; the smallest where none does."""
        while size > _SMALLEST and sum(self.height(item, width, size) for item in words) > height:
            size -= 0.25
        return size

    def box(
        self, corners: tuple[float, float, float, float], fill: Colour, *, radius: float = 0
    ) -> None:
        """A filled rectangle (left, top, right, bottom)."""
        left, top, right, bottom = corners
        self._fill(fill)
        shape = (left, HEIGHT - bottom, right - left, bottom - top, radius)
        self._canvas.roundRect(*shape, stroke=0, fill=1)

    def dot(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """A filled circle with a white rim."""
        self._fill(WHITE)
        self._canvas.circle(x, HEIGHT - y, radius + 1.2, stroke=0, fill=1)
        self._fill(fill)
        self._canvas.circle(x, HEIGHT - y, radius, stroke=0, fill=1)

    def picture(self, corners: tuple[float, float, float, float], image: Image.Image) -> None:
        """An image in the middle of (left, top, right, bottom), as large as fits."""
        left, top, right, bottom = corners
        self._canvas.drawImage(
            ImageReader(image),
            left,
            HEIGHT - bottom,
            right - left,
            bottom - top,
            preserveAspectRatio=True,
            anchor="c",
        )

    def _fill(self, colour: Colour) -> None:
        self._canvas.setFillColorRGB(*(part / 255 for part in colour))

    def _width(self, words: str, size: float) -> float:
        runs = self._letters.runs(self._letters.shown(words))
        return sum(stringWidth(run.words, run.font, size) for run in runs)

    def _lines(self, words: str, size: float, width: float) -> list[str]:
        """Broken between words, and within one that is wider than the line."""
        lines: list[str] = []
        for word in words.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._width(longer, size) <= width:
                lines[-1] = longer
                continue
            lines.append("")
            for letter in word:
                if lines[-1] and self._width(lines[-1] + letter, size) > width:
                    lines.append("")
                lines[-1] += letter
        return lines
