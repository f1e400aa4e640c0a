"""What to do about an exception in a worker: the one place that decides to retry or give up."""

import re
from dataclasses import dataclass

from inference.errors import InferenceError
from storage.errors import (
    ClaimLostError,
    DatabaseUnavailableError,
    SchemaMismatchError,
    SpoolDamagedError,
    StorageFullError,
)

_FIRST_RETRY_S = 2.0
_LONGEST_RETRY_S = 120.0


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
    """Nothing is wrong with the job: hand it back and pause the whole process."""

    after_s: float
    code: str


@dataclass(frozen=True, slots=True)
class Forget:
    """The job belongs to another worker by now."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The process cannot work at all; an operator must act."""

    code: str


Decision = Retry | Fail | Wait | Forget | Halt


WORKER_DIED = "WORKER_DIED"
NO_SUCH_PIPELINE = "NO_SUCH_PIPELINE"
_OUT_OF_MEMORY = "OUT_OF_MEMORY"

_WHATEVER_THE_ATTEMPT: tuple[tuple[type[BaseException], Decision], ...] = (
    (ClaimLostError, Forget()),
    (DatabaseUnavailableError, Wait(_FIRST_RETRY_S, "DATABASE_UNAVAILABLE")),
    (StorageFullError, Wait(10.0, "STORAGE_FULL")),
    (SchemaMismatchError, Halt("SCHEMA_MISMATCH")),
    (SpoolDamagedError, Fail("SPOOL_DAMAGED")),
)


def decide(error: BaseException, attempt: int, maximum_attempts: int) -> Decision:
    """Decide what follows from an exception in the given attempt (1 is the first)."""
    for kind, decision in _WHATEVER_THE_ATTEMPT:
        if isinstance(error, kind):
            return decision
    if isinstance(error, InferenceError) or attempt >= maximum_attempts:
        return Fail(_code_of(error))
    delay_s = min(_FIRST_RETRY_S * 4 ** (attempt - 1), _LONGEST_RETRY_S)
    return Retry(delay_s, _code_of(error))


_SENTENCES = {
    "SPOOL_DAMAGED": "the stored file is missing or damaged",
    WORKER_DIED: "the worker died each time it ran this job",
    NO_SUCH_PIPELINE: "the settings no longer name this pipeline",
    _OUT_OF_MEMORY: (
        "the memory did not suffice; give the worker more, or set precision or device of the "
        "pipeline to one that needs less"
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
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def _code_of(error: BaseException) -> str:
    """LoopUnreadableError -> LOOP_UNREADABLE."""
    if is_out_of_memory(error):
        return _OUT_OF_MEMORY
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
