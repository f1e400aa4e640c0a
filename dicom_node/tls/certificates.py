"""Certificates: read from PEM, described to an operator, and told apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256

from dicom_node.tls.errors import TlsFileError
from dicom_node.tls.watched import Watched
from inference.regular_files import read_regular

#: Far above the authorities of a whole operating system.
_LARGEST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Description:
    """A certificate as an operator knows it; `fingerprint` is SHA-256 in hexadecimal.

    `file` is None where a system showed it.
    """

    file: Path | None
    subject: str
    issuer: str
    names: str
    expires_at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRule:
    """Which certificates are a system's own; every condition that is given must hold.

    It must be one of `authorities` or issued by one of them directly (an intermediate authority
    stands there too); `fingerprints` pin it; `name` is its common name or one of its DNS names.
    """

    authorities: Watched[tuple[x509.Certificate, ...]]
    fingerprints: frozenset[str] = frozenset()
    name: str | None = None

    def accepts(self, der: bytes) -> bool:
        """Whether a certificate that TLS has verified is this system's."""
        try:
            certificate = x509.load_der_x509_certificate(der)
            carried = names(certificate)
        except ValueError:  # OpenSSL is more lenient about what a certificate may look like
            return False
        if self.fingerprints and fingerprint(certificate) not in self.fingerprints:
            return False
        if self.name is not None and self.name.lower() not in carried:
            return False
        return any(_vouches(known, certificate) for known in self.authorities.current())


def read_certificates(file: Path) -> tuple[x509.Certificate, ...]:
    """Every certificate of a PEM file.

    Raises:
        TlsFileError: it cannot be read or holds none.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(read_regular(file, _LARGEST_BYTES)))
    except OSError as error:
        raise TlsFileError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    except ValueError:
        raise TlsFileError(f"{file}: holds no PEM certificate") from None


def authorities(file: Path) -> Watched[tuple[x509.Certificate, ...]]:
    """The certificates of a file of authorities, as they are now.

    Raises:
        TlsFileError: it cannot be read or holds none.
    """
    return Watched([file], lambda: read_certificates(file))


def describe(file: Path) -> list[Description]:
    """Each certificate of a PEM file.

    Raises:
        TlsFileError: it cannot be read or holds none.
    """
    return [_described(each, file) for each in read_certificates(file)]


def describe_shown(der: bytes) -> Description | None:
    """A certificate (DER) as a system showed it; None where it is malformed."""
    try:
        return _described(x509.load_der_x509_certificate(der), None)
    except ValueError:  # OpenSSL is more lenient about what a certificate may look like
        return None


def _described(certificate: x509.Certificate, file: Path | None) -> Description:
    return Description(
        file=file,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=", ".join(sorted(names(certificate))),
        expires_at=certificate.not_valid_after_utc,
        fingerprint=fingerprint(certificate),
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the whole certificate, lower case hexadecimal without colons."""
    return certificate.fingerprint(SHA256()).hex()


def names(certificate: x509.Certificate) -> frozenset[str]:
    """Common names, DNS names and addresses, in lower case.

    Raises:
        ValueError: the certificate is malformed.
    """
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    found: Iterable[object] = [attribute.value for attribute in common]
    try:
        other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset(str(name).lower() for name in found)
    found = [
        *found,
        *other.get_values_for_type(x509.DNSName),
        *other.get_values_for_type(x509.IPAddress),
    ]
    return frozenset(str(name).lower() for name in found)


def _vouches(known: x509.Certificate, certificate: x509.Certificate) -> bool:
    if known == certificate:
        return True
    try:
        certificate.verify_directly_issued_by(known)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
