"""The node knows SOP classes, days and words; what they mean, a pipeline knows alone."""

import re
from collections.abc import Iterator
from pathlib import Path

from inference.registry import _registered

ROOT = Path(__file__).resolve().parents[2]
#: Names of pipelines, and the words of the one that looks at hearts.
NAMES = ("echo_haemodynamics", "newborn_ph", "cmr_findings", "cxr_ecg", "ecg_ph")
MEDICINE = re.compile(
    r"\b(haemodynamics?|haemodynamic|mpap|pvr|pawp|transthoracic|catheter\w*|echocardiogra\w*"
    r"|heart|a4c|b-mode|cine|pulmonary|wedge|ventricle|newborn|electrocardio\w*)\b",
    re.IGNORECASE,
)
LOOP = re.compile(r"\bloops?\b", re.IGNORECASE)
#: Where a loop is one of a program.
THREADS = {
    "dicom_node/service.py",
    "dicom_node/outages.py",
    "dicom_node/delivery/climber.py",
    "dicom_node/delivery/ladder.py",
    "dicom_node/delivery/commitment_reports.py",
    "dicom_node/delivery/destination_queue.py",
    "dicom_node/audit_messages/forwarder.py",
    "dicom_node/work_items/performer.py",
}
#: The default pipeline and its own keys.
SETTINGS = re.compile(r"dicom_node/settings(/.*)?\.py")
#: The demonstration, and the commands for research on the pipelines that come with the node.
OURS = re.compile(r"dicom_node/(demo/.*|cli/(cohort|evaluating|training|phantom|weights)\.py)")


def lines() -> Iterator[tuple[str, str]]:
    """Where, and what, for each line that must know no medicine."""
    for top in ("dicom_node", "storage"):
        for path in sorted((ROOT / top).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if not OURS.fullmatch(where):
                for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                    yield f"{where}:{number}", line


def found(pattern: re.Pattern[str], but: re.Pattern[str]) -> list[str]:
    return [
        f"{where} {line.strip()}"
        for where, line in lines()
        if pattern.search(line) and not but.fullmatch(where.rpartition(":")[0])
    ]


def test_no_pipeline_is_named() -> None:
    installed = {entry.name for entry in _registered()}
    assert not found(re.compile("|".join({*NAMES, *installed})), SETTINGS)


def test_no_word_of_a_speciality_is_known() -> None:
    assert not found(MEDICINE, SETTINGS)


def test_inputs_are_no_loops() -> None:
    threads = re.compile("|".join(map(re.escape, THREADS)))
    but = re.compile(f"{threads.pattern}|{SETTINGS.pattern}")
    assert not found(LOOP, but)
