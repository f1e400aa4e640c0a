"""The index: which studies and instances there are, who brought them, and when they are complete.

One door to `associations`, `instances`, `received`, `completion` and `browse`.
"""

from storage.associations import (
    Association,
    close_association,
    lose_dead_associations,
    open_association,
    touch_associations,
)
from storage.browse import (
    InstanceView,
    PreparationView,
    ReportView,
    RevisionView,
    StudyDetail,
    StudySummary,
    find_study,
    list_studies,
    show_study,
)
from storage.completion import DueStudy, complete_study, due_studies, next_due_at
from storage.instances import (
    digest_of_uid,
    instance_digest,
    instance_peer,
    record_instance,
    record_refusal,
)
from storage.received import Receipt, Received
from storage.states import DueReason, Ending, StudyState

__all__ = [
    "Association",
    "DueReason",
    "DueStudy",
    "Ending",
    "InstanceView",
    "PreparationView",
    "Receipt",
    "Received",
    "ReportView",
    "RevisionView",
    "StudyDetail",
    "StudyState",
    "StudySummary",
    "close_association",
    "complete_study",
    "digest_of_uid",
    "due_studies",
    "find_study",
    "instance_digest",
    "instance_peer",
    "list_studies",
    "lose_dead_associations",
    "next_due_at",
    "open_association",
    "record_instance",
    "record_refusal",
    "show_study",
    "touch_associations",
]
