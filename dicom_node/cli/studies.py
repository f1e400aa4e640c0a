"""`echonode study list` and `study show`: what was received, and what became of it."""

from dataclasses import asdict
from datetime import date

import click

from dicom_node.cli.options import Days, with_json, with_page
from dicom_node.cli.output import print_page, say, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.cli.study_lines import study_lines
from dicom_node.operations import studies
from dicom_node.operations.paging import Page
from storage.reading.study_list import StudySearch
from storage.states import StudyState

_COLUMNS = {
    "id": "study_id",
    "state": "state",
    "rev": "revision",
    "instances": "instances",
    "received": "last_received_at",
    "next check": "look_at",
    "result": "concerning",
    "patient": "patient_id",
    "accession": "accession_number",
}
_ALARM_COLUMNS = {
    "id": "study_id",
    "what": "about",
    "instances": "instances",
    "since": "raised_at",
    "patient": "patient_id",
    "accession": "accession_number",
}


@click.group()
def study() -> None:
    """List and show studies."""


@study.command("list")
@click.option(
    "--state",
    type=click.Choice([state.value for state in StudyState]),
    help="State of the study.",
)
@click.option("--patient", "patient_id", help="Patient ID.")
@click.option(
    "--name",
    "patient_name",
    help="Patient's Name, as Family^Given; * and ? are wildcards. Case and accents do not count.",
)
@click.option("--accession", "accession_number", help="Accession number.")
@click.option("--date", "days", type=Days(), help="Study date: a day, or FIRST..LAST.")
@click.option("--pipeline", help="Only studies that this pipeline works on, or did.")
@click.option("--alarms", is_flag=True, help="Only studies with an alarm.")
@with_page
@with_session
@with_json
def list_(
    state: str | None,
    days: tuple[date, date] | None,
    alarms: bool,
    limit: int,
    after: str | None,
    session: Session,
    as_json: bool,
    **keys: str | None,
) -> None:
    """List studies, the last received first; with --date the latest study date first.

    With --alarms the last alarm first.
    """
    if alarms:
        if state or days or after or any(keys.values()):
            raise click.UsageError("--alarms cannot be combined with other filters")
        raised = studies.list_alarms(session.database, session.who, limit=limit)
        none = "No study has an alarm."
        print_page(Page(raised, None), _ALARM_COLUMNS, as_json=as_json, empty=none)
        return
    first, last = (f"{day:%Y%m%d}" for day in days) if days else (None, None)
    wanted = StudySearch(
        state=StudyState(state) if state else None, first_day=first, last_day=last, **keys
    )
    found = studies.list_studies(session.database, session.who, wanted, limit=limit, after=after)
    print_page(found, _COLUMNS, as_json=as_json, empty="No matching studies.")


@study.command()
@click.argument("key")
@click.option("--verbose", is_flag=True, help="Also UIDs, digests, earlier reports, all events.")
@with_session
@with_json
def show(key: str, verbose: bool, session: Session, as_json: bool) -> None:
    """Show everything about one study; KEY is its UID, accession number or id.

    First what is stuck and what to do; then what came, what was selected, what was concluded, and
    what was sent.
    """
    found = studies.show_study(session.database, session.who, key)
    if as_json:
        more = {name: value for name, value in asdict(found).items() if name != "detail"}
        click.echo(to_json(asdict(found.detail) | more))
    else:
        say(*study_lines(found, verbose=verbose))
