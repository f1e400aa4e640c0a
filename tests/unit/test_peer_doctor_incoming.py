"""What the node says about a system that calls it."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from dicom_node.peer_doctor.incoming import KnownPeer, examine_peer
from dicom_node.peer_doctor.steps import Step
from dicom_node.scp import rejections
from dicom_node.scp.rejections import Rejection
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from tests.certificates import Authority

NOW = datetime.now(UTC)


def cart(**changes: Any) -> KnownPeer:
    values: dict[str, Any] = {
        "name": "cart",
        "ae_title": "CART",
        "networks": (ip_network("10.1.2.3/32"),),
        "may": ("echo", "store"),
        "called": "AE title ECHONODE, port 11112",
    }
    return KnownPeer(**values | changes)


def happened(database: Database, action: Action, at: datetime, **values: Any) -> None:
    with database.write() as tx:
        trail.record(tx, trail.Event(action=action, at=at, **values))


def refused(database: Database, why: Rejection, at: datetime = NOW, **values: Any) -> None:
    detail = {"calling_aet": "CART", "called_aet": "ECHONODE", "reason": why.reason, "count": 3}
    event: dict[str, Any] = {"address": "10.1.2.3", **values}
    event["detail"] = detail | event.get("detail", {})
    happened(database, Action.ASSOCIATION_REFUSED, at, outcome="failure", **event)


def said(database: Database, peer: KnownPeer | None = None) -> dict[str, Step]:
    with database.read() as tx:
        return {step.name: step for step in examine_peer(tx, peer or cart())}


def test_a_peer_that_never_came_is_told_how_to_come(database: Database) -> None:
    step = said(database)["last association"]
    assert step.verdict == "lacks"
    for word in ("AE title ECHONODE, port 11112", "10.1.2.3/32", "CART"):
        assert word in step.advice


def test_a_peer_that_works(database: Database) -> None:
    for action in (Action.ASSOCIATION_OPENED, Action.INSTANCE_STORED):
        happened(database, action, NOW, peer="cart", address="10.1.2.3")
    steps = said(database)
    assert {step.verdict.value for step in steps.values()} == {"works", "skipped"}
    assert steps["TLS"].verdict == "skipped"


@pytest.mark.parametrize(
    ("why", "values", "advice"),
    [
        (
            rejections.CALLING_UNKNOWN,
            {"detail": {"calling_aet": "CART1"}},
            'set its `ae_title` to "CART1"',
        ),
        (rejections.ADDRESS_DENIED, {"address": "10.9.9.9"}, 'add "10.9.9.9/32"'),
        (rejections.PLAIN_DENIED, {}, "switch TLS on"),
        (rejections.CERTIFICATE_DENIED, {}, "compare `tls.name`"),
        (rejections.CALLED_WRONG, {"detail": {"called_aet": "NODE"}}, 'it calls "NODE"'),
        (rejections.TOO_MANY_OF_PEER, {}, "`maximum_associations`"),
        (rejections.TOO_OFTEN, {}, "`associations_per_minute`"),
        (rejections.NOT_NOW, {}, "see the node's log"),
    ],
)
def test_each_refusal_has_its_advice(
    database: Database, why: Rejection, values: dict[str, Any], advice: str
) -> None:
    refused(database, why, **values)
    step = said(database)["refusals"]
    assert step.verdict == "fails"
    assert f"3 x {why.reason}" in step.detail
    assert advice in step.advice


def test_a_refusal_before_it_was_let_in_is_history(database: Database) -> None:
    refused(database, rejections.CALLED_WRONG, NOW - timedelta(hours=2))
    happened(database, Action.ASSOCIATION_OPENED, NOW, peer="cart", address="10.1.2.3")
    step = said(database)["refusals"]
    assert step.verdict == "lacks"
    assert "it has connected since" in step.detail


def test_what_others_were_refused_is_not_its_business(database: Database) -> None:
    refused(
        database,
        rejections.CALLING_UNKNOWN,
        address="10.5.5.5",
        detail={"calling_aet": "STRANGER"},
    )
    refused(database, rejections.CALLED_WRONG, NOW - timedelta(days=30))
    assert said(database)["refusals"].verdict == "works"


def test_instances_that_were_refused_are_counted(database: Database) -> None:
    for _ in range(2):
        detail = {"reason": "No space left to store the instance"}
        happened(database, Action.INSTANCE_REFUSED, NOW, peer="cart", detail=detail)
    step = said(database)["instances"]
    assert step.verdict == "lacks"
    assert "2 x No space left" in step.detail


def test_rights_and_certificate(database: Database, tmp_path: Path) -> None:
    authority = Authority.at(tmp_path / "hospital")
    steps = said(database, cart(may=("echo",), tls=True, tls_name="cart-1", tls_ca=authority.ca))
    assert '"store"' in steps["rights"].advice
    assert "named cart-1" in steps["TLS"].detail
    assert "issued by CN=hospital" in steps["TLS"].detail
