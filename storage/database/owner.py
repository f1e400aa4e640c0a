"""Who holds a claim: a process, named so that its death can be told from its slowness.

A process id alone is reused; with the boot and the clock tick it was started at, it is not.
"""

import os
import socket
from functools import cache
from pathlib import Path


def this_process() -> str:
    """Name this process as `host:pid:starttime`."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def is_dead(owner: str) -> bool:
    """Whether a process of this host has ended; False for another host, which we cannot see."""
    host, pid, started = owner.rsplit(":", 2)
    return host == socket.gethostname() and _started(int(pid)) != started


def _started(pid: int) -> str | None:
    """Boot and clock tick at which a live process was started (field 22 of /proc/pid/stat)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command, in parentheses, may itself hold blanks and parentheses.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot_id()[:8]}.{fields[18]}"


@cache
def boot_id() -> str:
    """Name the present run of this machine: its next start gives another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
