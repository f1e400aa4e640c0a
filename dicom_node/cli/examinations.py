"""Which systems of the settings a name means, and how each is examined."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain

from dicom_node import app
from dicom_node.app import partners
from dicom_node.app.commitment import called_back, commitment_node, look_in
from dicom_node.cli.commitment_checks import reporter
from dicom_node.dicomweb.session import WebService
from dicom_node.hl7.mllp import MllpNode
from dicom_node.peer_doctor import doctor
from dicom_node.peer_doctor.incoming import KnownPeer, examine_peer
from dicom_node.peer_doctor.reporting import examine_reports
from dicom_node.peer_doctor.steps import Steps
from dicom_node.peer_doctor.synthetic import synthetic_study
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from dicom_node.settings.peers import PeerSettings

#: How far back refused reports are looked for.
_RECENT = timedelta(days=7)


def examinations(settings: Settings, name: str, *, sends: bool) -> Iterator[tuple[str, Steps]]:
    """Each destination, archive and peer of this name, with the steps of its examination."""
    for destination in settings.destination:
        if destination.name == name:
            yield f"destination {name}", _destination(settings, destination, sends=sends)
    for archive in settings.archive:
        if archive.name == name:
            yield f"archive {name}", _archive(settings, archive)
    for peer in settings.peer:
        if peer.name == name:
            yield f"peer {name}", _peer(settings, peer)
            if peer.commitment_host:
                node = called_back(settings, peer)
                yield f"peer {name}, called back", doctor.examine_called_back(node)


def known_names(settings: Settings) -> list[str]:
    """Every name that can be examined, once."""
    names = [item.name for item in settings.destination]
    names += [item.name for item in settings.archive]
    names += [item.name for item in settings.peer]
    return list(dict.fromkeys(names))


def _destination(settings: Settings, item: DestinationSettings, *, sends: bool) -> Steps:
    receiver = partners.receiver(settings, item)
    if isinstance(receiver, MllpNode):
        return doctor.examine_mllp(receiver)
    archive = _asked(settings, item)
    trial = doctor.Trial(
        study=synthetic_study(app.node_identity(settings), datetime.now(UTC)),
        kinds=frozenset(item.kinds),
        sends=sends,
        commitment=commitment_node(settings, item),
        must_commit=item.climb_to == "committed",
        find=look_in(settings, archive) if archive else None,
        web=_service(settings, item, archive),
    )
    if isinstance(receiver, WebService):
        return doctor.examine_service(receiver, trial)
    return chain(doctor.examine_node(receiver, trial), _reports(settings, item))


def _reports(settings: Settings, item: DestinationSettings) -> Steps:
    asked = reporter(settings, item)
    if asked is None:
        return
    since = datetime.now(UTC) - _RECENT
    with closing(app.open_database(settings)) as database, database.read() as tx:
        yield from examine_reports(tx, asked, since)


def _asked(settings: Settings, item: DestinationSettings) -> ArchiveSettings | None:
    """The archive that names what a destination took: the one it has, or one of its own name."""
    names = (item.archive, item.name)
    return next((archive for archive in settings.archive if archive.name in names), None)


def _service(
    settings: Settings, item: DestinationSettings, archive: ArchiveSettings | None
) -> WebService | None:
    """The DICOMweb service through which a destination's objects can be deleted."""
    receiver = partners.receiver(settings, item)
    if isinstance(receiver, WebService):
        return receiver
    return partners.web_service(settings, archive) if archive and archive.url else None


def _archive(settings: Settings, item: ArchiveSettings) -> Steps:
    if item.url is not None:
        return doctor.examine_archive_service(partners.web_service(settings, item))
    return doctor.examine_archive(partners.remote_node(settings, item), item.way)


def _peer(settings: Settings, item: PeerSettings) -> Steps:
    receive = settings.receive
    port = receive.tls_port if item.tls else receive.port
    known = KnownPeer(
        name=item.name,
        ae_title=item.ae_title,
        networks=item.networks,
        may=item.may,
        called=f"AE title {receive.ae_title}, port {port}",
        tls=item.is_encrypted,
        tls_name=item.tls.name if item.tls else None,
        tls_fingerprints=item.tls.fingerprints if item.tls else (),
        tls_ca=partners.authority(settings, item) if item.tls else None,
    )
    with closing(app.open_database(settings)) as database, database.read() as tx:
        yield from examine_peer(tx, known)
