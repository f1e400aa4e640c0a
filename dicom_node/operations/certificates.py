"""The certificates that the settings name."""

from datetime import UTC, datetime
from pathlib import Path

from dicom_node.settings.model import Settings
from dicom_node.settings.section import TlsPartner


def own_certificate_files(settings: Settings) -> list[Path]:
    """The files of the certificates that the node shows to others."""
    given = [settings.tls.certificate, *(item.certificate for item in settings.audit_repository)]
    return list(dict.fromkeys(file for file in given if file is not None))


def certificate_files(settings: Settings) -> list[Path]:
    """Every file of certificates that the settings name."""
    partners: list[TlsPartner] = [*settings.peer, *settings.destination]
    partners += [*settings.archive, *settings.work_list]
    given = [settings.tls.ca, *(item.tls_ca for item in partners)]
    given += [item.ca for item in settings.audit_repository]
    authorities = [file for file in given if file is not None]
    return list(dict.fromkeys([*own_certificate_files(settings), *authorities]))


def days_left(expires_at: datetime) -> int:
    """Whole days until a moment; negative once it is over."""
    return (expires_at - datetime.now(UTC)).days
