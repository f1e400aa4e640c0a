"""The labels table: bad rows and cells are listed, only a useless table is an error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.errors import TrainingDataError
from inference.training.cohort.labels import NUMBERS, Labels, read_labels

HEADER = "patient_id,rhc_date,mpap_mmhg,pvr_wu,pawp_mmhg,trvmax_m_s"
GOOD = "A1,2020-03-04,35,6,10,3.4"


def read(tmp_path: Path, *rows: str, header: str = HEADER, checked: bool = False) -> Labels:
    path = tmp_path / "rhc.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_labels(path, units_checked=checked)


def cohort(
    rows: int = 60,
    *,
    mpap: float = 1,
    pawp: float = 1,
    pvr: float = 1,
    trvmax: float = 1,
    decimals: int = 2,
) -> list[str]:
    """Rows like the paper's cohort, each column times a factor."""
    rng = np.random.default_rng(5)
    lines = []
    for n in range(rows):
        low = rng.uniform(6, 16)
        high = low + rng.uniform(5, 50)
        output = rng.uniform(3.5, 6.5)
        velocity = np.sqrt(max((high / 0.95 - 2) / 0.61 - 8, 4) / 4)
        cells = (high * mpap, (high - low) / output * pvr, low * pawp, velocity * trvmax)
        lines.append(f"P{n},2020-03-04," + ",".join(f"{cell:.{decimals}f}" for cell in cells))
    return lines


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
    assert labels.notes == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",2020-03-04,35,6,10,3", "no patient_id"),
        ("A,,35,6,10,3", "no rhc_date"),
        ("A,04/03/2020,35,6,10,3", "YYYY-MM-DD"),
        ("A,2020-02-30,35,6,10,3", "YYYY-MM-DD"),
        ("A,2020-03-0455,35,6,10,3", "not a date"),
        ("A,43894,35,6,10,3", "spreadsheet's day number"),
        ("A,2020-03-04,,6,10,3", "no mpap_mmhg"),
        ("A,2020-03-04,0,6,10,3", "'not measured'"),
        ("A,2020-03-04,400,6,10,3", "mpap_mmhg 400 is outside"),
        ("A,2020-03-04,4.7,6,,3", "kPa"),
        ("A,2020-03-04,35,6,36,3", "above mpap_mmhg"),
        ("A,2020-03-04,35,1,10,3", "cardiac output of 25 L/min"),
        ("A,2020-03-04,35,30,10,3", "cardiac output of 0.83 L/min"),
        ("A,2020-03-04,inf,6,10,3", "infinite"),
        ("A,2020-03-04,high,6,10,3", "not a number"),
        ("A,2020-03-04,0x10,6,10,3", "not a number"),
        ("A,2020-03-04,35,5,6,10,3", "7 cells under a header of 6"),
        ("A,1899-03-04,35,6,10,3", "before 1941"),
        ("A,2999-03-04,35,6,10,3", "in the future"),
    ],
)
def test_a_bad_row_is_listed_by_its_number_and_the_rest_is_used(
    tmp_path: Path, row: str, message: str
) -> None:
    labels = read(tmp_path, GOOD, row)
    assert list(labels.table["patient_id"]) == ["A1"]
    assert [(item.row, item.left_out) for item in labels.rejected] == [(3, "row")]
    assert message in labels.rejected[0].reason


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("A,2020-03-04,35,<1,10,3", "pvr_wu", "a limit and not a number"),
        ("A,2020-03-04,35,480,10,3", "pvr_wu", "dyn·s/cm5"),
        ("A,2020-03-04,35,-1,10,3", "pvr_wu", "-1 is outside"),
        ("A,2020-03-04,35,0,10,3", "pvr_wu", "'not measured'"),
        ("A,2020-03-04,35,6,10,0", "trvmax_m_s", "'not measured'"),
        ("A,2020-03-04,35,6,10,340", "trvmax_m_s", "cm/s"),
        ("A,2020-03-04,35,6,ten,3", "pawp_mmhg", "not a number"),
    ],
)
def test_a_bad_cell_that_the_row_can_do_without_goes_and_the_row_stays(
    tmp_path: Path, row: str, column: str, message: str
) -> None:
    labels = read(tmp_path, GOOD, row)
    kept = labels.table.set_index("patient_id").loc["A"]
    assert list(kept[list(NUMBERS)].isna()[lambda missing: missing].index) == [column]
    assert [(item.row, item.left_out) for item in labels.rejected] == [(3, "cell")]
    assert message in labels.rejected[0].reason


def test_functional_class_and_sex_are_read_as_hospitals_write_them(tmp_path: Path) -> None:
    header = "patient_id,rhc_date,mpap_mmhg,WHO_class,Sex"
    rows = ["A,2020-03-04,35,iii,f", "B,2020-03-04,35,2,Male", "C,2020-03-04,35,II-III,"]
    labels = read(tmp_path, *rows, header=header)
    assert list(labels.table["who_class"]) == ["III", "II", ""]
    assert list(labels.table["sex"]) == ["F", "M", ""]
    assert [(item.row, item.reason) for item in labels.rejected] == [
        (4, "who_class is none of I, II, III, IV")
    ]


def test_a_message_never_repeats_text_of_the_row(tmp_path: Path) -> None:
    labels = read(tmp_path, GOOD, "SECRET^NAME,SECRET^NAME,SECRET^NAME,1,1,1")
    assert "SECRET" not in labels.rejected[0].reason
    shifted = read(tmp_path, GOOD, "A,2020-03-04,87654321,1,1,1").rejected[0].reason
    assert "8765" not in shifted
    assert "8.765" not in shifted


def test_a_repeated_catheterisation_counts_once(tmp_path: Path) -> None:
    labels = read(tmp_path, GOOD, GOOD, "A1,2021-01-01,35,6,10,3.4")
    assert len(labels.table) == 2
    assert "repeats row 2" in labels.rejected[0].reason


def test_rows_that_contradict_each_other_are_all_left_out(tmp_path: Path) -> None:
    labels = read(tmp_path, GOOD, "A1,2020-03-04,45,6,10,3.4", "B,2020-03-04,20,3,9,2")
    assert list(labels.table["patient_id"]) == ["B"]
    assert [item.row for item in labels.rejected] == [2, 3]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("patient_id,rhc_date,pvr_wu", "missing columns: mpap_mmhg"),
        ("patient_id,rhc_date,mpap_kPa", "'mpap_kpa' must be named 'mpap_mmhg'"),
        ("patient_id,rhc_date,mpap_mmhg,pvr_dyn", "'pvr_dyn' must be named 'pvr_wu'"),
        ("patient_id,rhc_date,mpap_mmhg,mPAP_mmHg", "same name"),
        ("A1,2020-03-04,35", "first row names the columns"),
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
    (tmp_path / "empty.csv").touch()
    with pytest.raises(TrainingDataError, match="header row"):
        read_labels(tmp_path / "empty.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00\x01", "row 1 is not in UTF-8"),
        ("patient_id\nMÜLLER".encode("latin-1"), "row 2 is not in UTF-8.*CSV UTF-8"),
        (b"PK\x03\x04\x14\x00", "a workbook and not a CSV.*CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook"),
        (b"patient_id\0", "NUL"),
        (b'patient_id,rhc_date,mpap_mmhg\n"A,2020-03-04,35\n', "quotation mark"),
    ],
)
def test_another_kind_of_file_is_an_error_that_says_how_to_export(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "rhc.csv").write_bytes(content)
    with pytest.raises(TrainingDataError, match=message):
        read_labels(tmp_path / "rhc.csv")


def test_trailing_commas_blank_lines_and_windows_line_ends_shift_nothing(tmp_path: Path) -> None:
    (tmp_path / "rhc.csv").write_bytes(
        b"\xef\xbb\xbfpatient_id,rhc_date,mpap_mmhg,pvr_wu,\r\n"
        b"A,2020-03-04,35,6,\r\n\r\nB,2020-03-04,36,,,\r\nC,2020-03-04,37\r\nD,2020-03-04,400,\r\n"
    )
    labels = read_labels(tmp_path / "rhc.csv")
    assert list(labels.table["patient_id"]) == ["A", "B", "C"]
    assert list(labels.table["mpap_mmhg"]) == [35, 36, 37]
    assert [item.row for item in labels.rejected] == [6], "as a spreadsheet counts"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_separate_too_and_then_a_comma_is_a_decimal_one(
    tmp_path: Path, separator: str
) -> None:
    rows = ["A,2020-03-04,35|5,6|25,10,3|4", "B,2020-03-04,1|234,6,10,3"]
    labels = read(
        tmp_path,
        *[row.replace(",", separator).replace("|", ",") for row in rows],
        header=HEADER.replace(",", separator),
    )
    assert list(labels.table[["mpap_mmhg", "pvr_wu"]].iloc[0]) == [35.5, 6.25]
    assert [item.row for item in labels.rejected] == [3], "thousands or decimals: ambiguous"
    assert "35.5" in labels.notes[0]


@pytest.mark.parametrize(
    ("dates", "read_as"),
    [
        (("25/03/2020", "04/03/2020"), ("2020-03-25", "2020-03-04")),
        (("03/25/2020", "04/03/2020"), ("2020-03-25", "2020-04-03")),
        (("25.3.2020", "4.3.2020"), ("2020-03-25", "2020-03-04")),
    ],
)
def test_dates_in_another_order_are_read_where_the_column_shows_it(
    tmp_path: Path, dates: tuple[str, str], read_as: tuple[str, str]
) -> None:
    labels = read(tmp_path, *[f"P{n},{day},35,6,10,3" for n, day in enumerate(dates)])
    assert tuple(labels.table["rhc_date"].dt.strftime("%Y-%m-%d")) == read_as
    assert "first, as the column shows" in labels.notes[0]


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (("2020-03-04", "04/03/2020"), "it may be either"),
        (("25/03/2020", "03/25/2020", "2020-03-04"), "both orders"),
    ],
)
def test_an_ambiguous_date_is_said_to_be_so(
    tmp_path: Path, dates: tuple[str, ...], message: str
) -> None:
    labels = read(tmp_path, *[f"P{n},{day},35,6,10,3" for n, day in enumerate(dates)])
    assert list(labels.table["rhc_date"].dt.strftime("%Y-%m-%d")) == ["2020-03-04"]
    assert all(message in item.reason for item in labels.rejected)


KPA, CMH2O = 1 / 7.5, 1.36


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"mpap": KPA, "pawp": KPA}, "mpap_mmhg.*kPa.*pawp_mmhg.*kPa"),
        ({"pawp": KPA}, "pawp_mmhg.*kPa"),
        ({"mpap": CMH2O, "pawp": CMH2O}, "cmH2O"),
        ({"pvr": 80}, "dyn·s/cm5"),
        ({"pvr": 5}, "cardiac output of 1 L/min"),
        ({"trvmax": 100}, "cm/s"),
    ],
)
def test_a_column_in_another_unit_is_known_by_its_values_as_a_whole(
    tmp_path: Path, factors: dict[str, float], message: str
) -> None:
    assert len(read(tmp_path, *cohort()).table) == 60
    with pytest.raises(TrainingDataError, match=message):
        read(tmp_path, *cohort(**factors))  # type: ignore[arg-type]


def test_cmh2o_is_known_from_the_cardiac_output_or_from_trvmax_alone(tmp_path: Path) -> None:
    rows = [row.split(",") for row in cohort(mpap=CMH2O, pawp=CMH2O)]
    with pytest.raises(TrainingDataError, match="cmH2O"):
        read(tmp_path, *[",".join([*row[:3], "", *row[4:]]) for row in rows])
    with pytest.raises(TrainingDataError, match="cmH2O"):
        read(tmp_path, *[",".join([*row[:5], ""]) for row in rows])


def test_many_implausible_rows_stop_the_build_unless_the_units_were_checked(
    tmp_path: Path,
) -> None:
    rows = cohort()
    few = [*rows[:56], *[row.replace(",2020-03-04,", ",2020-03-04,3") for row in rows[56:]]]
    assert len(read(tmp_path, *few).table) == 56, "slips are listed"
    exchanged = [f"P{n},2020-03-04,10,5,35,3" for n in range(7)]
    many = [*rows[7:], *exchanged]
    with pytest.raises(TrainingDataError, match=r"7 of 60 rows.*exchanged.*--units-checked"):
        read(tmp_path, *many)
    assert len(read(tmp_path, *many, checked=True).table) == 53


CELL = st.one_of(
    st.sampled_from(["", "35", "2020-03-04", "1e999", "nan", '"', "<1", "04/03/2020", "٣٥", "=1"]),
    st.text(max_size=8),
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.lists(CELL, max_size=8), max_size=8).map(
            lambda rows: "\n".join([HEADER, *map(",".join, rows)]).encode()
        ),
        st.lists(st.binary(max_size=12), max_size=8).map(
            lambda cells: HEADER.encode() + b"\n" + b",".join(cells)
        ),
    )
)
def test_any_bytes_give_labels_or_an_error_that_names_them(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rhc.csv"
    path.write_bytes(content)
    try:
        labels = read_labels(path)
    except TrainingDataError as error:
        assert str(error).startswith("labels: ")
        return
    for name, plausible in NUMBERS.items():
        assert labels.table[name].dropna().map(plausible.holds).all()
    assert labels.table["patient_id"].str.len().min() > 0
