"""What a worker cannot do is told: of an instance in the report, of a study by a report, or seen.

The invariant: every complete study is reported once, or visibly failed.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from storage.audit import trail
from storage.audit.trail import Action
from storage.states import JobState, Outcome
from storage.work import jobs
from tests.contract.storing import PIPELINE
from tests.work_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, maximum_attempts=1)
    yield made
    made.database.close()


def fails() -> None:
    raise RuntimeError("unforeseen")


def concluded(bench: Bench) -> None:
    bench.run_until(bench.all_ended)
    bench.complete()
    bench.engine = bench.new_engine()
    bench.run_until(bench.reported)


def damage(bench: Bench, instance: int) -> None:
    path = bench.spool.path(bench.study().instances[instance - 1].digest)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def actions(bench: Bench) -> set[Action]:
    return {event.action for event in bench.study().events}


def test_an_analysis_that_fails_for_good_is_reported_as_failed_once(bench: Bench) -> None:
    bench.receive(2)
    bench.pipeline.on_conclude = fails
    concluded(bench)
    detail = bench.study()
    assert [report.outcome for report in detail.reports] == [Outcome.ABSTAINED]
    assert "technical failure (RUNTIME)" in detail.reports[0].findings_json
    assert [item.kind for item in detail.deliveries] == ["SR"]
    assert detail.revisions[0].failures == {PIPELINE: "RUNTIME"}
    assert {Action.JOB_FAILED, Action.REPORT_MADE} <= actions(bench)


def test_a_study_that_cannot_be_reported_at_all_is_seen_to_have_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.work.report_files.build_what_passes", lambda *_, **__: fails())
    bench.receive(1)
    concluded(bench)
    detail = bench.study()
    assert detail.reports == ()
    assert detail.summary.outcomes == {PIPELINE: JobState.FAILED}
    assert detail.revisions[0].failures == {PIPELINE: "RUNTIME"}
    assert Action.JOB_FAILED in actions(bench)
    with bench.database.read() as tx:
        assert jobs.failed_reports(tx, detail.summary.opened_at) == {PIPELINE: [1]}


def test_what_had_to_be_left_out_of_a_report_is_in_the_audit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = import_module("dicom_node.report.build")  # of the same name as its function
    monkeypatch.setattr(build, "secondary_captures", lambda *_: fails())
    bench.receive(1)
    concluded(bench)
    [report] = bench.study().reports
    assert {item.kind for item in report.objects} == {"SR", "PDF"}
    [made] = [event for event in bench.study().events if event.action is Action.REPORT_MADE]
    assert made.detail["left_out"] == "the summary picture"


def test_a_report_after_a_failed_one_is_made_in_full(bench: Bench) -> None:
    bench.receive(1)
    bench.pipeline.on_conclude = fails
    concluded(bench)
    bench.pipeline.on_conclude = lambda: None
    with bench.database.write() as tx:  # the same instances, complete once more
        jobs.queue_conclude(tx, 1, 2, bench.study().summary.opened_at, [PIPELINE])
    bench.engine = bench.new_engine()
    bench.run_until(lambda: len(bench.study().reports) == 2)
    assert "technical failure" not in bench.study().reports[1].findings_json
    assert bench.study().reports[1].supersedes == bench.study().reports[0].id


def test_a_damaged_file_is_set_aside_and_named_even_where_it_was_the_first(bench: Bench) -> None:
    bench.receive(3)
    damage(bench, 1)
    concluded(bench)
    [report] = bench.study().reports
    assert bench.jobs()[1][2] == "SPOOL_DAMAGED"
    assert "the stored file is missing or damaged" in report.findings_json
    assert [item.state for item in bench.study().deliveries] == ["pending"]


def test_a_study_without_any_whole_file_is_seen_to_have_failed(bench: Bench) -> None:
    bench.receive(1)
    damage(bench, 1)
    concluded(bench)
    assert bench.study().reports == ()
    assert bench.study().revisions[0].failures == {
        PIPELINE: "the stored file is missing or damaged"
    }


class TooMuch:
    """Memory that holds so many loops at once and no more."""

    def __init__(self, loops: int) -> None:
        self.loops = loops
        self.refused: list[int] = []

    def __call__(self, looks: Sequence[int]) -> None:
        if len(looks) > self.loops:
            self.refused.append(len(looks))
            raise MemoryError


def test_a_batch_that_does_not_fit_is_halved_and_no_such_batch_is_tried_again(
    bench: Bench,
) -> None:
    bench.receive(40)
    bench.pipeline.on_encode = memory = TooMuch(loops=3)
    bench.run_until(bench.all_ended)
    assert set(bench.jobs().values()) == {("done", 1, None)}
    assert 1 <= len(memory.refused) <= 4  # the batch, and the one claimed ahead of it in halves
    encoded = sum(len(batch) for batch in bench.pipeline.batches if len(batch) <= 3)
    assert encoded == 40


def test_a_loop_that_fits_no_memory_fails_with_advice_and_nothing_is_said_of_the_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.retry_decision._PATIENCE", 1)

    def too_large(looks: Sequence[int]) -> None:
        if 2 in looks:
            raise MemoryError

    bench.receive(3)
    bench.pipeline.on_encode = too_large
    concluded(bench)
    assert bench.jobs()[2] == ("failed", 1, "OUT_OF_MEMORY")
    [report] = bench.study().reports
    assert "1 of the study's 3 instances could not be analysed" in report.findings_json
    assert "out of memory" in report.findings_json
    assert "An estimate from the rest could be wrong" in report.findings_json
    with bench.database.read() as tx:
        assert trail.search(tx, action=Action.JOB_FAILED)


def test_a_failure_report_that_kills_its_worker_is_not_tried_for_ever(bench: Bench) -> None:
    bench.receive(1)
    bench.run_until(bench.all_ended)
    bench.complete()
    with bench.database.write() as tx:
        tx.exec_driver_sql("UPDATE job SET attempt = 2 WHERE kind = 'conclude'")
    bench.engine = bench.new_engine()
    bench.run_until(bench.reported)
    assert bench.study().reports == ()
    assert "the worker died" in bench.study().revisions[0].failures[PIPELINE]
