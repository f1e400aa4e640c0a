"""Logs hold events from an allow-list of fields, and nobody's identity."""

import json
import subprocess
import sys
from pathlib import Path

import structlog

from dicom_node.logs import FIELDS
from dicom_node.outages import OncePerMinute

ROOT = Path(__file__).resolve().parents[2]
SECRET = "Musterfrau^Marked"


def logged(code: str) -> list[dict[str, object]]:
    """Run code in a process of its own and read the lines it logs."""
    imports = "import logging, structlog, warnings\nfrom dicom_node import logs\n"
    program = f"{imports}logs.configure('debug')\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_field_outside_the_list_is_dropped() -> None:
    (line,) = logged(f"structlog.get_logger().info('stored', count=2, patient_name={SECRET!r})")
    assert line["event"] == "stored"
    assert line["count"] == 2
    assert SECRET not in json.dumps(line)
    assert set(line) <= FIELDS


def test_an_exception_is_told_by_type_and_place_not_by_its_words() -> None:
    (line,) = logged(
        f"try:\n    raise ValueError({SECRET!r})\nexcept ValueError:\n"
        "    structlog.get_logger().error('failed', exc_info=True)"
    )
    assert line["error"] == "ValueError"
    assert line["where"]
    assert SECRET not in json.dumps(line)


def test_an_error_of_ours_keeps_its_words() -> None:
    (line,) = logged(
        "from dicom_node.errors import SettingsError\n"
        "structlog.get_logger().error('failed', exc_info=SettingsError('port taken'))"
    )
    assert line["reason"] == "port taken"


def test_libraries_and_warnings_keep_their_words_to_themselves() -> None:
    lines = logged(
        f"logging.getLogger('pydicom').warning('bad value %s', {SECRET!r})\n"
        f"warnings.warn({SECRET!r})\n"
        f"logging.getLogger('apscheduler').warning('tick missed')"
    )
    assert [line.get("library") for line in lines] == ["pydicom", "py.warnings", "apscheduler"]
    assert SECRET not in json.dumps(lines)
    assert lines[2]["event"] == "tick missed"


def test_no_field_of_the_list_names_an_identity() -> None:
    assert not {field for field in FIELDS if "patient" in field or field.endswith("_uid")}


AWAY = (
    "from storage.errors import DatabaseUnavailableError\n"
    "log = structlog.get_logger()\n"
    "away = DatabaseUnavailableError('connection refused\\n\\tIs the server running?')\n"
)


def test_a_database_that_is_away_is_one_line_with_the_reason() -> None:
    lines = logged(
        AWAY + "for _ in range(500):\n"
        "    log.warning('delivery waits', destination='pacs', code='DatabaseUnavailableError')\n"
        "    log.warning('clock tick failed', exc_info=away)\n"
        "    log.error('instance not stored', peer='cart', exc_info=away)\n"
        "log.info('stored', count=1)\n"
    )
    assert [line["event"] for line in lines] == ["database unavailable", "stored"]
    assert lines[0]["reason"] == "connection refused Is the server running?"
    assert lines[0]["level"] == "warning"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


def told(away: OncePerMinute, **fields: object) -> dict[str, object] | None:
    """The line that is written where a loop says that the database is away."""
    line = {"event": "x", "level": "warning", "error": "DatabaseUnavailableError", **fields}
    try:
        return dict(away(None, "warning", line))
    except structlog.DropEvent:
        return None


def test_an_outage_is_told_once_a_minute_with_the_number_of_lines() -> None:
    clock = Clock()
    away = OncePerMinute(clock)
    counts = []
    for clock.at_s in range(180):
        if line := told(away, reason="refused"):
            counts.append(line["count"])
    assert counts == [1, 60, 60]


def test_a_line_without_the_reason_waits_for_one_that_has_it() -> None:
    clock = Clock()
    away = OncePerMinute(clock)
    assert told(away) is None
    clock.at_s = 5
    line = told(away, reason="refused")
    assert line == {
        "event": "database unavailable",
        "level": "warning",
        "reason": "refused",
        "count": 2,
    }


def test_an_outage_without_any_reason_is_told_nevertheless() -> None:
    clock = Clock()
    away = OncePerMinute(clock)
    lines = []
    for clock.at_s in range(15):
        lines.append(told(away))
    assert [line["count"] for line in lines if line] == [11]


def test_what_has_nothing_to_do_with_the_database_passes() -> None:
    away = OncePerMinute(Clock())
    for _ in range(3):
        assert told(away, error="ValueError") is not None
