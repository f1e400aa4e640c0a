"""Earlier estimates of a patient, and how each quantity went from them to the present one."""

from collections.abc import Mapping
from dataclasses import dataclass

from inference.codes import Code
from inference.results import Measurement


@dataclass(frozen=True, slots=True)
class StudyRef:
    """A study, and when it was, YYYYMMDDHHMMSS in the local time of its source; "": not known."""

    uid: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the same pipeline estimated in an earlier study, by the names of the quantities.

    `bundle_digest` says which weights it was made with.
    """

    study: StudyRef
    bundle_digest: str
    values: Mapping[str, Measurement]


@dataclass(frozen=True, slots=True)
class Point:
    """One earlier estimate; `comparable`: the bundle is that of the present one."""

    study: StudyRef
    estimate: Measurement
    comparable: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A value of a quantity that was measured otherwise; `at` is the day, YYYYMMDD."""

    at: str
    value: float
    unit: Code


#: By Patient ID and by the name of a quantity, the oldest first.
ReferenceValues = Mapping[str, Mapping[str, tuple[Reference, ...]]]


@dataclass(frozen=True, slots=True)
class Track:
    """How one quantity went: earlier estimates, the oldest first, and the present one.

    `changed` says whether that differs from the last comparable one by more than both may err;
    None: nothing tells (no comparable one, no interval, or beyond the model's range).
    `references` were measured otherwise until the day of the study, the oldest first.
    """

    present: Measurement
    earlier: tuple[Point, ...]
    changed: bool | None = None
    references: tuple[Reference, ...] = ()

    @property
    def previous(self) -> Point | None:
        """The last earlier estimate of the present bundle."""
        return next((point for point in reversed(self.earlier) if point.comparable), None)


@dataclass(frozen=True, slots=True)
class Course:
    """How the quantities of a study went, each that was estimated or measured before; not empty."""

    study: StudyRef
    tracks: tuple[Track, ...]
