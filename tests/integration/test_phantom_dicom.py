"""Phantom files as others see them: dciodvfy, DCMTK, and our own selection and decoding."""

import csv
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference.phantom import haemodynamics, make, make_study
from inference.phantom.decoys import DECOYS, DecoyKind
from inference.types import Rejected, Selected
from inference.ultrasound.loop import look
from inference.ultrasound.selection import select
from tests.peers import require

LOOPS = 2


@pytest.fixture(
    scope="module", params=[("phantom", "small"), ("phantom", "cart"), ("foreign", "small")]
)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two loops and one decoy of every kind, by each scanner."""
    scanner, size = request.param
    state = haemodynamics.expected(48)
    folder = tmp_path_factory.mktemp(f"{scanner}-{size}")
    return make_study(folder, state, seed=5, size=size, loops=LOOPS, scanner=scanner)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five exams, of which the last holds an uncompressed loop."""
    out = tmp_path_factory.mktemp("phantom") / "cohort"
    return make(out, exams=5, preset="hard", seed=3, size="small", jobs=1)


def _complaints(path: Path) -> list[str]:
    done = subprocess.run([require("dciodvfy"), path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith(("Error", "Warning"))]


def test_dciodvfy_finds_neither_error_nor_warning_in_any_kind_of_file(study: list[Path]) -> None:
    for path in study:
        assert _complaints(path) == []


def test_dciodvfy_accepts_uncompressed_loops(cohort: Path) -> None:
    for path in sorted((cohort / "exam-00005").glob("*.dcm")):
        assert _complaints(path) == []


def test_a_cohort_holds_jpeg_and_uncompressed_loops(cohort: Path) -> None:
    syntaxes = Counter(
        str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        for path in cohort.rglob("*.dcm")
    )
    assert syntaxes["1.2.840.10008.1.2.1"] == 1
    assert syntaxes["1.2.840.10008.1.2.4.50"] > 20


def test_every_loop_is_selected_and_every_decoy_rejected_for_its_reason(study: list[Path]) -> None:
    verdicts = [select(pydicom.dcmread(path, stop_before_pixels=True)) for path in study]
    assert all(isinstance(verdict, Selected) for verdict in verdicts[:LOOPS])
    for kind, verdict in zip(DecoyKind, verdicts[LOOPS:], strict=True):
        assert isinstance(verdict, Rejected), kind
        broken = [rule.rule for rule in verdict.verdicts if not rule.passed]
        assert broken[0] == DECOYS[kind].breaks, kind


def test_decoys_break_one_rule_only_where_the_tags_can_be_true_at_all(study: list[Path]) -> None:
    for kind, path in zip(DecoyKind, study[LOOPS:], strict=True):
        verdict = select(pydicom.dcmread(path, stop_before_pixels=True))
        broken = {rule.rule for rule in verdict.verdicts if not rule.passed}
        # A spectral trace shows no tissue either; without its tag there are no R waves to count.
        # A still has no frame times.
        besides = {
            DecoyKind.PW: {"data_type"},
            DecoyKind.OTHER_VENDOR: {"r_waves"},
            DecoyKind.STILL: {"clock"},
        }
        assert broken == {DECOYS[kind].breaks} | besides.get(kind, set()), kind


def test_the_truth_of_a_hard_cohort_agrees_with_the_selection(cohort: Path) -> None:
    with (cohort / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        verdict = select(pydicom.dcmread(cohort / row["file"], stop_before_pixels=True))
        assert isinstance(verdict, Selected) == (row["kind"] == "loop"), row["kind"]
        if isinstance(verdict, Selected):
            assert verdict.plan["fallback"] is False


def test_a_selected_loop_looks_like_ten_frames_of_a_beating_heart(study: list[Path]) -> None:
    selected = select(pydicom.dcmread(study[0], stop_before_pixels=True))
    assert isinstance(selected, Selected)
    loop = look(study[0], selected.plan, size=128)
    assert loop.frames.shape == (10, 128, 128)
    # Real clips of four makers have a mean of 0.04 to 0.12 in their region.
    assert 0.03 < loop.frames.mean() < 0.3
    assert np.abs(np.diff(loop.frames, axis=0)).mean() > 0.005
    assert loop.frames[:, :10, :10].max() < 0.05


def test_every_file_says_synthetic(study: list[Path]) -> None:
    for path in study:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert str(header.PatientName) == "PHANTOM^SYNTHETIC"
        assert header.PatientID.startswith("PHANTOM-")
        assert header.QualityControlSubject == "YES"
        assert "SYNTHETIC" in header.ImageComments
        assert "SYNTHETIC" in header.Manufacturer
        assert header.StudyInstanceUID.startswith("2.25.")


def test_dcmtk_decodes_a_loop_as_pydicom_does(cohort: Path, tmp_path: Path) -> None:
    path = cohort / "exam-00001" / "0001.dcm"
    raw = tmp_path / "raw.dcm"
    subprocess.run([require("dcmdjpeg"), path, raw], check=True)
    ours, theirs = pydicom.dcmread(path), pydicom.dcmread(raw)
    assert theirs.PhotometricInterpretation == "RGB"
    assert np.abs(theirs.pixel_array.astype(int) - ours.pixel_array).mean() < 1
