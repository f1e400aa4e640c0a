"""From the logits of an ECG to verdicts: PH, and where it is present, whether it is post-capillary.

Limits are those of the 2022 ESC/ERS Guidelines. Without PVR, pre-capillary is all PH with PAWP of
at most 15 mmHg.
"""

from collections.abc import Mapping
from dataclasses import replace

from inference.exclusions import SCHEME
from inference.pipelines import decision
from inference.pipelines.ecg_bundle import POSTCAPILLARY, Questions
from inference.pipelines.haemodynamic_class import CONCEPT, NAME, NO_PH, UNDETERMINED
from inference.pipelines.haemodynamics import PH, PRECAPILLARY_PH, Condition, Criterion, rule
from inference.types import Assessment, Classification, Code, Presence, as_percent

POSTCAPILLARY_PH = Condition(
    POSTCAPILLARY,
    "post-capillary PH",
    Code("POSTCAPILLARY-PH", SCHEME, "Post-capillary pulmonary hypertension"),
    (Criterion("mPAP", above=True), Criterion("PAWP", above=True)),
)
_PRECAPILLARY = (Criterion("mPAP", above=True), Criterion("PAWP", above=False))

#: What must be known beside the second verdict.
SUPPOSES_PH = (
    "The probability of post-capillary PH supposes that PH is present. The model knows no PVR: "
    "pre-capillary PH means PAWP <= 15 mmHg here."
)


def assess(
    logits: Mapping[str, float], asked: Questions, *, untrained: bool
) -> tuple[Assessment, ...]:
    """The verdict on PH and, only where it is present, on post-capillary PH.

    `logits` by question. An untrained model determines nothing.
    """
    ph = _assess(PH, logits, asked)
    if untrained:
        unsaid = replace(ph, presence=Presence.UNDETERMINED, probability=None)
        return (replace(unsaid, reason=decision.UNTRAINED),)
    if ph.presence is not Presence.PRESENT or POSTCAPILLARY not in asked:
        return (ph,)
    return ph, _assess(POSTCAPILLARY_PH, logits, asked)


def classify(assessments: tuple[Assessment, ...], asked: Questions) -> Classification | None:
    """The class that the verdicts allow; None where the model does not tell classes apart."""
    if POSTCAPILLARY not in asked:
        return None
    ph, *further = assessments
    if ph.presence is Presence.ABSENT:
        return Classification(NAME, CONCEPT, NO_PH.value, rule(NO_PH.criteria))
    (last,) = further or [ph]
    if last.presence is Presence.UNDETERMINED:
        why = last.reason if last.reason == decision.UNTRAINED else f"{last.name} is undetermined"
        return Classification(NAME, CONCEPT, UNDETERMINED, determined=False, reason=why)
    if last.presence is Presence.PRESENT:
        concept, criteria = POSTCAPILLARY_PH.concept, POSTCAPILLARY_PH.criteria
    else:
        concept, criteria = PRECAPILLARY_PH.concept, _PRECAPILLARY
    return Classification(NAME, CONCEPT, concept, rule(criteria))


def probability(logits: Mapping[str, float], asked: Questions, question: str) -> float:
    """The calibrated probability of what a question is about, 0..1."""
    return asked[question].calibration(logits[question])


def _assess(condition: Condition, logits: Mapping[str, float], asked: Questions) -> Assessment:
    probable = probability(logits, asked, condition.key)
    percent = as_percent(probable)
    presence, reason = decision.decide(
        [percent > 50],
        None,
        percent,
        operating_point=probable >= asked[condition.key].threshold,
    )
    criterion = rule(condition.criteria)
    return Assessment(condition.name, condition.concept, presence, criterion, probable, reason)
