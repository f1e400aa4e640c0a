"""Breaks each promise of the product on purpose, and looks whether its test notices.

`python -m tests.fault.broken` works in a copy of the tree. First every test must pass there; then,
for each break of `breaks.toml`, a line of the product is changed and its test must fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fault.figures import write

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("breaks.toml")
#: pytest's exit status where tests ran and some failed.
_FAILED = 1


@dataclass(frozen=True, slots=True)
class Break:
    """In `file`, `old` becomes `new`; `test` must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str

    def apply(self, tree: Path) -> None:
        """Break the promise in a copy of the tree."""
        file = tree / self.file
        file.write_text(file.read_text().replace(self.old, self.new))

    def mend(self, tree: Path) -> None:
        """Make it whole again."""
        shutil.copy2(ROOT / self.file, tree / self.file)


def breaks() -> list[Break]:
    """The table."""
    return [Break(**row) for row in tomllib.loads(TABLE.read_text())["break"]]


def main() -> int:
    """Try every break; 1 where one was not noticed."""
    table = breaks()
    with tempfile.TemporaryDirectory(prefix="broken-") as folder:
        tree = _copy(Path(folder) / "tree")
        if status := _pytest(tree, [item.test for item in table]):
            print(f"some tests fail before anything is broken (pytest: {status})")  # noqa: T201 - a command
            return 1
        noticed = {item.name: _is_noticed(tree, item) for item in table}
    write("broken", breaks=len(noticed), noticed=sum(noticed.values()), each=noticed)
    return 0 if all(noticed.values()) else 1


def _copy(tree: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def _is_noticed(tree: Path, item: Break) -> bool:
    item.apply(tree)
    noticed = _pytest(tree, [item.test]) == _FAILED
    item.mend(tree)
    print(f"{'noticed' if noticed else 'NOT NOTICED':12} {item.name}", flush=True)  # noqa: T201 - a command
    return noticed


def _pytest(tree: Path, tests: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
