"""Trying the systems that the node works with: whether they answer, and step by step."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

from dicom_node import app
from dicom_node.app import partners
from dicom_node.app.ladders import called_back, commitment_node, look_in
from dicom_node.dicomweb.session import WebService
from dicom_node.errors import NodeError, OrderError
from dicom_node.hl7.mllp import MllpNode
from dicom_node.operations.health.commitment import reporter
from dicom_node.peer_doctor import doctor
from dicom_node.peer_doctor.incoming import KnownPeer, examine_peer
from dicom_node.peer_doctor.reporting import examine_reports
from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.peer_doctor.synthetic import synthetic_study
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.connections import Called
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from dicom_node.settings.peers import PeerSettings
from storage.audit import trail
from storage.database.transactions import Database

#: How far back refused reports are looked for.
_RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether a system answered; `detail` is a sentence for an administrator."""

    ok: bool
    duration_s: float
    detail: str


def echo(settings: Settings, name: str | None = None) -> dict[str, Answered]:
    """Ask a destination, archive or work list, or all of them, whether they answer.

    Nothing is stored there.

    Raises:
        OrderError: the settings have none of this name.
    """
    everybody: dict[str, Called] = {item.name: item for item in settings.destination}
    everybody |= {f"archive {item.name}": item for item in settings.archive}
    everybody |= {f"work list {item.name}": item for item in settings.work_list}
    wanted = {who: item for who, item in everybody.items() if name in (None, item.name)}
    if not wanted:
        names = ", ".join(dict.fromkeys(item.name for item in everybody.values()))
        raise OrderError(
            f"no destination, archive or work list is named {name!r}; "
            f"known: {names or 'none configured'}"
        )
    return {who: _answered(settings, item) for who, item in wanted.items()}


def _answered(settings: Settings, item: Called) -> Answered:
    from dicom_node.delivery.reaching import reach

    started = time.monotonic()
    try:
        ok, detail = True, reach(partners.receiver(settings, item))
    except NodeError as error:
        ok, detail = False, str(error)
    return Answered(ok, time.monotonic() - started, detail)


def examinations(
    settings: Settings, database: Database, name: str, sends: bool
) -> Iterator[tuple[str, Steps]]:
    """Each destination, archive and peer of this name, with the steps of its examination.

    Raises:
        OrderError: the settings have none.
    """
    known = [item.name for item in settings.destination]
    known += [item.name for item in settings.archive]
    known += [item.name for item in settings.peer]
    if name not in known:
        names = ", ".join(dict.fromkeys(known)) or "none configured"
        raise OrderError(f"no peer or destination is named {name!r}; known: {names}")
    for destination in settings.destination:
        if destination.name == name:
            yield f"destination {name}", _destination(settings, database, destination, sends=sends)
    for archive in settings.archive:
        if archive.name == name:
            yield f"archive {name}", _archive(settings, archive)
    for peer in settings.peer:
        if peer.name == name:
            yield f"peer {name}", _peer(settings, database, peer)
            if peer.commitment_host:
                node = called_back(settings, peer)
                yield f"peer {name}, called back", doctor.examine_called_back(node)


def record_examination(
    database: Database, who: str, name: str, steps: Sequence[Step], *, sent: bool
) -> int:
    """Leave in the audit who examined what, and how it went; how many steps failed."""
    failed = sum(step.verdict is Verdict.FAILS for step in steps)
    event = trail.Event(
        action=trail.Action.PEER_EXAMINED,
        at=datetime.now(UTC),
        outcome="failure" if failed else "success",
        actor=who,
        peer=name,
        detail={"command": "peer doctor", "sent": sent, "steps": len(steps), "failed": failed},
    )
    with database.write() as tx:
        trail.record(tx, event)
    return failed


def _destination(
    settings: Settings, database: Database, item: DestinationSettings, *, sends: bool
) -> Steps:
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
    return chain(doctor.examine_node(receiver, trial), _reports(settings, database, item))


def _reports(settings: Settings, database: Database, item: DestinationSettings) -> Steps:
    asked = reporter(settings, item)
    if asked is None:
        return
    since = datetime.now(UTC) - _RECENT
    with database.read() as tx:
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


def _peer(settings: Settings, database: Database, item: PeerSettings) -> Steps:
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
    with database.read() as tx:
        yield from examine_peer(tx, known)
