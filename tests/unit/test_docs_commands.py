"""Every command in the documents, and in the program's own messages, can be typed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, Page, command_lines, fault_of, operators_pages

#: Programs of others that the pages use, beside ours.
OTHERS = {"createdb", "mv", "sqlite3", "useradd"}


@pytest.mark.parametrize("page", operators_pages(), ids=lambda page: page.name)
def test_each_command_of_a_page_exists_with_its_options(page: Page) -> None:
    faults = [fault for words in command_lines(page) if (fault := fault_of_line(words))]
    spans = [span.split() for span in page.spans if span.split()[0] == "echonode"]
    faults += [fault for words in spans if (fault := fault_of(words[1:], whole=False))]
    assert not faults


def fault_of_line(words: list[str]) -> str:
    """What is wrong with one line of a shell; empty: nothing."""
    if words[0] == "sudo":
        words = words[3:] if words[1] == "-u" else words[1:]
    if words[0] == "torchrun":
        words = words[words.index("--no-python") + 1 :]
    program, rest = words[0].rsplit("/", 1)[-1], words[1:]
    if program == "echonode":
        return fault_of(rest, whole=True)
    if program == "make":
        targets = re.findall(r"^([a-z-]+)[ a-z-]*:", (ROOT / "Makefile").read_text(), re.M)
        asked = [word for word in rest if "=" not in word]
        return "" if set(asked) <= set(targets) else f"make has no target {asked}"
    if program == "psql":
        files = [rest[place + 1] for place, word in enumerate(rest) if word == "-f"]
        return "" if all((ROOT / file).is_file() for file in files) else f"no file {files}"
    return "" if program in OTHERS else f"unknown program {program}"


def test_each_command_that_the_program_names_exists() -> None:
    named = [
        (path.relative_to(ROOT), command)
        for top in ("dicom_node", "storage")
        for path in (ROOT / top).rglob("*.py")
        for text in texts(path)
        for command in re.findall(r"`echonode ([^`]+)`", text)
    ]
    assert len(named) > 20
    assert not [(path, each) for path, each in named if fault_of(each.split(), whole=False)]


def texts(path: Path) -> Iterator[str]:
    """Every text of a module but the one on the module; what is filled in is shown as X."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = tree.body[1:] if ast.get_docstring(tree) else tree.body
    for node in (each for top in inside for each in ast.walk(top)):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("study shw 1", "no command shw"),
        ("study list --stat complete", "No such option"),
        ("study list --state finished", "none of"),
        ("outbox show", "needs number"),
        ("study purge 1", "needs reason"),
        ("db check 12", "takes no 12"),
        ("study", "needs a command"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, says: str) -> None:
    assert says in fault_of(line.split(), whole=True)
