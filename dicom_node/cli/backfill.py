"""`echonode backfill`: have older studies analysed by a pipeline, behind live work."""

from collections.abc import Iterator
from datetime import datetime

import click

from dicom_node.cli.options import Moment, with_json
from dicom_node.cli.output import say, text, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations.backfill import Backfilled, order, survey
from storage.studies.backfill import Standing

_REMEDIES = {
    Standing.FAILED: "see `echonode study show`",
    Standing.PURGED: "their files are deleted; to analyse them, send or pull them again",
}


@click.command()
@click.option("--pipeline", "name", required=True, help="Name of a [[pipeline]] of the settings.")
@click.option(
    "--since", required=True, type=Moment(), help="Studies whose last instance came since then."
)
@click.option("--until", type=Moment(), help="And before then.  [default: now]")
@click.option("--store-only", is_flag=True, help="Store the findings; send no reports.")
@click.option("--status", is_flag=True, help="Only show how far it is; queue nothing.")
@with_session
@with_json
def backfill(
    name: str,
    since: datetime,
    until: datetime | None,
    store_only: bool,
    status: bool,
    session: Session,
    as_json: bool,
) -> None:
    """Have a pipeline analyse the complete studies that have no current result of it.

    A result is current if it was made by the installed version, with the bundle of the settings.
    Live work always goes first. Run it again to go on, and to retry what failed; what is done or
    waits already is not queued twice.
    """
    database, settings, who = session.database, session.settings, session.who
    if status:
        found = survey(database, settings, name, since, until)
    else:
        found = order(database, settings, who, name, since, until, store_only=store_only)
    if as_json:
        click.echo(to_json(found))
    else:
        say(*_lines(found))
        if not status:
            say(f"{found.queued} study(ies) queued; --status shows how far it is")


def _lines(found: Backfilled) -> Iterator[str]:
    total = sum(map(len, found.studies.values()))
    period = f"{text(found.since)} to {text(found.until)}"
    yield f"pipeline {found.pipeline}, received {period}: {total} study(ies)"
    for standing, numbers in found.studies.items():
        named = ", ".join(map(str, numbers))
        more = f": {named} ({_REMEDIES[standing]})" if standing in _REMEDIES and numbers else ""
        yield f"  {standing.value:8} {len(numbers):6}{more}"
