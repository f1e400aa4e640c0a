"""`echonode pull`: fetch studies from an archive."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_node import app, logs
from dicom_node.cli.interruption import interruptible
from dicom_node.cli.options import Days, config_file, with_json, with_limit, with_settings
from dicom_node.cli.output import print_rows, to_json
from dicom_node.cli.progress import progress_bar
from dicom_node.cli.viewing import looking
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.file import read_settings
from dicom_node.settings.model import Settings
from storage.database.engine import Database
from storage.database.owner import is_dead, this_process
from storage.retrieval import pulls
from storage.retrieval.listing import PullView, find_pull, list_pulls, studies_of
from storage.retrieval.pulls import Order
from storage.states import PullState

if TYPE_CHECKING:
    from dicom_node.retrieval.archive import Archive
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


@dataclass(frozen=True, slots=True)
class _Found:
    """A study that would be fetched, and how many of its instances are here."""

    study_instance_uid: str
    patient_id: str
    accession_number: str
    study_date: str
    listed: int | None
    here: int
    prior_of_uid: str


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
    settings = read_settings(config_path)
    database = app.open_database(settings)
    try:
        if resume:
            view = _resumed(settings, database, resume)
        elif dry_run:
            _show_found(settings, database, name, criteria, priors, as_json=as_json)
            return
        else:
            view = _ordered(settings, database, name, criteria, priors)
    finally:
        database.close()
    _show_end(view, as_json=as_json)
    sys.exit(0 if view.state is PullState.DONE else 1)


@pull.command("list")
@with_limit
@with_settings
@with_json
def list_(limit: int, settings: Settings, as_json: bool) -> None:
    """List pulls, newest first."""
    with looking(settings, "pull list") as tx:
        found = list_pulls(tx, limit)
    print_rows(found, _PULLS, as_json=as_json, empty="No pulls yet.")


@pull.command()
@click.argument("pull_id", type=int)
@with_settings
@with_json
def show(pull_id: int, settings: Settings, as_json: bool) -> None:
    """List the studies of one pull, and what is missing of them."""
    with looking(settings, "pull show", pull=pull_id) as tx:
        view = find_pull(tx, pull_id)
        studies = studies_of(tx, pull_id)
    if as_json:
        click.echo(to_json({"pull": view, "studies": studies}))
    else:
        print_rows(studies, _STUDIES, as_json=False, empty="No matching studies.")


def _ordered(
    settings: Settings, database: Database, name: str | None, criteria: "Criteria", priors: int
) -> PullView:
    from dicom_node.retrieval.pulling import Puller

    with (
        _opened(settings, _archive(settings, name), database) as archive,
        interruptible() as stop,
        progress_bar() as report,
    ):
        puller = Puller(database, archive, stop, report)
        return puller.run(puller.order(criteria, priors=priors, actor=getpass.getuser()))


def _resumed(settings: Settings, database: Database, which: str) -> PullView:
    from dicom_node.retrieval.pulling import Puller

    if which != _NEWEST and not which.isdecimal():
        raise click.BadParameter(f"{which!r} is not the number of a pull: see `echonode pull list`")
    with database.write() as tx:
        number = None if which == _NEWEST else int(which)
        left = pulls.resume(tx, number, this_process(), is_dead)
        _archive(settings, left.archive)  # one that is gone from the settings leaves it as it is
    with (
        _opened(settings, _archive(settings, left.archive), database) as archive,
        interruptible() as stop,
        progress_bar() as report,
    ):
        return Puller(database, archive, stop, report).run(left.id)


def _show_found(
    settings: Settings,
    database: Database,
    name: str | None,
    criteria: "Criteria",
    priors: int,
    *,
    as_json: bool,
) -> None:
    from dicom_node.retrieval.searching import search

    item = _archive(settings, name)
    order = Order(
        archive=item.name,
        actor=getpass.getuser(),
        criteria=criteria.given(),
        priors=priors,
        at=datetime.now(UTC),
    )
    with database.write() as tx:
        pulls.record_search(tx, order, dry_run=True)
    rows = []
    with _opened(settings, item, database) as archive:
        for batch in search(archive, criteria, priors):
            for study in batch:
                with database.read() as tx:
                    here = len(pulls.held_instances(tx, study.study_instance_uid))
                values = {field: getattr(study, field) for field in study.__dataclass_fields__}
                rows.append(_Found(**values, here=here))
    print_rows(rows, _FOUND, as_json=as_json, empty="The archive has no matching studies.")


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


def _archive(settings: Settings, name: str | None) -> ArchiveSettings:
    known = {item.name: item for item in settings.archive}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name in known:
        return known[name]
    names = ", ".join(known) or "none configured; see [[archive]] in the settings"
    raise click.BadParameter(f"give the name of an archive; known: {names}", param_hint="--archive")


@contextmanager
def _opened(settings: Settings, item: ArchiveSettings, database: Database) -> "Iterator[Archive]":
    from dicom_node.app import archives

    logs.configure("warning")
    with archives.open_archive(settings, item, database) as archive:
        yield archive
