"""What work items are told and asked, and what is decided about them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.errors import SettingsError
from dicom_node.settings.file import read_settings
from dicom_node.settings.model import Settings
from dicom_node.work_items.messages import (
    Input,
    Location,
    Performed,
    performed,
    progress,
    read_input,
)
from dicom_node.work_items.next_step import (
    ANALYSING,
    DELIVERING,
    Cancel,
    Complete,
    Fetch,
    Step,
    Wait,
    next_step,
)
from inference.types import Code
from storage.states import WorkItemState
from storage.work_items.claiming import WorkItem
from storage.work_items.progress import InputStudy, Output

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
REPORT = Output("pacs", "2.25.7", "1.2.840.10008.5.1.4.1.1.88.34", "2.25.8")


def item(study_instance_uid: str = "1.2.9", expires_s: float = 60) -> WorkItem:
    return WorkItem(
        id=1,
        work_list="ups",
        sop_instance_uid="2.25.1",
        transaction_uid="2.25.2",
        state=WorkItemState.IN_PROGRESS,
        study_instance_uid=study_instance_uid,
        input_uids=("1.2.3",),
        attempt=1,
        claimed_by="here:1:boot.1",
        expires_at=NOW + timedelta(seconds=expires_s),
        started_at=NOW,
    )


def study(**changes: object) -> InputStudy:
    values = {
        "study_id": 1,
        "input_is_here": True,
        "is_concluded": True,
        "is_delivered": True,
        "outputs": (REPORT,),
    }
    return InputStudy(**values | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (InputStudy(), Fetch()),
        (study(input_is_here=False), Fetch()),
        (study(is_concluded=False, is_delivered=False, outputs=()), Wait(ANALYSING)),
        (study(is_delivered=False), Wait(DELIVERING)),
        (study(), Complete((REPORT,))),
    ],
)
def test_an_item_waits_until_its_outputs_are_delivered(found: InputStudy, step: Step) -> None:
    assert next_step(item(), found, NOW) == step


@pytest.mark.parametrize(
    ("asked", "found", "word"),
    [
        (item(study_instance_uid=""), InputStudy(), "NO_INPUT"),
        (item(expires_s=0), InputStudy(), "NEVER_CAME"),
        (item(expires_s=0), study(is_delivered=False), "EXPIRED"),
        (item(), study(outputs=()), "NO_RESULT"),
        (item(), study(failed=True), "FAILED"),
    ],
)
def test_what_cannot_be_done_is_canceled_with_its_reason(
    asked: WorkItem, found: InputStudy, word: str
) -> None:
    step = next_step(asked, found, NOW)
    assert isinstance(step, Cancel)
    assert step.word == word


def test_what_is_done_in_time_counts_even_if_it_is_noticed_late() -> None:
    assert isinstance(next_step(item(expires_s=-1), study(), NOW), Complete)


def entry(study_instance_uid: str, *uids: str) -> Dataset:
    given = Dataset()
    given.StudyInstanceUID = study_instance_uid
    given.ReferencedSOPSequence = []
    for uid in uids:
        reference = Dataset()
        reference.ReferencedSOPInstanceUID = uid
        given.ReferencedSOPSequence.append(reference)
    return given


@pytest.mark.parametrize(
    ("entries", "given"),
    [
        ([], Input("", ())),
        ([entry("1", "1.1"), entry("1", "1.2", "1.1")], Input("1", ("1.1", "1.2"))),
        ([entry("1", "1.1"), entry("1")], Input("1", ())),
        ([entry("1", "1.1"), entry("2", "2.1")], Input("", ())),
        ([entry("")], Input("", ())),
    ],
)
def test_the_input_is_the_instances_of_one_study(entries: list[Dataset], given: Input) -> None:
    content = Dataset()
    content.InputInformationSequence = entries
    assert read_input(content) == given


def test_outputs_are_listed_by_series_and_place() -> None:
    picture = Output("web", "2.25.9", "1.2.840.10008.5.1.4.1.1.7", "2.25.10")
    content = Dataset()
    kind = Dataset()
    kind.CodeValue = "ECHO-AI"
    content.ScheduledWorkitemCodeSequence = [kind]
    done = Performed(
        content=content,
        station=Code("ECHO", "99TEST", "echo"),
        study_instance_uid="1.2.9",
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=90),
    )
    places = {"pacs": Location(ae_title="PACS"), "web": Location(url="https://pacs/dicom-web")}
    told = performed(done, (picture, REPORT), places)
    (item,) = told.UnifiedProcedureStepPerformedProcedureSequence
    assert item.PerformedProcedureStepEndDateTime == "20260131120130.000000+0000"
    assert item.PerformedStationNameCodeSequence[0].CodeValue == "ECHO"
    assert item.PerformedWorkitemCodeSequence[0].CodeValue == "ECHO-AI"
    first, second = item.OutputInformationSequence
    assert first.TypeOfInstances == second.TypeOfInstances == "DICOM"
    assert first.StudyInstanceUID == "1.2.9"
    assert first.DICOMRetrievalSequence[0].RetrieveAETitle == "PACS"
    assert first.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.8"
    assert second.WADORSRetrievalSequence[0].RetrieveURL == (
        "https://pacs/dicom-web/studies/1.2.9/series/2.25.9"
    )


def test_a_cancellation_says_when_and_why() -> None:
    why = Cancel("FAILED", Code("110501", "DCM", "Equipment failure"), "the analysis failed")
    (told,) = progress(0, why, NOW).ProcedureStepProgressInformationSequence
    assert told.ProcedureStepCancellationDateTime == "20260131120000.000000+0000"
    assert told.ReasonForCancellation == "the analysis failed"
    assert told.ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110501"


PACS = '[[destination]]\nname="pacs"\nhost="pacs"\nport=104\nae_title="PACS"\n'
LIST = '[[work_list]]\nname="ups"\nhost="ris"\nport=104\nae_title="UPS"\n'


def read(folder: Path, text: str) -> Settings:
    path = folder / "node.toml"
    path.write_text(text, "utf-8")
    return read_settings(path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LIST, "its outputs need a \\[\\[destination\\]\\]"),
        (PACS + LIST + 'archive="store"\n', "no \\[\\[archive\\]\\] named store"),
        (PACS + LIST + 'workitem_code="AI"\n', "work_list"),
        (PACS + LIST + "tls={mutual=false}\n", "for DICOMweb"),
        (PACS + LIST + "tls=true\n", "TLS needs a certificate"),
        (PACS + LIST + LIST, "used twice"),
    ],
)
def test_a_work_list_that_cannot_work_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(tmp_path, text)


def test_a_work_list_asks_for_a_kind_of_work(tmp_path: Path) -> None:
    (given,) = read(tmp_path, PACS + LIST + 'workitem_code="AI^99X"\n').work_list
    assert given.code == ("AI", "99X")
    assert read(tmp_path, PACS + LIST).work_list[0].code is None
