"""Loops unlike those that a bundle was trained on: which they are, and what becomes of the exam."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from inference.bundle.familiarity import PICTURE, Judgement, Limits
from inference.bundle.loading import Bundle
from inference.bundle.manifest import Manifest
from inference.exclusions import UNFAMILIAR
from inference.pipelines.loop_features import stack_pictures
from inference.types import Encoded, Exclusion, Familiarity, Standing

#: What becomes of unfamiliar loops: left out, used with a note and a caution, or not looked for.
Unfamiliar = Literal["exclude", "note", "off"]

#: Farther than this many limits no number tells more.
_VERY_FAR = 100
_KNOWN = "what the model was trained on"
_MAY_BE_WRONG = "the estimate may be wrong"
_NOT_CARRIED = (
    "The bundle does not say what its training loops look like; whether these loops resemble them "
    "cannot be judged."
)
_NOT_LOOKED_FOR = f"By the node's settings it was not judged whether the loops resemble {_KNOWN}."


@dataclass(frozen=True, slots=True)
class Judged:
    """The loops of an exam, told apart.

    The estimate rests on `used`, positions in the order given, whose `loops` may carry notes. With
    an `abstention` there is none.
    """

    used: tuple[int, ...]
    loops: tuple[Encoded, ...]
    exclusions: tuple[Exclusion, ...] = ()
    cautions: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    familiarity: Familiarity | None = None
    abstention: str | None = None


def judge_loops(
    bundle: Bundle, loops: Sequence[Encoded], features: Sequence[torch.Tensor], mode: Unfamiliar
) -> Judged:
    """Judge an exam by the features (L, d) that each network, in the bundle's order, has of it."""
    used = tuple(range(len(loops)))
    if bundle.familiarity is None or mode == "off":
        return Judged(used, tuple(loops), limitations=_unjudged(bundle.manifest))
    seen = {PICTURE: stack_pictures(bundle, loops)}
    for network, each in zip(bundle.manifest.networks, features, strict=True):
        seen[network.prefix] = each.cpu().numpy()
    distances = bundle.familiarity.distances(seen).tolist()
    verdict = bundle.familiarity.exam(distances)
    far = [distance / bundle.familiarity.limits.loop_limit for distance in distances]
    found = Familiarity(sum(verdict.familiar), len(loops), max(far), verdict.median)
    if mode == "note":
        return Judged(
            used,
            tuple(map(_noted, loops, verdict.familiar, far)),
            cautions=_cautions(verdict, found),
            familiarity=found,
        )
    kept = tuple(number for number in used if verdict.familiar[number])
    return Judged(
        kept,
        tuple(loops[number] for number in kept),
        exclusions=tuple(
            Exclusion(loops[number].instance, UNFAMILIAR, _detail(far[number]))
            for number in used
            if not verdict.familiar[number]
        ),
        familiarity=found,
        abstention=None if verdict.is_familiar else _why(bundle.familiarity.limits, found),
    )


def describe_judging(manifest: Manifest, mode: Unfamiliar) -> str:
    """How familiarity is judged, as a parameter of the algorithm."""
    limits = manifest.familiarity
    if limits is None or mode == "off":
        return "resemblance to the training loops is not judged"
    return (
        f"loops beyond a distance of {limits.loop_limit:.3g} from the training loops: {mode}; "
        f"exam familiar with {limits.least_share:.0%} of its loops within it and a median up to "
        f"{limits.exam_limit:.3g}"
    )


def _unjudged(manifest: Manifest) -> tuple[str, ...]:
    if manifest.familiarity is not None:
        return (_NOT_LOOKED_FOR,)
    return () if manifest.standing is Standing.UNTRAINED else (_NOT_CARRIED,)


def _detail(far: float) -> str:
    # What lies beyond the limit must not print as if it lay on it.
    times = f"{max(far, 1.01):.2f}" if far < _VERY_FAR else f"more than {_VERY_FAR}"
    return f"distance from the training loops {times} times the limit"


def _noted(loop: Encoded, is_familiar: bool, far: float) -> Encoded:
    if is_familiar:
        return loop
    note = f"{UNFAMILIAR.meaning}: {_detail(far)}"
    return replace(loop, features=replace(loop.features, notes=(*loop.features.notes, note)))


def _cautions(verdict: Judgement, found: Familiarity) -> tuple[str, ...]:
    """In plain sight, where loops or the exam are beyond the limits and are used all the same."""
    strange = found.judged - found.familiar
    if strange:
        are = "is" if strange == 1 else "are"
        loops = "loop" if found.judged == 1 else "loops"
        told = f"{strange} of {found.judged} {loops} {are} unlike anything the model was trained on"
    elif not verdict.is_familiar:
        told = f"The {found.judged} loops together are too unlike {_KNOWN}"
    else:
        return ()
    return (f"{told}: {_MAY_BE_WRONG}.",)


def _why(limits: Limits, found: Familiarity) -> str:
    """Why there is no estimate, to be put behind "No estimate was made: "."""
    if found.judged == 1:
        return "the only loop is unlike anything the model was trained on."
    if not found.familiar:
        return f"none of the {found.judged} loops resembles {_KNOWN}."
    if found.familiar < limits.least_share * found.judged:
        resemble = "resembles" if found.familiar == 1 else "resemble"
        return f"only {found.familiar} of {found.judged} loops {resemble} {_KNOWN}."
    one_by_one = f"{found.familiar} of {found.judged} resemble it one by one"
    return f"the loops together are too unlike {_KNOWN} ({one_by_one})."
