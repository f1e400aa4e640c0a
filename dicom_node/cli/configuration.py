"""`echonode config`: what the node is set to, and where each value comes from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from dicom_node.cli.options import config_file, with_json
from dicom_node.cli.output import say, to_json
from dicom_node.settings.example import example as example_text
from dicom_node.settings.file import former_keys, is_secret, leaves, origins, read_settings
from dicom_node.settings.section import Section, table_in

_HIDDEN = "(hidden)"


@click.group()
def config() -> None:
    """Show and check the settings."""


@config.command()
@config_file
@with_json
def show(config_path: Path, as_json: bool) -> None:
    """Print every value with its origin; secrets are hidden."""
    origin = origins(config_path)
    rows = [
        {"key": key, "value": value, "origin": origin.get(key, "default")}
        for key, value in _leaves(read_settings(config_path))
    ]
    say(*former_keys(config_path), err=True)
    if as_json:
        click.echo(to_json(rows))
        return
    for row in rows:
        say(f"{row['key']} = {row['value']}  ({row['origin']})")


@config.command()
@config_file
def check(config_path: Path) -> None:
    """Check whether the settings can be used."""
    settings = read_settings(config_path)
    click.echo(
        f"{config_path}: good; {len(settings.peer)} peer(s), {len(settings.pipeline)} pipeline(s), "
        f"{len(settings.destination)} destination(s)"
    )
    say(*former_keys(config_path))


@config.command()
def example() -> None:
    """Print a settings file with every key, its default and its unit."""
    click.echo(example_text(), nl=False)


def _leaves(section: Section, at: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in type(section).model_fields.items():
        key = f"{at}.{name}" if at else name
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _leaves(value, key)
        elif isinstance(value, tuple) and value and isinstance(value[0], Section):
            for number, item in enumerate(value):
                yield from _leaves(item, f"{key}[{number}]")
        elif isinstance(value, dict) and value:
            for option, given in leaves(value, key):
                yield option, _HIDDEN if given and is_secret(option) else _shown(given)
        else:
            yield key, False if value is None and table_in(field.annotation) else _shown(value)


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _HIDDEN if value.get_secret_value() else ""
    if isinstance(value, tuple | list):
        return [str(item) for item in value]
    return value if isinstance(value, int | float | str) else str(value or "")
