"""What ecg_ph states of the probabilities of PH and of post-capillary PH."""

from math import log

import pytest

from inference.pipelines import decision
from inference.pipelines.ecg_verdicts import assess, classify
from inference.types import Presence
from tests.unit.ecg_bundles import presence

PRESENT, ABSENT, UNDETERMINED = Presence.PRESENT, Presence.ABSENT, Presence.UNDETERMINED


def judged(
    ph: float, post: float | None = None, ph_threshold: float = 0.5, *, untrained: bool = False
) -> tuple[list[tuple[Presence, str]], str, str]:
    """Of probabilities: presence and reason of each verdict, the class and why it has none."""
    asked = {"PH": presence("PH.12-leads", ph_threshold)}
    logits = {"PH": log(ph / (1 - ph))}
    if post is not None:
        asked["postcapillary"] = presence("postcapillary.12-leads")
        logits["postcapillary"] = log(post / (1 - post))
    assessments = assess(logits, asked, untrained=untrained)
    found = classify(assessments, asked)
    stated = [(item.presence, item.reason) for item in assessments]
    return stated, found.value.value if found else "", found.reason if found else ""


@pytest.mark.parametrize(
    ("ph", "post", "verdicts", "value"),
    [
        (0.9, 0.8, [PRESENT, PRESENT], "POSTCAPILLARY-PH"),
        (0.9, 0.1, [PRESENT, ABSENT], "PRECAPILLARY-PH"),
        (0.67, 0.33, [PRESENT, ABSENT], "PRECAPILLARY-PH"),
        (0.9, 0.6, [PRESENT, UNDETERMINED], "373068000"),
        (0.6, 0.9, [UNDETERMINED], "373068000"),
        (0.1, 0.9, [ABSENT], "NO-PH"),
    ],
)
def test_only_where_ph_is_present_its_side_is_asked(
    ph: float, post: float, verdicts: list[Presence], value: str
) -> None:
    stated, found, _ = judged(ph, post)
    assert [verdict for verdict, _ in stated] == verdicts
    assert found == value


def test_what_is_not_likely_or_on_the_other_side_of_the_threshold_is_not_stated() -> None:
    assert judged(0.66)[0] == [(UNDETERMINED, decision.UNLIKELY)]
    assert judged(0.8, ph_threshold=0.85)[0] == [(UNDETERMINED, decision.TOO_NEAR)]
    assert judged(0.2, ph_threshold=0.15)[0] == [(UNDETERMINED, decision.TOO_NEAR)]


def test_why_there_is_no_class_is_said() -> None:
    assert judged(0.6, 0.9)[2] == "PH is undetermined"
    assert judged(0.9, 0.6)[2] == "post-capillary PH is undetermined"
    assert judged(0.9)[1] == "", "a bundle that knows PH alone tells no classes apart"


def test_an_untrained_model_determines_nothing() -> None:
    stated, value, why = judged(0.99, 0.99, untrained=True)
    assert stated == [(UNDETERMINED, decision.UNTRAINED)]
    assert (value, why) == ("373068000", decision.UNTRAINED)
    asked = {"PH": presence("PH.12-leads")}
    assert assess({"PH": 5.0}, asked, untrained=True)[0].probability is None
