"""The composition root: from settings to running parts. Nothing below reads settings.

Imports of the parts stay inside the functions, so that each process loads only what it runs: a
listener never imports torch.
"""

from datetime import timedelta
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

import dicom_node
from dicom_node import retention
from dicom_node.app.partners import (
    authority,
    certificate_rule,
    credentials,
    listening_tls,
    receiver,
)
from dicom_node.app.spools import open_spool as open_spool
from dicom_node.settings.model import AuditRepositorySettings, Settings
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.files.folders import make_folder, make_private_file
from storage.files.spool import Spool
from storage.keeping.retention import Rules
from storage.migrations.upgrading import check, require_current, upgrade
from storage.states import Rung

if TYPE_CHECKING:
    from dicom_node.audit_messages.forwarder import Forwarder
    from dicom_node.audit_messages.repository import Repository
    from dicom_node.delivery.worker import Deliverer
    from dicom_node.report import NodeIdentity
    from dicom_node.scp import Listener
    from dicom_node.study.wall_clock import ClockWatch, WallClock
    from dicom_node.work.worker import Worker


def open_database(settings: Settings, *, must_be_current: bool = True) -> Database:
    """Open the database; a new embedded one is created at once.

    Raises:
        storage.errors.SchemaMismatchError: `echonode db upgrade` is due.
        storage.errors.DatabaseUnavailableError: the server does not answer.
    """
    url = settings.database_url
    is_embedded = url == f"sqlite:///{settings.node.state_dir / 'node.db'}"
    if is_embedded:
        make_folder(settings.node.state_dir)
        make_private_file(settings.node.state_dir / "node.db")
    database = Database(url, busy_timeout_s=settings.storage.busy_timeout_s)
    # A process that died while it made the tables has left a file without any.
    if is_embedded and check(database).current is None:
        upgrade(database)
    elif must_be_current:
        require_current(database)
    return database


def make_listener(settings: Settings) -> "Listener":
    """The process that receives."""
    from dicom_node.scp import Listener, ListenerConfig, Peer, PeerTable
    from dicom_node.scp.limits import share_of_one_peer

    receive = settings.receive
    share = share_of_one_peer(receive.maximum_associations)
    peers = PeerTable(
        Peer(
            name=peer.name,
            calling_ae_title=peer.ae_title,
            networks=peer.networks,
            may=frozenset(peer.may),
            quiet_s=peer.quiet_s or settings.completion.quiet_s,
            on_conflict=peer.on_conflict,
            certificate=certificate_rule(settings, peer) if peer.tls else None,
            maximum_associations=peer.maximum_associations or share,
            associations_per_minute=peer.associations_per_minute,
            is_called_back=peer.commitment_host is not None,
        )
        for peer in settings.peer
    )
    config = ListenerConfig(
        ae_title=receive.ae_title,
        host=receive.host,
        port=receive.port,
        tls_port=receive.tls_port,
        maximum_associations=receive.maximum_associations,
        maximum_pdu_bytes=receive.maximum_pdu_bytes,
        network_timeout_s=receive.network_timeout_s,
        acse_timeout_s=receive.acse_timeout_s,
        dimse_timeout_s=receive.dimse_timeout_s,
        pipelines=tuple(pipeline.name for pipeline in settings.pipeline),
        shares_port=receive.processes > 1,
    )
    tls = listening_tls(settings) if receive.tls_port else None
    database = open_database(settings)
    return Listener(config, peers, database, open_spool(settings, database), tls)


def make_worker(settings: Settings) -> "Worker":
    """The process that analyses.

    Raises:
        inference.errors.InferenceError: none of the pipelines can be used.
    """
    import torch

    from dicom_node.app.completion_rules import archive_question, completion_rules
    from dicom_node.app.pipelines import load_pipelines
    from dicom_node.app.reference_values import reference_values
    from dicom_node.intake.note_keeping import read_waiting_notes
    from dicom_node.study.clock import Clock
    from dicom_node.study.wall_clock import WallClock
    from dicom_node.work.case_report import Recipient, Reporter
    from dicom_node.work.job_runner import JobRunner
    from dicom_node.work.report_files import kinds_for
    from dicom_node.work.second_chances import SECOND_CHANCES_EVERY_S, give_second_chances
    from dicom_node.work.step_watch import StepWatch
    from dicom_node.work.worker import Worker
    from inference.models.allocator import keep_freed_memory

    keep_freed_memory()
    if settings.work.threads:
        torch.set_num_threads(settings.work.threads)
    pipelines = load_pipelines(settings)
    database = open_database(settings)
    spool = open_spool(settings, database)
    identity = node_identity(settings)
    recipients = [
        Recipient(item.name, frozenset(item.kinds), item.maximum_age_s)
        for item in settings.destination
    ]
    may_reject = {peer.name for peer in settings.peer if "reject" in peer.may}
    read_waiting_notes(database, spool, may_reject, list(pipelines))
    runner = JobRunner(
        database,
        spool,
        pipelines,
        Reporter(
            spool,
            identity,
            kinds_for([item.kinds for item in recipients]),
            reference_values(settings),
        ),
        recipients,
        owner=this_process(),
        lease_s=settings.work.lease_s,
        maximum_attempts=settings.work.maximum_attempts,
        profiles={peer.name: peer.selection for peer in settings.peer if peer.selection},
        shadows=settings.shadows,
        watch=StepWatch(settings.work.step_limit_s, last_resort=True),
    )
    wall = WallClock(database)
    chores = [
        (_retention(settings, database, spool, wall).tick, retention.EVERY_S),
        (lambda: give_second_chances(database), SECOND_CHANCES_EVERY_S),
    ]
    clock = Clock(
        database,
        list(pipelines),
        runner.wake,
        wall,
        chores=chores,
        rules=completion_rules(settings),
        ask_archive=archive_question(settings, database),
        place=f"{gethostname()}:{settings.node.state_dir}",
    )
    return Worker(runner, clock)


def node_identity(settings: Settings) -> "NodeIdentity":
    """Who makes the reports."""
    from dicom_node.report import NodeIdentity

    return NodeIdentity(
        manufacturer=settings.node.manufacturer,
        model_name=settings.node.model_name,
        software_version=dicom_node.__version__,
        station_name=settings.node.station_name,
        institution_name=settings.node.institution,
        page_font=settings.node.page_font,
    )


def make_clock_watch(settings: Settings) -> "ClockWatch":
    """What keeps the last known time, beside the listener or the deliverer in its process."""
    from dicom_node.study.wall_clock import ClockWatch, WallClock

    return ClockWatch(WallClock(open_database(settings)))


def _retention(
    settings: Settings, database: Database, spool: Spool, wall: "WallClock"
) -> retention.Retention:
    """What lets go of files that nobody needs any more."""
    given = settings.retention
    results_keep_days = given.results_keep_days
    rules = Rules(
        keep=timedelta(days=given.keep_days),
        keep_results=None if results_keep_days is None else timedelta(days=results_keep_days),
        minimum_free_bytes=given.minimum_free_bytes,
    )
    steady = timedelta(hours=given.steady_clock_hours)
    return retention.Retention(database, spool, rules, wall.look, steady)


def make_deliverer(settings: Settings) -> "Deliverer":
    """The process that sends."""
    from dicom_node.delivery.destination import Destination
    from dicom_node.delivery.worker import Deliverer

    destinations = [
        Destination(
            name=item.name,
            node=receiver(settings, item),
            kinds=frozenset(item.kinds),
            maximum_age_s=item.maximum_age_s,
            first_retry_s=item.first_retry_s,
            maximum_retry_s=item.maximum_retry_s,
            climb_to=Rung[item.climb_to.upper()],
        )
        for item in settings.destination
    ]
    database = open_database(settings)
    return Deliverer(
        destinations,
        database,
        open_spool(settings, database),
        owner=this_process(),
        lease_s=settings.work.lease_s,
    )


def make_forwarder(settings: Settings) -> "Forwarder":
    """What tells audit repositories, beside the deliverer in its process."""
    from dicom_node.audit_messages.forwarder import Forwarder
    from dicom_node.audit_messages.message import AuditSource

    repositories = [audit_repository(settings, item) for item in settings.audit_repository]
    source = AuditSource(id=settings.node.station_name, enterprise_site=settings.node.institution)
    ae_title = settings.receive.ae_title
    return Forwarder(repositories, open_database(settings), source, ae_title)


def audit_repository(settings: Settings, item: AuditRepositorySettings) -> "Repository":
    """An audit repository as it is reached."""
    from dicom_node.audit_messages.repository import Repository

    return Repository(
        name=item.name,
        host=item.host,
        port=item.port,
        own=credentials(settings, item),
        ca=authority(settings, item) or Path(),
        kinds=frozenset(item.kinds),
        timeout_s=item.timeout_s,
        maximum_retry_s=item.maximum_retry_s,
    )
