"""The time that a report bears: that of the newest instance of its study.

Analysing the same instances again, on another day or another node, gives the same object under the
same UID, byte for byte. When the analysis was made is in the database, in the audit and
in the HL7 message.
"""

import json
from datetime import datetime, timedelta

from dicom_node.report import StudyContext
from storage.reading.cases import Case

_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def content_time(case: Case, study: StudyContext) -> datetime | None:
    """When the newest instance was acquired, in the local time of the study, without a zone.

    A later revision is later by a second at least, so that viewers that sort by time show the last
    one last. None where neither an instance nor the study bears a time.
    """
    times = [item.preparation.instance_json for item in case.instances if item.preparation]
    found = [json.loads(each).get("acquired_at", "") for each in times]
    if study.study_date:
        found.append(f"{study.study_date}{study.study_time.partition('.')[0]:0<6}"[:14])
    known = [at for each in found if (at := _read(each)) is not None]
    return max(known) + timedelta(seconds=study.revision - 1) if known else None


def _read(text: str) -> datetime | None:
    """A time without a zone; None where it is none, or outside the years 1900 to 2200."""
    try:
        at = datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return at if _FIRST_YEAR <= at.year <= _LAST_YEAR else None
