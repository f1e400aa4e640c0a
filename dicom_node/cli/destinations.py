"""`echonode destination`: where results go, and what each destination was found to accept."""

import click

from dicom_node.cli.options import with_json
from dicom_node.cli.output import print_rows, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import destinations

_LIST = {
    "name": "name",
    "where": "where",
    "gets": "gets",
    "accepts": "accepts",
    "refuses": "refuses",
    "last heard": "confirmed_at",
}
_SHOW = {
    "SOP class": "name",
    "uid": "sop_class_uid",
    "answer": "answer",
    "transfer syntaxes": "transfer_syntaxes",
    "since": "learned_at",
    "last": "confirmed_at",
}


@click.group()
def destination() -> None:
    """Show where results go and what each destination accepts."""


@destination.command("list")
@with_session
@with_json
def list_(session: Session, as_json: bool) -> None:
    """List the destinations and what each was found to accept."""
    found = destinations.list_destinations(session.settings, session.database)
    print_rows(found, _LIST, as_json=as_json, empty="No destinations configured.")


@destination.command()
@click.argument("name")
@with_session
@with_json
def show(name: str, session: Session, as_json: bool) -> None:
    """Show the answers of the destination NAME to each SOP class that was offered."""
    found = destinations.answers_of(session.settings, session.database, name)
    print_rows(found, _SHOW, as_json=as_json, empty="Nothing was offered to it yet.")


@destination.command()
@click.argument("name")
@with_session
@with_json
def forget(name: str, session: Session, as_json: bool) -> None:
    """Forget what the destination NAME accepts, after a change there: every form is tried again."""
    count = destinations.forget(session.settings, session.database, session.who, name)
    click.echo(to_json({"forgotten": count}) if as_json else f"{count} answer(s) forgotten")
