"""Owners: telling a dead process from a slow one."""

import os
import subprocess
import sys

from storage.database.owner import is_dead, this_process


def test_this_process_is_not_dead() -> None:
    assert not is_dead(this_process())


def test_a_process_that_ended_is_dead() -> None:
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "from storage.database.owner import this_process; print(this_process())",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert is_dead(child.stdout.strip())


def test_a_process_that_nobody_has_reaped_is_dead() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from storage.database import owner; print(owner.this_process(), flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        owner = child.stdout.readline().strip()
        assert not is_dead(owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(owner)


def test_another_process_under_the_same_number_does_not_hide_a_death() -> None:
    host, pid, started = this_process().rsplit(":", 2)
    assert is_dead(f"{host}:{pid}:{started}0")


def test_of_another_host_nobody_knows() -> None:
    assert not is_dead("another-host:1:boot.1")
