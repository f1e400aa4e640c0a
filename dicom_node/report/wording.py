"""The sentences of a report, said the same way in the SR, on the picture and in plain text."""

from collections import Counter
from textwrap import shorten

from dicom_node.report.context import Notice
from inference.types import (
    Assessment,
    Evidence,
    Findings,
    InstanceRef,
    Measurement,
    Standing,
    by_relevance,
)

NOT_VERIFIED = "Made by artificial intelligence, not verified by a physician"
NOT_INVASIVE = (
    "An estimate by artificial intelligence, not an invasive measurement and not verified by a "
    "physician. It does not replace right heart catheterisation."
)
NOT_NORMAL = "No estimate does not mean a normal result."

NO_LONGER_VALID = "Nothing that was reported before by this node on this study is valid any more."

#: Of how many loops a report tells more than that they were analysed.
LEAST_TOLD, MOST_TOLD = 3, 12

_STANDING = {
    Standing.UNTRAINED: "UNTRAINED MODEL",
    Standing.PHANTOM: "PHANTOM",
    Standing.RESEARCH: "RESEARCH USE ONLY",
}


def series_description(findings: Findings, what: str) -> str:
    """What a list of series shows: standing, title (shortened to fit 64 characters, LO), what."""
    standing = _STANDING[findings.model.standing]
    room = 64 - len(f"{standing} -  ({what})")
    return f"{standing} - {shorten(findings.title, room, placeholder='')} ({what})"


def kind_of(findings: Findings, notice: Notice) -> str:
    """What a list of series calls a report: one with values, one without, or one withdrawn."""
    if notice.withdrawn is not None:
        return "AI, WITHDRAWN"
    return "AI, unverified" if findings.abstention is None else "AI, no estimate"


def withdrawn(why: str) -> str:
    """The first line of a withdrawal."""
    return f"WITHDRAWN: {why} {NO_LONGER_VALID}"


def replaces(revision: int) -> str:
    """That an earlier report does not hold any more."""
    return f"This report replaces revision {revision} of the same study."


def digits(measurement: Measurement) -> str:
    """The value without its unit, such as "38"."""
    return _rounded(measurement, measurement.value)


def value(measurement: Measurement) -> str:
    """Such as "38 mmHg"."""
    return f"{digits(measurement)} {measurement.unit.meaning}"


def interval(measurement: Measurement) -> str:
    """Such as "90 % interval 31 to 46", or that there is none."""
    if measurement.low is None or measurement.high is None or measurement.coverage is None:
        return "no interval (not calibrated)"
    low, high = (_rounded(measurement, bound) for bound in (measurement.low, measurement.high))
    return f"{100 * measurement.coverage:.0f} % interval {low} to {high}"


def limit(measurement: Measurement) -> str:
    """Such as "upper limit of normal 20 mmHg (2022 ESC/ERS Guidelines)"."""
    return (
        f"upper limit of normal {measurement.upper_limit:g} {measurement.unit.meaning} "
        f"({measurement.authority})"
    )


def estimate(measurement: Measurement) -> str:
    """The whole sentence of one measurement."""
    return (
        f"{measurement.name} {value(measurement)}, {interval(measurement)}; {limit(measurement)}."
    )


def verdict(assessment: Assessment) -> str:
    """Such as "Pulmonary hypertension: present, probability 93 % (mPAP > 20 mmHg)."."""
    probability = (
        ""
        if assessment.probability is None
        else f", probability {100 * assessment.probability:.0f} %"
    )
    return (
        f"{assessment.concept.meaning}: {assessment.presence.value}{probability} "
        f"({assessment.criterion})."
    )


def coverage(findings: Findings) -> str | None:
    """What the intervals mean; None where there are none."""
    shares = {m.coverage for m in findings.measurements if m.coverage is not None}
    if not shares:
        return None
    percent = " / ".join(f"{100 * share:.0f}" for share in sorted(shares))
    return (
        f"Intervals are meant to hold the value of the catheter in {percent} % of patients like "
        "those of the calibration cohort; outside it they may be too narrow."
    )


def loop_name(instance: InstanceRef) -> str:
    """Such as "instance 12 (A4C)"."""
    number = (
        " without number" if instance.instance_number is None else f" {instance.instance_number}"
    )
    description = f" ({instance.description})" if instance.description else ""
    return f"instance{number}{description}"


def effects(evidence: Evidence, findings: Findings) -> str:
    """Such as "without it: mPAP -2.1, PVR +0.12"; "" where not computed."""
    parts = [
        f"{m.name} {evidence.effects[m.name]:+.{m.decimals + 1}f}"
        for m in findings.measurements
        if m.name in evidence.effects
    ]
    return f"without it: {', '.join(parts)}" if parts else ""


def exclusion_counts(findings: Findings) -> list[tuple[str, int]]:
    """Reason -> number of instances, the most frequent first."""
    counts = Counter(exclusion.reason.meaning for exclusion in findings.exclusions)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def not_analysed(findings: Findings) -> str:
    """Such as "Not analysed: 4 x Not a cine loop, 1 x Colour flow."; "" where all was."""
    counts = [f"{count} x {reason}" for reason, count in exclusion_counts(findings)]
    return f"Not analysed: {', '.join(counts)}." if counts else ""


def shown_loops(findings: Findings, most: int) -> list[Evidence]:
    """The relevant loops, best first; where none is, the best three; at most `most`."""
    ranked = by_relevance(findings.evidence)
    relevant = [item for item in ranked if item.relevant]
    return (relevant or ranked[:3])[:most]


def told_loops(findings: Findings) -> list[Evidence]:
    """The loops that a report tells more of: the relevant ones, at least three, best first."""
    ranked = by_relevance(findings.evidence)
    relevant = [item for item in ranked if item.relevant][:MOST_TOLD]
    others = [item for item in ranked if not item.relevant][: max(0, LEAST_TOLD - len(relevant))]
    return relevant + others


def model(findings: Findings) -> str:
    """Which algorithm and weights."""
    card = findings.model
    return (
        f"{card.algorithm} {card.version}, bundle {card.bundle_name} {card.bundle_version} "
        f"(digest {card.bundle_digest[:16]})"
    )


def _rounded(measurement: Measurement, number: float) -> str:
    return f"{number:.{measurement.decimals}f}"
