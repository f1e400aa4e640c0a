"""Which files of an archive a pipeline's cohort is made of: its rules, and what must go with what.

A cohort's exam is a study of the pipeline's own business. Where a pipeline needs another instance
of the same patient beside it, such as a film its ECG, that one is a companion.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydicom import Dataset

from inference.dicom.elements import text
from inference.ecg import rules as ecg
from inference.ecg.rules import Needs
from inference.ecg.sop_classes import ECG_SOP_CLASS_UIDS
from inference.errors import TrainingDataError
from inference.radiograph import rules as radiograph
from inference.training.trainable import ECG, ECHO, FILM_AND_ECG
from inference.types import Selection
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import RULE_SETS
from inference.ultrasound.selection import select as select_loop


@dataclass(frozen=True, slots=True)
class Choosing:
    """How a pipeline's inputs are chosen.

    `rules` are the names of the selection rules of `select` in their order. `key` tells one way of
    choosing from another: a cohort that was built by another is scanned anew. Instances of the
    classes `companions` are paired with exams of the same patient at most `pair_days` away; each
    exam needs one, and then its newest instance counts.
    """

    pipeline: str
    key: str
    rules: Sequence[str]
    select: Callable[[Dataset], Selection]
    noun: str
    window_days: int
    companions: frozenset[str] = frozenset()
    companion_noun: str = ""
    pair_days: int = 0


def choosing(pipeline: str = ECHO, selection: Profile = Profile.PAPER) -> Choosing:
    """How the inputs of a pipeline are chosen; `selection` is the profile for loops.

    Raises:
        TrainingDataError: no model of this pipeline is made here.
    """
    if pipeline == ECHO:
        return _loops(selection)
    if pipeline not in _OTHERS:
        known = ", ".join((ECHO, *_OTHERS))
        raise TrainingDataError(f"no cohort is built for the pipeline {pipeline!r}; known: {known}")
    return _OTHERS[pipeline]


def _loops(selection: Profile) -> Choosing:
    return Choosing(
        pipeline=ECHO,
        key=selection.value,
        rules=RULE_SETS[selection].names,
        select=partial(select_loop, profile=selection),
        noun="echo",
        window_days=92,
    )


_ECG_RULES = (
    "ECG at rest with samples",
    "leads",
    "readable",
    "voltage",
    "sampling_rate",
    "simultaneous",
    "duration",
)


def _select_ecg(header: Dataset) -> Selection:
    """An ECG of 12 leads, or of the six limb leads."""
    return ecg.select(header, Needs())


def _select_film_or_ecg(header: Dataset) -> Selection:
    """A frontal chest film, or an ECG of 12 leads, even one lead after the other."""
    if text(header, "SOPClassUID") in ECG_SOP_CLASS_UIDS:
        return ecg.select(header, Needs(sequential=True))
    return radiograph.select(header)


#: Of the pipelines whose inputs have no profiles.
_OTHERS: Mapping[str, Choosing] = {
    ECG: Choosing(
        pipeline=ECG,
        key=ECG,
        rules=_ECG_RULES,
        select=_select_ecg,
        noun="ECG",
        window_days=92,
    ),
    FILM_AND_ECG: Choosing(
        pipeline=FILM_AND_ECG,
        key=FILM_AND_ECG,
        rules=tuple(rule.__name__ for rule in radiograph.RULES),
        select=_select_film_or_ecg,
        noun="film",
        # The paper's: film and ECG each within a week of the catheter.
        window_days=7,
        companions=ECG_SOP_CLASS_UIDS,
        companion_noun="ECG",
        pair_days=7,
    ),
}
