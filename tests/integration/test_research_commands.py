"""The one documented path from an archive and a table to a bundle, by its commands."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training_cohort import make_material

RECIPE = """
name = "tiny"
architecture = "resnet10_narrow"
frame_size_px = 32
networks = [["mPAP", "PVR", "PAWP"]]
pretraining = { epochs = 1 }
device.name = "cpu"
sampling = { exams = 8, loops = 2, frames = 2 }
optimisation = { epochs = 15, learning_rate = 3e-3, schedule = "one-cycle" }
"""


def echonode(*words: object, fails: bool = False) -> str:
    command = [sys.executable, "-m", "dicom_node", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.mark.long
def test_archive_and_table_become_a_bundle_with_its_evaluation(tmp_path: Path) -> None:
    made = make_material(tmp_path / "hospital", patients=200, loops=(1, 2))
    cohort, frames, run = (tmp_path / name for name in ("cohort", "frames", "run"))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    given = ("--cohort", cohort, "--frames", frames)
    trained = ("--config", tmp_path / "recipe.toml", *given)

    built = echonode("cohort", "build", "--dicom", made.archive, "--labels", made.labels, cohort)
    assert "validation" in built
    echonode("cohort", "cache", "--size", 32, cohort, frames)
    echonode("train", "pretrain", *trained, run)
    echonode("train", "fit", *trained, run)
    echonode("evaluate", *given, "--no-probes", run, tmp_path / "report")
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "report.html",
        "report.pdf",
        "figures.json",
        "attention_loops.png",
        "model_card.html",
    }
    bundle = tmp_path / "bundle"
    echonode("bundle", "pack", *given, "--name", "ours", run, bundle)
    assert "good" in echonode("bundle", "check", bundle)
    shown = echonode("bundle", "show", bundle)
    assert "ours" in shown
    assert "PHANTOM" in shown
    assert "exists" in echonode("bundle", "pack", *given, run, bundle, fails=True)


def test_a_phantom_is_made_and_becomes_a_cohort(tmp_path: Path) -> None:
    phantom = tmp_path / "phantom"
    echonode("phantom", "make", "--exams", 6, "--size", "small", "--jobs", 1, phantom)
    built = echonode(
        *("cohort", "build", "--dicom", phantom, "--labels", phantom / "labels.csv"),
        *("--jobs", 1, tmp_path / "cohort"),
    )
    assert "rejected rows" in built


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "fit", "--config", "papre", "--cohort", "c", "--frames", "f", "r"), "papre"),
        (("cohort", "build", "--dicom", "x", "--labels", "none.csv", "o"), "none.csv"),
        (("bundle", "check", "nowhere"), "nowhere"),
        (("phantom", "make", "--preset", "simple", "o"), "simple"),
    ],
)
def test_what_cannot_be_done_is_said_clearly(words: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", "dicom_node", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode in {1, 2}
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_encoders_from_elsewhere_are_listed_and_refused_in_plain_sentences(tmp_path: Path) -> None:
    assert "panecho" in echonode("weights", "kinds")
    given = ("--licence", "MIT", "--out", tmp_path / "encoder.safetensors")
    (tmp_path / "x.pt").write_bytes(b"not weights")
    refused = echonode("weights", "import", "--as", "echoprime", *given, tmp_path / "x", fails=True)
    assert "a video encoder has no place" in refused
    assert "Traceback" not in refused
    damaged = echonode(
        "weights", "import", "--as", "panecho", *given, tmp_path / "x.pt", fails=True
    )
    assert "weights x.pt: torch cannot read it" in damaged


def test_a_table_in_another_unit_stops_the_build_until_it_was_checked(tmp_path: Path) -> None:
    made = make_material(tmp_path / "hospital", patients=12, loops=(1,))
    rows = [row.split(",") for row in made.labels.read_text().splitlines()]
    in_kpa = [rows[0], *([*row[:2], f"{float(row[2]) / 7.5:.2f}", *row[3:]] for row in rows[1:])]
    made.labels.write_text("\n".join(",".join(row) for row in in_kpa))
    build = ("cohort", "build", "--jobs", 1, "--dicom", made.archive, "--labels", made.labels)
    refused = echonode(*build, tmp_path / "cohort", fails=True)
    assert "in kPa and not in mmHg" in refused
    assert "--units-checked" in refused
    assert "no usable row" in echonode(*build, "--units-checked", tmp_path / "cohort", fails=True)
