"""The three quantities of a right heart catheter, and the verdicts and class that follow from them.

Limits are those of the 2022 ESC/ERS Guidelines for pulmonary hypertension.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from inference.bundle.calibration import ProbabilityCurve
from inference.bundle.targets import ValueTarget
from inference.exclusions import SCHEME
from inference.pipelines import decision
from inference.types import Assessment, Code, Measurement, Presence, as_percent

AUTHORITY = "2022 ESC/ERS Guidelines"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: its code, its unit, the upper end of the normal range in that unit.

    `meaningful` is the range in which an estimate can be true, in the same unit.
    """

    concept: Code
    unit: Code
    upper_limit: float
    decimals: int
    meaningful: tuple[float, float]
    site: Code | None = None
    equivalent: Code | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One side of one quantity: above its threshold, or at most at it."""

    quantity: str
    above: bool

    def met(self, exceeds: bool | None) -> bool | None:
        """Whether it is met by a number that is above the threshold, or is not; None: unknown."""
        return None if exceeds is None else exceeds is self.above


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is present where every criterion is met; `key` names it in a bundle."""

    key: str
    name: str
    concept: Code
    criteria: tuple[Criterion, ...]


_MMHG = Code("mm[Hg]", "UCUM", "mmHg")
_WOOD = Code("[wood'U]", "UCUM", "Wood units")

# Lower ends: the least normal values of mPAP and PVR in the 2022 ESC/ERS Guidelines (table 8), of
# PAWP the mean less two SDs of healthy adults (Kovacs, Eur Respir J 2009). Upper ends: the highest
# catheterisations that training accepts as plausible (inference/training/cohort/labels.py).
QUANTITIES: Mapping[str, Quantity] = {
    "mPAP": Quantity(
        Code("8414-5", "LN", "Pulmonary artery Mean blood pressure"),
        _MMHG,
        upper_limit=20,
        decimals=0,
        meaningful=(8, 120),
        site=Code("81040000", "SCT", "Pulmonary artery"),
        equivalent=Code("250770003", "SCT", "Pulmonary artery mean pressure"),
    ),
    "PVR": Quantity(
        Code("276901002", "SCT", "Pulmonary Vascular Resistance"),
        _WOOD,
        upper_limit=2,
        decimals=1,
        meaningful=(0.3, 40),
    ),
    "PAWP": Quantity(
        Code("118433006", "SCT", "Pulmonary Capillary Wedge Pressure"),
        _MMHG,
        upper_limit=15,
        decimals=0,
        meaningful=(2, 60),
    ),
}

PH = Condition(
    "PH",
    "PH",
    Code("70995007", "SCT", "Pulmonary hypertension"),
    (Criterion("mPAP", above=True),),
)
PRECAPILLARY_PH = Condition(
    "precapillary_PH",
    "pre-capillary PH",
    Code("PRECAPILLARY-PH", SCHEME, "Pre-capillary pulmonary hypertension"),
    (
        Criterion("mPAP", above=True),
        Criterion("PVR", above=True),
        Criterion("PAWP", above=False),
    ),
)
CONDITIONS = (PH, PRECAPILLARY_PH)


def measure(target: ValueTarget, estimate: float, share: float | None = None) -> Measurement:
    """A recalibrated estimate with its interval, both kept to the range that has a meaning.

    `share` is that of the exam's evidence (see `ExamEvidence`); None: as of a typical exam.
    """
    quantity = QUANTITIES[target.name]
    least, most = quantity.meaningful
    value = min(max(estimate, least), most)
    low = high = coverage = None
    if target.conformal is not None:
        half_width = target.conformal.half_width_at(value, target.widening(share))
        low, high = max(least, value - half_width), min(most, value + half_width)
        coverage = target.conformal.coverage
    return Measurement(
        name=target.name,
        concept=quantity.concept,
        value=value,
        unit=quantity.unit,
        low=low,
        high=high,
        coverage=coverage,
        upper_limit=quantity.upper_limit,
        authority=AUTHORITY,
        site=quantity.site,
        equivalent=quantity.equivalent,
        decimals=quantity.decimals,
        model_range=quantity.meaningful,
    )


def evidence_shares(
    targets: Mapping[str, ValueTarget], log_evidence: Mapping[str, float]
) -> dict[str, float]:
    """The exam's share of the typical evidence, for each target whose bundle knows it."""
    return {
        name: target.evidence.share(log_evidence[name])
        for name, target in targets.items()
        if target.evidence is not None
    }


def sufficient(
    targets: Mapping[str, ValueTarget], shares: Mapping[str, float]
) -> dict[str, ValueTarget]:
    """The targets for which an exam holds enough evidence: none where the leading one lacks it."""
    enough = {
        name: targets[name]
        for name in QUANTITIES
        if name in targets and _suffices(targets[name], shares.get(name))
    }
    return enough if primary(targets) in enough else {}


def primary(names: Collection[str]) -> str:
    """The target that leads a report and ranks the loops: mPAP, else PVR, else PAWP."""
    return next(name for name in QUANTITIES if name in names)


def margin(
    condition: Condition, estimates: Mapping[str, float], targets: Mapping[str, ValueTarget]
) -> float:
    """How far estimates are on the condition's side, in SDs of the targets: the weakest criterion.

    This is the number that a bundle's probability curves are fitted on; positive means present.
    As in the fit, estimates below zero count as zero.
    """
    return min(
        (1 if criterion.above else -1)
        * (max(0.0, estimates[criterion.quantity]) - targets[criterion.quantity].decision_threshold)
        / targets[criterion.quantity].sd
        for criterion in condition.criteria
    )


def widening(
    condition: Condition, targets: Mapping[str, ValueTarget], shares: Mapping[str, float]
) -> float:
    """The largest widening of the intervals that a condition rests on; 1 in a typical exam."""
    return max(
        targets[criterion.quantity].widening(shares.get(criterion.quantity))
        for criterion in condition.criteria
    )


def assess(
    estimates: Mapping[str, float],
    targets: Mapping[str, ValueTarget],
    curves: Mapping[str, ProbabilityCurve],
    shares: Mapping[str, float] | None = None,
) -> tuple[Assessment, ...]:
    """The verdicts on all conditions that the targets can decide; `curves` by the condition's key.

    `shares` are those of the exam's evidence by target; without one it counts as a typical exam.
    A condition that includes another one is never more probable than it, and never present where
    the other is not.
    """
    shares = shares or {}
    measured = {
        name: measure(target, estimates[name], shares.get(name)) for name, target in targets.items()
    }
    made: dict[Condition, Assessment] = {}
    for condition in decidable(targets):
        wider = [made[other] for other in made if set(other.criteria) < set(condition.criteria)]
        curve = curves.get(condition.key)
        margin_sd = margin(condition, estimates, targets)
        bounds = [item.probability for item in wider if item.probability is not None]
        widest = widening(condition, targets, shares)
        probability = None if curve is None else min(curve(margin_sd, widest), *bounds, 1.0)
        own = _assess(condition, measured, margin_sd, probability)
        made[condition] = _within(wider, own)
    return tuple(made.values())


def undetermined(condition: Condition) -> Assessment:
    """The verdict of a model whose estimates have no meaning."""
    return Assessment(
        condition.name,
        condition.concept,
        Presence.UNDETERMINED,
        rule(condition.criteria),
        reason=decision.UNTRAINED,
    )


def decidable(targets: Mapping[str, ValueTarget]) -> list[Condition]:
    """The conditions for which a bundle estimates everything needed, the wider ones first."""
    return [
        condition
        for condition in CONDITIONS
        if all(criterion.quantity in targets for criterion in condition.criteria)
    ]


def rule(criteria: Sequence[Criterion]) -> str:
    """Such as "mPAP > 20 mmHg (2022 ESC/ERS Guidelines)"."""
    return f"{' and '.join(_side(criterion) for criterion in criteria)} ({AUTHORITY})"


def shown_to_meet(criterion: Criterion, measured: Mapping[str, Measurement]) -> bool | None:
    """Whether the printed value meets a criterion."""
    quantity = criterion.quantity
    return criterion.met(measured[quantity].exceeds(QUANTITIES[quantity].upper_limit))


def sure_to_meet(criterion: Criterion, measured: Mapping[str, Measurement]) -> bool | None:
    """Whether the printed value and interval meet a criterion."""
    quantity = criterion.quantity
    return criterion.met(measured[quantity].surely_exceeds(QUANTITIES[quantity].upper_limit))


def _assess(
    condition: Condition,
    measured: Mapping[str, Measurement],
    margin_sd: float,
    probability: float | None,
) -> Assessment:
    calibrated = all(measured[item.quantity].coverage is not None for item in condition.criteria)
    presence, reason = decision.decide(
        [shown_to_meet(criterion, measured) for criterion in condition.criteria],
        [sure_to_meet(criterion, measured) for criterion in condition.criteria]
        if calibrated
        else None,
        None if probability is None else as_percent(probability),
        operating_point=margin_sd > 0,
    )
    return Assessment(
        condition.name,
        condition.concept,
        presence,
        rule(condition.criteria),
        probability,
        reason,
    )


def _within(wider: Sequence[Assessment], own: Assessment) -> Assessment:
    """Kept to what the wider conditions allow; a probability that says otherwise is left out."""
    if any(other.presence is Presence.ABSENT for other in wider):
        if own.percent is not None and own.percent > 100 - decision.LIKELY_PERCENT:
            own = replace(own, probability=None)
        return replace(own, presence=Presence.ABSENT, reason="")
    open_ones = [other for other in wider if other.presence is Presence.UNDETERMINED]
    if open_ones and own.presence is Presence.PRESENT:
        reason = f"{open_ones[0].name} is undetermined"
        return replace(own, presence=Presence.UNDETERMINED, reason=reason)
    return own


def _suffices(target: ValueTarget, share: float | None) -> bool:
    return target.evidence is None or share is None or target.evidence.suffices(share)


def _side(criterion: Criterion) -> str:
    quantity = QUANTITIES[criterion.quantity]
    sign = ">" if criterion.above else "<="
    return f"{criterion.quantity} {sign} {quantity.upper_limit:g} {quantity.unit.meaning}"
