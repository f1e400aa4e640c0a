"""What findings state, verdict by verdict, as the picture and the page draw it in large letters."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicom_node.report import wording
from inference.types import Assessment, Findings, Grade, Presence, Withheld

_SIGNS = {Presence.PRESENT: True, Presence.ABSENT: False, Presence.UNDETERMINED: None}


@dataclass(frozen=True, slots=True)
class Headline:
    """One verdict; `sign` says whether it calls for attention, None: nothing is stated."""

    name: str
    stated: str
    sign: bool | None
    certainty: str
    why: str


def headlines(findings: Findings) -> Iterator[Headline]:
    """Verdicts, grades and what is withheld, in this order."""
    yield from map(_verdict, findings.assessments)
    yield from map(_grade, findings.grades)
    yield from map(_withheld, findings.withheld)


def _verdict(found: Assessment) -> Headline:
    return Headline(
        found.concept.meaning,
        found.presence.value.upper(),
        _SIGNS[found.presence],
        wording.probability(found),
        wording.reasoning(found),
    )


def _grade(found: Grade) -> Headline:
    """The lowest step of a scale calls for no attention."""
    stated = Presence.UNDETERMINED.value if found.level is None else found.level.meaning
    return Headline(
        found.concept.meaning,
        stated.upper(),
        None if found.level is None else found.level != found.scale[0],
        "" if found.percent is None else f"probability {found.percent} %",
        ". ".join(filter(None, [wording.capitalised(found.reason), found.criterion])),
    )


def _withheld(found: Withheld) -> Headline:
    return Headline(
        found.concept.meaning, "NOT STATED", None, "", wording.capitalised(found.reason)
    )
