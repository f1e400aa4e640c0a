"""How a patient goes: the present estimates beside those of the earlier studies, and what changed.

One rule for every pipeline. It follows what is measured; where nothing is, the probability of each
verdict. Whether a report changes because an earlier one did is not its business: nothing is revised
for it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import hypot
from types import MappingProxyType

from inference.codes import Code
from inference.exclusions import SCHEME
from inference.results import Measurement
from inference.types import Course, Earlier, Findings, Point, Reference, StudyRef, Track

_PERCENT = Code("%", "UCUM", "%")


def course_of(
    findings: Findings,
    study: StudyRef,
    earlier: Sequence[Earlier],
    references: Mapping[str, Sequence[Reference]] = MappingProxyType({}),
) -> Course | None:
    """How each quantity of the findings of a study went; None where nothing is known before.

    `earlier` are the estimates of earlier studies, the oldest first; `references`, by the names of
    quantities, are until the day of the study. What is in another unit is left out: nothing is
    converted.
    """
    tracks = [
        replace(
            _track(present, findings.model.bundle_digest, earlier),
            references=tuple(
                item for item in references.get(name, ()) if _are_same(item.unit, present.unit)
            ),
        )
        for name, present in followed(findings).items()
    ]
    gone = tuple(track for track in tracks if track.earlier or track.references)
    return Course(study, gone) if gone else None


def references_until(study: StudyRef, references: Iterable[Reference]) -> Iterator[Reference]:
    """What was measured until the day of a study; of one without a date, nothing."""
    return (item for item in references if item.at <= study.at[:8])


def followed(findings: Findings) -> dict[str, Measurement]:
    """What is followed from study to study, by name."""
    measured = findings.measurements or tuple(
        _probability(item.name, item.percent)
        for item in findings.assessments
        if item.percent is not None
    )
    return {item.name: item for item in measured}


def changed(present: Measurement, before: Measurement) -> bool | None:
    """Whether an estimate differs from one before it by more than both may err.

    Each lies within the half-width h of its interval of the truth, with the probability that the
    interval has. Where the errors are independent, their difference has the half-width
    sqrt(h1^2 + h2^2) with the same probability: sqrt(2) * h for two intervals alike. A smaller
    difference is seen in patients of whom nothing has changed. What a model gets wrong of one
    patient every time drops out of the difference, so that the rule errs on the side of silence.

    Of an interval that is not symmetrical, such as one cut off at the end of the model's range, the
    wider side counts. Numbers count as printed, so that a reader can follow. Both must be of one
    bundle. None where either has no interval or is beyond the model's range.
    """
    reach, reach_before = _reach(present), _reach(before)
    if reach is None or reach_before is None:
        return None
    difference = present.printed(present.value) - before.printed(before.value)
    return abs(difference) > hypot(reach, reach_before)


def _track(present: Measurement, bundle_digest: str, earlier: Sequence[Earlier]) -> Track:
    points = tuple(
        Point(item.study, item.values[present.name], item.bundle_digest == bundle_digest)
        for item in earlier
        if present.name in item.values
        if _are_same(item.values[present.name].unit, present.unit)
    )
    track = Track(present, points)
    if track.previous is None:
        return track
    return Track(present, points, changed(present, track.previous.estimate))


def _are_same(unit: Code, other: Code) -> bool:
    return (unit.scheme, unit.value) == (other.scheme, other.value)


def _probability(verdict: str, percent: int) -> Measurement:
    """The probability of a verdict as a quantity; it has no interval, so no change is claimed."""
    name = f"Probability of {verdict}"
    concept = Code(f"PROBABILITY-{verdict}".upper()[:16], SCHEME, name[:64])
    return Measurement(name, concept, percent, _PERCENT, None, None, None)


def _reach(measurement: Measurement) -> float | None:
    """How far the interval reaches from the value, to its wider side, as printed.

    None without an interval, and where the value itself is an end of the model's range.
    """
    if measurement.low is None or measurement.high is None or measurement.beyond_range:
        return None
    value, low, high = map(
        measurement.printed, (measurement.value, measurement.low, measurement.high)
    )
    return max(value - low, high - value)
