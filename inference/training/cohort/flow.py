"""The exclusion flow: how many subjects, exams and files are left after each step.

The paper gives subjects and exams (its Table 3) and the filter of files (its Table 4) in two
tables; here they are the first and the second part of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Step:
    """What is left after one step."""

    step: str
    subjects: int
    exams: int
    files: int


def exclude(
    instances: pd.DataFrame, rules: Sequence[str], window_days: int
) -> tuple[list[Step], pd.DataFrame]:
    """Apply every exclusion in its order.

    `instances` has one row a file: the index's columns plus `days_apart` of its exam (NaN
    without RHC). The second result is the same rows with `excluded`, the reason in words, empty
    for those that take part.
    """
    rows = instances.assign(excluded="")
    steps = [_left("files in the archive", rows)]

    def leave_out(step: str, condition: "pd.Series[bool]", reason: "pd.Series[str] | str") -> None:
        leaving = condition & (rows["excluded"] == "")
        rows.loc[leaving, "excluded"] = reason if isinstance(reason, str) else reason[leaving]
        steps.append(_left(step, rows))

    patients = rows.groupby("study_instance_uid")["patient_id"].transform("nunique")
    leave_out("readable DICOM", rows["outcome"] == "unreadable", rows["reason"])
    leave_out(
        "each instance once",
        rows.duplicated("sop_instance_uid") & (rows["outcome"] != "unreadable"),
        "the same instance as another file",
    )
    leave_out(
        "patient, study and date known",
        (rows["patient_id"] == "")
        | (rows["study_instance_uid"] == "")
        | (rows["exam_date"] == "")
        | (patients > 1),
        "patient, study or date missing or contradictory",
    )
    leave_out(
        "patient had a right heart catheterisation",
        rows["days_apart"].isna(),
        "patient without a usable catheterisation",
    )
    leave_out(
        f"echo within {window_days} days of it",
        rows["days_apart"].abs() > window_days,
        f"no catheterisation within {window_days} days",
    )
    for position, rule in enumerate(rules):
        leave_out(rule.replace("_", " "), rows["rules_passed"] <= position, rows["reason"])
    return steps, rows


def _left(step: str, rows: pd.DataFrame) -> Step:
    left = rows[rows["excluded"] == ""]
    return Step(
        step,
        int(left.loc[left["patient_id"] != "", "patient_id"].nunique()),
        int(left.loc[left["study_instance_uid"] != "", "study_instance_uid"].nunique()),
        len(left),
    )
