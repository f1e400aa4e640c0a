"""Is the work done? Studies that cannot be analysed, pipelines without a worker, alarms."""

from datetime import UTC, datetime, timedelta

from dicom_node.errors import NodeError
from dicom_node.retry_decision import LIES_IN_THE_INSTANCE, explain
from storage.alarms import about_work
from storage.alarms.listing import study_alarms
from storage.corrections import rejections
from storage.database.transactions import Transaction
from storage.studies import refused_instances
from storage.work import jobs, roster

_MOST_ALARMS = 20
#: How long a failed analysis or an ignored rejection note is shown.
_RECENT = timedelta(days=7)


def check_analyses(tx: Transaction) -> str:
    """Whether an analysis of the last days failed.

    Raises:
        NodeError: some did.
    """
    failed = jobs.failed_reports(tx, datetime.now(UTC) - _RECENT)
    if failed:
        told = "; ".join(
            f"{name}: studies {', '.join(map(str, studies))}" for name, studies in failed.items()
        )
        raise NodeError(f"analysis failed ({told}): see `echonode study show`")
    return f"no analysis failed in the last {_RECENT.days} days"


def check_rejection_notes(tx: Transaction) -> str:
    """Whether a rejection note of the last days was ignored.

    Raises:
        NodeError: some were; the message says whose.
    """
    ignored = rejections.ignored_since(tx, datetime.now(UTC) - _RECENT)
    if ignored:
        whose = ", ".join(f"{number} of {peer}" for peer, number in ignored.items())
        raise NodeError(
            f"ignored: {whose}: see `echonode audit --action REJECTION_NOTE_IGNORED`; to accept "
            'rejection notes from this peer, add "reject" to `may`'
        )
    return f"none was ignored in the last {_RECENT.days} days"


def check_alarms(tx: Transaction) -> str:
    """Whether no study has an alarm about what was received of it.

    Raises:
        NodeError: some have, or instances of studies that are not here were refused.
    """
    found = study_alarms(tx, _MOST_ALARMS)
    lost = refused_instances.unclaimed(tx)
    if found:
        numbers = ", ".join(str(alarm.study_id) for alarm in found)
        raise NodeError(f"alarms of studies {numbers}: see `echonode study list --alarms`")
    if lost:
        raise NodeError(
            f"{lost} refused instance(s) belong to no study in the index and were not sent again: "
            "see `echonode audit --action INSTANCE_REFUSED` and have them sent again"
        )
    return "no study has an alarm"


def check_work(tx: Transaction) -> str:
    """Whether every study can be analysed whole.

    Raises:
        NodeError: some wait for what cannot be read now, or lack it.
    """
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


def check_workers(tx: Transaction) -> str:
    """Whether a worker runs every pipeline that jobs wait for.

    Raises:
        NodeError: no worker runs one of them.
    """
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
