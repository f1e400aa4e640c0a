"""From findings to ORU^R01, read with python-hl7."""

from dataclasses import replace

import hl7
import pytest

from dicom_node.hl7 import envelope
from dicom_node.hl7.result_message import Reported, result_message
from dicom_node.report import NO_NOTICE, Notice, StudyContext
from inference.types import Code, Findings, Presence, Standing
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, study
from tests.verdict_cases import estimated

FINDINGS = estimate()
STUDY = study()


def raw(
    findings: Findings = FINDINGS,
    context: StudyContext = STUDY,
    earlier: Reported | None = None,
    notice: Notice = NO_NOTICE,
) -> bytes:
    return result_message(
        findings, context, identity=IDENTITY, made_at=MADE_AT, earlier=earlier, notice=notice
    ).data


def read(data: bytes) -> hl7.Message:
    return hl7.parse(data.decode())


def observations(message: hl7.Message) -> dict[str, hl7.Segment]:
    """The OBX by the code of what they say."""
    return {str(line[3][0][0]): line for line in message.segments("OBX")}


def statuses(message: hl7.Message) -> dict[str, str]:
    return {code: str(line[11]) for code, line in observations(message).items()}


def notes(message: hl7.Message) -> str:
    return " ".join(message.unescape(str(line[3])) for line in message.segments("NTE"))


def test_the_header_names_the_message_and_its_character_set() -> None:
    message = read(raw())
    assert str(message["MSH"][0][9]) == "ORU^R01^ORU_R01"
    assert (message["MSH.F12"], message["MSH.F18"]) == ("2.5.1", "UNICODE UTF-8")
    assert message["MSH.F7"] == "20261121101530+0000"


def test_patient_and_order_are_those_of_the_study() -> None:
    message = read(raw())
    assert str(message["PID"][0][3]) == "MARK-4711^^^HOSP"
    assert str(message["PID"][0][5]) == "Müller^Änne^^^^^L^A"
    assert (message["PID.F7"], message["PID.F8"]) == ("19560412", "F")
    assert (message["OBR.F3"], message["OBR.F18"]) == ("ACC1", "ACC1")
    assert str(message["OBR"][0][16]) == "^House^Gregory"
    assert message["OBR.F7"].startswith("20261121090000")
    assert message["OBX.F5"] == STUDY.study_instance_uid


def test_every_group_of_a_name_is_told_with_suffix_and_prefix_where_hl7_has_them() -> None:
    name = "Yamada^Tarou^Jiro^Dr.^Jr.=山田^太郎=やまだ^たろう"
    message = read(raw(context=study(patient_name=name)))
    assert str(message["PID"][0][5]) == (
        "Yamada^Tarou^Jiro^Jr.^Dr.^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"
    )


def test_what_hl7_separates_by_is_escaped_in_whatever_the_archive_sent() -> None:
    message = read(raw(context=study(patient_id="A|B^C&D~E\\F", accession_number="1^2")))
    assert message["PID.F3.R1.C1"] == "A|B^C&D~E\\F"
    assert message["OBR.F3.R1.C1"] == "1^2"


def test_each_estimate_is_a_number_with_unit_limit_and_flag_and_its_interval_in_words() -> None:
    message = read(raw())
    for measurement in FINDINGS.measurements:
        line = observations(message)[measurement.concept.value]
        assert str(line[2]) == "NM"
        assert float(str(line[5])) == round(measurement.value, measurement.decimals)
        assert str(line[6][0][0]) == measurement.unit.value
        assert str(line[6][0][2]) == "UCUM"
        assert str(line[7]) == f"<={measurement.upper_limit:g}"
    flags = {name: str(observations(message)[name][8]) for name in ("8414-5", "118433006")}
    assert flags == {"8414-5": "H", "118433006": ""}, "none where the interval spans the limit"
    assert str(observations(message)["8414-5"][3]) == (
        "8414-5^Pulmonary artery Mean blood pressure^LN"
    )
    assert "% interval" in notes(message)


def test_each_verdict_is_coded_with_the_certainty_of_what_is_stated() -> None:
    message = read(raw())
    for assessment in FINDINGS.assessments:
        line = observations(message)[assessment.concept.value]
        assert str(line[2]) == "CE"
        assert str(line[5][0][1]).lower() == assessment.presence.value
        assert assessment.certainty_percent is not None
        assert float(str(line[9])) == assessment.certainty_percent / 100


def test_beside_absent_stands_the_certainty_of_the_absence_and_beside_undetermined_none() -> None:
    absent, open_ = (
        replace(FINDINGS.assessments[0], presence=presence, probability=0.25)
        for presence in (Presence.ABSENT, Presence.UNDETERMINED)
    )
    for assessment, certainty in ((absent, "0.75"), (open_, "")):
        message = read(raw(replace(FINDINGS, assessments=(assessment,))))
        assert str(observations(message)[assessment.concept.value][9]) == certainty
        assert "probability of PH 25 %" in notes(message)


def test_an_estimate_beyond_the_models_range_is_a_comparison_and_the_class_is_coded() -> None:
    message = read(raw(estimated({"mPAP": 12.1, "PVR": -0.04, "PAWP": 9.0})))
    pvr = observations(message)["276901002"]
    assert (str(pvr[2]), str(pvr[5])) == ("SN", "<^0.3")
    assert "PVR below 0.3" not in notes(message)
    assert "below 0.3 Wood units (the model's range)" in notes(message)
    assert str(observations(message)["HAEMODYN-CLASS"][5][0][0]) == "NO-PH"


def test_nothing_is_final_and_the_reader_is_told_so() -> None:
    message = read(raw())
    assert set(statuses(message).values()) == {"P"}
    assert message["OBR.F25"] == "P"
    assert "not verified by a physician" in notes(message)
    assert FINDINGS.model.warning in notes(message)


@pytest.mark.parametrize(
    ("standing", "processing"), [(Standing.RESEARCH, "P"), (Standing.UNTRAINED, "T")]
)
def test_an_untrained_model_says_so_and_judges_nothing(standing: Standing, processing: str) -> None:
    findings = replace(FINDINGS, model=replace(FINDINGS.model, standing=standing))
    message = read(raw(findings))
    assert message["MSH.F11"] == processing
    flags = {str(line[8]) for line in message.segments("OBX") if str(line[2]) == "NM"}
    assert (flags == {""}) == (standing is Standing.UNTRAINED)


def test_no_estimate_is_told_and_takes_back_what_was_told_before() -> None:
    nothing = abstention()
    message = read(raw(nothing, earlier=Reported(STUDY, FINDINGS)))
    assert str(observations(message)["ESTIMATE-STATUS"][5][0][0]) == "NOT-ESTIMATED"
    assert str(nothing.abstention) in notes(message)
    told = statuses(message)
    assert {told[item.concept.value] for item in FINDINGS.measurements} == {"W"}
    assert told["ESTIMATE-STATUS"] == "P"


def test_new_estimates_replace_the_old_ones_by_their_codes() -> None:
    message = read(raw(context=study(revision=2), earlier=Reported(STUDY, FINDINGS)))
    assert set(statuses(message).values()) == {"P"}


def test_a_withdrawal_marks_all_that_was_said_as_wrong() -> None:
    notice = Notice(withdrawn="The study was withdrawn: mistaken patient.")
    message = read(raw(abstention(), earlier=Reported(STUDY, FINDINGS), notice=notice))
    told = statuses(message)
    assert {told[item.concept.value] for item in FINDINGS.measurements} == {"W"}
    assert told["ESTIMATE-STATUS"] == "C"
    assert message["OBR.F25"] == "C"
    assert "mistaken patient" in notes(message)


def test_another_identification_is_a_correction_and_the_former_one_is_told_first() -> None:
    notice = Notice(
        sentences=("The identification of this study was corrected: Patient ID.",),
        rejection=Code("113038", "DCM", "Incorrect Modality Worklist Entry"),
    )
    corrected = study(patient_id="RIGHT", revision=2)
    former, now = map(
        read, envelope.split(raw(FINDINGS, corrected, Reported(STUDY, FINDINGS), notice))
    )
    assert former["PID.F3.R1.C1"] == "MARK-4711"
    assert now["PID.F3.R1.C1"] == "RIGHT"
    values = [item.concept.value for item in FINDINGS.measurements]
    assert {statuses(former)[value] for value in values} == {"W"}
    assert {statuses(now)[value] for value in values} == {"C"}
    assert former["MSH.F10"] != now["MSH.F10"]


def test_the_same_report_has_the_same_bytes_and_another_revision_another_control_id() -> None:
    assert raw() == raw()
    ids = {
        result_message(FINDINGS, study(revision=n), identity=IDENTITY, made_at=MADE_AT).control_id
        for n in (1, 2)
    }
    assert len(ids) == 2
    assert {len(each) for each in ids} == {20}


def test_a_study_without_date_or_accession_number_still_has_a_message() -> None:
    bare = study(study_date="", study_time="", accession_number="", patient_name="", patient_id="")
    message = read(raw(context=bare))
    assert message["OBR.F3"] == bare.study_instance_uid
    assert message["OBR.F7"] == ""


def test_the_address_is_written_when_it_is_sent_and_changes_nothing_else() -> None:
    (message,) = envelope.split(raw())
    sent = envelope.addressed(message, "RIS", "H&S")
    assert sent.replace(b"|RIS|H\\T\\S|", b"|||") == message
    assert envelope.control_id(sent) == envelope.control_id(message)
