"""Reading the settings: file and environment in, one `Settings` or a message that helps out."""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dicom_node.errors import SettingsError
from dicom_node.settings.model import Settings
from inference.regular_files import read_regular

PREFIX = "ECHONODE_"
_OTHERS_MAY = 0o007
#: Far above any real settings file.
_LARGEST_BYTES = 1_000_000
_SECRETS = (".password", ".bearer_token")
_PATHS = (
    ("node", "state_dir"),
    ("node", "page_font"),
    ("storage", "spool_dir"),
    ("tls", "certificate"),
    ("tls", "key"),
    ("tls", "ca"),
    ("tls", "crl"),
    ("peer", "tls_ca"),
    ("pipeline", "bundle"),
    ("destination", "tls_ca"),
    ("archive", "tls_ca"),
    ("audit_repository", "certificate"),
    ("audit_repository", "key"),
    ("audit_repository", "ca"),
)


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
    table = _merged(given, _from_environment(environment))
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise SettingsError(f"{file}: {_explain(error, table)}") from None
    return _anchored(settings, file.resolve().parent)


def origins(file: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where each value comes from: dotted key -> "file" or "environment"; others are defaults."""
    found = {key: "file" for key, _ in _leaves(_read_toml(file))}
    return found | {key: "environment" for key, _ in _leaves(_from_environment(environment))}


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
    if any(at.endswith(_SECRETS) and value for at, value in _leaves(table)):
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


def _leaves(tree: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{at}.{key}" if at else key)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for number, item in enumerate(tree):
            yield from _leaves(item, f"{at}[{number}]")
    else:
        yield at, tree


def _explain(error: ValidationError, table: Mapping[str, Any]) -> str:
    found = error.errors(include_url=False, include_input=False)
    problems = []
    for item in found:
        where = _dotted(item["loc"]) + _of(item["loc"], table)
        if item["type"] == "extra_forbidden":
            problems.append(f"unknown key {where}{_hint(item['loc'])}")
        elif item["type"] != "too_short":
            problems.append(f"{where or 'settings'}: {item['msg'].removeprefix('Value error, ')}")
        elif not _has_wrong_items(item["loc"], found):
            problems.append(f"{where}: is empty: give at least one")
    return "\n  ".join([f"{len(problems)} problem(s)", *problems])


def _has_wrong_items(location: tuple[int | str, ...], found: Sequence[ErrorDetails]) -> bool:
    """Whether a list is too short only because of items that are wrong, which is said of each."""
    length = len(location)
    return any(item["loc"][:length] == location and item["loc"] != location for item in found)


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _of(location: tuple[int | str, ...], table: Mapping[str, Any]) -> str:
    """The name of the table that a key is in, where it has one: positions are hard to count."""
    match location:
        case [str() as section, int() as number, *_]:
            try:
                name = table[section][number]["name"]
            except (LookupError, TypeError):
                return ""
            return f" of {name!r}"
    return ""


def _hint(location: tuple[int | str, ...]) -> str:
    section: type[BaseModel] = Settings
    for part in location[:-1]:
        if isinstance(part, str):
            hinted = get_type_hints(section)[part]
            section = next((a for a in get_args(hinted) if isinstance(a, type)), hinted)
    key = str(location[-1])
    near = [name for name in section.model_fields if name.startswith(key)]
    near += difflib.get_close_matches(key, section.model_fields, n=1, cutoff=0.5)
    known = ", ".join(section.model_fields)
    return f"; did you mean {near[0]}?" if near else f"; known here: {known}"


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative paths taken from `folder`."""
    updates: dict[str, Any] = {}
    for section, key in _PATHS:
        value = updates.get(section, getattr(settings, section))
        if isinstance(value, tuple):
            updates[section] = tuple(_anchored_in(item, key, folder) for item in value)
        else:
            updates[section] = _anchored_in(value, key, folder)
    return settings.model_copy(update=updates)


def _anchored_in(section: BaseModel, key: str, folder: Path) -> BaseModel:
    path = getattr(section, key)
    return section if path is None else section.model_copy(update={key: folder / path})
