"""What commands print of peers' text does nothing to a terminal and nothing to a spreadsheet."""

import csv
import io
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.cli import study_lines
from dicom_node.cli.output import print_csv, print_rows, say, text, to_json, visible
from dicom_node.work.findings_codec import encode_findings
from storage.reading.browse import ReportView
from storage.reading.study_list import StudySummary
from storage.states import Outcome, StudyState
from tests.report_cases import estimate, loops


@dataclass(frozen=True)
class Row:
    value: object


COLUMN = {"value": "value"}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("4711\n2026-11-21 forged", r"4711\n2026-11-21 forged"),
        ("a\rb\tc\0", r"a\rb\tc\x00"),
        ("\x9b31m", r"\x9b31m"),  # CSI as one character
        ("\u202etxt.exe", r"\u202etxt.exe"),  # right-to-left override
        ("\u2066isolate\u2069", r"\u2066isolate\u2069"),
        ("\u2028line", r"\u2028line"),
        ("\U000e0041tag", r"\U000e0041tag"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_does_something_to_a_terminal_is_shown_escaped(raw: str, shown: str) -> None:
    assert visible(raw) == shown
    assert text(raw) == shown


@pytest.mark.parametrize("name", ["Müller^Änne", "山田\u3000太郎", "می\u200cشود", "שלום", "a\\b"])
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert visible(name) == name


@given(st.text())
def test_no_line_holds_anything_but_what_can_be_seen(value: str) -> None:
    shown = visible(value)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert all(each.isprintable() or each in "\u200c\u200d" or each.isspace() for each in shown)


@given(st.text())
def test_json_is_exact_and_can_be_printed(value: str) -> None:
    written = to_json({"value": value})
    assert json.loads(written) == {"value": value}
    assert "\x1b" not in written
    assert "\u202e" not in written


def test_lines_and_tables_are_safe(capsys: pytest.CaptureFixture[str]) -> None:
    say("\nHeading", "  series \x1b[2Jx\ny")
    print_rows([Row("\x1b[31mred\u202e")], COLUMN, as_json=False, empty="")
    printed = capsys.readouterr().out
    assert printed.startswith("\nHeading\n  series \\x1b[2Jx\\ny\n")
    assert r"\x1b[31mred\u202e" in printed
    assert "\x1b" not in printed


def test_one_endless_value_does_not_drown_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([Row("X" * 65_000), Row("P1")], COLUMN, as_json=False, empty="")
    printed = capsys.readouterr().out
    assert printed.count("X") < 200
    assert "X..." in printed
    assert "P1" in printed
    print_rows([Row("X" * 65_000)], COLUMN, as_json=True, empty="")
    assert capsys.readouterr().out.count("X") == 65_000


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", " =", "\t=", "\r@"])
def test_no_cell_of_a_csv_is_a_formula(capsys: pytest.CaptureFixture[str], begin: str) -> None:
    print_csv([Row(f'{begin}HYPERLINK("http://x","y")')], COLUMN)
    [_, [cell]] = csv.reader(io.StringIO(capsys.readouterr().out))
    assert cell[0] in ("'", "\\")
    assert cell.endswith('HYPERLINK("http://x","y")')


def test_numbers_times_and_plain_text_of_a_csv_stay_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    print_csv([Row(-1), Row(-0.5), Row(None), Row("PAT-1"), Row(at)], COLUMN)
    cells = [row[0] if row else "" for row in csv.reader(io.StringIO(capsys.readouterr().out))]
    assert cells == ["value", "-1", "-0.5", "", "PAT-1", text(at)]


def test_study_show_prints_no_series_description_raw(capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in the findings, among lines that are ours."""
    first, *others = loops(3)
    hostile = replace(first.instance, description="\x1b[2JA4C\u202e")
    findings = replace(estimate(), evidence=(replace(first, instance=hostile), *others))
    report = ReportView(
        id=1,
        revision=1,
        pipeline="echo_haemodynamics",
        pipeline_version="1",
        bundle_digest="",
        outcome=Outcome.ESTIMATED,
        supersedes=None,
        findings_json=encode_findings(findings),
        made_at=datetime(2026, 1, 31, tzinfo=UTC),
        objects=(),
    )
    say(*study_lines._report(report, is_newest=True, verbose=False))
    printed = capsys.readouterr().out
    assert "([2JA4C)" in printed
    assert "\x1b" not in printed
    assert "\u202e" not in printed


@pytest.mark.parametrize(
    ("outcomes", "concerning"),
    [
        ({"a": Outcome.ESTIMATED, "b": Outcome.NOT_APPLICABLE}, {"a": Outcome.ESTIMATED}),
        ({"b": Outcome.NOT_APPLICABLE}, {"b": Outcome.NOT_APPLICABLE}),
        ({}, {}),
    ],
    ids=["one of two", "of none", "not concluded"],
)
def test_a_list_names_the_pipelines_whose_business_a_study_is(
    outcomes: dict[str, Outcome], concerning: dict[str, Outcome]
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    summary = StudySummary(
        study_id=1,
        study_instance_uid="1",
        patient_id="",
        patient_name="",
        accession_number="",
        study_date="",
        patient_conflict=False,
        state=StudyState.COMPLETE,
        revision=1,
        instances=1,
        opened_at=now,
        last_received_at=now,
        look_at=None,
        completed_at=now,
        outcomes=outcomes,
    )
    assert summary.concerning == concerning
