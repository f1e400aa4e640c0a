"""A study of which no estimate is made still tells which loops would have been analysed."""

from dataclasses import replace

import pytest

from dicom_node.work.case_findings import abandoned, conclude, gather, input_digest
from dicom_node.work.findings_codec import encode_findings
from inference.errors import InferenceError
from inference.exclusions import NO_ESTIMATE, PATIENT_DIFFERS, UNUSED
from inference.types import Exclusion, Findings, ModelCard, Reference, Standing, StudyRef
from storage.reading.cases import Case, CaseInstance
from storage.reading.earlier import EarlierFindings
from storage.reading.same_patient import CaseStudy
from tests.report_cases import MMHG, measurements
from tests.unit.prepared_instances import prepared_instance
from tests.work_bench import Numbers


def instance(number: int) -> CaseInstance:
    return prepared_instance(number, Numbers.model.bundle_digest)


def reasons(findings: Findings) -> dict[str, str]:
    """Instance -> why it was not analysed, in the order of the report."""
    return {item.instance.sop_instance_uid: item.reason.value for item in findings.exclusions}


SELECTED = NO_ESTIMATE.value


def test_a_study_of_two_patients_lists_the_loops_of_its_own() -> None:
    stranger = replace(instance(2), patient_differs=True)
    case = Case(1, "1.2.9", patient_conflict=True, instances=(instance(3), stranger, instance(1)))
    pipeline = Numbers()

    findings = conclude(case, gather(case, pipeline), pipeline)

    assert reasons(findings) == {
        "1.2.3.1": SELECTED,
        "1.2.3.2": PATIENT_DIFFERS.value,
        "1.2.3.3": SELECTED,
    }
    assert list(reasons(findings)) == sorted(reasons(findings))
    assert "more than one patient" in str(findings.abstention)


def test_so_does_one_whose_model_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(1, "1.2.9", patient_conflict=False, instances=(instance(2), instance(1)))
    pipeline = Numbers()

    def fail() -> None:
        raise InferenceError("not finite")

    monkeypatch.setattr(pipeline, "on_conclude", fail)

    findings = conclude(case, gather(case, pipeline), pipeline)

    assert reasons(findings) == {"1.2.3.1": SELECTED, "1.2.3.2": SELECTED}


def test_and_one_whose_analysis_is_given_up() -> None:
    case = Case(1, "1.2.9", patient_conflict=False, instances=(instance(2), instance(1)))

    findings = abandoned(case, Numbers(), "out of memory")

    assert reasons(findings) == {"1.2.3.1": SELECTED, "1.2.3.2": SELECTED}
    assert findings.abstention == (
        "technical failure (out of memory). Please tell the administrator."
    )


def test_another_setting_of_the_pipeline_makes_another_report() -> None:
    case = Case(1, "1.2.9", patient_conflict=False, instances=(instance(1),))
    pipeline, other = Numbers(), Numbers()
    other.model = replace(Numbers.model, parameters=("unfamiliar loops: note",))

    assert gather(case, pipeline).input_digest == gather(case, Numbers()).input_digest
    assert gather(case, pipeline).input_digest != gather(case, other).input_digest


def test_an_instance_of_another_study_says_so_and_makes_another_report() -> None:
    alone = Case(1, "1.2.9", patient_conflict=False, instances=(instance(1),), at="20260131101500")
    other = replace(instance(2), of=CaseStudy(2, "1.2.10", "20260202081500"))
    later = replace(other, of=CaseStudy(2, "1.2.10", "20260203081500"))
    cases = [replace(alone, companions=companions) for companions in ((), (other,), (later,))]

    gathered = [gather(case, Numbers()) for case in cases]

    assert [(item.study.uid, item.study.at) for item in gathered[1].encoded] == [
        ("1.2.9", "20260131101500"),
        ("1.2.10", "20260202081500"),
    ]
    assert [item.instance.description for item in gathered[1].encoded] == [
        "",
        "study of 2026-02-02",
    ]
    assert len({item.input_digest for item in gathered}) == 3


def test_what_is_estimated_stands_beside_what_was_and_another_past_makes_another_report() -> None:
    alone = Case(1, "1.2.9", patient_conflict=False, instances=(instance(1),), at="20260131101500")
    case = replace(alone, earlier=(before(31), before(38)))
    pipeline = Numbers()
    pipeline.abstain = lambda *_: found(40, pipeline.model)  # type: ignore[method-assign]

    gathered = gather(case, pipeline)
    course = conclude(case, gathered, pipeline).course

    assert [item.values["mPAP"].value for item in gathered.earlier] == [31, 38]
    assert course is not None
    assert course.study == StudyRef("1.2.9", "20260131101500")
    assert [point.estimate.value for point in course.tracks[0].earlier] == [31, 38]
    others = [alone, replace(case, earlier=(before(31),)), replace(case, earlier=(before(32),))]
    digests = {gather(other, pipeline).input_digest for other in (case, *others)}
    assert len(digests) == 4


def test_an_earlier_estimate_of_an_untrained_model_stands_beside_no_other() -> None:
    trusted = replace(Numbers.model, standing=Standing.RESEARCH)
    case = Case(1, "1.2.9", patient_conflict=False, instances=(instance(1),), earlier=(before(31),))
    pipeline = Numbers()
    assert len(gather(case, pipeline).earlier) == 1
    pipeline.model = trusted
    assert gather(case, pipeline).earlier == ()


def test_what_was_measured_until_the_study_stands_beside_and_makes_another_report() -> None:
    at = "20260131101500"
    case = Case(1, "1.2.9", False, (instance(1),), at=at, patient_id="P1")
    pipeline = Numbers()
    pipeline.abstain = lambda *_: found(40, pipeline.model)  # type: ignore[method-assign]
    values = (
        Reference("20250131", 38.0, MMHG),
        Reference("20260131", 41.0, MMHG),
        Reference("20260201", 9.0, MMHG),
    )

    plain, other = (gather(case, pipeline, {who: {"mPAP": values}}) for who in ("P2", "P1"))

    assert plain.input_digest == gather(case, pipeline).input_digest != other.input_digest
    course = conclude(case, other, pipeline).course
    assert course is not None
    assert [item.value for item in course.tracks[0].references] == [38.0, 41.0]
    late = replace(values[2], value=10.0)
    same = gather(case, pipeline, {"P1": {"mPAP": (*values[:2], late)}})
    assert same.input_digest == other.input_digest, "what came after the study changes nothing"


def found(value: float, model: ModelCard) -> Findings:
    mpap = replace(measurements()[0], value=value)
    return Findings("t", model, measurements=(mpap,))


def before(value: float) -> EarlierFindings:
    """What the same bundle estimated in an earlier study."""
    at = CaseStudy(int(value), f"1.2.8.{value}", "20250131101500")
    said = encode_findings(found(value, Numbers.model))
    return EarlierFindings(at, Numbers.model.bundle_digest, said)


def test_one_of_another_study_that_could_not_be_analysed_leaves_no_estimate() -> None:
    failed = replace(
        instance(2),
        preparation=None,
        prepare_failed="disk away",
        of=CaseStudy(2, "1.2.10", "20260202081500"),
    )
    case = Case(1, "1.2.9", patient_conflict=False, instances=(instance(1),), companions=(failed,))

    findings = conclude(case, gather(case, Numbers()), Numbers())

    assert "1 of the 2 instances could not be analysed: disk away." in str(findings.abstention)


def test_a_companion_that_findings_do_not_name_has_no_part_in_them() -> None:
    beside = replace(instance(2), of=CaseStudy(2, "1.2.10", "20260101000000"))
    case = Case(1, "1.2.9", patient_conflict=False, instances=(instance(1),), companions=(beside,))
    pipeline = Numbers()
    gathered = gather(case, pipeline)
    silent = conclude(case, gathered, pipeline)
    alone = gather(replace(case, companions=()), pipeline)
    assert input_digest(case, gathered, silent, pipeline, {}) == alone.input_digest
    told = Exclusion(gathered.encoded[1].instance, NO_ESTIMATE, UNUSED)
    naming = replace(silent, exclusions=(told,))
    assert input_digest(case, gathered, naming, pipeline, {}) == gathered.input_digest
