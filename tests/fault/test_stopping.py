"""SIGTERM at any moment around a start: a process of the node ends, and forgets nothing."""

import time
from pathlib import Path

import pytest

from tests.fault.test_kill import BUNDLE
from tests.fault.victims import Ground


@pytest.mark.parametrize("starts", [4, pytest.param(60, marks=pytest.mark.faults)])
def test_a_listener_that_has_just_started_stops(tmp_path: Path, starts: int) -> None:
    node = Ground(tmp_path / "node", 1)
    node.prepare(BUNDLE)
    for start in range(starts):
        listener = node.listening()
        time.sleep(start % 8 * 0.002)
        listener.stop()
        assert listener.process.exitcode == 0
