"""The letters of the page: in which font each is shown, and what is said where none has it.

Latin, Greek and Cyrillic come with the page, from a subset of DejaVu Sans. Chinese, Japanese and
Korean are left to the fonts that PDF readers have for Adobe's character collections (ISO 32000-1
section 9.7.5.2), since a font of ours would be megabytes. Scripts that are joined or that run from
right to left would come out wrong and are not shown at all.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

from dicom_node.report.character_sets import CharacterSet

NOT_SHOWN = "(in letters that this page cannot show)"

FONT_FILE = Path(__file__).parent / "fonts" / "DejaVuSans-Subset.ttf"
OWN_FONT = "DejaVuSans-Subset"

_JAPANESE, _KOREAN, _CHINESE = "HeiseiKakuGo-W5", "HYGothic-Medium", "STSong-Light"
_KANA = re.compile("[\u3041-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_EAST_ASIAN = re.compile("[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uffee]")
_JAPANESE_SETS = frozenset({"ISO_IR 13", "ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159"})


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring letters of one font."""

    font: str
    words: str


@dataclass(frozen=True, slots=True)
class Letters:
    """How the words of one page are written; `east_asian` is the font for Han and its kin."""

    east_asian: str

    def shown(self, words: str) -> str:
        """The words, or that they cannot be shown: nothing is transliterated or left out."""
        composed = unicodedata.normalize("NFC", words)
        return composed if all(self._font_of(letter) for letter in composed) else NOT_SHOWN

    def runs(self, words: str) -> list[Run]:
        """Words as `shown`, told apart by font."""
        return [Run(font, "".join(letters)) for font, letters in groupby(words, key=self._font_of)]

    def _font_of(self, letter: str) -> str:
        if ord(letter) in _own_letters():
            return OWN_FONT
        return self.east_asian if _EAST_ASIAN.match(letter) else ""


def letters_for(words: Iterable[str], character_set: CharacterSet) -> Letters:
    """Choose the East Asian font by the letters that one language has alone, else by the set."""
    text = "".join(words)
    if _HANGUL.search(text) or "ISO 2022 IR 149" in character_set:
        font = _KOREAN
    elif _KANA.search(text) or _JAPANESE_SETS.intersection(character_set):
        font = _JAPANESE
    else:
        font = _CHINESE
    _own_letters()
    _register(font)
    return Letters(font)


def is_east_asian(words: str) -> bool:
    """Whether these words need a font of the reader's."""
    return _EAST_ASIAN.search(words) is not None


def in_own_font(words: str) -> bool:
    """Whether the font that comes with the page has every letter."""
    return all(ord(letter) in _own_letters() for letter in words)


@cache
def _register(font: str) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(font))


@cache
def _own_letters() -> frozenset[int]:
    """Registers the font of the page and returns the code points that it has."""
    font = TTFont(OWN_FONT, str(FONT_FILE))
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)
