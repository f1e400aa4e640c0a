"""Whether an ultrasound clip is of an adult's heart, by what its header says of it.

Statements differ: what people and orders write goes before what a cart is set to, since carts keep
"ABDOMEN" or "HEART" from one patient to the next. So:

1. An unborn child named anywhere is no adult's heart, not even in "fetal echocardiography".
2. Of what is written, the attribute nearest to the loop decides that names the heart or another
   part of the body. One that names both, such as "TTE and carotid duplex", says nothing.
3. Else what the cart is set to decides in the same way. A linear transducer is another part of the
   body. "Echo" is mostly the heart and in some languages any ultrasound: it outweighs the abdomen,
   through which hearts are seen as well, and nothing else.
4. Where nothing is named, the picture decides (`inference.ultrasound.picture`).
"""

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple

from pydicom import Dataset

from inference.exclusions import reason
from inference.types import Verdict
from inference.ultrasound.regions import Region
from inference.ultrasound.statements import (
    Statement,
    of_transducer,
    quote,
    saying,
    set_by_cart,
    written,
)
from inference.ultrasound.vocabulary import (
    BODY_PART,
    ECHO,
    ELSEWHERE,
    FOETUS,
    HEART,
    Vocabulary,
)

#: A phased array touches the skin with little more than 2 cm, so its sector begins narrow: with
#: 0.05 to 0.33 of its greatest width in real clips of eight makers. A convex probe's begins with
#: 0.4 and more, and so does a sector that was zoomed into.
NARROW_TOP = 0.35
#: A picture that begins nearly as wide as it gets is a linear probe's, or the inside of a sector.
FULL_TOP = 0.85

NOT_CARDIAC = reason("NOT_CARDIAC", "Not recognised as an adult heart")

#: Names of linear transducers: L12-5 and L9-3 (Philips, Mindray), 9L and 12L-RS (GE),
#: 9L4 and 18L6 (Siemens), PLT-704 (Canon), ML6-15 (GE).
_LINEAR_MODEL = re.compile(
    r"(?<![A-Z0-9])(M?L\d+[-_]\d+[A-Z]*|\d+L(\d+|-[A-Z]+)?|PLT-\w+)(?![A-Z0-9])"
)
_ABDOMEN = Vocabulary("abdom*, bauch*, addome")


class Naming(Enum):
    """How far a header names the heart."""

    WRITTEN = auto()
    """People or orders name it, or the cart does and they say "echo"."""
    SET = auto()
    """Only the cart's settings do, or only "echo" is said."""
    NONE = auto()
    """Nothing is named at all."""
    NOT = auto()
    """It is another part of the body."""


class Subject(NamedTuple):
    """What a header says of the part of the body; `detail` quotes it."""

    naming: Naming
    detail: str
    is_linear: bool = False


def shows_heart(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: the header names no other part of the body than an adult's heart."""
    subject = read_subject(header)
    return Verdict("shows_heart", subject.naming is not Naming.NOT, subject.detail)


def widest_top(header: Dataset) -> float | None:
    """How wide the uppermost tissue may be, as a share of the greatest width; None: any width.

    Where the heart is not named, only the narrow top of a phased array's sector speaks for it. A
    linear transducer's picture, as wide at the top as anywhere, needs people who call it a heart.
    """
    subject = read_subject(header)
    if subject.naming is Naming.WRITTEN:
        return FULL_TOP if subject.is_linear else None
    return FULL_TOP if subject.naming is Naming.SET else NARROW_TOP


def read_subject(header: Dataset) -> Subject:
    """Weigh what a header says, by the rule above. Never raises."""
    by_people, by_cart = list(written(header)), list(set_by_cart(header))
    unborn = next(saying(FOETUS, [*by_people, *by_cart]), None)
    if unborn is not None:
        return Subject(Naming.NOT, unborn)
    linear = _linear(header)
    decided = _decided(by_people)
    if decided is not None:
        return decided._replace(is_linear=bool(linear))
    echo = next(saying(ECHO, by_people), None)
    cart = _by_cart(by_cart, linear, echo)
    if cart is not None:
        return cart
    return Subject(Naming.SET, echo) if echo else Subject(Naming.NONE, "no part of the body named")


def _by_cart(settings: list[Statement], linear: str, echo: str | None) -> Subject | None:
    """What the cart's settings decide, where they do."""
    if echo:
        settings = [item for item in settings if not _ABDOMEN.find(item.text)]
    presets, anatomy = _split(settings)
    decided = _decided(presets)
    if decided is None and linear:
        return Subject(Naming.NOT, linear, is_linear=True)
    decided = decided or _decided(anatomy, BODY_PART)
    if decided is None:
        mentioned = next(saying(ECHO, settings), None)
        return Subject(Naming.SET, mentioned) if mentioned else None
    if decided.naming is Naming.WRITTEN and not echo:
        return decided._replace(naming=Naming.SET, is_linear=bool(linear))
    return decided._replace(is_linear=bool(linear))


def _split(settings: list[Statement]) -> tuple[list[Statement], list[Statement]]:
    """Presets, which an examiner chooses, and the part of the body, which often stays as it was."""
    anatomy = {"Anatomic Region", "Body Part Examined"}
    chosen = [item for item in settings if item.attribute not in anatomy]
    return chosen, [item for item in settings if item.attribute in anatomy]


def _decided(statements: Iterable[Statement], *more_of_elsewhere: Vocabulary) -> Subject | None:
    """The first statement that names either the heart or another part of the body."""
    for attribute, said in statements:
        others = (words.find(said) for words in (ELSEWHERE, *more_of_elsewhere))
        heart, other = HEART.find(said), next(filter(None, others), "")
        if bool(heart) != bool(other):
            naming = Naming.WRITTEN if heart else Naming.NOT
            return Subject(naming, quote(attribute, heart or other))
    return None


def _linear(header: Dataset) -> str:
    """What says that the transducer is a linear one; empty where nothing does."""
    for attribute, said in of_transducer(header):
        letters = said.upper()
        named = "LINEAR" in letters and not re.search(r"CURV|CONVEX|SECTOR", letters)
        if named or (attribute == "Transducer Data" and _LINEAR_MODEL.search(letters)):
            return f"{attribute} names a linear transducer"
    return ""
