"""Packages with pipelines, as an administrator would install them: files on the path."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from inference import registry


def write(folder: Path, package: str, pipelines: Mapping[str, str], **modules: str) -> None:
    """Install a package: its pipelines by name, as "module:attribute", and its modules' source."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in pipelines.items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines, ""]))
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """What is installed in a folder is found, in this process."""
    before = set(sys.modules)
    sys.path.append(str(folder))
    forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        forget()


def forget() -> None:
    """Look again at what is installed."""
    registry._registered.cache_clear()
    registry._found.cache_clear()
