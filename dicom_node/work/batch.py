"""A batch of `prepare` jobs: looked at on threads, while the model encodes the batch before it.

A job that ran before, and may have killed its worker, is a batch of its own with nothing else
held, so that its next death costs no other job an attempt.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby

from dicom_node.retry_decision import is_out_of_memory
from dicom_node.work.prepare import Judged
from inference.types import Features
from storage.work.jobs import Job

#: How long one batch should take, so that no report waits longer for its turn.
_TARGET_S = 0.25
_LARGEST = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed jobs, those of one instance together, and what becomes of it on another thread."""

    parts: Sequence[tuple[Sequence[Job], Future[Sequence[Judged | Exception]]]]

    @property
    def jobs(self) -> list[Job]:
        """All of its jobs."""
        return [job for jobs, _ in self.parts for job in jobs]

    def looked(self) -> Iterator[tuple[Job, Judged | Exception]]:
        """Each job with what was seen, or why nothing was, when that is known."""
        for jobs, looking in self.parts:
            try:
                yield from zip(jobs, looking.result(), strict=True)
            except Exception as error:  # noqa: BLE001 - the file itself cannot be read
                yield from ((job, error) for job in jobs)


def by_instance(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs of each instance, in the order of the first of each."""
    grouped: dict[int | None, list[Job]] = {}
    for job in jobs:
        grouped.setdefault(job.instance_id, []).append(job)
    return list(grouped.values())


class BatchSize:
    """How many instances to claim at once: as many as keep a batch short and fit into memory."""

    def __init__(self) -> None:
        self.instances = 1
        self._largest = _LARGEST

    def learn(self, instances: int, duration_s: float) -> None:
        """Take the duration of a batch into account; it grows at most twofold."""
        wanted = int(_TARGET_S * instances / max(duration_s, 1e-6))
        self.instances = max(1, min(wanted, 2 * self.instances, self._largest))

    def did_not_fit(self, instances: int) -> None:
        """Never claim so many again: they did not fit into memory."""
        self._largest = max(1, min(self._largest, instances // 2))


def encode_each(
    looked: Sequence[tuple[Job, Judged]],
    encode: Callable[[Sequence[tuple[Job, Judged]]], Sequence[Features]],
    size: BatchSize,
) -> Iterator[tuple[Job, Judged, Features | Exception | None]]:
    """Features of each, encoded together per pipeline; where that fails, in halves, to single ones.

    `encode` gets selected ones of one pipeline. A feature is the same whatever else is encoded with
    it, so a bad one fails alone.
    """
    ordered = sorted(looked, key=lambda pair: pair[0].pipeline)
    for _, group in groupby(ordered, key=lambda pair: pair[0].pipeline):
        members = list(group)
        selected = [pair for pair in members if pair[1].look is not None]
        yield from ((job, judged, None) for job, judged in members if judged.look is None)
        if selected:
            features = _in_halves(selected, encode, size)
            for (job, judged), made in zip(selected, features, strict=True):
                yield job, judged, made


def _in_halves(
    selected: Sequence[tuple[Job, Judged]],
    encode: Callable[[Sequence[tuple[Job, Judged]]], Sequence[Features]],
    size: BatchSize,
) -> Sequence[Features | Exception]:
    try:
        return encode(selected)
    except Exception as error:  # noqa: BLE001 - whose fault it is, the halves will tell
        if len(selected) == 1:
            return [error]
        if is_out_of_memory(error):
            size.did_not_fit(len(selected))
    # Only here, where the error and what its frames hold of the memory are gone.
    half = len(selected) // 2
    parts = (selected[:half], selected[half:])
    return [made for part in parts for made in _in_halves(part, encode, size)]
