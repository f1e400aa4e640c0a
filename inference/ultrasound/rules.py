"""What selection profiles share: how rules become a selection, and what every one asks first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset

from inference.dicom.elements import text
from inference.dicom.header import instance_ref
from inference.exclusions import reason, rejection
from inference.types import Code, Selected, Selection, Verdict
from inference.ultrasound.regions import Region, read_regions

#: Ultrasound Image and Multi-frame Image, both with their retired UIDs, and Enhanced US Volume.
ULTRASOUND_SOP_CLASS_UIDS = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.6.1",
        "1.2.840.10008.5.1.4.1.1.3.1",
        "1.2.840.10008.5.1.4.1.1.6",
        "1.2.840.10008.5.1.4.1.1.3",
        "1.2.840.10008.5.1.4.1.1.6.2",
    }
)
#: Far more than any clip has; a header that claims more is wrong.
MOST_FRAMES = 100_000

Rule = Callable[[Dataset, tuple[Region, ...]], Verdict]


NOT_ULTRASOUND = reason("NOT_ULTRASOUND", "Not an ultrasound image")
NOT_2D = reason("NOT_2D", "Ultrasound region is not two-dimensional")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one profile, in the order in which the first failure becomes the reason.

    `reasons` has one code per rule. `plan` says what `look` must know of a header that passed
    every rule; it is JSON-serialisable.
    """

    rules: tuple[Rule, ...]
    reasons: Mapping[str, Code]
    plan: Callable[[Dataset, tuple[Region, ...]], dict[str, Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """The rules' names."""
        return tuple(rule.__name__ for rule in self.rules)

    def judge(self, header: Dataset) -> Selection:
        """Ask every rule, so that a reader sees the whole row. Never raises."""
        regions = read_regions(header)
        verdicts = tuple(rule(header, regions) for rule in self.rules)
        instance = instance_ref(header)
        rejected = rejection(instance, verdicts, self.reasons)
        return rejected or Selected(instance, verdicts, self.plan(header, regions))


def ultrasound_image(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule 0: the SOP class is one of ultrasound images."""
    known = text(header, "SOPClassUID") in ULTRASOUND_SOP_CLASS_UIDS
    detail = "SOP class of ultrasound images" if known else "SOP class of another kind of object"
    return Verdict("ultrasound_image", known, detail)
