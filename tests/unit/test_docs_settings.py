"""Every settings key in the documents exists, and every example of settings can be used."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from dicom_node.intake.statuses import StoreStatus
from dicom_node.settings.model import Settings
from dicom_node.settings.section import Section, table_in
from inference.models.registry import ARCHITECTURES
from inference.registry import GROUP
from inference.training.any_recipe import AnyRecipe
from inference.training.cohort.rows import NUMBERS, QUALITY, REQUIRED, WORDS
from inference.training.recipe_files import named_recipe, recipe_names
from inference.training.trainable import PIPELINES
from tests.documents import ROOT, Page, operators_pages

#: Words with an underscore that are no keys: columns of the labels, roles and terms of databases,
#: pipelines.
OTHERS = {
    *(entry.name for entry in entry_points(group=GROUP)),
    *(*NUMBERS, *REQUIRED, *WORDS, QUALITY),
    *("echonode_owner", "echonode_service", "pg_dump", "secure_delete", "synchronous_commit"),
    *("read_back", "ecg_ph", "mains_hz"),
}
SECTION = re.compile(r"\[{1,2}([\w.]+)\]{1,2}(?: (\w+))?(?: = .+)?")
ASSIGNED = re.compile(r"(\w+) = .+")
DOTTED = re.compile(r"(\w+)\.(?!toml|db)(\w+)")
WORD = re.compile(r"[a-z]+(?:_[a-z]+)+")
VARIABLE = re.compile(r"ECHONODE_(\w+?)(?:__(\w+))?(?:=.*)?")


@pytest.mark.parametrize("page", operators_pages(), ids=lambda page: page.name)
def test_each_key_of_a_page_exists(page: Page) -> None:
    unknown = [span for span in page.spans if not is_known(span, every_word=is_for_operators(page))]
    assert not unknown


@pytest.mark.parametrize("page", operators_pages(), ids=lambda page: page.name)
def test_each_example_of_settings_can_be_used(page: Page) -> None:
    for block in page.blocks:
        if block.language == "toml":
            table = tomllib.loads("\n".join(block.lines))
            assert not list(unknown_keys(table, Settings))
            assert not wrong_values(table)


def test_every_right_and_every_status_is_explained() -> None:
    peer = table_in(Settings.model_fields["peer"].annotation)
    assert peer is not None
    rights = get_args(get_args(peer.model_fields["may"].annotation)[0])
    assert first_cells("docs/configure.md", r"`(\w+)`") == list(rights)
    statuses = {f"0x{status:04X}" for status in StoreStatus}
    assert set(first_cells("docs/troubleshooting.md", r"(0x\w{4})")) == statuses


def first_cells(name: str, pattern: str) -> list[str]:
    """The first cells of a page's tables, as far as they are of this form."""
    return re.findall(rf"^\| {pattern} \|", (ROOT / name).read_text("utf-8"), re.MULTILINE)


def is_for_operators(page: Page) -> bool:
    return page.path.parent == ROOT / "docs" or page.name == "README.md"


def is_known(span: str, *, every_word: bool) -> bool:
    """Whether inline code that looks like a key, a table or a variable of the settings is one."""
    if match := SECTION.fullmatch(span):
        return exists(match[1], match[2])
    if (match := VARIABLE.fullmatch(span)) and match[1] != "CONFIG":
        return exists(match[1].lower(), match[2] and match[2].lower())
    if (match := DOTTED.fullmatch(span)) and match[1] in Settings.model_fields:
        return exists(match[1], match[2])
    if match := ASSIGNED.fullmatch(span):
        return match[1] in every_key() | recipe_words()
    if every_word and WORD.fullmatch(span):
        return span in every_key() | OTHERS | set(Settings.model_fields) | recipe_words()
    return True


def exists(section: str, key: str | None) -> bool:
    table: type[Section] | None = Settings
    for name in [*section.split("."), *([key] if key else [])]:
        if table is None or name not in table.model_fields:
            return False
        table = table_in(table.model_fields[name].annotation)
    return True


def recipe_words() -> set[str]:
    """The keys of every pipeline's recipe, outside its tables, and the architectures to name."""
    names = [name for pipeline in PIPELINES for name in recipe_names(pipeline)]
    keys = {key for name in names for key in type(named_recipe(name, AnyRecipe)).model_fields}
    return keys | set(ARCHITECTURES)


def every_key() -> set[str]:
    sections = [table_in(field.annotation) for field in Settings.model_fields.values()]
    return {key for section in sections if section for key in keys_of(section)}


def keys_of(section: type[Section]) -> Iterator[str]:
    for key, field in section.model_fields.items():
        yield key
        if below := table_in(field.annotation):
            yield from keys_of(below)


def unknown_keys(table: dict[str, Any], section: type[Section], at: str = "") -> Iterator[str]:
    for key, value in table.items():
        field = section.model_fields.get(key)
        if field is None:
            yield f"{at}{key}"
            continue
        below = table_in(field.annotation)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and below is not None:
                yield from unknown_keys(item, below, f"{at}{key}.")


def wrong_values(table: dict[str, Any]) -> list[str]:
    """What is wrong with a fragment, beside what stands in other parts of a settings file."""
    try:
        Settings.model_validate(table)
    except ValidationError as error:
        return [
            f"{item['loc']}: {item['msg']}"
            for item in error.errors()
            if item["type"] != "missing" and item["loc"]
        ]
    return []


def test_a_wrong_key_is_noticed() -> None:
    for span in (
        "[retention] keep_day",
        "[[peers]]",
        "receive.prt",
        "quiet = 3",
        "ECHONODE_X__Y",
        "[peer.tsl]",
    ):
        assert not is_known(span, every_word=False)
    assert not is_known("keep_day", every_word=True)
    assert list(unknown_keys({"peer": [{"nam": "x"}]}, Settings)) == ["peer.nam"]
    assert wrong_values({"receive": {"port": -1}})
