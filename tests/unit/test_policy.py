"""One place decides whether a failed job is tried again."""

import errno

import pytest
import torch

from dicom_node.errors import NoProgressError
from dicom_node.retry_decision import Decision, Fail, Forget, Halt, Retry, Wait, decide, is_spent
from inference.errors import BundleError, InstanceUnreadableError
from storage.errors import (
    ClaimLostError,
    DatabaseUnavailableError,
    SchemaMismatchError,
    SpoolAwayError,
    SpoolDamagedError,
    SpoolUnavailableError,
    StorageFullError,
)
from storage.work.jobs import WORKER_DIED


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (ClaimLostError("x"), Forget()),
        (DatabaseUnavailableError("x"), Wait(2.0, "DATABASE_UNAVAILABLE")),
        (StorageFullError("x"), Wait(10.0, "STORAGE_FULL", longest_s=300.0)),
        (SpoolAwayError("x"), Wait(2.0, "SPOOL_AWAY")),
        (SpoolUnavailableError("x"), Retry(2.0, "SPOOL_UNAVAILABLE")),
        (NoProgressError("x"), Fail("NO_PROGRESS")),
        (OSError(errno.ENOMEM, "x"), Retry(2.0, "OUT_OF_MEMORY")),
        (SchemaMismatchError("x"), Halt("SCHEMA_MISMATCH")),
        (BundleError("x"), Fail("BUNDLE")),
        (SpoolDamagedError("x"), Fail("SPOOL_DAMAGED")),
        (InstanceUnreadableError("x"), Fail("INSTANCE_UNREADABLE")),
        (RuntimeError("x"), Retry(2.0, "RUNTIME")),
        (MemoryError(), Retry(2.0, "OUT_OF_MEMORY")),
        (torch.OutOfMemoryError("x"), Retry(2.0, "OUT_OF_MEMORY")),
    ],
)
def test_first_attempt(error: Exception, decision: Decision) -> None:
    assert decide(error, attempt=1, maximum_attempts=4) == decision


def test_waits_grow_and_tries_end() -> None:
    decisions = [decide(OSError("x"), attempt, 4) for attempt in (1, 2, 3, 4)]
    assert decisions == [Retry(2.0, "OS"), Retry(8.0, "OS"), Retry(32.0, "OS"), Fail("OS")]


@pytest.mark.parametrize(
    "error", [MemoryError(), SpoolUnavailableError("x"), OSError(errno.EMFILE, "x")]
)
def test_what_the_machine_is_short_of_for_a_while_is_waited_for_most_of_an_hour(
    error: Exception,
) -> None:
    waits_s = []
    for attempt in range(1, 100):
        match decide(error, attempt, maximum_attempts=4):
            case Retry(after_s):
                waits_s.append(after_s)
            case _:
                break
    assert len(waits_s) == 11
    assert waits_s[:5] == [2.0, 8.0, 32.0, 128.0, 512.0]
    assert max(waits_s) == 600.0
    assert 3600 < sum(waits_s) < 7200


def test_a_job_whose_worker_died_each_time_is_spent_sooner_than_one_that_waited() -> None:
    assert not is_spent(4, WORKER_DIED, maximum_attempts=4)
    assert is_spent(5, WORKER_DIED, maximum_attempts=4)
    assert is_spent(5, None, maximum_attempts=4)
    assert not is_spent(12, "SPOOL_UNAVAILABLE", maximum_attempts=4)
    assert is_spent(13, "SPOOL_UNAVAILABLE", maximum_attempts=4)
