"""Two kinds of instances of one patient that are looked at together, such as a film and its ECG."""

import json
from collections.abc import Iterator

import pandas as pd


def paired(instances: pd.DataFrame, companions: pd.DataFrame, days: int) -> list[str]:
    """The SOP Instance UID of each instance's companion, "" where it has none.

    It is the selected one of the same patient that was acquired nearest in time, at most `days`
    before or after; of two equally near ones the later, then the one with the lower UID.
    """
    usable = companions[companions["outcome"] == "selected"]
    usable = usable.assign(at=_when(usable)).dropna(subset="at")
    of_patient = {str(patient): rows for patient, rows in usable.groupby("patient_id")}
    return list(_nearest(instances, of_patient, pd.Timedelta(days=days)))


def newest_of_study(instances: pd.DataFrame) -> "pd.Series[bool]":
    """Which of the selected instances was acquired last in its study; of equals the lower UID.

    AP films come after all others.
    """
    selected = instances[instances["outcome"] == "selected"]
    lying = [json.loads(plan).get("view") == "AP" for plan in selected["plan"]]
    order = selected.assign(at=_when(selected), lying=lying).sort_values(
        ["lying", "at", "sop_instance_uid"],
        ascending=[True, False, True],
        na_position="last",
        kind="stable",
    )
    newest = order.drop_duplicates("study_instance_uid").index
    return pd.Series(instances.index.isin(newest), index=instances.index)


def with_companions(loops: pd.DataFrame, companions: pd.DataFrame) -> pd.DataFrame:
    """The chosen instances of exams, each followed by its companion, where it has one."""
    beside = loops[loops["companion"] != ""]
    if beside.empty:
        return loops
    found = companions.drop_duplicates("sop_instance_uid").set_index("sop_instance_uid")
    rows = beside.assign(
        position=beside["position"] + 1,
        sop_instance_uid=beside["companion"],
        path=beside["companion"].map(found["path"]),
        plan=beside["companion"].map(found["plan"]),
    )
    return pd.concat([loops, rows]).sort_values(["exam_id", "position"]).reset_index(drop=True)


def _when(instances: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """When each was acquired; where it does not say, its exam's date."""
    stated = pd.to_datetime(instances["acquired_at"], format="%Y%m%d%H%M%S", errors="coerce")
    return stated.fillna(pd.to_datetime(instances["exam_date"], errors="coerce"))


def _nearest(
    instances: pd.DataFrame, of_patient: dict[str, pd.DataFrame], reach: pd.Timedelta
) -> Iterator[str]:
    for patient_id, at in zip(instances["patient_id"], _when(instances), strict=True):
        near = of_patient.get(patient_id) if patient_id else None
        if near is None or pd.isna(at):
            yield ""
            continue
        apart = (near["at"] - at).abs()
        ranked = near.assign(apart=apart)[apart <= reach].sort_values(
            ["apart", "at", "sop_instance_uid"], ascending=[True, False, True]
        )
        yield "" if ranked.empty else str(ranked["sop_instance_uid"].iloc[0])
