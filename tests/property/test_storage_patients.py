"""One rule for who is the same patient: symmetric, and blanks never make two of one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.studies.patients import Patient, are_same

patients = st.builds(
    Patient,
    patient_id=st.sampled_from(["", "1", "2", " 1 ", "01"]),
    issuer_of_patient_id=st.sampled_from(["", "A", "B"]),
    patient_name=st.sampled_from(
        [
            "",
            "^^",
            "Doe^Jane",
            "DOE^JANE",
            "Doe",
            "Roe^Rick",
            "Yamada^Tarou=山田^太郎",
            "=山田^花子",
        ]
    )
    | st.text(max_size=12),
    patient_birth_date=st.sampled_from(["", "19500101", "1950.01.01", "19600101", "rubbish"]),
)


@given(patients, patients)
def test_the_order_does_not_matter(one: Patient, other: Patient) -> None:
    assert are_same(one, other) is are_same(other, one)


@given(patients)
def test_everybody_is_the_same_as_oneself_and_as_nobody_in_particular(one: Patient) -> None:
    assert are_same(one, one)
    assert are_same(one, Patient())


@given(patients, st.sets(st.sampled_from(["patient_id", "patient_name", "patient_birth_date"])))
def test_what_is_left_blank_makes_no_other_patient(one: Patient, blank: set[str]) -> None:
    assert are_same(one, replace(one, **dict.fromkeys(blank, "")))


@given(patients, patients)
def test_two_ids_are_two_patients(one: Patient, other: Patient) -> None:
    assert not are_same(replace(one, patient_id="1"), replace(other, patient_id="2"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Doe^Jane", "doe^jane", True),
        ("Doe^Jane", "DOE^JANE^^^", True),
        ("Doe^Jane ", "Doe ^ Jane", True),
        ("Doe^Jane", "Doe^Jane^^Dr", True),
        ("Doe^Jane", "Doe^Jane^Mary", True),
        ("Doe^Jane^Ann", "Doe^Jane^Mary", False),
        ("Doe^Jane", "Doe Jane", True),
        ("Doe^Jane", "Doe", True),
        ("Doe^Jane", "Jane^Doe", False),
        ("Doe^Jane", "Roe^Jane", False),
        ("Müller^Jürgen", "MULLER^JURGEN", True),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "YAMADA^TARO=山田^太郎", True),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^太朗", False),
        ("Yamada^Tarou", "=山田^太郎", True),  # no group that both have: nothing is known
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ", True),
        ("", "Doe^Jane", True),
    ],
)
def test_names_are_compared_as_dicom_writes_them(one: str, other: str, same: bool) -> None:
    assert are_same(Patient(patient_name=one), Patient(patient_name=other)) is same
