"""What a cohort is too small for: the same sentences when it is built, trained on and packed."""

import math
from pathlib import Path

import pandas as pd

from inference.training.cohort import Cohort, CohortExam
from inference.training.cohort.sizes import measured_in, warnings, warnings_of


def cohort(**mpap: list[float]) -> Cohort:
    """Exams by split, with these pressures (mmHg); PVR is nowhere measured but in training."""
    exams = tuple(
        CohortExam(
            f"{split}-{number}",
            f"P-{split}-{number}",
            split,
            {
                "mpap_mmhg": value,
                "pvr_wu": value / 8 if split == "train" else math.nan,
                "pawp_mmhg": 10.0,
            },
            math.nan,
            (),
        )
        for split, values in mpap.items()
        for number, value in enumerate(values)
    )
    return Cohort(Path(), "ab" * 32, exams)


BALANCED = [15.0, 40.0] * 80


def test_a_cohort_of_good_shape_gives_no_warning() -> None:
    made = cohort(train=BALANCED, validation=BALANCED, test=BALANCED)
    assert warnings_of(made, ("mPAP",)) == []


def test_a_cohort_of_forty_is_small_in_every_split_and_on_either_side() -> None:
    made = cohort(train=[15.0, 40.0] * 13, validation=[15.0, 40.0] * 3, test=[15.0, 40.0] * 4)
    small, sides = warnings_of(made, ("mPAP",))
    assert small == (
        "Small cohort: 26 patients in train (150 advised: the model may learn little), 6 patients "
        "in validation (100 advised: calibration and intervals depend on chance), 8 patients in "
        "test (100 advised: figures have wide intervals)."
    )
    assert sides.startswith(
        "Fewer patients on one side of a limit than the 30 advised: 13 in train"
    )
    assert "3 in validation with mPAP > 20, 3 in validation with mPAP <= 20" in sides


def test_one_class_only_is_said_for_the_split_that_has_it() -> None:
    made = cohort(train=[40.0] * 160, validation=[12.0] * 140)
    (one_class,) = warnings_of(made, ("mPAP",))
    assert one_class == (
        "Only one class in a split: 0 in train with mPAP <= 20 (nothing shows the model that "
        "side), 0 in validation with mPAP > 20 (no decision threshold and no probability can be "
        "fitted)."
    )


def test_each_target_has_its_own_patients() -> None:
    made = cohort(train=[8.0, 40.0] * 80, validation=BALANCED)
    (small,) = warnings_of(made, ("mPAP", "PVR"))
    assert small.startswith("Small cohort: 0 patients in validation with PVR (100 advised")
    assert "mPAP" not in small


def test_why_patients_are_needed_is_said_once_for_a_split() -> None:
    made = cohort(train=BALANCED, validation=BALANCED, test=[40.0] * 20)
    made.exams[-1].truth["pawp_mmhg"] = math.nan
    small, few, one_class = warnings_of(made, ("mPAP", "PAWP"))
    assert small == (
        "Small cohort: 20 patients in test with mPAP, 19 with PAWP (100 advised: figures have "
        "wide intervals)."
    )
    assert "20 in test with mPAP > 20, 19 in test with PAWP <= 15;" in few
    assert "0 in test with mPAP <= 20, PAWP > 15 (AUC and one of" in one_class


def test_patients_are_counted_and_not_their_exams() -> None:
    exams = pd.DataFrame(
        {
            "patient_number": ["P1", "P2"] * 100,
            "split": "test",
            "mpap_mmhg": [15.0, 40.0] * 100,
            "pvr_wu": math.nan,
            "pawp_mmhg": math.nan,
        }
    )
    small, sides = warnings(measured_in(exams))
    assert small.startswith("Small cohort: 2 patients in test (100 advised")
    assert "1 in test with mPAP > 20, 1 in test with mPAP <= 20" in sides
