"""The cached exams of one split that a network can learn from or be judged by."""

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path

from inference.errors import TrainingDataError
from inference.training.cohort.frames import CachedExam, CachedExams
from inference.training.cohort.reading import Cohort, CohortExam
from inference.training.scales import truth


class Exams(Sequence[CachedExam]):
    """Cached exams in a fixed order, each opened when it is asked for; `about` says what they are.

    Only the exam at hand is open: a large cohort has more files than a process may hold.
    """

    def __init__(self, cached: Sequence[CachedExam], positions: Sequence[int]) -> None:
        self._cached, self._positions = cached, tuple(positions)
        self.about: tuple[CohortExam, ...] = tuple(cached[at].exam for at in self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> CachedExam:  # type: ignore[override]  # no slices
        return self._cached[self._positions[index]]

    def where(self, keep: Callable[[CohortExam], bool]) -> "Exams":
        """Those exams that are to be kept."""
        chosen = zip(self._positions, self.about, strict=True)
        return Exams(self._cached, [at for at, exam in chosen if keep(exam)])

    def first(self, count: int) -> "Exams":
        """The first few."""
        return Exams(self._cached, self._positions[:count])

    def with_any(self, targets: Sequence[str], split: str) -> "Exams":
        """Those in which at least one of the targets was measured.

        Raises:
            TrainingDataError: there are none.
        """
        found = self.where(lambda exam: any(isfinite(truth(exam, name)) for name in targets))
        if not found:
            raise TrainingDataError(
                f"cohort: no exam of the {split} split has {' or '.join(targets)}"
            )
        return found


def open_exams(cohort: Cohort, frames: Path, *, split: str, size: int) -> Exams:
    """The exams of a split that have at least one readable loop.

    Raises:
        TrainingDataError: the split is empty, or its frames are not cached in this size.
    """
    cached = CachedExams(cohort, frames, split=split, size=size)
    return Exams(cached, range(len(cached)))
