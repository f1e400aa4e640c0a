"""The content tree of the report: TID 1500, for an estimate or an abstention."""

from collections.abc import Iterator
from itertools import chain

from highdicom.sr import ContentItem
from pydicom import Dataset

from dicom_node.report import comparison, concepts, narrative
from dicom_node.report.context import NodeIdentity, Notice, Predecessor, StudyContext
from dicom_node.report.image_library import image_library, not_analysed
from dicom_node.report.items import (
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    code,
    container,
    drop_names,
    root,
    text,
    uid,
)
from dicom_node.report.measurement_groups import imaging_measurements
from dicom_node.report.relations import procedures_reported
from inference.types import Findings, ModelCard, Presence


def report_content(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    predecessor: Predecessor | None,
    notice: Notice,
    *,
    only_summary: bool = False,
) -> Dataset:
    """The root container: the summary first, then everything else that is optional.

    The containers of TID 1500 are there even where they are empty, since readers (OHIF, dcmjs)
    fail without them.
    """
    said = [text(concepts.SUMMARY, "\r\n".join(narrative.summary(findings, notice)))]
    measured = [] if only_summary else imaging_measurements(findings, study, identity)
    tree = root(
        concepts.REPORT_TITLE,
        "1500",
        [
            code(concepts.LANGUAGE, concepts.ENGLISH, HAS_CONCEPT_MOD),
            *device_observer(findings.model, identity),
            *(
                code(concepts.PROCEDURE_REPORTED, procedure, HAS_CONCEPT_MOD)
                for procedure in procedures_reported(findings, study)
            ),
            *said,
            image_library(findings),
            container(concepts.IMAGING_MEASUREMENTS, measured),
            container(
                concepts.QUALITATIVE_EVALUATIONS,
                list(_evaluations(findings, predecessor, notice)),
            ),
            *not_analysed(findings),
        ],
    )
    drop_names(tree, concepts.SOURCE)
    return tree


def device_observer(model: ModelCard, identity: NodeIdentity) -> Iterator[ContentItem]:
    """TID 1002 and 1004; model name and UID equal the Contributing Equipment (IHE AIR 6.5.3.1)."""
    yield code(concepts.OBSERVER_TYPE, concepts.DEVICE, HAS_OBS_CONTEXT)
    yield uid(concepts.DEVICE_UID, model.device_uid, HAS_OBS_CONTEXT)
    for name, value in (
        (concepts.DEVICE_NAME, identity.station_name),
        (concepts.DEVICE_MANUFACTURER, identity.manufacturer),
        (concepts.DEVICE_MODEL_NAME, model.algorithm),
        (concepts.DEVICE_SERIAL_NUMBER, model.bundle_digest[:16]),
    ):
        yield text(name, value, HAS_OBS_CONTEXT)


def _evaluations(
    findings: Findings, predecessor: Predecessor | None, notice: Notice
) -> Iterator[ContentItem]:
    if notice.withdrawn is not None:
        yield code(concepts.ESTIMATE_STATUS, concepts.WITHDRAWN)
    elif findings.abstention is not None:
        yield code(concepts.ESTIMATE_STATUS, concepts.NOT_ESTIMATED)
    for assessment in findings.assessments:
        yield code(assessment.concept, concepts.PRESENCE[assessment.presence])
    for grade in findings.grades:
        yield code(grade.concept, grade.level or concepts.PRESENCE[Presence.UNDETERMINED])
    for item in findings.withheld:
        yield code(item.concept, concepts.PRESENCE[Presence.UNDETERMINED])
    if findings.classification is not None:
        yield code(findings.classification.concept, findings.classification.value)
    for sentence in comparison.comparisons(findings):
        yield text(concepts.COMPARISON, sentence)
    if not findings.measurements:
        yield from _algorithm_in_words(findings.model)
    sentences = chain(
        narrative.changes(predecessor, notice),
        narrative.reservations(findings),
    )
    yield from (text(concepts.COMMENT, sentence) for sentence in sentences)


def _algorithm_in_words(model: ModelCard) -> Iterator[ContentItem]:
    """Which algorithm makes no estimate; one that does is identified with its estimates."""
    yield text(concepts.ALGORITHM_NAME, model.algorithm)
    yield text(concepts.ALGORITHM_VERSION, model.version)
