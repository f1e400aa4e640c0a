"""One place decides whether a failed job is tried again."""

import pytest
import torch

from dicom_node.policy import Decision, Fail, Forget, Halt, Retry, Wait, decide
from inference.errors import BundleError, LoopUnreadableError
from storage.errors import (
    ClaimLostError,
    DatabaseUnavailableError,
    SchemaMismatchError,
    SpoolDamagedError,
    StorageFullError,
)


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (ClaimLostError("x"), Forget()),
        (DatabaseUnavailableError("x"), Wait(2.0, "DATABASE_UNAVAILABLE")),
        (StorageFullError("x"), Wait(10.0, "STORAGE_FULL")),
        (SchemaMismatchError("x"), Halt("SCHEMA_MISMATCH")),
        (BundleError("x"), Fail("BUNDLE")),
        (SpoolDamagedError("x"), Fail("SPOOL_DAMAGED")),
        (LoopUnreadableError("x"), Fail("LOOP_UNREADABLE")),
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
