"""What an operator sees of deliveries that climb, and how they are helped on."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.cli import cli
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.delivery import ladder, outbox
from storage.delivery.commitment_answers import ask, record_answer
from storage.errors import NotFoundError, StorageError
from storage.keeping.promises import Reference, record_request
from storage.migrations.upgrading import upgrade
from storage.states import Rung
from tests.contract.storing import ME, after, record_report, report, result_object, store_study

SR = result_object("SR", 0).sop_instance_uid


class Operator:
    """Somebody with a shell on a node whose only delivery was accepted and must be read back."""

    def __init__(self, folder: Path) -> None:
        (folder / "state").mkdir(mode=0o750)
        self.database = Database(f"sqlite:///{folder / 'state' / 'node.db'}")
        upgrade(self.database)
        self._config = folder / "node.toml"
        self._config.write_text(
            f'[node]\nstate_dir = "{folder / "state"}"\n[receive]\nhost = "127.0.0.1"\nport = 1\n'
        )
        store_study(self.database)
        report_id = record_report(self.database, report(findings_json=""))
        with self.database.write() as tx:
            outbox.enqueue(
                tx, report_id, kind="SR", destination="pacs", now=after(90), expires_at=after(900)
            )
            [item] = outbox.claim(tx, destination="pacs", owner=ME, now=after(90), lease_s=30)
            outbox.mark_sent(tx, item, at=after(91), sop_instance_uid=SR, status=0xB000)
            ladder.begin(
                tx,
                item.id,
                destination="pacs",
                goal=Rung.READ_BACK,
                at=after(91),
                expires_at=after(9000),
            )

    def configures(self, more: str) -> None:
        with self._config.open("a") as file:
            file.write(more)

    def runs(self, command: str) -> str:
        done = CliRunner().invoke(cli, [*command.split(), "--config", str(self._config)])
        if isinstance(done.exception, StorageError):
            raise done.exception
        return done.output

    def commits(self) -> None:
        with self.database.write() as tx:
            [climb] = ladder.claim(
                tx, destination="pacs", now=after(91), again_at=after(400), limit=1
            )
            ask(tx, [climb.question], transaction_uid="2.25.1", at=after(92))
            record_answer(tx, "2.25.1", committed={SR}, failed={}, by="pacs", at=after(93))
            ladder.reach(
                tx, climb, Rung.COMMITTED, at=after(93), evidence="transaction 1", now=after(94)
            )

    def stalls(self) -> None:
        with self.database.write() as tx:
            [climb] = ladder.claim(
                tx, destination="pacs", now=after(500), again_at=after(900), limit=1
            )
            ladder.stall(tx, climb, after(500), code="NOT_FOUND", message="nobody names it")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def test_the_list_says_how_far_each_delivery_is(operator: Operator) -> None:
    assert "accepted; waiting for storage commitment" in operator.runs("outbox list")
    operator.commits()
    assert "committed; waiting for the archive to list it" in operator.runs("study show 1")
    [listed] = json.loads(operator.runs("outbox list --climb climbing --json"))["rows"]
    assert (listed["rung"], listed["goal"]) == ("committed", "read back")
    assert operator.runs("outbox list --climb stalled") == "No matching deliveries.\n"


def test_one_delivery_is_shown_with_its_evidence(operator: Operator) -> None:
    operator.commits()
    lines = operator.runs("outbox show 1").splitlines()
    assert lines[0] == "Delivery 1  SR of study 1 to pacs"
    [accepted] = [line for line in lines if "accepted " in line]
    assert accepted.endswith(f"status 0xB000, as {SR}")
    [committed] = [line for line in lines if line.startswith("  committed  ")]
    assert committed.endswith("transaction 1")
    with pytest.raises(NotFoundError, match="no delivery 7"):
        operator.runs("outbox show 7")


def test_what_stalls_is_bad_for_the_doctor_and_climbs_on_when_retried(operator: Operator) -> None:
    operator.commits()
    assert "delivery confirmation: none overdue" in operator.runs("doctor")
    operator.stalls()
    assert "accepted but not confirmed: 1 to pacs" in operator.runs("doctor")
    shown = operator.runs("outbox show 1")
    assert "committed; given up waiting for the archive to list it" in shown
    assert "NOT_FOUND: nobody names it" in shown
    assert operator.runs("outbox retry 1") == "1 delivery(s) queued again\n"
    assert "committed; waiting for the archive to list it" in operator.runs("outbox list")


def test_the_doctor_warns_of_an_archive_that_may_not_report(operator: Operator) -> None:
    pacs = '[[destination]]\nname="pacs"\nhost="127.0.0.1"\nport=1\nae_title="PACS"\n'
    operator.configures(pacs + 'climb_to="committed"\n')
    assert "if PACS sends its commitment report on a new association" in operator.runs("doctor")
    operator.configures(
        '[[peer]]\nname="pacs"\nae_title="PACS"\nnetworks=["127.0.0.1/32"]\nmay=["commit"]\n'
    )
    assert "on a new association" not in operator.runs("doctor")


PACS = """
[[destination]]
name = "pacs"
host = "10.1.2.3"
port = 104
ae_title = "PACS"
climb_to = "committed"
"""


def refused(operator: Operator, action: Action, address: str, **detail: object) -> None:
    """An event of the listener, which turned somebody away a minute after the delivery."""
    peer = "archive" if action is Action.REQUEST_REFUSED else None
    with operator.database.write() as tx:
        event = trail.Event(
            action=action,
            at=after(151),
            outcome="failure",
            peer=peer,
            address=address,
            detail=detail,
        )
        trail.record(tx, event)


def test_a_report_that_was_not_let_in_is_seen_with_the_delivery_that_waits_for_it(
    operator: Operator,
) -> None:
    operator.configures(PACS)
    assert "refused" not in operator.runs("outbox show 1")
    unknown = {"called_aet": "ECHONODE", "reason": "calling AE title unknown", "count": 3}
    refused(operator, Action.ASSOCIATION_REFUSED, "10.1.2.3", calling_aet="PACS_COMMIT", **unknown)
    refused(operator, Action.ASSOCIATION_REFUSED, "10.9.9.9", calling_aet="OTHER", **unknown)
    shown = operator.runs("outbox show 1")
    assert "refused    3 x association: calling AE title unknown, last at" in shown
    assert (
        'add a [[peer]] with ae_title = "PACS_COMMIT", networks = ["10.1.2.3/32"] and '
        'may = ["commit"]'
    ) in shown
    assert "OTHER" not in shown
    operator.commits()
    assert "refused" not in operator.runs("outbox show 1")


def test_a_report_of_a_peer_that_may_not_commit_is_seen(operator: Operator) -> None:
    operator.configures(PACS)
    operator.configures(
        '[[peer]]\nname="archive"\nae_title="PACS"\nnetworks=["10.1.2.3/32"]\nmay=["echo"]\n'
    )
    refused(
        operator,
        Action.REQUEST_REFUSED,
        "10.1.2.3",
        kind="N-EVENT-REPORT",
        status="0x0124",
        reason='This peer may not "commit"',
    )
    shown = operator.runs("outbox show 1")
    assert 'here: add "commit" to `may` of [[peer]] archive' in shown


def test_who_was_not_told_of_its_commitment_is_named_by_the_doctor(operator: Operator) -> None:
    long_ago = after(-200 * 365 * 86_400)
    with operator.database.write() as tx:
        record_request(
            tx,
            [Reference("1.2.3", "1.2.3.1")],
            transaction_uid="2.25.7",
            peer="cart",
            association_id="a1",
            at=long_ago,
            expires_at=after(0),
        )
    assert "storage-commitment reports not delivered: 1 to cart" in operator.runs("doctor")
