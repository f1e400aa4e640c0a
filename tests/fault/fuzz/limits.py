"""What one input may take: a second of processor time and some memory."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Processor time, so that a busy machine makes no hang of a slow moment.
LONGEST_S = 1.0
#: How much an input may raise the peak of the resident memory.
LARGEST_BYTES = 64 << 20


class HangError(BaseException):
    """An input took longer than it may; no `except Exception` of the product's hides it."""


class MemoryGrowthError(Exception):
    """An input took more memory than it may."""


@contextmanager
def watching() -> Iterator[Callable[[Callable[[bytes], None], bytes], None]]:
    """Gives a function that runs a target on an input within the limits.

    Raises:
        HangError: it took too long, and was stopped.
        MemoryGrowthError: it took too much memory.
    """

    def alarm(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"more than {LONGEST_S} s")

    def guarded(target: Callable[[bytes], None], data: bytes) -> None:
        before = peak_bytes()
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        try:
            target(data)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if peak_bytes() - before > LARGEST_BYTES:
            raise MemoryGrowthError(f"{(peak_bytes() - before) >> 20} MB")

    previous = signal.signal(signal.SIGPROF, alarm)
    try:
        yield guarded
    finally:
        signal.signal(signal.SIGPROF, previous)


def peak_bytes() -> int:
    """The most memory that this process ever had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_bytes() -> int:
    """The memory that this process has resident now."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read often
        return int(file.read().split()[1]) * resource.getpagesize()
