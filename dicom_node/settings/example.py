"""The documented example of the settings file, written from the settings themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dicom_node.settings import model
from dicom_node.settings.connections import PartnerTls, Timeouts
from dicom_node.settings.section import Section, table_in

_HEAD = """\
# Settings of an echonode: every key with its description, unit and default. A key that is
# commented out shows the default. Environment variables override this file:
# ECHONODE_RECEIVE__PORT=104 is `port` in [receive]. Tables in [[ ]] can be repeated. The keys of
# `tls` are under [audit_repository.tls], those of `timeouts` under [destination.timeouts].
"""
#: What a required key looks like; the tables that may stand several times are shown with these.
_SAMPLES: dict[str, dict[str, Any]] = {
    "peer": {"name": "cart-1", "ae_title": "CART1", "networks": ["127.0.0.1/32"]},
    "pipeline": {"bundle": "bundle"},
    "destination": {"name": "pacs", "host": "127.0.0.1", "port": 104, "ae_title": "PACS"},
    "archive": {"name": "pacs", "host": "127.0.0.1", "port": 104, "ae_title": "PACS"},
    "work_list": {"name": "ups", "host": "127.0.0.1", "port": 104, "ae_title": "WORKLIST"},
    "audit_repository": {"name": "arr", "host": "127.0.0.1"},
    "audit_repository.tls": {"ca": "ca.pem", "certificate": "node.pem", "key": "node.key"},
}
#: Where the keys of a section that several tables have are shown.
_SHOWN_IN: dict[type[Section], str] = {
    PartnerTls: "audit_repository.tls",
    Timeouts: "destination.timeouts",
}


def example() -> str:
    """The text of deploy/node.example.toml."""
    parts = [_HEAD]
    for name, field in model.Settings.model_fields.items():
        section = table_in(field.annotation)
        assert section is not None  # noqa: S101
        parts += _sections(name, section, is_list=field.default == ())
    return "\n".join(parts)


def _sections(name: str, section: type[Section], *, is_list: bool = False) -> Iterator[str]:
    """A table, then the tables within it."""
    lines = [f"# {section.__doc__}", f"[[{name}]]" if is_list else f"[{name}]"]
    within = []
    for key, field in section.model_fields.items():
        below = table_in(field.annotation)
        if below and _SHOWN_IN[below] == f"{name}.{key}":
            within.append((f"{name}.{key}", below))
        else:
            lines += [f"# {field.description}", _line(key, field, _SAMPLES.get(name, {}))]
    yield "\n".join(lines) + "\n"
    for at, below in within:
        yield from _sections(at, below)


def _line(key: str, field: FieldInfo, samples: dict[str, Any]) -> str:
    if key in samples:
        return f"{key} = {_toml(samples[key])}"
    value = field.default
    assert value is not PydanticUndefined, f"{key} is required: add a sample for it"  # noqa: S101
    if table_in(field.annotation):
        return f"#{key} = {'false' if value is None else '{}'}"
    return f"#{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, SecretStr):
        return json.dumps(value.get_secret_value())
    if isinstance(value, Path):
        return json.dumps(str(value))
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, int) and value >= 100_000:
        return f"{value:_}"
    return json.dumps(value)
