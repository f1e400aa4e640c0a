"""A decoder in a process of its own cannot harm the worker."""

import resource
import signal
from pathlib import Path

import pytest

from inference.dicom.pixels.isolation import run_isolated
from inference.errors import InstanceUnreadableError


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "program.py"


def test_what_it_returns_comes_back(program: Path) -> None:
    program.write_text("import sys; print(sys.argv[1], sys.stdin.read(), end='')")
    assert run_isolated(program, [7], b"given") == b"7 given"


def test_a_reason_it_gives_is_passed_on(program: Path) -> None:
    program.write_text("import sys; sys.stderr.write('only 3 frames'); sys.exit(3)")
    with pytest.raises(InstanceUnreadableError, match=r"^only 3 frames$"):
        run_isolated(program, [], b"")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "signal 6"),
        ("raise ValueError('PatientName^Secret')", "cannot be decoded"),
        ("held = bytearray(8 << 30)", "cannot be decoded"),
        ("import ctypes; ctypes.string_at(0)", "signal 11"),
    ],
    ids=["abort", "exception", "8 GiB", "crash"],
)
def test_crashes_and_bombs_are_an_unreadable_loop(code: str, reason: str, program: Path) -> None:
    program.write_text(code)
    with pytest.raises(InstanceUnreadableError, match=reason) as raised:
        run_isolated(program, [], b"")
    assert "Secret" not in str(raised.value)


def test_it_may_not_run_for_ever(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.dicom.pixels.isolation._TIMEOUT_S", 0.2)
    program.write_text("import time; time.sleep(60)")
    with pytest.raises(InstanceUnreadableError, match="too long"):
        run_isolated(program, [], b"")


def test_it_may_leave_its_input_unread(program: Path) -> None:
    program.write_text("print('done', end='')")
    assert run_isolated(program, [], bytes(1 << 20)) == b"done"


def test_it_leaves_no_core_behind(program: Path) -> None:
    program.write_text("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))")
    assert run_isolated(program, [], b"").strip() == b"(0, 0)"


def test_a_decoder_that_somebody_else_killed_says_nothing_about_the_pixels(program: Path) -> None:
    program.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(MemoryError):
        run_isolated(program, [], b"")


def test_a_decoder_that_never_ends_is_stopped_by_its_limit_of_time(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {resource.RLIMIT_CPU: 1}
    monkeypatch.setattr("inference.dicom.pixels.isolation._LIMITS", limits)
    program.write_text("while True: pass")
    with pytest.raises(InstanceUnreadableError, match=f"signal {int(signal.SIGXCPU)}"):
        run_isolated(program, [], b"")
