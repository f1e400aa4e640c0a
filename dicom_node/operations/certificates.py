"""The certificates that the settings name."""

from datetime import UTC, datetime
from pathlib import Path

from dicom_node.settings.model import Settings


def own_certificate_files(settings: Settings) -> list[Path]:
    """The files of the certificates that the node shows to others."""
    given = [settings.tls, *(item.tls for item in settings.partners)]
    return list(dict.fromkeys(tls.certificate for tls in given if tls and tls.certificate))


def certificate_files(settings: Settings) -> list[Path]:
    """Every file of certificates that the settings name."""
    given = [settings.tls, *(item.tls for item in settings.partners)]
    authorities = [tls.ca for tls in given if tls and tls.ca]
    return list(dict.fromkeys([*own_certificate_files(settings), *authorities]))


def days_left(expires_at: datetime) -> int:
    """Whole days until a moment; negative once it is over."""
    return (expires_at - datetime.now(UTC)).days
