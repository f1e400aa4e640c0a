"""What to do next about a work item that is ours."""

from dataclasses import dataclass
from datetime import datetime

from inference.types import Code
from storage.work_items.claiming import WorkItem
from storage.work_items.progress import InputStudy, Output

#: Percent of the work that is done (0074,1004), as far as anybody can tell.
CLAIMED, ANALYSING, DELIVERING, DONE = 0, 30, 90, 100


@dataclass(frozen=True, slots=True)
class Fetch:
    """Its input is to be fetched, if there is an archive to ask."""

    percent: int = CLAIMED


@dataclass(frozen=True, slots=True)
class Wait:
    """Others are at it."""

    percent: int


@dataclass(frozen=True, slots=True)
class Complete:
    """Its outputs are where they belong."""

    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """It cannot be done; `reason` is of CID 9300, `word` is for the database and the log."""

    word: str
    reason: Code
    why: str
    outputs: tuple[Output, ...] = ()


Step = Fetch | Wait | Complete | Cancel

_NO_INPUT = Cancel(
    "NO_INPUT",
    Code("110523", "DCM", "Object Set incomplete"),
    "the work item does not name one study as its input",
)
_NEVER_CAME = Cancel(
    "NEVER_CAME",
    Code("110523", "DCM", "Object Set incomplete"),
    "its input did not arrive in time",
)
_EXPIRED = Cancel(
    "EXPIRED",
    Code("110533", "DCM", "Workitem expired"),
    "the analysis was not done in time",
)
_NO_RESULT = Cancel(
    "NO_RESULT",
    Code("110522", "DCM", "Object Types not supported"),
    "the analysis gave no result that could be delivered",
)
_FAILED = Code("110501", "DCM", "Equipment failure")


def next_step(item: WorkItem, study: InputStudy, now: datetime) -> Step:
    """What to do about an item whose study is in this state."""
    if not item.study_instance_uid:
        return _NO_INPUT
    if study.input_is_here and study.is_concluded and study.is_delivered:
        return _ending(study)
    if now >= item.expires_at:
        return _EXPIRED if study.input_is_here else _NEVER_CAME
    if not study.input_is_here:
        return Fetch()
    return Wait(DELIVERING if study.is_concluded else ANALYSING)


def _ending(study: InputStudy) -> Step:
    if study.failed:
        return Cancel("FAILED", _FAILED, "the analysis failed", study.outputs)
    if not study.outputs:
        return _NO_RESULT
    return Complete(study.outputs)
