"""Reading the settings: file and environment in, one `Settings` or a message that helps out."""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dicom_node.errors import SettingsError
from dicom_node.settings.former import Renewed, renew
from dicom_node.settings.model import Settings
from dicom_node.settings.places import Location, place
from dicom_node.settings.section import Section, table_in
from inference.regular_files import read_regular

Anchored = TypeVar("Anchored", bound=Section)

PREFIX = "ECHONODE_"
_OTHERS_MAY = 0o007
#: Far above any real settings file.
_LARGEST_BYTES = 1_000_000
_SECRETS = ("password", "token", "secret")


def read_settings(file: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read a settings file and the environment over it.

    Relative paths are taken from the folder of the file.

    Raises:
        SettingsError: every unknown key and wrong value, each with a hint, one a line; or the file
            holds a password and is open to other users.
    """
    given = _read_toml(file)
    if _holds_secret(given) and file.stat().st_mode & _OTHERS_MAY:
        raise SettingsError(
            f"{file}: holds a password and other users may read it: chmod o= {file}"
        )
    renewed = renew(_merged(given, _from_environment(environment)))
    try:
        settings = Settings.model_validate(renewed.table)
    except ValidationError as error:
        raise _refusal(file, [*renewed.problems, *_problems(error, renewed)]) from None
    if renewed.problems:
        raise _refusal(file, renewed.problems)
    return _anchored(settings, file.resolve().parent)


def origins(file: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where each value comes from: dotted key -> "file" or "environment"; others are defaults."""
    given = _marked(renew(_read_toml(file)).table, "file")
    above = _marked(renew(_from_environment(environment)).table, "environment")
    return dict(leaves(_merged(given, above)))


def former_keys(file: Path, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What to write instead of former keys, a sentence each."""
    return renew(_merged(_read_toml(file), _from_environment(environment))).advice


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(file, _LARGEST_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{file}: no such settings file; start from deploy/node.example.toml"
        ) from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: cannot be read: it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from None


def _holds_secret(table: Mapping[str, Any]) -> bool:
    """Whether a table or the database's URL has one; an empty one, or none, is no secret."""
    if any(value and is_secret(at) for at, value in leaves(table)):
        return True
    storage = table.get("storage")
    url = storage.get("database_url") if isinstance(storage, dict) else None
    try:
        return isinstance(url, str) and bool(urlsplit(url).password)
    except ValueError:  # what is wrong with it, others say
        return False


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """ECHONODE_SECTION__KEY=value, and ECHONODE_PEER='[{...}]' as JSON for a list of tables."""
    tree: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if key:
            tree.setdefault(section, {})[key] = _parsed(value)
        elif section in Settings.model_fields:
            tree[section] = _parsed(value)
    return tree


def _parsed(value: str) -> Any:
    """Lists and tables come as JSON; the settings themselves parse numbers."""
    try:
        return json.loads(value) if value.startswith(("[", "{")) else value
    except json.JSONDecodeError:
        return value


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def is_secret(key: str) -> bool:
    """Whether the value of a key is shown to nobody; of a plug-in's options the name decides."""
    return key.endswith(_SECRETS)


def leaves(tree: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested tables, each with its dotted key."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{at}.{key}" if at else key)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for number, item in enumerate(tree):
            yield from leaves(item, f"{at}[{number}]")
    else:
        yield at, tree


def _marked(tree: Any, origin: str) -> Any:
    """The same tree with its origin in place of each value."""
    if isinstance(tree, dict):
        return {key: _marked(value, origin) for key, value in tree.items()}
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        return [_marked(item, origin) for item in tree]
    return origin


def _refusal(file: Path, problems: Sequence[str]) -> SettingsError:
    return SettingsError("\n  ".join([f"{file}: {len(problems)} problem(s)", *problems]))


def _problems(error: ValidationError, renewed: Renewed) -> Iterator[str]:
    """A sentence for each, with the place where the operator wrote it."""
    found = error.errors(include_url=False, include_input=False)
    for item in found:
        where = place(renewed.written(item["loc"]), renewed.table)
        if item["type"] == "extra_forbidden":
            yield f"{where}: unknown key{_hint(item['loc'])}"
        elif item["type"] != "too_short":
            yield f"{where or 'settings'}: {item['msg'].removeprefix('Value error, ')}"
        elif not _has_wrong_items(item["loc"], found):
            yield f"{where}: is empty: give at least one"


def _has_wrong_items(location: Location, found: Sequence[ErrorDetails]) -> bool:
    """Whether a list is too short only because of items that are wrong, which is said of each."""
    length = len(location)
    return any(item["loc"][:length] == location and item["loc"] != location for item in found)


def _hint(location: Location) -> str:
    section: type[Section] = Settings
    for part in location[:-1]:
        if isinstance(part, str):
            section = table_in(section.model_fields[part].annotation) or section
    key = str(location[-1])
    near = [name for name in section.model_fields if name.startswith(key)]
    near += difflib.get_close_matches(key, section.model_fields, n=1, cutoff=0.5)
    known = ", ".join(section.model_fields)
    return f"; did you mean {near[0]}?" if near else f"; known here: {known}"


def _anchored(section: Anchored, folder: Path) -> Anchored:
    """The same settings with every relative path in them taken from `folder`."""

    def anchored(value: Any) -> Any:
        if isinstance(value, Path):
            return folder / value
        if isinstance(value, tuple):
            return tuple(map(anchored, value))
        return _anchored(value, folder) if isinstance(value, Section) else value

    values = {name: getattr(section, name) for name in type(section).model_fields}
    changed = {name: new for name, old in values.items() if (new := anchored(old)) != old}
    return section.model_copy(update=changed)
