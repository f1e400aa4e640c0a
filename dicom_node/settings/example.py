"""The documented example of the settings file, written from the settings themselves."""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dicom_node.settings import model
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.section import Section
from dicom_node.settings.work_lists import WorkListSettings

_HEAD = """\
# Settings of an echonode: every key with its description, unit and default. A key that is
# commented out shows the default. Environment variables override this file:
# ECHONODE_RECEIVE__PORT=104 is `port` in [receive].
"""
#: What a required key looks like; the tables that may stand several times are shown with these.
_SAMPLES: dict[str, dict[str, Any]] = {
    "peer": {"name": "cart-1", "ae_title": "CART1", "networks": ["127.0.0.1/32"]},
    "pipeline": {"bundle": "bundle"},
    "destination": {"name": "pacs", "host": "127.0.0.1", "port": 104, "ae_title": "PACS"},
    "archive": {"name": "pacs", "host": "127.0.0.1", "port": 104, "ae_title": "PACS"},
    "work_list": {"name": "ups", "host": "127.0.0.1", "port": 104, "ae_title": "WORKLIST"},
    "audit_repository": {
        "name": "arr",
        "host": "127.0.0.1",
        "certificate": "node.pem",
        "key": "node.key",
        "ca": "ca.pem",
    },
}
_TABLES: dict[str, type[Section]] = {
    "peer": model.PeerSettings,
    "pipeline": model.PipelineSettings,
    "destination": DestinationSettings,
    "archive": ArchiveSettings,
    "work_list": WorkListSettings,
    "audit_repository": model.AuditRepositorySettings,
}


def example() -> str:
    """The text of deploy/node.example.toml."""
    parts = [_HEAD]
    for name, field in model.Settings.model_fields.items():
        table = _TABLES.get(name)
        section = table if table else type(field.default)
        parts.append(_section(f"[[{name}]]" if table else f"[{name}]", section, name))
    return "\n".join(parts)


def _section(head: str, section: type[Section], name: str) -> str:
    lines = [f"# {section.__doc__}", head]
    for key, field in section.model_fields.items():
        lines += [f"# {field.description}", _line(key, field, _SAMPLES.get(name, {}))]
    return "\n".join(lines) + "\n"


def _line(key: str, field: FieldInfo, samples: dict[str, Any]) -> str:
    if key in samples:
        return f"{key} = {_toml(samples[key])}"
    value = field.default
    assert value is not PydanticUndefined, f"{key} is required: add a sample for it"  # noqa: S101
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
