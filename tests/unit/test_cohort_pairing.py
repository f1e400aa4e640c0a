"""A film is looked at with the ECG of the same patient that is nearest in time."""

import pandas as pd
import pytest

from inference.training.cohort.pairing import newest_of_study, paired, with_companions

STUDY = {"study_instance_uid": "1"}
FILM = {"patient_id": "A", "exam_date": "2024-03-10", "acquired_at": "20240310120000"}


def films(*rows: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"outcome": "selected", "plan": "{}", "sop_instance_uid": str(n)} | STUDY | row
            for n, row in enumerate(rows, start=1)
        ]
    )


def ecg(uid: str, acquired_at: str, patient_id: str = "A", outcome: str = "selected") -> object:
    return {
        "sop_instance_uid": uid,
        "patient_id": patient_id,
        "exam_date": f"{acquired_at[:4]}-{acquired_at[4:6]}-{acquired_at[6:8]}",
        "acquired_at": acquired_at if len(acquired_at) > 8 else "",
        "outcome": outcome,
        "path": f"{uid}.dcm",
        "plan": "{}",
    }


@pytest.mark.parametrize(
    ("ecgs", "chosen"),
    [
        ([ecg("near", "20240311120000"), ecg("far", "20240305120000")], "near"),
        ([ecg("before", "20240309120000"), ecg("after", "20240311120000")], "after"),
        ([ecg("2", "20240311120000"), ecg("1", "20240311120000")], "1"),
        ([ecg("late", "20240318130000")], ""),
        ([ecg("other", "20240310120000", patient_id="B")], ""),
        ([ecg("unusable", "20240310120000", outcome="rejected")], ""),
        ([ecg("dated only", "20240312")], "dated only"),
    ],
    ids=["nearest", "later-of-equals", "lower-uid", "too-far", "stranger", "rejected", "date"],
)
def test_the_nearest_usable_ecg_within_a_week_is_taken(ecgs: list[object], chosen: str) -> None:
    assert paired(films(FILM), pd.DataFrame(ecgs), 7) == [chosen]


def test_a_film_whose_patient_is_not_known_has_no_ecg() -> None:
    strangers = pd.DataFrame([ecg("1", "20240310120000", patient_id="")])
    assert paired(films(FILM | {"patient_id": ""}), strangers, 7) == [""]


def test_of_several_films_of_a_study_the_newest_counts() -> None:
    found = films(
        FILM,
        FILM | {"acquired_at": "20240310130000"},
        FILM | {"acquired_at": "20240310140000", "outcome": "rejected"},
        FILM | {"study_instance_uid": "2", "acquired_at": ""},
    )
    assert newest_of_study(found).tolist() == [False, True, False, True]


def test_a_film_of_a_patient_who_lies_counts_only_where_there_is_no_other() -> None:
    found = films(
        FILM | {"plan": '{"view": "PA"}'},
        FILM | {"plan": '{"view": "AP"}', "acquired_at": "20240310130000"},
        FILM | {"plan": '{"view": "AP"}', "study_instance_uid": "2"},
    )
    assert newest_of_study(found).tolist() == [True, False, True]


def test_each_film_is_followed_by_its_ecg() -> None:
    chosen = pd.DataFrame(
        [
            {
                "exam_id": exam,
                "position": 0,
                "sop_instance_uid": f"film {exam}",
                "path": "f.dcm",
                "plan": "{}",
                "companion": f"ecg {exam}",
            }
            for exam in ("E1", "E2")
        ]
    )
    ecgs = pd.DataFrame([ecg("ecg E1", "20240311120000"), ecg("ecg E2", "20240311120000")])
    rows = with_companions(chosen, ecgs)
    assert rows[["exam_id", "position", "path"]].to_numpy().tolist() == [
        ["E1", 0, "f.dcm"],
        ["E1", 1, "ecg E1.dcm"],
        ["E2", 0, "f.dcm"],
        ["E2", 1, "ecg E2.dcm"],
    ]
