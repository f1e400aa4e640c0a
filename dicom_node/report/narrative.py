"""What a report tells its reader in sentences, the same in every form of it."""

from collections.abc import Iterator

from dicom_node.report import comparison, wording
from dicom_node.report.context import Notice, Predecessor
from inference.types import Findings


def summary(findings: Findings, notice: Notice) -> Iterator[str]:
    """The summary: a report that can be read in ten seconds."""
    yield from opening(findings, notice)
    yield from abstention(findings, notice)
    yield from results(findings)


def opening(findings: Findings, notice: Notice) -> Iterator[str]:
    """What comes first: a withdrawal, the standing of the model, that it is not verified."""
    if notice.withdrawn is not None:
        yield wording.withdrawn(notice.withdrawn)
    yield findings.model.warning
    yield f"{wording.NOT_VERIFIED}."


def changes(predecessor: Predecessor | None, notice: Notice) -> Iterator[str]:
    """What was corrected, and which report is replaced."""
    yield from notice.sentences
    if predecessor is not None:
        yield wording.replaces(predecessor.revision)


def abstention(findings: Findings, notice: Notice) -> Iterator[str]:
    """Why there is no estimate, where there is none, and that this is no normal result."""
    if notice.withdrawn is not None:
        yield wording.NOT_NORMAL
    elif findings.abstention is not None:
        yield wording.no_estimate(findings.abstention)
        yield wording.NOT_NORMAL
        yield from filter(None, [wording.not_analysed(findings)])


def results(findings: Findings) -> Iterator[str]:
    """Cautions, every value and verdict, what earlier studies said, how familiar the inputs are."""
    yield from findings.cautions
    yield from (wording.estimate(measurement) for measurement in findings.measurements)
    yield from verdicts(findings)
    yield from comparison.comparisons(findings)
    yield from filter(None, [wording.familiarity(findings)])


def verdicts(findings: Findings) -> Iterator[str]:
    """Every verdict, grade and class, and what is withheld."""
    yield from (wording.verdict(assessment) for assessment in findings.assessments)
    yield from (wording.grade(grade) for grade in findings.grades)
    yield from filter(None, [wording.classification(findings)])
    yield from (wording.withheld(item) for item in findings.withheld)


def reservations(findings: Findings) -> Iterator[str]:
    """The limits of the values: not measured, coverage of intervals, intended use, limitations."""
    if findings.abstention is None:
        yield from filter(None, [findings.words.reservation])
    intended = findings.model.intended_use
    yield from filter(None, [wording.coverage(findings), intended and f"Intended use: {intended}"])
    yield from filter(None, findings.limitations)
