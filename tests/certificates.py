"""Certificates for tests: an authority, the node's and whoever else's, as files."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dicom_node.tls.authority import KeyPair, issue, make_authority
from dicom_node.tls.certificates import (
    CertificateRule,
    authorities,
    fingerprint,
    read_certificates,
)
from dicom_node.tls.profile import Credentials


@dataclass(frozen=True)
class Authority:
    """An authority with its files in a folder of its own."""

    folder: Path
    pair: KeyPair

    @classmethod
    def at(cls, folder: Path) -> "Authority":
        folder.mkdir(parents=True)
        pair = make_authority(folder.name)
        pair.write(folder, "ca")
        return cls(folder, pair)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, now: datetime | None = None, stem: str = "") -> Credentials:
        pair = issue(self.pair, name, ["127.0.0.1"], now)
        return Credentials(*pair.write(self.folder, stem or name))

    def rule(self, *credentials: Credentials, name: str | None = None) -> CertificateRule:
        """What makes a certificate a peer's: that it is ours, and these pins or this name."""
        pins = frozenset(pin_of(each) for each in credentials)
        return CertificateRule(authorities=authorities(self.ca), fingerprints=pins, name=name)


def pin_of(credentials: Credentials) -> str:
    [certificate] = read_certificates(credentials.certificate)
    return fingerprint(certificate)
