"""Logs hold events from an allow-list of fields, and nobody's identity."""

import json
import subprocess
import sys
from pathlib import Path

from dicom_node.logs import FIELDS

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
