"""The composition root: from settings to running parts. Nothing below reads settings.

Imports of the parts stay inside the functions, so that each process loads only what it runs: a
listener never imports torch.
"""

from typing import TYPE_CHECKING

import dicom_node
from dicom_node.settings import DestinationSettings, Settings
from storage.engine import Database, require_current, upgrade
from storage.owner import this_process
from storage.spool import Spool

if TYPE_CHECKING:
    from dicom_node.delivery.worker import Deliverer
    from dicom_node.scp import Listener
    from dicom_node.scu.peer import RemoteNode
    from dicom_node.work.worker import Worker


def open_database(settings: Settings, *, must_be_current: bool = True) -> Database:
    """Open the database; a new embedded one is created at once.

    Raises:
        storage.errors.SchemaMismatchError: `echonode db upgrade` is due.
        storage.errors.DatabaseUnavailableError: the server does not answer.
    """
    url = settings.database_url
    embedded = settings.node.state_dir / "node.db"
    is_new = url == f"sqlite:///{embedded}" and not embedded.exists()
    if is_new:
        embedded.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    database = Database(url, busy_timeout_s=settings.storage.busy_timeout_s)
    if is_new:
        upgrade(database)
    elif must_be_current:
        require_current(database)
    return database


def open_spool(settings: Settings) -> Spool:
    """Open the folder of received files."""
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
        )
        for peer in settings.peer
    )
    receive = settings.receive
    config = ListenerConfig(
        ae_title=receive.ae_title,
        host=receive.host,
        port=receive.port,
        maximum_associations=receive.maximum_associations,
        maximum_pdu_bytes=receive.maximum_pdu_bytes,
        network_timeout_s=receive.network_timeout_s,
        acse_timeout_s=receive.acse_timeout_s,
        dimse_timeout_s=receive.dimse_timeout_s,
        release_quiet_s=settings.completion.release_quiet_s,
        hard_limit_s=settings.completion.hard_limit_s,
        pipelines=tuple(pipeline.name for pipeline in settings.pipeline),
    )
    return Listener(config, peers, open_database(settings), open_spool(settings))


def make_worker(settings: Settings) -> "Worker":
    """The process that analyses.

    Raises:
        inference.errors.BundleError: a bundle cannot be used.
    """
    import torch

    from dicom_node.report import NodeIdentity
    from dicom_node.study.clock import Clock
    from dicom_node.work.engine import Engine
    from dicom_node.work.reporting import Recipient, Reporter
    from dicom_node.work.worker import Worker
    from inference.pipeline import load_pipeline

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
    )
    return Worker(engine, Clock(database, list(pipelines), engine.wake))


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
    )
