"""A study whose files retention removed: what is known of them is used, what is not is named."""

from dataclasses import replace

import pytest

from dicom_node.work.case_findings import conclude, gather, unprepared_instances
from inference.exclusions import FILES_REMOVED
from storage.reading.cases import Case, CaseInstance
from tests.contract.storing import digest
from tests.unit.prepared_instances import prepared_instance
from tests.work_bench import Numbers


@pytest.fixture
def pipeline() -> Numbers:
    return Numbers()


def case(*instances: CaseInstance) -> Case:
    return Case(1, "1.2.9", patient_conflict=False, instances=instances)


def test_stored_features_do_without_the_file(pipeline: Numbers) -> None:
    late = case(
        prepared_instance(1, pipeline.model.bundle_digest, removed=True),
        prepared_instance(2, pipeline.model.bundle_digest, removed=False),
    )
    assert unprepared_instances(late, pipeline, {}, retry_failed=True) == []
    gathered = gather(late, pipeline)
    assert len(gathered.encoded) == 2
    assert gathered.exclusions == ()


def test_after_a_change_of_the_bundle_what_cannot_be_prepared_anew_is_named(
    pipeline: Numbers,
) -> None:
    late = case(
        prepared_instance(1, digest("old"), removed=True),
        prepared_instance(2, digest("old"), removed=False),
        replace(prepared_instance(3, "", removed=True), preparation=None),
    )
    assert unprepared_instances(late, pipeline, {}, retry_failed=True) == [2]
    first, _, third = late.instances
    anew = case(first, prepared_instance(2, pipeline.model.bundle_digest, removed=False), third)
    gathered = gather(anew, pipeline)
    reasons = {item.instance.sop_instance_uid: item.reason for item in gathered.exclusions}
    assert reasons == {"1.2.3.1": FILES_REMOVED, "1.2.3.3": FILES_REMOVED}
    told = conclude(anew, gathered, pipeline).abstention
    assert "2 of the study's 3 instances could not be analysed" in (told or "")


def test_what_an_earlier_version_of_the_pipeline_made_is_made_anew(pipeline: Numbers) -> None:
    """Its rules may have let in what the present ones leave out."""
    there = prepared_instance(1, pipeline.model.bundle_digest, removed=False)
    gone = prepared_instance(2, pipeline.model.bundle_digest, removed=True)
    for version in (None, "0"):
        earlier = case(*(_made_by(version, item) for item in (there, gone)))
        assert unprepared_instances(earlier, pipeline, {}, retry_failed=False) == [1]
    half = case(there, _made_by(None, gone))
    gathered = gather(half, pipeline)
    assert [item.reason for item in gathered.exclusions] == [FILES_REMOVED]
    assert conclude(half, gathered, pipeline).abstention is not None


def _made_by(version: str | None, item: CaseInstance) -> CaseInstance:
    assert item.preparation is not None
    return replace(item, preparation=replace(item.preparation, pipeline_version=version))
