"""`echonode pull`: fetch studies from an archive."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_node import logs
from dicom_node.cli.interruption import interruptible
from dicom_node.cli.options import Days, config_file, with_json, with_page
from dicom_node.cli.output import print_page, print_rows, to_json
from dicom_node.cli.progress import progress_bar
from dicom_node.cli.session import Session, session_of, with_session
from dicom_node.operations import pulls
from dicom_node.settings.file import read_settings
from storage.retrieval.listing import PullView
from storage.states import PullState

if TYPE_CHECKING:
    from dicom_node.retrieval.criteria import Criteria

_PULLS = {
    "id": "id",
    "archive": "archive",
    "by": "actor",
    "ordered": "ordered_at",
    "state": "state",
    "studies": "studies",
    "done": "done",
    "instances": "present",
    "process": "claimed_by",
}
_STUDIES = {
    "study": "study_id",
    "state": "state",
    "date": "study_date",
    "patient": "patient_id",
    "accession": "accession_number",
    "listed": "listed",
    "here": "present",
    "prior of": "prior_of_uid",
    "error": "error_message",
}
_FOUND = {
    "date": "study_date",
    "patient": "patient_id",
    "accession": "accession_number",
    "listed": "listed",
    "here": "here",
    "study UID": "study_instance_uid",
    "prior of": "prior_of_uid",
}
_NEWEST = "newest"


def _literal(_: click.Context, __: click.Parameter, value: str) -> str:
    from dicom_node.scu.query import WILDCARDS

    if any(character in value for character in WILDCARDS):
        raise click.BadParameter("no wildcards: give the whole value")
    return value.strip()


@click.group(invoke_without_command=True)
@click.option(
    "--accession", "accession_number", default="", callback=_literal, help="Accession number."
)
@click.option("--patient-id", default="", callback=_literal, help="Patient ID.")
@click.option("--study", "study_instance_uid", default="", callback=_literal, help="Study UID.")
@click.option("--date", "days", type=Days(), help="Study date: a day, or FIRST..LAST.")
@click.option(
    "--modality",
    default="",
    callback=_literal,
    help="Only studies with this modality, for example US.",
)
@click.option("--archive", "name", help="Name of the archive; needed if several are configured.")
@click.option(
    "--priors",
    type=click.IntRange(0),
    default=0,
    help="Also fetch up to N earlier studies of each patient.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would be fetched.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=_NEWEST,
    metavar="[ID]",
    help="Continue an unfinished pull: the newest, or the one with this number.",
)
@config_file
@with_json
@click.pass_context
def pull(
    context: click.Context,
    /,
    days: tuple[date, date] | None,
    name: str | None,
    priors: int,
    dry_run: bool,
    resume: str | None,
    config_path: Path,
    as_json: bool,
    **keys: str,
) -> None:
    """Fetch studies from an archive.

    What is here already is not fetched again. Ctrl-C stops after asking the archive to stop;
    `--resume` continues. Exit status 1 if something is missing in the end.
    """
    from dicom_node.retrieval.criteria import Criteria

    if context.invoked_subcommand:
        return
    criteria = Criteria(
        **keys, first_day=days[0] if days else None, last_day=days[1] if days else None
    )
    asked = {key for key in criteria.given() if key != "modality"}
    if bool(asked) == bool(resume):
        raise click.UsageError("say what to pull: --accession, --date, ..., or --resume")
    if resume and resume != _NEWEST and not resume.isdecimal():
        raise click.BadParameter(
            f"{resume!r} is not the number of a pull: see `echonode pull list`"
        )
    _pull(config_path, criteria, name, priors, dry_run=dry_run, resume=resume, as_json=as_json)


def _pull(
    config_path: Path,
    criteria: "Criteria",
    name: str | None,
    priors: int,
    *,
    dry_run: bool,
    resume: str | None,
    as_json: bool,
) -> None:
    logs.configure("warning")
    with session_of(read_settings(config_path)) as session:
        asked = session.settings, session.database, session.who
        if dry_run and not resume:
            found = pulls.find(*asked, criteria, archive=name, priors=priors)
            print_rows(found, _FOUND, as_json=as_json, empty="The archive has no matching studies.")
            return
        with interruptible() as stop, progress_bar() as report:
            if resume:
                number = None if resume == _NEWEST else int(resume)
                view = pulls.resume(*asked[:2], number, stop, report)
            else:
                view = pulls.pull(*asked, criteria, stop, report, archive=name, priors=priors)
    _show_end(view, as_json=as_json)
    sys.exit(0 if view.state is PullState.DONE else 1)


@pull.command("list")
@with_page
@with_session
@with_json
def list_(limit: int, after: str | None, session: Session, as_json: bool) -> None:
    """List pulls, newest first."""
    found = pulls.list_pulls(session.database, session.who, limit=limit, after=after)
    print_page(found, _PULLS, as_json=as_json, empty="No pulls yet.")


@pull.command()
@click.argument("pull_id", type=int)
@with_session
@with_json
def show(pull_id: int, session: Session, as_json: bool) -> None:
    """List the studies of one pull, and what is missing of them."""
    found = pulls.show_pull(session.database, session.who, pull_id)
    if as_json:
        click.echo(to_json(found))
    else:
        print_rows(found.studies, _STUDIES, as_json=False, empty="No matching studies.")


def _show_end(view: PullView, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(view))
        return
    click.echo(
        f"pull {view.id}: {view.done} of {view.studies} study(s) complete here, "
        f"{view.present} instance(s)"
    )
    if view.state is PullState.INCOMPLETE:
        click.echo(f"see what is missing: echonode pull show {view.id}")
    elif view.state is not PullState.DONE:
        click.echo(f"stopped; continue with: echonode pull --resume {view.id}")
