"""The house's rules: who may import whom, and which room owns which library."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("dicom_node", "inference", "storage")

#: importer -> what it must not import.
FORBIDDEN = {
    "storage": ("inference", "dicom_node", "pydicom", "torch", "pydantic"),
    "inference": ("storage", "dicom_node", "sqlalchemy", "pynetdicom", "socket"),
}
#: library -> the only rooms that may import it.
OWNERS = {
    "pynetdicom": ("dicom_node/scp", "dicom_node/scu", "dicom_node/demo/archive.py"),
    "highdicom": ("dicom_node/report",),
    "apscheduler": ("dicom_node/study",),
    "ray": ("dicom_node/work",),
    "sqlalchemy": ("storage",),
    "alembic": ("storage",),
    "cryptography": ("dicom_node/tls",),
    "hl7": ("dicom_node/hl7",),
    "reportlab": ("dicom_node/report",),
    "click": ("dicom_node/cli",),
    "requests": ("dicom_node/dicomweb",),
    "dicomweb_client": ("dicom_node/dicomweb",),
    "pypdfium2": ("inference/ecg/page",),
}

#: The rooms of storage, each of which imports none that comes after it.
STORAGE = (
    "errors",
    "states",
    "person_names",
    "database",
    "files",
    "tables",
    "audit",
    "migrations",
    "keeping",
    "alarms",
    "clock",
    "retrieval",
    "work_items",
    "work",
    "delivery",
    "studies",
    "corrections",
    "intake",
    "reading",
)


def modules() -> list[Path]:
    return sorted(path for top in TOPS for path in (ROOT / top).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports, lazy imports included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def arrows() -> dict[str, set[str]]:
    """Which of our files each of them imports, lazily and for its types included."""
    files = {dotted(path): path for path in modules()}
    found: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                parts = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted = {part if part in files else node.module for part in parts}
            else:
                continue
            found[name] |= wanted & files.keys() - {name}
    return found


def test_no_files_import_each_other_in_a_circle() -> None:
    left = arrows()
    while free := [name for name, wanted in left.items() if not wanted & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_the_rooms_of_storage_import_one_way() -> None:
    floors = {room: floor for floor, room in enumerate(STORAGE)}
    wrong = [
        f"{name} imports {other}"
        for name, wanted in arrows().items()
        for other in wanted
        if name.startswith("storage.") and other.startswith("storage.")
        if floors[name.split(".")[1]] < floors[other.split(".")[1]]
    ]
    assert not wrong


def test_tables_are_taken_from_their_one_door() -> None:
    tools = {"storage.tables.columns", "storage.tables.upsert"}
    wrong = [
        f"{name} imports {other}"
        for name, wanted in arrows().items()
        for other in wanted
        if other.startswith("storage.tables.") and not name.startswith("storage.tables")
        if other not in tools
    ]
    assert not wrong


@pytest.mark.parametrize("top", FORBIDDEN)
def test_lower_rooms_do_not_know_upper_ones(top: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if path.relative_to(ROOT).parts[0] == top
        for name in imported(path)
        if name.split(".")[0] in FORBIDDEN[top]
    ]
    assert not wrong


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_known_in_one_room_only(library: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in imported(path)
        if name.split(".")[0] == library
        and not path.relative_to(ROOT).as_posix().startswith(OWNERS[library])
    ]
    assert not wrong


def test_nothing_but_the_entry_point_imports_a_command() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in imported(path)
        if name.startswith("dicom_node.cli")
        if not path.relative_to(ROOT).as_posix().startswith("dicom_node/cli")
        if path != ROOT / "dicom_node" / "__main__.py"
    ]
    assert not wrong


def test_imports_are_absolute() -> None:
    relative = [
        path.relative_to(ROOT)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


@pytest.mark.parametrize("room", ["dicom_node.scp", "dicom_node.delivery", "dicom_node.app"])
def test_receiving_and_sending_never_load_torch(room: str) -> None:
    code = f"import sys, {room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_no_room_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "helpers", "helper", "manager", "common", "misc"}
    assert not [
        path for path in modules() if vague & set(path.relative_to(ROOT).with_suffix("").parts)
    ]


def test_modules_stay_readable() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in modules()
        if (lines := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert not long
