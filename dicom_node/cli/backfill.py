"""`echonode backfill`: have older studies analysed by a pipeline, behind live work."""

import getpass
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime

import click

from dicom_node import app
from dicom_node.cli.options import Moment, with_json, with_settings
from dicom_node.cli.output import say, text, to_json
from dicom_node.settings.model import PipelineSettings, Settings
from storage.states import Backfill
from storage.studies import backfill as storage_backfill
from storage.studies.backfill import Standing, Wanted

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
@with_settings
@with_json
def backfill(
    name: str,
    since: datetime,
    until: datetime | None,
    store_only: bool,
    status: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Have a pipeline analyse the complete studies that have no current result of it.

    A result is current if it was made by the installed version, with the bundle of the settings.
    Live work always goes first. Run it again to go on, and to retry what failed; what is done or
    waits already is not queued twice.
    """
    item = _entry(settings, name)
    now = datetime.now(UTC)
    wanted = _wanted(settings, item, since, until or now)
    kind = Backfill.STORED if store_only or not item.reports else Backfill.REPORTED
    with closing(app.open_database(settings)) as database:
        queued = 0
        if not status:
            with database.read() as tx:
                due = [
                    found.study_id
                    for found in storage_backfill.survey(tx, wanted)
                    if found.standing in {Standing.MISSING, Standing.FAILED}
                ]
            if due:
                actor = getpass.getuser()
                queued = sum(
                    storage_backfill.order(database, wanted, due, kind, actor=actor, now=now)
                )
        with database.read() as tx:
            surveyed = storage_backfill.survey(tx, wanted)
    studies = {
        standing: [found.study_id for found in surveyed if found.standing is standing]
        for standing in Standing
    }
    if as_json:
        click.echo(to_json({"pipeline": name, "queued": queued, "studies": studies}))
    else:
        say(*_lines(name, wanted, studies, None if status else queued))


def _entry(settings: Settings, name: str) -> PipelineSettings:
    for item in settings.pipeline:
        if item.name == name:
            return item
    known = ", ".join(item.name for item in settings.pipeline) or "none"
    raise click.UsageError(f"there is no [[pipeline]] named {name}; known: {known}")


def _wanted(settings: Settings, item: PipelineSettings, since: datetime, until: datetime) -> Wanted:
    """What counts as a current result: of the pipeline as a worker would load it."""
    from dicom_node.app.pipelines import open_pipeline
    from dicom_node.work.prepare import settings_of

    pipeline = open_pipeline(item, "cpu")
    profiles = {None, *(peer.selection for peer in settings.peer)}
    return Wanted(
        pipeline=item.name,
        version=pipeline.version,
        bundle_digest=pipeline.model.bundle_digest,
        settings=frozenset(settings_of(pipeline, profile) for profile in profiles),
        reads=pipeline.business.reads,
        anchors=pipeline.business.anchors,
        since=since,
        until=until,
    )


def _lines(
    name: str, wanted: Wanted, studies: Mapping[Standing, Sequence[int]], queued: int | None
) -> Iterator[str]:
    total = sum(map(len, studies.values()))
    period = f"{text(wanted.since)} to {text(wanted.until)}"
    yield f"pipeline {name}, received {period}: {total} study(ies)"
    for standing, numbers in studies.items():
        named = ", ".join(map(str, numbers))
        more = f": {named} ({_REMEDIES[standing]})" if standing in _REMEDIES and numbers else ""
        yield f"  {standing.value:8} {len(numbers):6}{more}"
    if queued is not None:
        yield f"{queued} study(ies) queued; --status shows how far it is"
