"""Decoders in a process of their own: what a damaged or hostile frame does to them stays there."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from inference.errors import InstanceUnreadableError

#: The exit status of a program that read the pixels well and refuses them: its last line says why.
REFUSED = 3

_LIMITS = {
    resource.RLIMIT_AS: 2 * 2**30,
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_CORE: 0,  # a core would hold a patient's pictures
}
_TIMEOUT_S = 180
_GRACE_S = 5
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run_isolated(
    program: Path, arguments: Sequence[object], given: bytes, pass_fds: Sequence[int] = ()
) -> bytes:
    """Run a Python program within 2 GiB of memory and a minute of processor time: what it returns.

    `given` is its standard input. The program imports nothing of ours.

    Raises:
        InstanceUnreadableError: it refused the pixels, failed, crashed, or needed more.
        MemoryError: it was killed from outside, as by a machine short of memory.
    """
    with subprocess.Popen(  # noqa: S603 - our own program, its arguments are numbers
        [sys.executable, "-I", str(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        env=os.environ | _ONE_THREAD,
    ) as child:
        try:
            _confine(child.pid)
            output, said = child.communicate(given, _TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise InstanceUnreadableError("the pixels take too long to decode") from error
        finally:
            child.kill()
    if child.returncode == REFUSED:
        raise InstanceUnreadableError(said.decode("ascii", "replace").strip())
    if child.returncode == -signal.SIGKILL:
        # No decoder does that to itself, and the limits end it by other signals first.
        raise MemoryError("the decoder was killed, probably because memory ran out")
    if child.returncode < 0:
        raise InstanceUnreadableError(
            f"the decoder of the pixels ended by signal {-child.returncode}"
        )
    if child.returncode > 0:
        raise InstanceUnreadableError("the pixels cannot be decoded")
    return output


def _confine(pid: int) -> None:
    for limit, most in _LIMITS.items():
        _, allowed = resource.prlimit(pid, limit)
        if allowed == resource.RLIM_INFINITY or allowed > most:
            # SIGXCPU comes at the softer limit of time, and SIGKILL only at the harder one.
            hard = most + _GRACE_S if limit == resource.RLIMIT_CPU else most
            resource.prlimit(pid, limit, (most, min(hard, allowed) if allowed > 0 else hard))
