"""A study of which no estimate is made still tells which loops would have been analysed."""

import json
from dataclasses import asdict, replace

import pytest

from dicom_node.work.conclude import abandoned, conclude, gather
from dicom_node.work.feature_codec import encode_features
from inference.errors import InferenceError
from inference.exclusions import PATIENT_DIFFERS, STUDY_NOT_ANALYSED
from inference.types import Features, Findings, InstanceRef
from storage.cases import Case, CaseInstance
from tests.contract.storing import digest, preparation
from tests.work_bench import Numbers

US = "1.2.840.10008.5.1.4.1.1.3.1"


def instance(number: int) -> CaseInstance:
    reference = InstanceRef(US, f"1.2.3.{number}", "1.2.8", modality="US")
    return CaseInstance(
        instance_id=number,
        sop_class_uid=US,
        sop_instance_uid=reference.sop_instance_uid,
        series_instance_uid="1.2.8",
        digest=digest(str(number)),
        instance_number=str(number),
        modality="US",
        patient_differs=False,
        preparation=preparation(
            number,
            bundle_digest=Numbers.model.bundle_digest,
            instance_json=json.dumps(asdict(reference)),
            features=encode_features(Features({}, (1,))),
        ),
        prepare_failed=None,
    )


def reasons(findings: Findings) -> dict[str, str]:
    """Instance -> why it was not analysed, in the order of the report."""
    return {item.instance.sop_instance_uid: item.reason.value for item in findings.exclusions}


SELECTED = STUDY_NOT_ANALYSED.value


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

    findings = abandoned(case, Numbers(), "the memory did not suffice")

    assert reasons(findings) == {"1.2.3.1": SELECTED, "1.2.3.2": SELECTED}
    assert findings.abstention == "the analysis failed: the memory did not suffice."
