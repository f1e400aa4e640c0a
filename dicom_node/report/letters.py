"""The letters of the page: in which font each is shown, and what is said where none has it.

Every font that is used is embedded, so that a page looks the same wherever it is opened. Latin,
Greek and Cyrillic come with the node, from a subset of DejaVu Sans. For Chinese, Japanese and
Korean the settings may name a font, which would be megabytes here. Scripts that are joined or that
run from right to left would come out wrong and are not shown at all.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from dicom_node.report.errors import ReportError

NOT_SHOWN = "(in letters that this page cannot show)"

FONT_FILE = Path(__file__).parent / "fonts" / "DejaVuSans-Subset.ttf"
OWN_FONT = "DejaVuSans-Subset"

_EAST_ASIAN = re.compile("[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uffee]")


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring letters of one font."""

    font: str
    words: str


@dataclass(frozen=True, slots=True)
class Letters:
    """The fonts of a page; `east_asian` is a further font with the code points `more`, if any."""

    east_asian: str = ""
    more: frozenset[int] = frozenset()

    def shown(self, words: str) -> str:
        """The words, or a note that they cannot be shown: nothing is transliterated or left out."""
        composed = unicodedata.normalize("NFC", words)
        return composed if all(self._font_of(letter) for letter in composed) else NOT_SHOWN

    def runs(self, words: str) -> list[Run]:
        """Words as `shown`, told apart by font."""
        return [Run(font, "".join(letters)) for font, letters in groupby(words, key=self._font_of)]

    def _font_of(self, letter: str) -> str:
        if ord(letter) in _letters_of(OWN_FONT, FONT_FILE):
            return OWN_FONT
        is_more = _EAST_ASIAN.match(letter) and ord(letter) in self.more
        return self.east_asian if is_more else ""


def letters_for(further: Path | None) -> Letters:
    """The letters of the page, and of a further TrueType font.

    Raises:
        ReportError: that font cannot be used.
    """
    _letters_of(OWN_FONT, FONT_FILE)
    if further is None:
        return Letters()
    try:
        return Letters(further.stem, _letters_of(further.stem, further))
    except (TTFError, OSError) as error:
        raise ReportError([f"page_font {further.name} cannot be used: {error}"]) from None


def in_own_font(words: str) -> bool:
    """Whether the font that comes with the page has every letter."""
    return all(ord(letter) in _letters_of(OWN_FONT, FONT_FILE) for letter in words)


@cache
def _letters_of(name: str, path: Path) -> frozenset[int]:
    """Registers a font and returns the code points that it has."""
    font = TTFont(name, str(path))
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)
