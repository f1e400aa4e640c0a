"""The tables, all of which are loaded together; whoever needs one takes it from here.

Every column carries its comment, for the admin who reads them by hand. Times are UTC. Texts
are as the peer sent them; an empty text means that the attribute was empty.
"""

from storage.tables.audit import AuditCursor, AuditEvent, AuditSeal
from storage.tables.base import Base
from storage.tables.clock import ClockReading
from storage.tables.commitment import Climb, CommitmentAsked, CommitmentItem, CommitmentRequest
from storage.tables.completeness import (
    AnnouncedInstance,
    Announcement,
    ArchiveCount,
    MissingInstances,
    StudyHold,
)
from storage.tables.corrections import Rejection, RejectionNote, StudyCorrection
from storage.tables.delivery import Delivery, DestinationAnswer
from storage.tables.intake import InstanceConflict, RefusedInstance, StudyAlarm, StudyPatient
from storage.tables.keeping import PurgedStudy, SpoolIdentity, SpoolRemoval
from storage.tables.retrieval import Pull, PulledStudy
from storage.tables.studies import Association, AssociationStudy, Instance, Study, StudyRevision
from storage.tables.work import Companion, Job, PipelinePlace, Preparation, Report, ResultObject
from storage.tables.work_items import WorkItem
