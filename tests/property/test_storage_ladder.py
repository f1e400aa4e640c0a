"""However processes die and archives behave, nothing arrives without evidence or is forgotten."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import select

from dicom_node.delivery.climb_policy import (
    MOST_RESENT,
    Ask,
    Committed,
    LookUp,
    SendAgain,
    Stall,
    TryAgain,
    after_lookup,
    next_step,
)
from storage.database.transactions import Database, Transaction
from storage.delivery import ladder, outbox
from storage.delivery.commitment_answers import ask, record_answer
from storage.delivery.ladder import Climb
from storage.delivery.listing import DeliveryView, listing
from storage.errors import ClaimLostError
from storage.migrations.upgrading import upgrade
from storage.states import ClimbState, DeliveryState, Rung
from storage.tables import Climb as Row
from tests.contract.storing import ME, after, record_report, report, result_object, store_study

UID = result_object("SR", 0).sop_instance_uid
EXPIRES_S, STEP_S, REPORT_S = 2000.0, 300.0, 400.0


class Archive(RuleBasedStateMachine):
    """A deliverer that may die at any step, an archive that may lose an object, and a clock."""

    transactions: Bundle[str] = Bundle("transactions")
    abandoned: Bundle[Climb] = Bundle("abandoned")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'echonode.db'}")
        upgrade(self.database)
        store_study(self.database)
        report_id = record_report(self.database, report())
        with self.database.write() as tx:
            outbox.enqueue(
                tx, report_id, kind="SR", destination="pacs", now=after(0), expires_at=after(9e6)
            )
        self.now_s = 0.0
        self.asked = 0
        self.holds = False
        self.vouched = self.named = False
        self.send()

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule()
    def send(self) -> None:
        """What is pending goes out, and the archive has it."""
        now = after(self.now_s)
        with self.database.write() as tx:
            for item in outbox.claim(tx, destination="pacs", owner=ME, now=now, lease_s=30):
                outbox.mark_sent(tx, item, at=now, sop_instance_uid=UID, status=0)
                ladder.begin(
                    tx,
                    item.id,
                    destination="pacs",
                    goal=Rung.READ_BACK,
                    at=now,
                    expires_at=after(self.now_s + EXPIRES_S),
                )
                self.holds, self.vouched, self.named = True, False, False

    @rule(seconds=st.sampled_from([1, STEP_S, REPORT_S, EXPIRES_S]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def lose(self) -> None:
        self.holds = False

    @rule(target=abandoned)
    def die_with_a_claim(self) -> Climb | None:
        return self._claim()

    @rule(climb=abandoned)
    def wake_up_late(self, climb: Climb | None) -> None:
        """Whoever was taken for dead cannot say that the object was read back."""
        if climb is None or self._still_holds(climb):
            return
        with pytest.raises(ClaimLostError), self.database.write() as tx:
            now = after(self.now_s)
            ladder.reach(tx, climb, Rung.READ_BACK, at=now, evidence="", now=now)

    @rule(target=transactions)
    def step(self) -> str:
        climb = self._claim()
        if climb is None:
            return ""
        now = after(self.now_s)
        decided = next_step(climb, now, lambda _: 10.0)
        with self.database.write() as tx:
            match decided:
                case Ask():
                    assert not climb.commitment.times or now < climb.expires_at
                    self.asked += 1
                    uid = f"2.25.{self.asked}"
                    ask(tx, [climb.question], transaction_uid=uid, at=now)
                    ladder.await_report(tx, climb, after(self.now_s + REPORT_S))
                    return uid
                case Committed(answer):
                    ladder.reach(
                        tx, climb, Rung.COMMITTED, at=answer.at, evidence="report", now=now
                    )
                case SendAgain(code):
                    ladder.send_again(tx, climb, now, expires_at=after(9e6), code=code)
                case TryAgain(again_at, code, message):
                    ladder.try_again(tx, climb, again_at, code=code, message=message)
                case Stall(code, message):
                    ladder.stall(tx, climb, now, code=code, message=message)
                case LookUp():
                    self._look_up(tx, climb)
        return ""

    def _look_up(self, tx: Transaction, climb: Climb) -> None:
        now = after(self.now_s)
        if self.holds:
            self.named = True
            ladder.reach(tx, climb, Rung.READ_BACK, at=now, evidence="named", now=now)
            return
        match after_lookup(climb, now, lambda _: 10.0):
            case TryAgain(again_at, code, message):
                ladder.try_again(tx, climb, again_at, code=code, message=message)
            case Stall(code, message):
                ladder.stall(tx, climb, now, code=code, message=message)

    @rule(transaction=transactions, passing=st.booleans())
    def report(self, transaction: str, passing: bool) -> None:
        """The archive reports, on something now or long ago, the truth or a passing failure."""
        if not transaction:
            return
        committed = {UID} if self.holds and not passing else set()
        failed = {} if committed else {UID: 0x0110 if passing else 0x0112}
        self.vouched |= bool(committed)
        with self.database.write() as tx:
            record_answer(
                tx, transaction, committed=committed, failed=failed, by="a", at=after(self.now_s)
            )

    @rule()
    def an_administrator_retries(self) -> None:
        now = after(self.now_s)
        with self.database.write() as tx:
            ladder.resume(tx, now=now, expires_at=after(self.now_s + EXPIRES_S))

    @invariant()
    def nothing_arrives_without_evidence(self) -> None:
        seen = self._view()
        if seen.rung in (Rung.COMMITTED, Rung.READ_BACK) and seen.state is DeliveryState.SENT:
            assert self.vouched
            assert seen.committed_at is not None
        if seen.climb is ClimbState.ARRIVED:
            assert self.named
            assert seen.rung is Rung.READ_BACK

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """It is to be sent, or to climb, or has arrived, or somebody sees that it has stalled."""
        seen = self._view()
        assert seen.state in (DeliveryState.PENDING, DeliveryState.SENT)
        if seen.climb is ClimbState.STALLED:
            assert seen.climb_error_code
        if seen.state is DeliveryState.SENT and seen.climb is ClimbState.CLIMBING:
            with self.database.read() as tx:
                due_at = ladder.next_due_at(tx, "pacs")
            assert due_at is not None
            assert due_at <= after(self.now_s + REPORT_S)

    def _claim(self) -> Climb | None:
        now, again_at = after(self.now_s), after(self.now_s + STEP_S)
        with self.database.write() as tx:
            claimed = ladder.claim(tx, destination="pacs", now=now, again_at=again_at, limit=1)
        assert all(climb.resent <= MOST_RESENT for climb in claimed)
        return claimed[0] if claimed else None

    def _still_holds(self, climb: Climb) -> bool:
        with self.database.read() as tx:
            row = tx.execute(select(Row)).one()
        return bool(
            row.state == ClimbState.CLIMBING
            and (row.beginning, row.rung, row.attempt)
            == (climb.beginning, climb.rung, climb.attempt)
        )

    def _view(self) -> DeliveryView:
        with self.database.read() as tx:
            [seen] = listing(tx)
        return seen


TestArchive = Archive.TestCase
TestArchive.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
