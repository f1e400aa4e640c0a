"""The composition root of fetching: from the settings of an archive to one that can be asked."""

from collections.abc import Iterator
from contextlib import contextmanager

from dicom_node.app import partners
from dicom_node.app.spools import open_spool
from dicom_node.dicomweb.session import open_session
from dicom_node.intake.keeping import Keeper
from dicom_node.retrieval.archive import Archive, GettingArchive, MovingArchive
from dicom_node.retrieval.carrier import Carrier
from dicom_node.retrieval.web_archive import WebArchive
from dicom_node.scp.upper_layer.private_names import tolerate_real_devices
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.model import Settings
from storage.database.transactions import Database


@contextmanager
def open_archive(
    settings: Settings, archive: ArchiveSettings, database: Database
) -> Iterator[Archive]:
    """An archive, by the way in which it gives studies; open for the length of the block.

    Raises:
        SettingsError, TlsFileError: it cannot be reached as configured.
    """
    tolerate_real_devices()
    if archive.way == "wado":
        with _web_archive(settings, archive, database) as found:
            yield found
        return
    node = partners.remote_node(settings, archive)
    if archive.way == "move":
        yield MovingArchive(
            node,
            standstill_s=archive.retrieve_timeout_s,
            database=database,
            own_ae_title=settings.receive.ae_title,
        )
        return
    yield GettingArchive(
        node,
        standstill_s=archive.retrieve_timeout_s,
        spool=open_spool(settings, database),
        keeper=_keeper(settings, database),
        carrier=_carrier(settings, archive, database),
    )


@contextmanager
def _web_archive(
    settings: Settings, archive: ArchiveSettings, database: Database
) -> Iterator[Archive]:
    service = partners.web_service(settings, archive)
    with open_session(service) as session:
        yield WebArchive(
            service,
            session,
            spool=open_spool(settings, database),
            keeper=_keeper(settings, database),
            carrier=_carrier(settings, archive, database),
        )


def _keeper(settings: Settings, database: Database) -> Keeper:
    return Keeper(
        database,
        open_spool(settings, database),
        pipelines=[pipeline.name for pipeline in settings.pipeline],
    )


def _carrier(settings: Settings, archive: ArchiveSettings, database: Database) -> Carrier:
    return Carrier(
        database=database,
        archive=archive.name,
        own_ae_title=archive.calling_ae_title or settings.receive.ae_title,
        its_ae_title=archive.ae_title or "",
        address=archive.host or archive.url or "",
        quiet_s=settings.completion.quiet_s,
        may_reject=any(
            peer.name == archive.name and "reject" in peer.may for peer in settings.peer
        ),
    )
