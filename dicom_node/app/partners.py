"""The composition root's part on whom we talk to: how each is reached, and how TLS knows it.

Imports of the parts stay inside the functions; see `app`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.errors import SettingsError
from dicom_node.settings.connections import Called, CalledByDicomOrWeb, PartnerTls
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Partner, Settings
from dicom_node.settings.peers import PeerSettings

if TYPE_CHECKING:
    from ssl import SSLContext

    from dicom_node.delivery.destination import Receiver
    from dicom_node.dicomweb.session import WebService
    from dicom_node.hl7.mllp import MllpNode
    from dicom_node.scu.peer import RemoteNode, TlsTrust
    from dicom_node.tls.certificates import CertificateRule
    from dicom_node.tls.profile import Credentials
    from dicom_node.tls.watched import Watched


def receiver(settings: Settings, partner: Called) -> "Receiver":
    """A destination, an archive or a work list as the network sees it, whatever it speaks."""
    if isinstance(partner, CalledByDicomOrWeb) and partner.url is not None:
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
        connect_timeout_s=partner.timeouts.connect_s,
        acse_timeout_s=partner.timeouts.response_s,
        dimse_timeout_s=partner.timeouts.response_s,
        tls=calling_tls(settings, partner, partner.host) if partner.tls else None,
    )


def web_service(settings: Settings, item: CalledByDicomOrWeb) -> "WebService":
    """A destination or an archive as its DICOMweb service.

    Raises:
        SettingsError: it has no url.
    """
    from dicom_node.dicomweb.session import WebService

    if item.url is None:
        raise SettingsError(f"{item.name} has no url")
    own = credentials(settings, item) if item.tls and item.tls.mutual else None
    return WebService(
        name=item.name,
        url=item.url,
        ca=authority(settings, item),
        certificate=own.certificate if own else None,
        key=own.key if own else None,
        user=item.user,
        password=item.password.get_secret_value() if item.password else None,
        bearer_token=item.bearer_token.get_secret_value() if item.bearer_token else None,
        connect_timeout_s=item.timeouts.connect_s,
        timeout_s=item.timeouts.response_s,
    )


def _mllp_node(settings: Settings, item: DestinationSettings) -> "MllpNode":
    from dicom_node.hl7.mllp import MllpNode

    return MllpNode(
        name=item.name,
        host=item.host or "",
        port=item.port or 0,
        application=item.receiving_application,
        facility=item.receiving_facility,
        connect_timeout_s=item.timeouts.connect_s,
        response_timeout_s=item.timeouts.response_s,
        tls=calling_tls(settings, item, item.host) if item.tls else None,
    )


def listening_tls(settings: Settings) -> "Watched[SSLContext]":
    """How the node shows itself on its TLS port; every peer's authority is trusted there.

    Whose certificate is whose is asked later, of `certificate_rule`.

    Raises:
        dicom_node.tls.errors.TlsFileError: a file cannot be used.
    """
    from dicom_node.tls.profile import listening_context

    everybody = [settings.tls.ca, *(peer.tls.ca for peer in settings.peer if peer.tls)]
    trusted = dict.fromkeys(file for file in everybody if file is not None)
    return listening_context(credentials(settings), trusted, settings.tls.crl)


def certificate_rule(settings: Settings, peer: PeerSettings) -> "CertificateRule":
    """Which certificates are a peer's own.

    Raises:
        dicom_node.tls.errors.TlsFileError: its file of authorities cannot be used.
    """
    from dicom_node.tls.certificates import CertificateRule, authorities

    tls = peer.tls or PartnerTls()
    return CertificateRule(
        authorities=authorities(_authority(settings, peer)),
        fingerprints=frozenset(tls.fingerprints),
        name=tls.name,
    )


def calling_tls(settings: Settings, partner: Partner, host: str | None = None) -> "TlsTrust":
    """How a system that we call at `host` is known, and the certificate that we show it.

    Raises:
        dicom_node.tls.errors.TlsFileError: a file cannot be used.
    """
    from dicom_node.scu.peer import TlsTrust
    from dicom_node.tls.profile import calling_context

    tls = partner.tls or PartnerTls()
    context = calling_context(
        credentials(settings, partner),
        [_authority(settings, partner)],
        settings.tls.crl,
        checks_name=bool(tls.name) or not tls.fingerprints,
    )
    return TlsTrust(
        context=context, name=tls.name or host or "", fingerprints=frozenset(tls.fingerprints)
    )


def credentials(settings: Settings, partner: Partner | None = None) -> "Credentials":
    """The certificate that we show, to a partner if it has one of its own, and its key.

    Raises:
        SettingsError: there is none.
    """
    from dicom_node.tls.profile import Credentials

    for tls in (partner.tls if partner else None, settings.tls):
        if tls and tls.certificate and tls.key:
            return Credentials(tls.certificate, tls.key)
    raise SettingsError("TLS needs tls.certificate and tls.key")  # `Settings` sees to it


def authority(settings: Settings, partner: Partner) -> Path | None:
    """The file of the authorities that a partner's certificate is checked against, if any."""
    return (partner.tls and partner.tls.ca) or settings.tls.ca


def _authority(settings: Settings, partner: Partner) -> Path:
    file = authority(settings, partner)
    if file is None:  # `Settings` sees to it
        raise SettingsError(f"{partner.name}: no authority")
    return file
