"""What `train phantom --series` prints and how it ends."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.cli.training import phantom_run
from inference.training import acceptance as made
from inference.training.acceptance import Acceptance
from inference.training.criteria import Criterion


def result(seed: int, training: float, pcc: float) -> Acceptance:
    return Acceptance(
        seed=seed,
        exams={"train": round(716 * training), "validation": 107, "test": 100},
        criteria=(Criterion("mPAP PCC", pcc, low=0.8, interval=(pcc - 0.05, pcc + 0.05)),),
        oracle={},
        seconds={"training": 200.0},
        digest="",
        bundle=Path(),
        report=Path(),
    )


@pytest.mark.parametrize(("missing", "status"), [(0, 0), (1, 0), (2, 1)])
def test_a_series_may_miss_in_one_run_of_five(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: int, status: int
) -> None:
    folders = []

    def run(folder: Path, *, training: float, seed: int, **_: object) -> Acceptance:
        folders.append(folder.name)
        return result(seed, training, 0.7 if seed <= missing else 0.9)

    monkeypatch.setattr(made, "acceptance", run)
    shown = CliRunner().invoke(phantom_run, ["--series", str(tmp_path)])
    assert shown.exit_code == status
    assert folders == [f"seed-{seed}" for seed in range(1, 6)]
    table = shown.output[shown.output.rindex("\n", 0, shown.output.index("training exams")) :]
    cells = {line.split("  ")[0].strip(): line.split()[-5:] for line in table.splitlines() if line}
    assert cells["training exams"] == ["465", "150", "150", "200", "301"]
    assert cells["mPAP PCC"] == ["0.70*"] * missing + ["0.90"] * (5 - missing)
    assert cells["seconds"] == ["200"] * 5
    assert f"{5 - missing} of 5 runs meet every criterion" in table
