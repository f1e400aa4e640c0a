"""The labels table: bad rows are listed, only a useless table is an error."""

from pathlib import Path

import pytest

from inference.errors import TrainingDataError
from inference.training.cohort.labels import Labels, read_labels

HEADER = "patient_id,rhc_date,mpap_mmhg,pvr_wu,pawp_mmhg,trvmax_m_s"
GOOD = "A1,2020-03-04,35,6,10,3.4"


def read(tmp_path: Path, *rows: str, header: str = HEADER) -> Labels:
    path = tmp_path / "rhc.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_labels(path)


def test_a_good_row_is_read_with_its_values(tmp_path: Path) -> None:
    labels = read(tmp_path, "007,20200304,35,,10,")
    row = labels.table.iloc[0]
    assert (row["patient_id"], str(row["rhc_date"].date()), row["mpap_mmhg"]) == (
        "007",
        "2020-03-04",
        35,
    )
    assert row[["pvr_wu", "trvmax_m_s"]].isna().all()
    assert labels.rejected == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",2020-03-04,35,6,10,3", "no patient_id"),
        ("A,,35,6,10,3", "no rhc_date"),
        ("A,04/03/2020,35,6,10,3", "YYYY-MM-DD"),
        ("A,2020-02-30,35,6,10,3", "YYYY-MM-DD"),
        ("A,2020-03-04,,6,10,3", "no mpap_mmhg"),
        ("A,2020-03-04,400,6,10,3", "mpap_mmhg 400 is outside"),
        ("A,2020-03-04,4.7,6,,3", "kPa"),
        ("A,2020-03-04,35,480,10,3", "dyn·s/cm5"),
        ("A,2020-03-04,35,-1,10,3", "pvr_wu -1 is outside"),
        ("A,2020-03-04,35,6,36,3", "above mpap_mmhg"),
        ("A,2020-03-04,35,6,10,340", "cm/s"),
        ("A,2020-03-04,inf,6,10,3", "outside"),
        ("A,2020-03-04,high,6,10,3", "not a number"),
    ],
)
def test_a_bad_row_is_listed_by_its_number_and_the_rest_is_used(
    tmp_path: Path, row: str, message: str
) -> None:
    labels = read(tmp_path, GOOD, row)
    assert list(labels.table["patient_id"]) == ["A1"]
    assert [item.row for item in labels.rejected] == [3]
    assert message in labels.rejected[0].reason


def test_a_message_never_repeats_text_of_the_row(tmp_path: Path) -> None:
    labels = read(tmp_path, GOOD, "SECRET^NAME,SECRET^NAME,SECRET^NAME,1,1,1")
    assert "SECRET" not in labels.rejected[0].reason


def test_a_repeated_catheterisation_counts_once(tmp_path: Path) -> None:
    labels = read(tmp_path, GOOD, GOOD, "A1,2021-01-01,35,6,10,3.4")
    assert len(labels.table) == 2
    assert "repeats row 2" in labels.rejected[0].reason


def test_rows_that_contradict_each_other_are_all_left_out(tmp_path: Path) -> None:
    labels = read(tmp_path, GOOD, "A1,2020-03-04,45,6,10,3.4", "B,2020-03-04,20,1,9,2")
    assert list(labels.table["patient_id"]) == ["B"]
    assert [item.row for item in labels.rejected] == [2, 3]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("patient_id,rhc_date,pvr_wu", "missing columns: mpap_mmhg"),
        ("patient_id,rhc_date,mpap_kPa", "'mpap_kPa' must be named 'mpap_mmhg'"),
        ("patient_id,rhc_date,mpap_mmhg,pvr_dyn", "'pvr_dyn' must be named 'pvr_wu'"),
        ("patient_id;rhc_date;mpap_mmhg", "separated by ';'"),
    ],
)
def test_a_table_without_the_right_columns_is_an_error(
    tmp_path: Path, header: str, message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        read(tmp_path, header=header)


def test_a_table_without_a_usable_row_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="row 2: mpap_mmhg 400"):
        read(tmp_path, "A,2020-03-04,400,6,10,3")
    with pytest.raises(TrainingDataError, match="the table is empty"):
        read(tmp_path)


def test_a_missing_or_binary_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="cannot read"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(TrainingDataError, match="UTF-8"):
        read_labels(tmp_path / "x.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(TrainingDataError, match="header row"):
        read_labels(tmp_path / "empty.csv")
