"""The estimates of earlier studies in the SR: one measurement group for each time point.

TID 1501 with TID 1502. The baseline is the first estimate that the report shows. There is no Time
Point Order: it says no more than the offset, and OHIF's reader fails on a NUM without a child.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from highdicom.sr import ContentItem

from dicom_node.report import comparison, concepts, wording
from dicom_node.report.context import StudyContext
from dicom_node.report.estimated_number import estimated
from dicom_node.report.items import (
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    code,
    concept,
    container,
    number,
    text,
    uid,
)
from dicom_node.report.uids import tracking_uid
from inference.types import Findings, Measurement, Point, StudyRef

_ANOTHER = "Made with another model: not comparable with the present estimates."


def earlier_groups(findings: Findings, study: StudyContext) -> Iterator[ContentItem]:
    """A group for each earlier study, the oldest first."""
    by_study: dict[StudyRef, list[Point]] = defaultdict(list)
    for track in findings.course.tracks if findings.course else ():
        for point in track.earlier:
            by_study[point.study].append(point)
    ordered = sorted(by_study, key=lambda each: (each.at, each.uid))
    for each in ordered:
        days = (_date(each) - _date(ordered[0])).days
        yield _group(by_study[each], days, findings, study)


def _group(points: list[Point], days: int, findings: Findings, study: StudyContext) -> ContentItem:
    """The label says that it is an earlier one, for viewers that show no time points."""
    first = points[0]
    label = f"EARLIER STUDY of {comparison.day(first.study.at)}: {findings.title}"
    another = [] if first.comparable else [text(concepts.COMMENT, _ANOTHER)]
    tracked = tracking_uid(study, findings.model, "earlier", first.study.uid)
    return container(
        concepts.MEASUREMENT_GROUP,
        [
            text(concepts.TRACKING_IDENTIFIER, label, HAS_OBS_CONTEXT),
            uid(concepts.TRACKING_UID, tracked, HAS_OBS_CONTEXT),
            *_time_point(comparison.day(first.study.at), days),
            code(concepts.METHOD, concepts.AI_ESTIMATION, HAS_CONCEPT_MOD),
            *(_estimate(point.estimate) for point in points),
            *another,
        ],
    )


def _time_point(day: str, days: int) -> Iterator[ContentItem]:
    """TID 1502."""
    yield text(concepts.TIME_POINT, day, HAS_OBS_CONTEXT)
    yield number(
        concept(concepts.TEMPORAL_OFFSET),
        days,
        concepts.DAYS,
        HAS_OBS_CONTEXT,
        decimals=0,
        children=[code(concepts.TEMPORAL_EVENT, concepts.BASELINE, HAS_CONCEPT_MOD)],
    )


def _estimate(measurement: Measurement) -> ContentItem:
    stated = f"{wording.value(measurement)}, {wording.interval(measurement)}"
    return estimated(measurement, [text(concepts.COMMENT, stated, HAS_PROPERTIES)])


def _date(study: StudyRef) -> date:
    return date(int(study.at[:4]), int(study.at[4:6]), int(study.at[6:8]))
