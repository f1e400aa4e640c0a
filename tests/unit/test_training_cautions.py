"""Cohorts of a bad shape: said before hours are spent, each with what to do."""

import math
from pathlib import Path

from inference.training.cautions import cautions
from inference.training.cohort import Cohort, CohortExam


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


def test_a_cohort_of_good_shape_gives_no_caution() -> None:
    made = cohort(train=[15.0, 40.0] * 80, validation=[15.0, 40.0] * 20)
    assert cautions(made, ("mPAP",)) == ()


def test_a_cohort_of_forty_is_small_in_training_and_in_validation() -> None:
    made = cohort(train=[15.0, 40.0] * 13, validation=[15.0, 40.0] * 3)
    training, validation = cautions(made, ("mPAP",))
    assert training.startswith("mPAP: 26 training exams, fewer than 150: expect a weak model")
    assert validation.startswith("mPAP: 6 validation exams, fewer than 30: calibration")
    assert "add exams" in training
    assert "add exams" in validation


def test_one_class_only_is_said_for_the_split_that_has_it() -> None:
    made = cohort(train=[40.0] * 160, validation=[12.0] * 40)
    training, validation = cautions(made, ("mPAP",))
    assert "every training exam is above 20 mmHg" in training
    assert "every validation exam is not above 20 mmHg" in validation
    assert "add exams of the other side" in training


def test_each_target_has_its_own_exams() -> None:
    made = cohort(train=[8.0, 40.0] * 80, validation=[15.0, 40.0] * 20)
    (only,) = cautions(made, ("mPAP", "PVR"))
    assert only.startswith("PVR: 0 validation exams")
