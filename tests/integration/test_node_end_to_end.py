"""A study goes in, a report comes back: the whole node with real peers."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.uid import generate_uid

from dicom_node.scu.errors import AssociationRejectedError
from tests.mllp import Ris
from tests.mllp import ris as running_ris
from tests.node import Destination, Node, running_node
from tests.orthanc import Orthanc, running_orthanc
from tests.peers import require, shared
from tests.studies import changed, held, phantom, study_uid

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("pacs")) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def ris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ris]:
    with running_ris(tmp_path_factory.mktemp("ris")) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, pacs: Orthanc, ris: Ris) -> Iterator[Node]:
    destinations = [
        Destination("pacs", pacs.dicom_port, pacs.ae_title),
        Destination("ris", ris.port),
    ]
    with running_node(tmp_path_factory.mktemp("node"), destinations) as running:
        yield running


def test_a_study_comes_back_as_report_picture_and_key_objects_and_the_ris_hears_of_it(
    node: Node, pacs: Orthanc, ris: Ris, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 1, decoys=True)
    assert all(result.stored for result in node.send(files))
    detail = node.wait_for_report(study_uid(files))

    assert [report.outcome for report in detail.reports] == ["estimated"]
    assert detail.revisions[0].reason == "association released"
    assert len(detail.instances) == len(files)
    verdicts = [instance.preparations[0].selected for instance in detail.instances]
    assert verdicts.count(True) == 3
    assert verdicts.count(False) == len(files) - 3

    objects = held(pacs, study_uid(files))
    assert sorted(item.Modality for item in objects) == ["KO", "OT", "SR"]
    report = next(item for item in objects if item.Modality == "SR")
    source = dcmread(files[0], stop_before_pixels=True)
    assert report.PatientID == source.PatientID
    assert report.VerificationFlag == "UNVERIFIED"
    referenced = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert {
        str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files
    } <= referenced

    (message,) = [each for each in ris.messages() if each["OBX.F5"] == study_uid(files)]
    assert message["PID.F3.R1.C1"] == source.PatientID
    assert message["OBR.F18"] == source.AccessionNumber
    assert {"8414-5", "276901002", "118433006"} <= {
        str(line[3][0][0]) for line in message.segments("OBX")
    }


def test_what_the_pacs_holds_passes_independent_validators(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    validator = shared("tools", "validate-sr")
    for tool in ("dciodvfy", "dsrdump", "dsr2html", "java"):
        require(tool)
    files = phantom(tmp_path / "study", 20, decoys=True)
    node.send(files)
    node.wait_for_report(study_uid(files))
    paths = {}
    for item in held(pacs, study_uid(files)):
        paths[item.Modality] = tmp_path / f"{item.Modality}.dcm"
        dcmwrite(paths[item.Modality], item)
    command = ["bash", str(validator), str(paths["SR"]), str(paths["KO"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout
    picture = subprocess.run(
        [require("dciodvfy"), str(paths["OT"])], capture_output=True, text=True, check=False
    )
    assert not [line for line in picture.stderr.splitlines() if line.startswith("Error")]


def test_the_same_study_sent_again_changes_nothing(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 2)
    node.send(files)
    before = node.wait_for_report(study_uid(files))
    assert all(result.stored for result in node.send(files))
    after = node.study(study_uid(files))
    assert after.summary.revision == before.summary.revision == 1
    assert len(held(pacs, study_uid(files))) == 3


def test_a_late_loop_supersedes_the_report_and_a_late_still_has_no_effect(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 3, decoys=True)
    loops, still = files[:3], files[3]
    uid = study_uid(files)
    node.send(loops[:2])
    node.wait_for_report(uid, revision=1)
    node.send(loops[2:])
    second = node.wait_for_report(uid, revision=2)
    assert [report.outcome for report in second.reports] == ["estimated", "estimated"]
    assert second.reports[1].supersedes == second.reports[0].id
    reports = [item for item in held(pacs, uid) if item.Modality == "SR"]
    newest = next(item for item in reports if "PredecessorDocumentsSequence" in item)
    series = newest.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    (older,) = [item for item in reports if item is not newest]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == older.SOPInstanceUID

    node.send([still])
    third = node.wait_for_report(uid, revision=3)
    assert third.reports[2].outcome == "no effect"
    assert len([item for item in held(pacs, uid) if item.Modality == "SR"]) == 2


def test_a_study_without_a_usable_loop_gets_a_report_that_says_so(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 4, decoys=True)[3:]
    node.send(files)
    detail = node.wait_for_report(study_uid(files))
    assert [report.outcome for report in detail.reports] == ["abstained"]
    assert sorted(item.Modality for item in held(pacs, study_uid(files))) == ["OT", "SR"]


def test_a_study_without_ultrasound_is_none_of_our_business(node: Node, pacs: Orthanc) -> None:
    file = shared("data", "cxr", "vet_dx_thorax_dog_downsized.dcm")
    node.send([file])
    detail = node.wait_for_report(study_uid([file]))
    assert [report.outcome for report in detail.reports] == ["not applicable"]
    assert held(pacs, study_uid([file])) == []


def test_a_patient_that_changes_midway_gets_no_estimate(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 5)
    strange = changed(
        files[2], tmp_path / "strange.dcm", PatientID="OTHER", SOPInstanceUID=generate_uid()
    )
    assert all(result.stored for result in node.send([*files[:2], strange]))
    detail = node.wait_for_report(study_uid(files))
    assert detail.summary.patient_conflict
    assert [report.outcome for report in detail.reports] == ["abstained"]
    (report,) = [item for item in held(pacs, study_uid(files)) if item.Modality == "SR"]
    assert report.PatientID == dcmread(files[0], stop_before_pixels=True).PatientID


def test_a_loop_that_does_not_decode_is_left_out_with_its_reason(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 6)
    data = bytearray(files[0].read_bytes())
    start = data.find(b"\xff\xd8\xff")
    for offset in range(start, len(data) - 2):
        if data[offset : offset + 3] == b"\xff\xd8\xff":
            data[offset : offset + 3] = b"\0\0\0"
    files[0].write_bytes(data)
    assert all(result.stored for result in node.send(files))
    detail = node.wait_for_report(study_uid(files))
    assert [report.outcome for report in detail.reports] == ["estimated"]
    reasons = [item.preparations[0].reason_code for item in detail.instances]
    assert reasons == ["NOT_DECODABLE", "", ""]


def test_our_own_report_sent_back_by_the_pacs_starts_no_circle(
    node: Node, pacs: Orthanc, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 7)
    node.send(files)
    node.wait_for_report(study_uid(files))
    ours = [tmp_path / f"{number}.dcm" for number in range(3)]
    for path, item in zip(ours, held(pacs, study_uid(files)), strict=True):
        dcmwrite(path, item)
    assert all(result.stored for result in node.send(ours))
    after = node.study(study_uid(files))
    assert after.summary.revision == 1
    assert after.summary.state == "complete"
    assert len(after.instances) == 3


def test_interleaved_studies_over_one_association_are_two_studies(
    node: Node, tmp_path: Path
) -> None:
    one, two = phantom(tmp_path / "one", 8), phantom(tmp_path / "two", 9)
    mixed = [file for pair in zip(one, two, strict=True) for file in pair]
    node.send(mixed)
    for files in (one, two):
        detail = node.wait_for_report(study_uid(files))
        assert len(detail.instances) == 3
        assert len(detail.reports) == 1


def test_the_real_clips_all_arrive_and_the_two_usable_ones_are_analysed(node: Node) -> None:
    clips = sorted(shared("data", "us").glob("*.dcm"))
    results = node.send(clips)
    assert [result.path.name for result in results if not result.stored] == []
    selected: set[str] = set()
    for clip in clips:
        header = dcmread(clip, stop_before_pixels=True)
        if not header.StudyInstanceUID:
            continue  # kept, but no report can be filed
        detail = node.wait_for_report(str(header.StudyInstanceUID), timeout_s=180)
        selected |= {
            item.sop_instance_uid for item in detail.instances if item.preparations[0].selected
        }
    usable = {
        str(dcmread(clip, stop_before_pixels=True).SOPInstanceUID)
        for clip in clips
        if clip.stem.endswith("_rwave")
    }
    assert selected == usable


def test_nothing_nasty_stops_the_node(node: Node, tmp_path: Path) -> None:
    nasty = sorted(shared("data", "nasty").glob("*.dcm"))
    results = node.send(nasty)
    assert len(results) == len(nasty)
    files = phantom(tmp_path / "study", 10)
    node.send(files)
    node.wait_for_report(study_uid(files))


def test_commands_tell_an_admin_what_happened(node: Node, tmp_path: Path) -> None:
    files = phantom(tmp_path / "study", 11, decoys=True)
    node.send(files)
    detail = node.wait_for_report(study_uid(files))
    accession = detail.summary.accession_number
    patient = detail.summary.patient_id

    looked = json.loads(node.command("doctor", "--json", check=False).stdout)
    # What the nasty files of a test before left refused is an alarm until somebody acts.
    bad = [check for check in looked if not check["good"] and check["name"] != "studies"]
    assert bad == []
    assert "answers" in node.command("peer", "echo", "pacs").stdout
    listed = json.loads(node.command("study", "list", "--patient", patient, "--json").stdout)
    assert [item["state"] for item in listed["rows"]] == ["complete"]
    shown = node.command("study", "show", study_uid(files)).stdout
    assert "rejected: Ultrasound region is not two-dimensional" in shown
    assert "mPAP" in shown
    events = json.loads(
        node.command("audit", "--patient", patient, "--limit", "500", "--json").stdout
    )
    actions = {event["action"] for event in events["rows"]}
    assert {"INSTANCE_STORED", "STUDY_COMPLETE", "REPORT_MADE", "DELIVERY_SENT"} <= actions
    csv = node.command("audit", "--since", "1h", "--peer", "cart", "--format", "csv").stdout
    assert csv.startswith("id,at,action")
    assert "DATA_VIEWED" in node.command("audit", "--action", "data_viewed").stdout
    assert accession is not None
    sent = json.loads(node.command("outbox", "list", "--state", "sent", "--json").stdout)
    assert {"SR", "SC", "KOS"} <= {item["kind"] for item in sent["rows"]}
    assert node.command("outbox", "retry", check=False).returncode == 2
    assert node.command("study", "show", "nobody", check=False).returncode == 1
    assert node.command("db", "check").returncode == 0
    assert "(default)" in node.command("config", "show").stdout


def test_a_peer_that_is_not_named_is_turned_away(node: Node, tmp_path: Path) -> None:
    with pytest.raises(AssociationRejectedError):
        node.send(phantom(tmp_path / "study", 12), ae_title="STRANGER")
    events = node.command("audit", "--action", "association_refused").stdout
    assert "STRANGER" in events


def test_no_identity_in_logs_or_file_names(node: Node, tmp_path: Path) -> None:
    marked = {
        "PatientName": "Zzyzx^Marked",
        "PatientID": "ZZYZX-ID-4711",
        "PatientBirthDate": "19330303",
        "AccessionNumber": "ZZYZX-ACC",
    }
    files = [changed(file, file, **marked) for file in phantom(tmp_path / "study", 13, decoys=True)]
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(files[0].read_bytes()[:-5000])
    node.send([*files, broken])
    node.wait_for_report(study_uid(files))
    words = ["zzyzx", "19330303", study_uid(files)]
    words += [str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files]
    logged = node.log.read_text("utf-8").lower()
    names = "\n".join(str(path) for path in node.folder.rglob("*")).lower()
    for word in words:
        assert word.lower() not in logged
        assert word.lower() not in names
