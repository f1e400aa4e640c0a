"""The haemodynamic class of pulmonary hypertension (2022 ESC/ERS Guidelines, table 5).

It follows from the same verdicts and printed numbers as the rest of a report, so it never
contradicts them: pre-capillary is the class where the verdict on pre-capillary PH is "present".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.exclusions import SCHEME
from inference.pipelines import decision
from inference.pipelines.haemodynamics import (
    PH,
    PRECAPILLARY_PH,
    QUANTITIES,
    Criterion,
    rule,
    sure_to_meet,
)
from inference.types import Assessment, Classification, Code, Measurement, Presence

NAME = "haemodynamic class"
CONCEPT = Code("HAEMODYN-CLASS", SCHEME, "Haemodynamic class of pulmonary hypertension")
UNDETERMINED = Code("373068000", "SCT", "Undetermined")


@dataclass(frozen=True, slots=True)
class HaemodynamicClass:
    """One class: what it is called, and the criteria that it asks for."""

    value: Code
    criteria: tuple[Criterion, ...]


def _class(code: str, meaning: str, *, pvr: bool, pawp: bool) -> HaemodynamicClass:
    """A class of PH, by which of PVR and PAWP is above its limit."""
    sides = (Criterion("mPAP", above=True), Criterion("PVR", pvr), Criterion("PAWP", pawp))
    return HaemodynamicClass(Code(code, SCHEME, meaning), sides)


NO_PH = HaemodynamicClass(
    Code("NO-PH", SCHEME, "No pulmonary hypertension"), (Criterion("mPAP", above=False),)
)
PRECAPILLARY = HaemodynamicClass(PRECAPILLARY_PH.concept, PRECAPILLARY_PH.criteria)
ISOLATED_POSTCAPILLARY = _class(
    "IPC-PH", "Isolated post-capillary pulmonary hypertension", pvr=False, pawp=True
)
COMBINED = _class(
    "CPC-PH", "Combined post- and pre-capillary pulmonary hypertension", pvr=True, pawp=True
)
UNCLASSIFIED = _class(
    "UNCLASSIFIED-PH", "Unclassified pulmonary hypertension", pvr=False, pawp=False
)
CLASSES = (NO_PH, PRECAPILLARY, ISOLATED_POSTCAPILLARY, COMBINED, UNCLASSIFIED)


def classify(
    measurements: Sequence[Measurement], assessments: Sequence[Assessment]
) -> Classification:
    """The class that the verdicts and, where they leave it open, the intervals allow."""
    verdicts = {item.name: item for item in assessments}
    # Without mPAP there is no verdict on PH.
    ph = verdicts.get(PH.name)
    if ph is not None and ph.presence is Presence.ABSENT:
        return _determined(NO_PH)
    if ph is not None and ph.presence is Presence.UNDETERMINED:
        return _open(ph.reason if ph.reason == decision.UNTRAINED else f"{ph.name} is undetermined")
    measured = {item.name: item for item in measurements}
    missing = [name for name in QUANTITIES if name not in measured]
    if missing:
        return _open(f"there is no estimate of {' and '.join(missing)}")
    precapillary = verdicts[PRECAPILLARY_PH.name]
    if precapillary.presence is Presence.PRESENT:
        return _determined(PRECAPILLARY)
    if precapillary.presence is Presence.UNDETERMINED:
        return _open(f"{precapillary.name} is undetermined")
    return _by_intervals(measured)


def _by_intervals(measured: Mapping[str, Measurement]) -> Classification:
    """Of the classes of PH that are not pre-capillary, the one that value and interval meet."""
    for candidate in (ISOLATED_POSTCAPILLARY, COMBINED, UNCLASSIFIED):
        sides = [item for item in candidate.criteria if item.quantity != "mPAP"]
        if all(sure_to_meet(item, measured) for item in sides):
            return _determined(candidate)
    unsure = [
        name
        for name in ("PVR", "PAWP")
        if measured[name].surely_exceeds(QUANTITIES[name].upper_limit) is None
    ]
    if any(measured[name].coverage is None for name in unsure):
        return _open(f"the model gives no interval for {' and '.join(unsure)}")
    spans = "the interval spans the limit" if len(unsure) == 1 else "the intervals span the limits"
    return _open(f"{spans} of {' and '.join(unsure)}")


def _determined(found: HaemodynamicClass) -> Classification:
    return Classification(NAME, CONCEPT, found.value, rule(found.criteria))


def _open(reason: str) -> Classification:
    return Classification(NAME, CONCEPT, UNDETERMINED, determined=False, reason=reason)
