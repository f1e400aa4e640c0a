"""Exam to catheterisation: the same patient, the nearest day."""

import pandas as pd


def match(exams: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Give each exam its patient's nearest catheterisation, however far away.

    `exams` has `patient_id` and `exam_date`, `labels` has `patient_id`, `rhc_date` and values;
    dates are datetime64. The result keeps the rows of `exams` in their order, with the label
    columns and `days_apart` (exam minus RHC), all missing where the patient has no RHC. When two
    are equally near, the earlier counts.
    """
    left = exams.reset_index(drop=True).reset_index(names="position")
    left["exam_date"] = left["exam_date"].astype("datetime64[s]")
    left["patient_id"] = left["patient_id"].astype(labels["patient_id"].dtype)  # none: of no type
    right = labels.assign(rhc_date=labels["rhc_date"].astype("datetime64[s]"))
    matched = pd.merge_asof(
        left.sort_values("exam_date", kind="stable"),
        right.sort_values("rhc_date", kind="stable"),
        left_on="exam_date",
        right_on="rhc_date",
        by="patient_id",
        direction="nearest",
    )
    matched["days_apart"] = (matched["exam_date"] - matched["rhc_date"]).dt.days
    return matched.sort_values("position").drop(columns="position").reset_index(drop=True)


def other_patient_ids(instances: pd.DataFrame, labels: pd.DataFrame) -> list[str]:
    """What says that the table writes Patient IDs otherwise than the files do.

    A spreadsheet takes leading zeros away or adds ".0"; systems differ in upper and lower case.
    """
    archive, table = (set(rows["patient_id"]) - {""} for rows in (instances, labels))
    if len(archive & table) > len(table) / 2:
        return []
    plain = {_plain(patient_id) for patient_id in archive}
    alike = sum(_plain(patient_id) in plain for patient_id in table)
    if alike <= 2 * len(archive & table):
        return []
    sentence = (
        f"only {len(archive & table)} of {len(table)} patients of the labels are in the archive, "
        f"but {alike} are if leading zeros, a final '.0', case and blanks are left aside: write "
        "patient_id as DICOM's Patient ID (0010,0020) has it"
    )
    return [sentence]


def _plain(patient_id: str) -> str:
    return "".join(patient_id.split()).casefold().removesuffix(".0").lstrip("0")
