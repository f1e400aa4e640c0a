"""A worker that rests says in its log what is away and what to do."""

import threading

import pytest
from structlog.testing import capture_logs

from dicom_node.retry_decision import Wait, decide
from dicom_node.work.pauses import Pauses
from storage.errors import DatabaseUnavailableError, SpoolAwayError, StorageFullError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SpoolAwayError("x"), "mount its volume"),
        (StorageFullError("x"), "free space"),
        (DatabaseUnavailableError("x"), "the database does not answer"),
    ],
)
def test_a_pause_says_once_why_and_what_to_do(error: Exception, says: str) -> None:
    stopping = threading.Event()
    stopping.set()  # nobody waits here
    pauses = Pauses(stopping)
    decision = decide(error, 1, 3)
    assert isinstance(decision, Wait)
    with capture_logs() as lines:
        for _ in range(3):
            pauses.want(decision)
            pauses.rest()
        pauses.rest()
    assert [line["event"] for line in lines] == ["work paused", "work resumed"]
    assert says in lines[0]["reason"]
