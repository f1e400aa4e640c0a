"""How far two pipelines agree, against numbers that were worked by hand."""

import pytest

from inference.agreement import Disagreement, Figure, agreement, bland_altman, kappa
from inference.types import (
    Assessment,
    Code,
    Findings,
    Grade,
    Measurement,
    ModelCard,
    Presence,
    Standing,
)

MODEL = ModelCard("x", "1", "x", "1", "d" * 64, "1.2", Standing.UNTRAINED, "")
MMHG = Code("mm[Hg]", "UCUM", "mmHg")
NAME = Code("1", "99TEST", "x")
NONE, MILD = Code("0", "99TEST", "none"), Code("1", "99TEST", "mild")


def found(
    value: float, presence: Presence = Presence.ABSENT, level: Code | None = NONE
) -> Findings:
    return Findings(
        "t",
        MODEL,
        measurements=(Measurement("pressure", NAME, value, MMHG, None, None, None),),
        assessments=(Assessment("high", NAME, presence, "> 20"),),
        grades=(Grade("size", NAME, (NONE, MILD), level),),
    )


def nothing() -> Findings:
    return Findings("t", MODEL, abstention="no input")


def close(figure: Figure, *expected: float) -> bool:
    return [figure.value, figure.low, figure.high] == pytest.approx(expected, abs=1e-4)


def test_bias_and_limits_of_agreement_with_their_intervals() -> None:
    """Mean 3, SD sqrt(2.5) = 1.58114, t(4) = 2.77645.

    Half the interval is 2.77645 * 1.58114 / sqrt(5) = 1.96324 of the bias, and
    2.77645 * 1.58114 * sqrt(1/5 + 3.8416/8) = 3.62062 of a limit, 3 -+ 1.96 * 1.58114.
    """
    made = bland_altman("pressure", "mm[Hg]", [1, 2, 3, 4, 5])
    assert made.n == 5
    assert close(made.bias, 3, 1.03676, 4.96324)
    assert close(made.lower, -0.09903, -3.71965, 3.52159)
    assert close(made.upper, 6.09903, 2.47841, 9.71965)


def test_one_difference_has_no_limits() -> None:
    made = bland_altman("pressure", "mm[Hg]", [2])
    assert (made.bias, made.lower, made.upper) == (Figure(2), Figure(None), Figure(None))


def test_kappa_is_the_agreement_beyond_chance() -> None:
    """Observed 35/50, expected (25*30 + 25*20) / 2500 = 0.5: (0.7 - 0.5) / 0.5."""
    levels = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10
    assert kappa([*levels, *[("no", "no")] * 15]) == pytest.approx(0.4)
    assert kappa([("no", "no")] * 3) is None


def test_who_had_a_result_is_counted_and_only_pairs_are_measured() -> None:
    compared = agreement(
        {
            1: (found(20), found(21)),
            2: (found(30), nothing()),
            3: (nothing(), found(30)),
            4: (nothing(), nothing()),
        }
    )
    assert (compared.n, compared.both, compared.only_first) == (4, 1, 1)
    assert (compared.only_second, compared.neither) == (1, 1)
    [measured] = compared.measurements
    assert (measured.name, measured.unit, measured.n) == ("pressure", "mm[Hg]", 1)
    assert compared.disagreements == (
        Disagreement(2, ("result -> none",)),
        Disagreement(3, ("none -> result",)),
    )


def test_verdicts_and_grades_are_tabled_and_each_difference_is_named() -> None:
    compared = agreement(
        {
            1: (found(20), found(20)),
            2: (found(21), found(21, Presence.PRESENT, MILD)),
            3: (found(21), found(21, level=None)),
        }
    )
    high, size = compared.judgements
    assert (high.name, high.n, high.agreed) == ("high", 3, 2)
    assert high.table == (("absent", "absent", 2), ("absent", "present", 1))
    assert size.table == (("none", "mild", 1), ("none", "none", 1), ("none", "undetermined", 1))
    assert compared.disagreements == (
        Disagreement(2, ("high: absent -> present", "size: none -> mild")),
        Disagreement(3, ("size: none -> undetermined",)),
    )


def test_a_difference_outside_the_limits_of_agreement_is_a_disagreement() -> None:
    pairs = {study: (found(20), found(20)) for study in range(1, 31)}
    compared = agreement(pairs | {31: (found(20), found(30))})
    assert compared.disagreements == (Disagreement(31, ("pressure: +10 mm[Hg]",)),)


def test_nothing_in_common_is_no_fault() -> None:
    compared = agreement({})
    assert (compared.n, compared.measurements, compared.disagreements) == (0, (), ())
