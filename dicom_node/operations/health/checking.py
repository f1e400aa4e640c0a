"""Every check of a node, one after the other."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dicom_node import app
from dicom_node.errors import NodeError
from dicom_node.operations import destinations
from dicom_node.operations.health import commitment, partners, security, work
from dicom_node.operations.health.ports import describe_port
from dicom_node.operations.time_of_day import clock_standing_of
from dicom_node.settings.model import PipelineSettings, Settings
from dicom_node.tls.errors import TlsFileError
from inference import registry
from inference.errors import InferenceError
from storage.database.transactions import Database, Transaction
from storage.errors import StorageError

_FAULTS = (NodeError, StorageError, InferenceError, OSError)

#: What is asked of the database, in this order.
_ASKED: dict[str, Callable[[Transaction], str]] = {
    "reports": work.check_analyses,
    "work": work.check_work,
    "workers": work.check_workers,
    "rejection notes": work.check_rejection_notes,
    "studies": work.check_alarms,
    "ladder": commitment.check_ladder,
    "commitment": commitment.check_reports,
    "deliveries": partners.check_deliveries,
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: a fault if it is not `good`; if it `warns`, to be changed."""

    name: str
    good: bool
    detail: str
    warns: bool = False


def check_node(settings: Settings, config: Path) -> Iterator[Check]:
    """Whatever the settings name: is it there, is it valid, does it answer?

    `config` is their file. What is asked of the database is left out where it cannot be opened.
    """
    try:
        with closing(app.open_database(settings)) as database:
            yield Check("database", True, f"{database.dialect}, schema up to date")
            yield from _of_database(settings, database)
    except _FAULTS as error:
        yield Check("database", False, str(error))
    yield _try("port", lambda: _ports(settings, config))
    yield _try("tls", lambda: security.check_tls(settings))
    yield from _warnings(settings)
    yield _some("peers", len(settings.peer), "no system may send: add a [[peer]]")
    yield _some("pipelines", len(settings.pipeline), "nothing is analysed: add a [[pipeline]]")
    for pipeline in settings.pipeline:
        yield _try(f"bundle of {pipeline.name}", partial(_bundle, pipeline, settings))
    if (table := settings.work.reference_values) is not None:
        yield _try("reference values", partial(_reference_values, table))
    yield _some(
        "destinations", len(settings.destination), "reports go nowhere: add a [[destination]]"
    )
    for name, words in registry.faults():
        yield _warning(f"plug-in {name}", words)
    for name, look in partners.partner_looks(settings):
        yield _try(name, look)


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except _FAULTS as error:
        return Check(name, False, str(error))


def _some(name: str, count: int, remedy: str) -> Check:
    return Check(name, count > 0, f"{count} configured" if count else remedy)


def _warning(name: str, words: str) -> Check:
    return Check(name, True, words, warns=True)


def _of_database(settings: Settings, database: Database) -> Iterator[Check]:
    yield _try("spool", lambda: _spool(settings, database))
    yield _clock(settings, database)
    for name, look in _ASKED.items():
        yield _try(name, partial(_ask, database, look))
    with database.read() as tx:
        late = list(partners.waiting(tx))
    for destination, words in late:
        yield _warning(f"deliveries to {destination}", words)
    for item in settings.destination:
        for words in destinations.refusals(settings, database, item):
            yield _warning(f"destination {item.name}", words)


def _ask(database: Database, look: Callable[[Transaction], str]) -> str:
    with database.read() as tx:
        return look(tx)


def _spool(settings: Settings, database: Database) -> str:
    spool = app.open_spool(settings, database)
    spool.put(b"echonode doctor")
    free_gb = spool.free_bytes() / 1e9
    if not spool.has_room():
        raise NodeError(f"{settings.spool_dir}: only {free_gb:.1f} GB free: instances are refused")
    return f"{settings.spool_dir}, writable, {free_gb:.1f} GB free"


def _clock(settings: Settings, database: Database) -> Check:
    found = clock_standing_of(settings, database)
    words = "; ".join(found.faults or found.sentences())
    return Check("clock", not found.faults, words, warns=bool(found.doubts))


def _ports(settings: Settings, config: Path) -> str:
    receive = settings.receive
    ports = [port for port in (receive.port, receive.tls_port) if port]
    return ", ".join(describe_port(receive.host, port, config) for port in ports)


def _warnings(settings: Settings) -> Iterator[Check]:
    """What works today and should be changed."""
    if words := security.user_warning():
        yield _warning("user", words)
    for words in security.open_files(settings):
        yield _warning("files", words)
    for destination, words in commitment.unheard(settings):
        yield _warning(f"commitment of {destination}", words)
    try:
        for file, words, is_over in security.expiring(settings):
            yield Check(f"certificate {file.name}", not is_over, words, warns=True)
    except TlsFileError as error:
        yield Check("certificates", False, str(error))


def _reference_values(table: Path) -> str:
    from dicom_node.app.reference_values import read

    return f"{len(read(table))} patient(s)"


def _bundle(pipeline: PipelineSettings, settings: Settings) -> str:
    from dicom_node.app.pipelines import open_pipeline

    card = open_pipeline(pipeline, settings.work.step_limit_s, "cpu").model
    named = f"{card.bundle_name} {card.bundle_version}"
    return ", ".join([named, card.standing, *card.remarks])
