"""Exams meet the nearest catheterisation; patients are split, not exams."""

from dataclasses import replace
from random import Random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import TrainingDataError
from inference.training.cohort.choosing import choosing
from inference.training.cohort.flow import exclude
from inference.training.cohort.matching import match
from inference.training.cohort.splitting import SPLITS, split_patients


def dates(*days: str) -> pd.DatetimeIndex:
    return pd.to_datetime(list(days))


def test_an_exam_meets_its_own_patients_nearest_catheterisation() -> None:
    exams = pd.DataFrame(
        {
            "patient_id": ["B", "A", "C"],
            "study_instance_uid": ["1", "2", "3"],
            "exam_date": dates("2020-06-01", "2020-01-20", "2020-01-01"),
        }
    )
    labels = pd.DataFrame(
        {
            "patient_id": ["A", "A", "B"],
            "rhc_date": dates("2020-01-01", "2020-02-01", "2020-01-20"),
            "mpap_mmhg": [20.0, 40.0, 60.0],
        }
    )
    matched = match(exams, labels)
    assert list(matched["study_instance_uid"]) == ["1", "2", "3"]
    assert list(matched["mpap_mmhg"][:2]) == [60, 40]
    assert list(matched["days_apart"][:2]) == [133, -12]
    assert matched.loc[2, ["mpap_mmhg", "days_apart"]].isna().all()


def test_of_two_equally_near_the_earlier_counts() -> None:
    exams = pd.DataFrame({"patient_id": ["A"], "exam_date": dates("2020-01-11")})
    labels = pd.DataFrame(
        {
            "patient_id": ["A", "A"],
            "rhc_date": dates("2020-01-21", "2020-01-01"),
            "mpap_mmhg": [1, 2],
        }
    )
    assert list(match(exams, labels)["mpap_mmhg"]) == [2]


@given(st.sets(st.text(min_size=1), min_size=20, max_size=60), st.integers(0, 5), st.randoms())
def test_a_split_depends_on_patients_and_seed_alone(
    patients: set[str], seed: int, rnd: Random
) -> None:
    ordered = sorted(patients)
    shuffled = ordered * 2
    rnd.shuffle(shuffled)
    split = split_patients(shuffled, seed=seed)
    assert split == split_patients(ordered, seed=seed)
    assert set(split) == patients
    for name, share in zip(SPLITS, (0.65, 0.15, 0.20), strict=True):
        assert abs(list(split.values()).count(name) - share * len(patients)) <= 1


def test_a_growing_cohort_moves_few_patients() -> None:
    before = split_patients(map(str, range(500)), seed=1)
    after = split_patients(map(str, range(550)), seed=1)
    assert sum(before[patient] != after[patient] for patient in before) < 25


def test_another_seed_gives_another_split() -> None:
    names = list(map(str, range(100)))
    assert split_patients(names, seed=1) != split_patients(names, seed=2)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.4, 0.2), (1.0, 0.0, 0.0)])
def test_shares_that_make_no_sense_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(TrainingDataError, match="sum to 1"):
        split_patients(map(str, range(9)), seed=0, shares=shares)


def test_a_split_that_would_be_empty_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="split empty"):
        split_patients(["A", "B"], seed=0)


def test_the_flow_counts_what_is_left_after_each_step_and_gives_each_file_one_reason() -> None:
    columns = "patient_id study_instance_uid sop_instance_uid days_apart rules_passed outcome"
    rows = [
        ("A", "1", "1.1", 3, 2, "selected"),
        ("A", "1", "1.2", 3, 1, "rejected"),
        ("A", "1", "1.1", 3, 2, "selected"),
        ("B", "2", "2.1", 200, 2, "selected"),
        ("C", "3", "3.1", None, 2, "selected"),
        ("", "", "", None, 0, "unreadable"),
    ]
    instances = pd.DataFrame(rows, columns=columns.split()).assign(
        exam_date="2020-01-01", reason=["", "M-mode", "", "", "", "not readable"]
    )
    chosen = replace(choosing(), rules=("one", "two"))
    steps, judged = exclude(instances, chosen, window_days=92)
    counts = [(step.part, step.step, step.subjects, step.exams, step.files) for step in steps]
    assert counts == [
        ("", "files in the archive", 3, 3, 6),
        ("i", "patient, study and date known", 3, 3, 6),
        ("ii", "readable DICOM", 3, 3, 5),
        ("ii", "each instance once", 3, 3, 4),
        ("ii", "one", 3, 3, 4),
        ("ii", "two", 3, 3, 3),
        ("iii", "patient had a right heart catheterisation", 2, 2, 2),
        ("iii", "echo within 92 days of it", 1, 1, 1),
    ], "the paper's order"
    assert list(judged["excluded"]) == [
        "",
        "M-mode",
        "the same instance as another file",
        "no catheterisation within 92 days",
        "patient without a usable catheterisation",
        "not readable",
    ]
