"""The three quantities of a right heart catheter and the two verdicts that follow from them.

Limits are those of the 2022 ESC/ERS Guidelines for pulmonary hypertension.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inference.bundle.calibration import ProbabilityCurve
from inference.bundle.manifest import Target
from inference.types import Assessment, Code, Measurement, Presence

AUTHORITY = "2022 ESC/ERS Guidelines"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: its code, its unit and the upper end of the normal range in that unit."""

    concept: Code
    unit: Code
    upper_limit: float
    decimals: int
    site: Code | None = None
    equivalent: Code | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One side of one quantity: above its threshold, or at most at it."""

    quantity: str
    above: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is present where every criterion is met; `key` names it in a bundle."""

    key: str
    name: str
    concept: Code
    criteria: tuple[Criterion, ...]


_MMHG = Code("mm[Hg]", "UCUM", "mmHg")
_WOOD = Code("[wood'U]", "UCUM", "Wood units")

QUANTITIES: Mapping[str, Quantity] = {
    "mPAP": Quantity(
        Code("8414-5", "LN", "Pulmonary artery Mean blood pressure"),
        _MMHG,
        upper_limit=20,
        decimals=0,
        site=Code("81040000", "SCT", "Pulmonary artery"),
        equivalent=Code("250770003", "SCT", "Pulmonary artery mean pressure"),
    ),
    "PVR": Quantity(
        Code("276901002", "SCT", "Pulmonary Vascular Resistance"),
        _WOOD,
        upper_limit=2,
        decimals=1,
    ),
    "PAWP": Quantity(
        Code("118433006", "SCT", "Pulmonary Capillary Wedge Pressure"),
        _MMHG,
        upper_limit=15,
        decimals=0,
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
    Code("PRECAPILLARY-PH", "99ECHONODE", "Pre-capillary pulmonary hypertension"),
    (
        Criterion("mPAP", above=True),
        Criterion("PVR", above=True),
        Criterion("PAWP", above=False),
    ),
)
CONDITIONS = (PH, PRECAPILLARY_PH)


def measure(target: Target, estimate: float) -> Measurement:
    """A recalibrated estimate with its interval, both kept to what is possible (>= 0)."""
    quantity = QUANTITIES[target.name]
    value = max(0.0, estimate)
    low = high = coverage = None
    if target.conformal is not None:
        half_width = target.conformal.half_width_at(value)
        low, high = max(0.0, value - half_width), value + half_width
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
    )


def margin(
    condition: Condition, estimates: Mapping[str, float], targets: Mapping[str, Target]
) -> float:
    """How far estimates are on the condition's side, in SDs of the targets: the weakest criterion.

    This is the number that a bundle's probability curves are fitted on; positive means present.
    """
    return min(
        (1 if criterion.above else -1)
        * (estimates[criterion.quantity] - targets[criterion.quantity].decision_threshold)
        / targets[criterion.quantity].sd
        for criterion in condition.criteria
    )


def assess(
    condition: Condition,
    estimates: Mapping[str, float],
    targets: Mapping[str, Target],
    curve: ProbabilityCurve | None,
) -> Assessment:
    """The verdict on one condition, with its probability where the bundle has a curve for it."""
    met = all(
        (estimates[criterion.quantity] > targets[criterion.quantity].decision_threshold)
        == criterion.above
        for criterion in condition.criteria
    )
    return Assessment(
        name=condition.name,
        concept=condition.concept,
        presence=Presence.PRESENT if met else Presence.ABSENT,
        criterion=_criterion(condition, targets),
        probability=None if curve is None else curve(margin(condition, estimates, targets)),
    )


def undetermined(condition: Condition, targets: Mapping[str, Target]) -> Assessment:
    """The verdict of a model whose estimates have no meaning."""
    criterion = _criterion(condition, targets)
    return Assessment(condition.name, condition.concept, Presence.UNDETERMINED, criterion)


def decidable(targets: Mapping[str, Target]) -> list[Condition]:
    """The conditions for which a bundle estimates everything needed."""
    return [
        condition
        for condition in CONDITIONS
        if all(criterion.quantity in targets for criterion in condition.criteria)
    ]


def _criterion(condition: Condition, targets: Mapping[str, Target]) -> str:
    rule = " and ".join(
        _side(criterion, QUANTITIES[criterion.quantity].upper_limit)
        for criterion in condition.criteria
    )
    shifted = [
        _side(criterion, targets[criterion.quantity].decision_threshold)
        for criterion in condition.criteria
        if targets[criterion.quantity].decision_threshold
        != QUANTITIES[criterion.quantity].upper_limit
    ]
    chosen = f"; decided at estimated {' and '.join(shifted)}" if shifted else ""
    return f"{rule} ({AUTHORITY}){chosen}"


def _side(criterion: Criterion, threshold: float) -> str:
    unit = QUANTITIES[criterion.quantity].unit.meaning
    return f"{criterion.quantity} {'>' if criterion.above else '<='} {threshold:.3g} {unit}"
