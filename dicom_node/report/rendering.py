"""The findings as plain text, for the command line."""

from collections.abc import Iterator

from dicom_node.report import comparison, narrative, wording
from inference.types import Findings, Normality

#: Inputs listed by name in plain text.
MOST_INPUTS = 6
_SIDES = {Normality.HIGH: "above the ", Normality.NORMAL: "not above the "}


def as_text(findings: Findings) -> str:
    """Estimates with intervals, verdicts, relevant inputs, exclusions by reason; standing first."""
    return "\n".join(_lines(findings))


def _lines(findings: Findings) -> Iterator[str]:
    yield f"*** {findings.model.warning} ***"
    yield findings.title
    if findings.abstention is not None:
        yield f"  {wording.no_estimate(findings.abstention)}"
        yield f"  {wording.NOT_NORMAL}"
    yield from _estimates(findings)
    told = [*narrative.verdicts(findings), *comparison.comparisons(findings), *findings.cautions]
    told += [wording.familiarity(findings)]
    yield from (f"  {sentence}" for sentence in filter(None, told))
    yield from _evidence(findings)
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
        ).rstrip()


def _evidence(findings: Findings) -> Iterator[str]:
    shown = wording.shown_evidence(findings, MOST_INPUTS)
    if shown:
        yield f"{wording.nouns(findings)} that mattered most, of {len(findings.evidence)} analysed"
    for item in shown:
        yield (
            f"  {item.rank:>3}. {wording.instance_name(item.instance)}   {wording.weight(item)}   "
            f"{wording.bearing(item, findings)}"
        ).rstrip()
        if strange := wording.strangeness(item):
            yield f"       {strange}"


def _exclusions(findings: Findings) -> Iterator[str]:
    if findings.exclusions:
        yield f"Not analysed: {len(findings.exclusions)}"
    for reason, count in wording.exclusion_counts(findings):
        yield f"  {count:>3} x {reason}"
