"""`echonode doctor`: is everything in place? One line per check, and what to do where not."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click

from dicom_node import app
from dicom_node.cli import (
    commitment_checks,
    destinations,
    partner_checks,
    security_checks,
    work_checks,
)
from dicom_node.cli.clock import clock_doubts, clock_faults, clock_lines
from dicom_node.cli.listening import describe_port
from dicom_node.cli.options import config_file, with_json
from dicom_node.cli.output import to_json, visible
from dicom_node.errors import NodeError
from dicom_node.settings.file import read_settings
from dicom_node.settings.model import PipelineSettings, Settings
from dicom_node.study.wall_clock import clock_standing
from dicom_node.tls.errors import TlsFileError
from inference import registry
from inference.errors import InferenceError
from storage.alarms.listing import study_alarms
from storage.corrections import rejections
from storage.errors import StorageError
from storage.studies import refused_instances
from storage.work import jobs

#: How long a failed analysis is shown.
_RECENT = timedelta(days=7)
_MOST_ALARMS = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    detail: str
    warns: bool = False


@click.command()
@config_file
@with_json
def doctor(config_path: Path, as_json: bool) -> None:
    """Check the settings and everything that they name.

    Is it there, is it valid, does it answer? Exit status 1 if anything is BAD. WARN: it works, and
    should be changed.
    """
    checks = list(_checks(config_path))
    if as_json:
        click.echo(to_json(checks))
    else:
        for check in checks:
            click.echo(f"{_mark(check)}  {visible(check.name):22} {visible(check.detail)}")
    sys.exit(0 if all(check.good for check in checks) else 1)


def _mark(check: Check) -> str:
    if not check.good:
        return click.style("BAD ", fg="red")
    return click.style("WARN", fg="yellow") if check.warns else click.style("good", fg="green")


def _checks(config_path: Path) -> Iterator[Check]:
    try:
        settings = read_settings(config_path)
    except NodeError as error:
        for line in str(error).splitlines():
            yield Check("settings", False, line)
        return
    yield Check("settings", True, str(config_path))
    yield _try("database", lambda: _database(settings))
    yield _try("spool", lambda: _spool(settings))
    yield _clock(settings)
    yield _try("reports", lambda: _reports(settings))
    yield _try("work", lambda: work_checks.check_work(settings))
    yield _try("workers", lambda: work_checks.check_workers(settings))
    yield _try("rejection notes", lambda: _rejection_notes(settings))
    yield _try("studies", lambda: _alarms(settings))
    yield _try("ladder", lambda: commitment_checks.check_ladder(settings))
    yield _try("commitment", lambda: commitment_checks.check_reports(settings))
    yield _try("deliveries", lambda: partner_checks.check_deliveries(settings))
    yield _try("port", lambda: _ports(settings, config_path))
    yield _try("tls", lambda: security_checks.check_tls(settings))
    yield from _warnings(settings)
    yield _some("peers", len(settings.peer), "no system may send: add a [[peer]]")
    yield _some("pipelines", len(settings.pipeline), "nothing is analysed: add a [[pipeline]]")
    for pipeline in settings.pipeline:
        yield _try(f"bundle of {pipeline.name}", partial(_bundle, pipeline, settings))
    yield _some(
        "destinations", len(settings.destination), "reports go nowhere: add a [[destination]]"
    )
    for name, words in registry.faults():
        yield Check(f"plug-in {name}", True, words, warns=True)
    yield from _partners(settings)


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (NodeError, StorageError, InferenceError, OSError) as error:
        return Check(name, False, str(error))


def _some(name: str, count: int, remedy: str) -> Check:
    return Check(name, count > 0, f"{count} configured" if count else remedy)


def _database(settings: Settings) -> str:
    database = app.open_database(settings)
    try:
        return f"{database.dialect}, schema up to date"
    finally:
        database.close()


def _clock(settings: Settings) -> Check:
    try:
        with closing(app.open_database(settings)) as database:
            found, set_by = clock_standing(database)
    except (NodeError, StorageError) as error:
        return Check("clock", False, str(error))
    faults = list(clock_faults(found)) if found else []
    doubts = list(clock_doubts(settings, found, set_by)) if found else []
    words = "; ".join(faults or doubts or clock_lines(settings, found, set_by))
    return Check("clock", not faults, words, warns=bool(doubts))


def _spool(settings: Settings) -> str:
    with closing(app.open_database(settings)) as database:
        spool = app.open_spool(settings, database)
    spool.put(b"echonode doctor")
    free_gb = spool.free_bytes() / 1e9
    if not spool.has_room():
        raise NodeError(f"{settings.spool_dir}: only {free_gb:.1f} GB free: instances are refused")
    return f"{settings.spool_dir}, writable, {free_gb:.1f} GB free"


def _reports(settings: Settings) -> str:
    with closing(app.open_database(settings)) as database, database.read() as tx:
        failed = jobs.failed_reports(tx, datetime.now(UTC) - _RECENT)
    if failed:
        told = "; ".join(
            f"{name}: studies {', '.join(map(str, studies))}" for name, studies in failed.items()
        )
        raise NodeError(f"analysis failed ({told}): see `echonode study show`")
    return f"no analysis failed in the last {_RECENT.days} days"


def _ports(settings: Settings, config_path: Path) -> str:
    receive = settings.receive
    ports = [port for port in (receive.port, receive.tls_port) if port]
    return ", ".join(describe_port(receive.host, port, config_path) for port in ports)


def _rejection_notes(settings: Settings) -> str:
    with closing(app.open_database(settings)) as database, database.read() as tx:
        ignored = rejections.ignored_since(tx, datetime.now(UTC) - _RECENT)
    if ignored:
        whose = ", ".join(f"{number} of {peer}" for peer, number in ignored.items())
        raise NodeError(
            f"ignored: {whose}: see `echonode audit --action REJECTION_NOTE_IGNORED`; to accept "
            'rejection notes from this peer, add "reject" to `may`'
        )
    return f"none was ignored in the last {_RECENT.days} days"


def _alarms(settings: Settings) -> str:
    with closing(app.open_database(settings)) as database, database.read() as tx:
        found = study_alarms(tx, _MOST_ALARMS)
        lost = refused_instances.unclaimed(tx)
    if found:
        numbers = ", ".join(str(alarm.study_id) for alarm in found)
        raise NodeError(f"alarms of studies {numbers}: see `echonode study list --alarms`")
    if lost:
        raise NodeError(
            f"{lost} refused instance(s) belong to no study in the index and were not sent again: "
            "see `echonode audit --action INSTANCE_REFUSED` and have them sent again"
        )
    return "no study has an alarm"


def _warnings(settings: Settings) -> Iterator[Check]:
    """What works today and should be changed."""
    if words := security_checks.user_warning():
        yield Check("user", True, words, warns=True)
    for words in security_checks.open_files(settings):
        yield Check("files", True, words, warns=True)
    for destination, words in commitment_checks.unheard(settings):
        yield Check(f"commitment of {destination}", True, words, warns=True)
    try:
        for file, words, is_over in security_checks.expiring(settings):
            yield Check(f"certificate {file.name}", not is_over, words, warns=True)
    except TlsFileError as error:
        yield Check("certificates", False, str(error))
    with suppress(NodeError, StorageError):  # the check of the database says what is wrong
        for destination, words in partner_checks.waiting(settings):
            yield Check(f"deliveries to {destination}", True, words, warns=True)


def _bundle(pipeline: PipelineSettings, settings: Settings) -> str:
    from dicom_node.app.pipelines import open_pipeline

    card = open_pipeline(pipeline, settings.work.step_limit_s, "cpu").model
    named = f"{card.bundle_name} {card.bundle_version}"
    return ", ".join([named, card.standing, *card.remarks])


def _partners(settings: Settings) -> Iterator[Check]:
    for name, look in partner_checks.partner_looks(settings):
        yield _try(name, look)
    for destination in settings.destination:
        try:
            for words in destinations.refusals(settings, destination):
                yield Check(f"destination {destination.name}", True, words, warns=True)
        except (NodeError, StorageError):
            return  # the check of the database or of the certificates says what is wrong
