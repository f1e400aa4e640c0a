"""`echonode doctor`: is everything in place? One line per check, and what to do where not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dicom_node.cli.options import config_file, with_json
from dicom_node.cli.output import to_json, visible
from dicom_node.errors import NodeError
from dicom_node.operations.health.checking import Check, check_node
from dicom_node.settings.file import former_keys, read_settings


@click.command()
@config_file
@with_json
def doctor(config_path: Path, as_json: bool) -> None:
    """Check the settings and everything that they name.

    Is it there, is it valid, does it answer? Exit status 1 if anything is BAD. WARN: it works, and
    should be changed.
    """
    checks = list(_checks(config_path))
    if as_json:
        click.echo(to_json(checks))
    else:
        for check in checks:
            click.echo(f"{_mark(check)}  {visible(check.name):22} {visible(check.detail)}")
    sys.exit(0 if all(check.good for check in checks) else 1)


def _mark(check: Check) -> str:
    if not check.good:
        return click.style("BAD ", fg="red")
    return click.style("WARN", fg="yellow") if check.warns else click.style("good", fg="green")


def _checks(config_path: Path) -> Iterator[Check]:
    try:
        settings = read_settings(config_path)
    except NodeError as error:
        for line in str(error).splitlines():
            yield Check("settings", False, line)
        return
    yield Check("settings", True, str(config_path))
    for words in former_keys(config_path):
        yield Check("settings", True, words, warns=True)
    yield from check_node(settings, config_path)
