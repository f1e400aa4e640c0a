"""The documents hold together: links lead somewhere, paths exist, the English is plain."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dicom_node.cli import cli
from dicom_node.settings.model import Settings
from dicom_node.settings.section import Section, table_in
from tests.documents import ROOT, Page, pages

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"\.?\w[\w-]*(?:/[\w.*-]+)+/?")
TOPS = ("dicom_node", "inference", "storage", "tests", "docs", "deploy", ".ci")
DECISIONS = ROOT / "docs" / "decisions"
PARTS = ("Decision", "Reason", "Rejected", "Where")
#: Turns of phrase that a reader in a hurry stumbles over, or whose first language is another one.
NOT_PLAIN = re.compile(
    r"\b(anew|so many|(is|are|was) told|climbs|climbing to|stands? for|whoever|lacks?|shall|"
    r"nevertheless|hence|thus|thereby|nobody knows|by itself)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = []
    for target in LINK.findall(page.prose):
        file, _, heading = target.partition("#")
        path = (page.path.parent / file).resolve() if file else page.path
        if "://" in target:
            continue
        if not path.exists() or (heading and heading not in headings(path)):
            broken.append(target)
    assert not broken


def written_pages() -> list[Page]:
    """Those that people write; the benchmark writes its own."""
    return [page for page in pages() if page.name != "tests/benchmark/README.md"]


def headings(path: Path) -> set[str]:
    """The names of a page's headings in links."""
    found = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Page) -> None:
    named = [span.split("::")[0] for span in page.spans if PATH.fullmatch(span.split("::")[0])]
    missing = [
        f"{path}; is it {', '.join(moved(path)) or 'gone'}?"
        for path in named
        if path.split("/")[0] in TOPS and not list(ROOT.glob(path))
    ]
    assert not missing


def moved(path: str) -> list[str]:
    """Where a file of this name is today."""
    return [
        found.relative_to(ROOT).as_posix()
        for top in TOPS
        for found in (ROOT / top).rglob(Path(path).name)
    ]


def decisions() -> list[Path]:
    return [path for path in sorted(DECISIONS.glob("*.md")) if path.name != "README.md"]


def test_every_decision_is_in_the_index_under_its_title() -> None:
    index = (DECISIONS / "README.md").read_text("utf-8")
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", index, re.MULTILINE)
    titles = [(path.read_text("utf-8").split("\n")[0], path.name) for path in decisions()]
    assert sorted((f"# {title}", name) for title, name in listed) == sorted(titles)


@pytest.mark.parametrize("path", decisions(), ids=lambda path: path.stem)
def test_a_decision_is_short_and_says_all(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"^\*\*(\w+)\.\*\* ", text, re.MULTILINE) == list(PARTS)
    assert 5 <= len(text.splitlines()) <= 15


def test_the_architecture_is_one_page_that_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = [
        f"`{init.parent.relative_to(ROOT).as_posix()}/`"
        for top in ("dicom_node/*", "storage", "inference")
        for init in ROOT.glob(f"{top}/__init__.py")
    ]
    assert len(text.splitlines()) <= 100
    assert len(rooms) > 10
    assert not [room for room in rooms if room not in text]


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = [re.split(r"[\[<>=]", item)[0] for item in wanted]
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert not [name for name in names if not re.search(rf"\b{re.escape(name)}\b", page)]


@pytest.mark.parametrize("page", written_pages(), ids=lambda page: page.name)
def test_pages_are_in_plain_english(page: Page) -> None:
    assert not [match[0] for match in NOT_PLAIN.finditer(page.prose)]


def test_settings_and_help_are_in_plain_english() -> None:
    texts = {**settings_texts(Settings), **help_texts(cli)}
    assert len(texts) > 200
    assert not {at: text for at, text in texts.items() if NOT_PLAIN.search(text)}


def settings_texts(section: type[Section], at: str = "") -> dict[str, str]:
    """Every description of the settings, by its dotted key."""
    found = {at: section.__doc__ or ""}
    for key, field in section.model_fields.items():
        below = table_in(field.annotation)
        found |= settings_texts(below, f"{at}.{key}") if below else {}
        found[f"{at}.{key}:"] = field.description or ""
    return found


def help_texts(command: click.Command, at: str = "echonode") -> dict[str, str]:
    """Every help text of a command, its options and what is below it."""
    return dict(_help_texts(command, at))


def _help_texts(command: click.Command, at: str) -> Iterator[tuple[str, str]]:
    yield at, command.help or ""
    for parameter in command.params:
        yield f"{at} {parameter.name}", getattr(parameter, "help", None) or ""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _help_texts(below, f"{at} {name}")
