"""Former keys: they work as before, and the operator is told what to write instead."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dicom_node.settings.places import Location, place

_TLS = {"tls_name": "name", "tls_fingerprints": "fingerprints", "tls_ca": "ca"}
_CALLED = {
    "tls": _TLS,
    "timeouts": {"connect_timeout_s": "connect_s", "response_timeout_s": "response_s"},
}
#: Of each table: the section that took over, and what its keys were called before.
_FORMER: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "peer": {"tls": _TLS},
    "destination": _CALLED,
    "archive": _CALLED,
    "work_list": _CALLED,
    "audit_repository": {"tls": {key: key for key in ("certificate", "key", "ca")}},
}


@dataclass(slots=True)
class Renewed:
    """Settings as they are written today.

    `advice` says what to write instead, a sentence a table; `problems` what cannot be meant so;
    `former` names the key that was written for each that stands in `table` now.
    """

    table: dict[str, Any]
    advice: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    former: dict[Location, str] = field(default_factory=dict)

    def written(self, at: Location) -> Location:
        """Where the operator wrote what stands at a place now."""
        old = self.former.get(at[:4])
        return (*at[:2], old, *at[4:]) if old else at


def renew(given: Mapping[str, Any]) -> Renewed:
    """Put what former keys say where it is expected today; `given` is left as it is."""
    renewed = Renewed(dict(given))
    for table in _FORMER:
        items = given.get(table)
        if isinstance(items, list):
            renewed.table[table] = [
                _renewed_item(renewed, (table, number), item) if isinstance(item, dict) else item
                for number, item in enumerate(items)
            ]
    return renewed


def _renewed_item(renewed: Renewed, at: tuple[str, int], item: dict[str, Any]) -> dict[str, Any]:
    new = dict(item)
    for section, keys in _FORMER[at[0]].items():
        old = [key for key in keys if key in new]
        values = {keys[key]: value for key in old if (value := new.pop(key)) not in ("", [])}
        renewed.former |= {(*at, section, keys[key]): key for key in old}
        if old:
            new |= _renewed_section(renewed, (*at, section), old, values, new)
    return new


def _renewed_section(
    renewed: Renewed,
    at: tuple[str, int, str],
    old: Sequence[str],
    values: dict[str, Any],
    item: dict[str, Any],
) -> dict[str, Any]:
    """The section that `values` make; none where they say nothing or cannot be meant so."""
    table, _, section = at
    what = f"{place(at[:2], renewed.table)}: {', '.join(old)}"
    is_off = section == "tls" and table != "audit_repository" and item.get("tls") is not True
    if isinstance(item.get(section), dict):
        keys = ", ".join(f"{section}.{_FORMER[table][section][key]}" for key in old)
        renewed.problems.append(f"{what}: {section} is given too: write {keys} instead")
    elif not values:
        renewed.advice.append(f"{what}: has no effect, remove it")
    elif is_off and not item.get("url"):
        renewed.problems.append(
            f"{what}: a certificate is described, but TLS is off: write tls = {_inline(values)}"
        )
    else:
        # Of https, `tls` said only whether the node shows its certificate.
        values |= {"mutual": False} if is_off else {}
        renewed.advice.append(f"{what}: still works; write instead {section} = {_inline(values)}")
        return {section: values}
    return {}


def _inline(values: Mapping[str, Any]) -> str:
    """A table of TOML on one line."""
    return f"{{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in values.items())} }}"
