"""Sentences about a study as a whole: why it has no estimate, and what holds for many loops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from inference.exclusions import SCHEME
from inference.population import ADULT_YEARS, AGE_UNKNOWN
from inference.types import Encoded, Exclusion
from inference.ultrasound.heartbeat import NO_HEARTBEAT_NOTE
from inference.ultrasound.rules import NOT_ULTRASOUND

#: From here on a reader is told that intervals are wider than in a typical study.
MUCH_WIDER = 1.5

#: Reason of every loop -> what is said of the study.
_SHARED: Mapping[str, str] = {
    "UNDER_18": f"the patient is under {ADULT_YEARS} years old; the model is for adults only.",
    "OUTSIDE_AGES": "the patient's age is not one that the model is for.",
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


def too_little_evidence(loops: int, share: float, least: float) -> str:
    """Why there is no estimate though loops were analysed; both shares of the typical evidence."""
    held = "loop of this study holds" if loops == 1 else f"{loops} loops of this study hold"
    return (
        f"the {held} too little evidence: {_percent(share)} of what a typical study of the model's "
        f"validation holds; at least {_percent(least)} is needed."
    )


def without_evidence(name: str, share: float, least: float) -> str:
    """That one of several quantities has no estimate for want of evidence."""
    return (
        f"{name} is not estimated: the loops hold {_percent(share)} of the evidence for it that a "
        f"typical study of the model's validation holds; at least {_percent(least)} is needed."
    )


def wider_intervals(widening: Mapping[str, float]) -> tuple[str, ...]:
    """That intervals are much wider than usual, by quantity: how many times as wide."""
    wide = [f"{name} {times:.1f}" for name, times in widening.items() if times >= MUCH_WIDER]
    if not wide:
        return ()
    held = "The loops of this study hold less evidence than usual"
    return (f"{held}: intervals are wider than in a typical study (times: {', '.join(wide)}).",)


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


def _percent(share: float) -> str:
    percent = 100 * share
    return "less than 1 %" if percent < 1 else f"{percent:.0f} %"


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
