"""Looking at studies: the list, those with an alarm, and one of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dicom_node.operations.completeness import Completeness, completeness_of
from dicom_node.operations.paging import Page, page, read_cursor, read_time, write_time
from dicom_node.operations.stuck import Stuck, stuck_of
from dicom_node.operations.viewing import looking
from dicom_node.retry_decision import LIES_IN_THE_INSTANCE
from storage.alarms.listing import StudyAlarms, study_alarms
from storage.corrections import ordered, rejections
from storage.corrections.ordered import Correction
from storage.corrections.rejections import NoteView
from storage.database.transactions import Database
from storage.reading import browse, study_list
from storage.reading.browse import StudyDetail
from storage.reading.study_list import Place, StudySearch, StudySummary
from storage.studies import anchors


@dataclass(frozen=True, slots=True)
class StudyShown:
    """All that is known about one study, and what of it is stuck.

    `companions` take part in its reports and `anchors` are those that it takes part in: each a
    study's number and the pipeline of the report.
    """

    stuck: Sequence[Stuck]
    detail: StudyDetail
    completeness: Completeness
    rejection_notes: Sequence[NoteView]
    corrections: Sequence[Correction]
    companions: Sequence[tuple[int, str]]
    anchors: Sequence[tuple[int, str]]


def list_studies(
    database: Database, who: str, wanted: StudySearch, *, limit: int = 50, after: str | None = None
) -> Page[StudySummary]:
    """A page of the studies that meet every condition, as `storage.reading.study_list` sorts them.

    Raises:
        OrderError: `after` is not the cursor of a page.
    """
    place = read_cursor(after, lambda parts: Place(parts[2], read_time(parts[0]), int(parts[1])))
    with looking(database, who, "study list", **asdict(wanted)) as tx:
        found = study_list.list_studies(tx, wanted, after=place, limit=limit + 1)
    return page(found, limit, _cursor)


def _cursor(study: StudySummary) -> str:
    return f"{write_time(study.last_received_at)}-{study.study_id}-{study.study_date}"


def list_alarms(database: Database, who: str, *, limit: int = 50) -> list[StudyAlarms]:
    """The studies with an alarm, the last one raised first."""
    with looking(database, who, "study list", alarms=True) as tx:
        return study_alarms(tx, limit, LIES_IN_THE_INSTANCE)


def show_study(database: Database, who: str, key: str) -> StudyShown:
    """Everything about the study with this UID, accession number or id.

    Raises:
        NotFoundError: no such study.
    """
    with looking(database, who, "study show", study=key) as tx:
        detail = browse.show_study(tx, key)
        number = detail.summary.study_id
        known = completeness_of(tx, number)
        return StudyShown(
            stuck_of(tx, detail, known),
            detail,
            known,
            rejections.notes_of(tx, number),
            ordered.corrections_of(tx, number),
            anchors.companions_of(tx, number),
            anchors.anchors_of(tx, number),
        )
