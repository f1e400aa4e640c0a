"""The Imaging Measurements of the report: measurement groups by TID 1501."""

from collections.abc import Iterator

from highdicom.sr import ContentItem, RelationshipTypeValues

from dicom_node.report import concepts, wording
from dicom_node.report.context import NodeIdentity, StudyContext
from dicom_node.report.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    INFERRED_FROM,
    code,
    concept,
    container,
    image,
    number,
    text,
    uid,
)
from dicom_node.report.uids import tracking_uid
from inference.types import (
    Assessment,
    Code,
    Evidence,
    Findings,
    Measurement,
)


def imaging_measurements(
    findings: Findings, study: StudyContext, identity: NodeIdentity
) -> list[ContentItem]:
    """All groups: the estimates, each verdict with its certainty, the relevant loops best first.

    The algorithm is identified with the estimates, once. A verdict without a certainty has no
    number and stands among the Qualitative Evaluations only: OHIF's reader fails on a group without
    a NUM.
    """
    if not findings.measurements:
        return []
    groups = [_estimates(findings, study, identity)]
    groups += [
        _verdict(assessment, assessment.certainty_percent, findings, study)
        for assessment in findings.assessments
        if assessment.certainty_percent is not None
    ]
    return groups + [_loop(item, findings, study) for item in wording.described_loops(findings)]


def _estimates(findings: Findings, study: StudyContext, identity: NodeIdentity) -> ContentItem:
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            *_tracking(findings.title, study, findings, "estimates"),
            code(concepts.FINDING, concepts.HAEMODYNAMICS),
            code(concepts.METHOD, concepts.AI_ESTIMATION, HAS_CONCEPT_MOD),
            *_algorithm(findings, identity),
            *(_estimate(measurement, findings) for measurement in findings.measurements),
            text(concepts.COMMENT, findings.model.warning),
        ],
    )


def _estimate(measurement: Measurement, findings: Findings) -> ContentItem:
    """TID 300 with the properties of TID 310."""
    equivalents = [measurement.equivalent] if measurement.equivalent else []
    return number(
        concept(measurement.concept, *equivalents),
        measurement.value,
        measurement.unit,
        decimals=measurement.decimals,
        qualifier=concepts.OUT_OF_RANGE if measurement.beyond_range else None,
        children=[
            code(concepts.DERIVATION, concepts.ESTIMATED, HAS_CONCEPT_MOD),
            *_site(measurement),
            *_normality(measurement, findings),
            *_uncertainty(measurement),
            *(_source(loop, INFERRED_FROM) for loop in wording.shown_loops(findings, most=6)),
        ],
    )


def _site(measurement: Measurement) -> Iterator[ContentItem]:
    if measurement.site is not None:
        yield code(concepts.FINDING_SITE, measurement.site, HAS_CONCEPT_MOD)


def _normality(measurement: Measurement, findings: Findings) -> Iterator[ContentItem]:
    """Against the upper limit; nothing is said where the interval spans it."""
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


def _verdict(
    assessment: Assessment,
    certainty_percent: int,
    findings: Findings,
    study: StudyContext,
) -> ContentItem:
    """A stated verdict; the certainty is that of what is stated, so 1 - p beside Absent.

    No "Finding = the condition" here: it reads as positive even where the value is Absent.
    """
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            *_tracking(assessment.concept.meaning, study, findings, assessment.name),
            code(concepts.METHOD, concepts.AI_ESTIMATION, HAS_CONCEPT_MOD),
            number(
                concept(concepts.CERTAINTY),
                certainty_percent,
                concepts.PERCENT,
                decimals=0,
                children=[code(concepts.DERIVATION, concepts.CALCULATED, HAS_CONCEPT_MOD)],
            ),
            code(assessment.concept, concepts.PRESENCE[assessment.presence]),
            text(concepts.COMMENT, wording.verdict(assessment)),
        ],
    )


def _loop(evidence: Evidence, findings: Findings, study: StudyContext) -> ContentItem:
    """One loop: its weight, what the estimates would be without it, and the frames looked at."""
    label = f"Loop {evidence.rank} of {len(findings.evidence)}: "
    label += wording.loop_name(evidence.instance)
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            *_tracking(label, study, findings, "loop", evidence.instance.sop_instance_uid),
            _calculated(concepts.ATTENTION_WEIGHT, evidence.weight, 3, concepts.NO_UNITS),
            *_effects(evidence, findings),
            code(concepts.LOOP_RELEVANT, concepts.YES if evidence.relevant else concepts.NO),
            _source(evidence, CONTAINS),
        ],
    )


def _effects(evidence: Evidence, findings: Findings) -> Iterator[ContentItem]:
    for measurement in findings.measurements:
        if measurement.name in evidence.effects:
            yield _calculated(
                concepts.effect_of_leaving_out(measurement.name),
                evidence.effects[measurement.name],
                measurement.decimals + 1,
                measurement.unit,
            )


def _calculated(name: Code, value: float, decimals: int, unit: Code) -> ContentItem:
    """Each NUM has a child, since OHIF's reader fails on one without."""
    derivation = code(concepts.DERIVATION, concepts.CALCULATED, HAS_CONCEPT_MOD)
    return number(concept(name), value, unit, decimals=decimals, children=[derivation])


def _source(evidence: Evidence, relationship: RelationshipTypeValues) -> ContentItem:
    return image(
        evidence.instance, concepts.SOURCE_OF_MEASUREMENT, relationship, frames=evidence.frames
    )


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
