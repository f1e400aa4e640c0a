"""Every query of the hot paths and of the admin goes by an index, on either database."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database, Transaction
from storage.delivery import ladder, outbox
from storage.delivery.commitment_answers import asked_about, record_answer
from storage.delivery.listing import listing
from storage.intake.instances import record_instance
from storage.keeping import promises
from storage.keeping.promises import Reference
from storage.reading import cases
from storage.reading.browse import show_study
from storage.reading.companions import Reach, anchors_near
from storage.reading.patients import studies_of_patient
from storage.reading.study_list import Place, StudySearch, list_studies
from storage.states import ClimbState, DeliveryState, DueReason, Ending, JobKind, StudyState
from storage.studies import preparing
from storage.studies.anchors import anchors_of, keep_companions
from storage.studies.associations import (
    close_association,
    lose_dead_associations,
    touch_associations,
)
from storage.studies.revisions import complete_study, due_studies
from storage.work import jobs, results
from tests.contract.storing import (
    LEASE_S,
    ME,
    PIPELINE,
    PIPELINES,
    after,
    open_association,
    received,
    store,
)
from tests.plans import growing

REACH = Reach({received().sop_class_uid}, 7)
Query = Callable[[Transaction], object]

QUERIES: dict[str, Query] = {
    "record an instance": lambda tx: record_instance(tx, received(2), [PIPELINE]),
    "record one again": lambda tx: record_instance(tx, received(1), [PIPELINE]),
    "touch": lambda tx: touch_associations(tx, {"a1": after(5)}),
    "release": lambda tx: close_association(tx, "a1", Ending.RELEASED, after(5)),
    "lose": lambda tx: lose_dead_associations(tx, lambda _: True, after(5)),
    "sweep": lambda tx: due_studies(tx, after(100), 10),
    "complete": lambda tx: complete_study(
        tx, 1, after(100), [PIPELINE], reason=DueReason.QUIET_PERIOD
    ),
    "claim": lambda tx: jobs.claim(
        tx, owner=ME, now=after(100), lease_s=LEASE_S, limit=4, pipelines=PIPELINES
    ),
    "rescue": lambda tx: jobs.rescue(tx, after(100), lambda _: False),
    "second chances": lambda tx: preparing.give_second_chances(tx, after(100), ["INFERENCE"]),
    "a preparation after its report": lambda tx: preparing.report_on(
        tx, jobs.Job(1, JobKind.PREPARE, PIPELINE, 1, 1, None, 1, ME), after(100)
    ),
    "retry what failed of a study": lambda tx: preparing.retry_failed(tx, 1, after(100)),
    "retry an instance": lambda tx: preparing.retry_instance(tx, 1, after(100)),
    "requeue": lambda tx: preparing.prepare(tx, [1], PIPELINE, after(100)),
    "case": lambda tx: cases.load_case(tx, 1, PIPELINE),
    "case over several studies": lambda tx: cases.load_case(tx, 1, PIPELINE, REACH),
    "a patient's reports": lambda tx: studies_of_patient(tx, "P1", 50),
    "what a study takes part in": lambda tx: anchors_near(tx, 1, PIPELINE, REACH),
    "what a study took part in": lambda tx: anchors_of(tx, 1),
    "keep companions": lambda tx: keep_companions(tx, 1, PIPELINE, [1]),
    "latest report": lambda tx: results.latest_report(tx, 1, PIPELINE),
    "claim a delivery": lambda tx: outbox.claim(
        tx, destination="pacs", owner=ME, now=after(100), lease_s=LEASE_S
    ),
    "rescue deliveries": lambda tx: outbox.rescue(tx, after(100), lambda _: False),
    "next delivery": lambda tx: outbox.next_available_at(tx, "pacs"),
    "failed deliveries": lambda tx: listing(tx, state=DeliveryState.FAILED),
    "newest deliveries": listing,
    "deliveries to a destination": lambda tx: listing(tx, destination="pacs"),
    "sent to a destination": lambda tx: listing(tx, destination="pacs", state=DeliveryState.SENT),
    "stalled deliveries": lambda tx: listing(tx, climb=ClimbState.STALLED),
    "next climb": lambda tx: ladder.next_due_at(tx, "pacs"),
    "climb": lambda tx: ladder.claim(
        tx, destination="pacs", now=after(100), again_at=after(400), limit=9
    ),
    "what was asked about a delivery": lambda tx: asked_about(tx, [1]),
    "stalled by destination": ladder.stalled_counts,
    "a report on a transaction": lambda tx: record_answer(
        tx, "2.25.1", committed={"2.25.2"}, failed={}, by="pacs", at=after(100)
    ),
    "a request for commitment": lambda tx: promises.record_request(
        tx,
        [Reference("1.2.3", "1.2.3.1")],
        transaction_uid="2.25.1",
        peer="cart",
        association_id="a1",
        at=after(100),
        expires_at=after(900),
    ),
    "owed reports": lambda tx: promises.claim_owed(tx, now=after(100), again_at=after(400)),
    "counts of jobs": jobs.counts,
    "studies": list_studies,
    "receiving studies": lambda tx: list_studies(tx, StudySearch(state=StudyState.RECEIVING)),
    "a patient's studies": lambda tx: list_studies(tx, StudySearch(patient_id="P1")),
    "studies of some days": lambda tx: list_studies(tx, StudySearch(first_day="20260101")),
    "the next studies": lambda tx: list_studies(tx, after=Place("", after(5), 1)),
    "the next studies of some days": lambda tx: list_studies(
        tx, StudySearch(first_day="20260101"), after=Place("20260131", after(5), 1)
    ),
    "the next events": lambda tx: trail.search(tx, before=(after(5), 1)),
    "the next deliveries": lambda tx: listing(tx, before=7),
    "studies of an order": lambda tx: list_studies(tx, StudySearch(accession_number="ACC1")),
    "a study": lambda tx: show_study(tx, "1.2.9"),
    "a study by accession number": lambda tx: show_study(tx, "ACC1"),
    "events": trail.search,
    "events of a time": lambda tx: trail.search(tx, since=after(0), until=after(9)),
    "events of a peer": lambda tx: trail.search(tx, peer="cart"),
    "events of a patient": lambda tx: trail.search(tx, patient_id="P1"),
    "events of an order": lambda tx: trail.search(tx, accession_number="ACC1"),
    "events of a kind": lambda tx: trail.search(tx, action=Action.ECHO),
    "events of a peer and kind": lambda tx: trail.search(tx, peer="cart", action=Action.ECHO),
    "events of a study": lambda tx: trail.search(tx, study_id=1, newest_first=False),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_grows_with_its_table(database: Database, name: str) -> None:
    open_association(database)
    store(database, received(1))
    with database.write() as tx:
        if database.dialect == "postgresql":
            # A planner that may read whole tables and indexes does so while they are small.
            for way in ("seqscan", "hashjoin", "mergejoin"):
                tx.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        assert growing(tx, QUERIES[name]) == []
