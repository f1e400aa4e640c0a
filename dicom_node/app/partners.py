"""The composition root's part on whom we talk to: how each is reached, and how TLS knows it.

Imports of the parts stay inside the functions; see `app`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.errors import SettingsError
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import PeerSettings, Settings
from dicom_node.settings.work_lists import WorkListSettings

if TYPE_CHECKING:
    from ssl import SSLContext

    from dicom_node.delivery.destination import Receiver
    from dicom_node.dicomweb.session import WebService
    from dicom_node.hl7.mllp import MllpNode
    from dicom_node.scu.peer import RemoteNode, TlsTrust
    from dicom_node.tls.certificates import CertificateRule
    from dicom_node.tls.profile import Credentials
    from dicom_node.tls.watched import Watched


#: Systems that the node calls for its studies and reports.
Called = DestinationSettings | ArchiveSettings | WorkListSettings


def receiver(settings: Settings, partner: Called) -> "Receiver":
    """A destination, an archive or a work list as the network sees it, whatever it speaks."""
    if isinstance(partner, WorkListSettings):
        return remote_node(settings, partner)
    if partner.url is not None:
        return web_service(settings, partner)
    if isinstance(partner, DestinationSettings) and partner.protocol == "hl7":
        return _mllp_node(settings, partner)
    return remote_node(settings, partner)


def remote_node(settings: Settings, partner: Called) -> "RemoteNode":
    """A destination, an archive or a work list as the DICOM network sees it.

    Raises:
        SettingsError: it is reached by DICOMweb or speaks HL7.
    """
    from dicom_node.scu.peer import RemoteNode

    if partner.host is None or partner.port is None or partner.ae_title is None:
        raise SettingsError(f"{partner.name} is no DICOM node: it has no AE title")
    return RemoteNode(
        name=partner.name,
        host=partner.host,
        port=partner.port,
        ae_title=partner.ae_title,
        calling_ae_title=partner.calling_ae_title or settings.receive.ae_title,
        connect_timeout_s=partner.connect_timeout_s,
        acse_timeout_s=partner.response_timeout_s,
        dimse_timeout_s=partner.response_timeout_s,
        tls=calling_tls(settings, partner, partner.host) if partner.tls else None,
    )


def web_service(settings: Settings, item: DestinationSettings | ArchiveSettings) -> "WebService":
    """A destination or an archive as its DICOMweb service.

    Raises:
        SettingsError: it has no url.
    """
    from dicom_node.dicomweb.session import WebService

    if item.url is None:
        raise SettingsError(f"{item.name} has no url")
    own = credentials(settings) if item.tls else None
    return WebService(
        name=item.name,
        url=item.url,
        ca=item.tls_ca or settings.tls.ca,
        certificate=own.certificate if own else None,
        key=own.key if own else None,
        user=item.user,
        password=item.password.get_secret_value() if item.password else None,
        bearer_token=item.bearer_token.get_secret_value() if item.bearer_token else None,
        connect_timeout_s=item.connect_timeout_s,
        timeout_s=item.response_timeout_s,
    )


def _mllp_node(settings: Settings, item: DestinationSettings) -> "MllpNode":
    from dicom_node.hl7.mllp import MllpNode

    return MllpNode(
        name=item.name,
        host=item.host or "",
        port=item.port or 0,
        application=item.receiving_application,
        facility=item.receiving_facility,
        connect_timeout_s=item.connect_timeout_s,
        response_timeout_s=item.response_timeout_s,
        tls=calling_tls(settings, item, item.host) if item.tls else None,
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
    return listening_context(credentials(settings), trusted, settings.tls.crl)


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


def calling_tls(
    settings: Settings,
    destination: DestinationSettings | ArchiveSettings | WorkListSettings | PeerSettings,
    host: str | None = None,
) -> "TlsTrust":
    """How somebody that we call at `host` is known, and how we show us.

    Raises:
        dicom_node.tls.errors.TlsFileError: a file cannot be used.
    """
    from dicom_node.scu.peer import TlsTrust
    from dicom_node.tls.profile import calling_context

    is_pinned = bool(destination.tls_fingerprints)
    context = calling_context(
        credentials(settings),
        [_authority(settings, destination)],
        settings.tls.crl,
        checks_name=bool(destination.tls_name) or not is_pinned,
    )
    return TlsTrust(
        context=context,
        name=destination.tls_name or host or "",
        fingerprints=frozenset(destination.tls_fingerprints),
    )


def credentials(settings: Settings) -> "Credentials":
    """The certificate that we show, and its key.

    Raises:
        SettingsError: there is none.
    """
    from dicom_node.tls.profile import Credentials

    certificate, key = settings.tls.certificate, settings.tls.key
    if certificate is None or key is None:  # `Settings` sees to it
        raise SettingsError("TLS needs tls.certificate and tls.key")
    return Credentials(certificate, key)


def _authority(
    settings: Settings,
    partner: PeerSettings | DestinationSettings | ArchiveSettings | WorkListSettings,
) -> Path:
    file = partner.tls_ca or settings.tls.ca
    if file is None:  # `Settings` sees to it
        raise SettingsError(f"{partner.name}: no authority")
    return file
