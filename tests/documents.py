"""The documents as tests read them: pages, code blocks, inline code, and the commands in them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from dicom_node.cli import cli

ROOT = Path(__file__).resolve().parents[1]

_FENCE = re.compile(r"^\s*```(\w*)$")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, empty for commands, and its lines."""

    language: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One document: its text, and that text without fenced blocks."""

    path: Path
    text: str
    prose: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def spans(self) -> list[str]:
        """Inline code, each on one line."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]


@cache
def pages() -> tuple[Page, ...]:
    """Every document for those who install, run or read the node."""
    top = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "tests").glob("*/README.md"))]
    return tuple(_read(path) for path in [*top, *sorted((ROOT / "docs").rglob("*.md"))])


def operators_pages() -> tuple[Page, ...]:
    """Those that show how the present version is used: no log of changes, no report on tests."""
    return tuple(
        page
        for page in pages()
        if not page.name.startswith("tests/") and page.name != "CHANGELOG.md"
    )


def _read(path: Path) -> Page:
    text = path.read_text("utf-8")
    prose: list[str] = []
    blocks: list[Block] = []
    inside: list[str] | None = None
    language = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence and inside is None:
            language, inside = fence[1], []
        elif fence and inside is not None:
            blocks.append(Block(language, tuple(inside)))
            inside = None
        elif inside is None:
            prose.append(line)
        else:
            inside.append(line.strip())
    assert inside is None, f"{path}: a block is not closed"
    return Page(path, text, "\n".join(prose), tuple(blocks))


def command_lines(page: Page) -> Iterator[list[str]]:
    """The words of each command in blocks without a language, and in units of systemd."""
    for block in page.blocks:
        for line in block.lines:
            if block.language == "ini" and line.startswith("ExecStart="):
                yield shlex.split(line.removeprefix("ExecStart="))
            elif block.language in ("", "sh") and (words := shlex.split(line, comments=True)):
                yield words[: words.index(">")] if ">" in words else words


def fault_of(words: Sequence[str], *, whole: bool) -> str:
    """What is wrong with the words after `echonode`; empty: nothing.

    `whole`: it can be typed as it stands, so nothing required may be missing.
    """
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        below = command.commands.get(rest[0])
        if below is None:
            return f"{command.name} has no command {rest[0]}"
        command, rest = below, rest[1:]
    if isinstance(command, click.Group) and "search" in command.commands and rest:
        command = command.commands["search"]  # `audit` searches unless told otherwise
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return "" if not whole or rest == ["--version"] else f"{command.name} needs a command"
    return _fault_of_leaf(command, rest, whole=whole)


def _fault_of_leaf(command: click.Command, rest: list[str], *, whole: bool) -> str:
    context = click.Context(command, info_name=command.name)
    try:
        given, further, _ = command.make_parser(context).parse_args(list(rest))
    except click.BadOptionUsage as error:
        return "" if not whole and rest[-1] == error.option_name else error.message
    except click.UsageError as error:
        return f"{command.name}: {error.message}"
    if further:
        return f"{command.name} takes no {further[0]}"
    for parameter in command.params:
        value = given.get(parameter.name or "")
        is_given = isinstance(value, str | list | tuple) and len(value) > 0
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            choices = [str(choice).lower() for choice in parameter.type.choices]
            if value.lower() not in choices:
                return f"{command.name}: {value} is none of {', '.join(choices)}"
        if whole and parameter.required and not is_given:
            return f"{command.name} needs {parameter.name}"
    return ""
