"""`echonode outbox`: what is on its way to the destinations, and what was given up."""

import sys
from datetime import UTC, datetime, timedelta

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_limit, with_settings
from dicom_node.cli.output import print_rows, to_json
from dicom_node.cli.viewing import looking
from dicom_node.settings import Settings
from storage import outbox as storage_outbox
from storage.outbox import DeliveryState

_COLUMNS = {
    "id": "id",
    "study": "study_id",
    "kind": "kind",
    "destination": "destination",
    "state": "state",
    "tries": "attempt",
    "next try": "available_at",
    "ended": "finished_at",
    "error": "error_code",
    "message": "error_message",
}


@click.group()
def outbox() -> None:
    """List and retry deliveries."""


@outbox.command("list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@click.option("--destination", help="Name of the destination.")
@with_limit
@with_settings
@with_json
def list_(
    state: str | None, destination: str | None, limit: int, settings: Settings, as_json: bool
) -> None:
    """List deliveries, newest first."""
    with looking(settings, "outbox list", state=state, destination=destination) as tx:
        found = storage_outbox.listing(
            tx,
            state=DeliveryState(state) if state else None,
            destination=destination,
            limit=limit,
        )
    print_rows(found, _COLUMNS, as_json=as_json, empty="no delivery meets this")


@outbox.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--destination", help="All of this destination.")
@click.option("--all", "everything", is_flag=True, help="All that failed or wait for a retry.")
@with_settings
@with_json
def retry(
    ids: tuple[int, ...],
    destination: str | None,
    everything: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Try deliveries again now: those with the given IDS, of a destination, or all.

    Exit status 1 when none was found.
    """
    if not (ids or destination or everything):
        raise click.UsageError("name deliveries by id, --destination NAME, or --all")
    now = datetime.now(UTC)
    longest_s = max((item.maximum_age_s for item in settings.destination), default=86_400.0)
    database = app.open_database(settings)
    with database.write() as tx:
        count = storage_outbox.requeue(
            tx,
            ids=ids or None,
            destination=destination,
            states=(DeliveryState.FAILED, DeliveryState.PENDING),
            now=now,
            expires_at=now + timedelta(seconds=longest_s),
        )
    click.echo(to_json({"requeued": count}) if as_json else f"{count} delivery(s) queued again")
    sys.exit(0 if count else 1)
