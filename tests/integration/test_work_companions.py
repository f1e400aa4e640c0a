"""A destination that refused a picture lately is not sent the next one; the report always goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from inference.types import Picture
from storage.delivery import destinations
from storage.delivery.destinations import Answer
from tests.objects import COMPREHENSIVE_3D, SECONDARY_CAPTURE
from tests.work_bench import Bench

MULTI_FRAME_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.4"


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


def test_where_only_the_richer_rendition_was_refused_the_other_still_goes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, kinds=frozenset({"SR", "SC"}))
    drawn = Picture("Where it looked", np.zeros((8, 8, 3), np.uint8))
    abstain = bench.pipeline.abstain
    bench.pipeline.abstain = lambda *of: replace(abstain(*of), pictures=(drawn,))  # type: ignore[method-assign]
    at = datetime.now(UTC) - timedelta(hours=1)
    with bench.database.write() as tx:
        refused = [Answer(MULTI_FRAME_CAPTURE, (), "negotiation", at, at)]
        destinations.remember(tx, "pacs", "pacs (PACS at 10.0.0.1:104)", refused)
    bench.receive(1)
    bench.complete()
    bench.run_until(bench.reported)
    assert [item.kind for item in bench.study().deliveries] == ["SR", "SC"]
    pictures = [item for item in bench.study().reports[0].objects if item.kind == "SC"]
    assert [item.sop_class_uid for item in pictures] == [MULTI_FRAME_CAPTURE, SECONDARY_CAPTURE]
