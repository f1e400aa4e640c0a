"""What is said of a study as a whole: why it has no estimate, and what holds for many loops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from inference.exclusions import SCHEME
from inference.population import ADULT_YEARS, AGE_UNKNOWN
from inference.types import Encoded, Exclusion
from inference.ultrasound.heartbeat import NO_HEARTBEAT_NOTE
from inference.ultrasound.rules import NOT_ULTRASOUND

#: Reason of every loop -> what is said of the study.
_SHARED: Mapping[str, str] = {
    "UNDER_18": (
        f"the patient is younger than {ADULT_YEARS} years, and the model is for adults only."
    ),
    "NOT_CARDIAC": "nothing in the study is recognisable as an adult's heart.",
    "STRESS": "the study is a stress examination, and the model is for hearts at rest.",
    "TRANSOESOPHAGEAL": (
        "the study was taken by a transoesophageal or other internal probe, and the model is for "
        "transthoracic images."
    ),
    "CONTRAST_AGENT": (
        "the study was taken with a contrast agent, and the model is for images without it."
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


def told_once(loops: Sequence[Encoded]) -> list[str]:
    """Limitations of an estimate that follow from the notes of its loops."""
    unknown_age = any(AGE_UNKNOWN in loop.features.notes for loop in loops)
    without_beat = sum(
        any(note.startswith(NO_HEARTBEAT_NOTE) for note in loop.features.notes) for loop in loops
    )
    told = [AGE_UNKNOWN] if unknown_age else []
    if without_beat:
        told.append(
            f"{without_beat} of {len(loops)} loops had no heartbeat that could be told; their "
            "frames are spread over the whole clip."
        )
    return told


def without_told_once(loops: Sequence[Encoded]) -> list[Encoded]:
    """The loops without the notes that are told once for the study."""
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
