"""The one documented path from an archive and a table to a bundle, by its commands."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_node.cli import main
from tests.training_cohort import make_material

#: Status and what is printed, on both streams.
Run = Callable[..., tuple[int, str]]
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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, where its libraries are imported only once."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["echonode", *map(str, words)])
        status: int | str | None = 0
        try:
            main()
        except SystemExit as ended:
            status = ended.code
        told = capsys.readouterr()
        assert isinstance(status, int)
        return status, told.out + told.err

    return run


def echonode(*words: object) -> str:
    command = [sys.executable, "-m", "dicom_node", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_archive_and_table_become_a_bundle_with_its_evaluation(tmp_path: Path, here: Run) -> None:
    made = make_material(tmp_path / "hospital", patients=140, loops=(1, 2))
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
    status, checked = here("bundle", "check", bundle)
    assert (status, "good" in checked) == (0, True)
    _, shown = here("bundle", "show", bundle)
    assert "ours" in shown
    assert "PHANTOM" in shown
    status, refused = here("bundle", "pack", *given, run, bundle)
    assert status != 0
    assert "exists" in refused


def test_a_phantom_is_made_and_becomes_a_cohort(tmp_path: Path, here: Run) -> None:
    phantom = tmp_path / "phantom"
    made = here("phantom", "make", "--exams", 6, "--size", "small", "--jobs", 1, phantom)
    assert made[0] == 0, made
    status, built = here(
        *("cohort", "build", "--dicom", phantom, "--labels", phantom / "labels.csv"),
        *("--jobs", 1, tmp_path / "cohort"),
    )
    assert status == 0, built
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
def test_what_cannot_be_done_is_said_clearly(words: tuple[str, ...], says: str, here: Run) -> None:
    status, told = here(*words)
    assert status in {1, 2}
    assert says in told


def test_encoders_from_elsewhere_are_listed_and_refused_in_plain_sentences(
    tmp_path: Path, here: Run
) -> None:
    assert "panecho" in here("weights", "kinds")[1]
    given = ("--licence", "MIT", "--out", tmp_path / "encoder.safetensors")
    (tmp_path / "x.pt").write_bytes(b"not weights")
    status, refused = here("weights", "import", "--as", "echoprime", *given, tmp_path / "x")
    assert status == 1
    assert "a video encoder has no place" in refused
    status, damaged = here("weights", "import", "--as", "panecho", *given, tmp_path / "x.pt")
    assert status == 1
    assert "weights x.pt: torch cannot read it" in damaged


def test_a_table_in_another_unit_stops_the_build_until_it_was_checked(
    tmp_path: Path, here: Run
) -> None:
    made = make_material(tmp_path / "hospital", patients=12, loops=(1,))
    rows = [row.split(",") for row in made.labels.read_text().splitlines()]
    in_kpa = [rows[0], *([*row[:2], f"{float(row[2]) / 7.5:.2f}", *row[3:]] for row in rows[1:])]
    made.labels.write_text("\n".join(",".join(row) for row in in_kpa))
    build = ("cohort", "build", "--jobs", 1, "--dicom", made.archive, "--labels", made.labels)
    status, refused = here(*build, tmp_path / "cohort")
    assert status == 1
    assert "in kPa and not in mmHg" in refused
    assert "--units-checked" in refused
    status, refused = here(*build, "--units-checked", tmp_path / "cohort")
    assert status == 1
    assert "no usable row" in refused
