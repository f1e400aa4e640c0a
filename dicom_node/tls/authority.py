"""A small certificate authority, for trials and for sites without one of their own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from dicom_node.tls.errors import TlsFileError

AUTHORITY_DAYS = 3650
#: What public authorities may issue for at most, and long enough for a trial.
CERTIFICATE_DAYS = 397
#: Clocks of carts are not exact.
_SLACK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write `stem`.pem and `stem`.key (mode 0600); the two paths.

        Raises:
            TlsFileError: one of them exists already, or the folder cannot be written.
        """
        secret = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        _write_new(key, secret, 0o600)
        _write_new(certificate, self.certificate.public_bytes(Encoding.PEM), 0o644)
        return certificate, key


def make_authority(common_name: str, now: datetime | None = None) -> KeyPair:
    """A new authority that signs itself; it issues no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = _builder(name, name, key, now or datetime.now(UTC), AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return KeyPair(builder.sign(key, SHA256()), key)


def issue(
    authority: KeyPair, common_name: str, hosts: Sequence[str] = (), now: datetime | None = None
) -> KeyPair:
    """A certificate for a system that calls and is called; `hosts` are DNS names or addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    builder = _builder(
        _name(common_name), issuer.subject, key, now or datetime.now(UTC), CERTIFICATE_DAYS
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
        critical=False,
    )
    builder = builder.add_extension(
        x509.SubjectAlternativeName([_general_name(host) for host in (common_name, *hosts)]),
        critical=False,
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
        critical=False,
    )
    return KeyPair(builder.sign(authority.key, SHA256()), key)


def revoke(authority: KeyPair, revoked: Sequence[x509.Certificate]) -> bytes:
    """The authority's revocation list in PEM, good for as long as a certificate."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - _SLACK)
        .next_update(now + timedelta(days=CERTIFICATE_DAYS))
    )
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(now - _SLACK)
            .build()
        )
    return builder.sign(authority.key, SHA256()).public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_new(file: Path, data: bytes, mode: int) -> None:
    """Write a file that must not exist, never readable by more than `mode` says."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise TlsFileError(f"{file} exists and is not replaced") from None
    except OSError as error:
        raise TlsFileError(f"{file}: {(error.strerror or 'cannot be written').lower()}") from None
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)
