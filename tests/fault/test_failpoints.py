"""The steps at which processes die are steps of the product as it is now."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fault.failpoints import STEPS, arm, resolve

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_is_there(name: str) -> None:
    assert callable(resolve(STEPS[name].target)[2])


def test_a_step_that_is_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = STEPS["receive.renamed"]._replace(target="storage.files.spool:Spool.gone")
    monkeypatch.setitem(STEPS, "receive.renamed", gone)
    with pytest.raises(AttributeError):
        arm("receive.renamed")
    with pytest.raises(KeyError):
        arm("receive.nowhere")


def test_the_command_dies_where_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("")
    command = [sys.executable, "-m", "tests.fault.failpoints"]
    upgrade = ["--", "db", "upgrade", "--config", str(tmp_path / "node.toml")]
    killed = subprocess.run(
        [*command, "--at", "migrate.table:2", *upgrade], cwd=CHECKOUT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    subprocess.run([*command, *upgrade], cwd=CHECKOUT, check=True)
