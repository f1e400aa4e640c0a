"""The doctor's check of the work: studies that cannot be analysed, pipelines without a worker."""

from contextlib import closing
from datetime import UTC, datetime

from dicom_node import app
from dicom_node.errors import NodeError
from dicom_node.policy import LIES_IN_THE_INSTANCE, explain
from dicom_node.settings.model import Settings
from storage.alarms import about_work
from storage.work import roster

_MOST_ALARMS = 20


def check_work(settings: Settings) -> str:
    """Whether every study can be analysed whole.

    Raises:
        NodeError: some wait for what cannot be read now, or lack it.
    """
    with closing(app.open_database(settings)) as database, database.read() as tx:
        found = about_work.alarms(tx, LIES_IN_THE_INSTANCE, _MOST_ALARMS)
    if found:
        numbers = ", ".join(str(number) for number in dict.fromkeys(a.study_id for a in found))
        pipelines = ", ".join(sorted({alarm.pipeline for alarm in found}))
        causes = "; ".join(sorted({alarm.message or explain(alarm.code) for alarm in found}))
        raise NodeError(
            f"studies {numbers} cannot be analysed whole by {pipelines}: {causes}. They are "
            "retried automatically. If a file is missing or damaged, send the study again, or copy "
            "the file back from a backup and run `echonode study rerun`; see `echonode study list "
            "--alarms`"
        )
    return "every study can be analysed whole"


def check_workers(settings: Settings) -> str:
    """Whether a worker runs every pipeline that jobs wait for.

    Raises:
        NodeError: no worker runs one of them.
    """
    with closing(app.open_database(settings)) as database, database.read() as tx:
        absent = roster.absent(tx, datetime.now(UTC))
    wanted = [item for item in absent if item.waiting]
    if wanted:
        told = ", ".join(f"{item.pipeline} ({item.waiting} job(s) wait)" for item in wanted)
        raise NodeError(
            f"no worker runs {told}: start one whose settings name it (`echonode run` or `work`; "
            "where it ended, its log says why), or, where it is given up for good, run "
            "`echonode pipeline forget`"
        )
    away = ", ".join(item.pipeline for item in absent)
    return (
        f"no worker runs {away}, but no job waits for it" if away else "no job waits for a worker"
    )
