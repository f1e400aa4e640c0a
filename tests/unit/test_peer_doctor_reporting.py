"""What is said of a destination whose reports on commitment were turned away."""

from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.peer_doctor.reporting import Reporter, examine_reports
from dicom_node.peer_doctor.steps import Step, Verdict
from dicom_node.scp import rejections
from dicom_node.scp.rejections import Rejection
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database

NOW = datetime.now(UTC)
PACS = Reporter(
    name="pacs",
    ae_title="PACS",
    addresses=("10.1.2.3",),
    peers=("archive",),
    called="AE title ECHONODE, port 11112",
)


def turned_away(
    database: Database,
    why: Rejection,
    *,
    calling: str = "PACS",
    address: str = "10.1.2.3",
    called: str = "ECHONODE",
    ago: timedelta = timedelta(),
) -> None:
    detail = {"calling_aet": calling, "called_aet": called, "reason": why.reason, "count": 2}
    event = trail.Event(
        action=Action.ASSOCIATION_REFUSED,
        at=NOW - ago,
        outcome="failure",
        address=address,
        detail=detail,
    )
    with database.write() as tx:
        trail.record(tx, event)


def said(database: Database) -> list[Step]:
    with database.read() as tx:
        return list(examine_reports(tx, PACS, NOW - timedelta(days=7)))


def test_where_nothing_was_refused_that_is_said(database: Database) -> None:
    turned_away(database, rejections.CALLING_UNKNOWN, calling="X", address="10.9.9.9")
    turned_away(database, rejections.CALLING_UNKNOWN, ago=timedelta(days=8))
    [step] = said(database)
    assert step.verdict is Verdict.WORKS


@pytest.mark.parametrize(
    ("why", "given", "advice"),
    [
        (rejections.CALLING_UNKNOWN, {}, 'add a [[peer]] with ae_title = "PACS"'),
        (rejections.CALLING_UNKNOWN, {"address": "fd00::7"}, 'networks = ["fd00::7/128"]'),
        (rejections.CALLING_UNKNOWN, {"calling": "OTHER"}, 'ae_title = "OTHER"'),
        (rejections.ADDRESS_DENIED, {"address": "10.1.2.4"}, "add 10.1.2.4 to `networks`"),
        (rejections.CALLED_WRONG, {"called": "ECHO"}, 'it calls "ECHO"; set it to AE title'),
        (rejections.TOO_MANY, {}, "see `echonode peer doctor archive`"),
    ],
)
def test_each_refusal_says_what_to_change(
    database: Database, why: Rejection, given: dict[str, str], advice: str
) -> None:
    turned_away(database, why, **given)  # type: ignore[arg-type]
    [step] = said(database)
    assert step.verdict is Verdict.FAILS
    assert f"2 x association: {why.reason}" in step.detail
    assert advice in step.advice
