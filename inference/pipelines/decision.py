"""Whether a condition is there: decided once, from the numbers as a reader sees them.

A verdict is stated only where the printed values, the printed probability and the model's operating
point all say the same. So no page can contradict itself, whatever the rounding.
"""

from collections.abc import Sequence

from inference.types import Presence

#: What is stated is at least this probable, in percent as printed. Twice as likely as not (2/3)
#: is the least that the IPCC's scale, made for readers of probabilities, calls "likely".
LIKELY_PERCENT = 67

UNLIKELY = f"neither presence nor absence is at least {LIKELY_PERCENT} % likely"
CONFLICT = "the estimate and its probability disagree"
TOO_NEAR = "the estimate is too close to the limit for this model"
OUT_OF_RANGE = "the estimate lies outside the model's range"
SPANS = "the interval spans the limit"
UNCALIBRATED = "the model has neither a calibrated probability nor an interval for it"
UNTRAINED = "the model is untrained"

#: Whether a criterion is met; None where that cannot be told.
Met = bool | None


def decide(
    shown: Sequence[Met],
    sure: Sequence[Met] | None,
    percent: int | None,
    *,
    operating_point: bool,
) -> tuple[Presence, str]:
    """The verdict on a condition that needs every criterion, and why there is none.

    `shown` says for each criterion whether the printed value meets it, `sure` whether value and
    printed interval do (None: no intervals). `percent` is the printed probability of the condition;
    without one the intervals decide. `operating_point`: the side that the bundle's thresholds take.
    """
    value = every(shown)
    if value is None:
        return Presence.UNDETERMINED, OUT_OF_RANGE
    decided = _by_intervals(sure) if percent is None else _by_probability(percent, value)
    if isinstance(decided, str):
        return Presence.UNDETERMINED, decided
    if decided is not operating_point:
        return Presence.UNDETERMINED, TOO_NEAR
    return (Presence.PRESENT if decided else Presence.ABSENT), ""


def every(met: Sequence[Met]) -> Met:
    """Whether all are met: one that is not settles it, one that cannot be told leaves it open."""
    if False in met:
        return False
    return None if None in met else True


def _by_intervals(sure: Sequence[Met] | None) -> bool | str:
    if sure is None:
        return UNCALIBRATED
    decided = every(sure)
    return SPANS if decided is None else decided


def _by_probability(percent: int, value: bool) -> bool | str:
    if 100 - LIKELY_PERCENT < percent < LIKELY_PERCENT:
        return UNLIKELY
    return value if (percent > 50) is value else CONFLICT
