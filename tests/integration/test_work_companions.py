"""A destination that refused a picture lately is not sent the next one; the report always goes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.delivery import destinations
from storage.delivery.destinations import Answer
from tests.objects import COMPREHENSIVE_3D, SECONDARY_CAPTURE
from tests.work_bench import Bench


@pytest.mark.parametrize(
    ("ago", "queued"), [(timedelta(hours=1), ["SR"]), (timedelta(days=2), ["SR", "SC"])]
)
def test_a_companion_is_spared_where_it_was_refused_lately(
    tmp_path: Path, ago: timedelta, queued: list[str]
) -> None:
    bench = Bench(tmp_path, kinds=frozenset({"SR", "SC"}))
    at = datetime.now(UTC) - ago
    with bench.database.write() as tx:
        refused = [
            Answer(uid, (), "negotiation", at, at) for uid in (SECONDARY_CAPTURE, COMPREHENSIVE_3D)
        ]
        destinations.remember(tx, "pacs", "pacs (PACS at 10.0.0.1:104)", refused)
    bench.receive(1)
    bench.complete()
    bench.run_until(bench.reported)
    assert [item.kind for item in bench.study().deliveries] == queued
    assert {item.kind for item in bench.study().reports[0].objects} >= {"SR", "SC"}
