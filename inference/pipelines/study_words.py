"""Sentences about a study as a whole: why it has no estimate, and what holds for many loops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from inference.exclusions import SCHEME
from inference.population import ADULT_YEARS, AGE_UNKNOWN
from inference.types import Encoded, Exclusion
from inference.ultrasound.heartbeat import NO_HEARTBEAT_NOTE
from inference.ultrasound.rules import NOT_ULTRASOUND

#: Reason of every loop -> what is said of the study.
_SHARED: Mapping[str, str] = {
    "UNDER_18": f"the patient is under {ADULT_YEARS} years old; the model is for adults only.",
    "NOT_CARDIAC": "no loop was recognised as an adult heart.",
    "STRESS": "the study is a stress echocardiogram; the model is for examinations at rest.",
    "TRANSOESOPHAGEAL": (
        "the study was made with a transoesophageal or other internal probe; the model is for "
        "transthoracic echocardiography."
    ),
    "CONTRAST_AGENT": (
        "the study was made with an ultrasound contrast agent; the model is for studies without "
        "contrast."
    ),
}


def no_loop(exclusions: Sequence[Exclusion]) -> str:
    """Why no loop of a study could be analysed: the one reason, where all images share it."""
    images = [item for item in exclusions if item.reason != NOT_ULTRASOUND]
    reasons = {item.reason for item in images}
    if len(reasons) == 1:
        (shared,) = reasons
        if shared.scheme == SCHEME and shared.value in _SHARED:
            return _SHARED[shared.value]
    count = len(exclusions)
    found = f"none of the {count} instances" if count > 1 else "no instance"
    sentence = f"{found} of the study is a B-mode cine loop that can be analysed"
    if len(reasons) == 1 and len(images) > 1:
        sentence += f" (all: {shared.meaning})"
    return f"{sentence}."


def study_limitations(loops: Sequence[Encoded]) -> list[str]:
    """Limitations of the estimate that follow from the notes of its loops, each stated once."""
    unknown_age = any(AGE_UNKNOWN in loop.features.notes for loop in loops)
    without_beat = sum(
        any(note.startswith(NO_HEARTBEAT_NOTE) for note in loop.features.notes) for loop in loops
    )
    limitations = [AGE_UNKNOWN] if unknown_age else []
    if without_beat:
        limitations.append(
            f"In {without_beat} of {len(loops)} loops no heartbeat could be determined; their "
            "frames are spread over the whole clip."
        )
    return limitations


def without_study_notes(loops: Sequence[Encoded]) -> list[Encoded]:
    """The loops without the notes that stand among the limitations of the study."""
    return [
        replace(
            loop,
            features=replace(
                loop.features,
                notes=tuple(note for note in loop.features.notes if note != AGE_UNKNOWN),
            ),
        )
        for loop in loops
    ]
