"""How far two pipelines, or two bundles of one, agree on the same studies."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import TypeVar

from scipy.stats import t

from inference.types import Findings

T = TypeVar("T")

#: Half the width of the limits of agreement, in standard deviations of the differences.
_LIMITS = 1.96
_LEVEL = 0.95
_UNDETERMINED = "undetermined"

#: By the number of a study: what the first and what the second pipeline found of it.
Pairs = Mapping[int, tuple[Findings, Findings]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the limits of its 95 % interval; None where there are too few studies."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """How two series of one measurement agree (Bland and Altman, Lancet 1986; 327: 307-310).

    Differences are of the second to the first, in `unit`. `lower` and `upper` are the limits of
    agreement, bias -+ 1.96 standard deviations.
    """

    name: str
    unit: str
    n: int
    bias: Figure
    lower: Figure
    upper: Figure


@dataclass(frozen=True, slots=True)
class Judged:
    """How two series of one verdict, grade or class agree.

    `table` counts each pair of levels, the first pipeline's first. `kappa` is Cohen's (1960),
    unweighted; None where both always say the same one level.
    """

    name: str
    n: int
    agreed: int
    kappa: float | None
    table: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One study on which they differ, and in what."""

    study: int
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The comparison of two pipelines; the studies that both have findings of are `n`.

    `both`, `only_first`, `only_second` and `neither` count those with a result.
    """

    n: int
    both: int
    only_first: int
    only_second: int
    neither: int
    measurements: tuple[Measured, ...]
    judgements: tuple[Judged, ...]
    disagreements: tuple[Disagreement, ...]


def agreement(pairs: Pairs) -> Agreement:
    """Compare what two pipelines found.

    Studies disagree where one of them alone has a result, where a verdict, grade or class differs,
    or where a difference lies outside the limits of agreement.
    """
    has = Counter((_has_result(one), _has_result(other)) for one, other in pairs.values())
    measured = tuple(_measured(name, series) for name, series in _series(pairs).items())
    judged = tuple(_judged(name, levels) for name, levels in _levels(pairs).items())
    differ = ((study, tuple(_differences(*pair, measured))) for study, pair in pairs.items())
    return Agreement(
        n=len(pairs),
        both=has[True, True],
        only_first=has[True, False],
        only_second=has[False, True],
        neither=has[False, False],
        measurements=measured,
        judgements=judged,
        disagreements=tuple(Disagreement(study, what) for study, what in differ if what),
    )


def bland_altman(name: str, unit: str, differences: Sequence[float]) -> Measured:
    """Bias and limits of agreement of at least one difference.

    Their intervals are those of the reference: standard errors s/sqrt(n) of the bias, and
    s sqrt(1/n + 1.96^2 / (2 (n - 1))) of the limits, by the t distribution of n - 1.
    """
    n, bias = len(differences), mean(differences)
    if n < 2:
        return Measured(name, unit, n, Figure(bias), Figure(None), Figure(None))
    spread = stdev(differences)
    quantile = float(t.ppf((1 + _LEVEL) / 2, n - 1))
    of_bias = quantile * spread / sqrt(n)
    of_limit = quantile * spread * sqrt(1 / n + _LIMITS**2 / (2 * (n - 1)))
    lower, upper = bias - _LIMITS * spread, bias + _LIMITS * spread
    return Measured(
        name, unit, n, _around(bias, of_bias), _around(lower, of_limit), _around(upper, of_limit)
    )


def kappa(levels: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of pairs of levels; None where chance alone would always agree."""
    n = len(levels)
    observed = sum(one == other for one, other in levels) / n
    firsts, seconds = Counter(one for one, _ in levels), Counter(other for _, other in levels)
    expected = sum(firsts[level] * seconds[level] for level in firsts) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def _around(value: float, half: float) -> Figure:
    return Figure(value, value - half, value + half)


def _measured(name: str, series: tuple[str, list[float]]) -> Measured:
    return bland_altman(name, *series)


def _judged(name: str, levels: Sequence[tuple[str, str]]) -> Judged:
    table = tuple((*pair, count) for pair, count in sorted(Counter(levels).items()))
    agreed = sum(one == other for one, other in levels)
    return Judged(name, len(levels), agreed, kappa(levels), table)


def _series(pairs: Pairs) -> dict[str, tuple[str, list[float]]]:
    """The unit and the differences of each measurement that both have."""
    found: dict[str, tuple[str, list[float]]] = {}
    for one, other in pairs.values():
        for name, difference in _value_differences(one, other).items():
            unit = next(item.unit.value for item in one.measurements if item.name == name)
            found.setdefault(name, (unit, []))[1].append(difference)
    return found


def _levels(pairs: Pairs) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for one, other in pairs.values():
        for name, levels in _both(_judgements(one), _judgements(other)).items():
            found.setdefault(name, []).append(levels)
    return found


def _differences(one: Findings, other: Findings, measured: Sequence[Measured]) -> Iterator[str]:
    """In what a study differs, in words."""
    if _has_result(one) != _has_result(other):
        yield "result -> none" if _has_result(one) else "none -> result"
        return
    for name, (first, second) in _both(_judgements(one), _judgements(other)).items():
        if first != second:
            yield f"{name}: {first} -> {second}"
    differences = _value_differences(one, other)
    for item in measured:
        lower, upper = item.lower.value, item.upper.value
        if item.name not in differences or lower is None or upper is None:
            continue
        if not lower <= differences[item.name] <= upper:
            yield f"{item.name}: {differences[item.name]:+.3g} {item.unit}"


def _value_differences(one: Findings, other: Findings) -> dict[str, float]:
    values = [{item.name: item.value for item in each.measurements} for each in (one, other)]
    return {name: second - first for name, (first, second) in _both(*values).items()}


def _judgements(findings: Findings) -> dict[str, str]:
    """Each verdict, grade and class by its name."""
    found = {item.name: item.presence.value for item in findings.assessments}
    for grade in findings.grades:
        found[grade.name] = grade.level.meaning if grade.level else _UNDETERMINED
    if group := findings.classification:
        found[group.name] = group.value.meaning if group.determined else _UNDETERMINED
    return found


def _both(one: Mapping[str, T], other: Mapping[str, T]) -> dict[str, tuple[T, T]]:
    return {name: (one[name], other[name]) for name in one if name in other}


def _has_result(findings: Findings) -> bool:
    return findings.abstention is None
