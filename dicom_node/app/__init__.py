"""The composition root: from settings to running parts. Nothing below reads settings.

Imports of the parts stay inside the functions, so that each process loads only what it runs: a
listener never imports torch.
"""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dicom_node
from dicom_node import retention
from dicom_node.errors import SettingsError
from dicom_node.settings import (
    AuditRepositorySettings,
    DestinationSettings,
    PeerSettings,
    Settings,
)
from storage.engine import Database, check, require_current, upgrade
from storage.folders import make_folder
from storage.owner import this_process
from storage.retention import Rules
from storage.spool import Spool

if TYPE_CHECKING:
    from ssl import SSLContext

    from dicom_node.audit_messages.forwarder import Forwarder
    from dicom_node.delivery.worker import Deliverer
    from dicom_node.scp import Listener
    from dicom_node.scu.peer import RemoteNode, TlsTrust
    from dicom_node.tls.certificates import CertificateRule
    from dicom_node.tls.profile import Credentials
    from dicom_node.tls.watched import Watched
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
        make_folder(settings.node.state_dir, mode=0o750)
    database = Database(url, busy_timeout_s=settings.storage.busy_timeout_s)
    # A process that died while it made the tables has left a file without any.
    if is_embedded and check(database).current is None:
        upgrade(database)
    elif must_be_current:
        require_current(database)
    return database


def open_spool(settings: Settings) -> Spool:
    """Open the folder of received files."""
    make_folder(settings.spool_dir)
    return Spool(settings.spool_dir, low_water_bytes=settings.storage.low_water_bytes)


def make_listener(settings: Settings) -> "Listener":
    """The process that receives."""
    from dicom_node.scp import Listener, ListenerConfig, Peer, PeerTable

    peers = PeerTable(
        Peer(
            name=peer.name,
            calling_ae_title=peer.ae_title,
            networks=peer.networks,
            may=frozenset(peer.may),
            quiet_s=peer.quiet_s or settings.completion.quiet_s,
            on_conflict=peer.on_conflict,
            certificate=certificate_rule(settings, peer) if peer.tls else None,
            maximum_associations=peer.maximum_associations,
            associations_per_minute=peer.associations_per_minute,
        )
        for peer in settings.peer
    )
    receive = settings.receive
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
        release_quiet_s=settings.completion.release_quiet_s,
        hard_limit_s=settings.completion.hard_limit_s,
        pipelines=tuple(pipeline.name for pipeline in settings.pipeline),
    )
    tls = listening_tls(settings) if receive.tls_port else None
    return Listener(config, peers, open_database(settings), open_spool(settings), tls)


def make_worker(settings: Settings) -> "Worker":
    """The process that analyses.

    Raises:
        inference.errors.BundleError: a bundle cannot be used.
    """
    import torch

    from dicom_node.corrections.receiving import NoteKeeper
    from dicom_node.report import NodeIdentity
    from dicom_node.study.clock import Clock
    from dicom_node.work.engine import Engine
    from dicom_node.work.reporting import Recipient, Reporter
    from dicom_node.work.worker import Worker
    from inference.models.allocator import keep_freed_memory
    from inference.pipeline import load_pipeline

    keep_freed_memory()
    if settings.work.threads:
        torch.set_num_threads(settings.work.threads)
    pipelines = {
        item.name: load_pipeline(item.name, item.bundle, item.device, item.precision)
        for item in settings.pipeline
    }
    database, spool = open_database(settings), open_spool(settings)
    identity = NodeIdentity(
        manufacturer=settings.node.manufacturer,
        model_name=settings.node.model_name,
        software_version=dicom_node.__version__,
        station_name=settings.node.station_name,
        institution_name=settings.node.institution,
    )
    recipients = [
        Recipient(item.name, frozenset(item.kinds), item.maximum_age_s)
        for item in settings.destination
    ]
    engine = Engine(
        database,
        spool,
        pipelines,
        Reporter(spool, identity),
        recipients,
        owner=this_process(),
        lease_s=settings.work.lease_s,
        maximum_attempts=settings.work.maximum_attempts,
        notes=NoteKeeper(frozenset(peer.name for peer in settings.peer if "reject" in peer.may)),
    )
    chores = [(_retention(settings, database, spool).tick, retention.EVERY_S)]
    return Worker(engine, Clock(database, list(pipelines), engine.wake, chores=chores))


def _retention(settings: Settings, database: Database, spool: Spool) -> retention.Retention:
    """What lets go of files that nobody needs any more."""
    given = settings.retention
    results_keep_days = given.results_keep_days
    rules = Rules(
        keep=timedelta(days=given.keep_days),
        keep_results=None if results_keep_days is None else timedelta(days=results_keep_days),
        minimum_free_bytes=given.minimum_free_bytes,
    )
    return retention.Retention(database, spool, rules)


def make_deliverer(settings: Settings) -> "Deliverer":
    """The process that sends."""
    from dicom_node.delivery.destination import Destination
    from dicom_node.delivery.worker import Deliverer

    destinations = [
        Destination(
            name=item.name,
            node=remote_node(settings, item),
            kinds=frozenset(item.kinds),
            maximum_age_s=item.maximum_age_s,
            first_retry_s=item.first_retry_s,
            maximum_retry_s=item.maximum_retry_s,
        )
        for item in settings.destination
    ]
    return Deliverer(
        destinations, open_database(settings), open_spool(settings), owner=this_process()
    )


def make_forwarder(settings: Settings) -> "Forwarder":
    """What tells audit repositories, beside the deliverer in its process."""
    from dicom_node.audit_messages.forwarder import Forwarder
    from dicom_node.audit_messages.message import AuditSource
    from dicom_node.audit_messages.repository import Repository

    repositories = [
        Repository(
            name=item.name,
            host=item.host,
            port=item.port,
            own=_audit_credentials(settings, item),
            ca=item.ca or settings.tls.ca or Path(),
            kinds=frozenset(item.kinds),
            timeout_s=item.timeout_s,
            maximum_retry_s=item.maximum_retry_s,
        )
        for item in settings.audit_repository
    ]
    source = AuditSource(id=settings.node.station_name, enterprise_site=settings.node.institution)
    ae_title = settings.receive.ae_title
    return Forwarder(repositories, open_database(settings), source, ae_title)


def _audit_credentials(settings: Settings, item: AuditRepositorySettings) -> "Credentials":
    from dicom_node.tls.profile import Credentials

    if item.certificate and item.key:
        return Credentials(item.certificate, item.key)
    return _credentials(settings)


def remote_node(settings: Settings, destination: DestinationSettings) -> "RemoteNode":
    """A destination as the network sees it."""
    from dicom_node.scu.peer import RemoteNode

    return RemoteNode(
        name=destination.name,
        host=destination.host,
        port=destination.port,
        ae_title=destination.ae_title,
        calling_ae_title=destination.calling_ae_title or settings.receive.ae_title,
        connect_timeout_s=destination.connect_timeout_s,
        acse_timeout_s=destination.response_timeout_s,
        dimse_timeout_s=destination.response_timeout_s,
        tls=calling_tls(settings, destination) if destination.tls else None,
    )


def listening_tls(settings: Settings) -> "Watched[SSLContext]":
    """How the node shows itself on its TLS port; every peer's authority is trusted there.

    Whose certificate is whose is asked later, of `certificate_rule`.

    Raises:
        dicom_node.tls.errors.TlsFileError: a file cannot be used.
    """
    from dicom_node.tls.profile import listening_context

    everybody = [settings.tls.ca, *(peer.tls_ca for peer in settings.peer)]
    trusted = dict.fromkeys(file for file in everybody if file is not None)
    return listening_context(_credentials(settings), trusted, settings.tls.crl)


def certificate_rule(settings: Settings, peer: PeerSettings) -> "CertificateRule":
    """Which certificates are a peer's own.

    Raises:
        dicom_node.tls.errors.TlsFileError: its file of authorities cannot be used.
    """
    from dicom_node.tls.certificates import CertificateRule, authorities

    return CertificateRule(
        authorities=authorities(_authority(settings, peer)),
        fingerprints=frozenset(peer.tls_fingerprints),
        name=peer.tls_name,
    )


def calling_tls(settings: Settings, destination: DestinationSettings) -> "TlsTrust":
    """How a destination is known, and how the node shows itself there.

    Raises:
        dicom_node.tls.errors.TlsFileError: a file cannot be used.
    """
    from dicom_node.scu.peer import TlsTrust
    from dicom_node.tls.profile import calling_context

    is_pinned = bool(destination.tls_fingerprints)
    context = calling_context(
        _credentials(settings),
        [_authority(settings, destination)],
        settings.tls.crl,
        checks_name=bool(destination.tls_name) or not is_pinned,
    )
    return TlsTrust(
        context=context,
        name=destination.tls_name or destination.host,
        fingerprints=frozenset(destination.tls_fingerprints),
    )


def _credentials(settings: Settings) -> "Credentials":
    from dicom_node.tls.profile import Credentials

    certificate, key = settings.tls.certificate, settings.tls.key
    if certificate is None or key is None:  # `Settings` sees to it
        raise SettingsError("TLS needs tls.certificate and tls.key")
    return Credentials(certificate, key)


def _authority(settings: Settings, partner: PeerSettings | DestinationSettings) -> Path:
    file = partner.tls_ca or settings.tls.ca
    if file is None:  # `Settings` sees to it
        raise SettingsError(f"{partner.name}: no authority")
    return file
