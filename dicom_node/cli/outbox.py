"""`echonode outbox`: what is on its way to the destinations, how far it is, what was given up."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from dicom_node import app
from dicom_node.cli import commitment_checks
from dicom_node.cli.options import with_json, with_limit, with_settings
from dicom_node.cli.output import print_rows, say, text, to_json
from dicom_node.cli.viewing import looking
from dicom_node.settings.model import Settings
from storage.delivery import ladder, listing
from storage.delivery import outbox as storage_outbox
from storage.delivery.listing import DeliveryView
from storage.states import ClimbState, DeliveryState

_COLUMNS = {
    "id": "id",
    "study": "study_id",
    "kind": "kind",
    "destination": "destination",
    "state": "state",
    "standing": "standing",
    "tries": "attempt",
    "next try": "available_at",
    "ended": "finished_at",
    "trouble": "trouble",
}


@click.group()
def outbox() -> None:
    """List, show and retry deliveries."""


@outbox.command("list")
@click.option(
    "--state",
    type=click.Choice([state.value for state in DeliveryState]),
    help="State of the delivery.",
)
@click.option(
    "--climb",
    type=click.Choice([state.value for state in ClimbState]),
    help="State of the confirmation (climb_to) of an accepted delivery.",
)
@click.option("--destination", help="Name of the destination.")
@with_limit
@with_settings
@with_json
def list_(
    state: str | None,
    climb: str | None,
    destination: str | None,
    limit: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """List deliveries, newest first."""
    with looking(settings, "outbox list", state=state, climb=climb, destination=destination) as tx:
        found = listing.listing(
            tx,
            state=DeliveryState(state) if state else None,
            climb=ClimbState(climb) if climb else None,
            destination=destination,
            limit=limit,
        )
    print_rows(found, _COLUMNS, as_json=as_json, empty="No matching deliveries.")


@outbox.command()
@click.argument("number", type=int)
@with_settings
@with_json
def show(number: int, settings: Settings, as_json: bool) -> None:
    """Show how far one delivery is confirmed, by which evidence, and what it waits for."""
    with looking(settings, "outbox show", delivery=number) as tx:
        found = listing.show(tx, number)
    if as_json:
        click.echo(to_json(found))
        return
    say(*_lines(found), *_refused(settings, found))


def _refused(settings: Settings, view: DeliveryView) -> Iterator[str]:
    """What came from its destination, may have been the report it waits for, and was refused."""
    for item in commitment_checks.refused_reports(settings, view):
        yield f"  refused    {text(item)}"
        yield f"             -> {text(item.advice)}"


def _lines(view: DeliveryView) -> Iterator[str]:
    yield f"Delivery {view.id}  {view.kind} of study {view.study_id} to {view.destination}"
    yield f"  {view.standing}"
    yield f"  pending    {text(view.created_at)}"
    if view.state is DeliveryState.SENDING:
        yield f"  sending    attempt {view.attempt}, by {view.claimed_by}"
    if view.state is DeliveryState.SENT:
        status, uid = view.status or 0, text(view.sent_sop_instance_uid)
        yield f"  accepted   {text(view.finished_at)}  status 0x{status:04X}, as {uid}"
    if view.commitment:
        yield f"  committed  {text(view.committed_at) or '-'}  {text(view.commitment)}"
    if view.read_back_at:
        yield f"  read back  {text(view.read_back_at)}  {text(view.read_back)}"
    if view.trouble:
        yield f"  trouble    {text(view.trouble)}"
    if view.climb is ClimbState.CLIMBING:
        yield f"  given up   on {text(view.climb_expires_at)} if nothing changes"


@outbox.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--destination", help="All deliveries to this destination.")
@click.option(
    "--all", "everything", is_flag=True, help="All that failed, are waiting or have stalled."
)
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

    What failed is sent again. For what was accepted and not confirmed, the confirmation is
    requested again. Exit status 1 if none was found.
    """
    if not (ids or destination or everything):
        raise click.UsageError("name deliveries by id, --destination NAME, or --all")
    now = datetime.now(UTC)
    longest_s = max((item.maximum_age_s for item in settings.destination), default=86_400.0)
    expires_at = now + timedelta(seconds=longest_s)
    database = app.open_database(settings)
    with database.write() as tx:
        count = storage_outbox.requeue(
            tx,
            ids=ids or None,
            destination=destination,
            states=(DeliveryState.FAILED, DeliveryState.PENDING),
            now=now,
            expires_at=expires_at,
        )
        count += ladder.resume(
            tx, ids=ids or None, destination=destination, now=now, expires_at=expires_at
        )
    click.echo(to_json({"requeued": count}) if as_json else f"{count} delivery(s) queued again")
    sys.exit(0 if count else 1)
