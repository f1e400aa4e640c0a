"""What follows from one attempt."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.delivery.attempt_outcome import Decision, Failed, Outcome, RetryAt, Sent, decide
from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.delivery.errors import ClassesRefusedError, OvertakenError
from dicom_node.dicomweb.errors import WebAnswerError, WebRefusedError, WebUnreachableError
from dicom_node.hl7.errors import Hl7RefusedError, Hl7TimeoutError
from dicom_node.scu.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    NoAcceptedContextError,
    NotSendableError,
    PeerUnreachableError,
    ResponseTimeoutError,
)
from dicom_node.scu.storing import SendResult
from storage.errors import SpoolDamagedError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
UID = "2.25.1"


def decided(outcome: Outcome, expires_in_s: float = 3600, attempt: int = 1) -> Decision:
    return decide(
        outcome,
        attempt=attempt,
        now=NOW,
        expires_at=NOW + timedelta(seconds=expires_in_s),
        delay_s=lambda attempt: 10.0 * attempt,
    )


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007, 0xBFFF])
def test_success_and_warnings_are_sent_with_their_status(status: int) -> None:
    assert decided(SendResult(UID, status, "")) == Sent(UID, status)


def test_a_duplicate_is_there_already() -> None:
    assert decided(SendResult(UID, 0x0111, "")) == Sent(UID, 0x0111)


@pytest.mark.parametrize("status", [0x0110, 0x0122, 0x0124, 0xA700, 0xA900, 0xC000, 0xFE00])
def test_a_failure_status_is_tried_again_and_named(status: int) -> None:
    assert decided(SendResult(UID, status, "disk full")) == RetryAt(
        NOW + timedelta(seconds=10), f"STATUS_0x{status:04X}", "disk full"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PeerUnreachableError("refused"), "UNREACHABLE"),
        (AssociationRejectedError("no", "no reason given"), "REJECTED"),
        (AssociationAbortedError("aborted"), "ABORTED"),
        (ResponseTimeoutError("silence"), "TIMEOUT"),
        (WebUnreachableError("refused"), "UNREACHABLE"),
        (WebAnswerError("nonsense"), "NO_ANSWER"),
        (WebRefusedError("it answered with HTTP 500", 500), "HTTP_500"),
        (Hl7TimeoutError("silence"), "TIMEOUT"),
    ],
)
def test_a_peer_in_trouble_is_tried_again_with_a_growing_wait(error: Exception, code: str) -> None:
    assert decided(error, attempt=3) == RetryAt(NOW + timedelta(seconds=30), code, str(error))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoAcceptedContextError("enable SR"), "SOP_CLASS_REFUSED"),
        (SpoolDamagedError("digest differs"), "SPOOL_DAMAGED"),
        (NotSendableError("no DICOM file"), "NOT_SENDABLE"),
        (ClassesRefusedError("enable SR"), "SOP_CLASS_REFUSED"),
        (OvertakenError("a later one is there"), "OVERTAKEN"),
        (WebRefusedError("it answered with HTTP 413", 413), "HTTP_413"),
    ],
)
def test_what_no_retry_can_cure_fails_at_once(error: Exception, code: str) -> None:
    assert decided(error) == Failed(code, str(error))


def test_a_receiver_that_asks_for_more_patience_gets_it() -> None:
    patient = decided(WebRefusedError("busy", 503, retry_after_s=90))
    told = "busy and asks to wait 90 s"
    assert patient == RetryAt(NOW + timedelta(seconds=90), "BUSY", told)
    hasty = decided(WebRefusedError("busy", 503, retry_after_s=1))
    assert hasty == RetryAt(NOW + timedelta(seconds=10), "BUSY", "busy and asks to wait 1 s")
    assert decided(WebRefusedError("away", 503)) == RetryAt(
        NOW + timedelta(seconds=10), "HTTP_503", "away"
    )


def test_a_refused_message_is_told_in_the_receivers_words() -> None:
    again = decided(Hl7RefusedError("an error (AE)", "AE", "no such order"))
    assert again == RetryAt(NOW + timedelta(seconds=10), "HL7_AE", "an error (AE): no such order")


def test_an_error_nobody_foresaw_is_tried_again_without_its_text() -> None:
    again = decided(ValueError("Doe^John cannot be encoded"))
    assert again == RetryAt(NOW + timedelta(seconds=10), "INTERNAL", "ValueError")


def test_the_last_attempt_is_made_when_the_delivery_expires() -> None:
    again = decided(PeerUnreachableError("refused"), expires_in_s=4)
    assert isinstance(again, RetryAt)
    assert again.available_at == NOW + timedelta(seconds=4)


def test_after_it_expired_it_is_a_dead_letter_that_names_the_last_reason() -> None:
    assert decided(PeerUnreachableError("refused"), expires_in_s=0, attempt=9) == Failed(
        "EXPIRED", "given up after attempt 9: UNREACHABLE: refused"
    )


def test_a_success_after_expiry_is_a_success() -> None:
    assert decided(SendResult(UID, 0, ""), expires_in_s=-1) == Sent(UID, 0)


ATTEMPTS = st.integers(min_value=1, max_value=100_000)
SECONDS = st.floats(min_value=0.001, max_value=1e6)


@given(ATTEMPTS, SECONDS, SECONDS, st.floats(min_value=0, max_value=1))
def test_a_wait_is_never_negative_and_never_beyond_the_cap(
    attempt: int, first_s: float, maximum_s: float, drawn: float
) -> None:
    assert 0 <= retry_delay_s(attempt, first_s, maximum_s, lambda: drawn) <= maximum_s


@given(ATTEMPTS, SECONDS, SECONDS)
def test_the_longest_wait_starts_at_the_first_and_never_shrinks(
    attempt: int, first_s: float, maximum_s: float
) -> None:
    longest = [retry_delay_s(n, first_s, maximum_s, lambda: 1.0) for n in (1, attempt, attempt + 1)]
    assert longest[0] == min(first_s, maximum_s)
    assert longest == sorted(longest)


@given(st.floats(min_value=0, max_value=1))
def test_the_jitter_is_full(drawn: float) -> None:
    assert retry_delay_s(3, 5.0, 600.0, lambda: drawn) == pytest.approx(20.0 * drawn)
