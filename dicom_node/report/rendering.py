"""The findings as plain text, for the command line."""

from collections.abc import Iterator

from dicom_node.report import narrative, wording
from inference.types import Findings, Normality

#: Loops listed by name in plain text.
MOST_LOOPS = 6
_SIDES = {Normality.HIGH: "above the ", Normality.NORMAL: "not above the "}


def as_text(findings: Findings) -> str:
    """Estimates with intervals, verdicts, relevant loops, exclusions by reason; standing first."""
    return "\n".join(_lines(findings))


def _lines(findings: Findings) -> Iterator[str]:
    yield f"*** {findings.model.warning} ***"
    yield findings.title
    if findings.abstention is not None:
        yield f"  {wording.no_estimate(findings.abstention)}"
        yield f"  {wording.NOT_NORMAL}"
    yield from _estimates(findings)
    yield from (f"  {wording.verdict(assessment)}" for assessment in findings.assessments)
    told = [wording.classification(findings), *findings.cautions, wording.familiarity(findings)]
    yield from (f"  {sentence}" for sentence in filter(None, told))
    yield from _loops(findings)
    yield from _exclusions(findings)
    reservations = [f"  {sentence}" for sentence in narrative.reservations(findings)]
    yield from ["Limitations", *reservations] if reservations else []
    yield wording.model(findings)


def _estimates(findings: Findings) -> Iterator[str]:
    for m in findings.measurements:
        side = _SIDES.get(findings.normality(m), "")
        yield (
            f"  {m.name:<6} {wording.value(m):>10}   {wording.interval(m)}   "
            f"{side}{wording.judgement(m)}"
        )


def _loops(findings: Findings) -> Iterator[str]:
    loops = wording.shown_loops(findings, MOST_LOOPS)
    if loops:
        yield f"Loops that mattered most, of {len(findings.evidence)} analysed"
    for loop in loops:
        yield (
            f"  {loop.rank:>3}. {wording.loop_name(loop.instance)}   weight {loop.weight:.2f}   "
            f"{wording.effects(loop, findings)}"
        ).rstrip()
        if strange := wording.strangeness(loop):
            yield f"       {strange}"


def _exclusions(findings: Findings) -> Iterator[str]:
    if findings.exclusions:
        yield f"Not analysed: {len(findings.exclusions)}"
    for reason, count in wording.exclusion_counts(findings):
        yield f"  {count:>3} x {reason}"
