"""What `echonode doctor` says where the settings themselves are wrong."""

from pathlib import Path

from click.testing import CliRunner

from dicom_node.cli import cli

WRONG = """
[[peer]]
name = "cart-1"
ae_title = "CART"
networks = ["10.1.2.3/24"]
colour = "red"
"""


def test_each_problem_of_the_settings_has_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(WRONG)
    done = CliRunner().invoke(cli, ["doctor", "--config", str(file)])
    assert done.exit_code == 1
    heading, *problems = done.output.splitlines()
    assert heading.endswith("2 problem(s)")
    assert len(problems) == 2
    assert all(line.startswith("BAD   settings") for line in problems)
    assert r"\n" not in done.output


def test_a_pipeline_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    """Its worker ends before it works, whatever else its settings name."""
    file = tmp_path / "node.toml"
    file.write_text('[[pipeline]]\nname = "echo_haemodynamic"\nbundle = "bundle"\n')
    done = CliRunner().invoke(cli, ["doctor", "--config", str(file)])
    [line] = [line for line in done.output.splitlines() if "bundle of" in line]
    assert line.startswith("BAD")
    assert "correct its [[pipeline]] name; known: cxr_ecg, ecg_ph, echo_haemodynamics" in line
