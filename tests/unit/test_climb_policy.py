"""What follows where a delivery climbs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.delivery.climb_policy import (
    MOST_RESENT,
    Ask,
    Committed,
    GoWithout,
    LookUp,
    SendAgain,
    Stall,
    Step,
    TryAgain,
    after_error,
    after_lookup,
    next_step,
)
from dicom_node.errors import NodeError
from dicom_node.scu.errors import (
    NoAcceptedContextError,
    PeerUnreachableError,
    RequestRefusedError,
)
from storage.delivery.commitment_answers import Answer, Asked
from storage.delivery.ladder import Climb
from storage.keeping.promises import FailureReason
from storage.states import Rung

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEVER_ASKED = Asked(0, None)


def climb(**changes: object) -> Climb:
    plain = Climb(
        id=1,
        delivery_id=1,
        study_id=1,
        destination="pacs",
        goal=Rung.COMMITTED,
        rung=Rung.ACCEPTED,
        beginning=1,
        attempt=1,
        resent=0,
        expires_at=NOW + timedelta(hours=1),
        study_instance_uid="2.25.1",
        series_instance_uid="2.25.2",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        sop_instance_uid="2.25.3",
        without_commitment=False,
        commitment=NEVER_ASKED,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def answered(reason: int | None, times: int = 1, at: datetime = NOW) -> Asked:
    return Asked(times, Answer("2.25.9", "pacs", at, reason))


def step(climb: Climb, now: datetime = NOW) -> Step:
    return next_step(climb, now, lambda attempt: 10.0 * attempt)


def test_what_was_accepted_is_asked_to_be_committed() -> None:
    assert step(climb()) == Ask()


def test_what_is_committed_has_reached_its_rung() -> None:
    asked = answered(None)
    assert step(climb(commitment=asked)) == Committed(asked.answer)  # type: ignore[arg-type]


def test_what_is_committed_is_read_back_next() -> None:
    assert step(climb(goal=Rung.READ_BACK, rung=Rung.COMMITTED)) == LookUp()


def test_no_report_in_time_means_asking_again_until_it_expires() -> None:
    silent = climb(commitment=Asked(3, None))
    assert step(silent) == Ask()
    stalled = step(silent, now=silent.expires_at)
    assert isinstance(stalled, Stall)
    assert stalled.code == "NO_COMMITMENT_REPORT"
    assert "asked 3 time(s)" in stalled.message


def test_what_was_never_asked_is_asked_even_when_it_has_expired() -> None:
    late = climb()
    assert step(late, now=late.expires_at) == Ask()


def test_what_the_destination_has_not_is_sent_again_a_few_times() -> None:
    lost = climb(commitment=answered(FailureReason.NO_SUCH_INSTANCE))
    assert step(lost) == SendAgain("COMMITMENT_0x0112")
    stalled = step(replace(lost, resent=MOST_RESENT))
    assert isinstance(stalled, Stall)
    assert "it does not have the object, though it was sent again 3 times" in stalled.message


@pytest.mark.parametrize(
    "reason", [FailureReason.CLASS_INSTANCE_CONFLICT, FailureReason.SOP_CLASS_NOT_SUPPORTED]
)
def test_what_no_asking_changes_stalls_at_once(reason: FailureReason) -> None:
    stalled = step(climb(commitment=answered(reason)))
    assert isinstance(stalled, Stall)
    assert stalled.code == f"COMMITMENT_0x{reason:04X}"


@pytest.mark.parametrize("reason", [0x0110, 0x0131, 0x0213, 0xA700])
def test_any_other_reason_is_asked_about_again_after_a_growing_wait(reason: int) -> None:
    refused = climb(commitment=answered(reason, times=2))
    later = step(refused)
    assert isinstance(later, TryAgain)
    assert later.available_at == NOW + timedelta(seconds=20)
    assert step(refused, now=later.available_at) == Ask()
    assert isinstance(step(refused, now=refused.expires_at), Stall)


def test_a_destination_without_commitment_stalls_with_advice() -> None:
    stalled = after_error(climb(), NoAcceptedContextError("pacs accepts none"), NOW, lambda _: 1.0)
    assert isinstance(stalled, Stall)
    assert stalled.code == "NO_STORAGE_COMMITMENT"
    assert "enable the Storage Commitment Push Model there" in stalled.message


def test_a_destination_without_commitment_may_still_be_read_back() -> None:
    error = NoAcceptedContextError("pacs accepts none")
    onward = after_error(climb(goal=Rung.READ_BACK), error, NOW, lambda _: 1.0)
    assert onward == GoWithout("the destination offers no storage commitment")
    assert step(climb(goal=Rung.READ_BACK, without_commitment=True)) == LookUp()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PeerUnreachableError("refused"), "UNREACHABLE"),
        (RequestRefusedError("0x0124", 0x0124), "REQUEST_REFUSED"),
    ],
)
def test_who_cannot_be_asked_is_asked_again_until_it_expires(error: NodeError, code: str) -> None:
    later = after_error(climb(attempt=3), error, NOW, lambda attempt: 10.0 * attempt)
    assert isinstance(later, TryAgain)
    assert (later.available_at, later.code) == (NOW + timedelta(seconds=30), code)
    expired = after_error(climb(expires_at=NOW), error, NOW, lambda _: 1.0)
    assert isinstance(expired, Stall)
    assert "given up after attempt 1" in expired.message


def test_what_an_archive_does_not_name_is_looked_up_again_until_it_expires() -> None:
    later = after_lookup(climb(rung=Rung.COMMITTED), NOW, lambda _: 10.0)
    assert isinstance(later, TryAgain)
    assert later.code == "NOT_FOUND"
    assert isinstance(after_lookup(climb(expires_at=NOW), NOW, lambda _: 10.0), Stall)


@given(
    reason=st.none() | st.integers(0, 0xFFFF),
    times=st.integers(1, 50),
    resent=st.integers(0, 9),
    age_s=st.integers(0, 10_000),
)
def test_every_answer_leads_somewhere_and_nothing_is_asked_for_ever(
    reason: int | None, times: int, resent: int, age_s: int
) -> None:
    climbing = climb(commitment=answered(reason, times), resent=resent)
    now = NOW + timedelta(seconds=age_s)
    decided = step(climbing, now)
    if now >= climbing.expires_at:
        assert isinstance(decided, Committed | Stall)
    if isinstance(decided, TryAgain):
        assert decided.available_at > now
