"""pynetdicom's private names: all that we use are listed, and are as they were when tried."""

import ast
import inspect
import textwrap
import zlib
from importlib.metadata import version
from pathlib import Path

import pytest
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node.scp.upper_layer.private_names import MEMBERS

ROOT = Path(__file__).resolve().parents[2]
ROOM = ROOT / "dicom_node/scp/upper_layer"
#: Version -> what its private methods were when our upper layer was tried with it, by CRC-32.
TRIED = {
    "3.0.4": {
        "Association._abort_blocking": 999_813_399,
        "Association._run_reactor": 526_276_696,
        "Association._serve_request": 1_204_997_015,
        "DULServiceProvider._decode_pdu": 804_619_798,
        "DULServiceProvider._is_transport_event": 1_480_144_475,
        "DULServiceProvider._process_recv_primitive": 1_476_670_808,
        "DULServiceProvider._read_pdu_data": 2_096_832_430,
        "AssociationSocket._shutdown_socket": 3_073_496_498,
        "RequestHandler._create_association": 2_283_754_682,
    }
}


def assigned(of: type) -> set[str]:
    """The private names that a class has, methods and what it gives its instances."""
    names = {name for name in vars(of) if not name.startswith("__")}
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(of)))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {name for name in names if name.startswith("_")}


def used(path: Path) -> set[str]:
    """The private names that a file uses of any object, or defines."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def of_others(path: Path) -> set[str]:
    """The private names that a file uses of an object that is not its own."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }


def imported_privately(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pynetdicom"):
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found += [name for name in names if "._" in name]
    return found


def methods() -> dict[str, int]:
    found = {}
    for of, names in MEMBERS.items():
        for name in sorted(names):
            if inspect.isfunction(member := vars(of).get(name)):
                source = inspect.getsource(member).encode()
                found[f"{of.__name__}.{name}"] = zlib.crc32(source)
    return found


def test_the_installed_version_was_tried() -> None:
    """A new version: read what changed in these methods, run the whole suite, add it to TRIED."""
    assert methods() == TRIED[version("pynetdicom")]


@pytest.mark.parametrize("of", MEMBERS)
def test_what_is_listed_exists(of: type) -> None:
    assert not MEMBERS[of] - assigned(of)


def test_what_the_upper_layer_uses_is_listed() -> None:
    bases = {*MEMBERS, DIMSEServiceProvider, ThreadedAssociationServer}
    theirs = set[str]().union(*(assigned(of) for of in bases))
    listed = set[str]().union(*MEMBERS.values())
    ours = set[str]().union(*(used(path) for path in ROOM.glob("*.py")))
    assert ours & theirs == listed


def test_nothing_outside_the_upper_layer_uses_a_private_name() -> None:
    listed = set[str]().union(*MEMBERS.values())
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "dicom_node").rglob("*.py")
        if path != ROOM / "private_names.py" and "pynetdicom" in path.read_text("utf-8")
        for name in imported_privately(path) + sorted(of_others(path) & listed)
        if path.parent != ROOM or "." in name
    ]
    assert not wrong
