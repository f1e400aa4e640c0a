"""The shim between a process and its disk: built where a C compiler is, and put under a command."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.peers import require

_SOURCE = Path(__file__).with_name("shim.c")


def build(folder: Path) -> Path:
    """Compile the shim; without a compiler the test is skipped, and fails in CI."""
    library = folder / "shim.so"
    options = ["-O2", "-Wall", "-Werror", "-fPIC", "-shared"]
    subprocess.run(
        [require("gcc"), *options, "-o", str(library), str(_SOURCE), "-ldl", "-lpthread"],
        check=True,
    )
    return library


def under(
    library: Path, root: Path, log: Path | None = None, refuse: Path | None = None
) -> Mapping[str, str]:
    """The environment of a process whose calls below `root` are recorded in `log`.

    While the file `refuse` exists, the calls that it names fail, see `shim.c`.
    """
    mine = {"LD_PRELOAD": str(library), "FAULT_ROOT": str(root.resolve())}
    if log:
        mine["FAULT_LOG"] = str(log)
    if refuse:
        mine["FAULT_REFUSE"] = str(refuse)
    return {**os.environ, **mine}
