"""The exclusion flow: how many subjects, exams and files are left after each step.

The steps are in the paper's order: (i) invalid exams, (ii) invalid files, (iii) missing RHC values.
Its Table 3 counts subjects and exams after these parts and in each split; its Table 4 is the
filter of files, the steps of part ii.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from inference.training.cohort.choosing import Choosing
from inference.training.cohort.splitting import SPLITS

#: Of the paper's Table 3; "" is what the archive holds.
Part = Literal["", "i", "ii", "iii"]

PARTS: dict[Part, str] = {
    "": "in the archive",
    "i": "after (i) invalid exams",
    "ii": "after (ii) invalid files",
    "iii": "after (iii) missing RHC values",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What is left after one step of one part."""

    step: str
    subjects: int
    exams: int
    files: int
    part: Part = ""


def exclude(
    instances: pd.DataFrame, chosen: Choosing, window_days: int
) -> tuple[list[Step], pd.DataFrame]:
    """Apply every exclusion in its order.

    `instances` has one row a file: the index's columns plus `days_apart` of its exam (NaN
    without RHC), its `companion` ("" without one) and whether it is its study's `newest`. The
    second result is the same rows with `excluded`, the reason in words, empty for those that take
    part.
    """
    rows = instances.assign(excluded="")
    steps = [_left("files in the archive", "", rows)]

    def leave_out(
        part: Part, step: str, condition: "pd.Series[bool]", reason: "pd.Series[str] | str"
    ) -> None:
        leaving = condition & (rows["excluded"] == "")
        rows.loc[leaving, "excluded"] = reason if isinstance(reason, str) else reason[leaving]
        steps.append(_left(step, part, rows))

    readable = rows["outcome"] != "unreadable"
    patients = rows.groupby("study_instance_uid")["patient_id"].transform("nunique")
    leave_out(
        "i",
        "patient, study and date known",
        readable
        & (
            (rows["patient_id"] == "")
            | (rows["study_instance_uid"] == "")
            | (rows["exam_date"] == "")
            | (patients > 1)
        ),
        "patient, study or date missing or contradictory",
    )
    leave_out("ii", "readable DICOM", ~readable, rows["reason"])
    leave_out(
        "ii",
        "each instance once",
        rows.duplicated("sop_instance_uid") & readable,
        "the same instance as another file",
    )
    for position, rule in enumerate(chosen.rules):
        passed = rows["rules_passed"] <= position
        leave_out("ii", rule.replace("_", " "), passed, rows["reason"])
    if chosen.companions:
        beside = f"{chosen.companion_noun} within {chosen.pair_days} days"
        leave_out("ii", beside, rows["companion"] == "", f"no {beside}")
        newest = f"newest {chosen.noun} of its study"
        leave_out("ii", newest, ~rows["newest"], f"not the {newest}")
    leave_out(
        "iii",
        "patient had a right heart catheterisation",
        rows["days_apart"].isna(),
        "patient without a usable catheterisation",
    )
    leave_out(
        "iii",
        f"{chosen.noun} within {window_days} days of it",
        rows["days_apart"].abs() > window_days,
        f"no catheterisation within {window_days} days",
    )
    return steps, rows


def exclusions(steps: Sequence[Step], exams: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 3: subjects and exams at the start, after each part, and by split."""
    last = {step.part: step for step in steps}
    rows = [
        {"step": title, "subjects": last[part].subjects, "exams": last[part].exams}
        for part, title in PARTS.items()
    ]
    for name in SPLITS:
        inside = exams[exams["split"] == name]
        subjects = int(inside["patient_number"].nunique())
        rows.append({"step": name, "subjects": subjects, "exams": len(inside)})
    return pd.DataFrame(rows)


def _left(step: str, part: Part, rows: pd.DataFrame) -> Step:
    left = rows[rows["excluded"] == ""]
    return Step(
        step,
        int(left.loc[left["patient_id"] != "", "patient_id"].nunique()),
        int(left.loc[left["study_instance_uid"] != "", "study_instance_uid"].nunique()),
        len(left),
        part,
    )
