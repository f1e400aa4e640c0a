"""What to do about an exception in a worker: the one place that decides to retry or give up."""

import errno
import re
from dataclasses import dataclass

from dicom_node.errors import NoProgressError
from inference.errors import InferenceError
from storage.errors import (
    ClaimLostError,
    DatabaseUnavailableError,
    SchemaMismatchError,
    SpoolAwayError,
    SpoolDamagedError,
    SpoolUnavailableError,
    StorageFullError,
)
from storage.work.jobs import STEP_HUNG, WORKER_DIED

_FIRST_RETRY_S = 2.0
_LONGEST_RETRY_S = 600.0
#: What may pass by itself is tried so many times as often: with 4 attempts, for an hour.
_PATIENCE = 3
#: How often a report waits for preparations before somebody must look.
MOST_POSTPONEMENTS = 8


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the job again later; `code` says why."""

    after_s: float
    code: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Set the job aside; the rest of the study goes on without it."""

    code: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is wrong with the job: hand it back and pause the whole process.

    Where that does not help, the pause grows up to `longest_s`; 0: it does not grow.
    """

    after_s: float
    code: str
    longest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Forget:
    """The job belongs to another worker by now."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The process cannot work at all; an operator must act."""

    code: str


Decision = Retry | Fail | Wait | Forget | Halt


_OUT_OF_MEMORY = "OUT_OF_MEMORY"

_WHATEVER_THE_ATTEMPT: tuple[tuple[type[BaseException], Decision], ...] = (
    (ClaimLostError, Forget()),
    (DatabaseUnavailableError, Wait(_FIRST_RETRY_S, "DATABASE_UNAVAILABLE")),
    (StorageFullError, Wait(10.0, "STORAGE_FULL", longest_s=300.0)),
    (SpoolAwayError, Wait(_FIRST_RETRY_S, "SPOOL_AWAY")),
    (SchemaMismatchError, Halt("SCHEMA_MISMATCH")),
    (SpoolDamagedError, Fail("SPOOL_DAMAGED")),
    (NoProgressError, Fail("NO_PROGRESS")),
)
#: The failures that lie in the instance itself: its file is whole, and nothing helps.
LIES_IN_THE_INSTANCE = frozenset({"INFERENCE", "INSTANCE_UNREADABLE", "LOOP_UNREADABLE"})


def decide(error: BaseException, attempt: int, maximum_attempts: int) -> Decision:
    """Decide what follows from an exception in the given attempt (1 is the first)."""
    for kind, decision in _WHATEVER_THE_ATTEMPT:
        if isinstance(error, kind):
            return decision
    tries = maximum_attempts * (_PATIENCE if _may_pass(error) else 1)
    if isinstance(error, InferenceError) or attempt >= tries:
        return Fail(_code_of(error))
    return Retry(growing_delay_s(attempt), _code_of(error))


def growing_delay_s(times: int) -> float:
    """How long to wait after something went wrong for the nth time, in seconds."""
    return min(_FIRST_RETRY_S * 4.0 ** (times - 1), _LONGEST_RETRY_S)


def is_spent(attempt: int, last_error: str | None, maximum_attempts: int) -> bool:
    """Whether a job is not to be tried once more, before this attempt of it.

    The worker that ran it last died before it could decide.
    """
    if last_error in (None, WORKER_DIED, STEP_HUNG):
        return attempt > maximum_attempts
    return attempt > maximum_attempts * _PATIENCE


_SENTENCES = {
    "DATABASE_UNAVAILABLE": "the database does not answer; the node retries until it does",
    "STORAGE_FULL": "the disk is full: free space; work resumes automatically",
    "SPOOL_AWAY": (
        "the spool is not in its folder: mount its volume, then work resumes automatically; "
        "`echonode doctor` names the folder"
    ),
    "SPOOL_DAMAGED": "the stored file is missing or damaged",
    "SPOOL_UNAVAILABLE": "the disk could not read the stored file",
    WORKER_DIED: "the worker died each time it ran this job",
    STEP_HUNG: (
        "a step of the pipeline did not return within `step_limit_s`; its worker was restarted"
    ),
    "NO_PROGRESS": (
        "its instances were prepared repeatedly, but never with the current model; all workers "
        "of a pipeline need the same bundle and settings"
    ),
    _OUT_OF_MEMORY: (
        "out of memory: give the worker more, or set precision or device of the pipeline to one "
        "that needs less"
    ),
    "PIPELINE_UNUSABLE": (
        "the pipeline's package or bundle cannot be used, or it breaks the rules of a plug-in; "
        "`echonode doctor` or the worker's log says why"
    ),
    "INFERENCE": "the model gave no usable values",
    "BUNDLE": "the features stored for the study do not fit the model",
}


def explain(code: str) -> str:
    """A sentence for the reader on why a job failed, or the code where there is none."""
    return _SENTENCES.get(code, code)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, the GPU's or, in a text of PyTorch's, the processor's."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def _may_pass(error: BaseException) -> bool:
    """Whether the machine was short of something, which says nothing about the instance."""
    if isinstance(error, SpoolUnavailableError) or is_out_of_memory(error):
        return True
    return isinstance(error, OSError) and error.errno is not None


def _code_of(error: BaseException) -> str:
    """InstanceUnreadableError -> INSTANCE_UNREADABLE."""
    if is_out_of_memory(error):
        return _OUT_OF_MEMORY
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
