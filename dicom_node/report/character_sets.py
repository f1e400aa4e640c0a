"""Character sets: an object bears its source's, so that a PACS reads it as it reads the study.

What identifies patient and study is then written with the very bytes of the source. Where a word of
ours does not fit, the object is written in UTF-8 (ISO_IR 192), which holds everything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TypeVar

from pydicom import Dataset
from pydicom.charset import convert_encodings, custom_encoders, default_encoding, python_encoding

Kind = TypeVar("Kind")

#: Values of Specific Character Set (0008,0005); none at all stands for the default repertoire.
CharacterSet = tuple[str, ...]

UTF_8: CharacterSet = ("ISO_IR 192",)

_DEFINED_TERM = re.compile(r"(ISO_IR|ISO 2022 IR) \d{1,3}|GB18030|GBK")
_DEFAULT_REPERTOIRE = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})


def are_defined(terms: CharacterSet) -> bool:
    """Whether these have the form of defined terms (PS3.3 C.12.1.1.2); the first may be empty."""
    return all(
        _DEFINED_TERM.fullmatch(term) or (index == 0 and not term)
        for index, term in enumerate(terms)
    )


def encodings(dataset: Dataset) -> str | list[str]:
    """Python's names for the character set that a dataset is in, as pydicom keeps them."""
    terms = dataset.get("SpecificCharacterSet")
    return convert_encodings(terms) if terms else default_encoding


def hold(terms: CharacterSet, words: Iterable[str]) -> bool:
    """Whether all these can be written in a character set."""
    return all(
        any(_encodes(term, character) for term in terms)
        for text in words
        if not text.isascii()
        for character in text
    )


def words_in(thing: object) -> Iterator[str]:
    """Every text in a value and in what it is made of."""
    return every(str, thing)


def every(kind: type[Kind], thing: object) -> Iterator[Kind]:
    """Everything of one kind in a value and in what it is made of."""
    if isinstance(thing, kind):
        yield thing
    elif is_dataclass(thing):
        for item in fields(thing):
            yield from every(kind, getattr(thing, item.name))
    elif isinstance(thing, Mapping):
        yield from every(kind, tuple(thing.values()))
    elif isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        for member in thing:
            yield from every(kind, member)


def _encodes(term: str, character: str) -> bool:
    """Whether one repertoire has a character, written as pydicom would write it."""
    if character.isascii():
        return True
    if term in _DEFAULT_REPERTOIRE:
        return False  # which pydicom takes for Latin-1
    encoding = python_encoding.get(term, "")
    try:
        if encoding in custom_encoders:
            custom_encoders[encoding](character)
        else:
            character.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
