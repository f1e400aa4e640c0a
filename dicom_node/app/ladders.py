"""The composition root's part on storage commitment and the ladder; see `app`.

Only the process that delivers loads this.
"""

from collections.abc import Collection
from dataclasses import replace

from dicom_node import app
from dicom_node.app import partners
from dicom_node.delivery.climber import Climber
from dicom_node.delivery.commitment_reports import CommitmentReports
from dicom_node.delivery.ladder import Ladder, LookIn
from dicom_node.dicomweb.searching import search_instances
from dicom_node.dicomweb.session import open_session
from dicom_node.scu.finding import find_instances
from dicom_node.scu.peer import RemoteNode
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from dicom_node.settings.peers import PeerSettings


def make_climber(settings: Settings) -> Climber:
    """What lets deliveries climb, beside the deliverer in its process."""
    ladders = [
        _ladder(settings, item) for item in settings.destination if item.climb_to != "accepted"
    ]
    return Climber(ladders, app.open_database(settings))


def make_commitment_reports(settings: Settings) -> CommitmentReports:
    """What reports to peers that are called back, beside the deliverer in its process."""
    peers = {
        peer.name: called_back(settings, peer) for peer in settings.peer if peer.commitment_host
    }
    database = app.open_database(settings)
    return CommitmentReports(peers, database, app.open_spool(settings, database))


def called_back(settings: Settings, peer: PeerSettings) -> RemoteNode:
    """A peer as it is called to hear of what it asked us to commit."""
    return RemoteNode(
        name=peer.name,
        host=peer.commitment_host or "",
        port=peer.commitment_port or 0,
        ae_title=peer.commitment_ae_title or peer.ae_title,
        calling_ae_title=settings.receive.ae_title,
        tls=partners.calling_tls(settings, peer, peer.commitment_host) if peer.tls else None,
    )


def commitment_node(settings: Settings, destination: DestinationSettings) -> RemoteNode | None:
    """A destination as it is asked for commitment; None where it has no DICOM node."""
    if destination.ae_title is None:
        return None
    node = partners.remote_node(settings, destination)
    return replace(
        node,
        port=destination.commitment_port or node.port,
        ae_title=destination.commitment_ae_title or node.ae_title,
    )


def look_in(settings: Settings, archive: ArchiveSettings) -> LookIn:
    """What asks an archive which instances of a series it names, by C-FIND or by QIDO-RS."""
    if archive.url is not None:
        return _search(settings, archive)
    node = partners.remote_node(settings, archive)

    def find(study_instance_uid: str, series_instance_uid: str) -> Collection[str]:
        found = find_instances(node, study_instance_uid, series_instance_uid)
        return {item.sop_instance_uid for item in found}

    return find


def _search(settings: Settings, archive: ArchiveSettings) -> LookIn:
    service = partners.web_service(settings, archive)

    def search(study_instance_uid: str, series_instance_uid: str) -> Collection[str]:
        with open_session(service) as session:
            found = search_instances(session, service, study_instance_uid, series_instance_uid)
        return {item.sop_instance_uid for item in found}

    return search


def _ladder(settings: Settings, item: DestinationSettings) -> Ladder:
    archive = next((each for each in settings.archive if each.name == item.archive), None)
    return Ladder(
        destination=item.name,
        node=commitment_node(settings, item),
        archive=item.archive or "",
        look_in=look_in(settings, archive) if archive else None,
        report_timeout_s=item.commitment_timeout_s,
        maximum_age_s=item.maximum_age_s,
        first_retry_s=item.first_retry_s,
        maximum_retry_s=item.maximum_retry_s,
    )
