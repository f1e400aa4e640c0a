"""The sentences of a report, said the same way in the SR, on the picture and in plain text."""

from collections import Counter
from collections.abc import Iterable
from textwrap import shorten

from dicom_node.report.context import Notice
from inference.exclusions import UNFAMILIAR
from inference.types import (
    Assessment,
    Evidence,
    Findings,
    Grade,
    InstanceRef,
    Measurement,
    Normality,
    Standing,
    Withheld,
    by_relevance,
)

NOT_VERIFIED = "Made by artificial intelligence, not verified by a physician"
NOT_NORMAL = "No estimate does not mean a normal result."
#: Of a report without values, in the description of its series.
NO_ESTIMATE = "AI, no estimate"

NO_LONGER_VALID = "All earlier reports of this node on this study are no longer valid."

#: Minimum and maximum number of inputs that a report describes.
LEAST_SHOWN, MOST_SHOWN = 3, 12

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
    """Words of the series description: a report with values, without, or withdrawn."""
    if notice.withdrawn is not None:
        return "AI, WITHDRAWN"
    return "AI, unverified" if findings.abstention is None else NO_ESTIMATE


def withdrawn(why: str) -> str:
    """The first line of a withdrawal."""
    return f"WITHDRAWN: {why} {NO_LONGER_VALID}"


def replaces(revision: int) -> str:
    """That an earlier report is replaced."""
    return f"This report replaces revision {revision} of the same study."


def digits(measurement: Measurement) -> str:
    """The value without its unit, such as "38", or "< 0.3" below the model's range."""
    return _bound(measurement, measurement.value)


def value(measurement: Measurement) -> str:
    """Such as "38 mmHg", or "below 0.3 Wood units (the model's range)"."""
    if not measurement.beyond_range:
        return f"{digits(measurement)} {measurement.unit.meaning}"
    side = "below" if measurement.below_range(measurement.value) else "above"
    end = printed(measurement, measurement.value)
    return f"{side} {end} {measurement.unit.meaning} (the model's range)"


def beyond(measurement: Measurement) -> str:
    """Such as "below the model's range"; "" where the estimate lies inside it."""
    if not measurement.beyond_range:
        return ""
    return f"{'below' if measurement.below_range(measurement.value) else 'above'} the model's range"


def interval(measurement: Measurement) -> str:
    """Such as "90 % interval 31 to 46" or "90 % interval < 0.3 to 2.8", or that there is none."""
    if measurement.low is None or measurement.high is None or measurement.coverage is None:
        return "no interval (not calibrated)"
    low, high = (_bound(measurement, end) for end in (measurement.low, measurement.high))
    return f"{100 * measurement.coverage:.0f} % interval {low} to {high}"


def limit(measurement: Measurement) -> str:
    """Such as "upper limit of normal 20 mmHg (2022 ESC/ERS Guidelines)"; "" where there is none."""
    if measurement.upper_limit is None:
        return ""
    return f"upper limit of normal {_limit(measurement)} ({measurement.authority})"


def borderline(measurement: Measurement) -> str:
    """Such as "borderline: the interval spans the limit of 20 mmHg"; "" where it does not."""
    spans = measurement.normality is Normality.BORDERLINE
    return f"borderline: the interval spans the limit of {_limit(measurement)}" if spans else ""


def judgement(measurement: Measurement) -> str:
    """The upper limit with its authority, and whether the interval spans it."""
    spans = borderline(measurement)
    return f"{spans} ({measurement.authority})" if spans else limit(measurement)


def estimate(measurement: Measurement) -> str:
    """The whole sentence of one measurement."""
    stated = f"{measurement.name} {value(measurement)}, {interval(measurement)}"
    return f"{'; '.join(filter(None, [stated, judgement(measurement)]))}."


def probability(assessment: Assessment) -> str:
    """Such as "probability of effusion 25 %"; "" where the bundle has none."""
    if assessment.percent is None:
        return ""
    return f"probability of {assessment.name} {assessment.percent} %"


def reasoning(assessment: Assessment) -> str:
    """The rule, and why nothing is stated: what is drawn below a verdict."""
    return ". ".join(filter(None, [capitalised(assessment.reason), assessment.criterion]))


def verdict(assessment: Assessment) -> str:
    """Such as "Effusion: present, probability of effusion 93 %; rule: depth > 20 mm."."""
    stated = f"{assessment.concept.meaning}: {assessment.presence.value}"
    stated += f" ({assessment.reason})" if assessment.reason else ""
    return f"{listed([stated, probability(assessment)])}; rule: {assessment.criterion}."


def grade(found: Grade) -> str:
    """Such as "Severity: mild, probability 71 %; by input: A mild, B none; rule: ratio > 2."."""
    level = "undetermined" if found.level is None else found.level.meaning
    level += f" ({found.reason})" if found.reason else ""
    certain = "" if found.percent is None else f"probability {found.percent} %"
    votes = ", ".join(f"{name} {vote.meaning}" for name, vote in found.votes)
    parts = [
        f"{found.concept.meaning}: {listed([level, certain])}",
        votes and f"by input: {votes}",
        found.criterion and f"rule: {found.criterion}",
    ]
    return f"{'; '.join(filter(None, parts))}."


def withheld(item: Withheld) -> str:
    """Such as "Cardiomegaly: not stated (validated on too few patients)."."""
    return f"{item.concept.meaning}: not stated ({item.reason.rstrip('. ')})."


def capitalised(words: str) -> str:
    """With a capital letter at the beginning, as a sentence has."""
    return f"{words[:1].upper()}{words[1:]}"


def classification(findings: Findings) -> str:
    """Such as "Size class: normal; rule: ratio <= 0.5."; or ""."""
    found = findings.classification
    if found is None:
        return ""
    name = capitalised(found.name)
    if not found.determined:
        return f"{name}: undetermined ({found.reason})."
    return f"{name}: {found.value.meaning}; rule: {found.criterion}."


def no_estimate(why: str) -> str:
    """Why there is no estimate, such as "No estimate was made: no film could be analysed."."""
    said = why.startswith(("No estimate", "WITHDRAWN"))
    return why if said else f"No estimate was made: {why}"


def listed(parts: Iterable[str]) -> str:
    """Sentences and words as one enumeration: commas between them, no full stop, none empty."""
    return ", ".join(part.rstrip(". ") for part in parts if part)


def plain(words: str) -> str:
    """Words of a source without control characters and without marks that turn the direction."""
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def coverage(findings: Findings) -> str | None:
    """What the intervals mean; None where there are none."""
    shares = {m.coverage for m in findings.measurements if m.coverage is not None}
    if not shares:
        return None
    percent = " / ".join(f"{100 * share:.0f}" for share in sorted(shares))
    return (
        f"Intervals are calibrated to contain the {findings.words.reference} in {percent} % of "
        "patients like those of the calibration cohort; in other patients they may be too narrow."
    )


def noun(evidence: Evidence, findings: Findings) -> str:
    """What one input is called, such as "film"."""
    return evidence.noun or findings.words.noun


def nouns(findings: Findings) -> str:
    """What the inputs are called at the beginning of a sentence, such as "Films"."""
    return capitalised(findings.words.nouns)


def place(evidence: Evidence, findings: Findings) -> str:
    """Such as "Film 1 of 5"."""
    return f"{capitalised(noun(evidence, findings))} {evidence.rank} of {len(findings.evidence)}"


def weight(evidence: Evidence) -> str:
    """Such as "weight 0.31"; "" where the pipeline has none."""
    return "" if evidence.weight is None else f"weight {evidence.weight:.2f}"


def ranking(findings: Findings) -> str:
    """Such as "Films with the highest weight, of 5 analysed", or "The film that was analysed"."""
    if len(findings.evidence) == 1:
        return f"The {noun(findings.evidence[0], findings)} that was analysed"
    weighed = any(item.weight is not None for item in findings.evidence)
    best = "with the highest weight" if weighed else "of the highest rank"
    return f"{nouns(findings)} {best}, of {len(findings.evidence)} analysed"


def input_name(evidence: Evidence, findings: Findings) -> str:
    """What stands below a preview, such as "Instance 12", or "Film 1" where it has no number."""
    number = evidence.instance.instance_number
    if number is not None:
        return f"Instance {number}"
    return f"{capitalised(noun(evidence, findings))} {evidence.rank}"


def instance_name(instance: InstanceRef) -> str:
    """Such as "instance 12 (PA)"."""
    number = (
        " without number" if instance.instance_number is None else f" {instance.instance_number}"
    )
    described = plain(instance.description)
    description = f" ({described})" if described else ""
    return f"instance{number}{description}"


def effects(evidence: Evidence, findings: Findings) -> str:
    """Such as "without it: ratio -2.1, volume +0.12"; "" where not computed."""
    parts = [
        f"{m.name} {evidence.effects[m.name]:+z.{m.decimals + 1}f}"
        for m in findings.measurements
        if m.name in evidence.effects
    ]
    return f"without it: {', '.join(parts)}" if parts else ""


def looked_at(evidence: Evidence) -> str:
    """Such as "looked at: left half 61 %, right half 39 %": the largest shares; or ""."""
    largest = sorted(evidence.shares.items(), key=lambda pair: -pair[1])[:3]
    listing = ", ".join(f"{part} {100 * share:.0f} %" for part, share in largest)
    return f"looked at: {listing}" if listing else ""


def bearing(evidence: Evidence, findings: Findings) -> str:
    """What the estimates would be without it, else where in it the model looked."""
    return effects(evidence, findings) or looked_at(evidence)


def strangeness(evidence: Evidence) -> str:
    """The note on an input that is used although unlike the training's; "" where it is like."""
    return next((note for note in evidence.notes if note.startswith(UNFAMILIAR.meaning)), "")


def exclusion_counts(findings: Findings) -> list[tuple[str, int]]:
    """Reason -> number of instances, the most frequent first."""
    counts = Counter(exclusion.reason.meaning for exclusion in findings.exclusions)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def not_analysed(findings: Findings) -> str:
    """Such as "Not analysed: 4 x Not a film, 1 x Lateral view."; "" where all was."""
    counts = [f"{count} x {reason}" for reason, count in exclusion_counts(findings)]
    return f"Not analysed: {', '.join(counts)}." if counts else ""


def familiar_inputs(findings: Findings) -> str:
    """Such as "5 of 6 films resemble what the model was trained on"; "" where not judged."""
    found = findings.familiarity
    if found is None:
        return ""
    them = findings.words.noun if found.judged == 1 else findings.words.nouns
    resemble = "resembles" if 1 in (found.familiar, found.judged) else "resemble"
    return f"{found.familiar} of {found.judged} {them} {resemble} what the model was trained on"


def familiarity(findings: Findings) -> str:
    """The same as a sentence, with the distance of the strangest input; "" where not judged."""
    found = findings.familiarity
    if found is None:
        return ""
    return f"{familiar_inputs(findings)}; greatest distance {_times(found.farthest)} the limit."


def shown_evidence(findings: Findings, most: int) -> list[Evidence]:
    """The relevant inputs, best first; where none is, the best three; at most `most`."""
    ranked = by_relevance(findings.evidence)
    relevant = [item for item in ranked if item.relevant]
    return (relevant or ranked[:3])[:most]


def described_evidence(findings: Findings) -> list[Evidence]:
    """The inputs that a report describes: the relevant ones, at least three, best first."""
    ranked = by_relevance(findings.evidence)
    relevant = [item for item in ranked if item.relevant][:MOST_SHOWN]
    others = [item for item in ranked if not item.relevant][: max(0, LEAST_SHOWN - len(relevant))]
    return relevant + others


def model(findings: Findings) -> str:
    """Which algorithm and weights."""
    card = findings.model
    return (
        f"{card.algorithm} {card.version}, bundle {card.bundle_name} {card.bundle_version} "
        f"(digest {card.bundle_digest[:16]})"
    )


def _times(share: float) -> str:
    """A share of a limit, never printed as on it where it lies beyond."""
    if share >= 100:
        return "more than 100 times"
    return f"{max(share, 1.01) if share > 1 else share:.2f} times"


def printed(measurement: Measurement, number: float) -> str:
    """A number at the measurement's decimals."""
    return f"{measurement.printed(number):.{measurement.decimals}f}"


def _bound(measurement: Measurement, number: float) -> str:
    """A number, or that it lies below or above the end of the model's range."""
    below, above = measurement.below_range(number), measurement.above_range(number)
    return f"{'< ' if below else '> ' if above else ''}{printed(measurement, number)}"


def _limit(measurement: Measurement) -> str:
    return f"{measurement.upper_limit:g} {measurement.unit.meaning}"
