"""The Imaging Measurements of the report: measurement groups by TID 1501."""

from collections.abc import Iterator
from itertools import chain

from highdicom.sr import ContentItem

from dicom_node.report import comparison, concepts, wording
from dicom_node.report.context import NodeIdentity, StudyContext
from dicom_node.report.earlier_groups import earlier_groups
from dicom_node.report.estimated_number import estimated
from dicom_node.report.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    INFERRED_FROM,
    code,
    concept,
    container,
    number,
    source,
    text,
    uid,
)
from dicom_node.report.uids import tracking_uid
from inference.types import (
    Assessment,
    Code,
    Evidence,
    Findings,
    Grade,
    Measurement,
)


def imaging_measurements(
    findings: Findings, study: StudyContext, identity: NodeIdentity
) -> list[ContentItem]:
    """All groups: the estimates, each verdict with its certainty, the relevant inputs best first,
    and the estimates of earlier studies.

    The algorithm is identified with the estimates, once. A verdict without a certainty has no
    number and stands among the Qualitative Evaluations only, as an input has none without a weight:
    OHIF's reader fails on a group without a NUM.
    """
    groups = [_estimates(findings, study, identity)] if findings.measurements else []
    groups += [
        _verdict(assessment, assessment.certainty_percent, findings, study)
        for assessment in findings.assessments
        if assessment.certainty_percent is not None
    ]
    groups += [
        _grade(grade, grade.level, grade.percent, findings, study)
        for grade in findings.grades
        if grade.level is not None and grade.percent is not None
    ]
    groups += [
        _evidence(item, findings, study)
        for item in wording.described_evidence(findings)
        if item.weight is not None or item.effects or item.shares
    ]
    return [*groups, *earlier_groups(findings, study)]


def _estimates(findings: Findings, study: StudyContext, identity: NodeIdentity) -> ContentItem:
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            *_tracking(findings.title, study, findings, "estimates"),
            *([code(concepts.FINDING, found)] if (found := findings.words.finding) else []),
            code(concepts.METHOD, concepts.AI_ESTIMATION, HAS_CONCEPT_MOD),
            *_algorithm(findings, identity),
            *(_estimate(measurement, findings) for measurement in findings.measurements),
            text(concepts.COMMENT, findings.model.warning),
        ],
    )


def _estimate(measurement: Measurement, findings: Findings) -> ContentItem:
    """TID 300 with the properties of TID 310."""
    return estimated(
        measurement,
        [
            *_site(measurement),
            *_normality(measurement, findings),
            *_uncertainty(measurement),
            *_trend(measurement, findings),
            *chain.from_iterable(
                source(item, concepts.SOURCE_OF_MEASUREMENT, INFERRED_FROM)
                for item in wording.shown_evidence(findings, most=6)
            ),
        ],
    )


def _site(measurement: Measurement) -> Iterator[ContentItem]:
    if measurement.site is not None:
        yield code(concepts.FINDING_SITE, measurement.site, HAS_CONCEPT_MOD)


def _normality(measurement: Measurement, findings: Findings) -> Iterator[ContentItem]:
    """Against the upper limit, if any; of normality nothing where the interval spans it."""
    if measurement.upper_limit is None:
        return
    grade = concepts.NORMALITIES.get(findings.normality(measurement))
    if grade is not None:
        yield code(concepts.NORMALITY, grade, HAS_PROPERTIES)
    yield number(
        concept(concepts.NORMAL_UPPER_LIMIT),
        measurement.upper_limit,
        measurement.unit,
        HAS_PROPERTIES,
        decimals=measurement.decimals,
    )
    yield text(concepts.NORMAL_RANGE_AUTHORITY, measurement.authority, HAS_PROPERTIES)


def _uncertainty(measurement: Measurement) -> Iterator[ContentItem]:
    """The interval with its coverage in words, and the distance to either bound (TID 310).

    The distance is that from the value as shown, in its unit. There is none where the value or the
    bound is an end of the model's range: a number there would claim to be exact.
    """
    if measurement.low is None or measurement.high is None:
        return
    stated = f"{wording.value(measurement)}, {wording.interval(measurement)}"
    yield text(concepts.COMMENT, stated, HAS_PROPERTIES)
    if measurement.beyond_range:
        return
    shown = measurement.printed(measurement.value)
    for name, distance, end in (
        (concepts.UNCERTAINTY_ABOVE, measurement.high - shown, measurement.high),
        (concepts.UNCERTAINTY_BELOW, shown - measurement.low, measurement.low),
    ):
        if measurement.below_range(end) or measurement.above_range(end):
            continue
        yield number(
            concept(name),
            distance,
            measurement.unit,
            HAS_PROPERTIES,
            decimals=measurement.decimals + 1,
        )


def _trend(measurement: Measurement, findings: Findings) -> Iterator[ContentItem]:
    """Against the last comparable estimate; nothing where nothing tells."""
    track = comparison.track_of(findings, measurement)
    if track is None or track.previous is None or track.changed is None:
        return
    rose = measurement.value > track.previous.estimate.value
    shown = concepts.INCREASED if rose else concepts.DECREASED
    trend = shown if track.changed else concepts.NO_CHANGE_SHOWN
    yield code(concepts.TREND, trend, HAS_PROPERTIES)


def _verdict(
    assessment: Assessment,
    certainty_percent: int,
    findings: Findings,
    study: StudyContext,
) -> ContentItem:
    """A stated verdict; the certainty is that of what is stated, so 1 - p beside Absent.

    No "Finding = the condition" here: it reads as positive even where the value is Absent.
    """
    stated = code(assessment.concept, concepts.PRESENCE[assessment.presence])
    label, said = assessment.concept.meaning, wording.verdict(assessment)
    tracking = _tracking(label, study, findings, assessment.name)
    return _certain(tracking, stated, certainty_percent, said)


def _grade(
    grade: Grade, level: Code, percent: int, findings: Findings, study: StudyContext
) -> ContentItem:
    """A stated grade with the certainty of its level."""
    tracking = _tracking(grade.concept.meaning, study, findings, grade.name)
    return _certain(tracking, code(grade.concept, level), percent, wording.grade(grade))


def _certain(
    tracking: Iterator[ContentItem], stated: ContentItem, percent: int, said: str
) -> ContentItem:
    """What is stated, with its certainty and in words."""
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            *tracking,
            code(concepts.METHOD, concepts.AI_ESTIMATION, HAS_CONCEPT_MOD),
            number(
                concept(concepts.CERTAINTY),
                percent,
                concepts.PERCENT,
                decimals=0,
                children=[code(concepts.DERIVATION, concepts.CALCULATED, HAS_CONCEPT_MOD)],
            ),
            stated,
            text(concepts.COMMENT, said),
        ],
    )


def _evidence(evidence: Evidence, findings: Findings, study: StudyContext) -> ContentItem:
    """One input: its weight, what the estimates would be without it, and what was looked at."""
    noun = wording.noun(evidence, findings)
    label = f"{wording.place(evidence, findings)}: {wording.instance_name(evidence.instance)}"
    weight = evidence.weight
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            *_tracking(label, study, findings, noun, evidence.instance.sop_instance_uid),
            *(
                [_calculated(concepts.attention_weight(noun), weight, 3, concepts.NO_UNITS)]
                if weight is not None
                else []
            ),
            *_effects(evidence, findings),
            *(
                _calculated(concepts.share(part), 100 * share, 0, concepts.PERCENT)
                for part, share in evidence.shares.items()
            ),
            code(concepts.relevance(noun), concepts.YES if evidence.relevant else concepts.NO),
            *source(evidence, concepts.SOURCE_OF_MEASUREMENT, CONTAINS),
        ],
    )


def _effects(evidence: Evidence, findings: Findings) -> Iterator[ContentItem]:
    for measurement in findings.measurements:
        if measurement.name in evidence.effects:
            yield _calculated(
                concepts.effect_of_leaving_out(measurement.name, wording.noun(evidence, findings)),
                evidence.effects[measurement.name],
                measurement.decimals + 1,
                measurement.unit,
            )


def _calculated(name: Code, value: float, decimals: int, unit: Code) -> ContentItem:
    """Each NUM has a child, since OHIF's reader fails on one without."""
    derivation = code(concepts.DERIVATION, concepts.CALCULATED, HAS_CONCEPT_MOD)
    return number(concept(name), value, unit, decimals=decimals, children=[derivation])


def _tracking(
    label: str, study: StudyContext, findings: Findings, *what: str
) -> Iterator[ContentItem]:
    yield text(concepts.TRACKING_IDENTIFIER, label, HAS_OBS_CONTEXT)
    yield uid(concepts.TRACKING_UID, tracking_uid(study, findings.model, *what), HAS_OBS_CONTEXT)


def _algorithm(findings: Findings, identity: NodeIdentity) -> Iterator[ContentItem]:
    """TID 4019; name and version equal the Contributing Equipment, as IHE AIR asks."""
    model = findings.model
    yield text(concepts.ALGORITHM_NAME, model.algorithm, HAS_CONCEPT_MOD)
    yield text(concepts.ALGORITHM_VERSION, model.version, HAS_CONCEPT_MOD)
    yield text(concepts.ALGORITHM_MANUFACTURER, identity.manufacturer, HAS_CONCEPT_MOD)
    for parameter in (model.warning, wording.model(findings), *model.parameters):
        yield text(concepts.ALGORITHM_PARAMETERS, parameter, HAS_CONCEPT_MOD)
    yield code(concepts.ALGORITHM_FAMILY, concepts.ARTIFICIAL_INTELLIGENCE, HAS_CONCEPT_MOD)
