"""`make demo`, as a newcomer sees it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dicom_node.demo.cast import BUNDLES
from inference.bundle.loading import read_manifest

pytestmark = pytest.mark.long

KINDS = ("echo", "ECG", "film-and-ECG")


@pytest.mark.parametrize("options", [(), ("--bundled-pacs",)], ids=["found pacs", "bundled pacs"])
def test_the_demonstration_ends_with_reports_on_the_right_sides(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "dicom_node", "demo", "--folder", str(tmp_path / "demo")]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    *low, high_echo, high_ecg, high_film, real = done.stdout.split("report in the PACS")[1:]
    assert all("PHANTOM - NOT FOR PATIENTS" in part for part in (*low, high_echo, high_ecg, real))
    low_echo, low_ecg, low_film = low
    assert mpap_mmhg(low_echo) < 20 < mpap_mmhg(high_echo)
    assert mpap_mmhg(low_film) < mpap_mmhg(high_film)
    assert "Pulmonary hypertension: absent" in low_ecg
    assert "Pulmonary hypertension: present" in high_ecg
    known = {"SR.dcm", "SC.dcm", "KOS.dcm", "picture.png"}
    for study in (f"{side}-pressure-{kind}" for side in ("low", "high") for kind in KINDS):
        assert saved(tmp_path, study) == known
    # A bundle that knows what its phantoms look like makes no estimate of a real heart.
    is_foreign = read_manifest(BUNDLES["echo_haemodynamics"]).familiarity is not None
    assert ("No estimate was made: the only loop is unlike anything" in real) is is_foreign
    assert saved(tmp_path, "real-clip") == (known - {"KOS.dcm"} if is_foreign else known)


def test_the_demonstration_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    command = [sys.executable, "-m", "dicom_node", "demo", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "name another folder" in done.stderr


def saved(folder: Path, study: str) -> set[str]:
    return {path.name for path in (folder / "demo" / "reports" / study).iterdir()}


def mpap_mmhg(text: str) -> float:
    found = re.search(r"mPAP +([\d.]+) mmHg", text)
    assert found, text
    return float(found[1])
