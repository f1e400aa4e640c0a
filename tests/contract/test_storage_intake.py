"""Refused instances, alarms and instances that come again, on either database."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from storage.alarms import about_studies
from storage.alarms.listing import StudyAlarms, study_alarms
from storage.audit import trail
from storage.audit.trail import Action
from storage.corrections import ordered
from storage.database.transactions import Database
from storage.intake.instances import record_refusal
from storage.intake.received import Receipt, Resent
from storage.reading.browse import show_study
from storage.states import AlarmKind
from storage.studies import orders, refused_instances
from storage.studies.orders import Order
from tests.contract.storing import (
    PIPELINE,
    after,
    complete,
    digest,
    open_association,
    received,
    store,
    store_study,
)


def refuse(database: Database, uid: str, study: str = "1.2.9", at_s: float = 0) -> None:
    with database.write() as tx:
        record_refusal(
            tx,
            at=after(at_s),
            peer="cart",
            address="10.0.0.7",
            association_id=None,
            sop_instance_uid=uid,
            study_instance_uid=study,
            status=0xA700,
            reason="No space left to store the instance",
        )


def refused(database: Database) -> dict[str, int]:
    with database.read() as tx:
        return {one.sop_instance_uid: one.times for one in refused_instances.refused_of(tx, 1)}


def listed(database: Database) -> list[StudyAlarms]:
    with database.read() as tx:
        return study_alarms(tx, 10)


def test_a_refused_instance_is_missed_until_it_comes(database: Database) -> None:
    refuse(database, "1.2.3.2")
    store_study(database)
    refuse(database, "1.2.3.3", at_s=2)
    refuse(database, "1.2.3.3", at_s=3)
    refuse(database, "1.2.3.1", at_s=4)  # it is here: another copy was refused
    refuse(database, "1.2.7.1", "1.2.7", at_s=5)  # of a study that is not here
    assert refused(database) == {"1.2.3.2": 1, "1.2.3.3": 2}
    [alarm] = listed(database)
    assert (alarm.study_id, alarm.refused, alarm.raised_at) == (1, 2, after(3))
    open_association(database, "a2", 5)
    store(database, received(3, at_s=6, association="a2"))
    assert refused(database) == {"1.2.3.2": 1}
    with database.write() as tx:
        assert refused_instances.unclaimed(tx) == 1
        refused_instances.forget_unclaimed(tx, after(100))
        assert refused_instances.unclaimed(tx) == 0
        orders.settle(tx, 1, order())
    assert refused(database) == {}
    assert listed(database) == []


def order() -> Order:
    return Order(actor="eve", at=after(300), reason="looked at it", pipelines=[PIPELINE])


def test_an_alarm_is_raised_once_and_settled_once(database: Database) -> None:
    store_study(database)
    for at_s in (10, 11):
        with database.write() as tx:
            about_studies.raise_alarm(tx, 1, AlarmKind.EDITED, "edited", after(at_s))
    [alarm] = listed(database)
    assert (alarm.about, alarm.raised_at, alarm.patient_id) == ("edited", after(10), "P1")
    with database.write() as tx:
        assert about_studies.settle(tx, 1, after(12)) == 1
        assert about_studies.settle(tx, 1, after(13)) == 0
        assert len(trail.search(tx, action=Action.STUDY_ALARM)) == 1


SAME = Resent(is_same=True, routes=("transfer syntax B instead of A",))
EDITED = Resent(
    edited=("PatientID",),
    before={"PatientID": "P1"},
    after={"PatientID": "P9"},
    corrects={"patient_id": "P9"},
    differs_in=("PatientID",),
)
OTHER = Resent(differs_in=("FrameTime", "PixelData"))


@pytest.mark.parametrize(
    ("found", "may_correct", "receipt", "action"),
    [
        (SAME, False, Receipt.SAME_CONTENT, Action.INSTANCE_DUPLICATE),
        (EDITED, False, Receipt.CONFLICT, Action.INSTANCE_CONFLICT),
        (EDITED, True, Receipt.CORRECTED, Action.INSTANCE_EDITED),
        (OTHER, True, Receipt.CONFLICT, Action.INSTANCE_CONFLICT),
        (None, True, Receipt.TO_COMPARE, Action.INSTANCE_STORED),
    ],
)
def test_other_bytes_are_what_they_were_found_to_be(
    database: Database, found: Resent | None, may_correct: bool, receipt: Receipt, action: Action
) -> None:
    store_study(database)
    complete(database, 100)
    again = replace(
        received(1, at_s=200, digest=digest("other bytes")),
        may_compare=True,
        may_correct=may_correct,
        resent=found,
    )
    assert store(database, again) is receipt
    with database.read() as tx:
        last = [event for event in trail.search(tx) if event.action.value.startswith("INSTANCE_")]
        study = show_study(tx, "1").summary
        standing = about_studies.standing(tx, 1)
        leaving = list(tx.scalars(sa.text("SELECT digest FROM spool_removal")))
    assert last[0].action is action
    assert leaving == ([again.digest] if receipt is Receipt.SAME_CONTENT else [])
    assert bool(standing) is (found is EDITED and not may_correct)
    assert (study.patient_id, study.revision) == (
        ("P9", 2) if receipt is Receipt.CORRECTED else ("P1", 1)
    )
    if receipt is Receipt.CORRECTED:
        assert store(database, again) is Receipt.SAME_CONTENT, "it says nothing new"
        with database.read() as tx:
            assert len(ordered.corrections_of(tx, 1)) == 1


def test_a_study_without_a_known_patient_takes_what_a_correction_gives_it(
    database: Database,
) -> None:
    open_association(database)
    store(database, received(1, patient_id="", patient_name=""))
    complete(database, 700)
    with database.write() as tx:
        given = ordered.Identification(patient_id="P9", issuer_of_patient_id="A")
        ordered.correct_identification(tx, 1, given, order())
        rows = tx.execute(sa.text("SELECT patient_id, issuer_of_patient_id FROM study_patient"))
        assert sorted(map(tuple, rows)) == [("", ""), ("P9", "A")]
    late = received(2, at_s=800, patient_id="P9", issuer_of_patient_id="A")
    assert store(database, late) is Receipt.STORED
    with database.read() as tx:
        assert not show_study(tx, "1").summary.patient_conflict
