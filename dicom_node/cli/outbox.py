"""`echonode outbox`: what is on its way to the destinations, how far it is, what was given up."""

import sys
from collections.abc import Iterator

import click

from dicom_node.cli.options import with_json, with_page
from dicom_node.cli.output import print_page, say, text, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import deliveries
from dicom_node.operations.deliveries import DeliveryShown
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
@with_page
@with_session
@with_json
def list_(
    state: str | None,
    climb: str | None,
    destination: str | None,
    limit: int,
    after: str | None,
    session: Session,
    as_json: bool,
) -> None:
    """List deliveries, newest first."""
    found = deliveries.list_deliveries(
        session.database,
        session.who,
        state=DeliveryState(state) if state else None,
        climb=ClimbState(climb) if climb else None,
        destination=destination,
        limit=limit,
        after=after,
    )
    print_page(found, _COLUMNS, as_json=as_json, empty="No matching deliveries.")


@outbox.command()
@click.argument("number", type=int)
@with_session
@with_json
def show(number: int, session: Session, as_json: bool) -> None:
    """Show how far one delivery is confirmed, by which evidence, and what it waits for."""
    found = deliveries.show_delivery(session.settings, session.database, session.who, number)
    if as_json:
        click.echo(to_json(found.delivery))
    else:
        say(*_lines(found))


def _lines(shown: DeliveryShown) -> Iterator[str]:
    view = shown.delivery
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
    for item in shown.refused:
        yield f"  refused    {text(item)}"
        yield f"             -> {text(item.advice)}"


@outbox.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--destination", help="All deliveries to this destination.")
@click.option(
    "--all", "everything", is_flag=True, help="All that failed, are waiting or have stalled."
)
@with_session
@with_json
def retry(
    ids: tuple[int, ...],
    destination: str | None,
    everything: bool,
    session: Session,
    as_json: bool,
) -> None:
    """Try deliveries again now: those with the given IDS, of a destination, or all.

    What failed is sent again. For what was accepted and not confirmed, the confirmation is
    requested again. Exit status 1 if none was found.
    """
    if not (ids or destination or everything):
        raise click.UsageError("name deliveries by id, --destination NAME, or --all")
    count = deliveries.retry(
        session.settings, session.database, session.who, ids=ids or None, destination=destination
    )
    click.echo(to_json({"requeued": count}) if as_json else f"{count} delivery(s) queued again")
    sys.exit(0 if count else 1)
