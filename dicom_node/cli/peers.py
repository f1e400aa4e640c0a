"""`echonode peer`: try the systems that the node sends to."""

import sys

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import to_json
from dicom_node.settings import Settings


@click.group()
def peer() -> None:
    """Try the systems that the node sends to."""


@peer.command()
@click.argument("name", required=False)
@with_settings
@with_json
def echo(name: str | None, settings: Settings, as_json: bool) -> None:
    """Send a C-ECHO to the destination NAME, or to all; exit status 1 when one does not answer."""
    from dicom_node.scu.echo import echo as send_echo

    known = [item for item in settings.destination if name in (None, item.name)]
    if not known:
        names = ", ".join(item.name for item in settings.destination) or "none configured"
        raise click.BadParameter(f"no destination {name!r}; known: {names}")
    results = {item.name: send_echo(app.remote_node(settings, item)) for item in known}
    if as_json:
        click.echo(to_json(results))
    else:
        for who, result in results.items():
            verdict = "answers" if result.ok else "does NOT answer"
            click.echo(f"{who}: {verdict} ({result.detail}, {result.duration_s * 1000:.0f} ms)")
    sys.exit(0 if all(result.ok for result in results.values()) else 1)
