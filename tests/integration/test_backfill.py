"""A pipeline that is changed, added or on trial: what is prepared again, stored, and not sent."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from dicom_node.app import pipelines as composition
from dicom_node.cli import cli
from dicom_node.report import NodeIdentity
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.job_runner import JobRunner
from inference.types import Assessment, Case, Code, Exclusion, Findings, Measurement, Presence
from storage import tables
from storage.corrections import ordered
from storage.database.owner import this_process
from storage.states import Outcome
from storage.studies import orders
from storage.studies.orders import Order
from storage.work import results
from tests import work_bench
from tests.contract.storing import PIPELINE
from tests.work_bench import Bench, Numbers

SHADOW = f"{PIPELINE}@new"
CODE = Code("1", "99TEST", "x")


class Measuring(Numbers):
    """Finds the sum of the instances' numbers, and a fixed offset."""

    def __init__(self, bundle: str = "d", offset: float = 0, preparing: Sequence[str] = ()) -> None:
        super().__init__()
        self.model = replace(Numbers.model, bundle_digest=bundle * 64, preparing=tuple(preparing))
        self._offset = offset

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        value = sum(float(item.features.arrays["n"][0]) for item in case.encoded) + self._offset
        unit = Code("mm[Hg]", "UCUM", "mmHg")
        presence = Presence.PRESENT if value > 10 else Presence.ABSENT
        return Findings(
            "t",
            self.model,
            measurements=(Measurement("sum", CODE, value, unit, None, None, None),),
            assessments=(Assessment("high", CODE, presence, "> 10"),),
            exclusions=tuple(exclusions),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.pipeline = Measuring()
    made.engine = made.new_engine()
    made.receive(3)
    made.complete()
    yield made
    made.database.close()


def run(bench: Bench, pipelines: dict[str, Numbers], **options: Any) -> None:
    """A worker with these pipelines, until its work is done."""
    bench.engine = JobRunner(
        bench.database,
        bench.spool,
        pipelines,
        Reporter(bench.spool, NodeIdentity("m", "m", "1", "S")),
        [Recipient("pacs", frozenset({"SR"}), 3600.0)],
        owner=this_process(),
        lease_s=30,
        maximum_attempts=3,
        **options,
    )
    with long_patience():
        bench.run_until(bench.reported)


@contextmanager
def long_patience() -> Iterator[None]:
    """Nothing here is about time."""
    wait = work_bench.wait_until
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_bench, "wait_until", lambda done, _s, what: wait(done, 200, what))
        yield


def rerun(bench: Bench, *pipelines: str) -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)
    with bench.database.write() as tx:
        orders.rerun(tx, 1, Order(actor="anna", at=at, reason="why", pipelines=pipelines))


def deliveries(bench: Bench) -> int:
    with bench.database.read() as tx:
        return tx.scalar(select(func.count()).select_from(tables.Delivery)) or 0


def reports(bench: Bench, pipeline: str) -> list[tuple[int, Outcome, bool]]:
    """Revision, outcome and whether there is something to send, of each report."""
    return [
        (made.revision, made.outcome, bool(made.objects))
        for made in bench.study().reports
        if made.pipeline == pipeline
    ]


def test_a_rerun_prepares_again_what_was_prepared_under_other_settings(bench: Bench) -> None:
    run(bench, {PIPELINE: Measuring(preparing=["exclude"])})
    for preparing, profiles, prepared in (
        (["exclude"], {}, []),
        (["note"], {}, [1, 2, 3]),
        (["note"], {"cart": "wide"}, [1, 2, 3]),
        (["note"], {"another": "wide", "cart": "wide"}, []),
    ):
        pipeline = Measuring(preparing=preparing)
        rerun(bench, PIPELINE)
        run(bench, {PIPELINE: pipeline}, profiles=profiles)
        assert sorted(n for batch in pipeline.batches for n in batch) == prepared


def test_a_shadow_stores_what_it_finds_and_nobody_gets_a_report_of_it(bench: Bench) -> None:
    rerun(bench, PIPELINE, SHADOW)
    pipelines: dict[str, Numbers] = {PIPELINE: Measuring("d"), SHADOW: Measuring("e", 7)}
    run(bench, pipelines, shadows={SHADOW})
    assert reports(bench, SHADOW) == [(2, Outcome.ESTIMATED, False)]
    assert deliveries(bench) == 1
    with bench.database.read() as tx:
        assert results.latest_report(tx, 1, SHADOW) is None
        [made] = [item for item in bench.study().reports if item.pipeline == SHADOW]
        assert json.loads(made.findings_json)["measurements"][0]["value"] == 13
    with bench.database.write() as tx:
        at = datetime.now(UTC) - timedelta(seconds=1)
        given = Order(actor="anna", at=at, reason="mixed up", pipelines=[PIPELINE, SHADOW])
        ordered.withdraw(tx, 1, given)
    run(bench, pipelines, shadows={SHADOW})
    assert reports(bench, SHADOW)[-1] == (3, Outcome.WITHDRAWN, False)


class Site:
    """The commands on the bench's node, with two entries of one pipeline."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipelines: dict[str, Numbers] = {PIPELINE: Measuring("d"), SHADOW: Measuring("e", 7)}
        monkeypatch.setattr(
            composition, "open_pipeline", lambda item, *_: self.pipelines[item.name]
        )
        self._bench = bench
        self._settings = bench.folder / "node.toml"
        self._settings.write_text(
            f'[storage]\nlow_water_bytes = 0\ndatabase_url = "{bench.database.url}"\n'
            f'[[pipeline]]\nname = "{PIPELINE}"\nbundle = "a"\n'
            f'[[pipeline]]\nname = "{SHADOW}"\nbundle = "b"\nreports = false\n'
        )

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--config", str(self._settings)])

    def backfill(self, *words: str) -> Any:
        done = self.run("backfill", "--since", "2000-01-01", "--until", "2199-01-01", *words)
        assert done.exit_code == 0, done.output
        return done.output

    def work(self) -> None:
        run(self._bench, self.pipelines, shadows={SHADOW})


@pytest.fixture
def site(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(bench, monkeypatch)
    made.work()
    return made


def test_a_backfill_brings_older_studies_a_pipeline_that_was_added(
    bench: Bench, site: Site
) -> None:
    assert "missing       1" in site.backfill("--pipeline", SHADOW, "--status")
    assert "1 study(ies) queued" in site.backfill("--pipeline", SHADOW)
    again = site.backfill("--pipeline", SHADOW)
    assert "0 study(ies) queued" in again
    assert "waiting       1" in again
    site.work()
    told = json.loads(site.backfill("--pipeline", SHADOW, "--status", "--json"))
    assert told["studies"] == {
        "done": [1],
        "waiting": [],
        "failed": [],
        "purged": [],
        "missing": [],
    }
    assert reports(bench, SHADOW) == [(2, Outcome.ESTIMATED, False)]
    shown = site.run("study", "show", "1").output
    assert f"{SHADOW}, revision 2: estimated" in shown
    assert ", stored only" in shown
    compared = site.run("shadow", "compare", PIPELINE, SHADOW).output
    assert "1 study(ies) analysed by both" in compared
    assert "bias                  +7.00" in compared
    assert "study 1: high: absent -> present" in compared
    assert "P1" not in compared


def test_what_is_only_stored_leaves_the_readers_their_report(bench: Bench, site: Site) -> None:
    site.pipelines[PIPELINE] = Measuring("f", 1)
    site.backfill("--pipeline", PIPELINE, "--store-only")
    site.work()
    assert reports(bench, PIPELINE) == [
        (1, Outcome.ESTIMATED, True),
        (2, Outcome.ESTIMATED, False),
    ]
    assert deliveries(bench) == 1
    rerun(bench, PIPELINE)
    site.work()
    assert reports(bench, PIPELINE)[-1] == (3, Outcome.ESTIMATED, True)
    assert deliveries(bench) == 2
    with bench.database.read() as tx:
        latest = results.latest_report(tx, 1, PIPELINE)
    assert latest is not None
    assert latest.supersedes == 1


def test_a_pipeline_that_the_settings_lack_is_named(site: Site) -> None:
    done = site.run("backfill", "--pipeline", "other", "--since", "7d")
    assert done.exit_code == 2
    assert f"there is no [[pipeline]] named other; known: {PIPELINE}, {SHADOW}" in done.output
