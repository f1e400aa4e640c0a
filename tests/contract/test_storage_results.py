"""What pipelines made, kept on either database."""

import pytest

from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.reading import cases
from storage.reading.browse import StudyDetail, show_study
from storage.reading.cases import Case
from storage.reading.study_list import StudySearch, list_studies
from storage.states import Outcome, StudyState
from storage.work import jobs, results
from storage.work.results import StoredReport
from tests.contract.storing import (
    PIPELINE,
    after,
    claim,
    complete,
    digest,
    open_association,
    preparation,
    received,
    record_report,
    report,
    result_object,
    store,
    store_study,
)


def prepare(database: Database, instance_id: int, **changes: object) -> None:
    with database.write() as tx:
        results.record_preparation(tx, preparation(instance_id, **changes))


def case(database: Database) -> Case:
    with database.read() as tx:
        return cases.load_case(tx, 1, PIPELINE)


def latest(database: Database) -> StoredReport | None:
    with database.read() as tx:
        return results.latest_report(tx, 1, PIPELINE)


def show(database: Database) -> StudyDetail:
    with database.read() as tx:
        return show_study(tx, 1)


def test_a_case_holds_every_instance_with_what_was_made_of_it(database: Database) -> None:
    store_study(database, instances=3)
    prepare(database, 1)
    rejected = preparation(
        2,
        selected=False,
        reason_code="99ECHONODE:NO_ECG",
        reason_meaning="No R waves",
        detail="The loop has no R-wave times.",
        features=None,
    )
    with database.write() as tx:
        results.record_preparation(tx, rejected)
    seen = case(database)
    assert [item.preparation for item in seen.instances] == [preparation(1), rejected, None]
    assert (seen.study_instance_uid, seen.patient_conflict) == ("1.2.9", False)


def test_a_case_says_which_preparation_was_given_up(database: Database) -> None:
    store_study(database, instances=2)
    [first, _] = claim(database, 1)
    with database.write() as tx:
        jobs.fail(tx, first, at=after(2), code="InstanceUnreadableError", message="no picture")
    assert [item.prepare_failed for item in case(database).instances] == ["no picture", None]


def test_a_case_of_an_unknown_study_is_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError):
        case(database)


def test_a_preparation_replaces_the_one_before(database: Database) -> None:
    store_study(database)
    prepare(database, 1)
    prepare(database, 1, bundle_digest=digest("a newer bundle"), features=b"newer")
    [item] = case(database).instances
    assert item.preparation is not None
    assert item.preparation.features == b"newer"


def test_every_instance_is_shown_with_its_verdict(database: Database) -> None:
    store_study(database, instances=2)
    prepare(database, 1, selected=False, reason_code="99ECHONODE:NO_ECG", features=None)
    seen = show(database)
    assert [item.preparations[0].selected for item in seen.instances] == [False, None]
    assert seen.instances[0].preparations[0].reason_code == "99ECHONODE:NO_ECG"
    assert "INSTANCE_REJECTED" in [event.action for event in seen.events]


def test_a_report_is_kept_once(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    first = record_report(database, report())
    assert record_report(database, report(findings_json='{"other": 1}')) == first
    [kept] = show(database).reports
    assert kept.findings_json == "{}"
    assert [(item.kind, item.preference) for item in kept.objects] == [
        ("SC", 0),
        ("SR", 0),
        ("SR", 1),
    ]


def test_the_latest_report_is_the_last_one_that_readers_have(database: Database) -> None:
    store_study(database)
    assert latest(database) is None
    first = record_report(database, report(1))
    record_report(database, report(2, outcome=Outcome.NO_EFFECT, objects=()))
    found = latest(database)
    assert found is not None
    assert (found.id, found.revision, found.input_digest) == (first, 1, digest("input 1"))
    third = record_report(
        database, report(3, supersedes=first, objects=(result_object("SR", name="3"),))
    )
    found = latest(database)
    assert found is not None
    assert (found.id, found.supersedes) == (third, first)
    assert found.objects == (result_object("SR", name="3"),)


def test_the_study_list_shows_the_last_outcome_of_each_pipeline(database: Database) -> None:
    store_study(database)
    record_report(database, report(1))
    record_report(database, report(2, outcome=Outcome.ABSTAINED))
    record_report(database, report(1, pipeline="newborn", outcome=Outcome.NOT_APPLICABLE))
    with database.read() as tx:
        [summary] = list_studies(tx)
    assert summary.outcomes == {
        PIPELINE: Outcome.ABSTAINED,
        "newborn": Outcome.NOT_APPLICABLE,
    }


def test_studies_are_listed_last_received_first(database: Database) -> None:
    open_association(database)
    for number in range(4):
        uid = f"1.2.9.{number}"
        store(database, received(number, at_s=number, study_instance_uid=uid, patient_id=uid))
    with database.read() as tx:
        listed = [study.study_instance_uid for study in list_studies(tx, limit=2)]
        one = list_studies(tx, StudySearch(patient_id="1.2.9.1", state=StudyState.RECEIVING))
        none = list_studies(tx, StudySearch(accession_number="another"))
    assert listed == ["1.2.9.3", "1.2.9.2"]
    assert [study.study_instance_uid for study in one] == ["1.2.9.1"]
    assert none == []


@pytest.mark.parametrize("key", ["1.2.9", "ACC1", "1", 1])
def test_a_study_is_found_by_uid_accession_number_or_id(database: Database, key: str | int) -> None:
    store_study(database)
    with database.read() as tx:
        assert show_study(tx, key).summary.study_instance_uid == "1.2.9"


@pytest.mark.parametrize("key", ["", "9.9", "2", "9" * 40])
def test_no_study_is_found_by_anything_else(database: Database, key: str) -> None:
    open_association(database)
    store(database, received(accession_number=""))
    with pytest.raises(NotFoundError), database.read() as tx:
        show_study(tx, key)
