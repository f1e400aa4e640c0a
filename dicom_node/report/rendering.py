"""The findings as plain text, for the command line."""

from collections.abc import Iterator

from dicom_node.report import wording
from inference.types import Findings, Standing

#: Loops listed by name in plain text.
MOST_LOOPS = 6


def as_text(findings: Findings) -> str:
    """Estimates with intervals, verdicts, relevant loops, exclusions by reason; standing first."""
    # A description of a peer's may hold line breaks; it makes no line of its own here.
    return "\n".join(" ".join(line.split("\n")) for line in _lines(findings))


def _lines(findings: Findings) -> Iterator[str]:
    yield f"*** {findings.model.warning} ***"
    yield findings.title
    if findings.abstention is not None:
        yield f"  No estimate: {findings.abstention}"
        yield f"  {wording.NOT_NORMAL}"
    yield from _estimates(findings)
    yield from (f"  {wording.verdict(assessment)}" for assessment in findings.assessments)
    yield from _loops(findings)
    yield from _exclusions(findings)
    if findings.limitations:
        yield "Limitations"
        yield from (f"  {limitation}" for limitation in findings.limitations)
    yield wording.model(findings)


def _estimates(findings: Findings) -> Iterator[str]:
    for m in findings.measurements:
        side = "above the " if m.value > m.upper_limit else "not above the "
        judged = "" if findings.model.standing is Standing.UNTRAINED else side
        yield (
            f"  {m.name:<6} {wording.value(m):>10}   {wording.interval(m)}   "
            f"{judged}{wording.limit(m)}"
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


def _exclusions(findings: Findings) -> Iterator[str]:
    if findings.exclusions:
        yield f"Not analysed: {len(findings.exclusions)}"
    for reason, count in wording.exclusion_counts(findings):
        yield f"  {count:>3} x {reason}"
