"""What is asked of a database all day long: by senders, workers, the clock, admins and readers."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from dicom_node.study.completing import judge
from dicom_node.study.decision import Rules
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Transaction
from storage.delivery import outbox
from storage.delivery.listing import listing
from storage.intake.instances import record_instance
from storage.intake.received import Received
from storage.reading import cases
from storage.reading.browse import show_study
from storage.reading.study_list import StudySearch, list_studies
from storage.states import DeliveryState, StudyState
from storage.studies.associations import Association, open_association
from storage.studies.revisions import due_studies
from storage.work import jobs
from tests.benchmark.scale_rows import (
    BUSY,
    DESTINATIONS,
    FEATURES_EVERY,
    OWNER,
    PIPELINE,
    accession_number,
    began_at,
    patient_id,
    study_uid,
)

LEASE_S = 60.0


class Draw:
    """What an operation is about, drawn anew for each run in a database of so many studies."""

    def __init__(self, studies: int, seed: int = 0) -> None:
        self.studies = studies
        self.now: datetime = began_at(studies) + timedelta(hours=1)
        self._random = random.Random(seed)
        self._taken = 0

    def study(self) -> int:
        return self._random.randint(1, self.studies - BUSY)

    def busy(self) -> int:
        return self._random.randint(self.studies - BUSY + 1, self.studies)

    def with_features(self) -> int:
        return FEATURES_EVERY * self._random.randint(1, (self.studies - BUSY) // FEATURES_EVERY)

    def instant(self) -> datetime:
        return began_at(self.study())

    def patient(self) -> str:
        return patient_id(self.study(), self.studies)

    def received(self, study: int, association: str) -> Received:
        """An instance that nobody has sent yet."""
        digest = sha256(self._random.randbytes(16)).hexdigest()
        return Received(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1",
            sop_instance_uid=f"2.25.{int(digest[:28], 16)}",
            study_instance_uid=study_uid(study),
            series_instance_uid=f"2.25.{study}.1",
            transfer_syntax_uid="1.2.840.10008.1.2.4.50",
            patient_id=patient_id(study, self.studies),
            patient_name="Doe^Jane",
            accession_number=accession_number(study),
            study_date="20260701",
            modality="US",
            instance_number="1",
            digest=digest,
            size_bytes=4_000_000,
            association_id=association,
            peer="cart1",
            received_at=self.now,
            quiet_s=60.0,
        )

    def new_study(self) -> int:
        """The number of a study of which nothing came yet."""
        self._taken += 1
        return self.studies + self._taken


def associate(tx: Transaction, now: datetime) -> None:
    """Open the association that the instances of `Draw.received` may come by."""
    open_association(tx, Association("bench", "cart1", "CART1", "ECHONODE", "10.0.0.7", OWNER, now))


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that is asked, in one transaction."""

    name: str
    run: Callable[[Transaction, Draw], object]
    writes: bool = False

    def about(self, draw: Draw) -> Callable[[Transaction], object]:
        """The same as a function of the transaction alone."""
        return lambda tx: self.run(tx, draw)


def _complete(tx: Transaction, draw: Draw) -> None:
    for study_id in due_studies(tx, draw.now + timedelta(hours=2), 1):
        judge(tx, study_id, draw.now + timedelta(hours=2), [PIPELINE], Rules())


OPERATIONS = (
    Operation(
        "record_instance, study known",
        lambda tx, d: record_instance(tx, d.received(d.busy(), "bench"), [PIPELINE]),
        writes=True,
    ),
    Operation(
        "record_instance, new study",
        lambda tx, d: record_instance(tx, d.received(d.new_study(), "bench"), [PIPELINE]),
        writes=True,
    ),
    Operation(
        "claim a job",
        lambda tx, d: jobs.claim(tx, owner=OWNER, now=d.now, lease_s=LEASE_S, pipelines=[PIPELINE]),
        writes=True,
    ),
    Operation(
        "claim a delivery",
        lambda tx, d: outbox.claim(
            tx, destination=DESTINATIONS[0], owner=OWNER, now=d.now, lease_s=LEASE_S
        ),
        writes=True,
    ),
    Operation(
        "rescue jobs", lambda tx, d: jobs.rescue(tx, d.now, lambda _owner: False), writes=True
    ),
    Operation("sweep, one study complete", _complete, writes=True),
    Operation("sweep, nothing due", lambda tx, d: due_studies(tx, began_at(0), 10)),
    Operation(
        "case of 50 instances", lambda tx, d: cases.load_case(tx, d.with_features(), PIPELINE)
    ),
    Operation("counts of jobs", lambda tx, d: jobs.counts(tx)),
    Operation("studies, newest", lambda tx, d: list_studies(tx)),
    Operation(
        "studies, receiving",
        lambda tx, d: list_studies(tx, StudySearch(state=StudyState.RECEIVING)),
    ),
    Operation(
        "studies, complete", lambda tx, d: list_studies(tx, StudySearch(state=StudyState.COMPLETE))
    ),
    Operation(
        "studies of a patient", lambda tx, d: list_studies(tx, StudySearch(patient_id=d.patient()))
    ),
    Operation(
        "studies of a patient, complete",
        lambda tx, d: list_studies(
            tx, StudySearch(patient_id=d.patient(), state=StudyState.COMPLETE)
        ),
    ),
    Operation(
        "studies of an accession",
        lambda tx, d: list_studies(tx, StudySearch(accession_number=accession_number(d.study()))),
    ),
    Operation("study by UID", lambda tx, d: show_study(tx, study_uid(d.study()))),
    Operation("study by accession", lambda tx, d: show_study(tx, accession_number(d.study()))),
    Operation("study by number", lambda tx, d: show_study(tx, d.study())),
    Operation("deliveries, newest", lambda tx, d: listing(tx)),
    Operation("deliveries, failed", lambda tx, d: listing(tx, state=DeliveryState.FAILED)),
    Operation(
        "deliveries to a rare destination",
        lambda tx, d: listing(tx, destination=DESTINATIONS[1]),
    ),
    Operation(
        "deliveries, sent, to a rare one",
        lambda tx, d: listing(tx, destination=DESTINATIONS[1], state=DeliveryState.SENT),
    ),
    Operation("audit, newest", lambda tx, d: trail.search(tx)),
    Operation(
        "audit of a day",
        lambda tx, d: trail.search(
            tx, since=(then := d.instant()), until=then + timedelta(days=1), newest_first=False
        ),
    ),
    Operation("audit of a peer", lambda tx, d: trail.search(tx, peer="cart2")),
    Operation(
        "audit of a peer from a time on",
        lambda tx, d: trail.search(tx, peer="cart2", since=d.instant(), newest_first=False),
    ),
    Operation("audit of a patient", lambda tx, d: trail.search(tx, patient_id=d.patient())),
    Operation(
        "audit of an accession",
        lambda tx, d: trail.search(tx, accession_number=accession_number(d.study())),
    ),
    Operation("audit of an action", lambda tx, d: trail.search(tx, action=Action.JOB_DONE)),
    Operation("audit of a rare action", lambda tx, d: trail.search(tx, action=Action.JOB_FAILED)),
    Operation(
        "audit of a peer and its action",
        lambda tx, d: trail.search(tx, peer="cart2", action=Action.STUDY_OPENED),
    ),
    Operation(
        "audit of a peer and an action never its",
        lambda tx, d: trail.search(tx, peer="cart2", action=Action.INSTANCE_SELECTED),
    ),
    Operation(
        "audit of a patient and an action",
        lambda tx, d: trail.search(tx, patient_id=d.patient(), action=Action.REPORT_MADE),
    ),
    Operation(
        "audit of a study", lambda tx, d: trail.search(tx, study_id=d.study(), newest_first=False)
    ),
)
