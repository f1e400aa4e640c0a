"""Is it safe? Certificates, secrets on disk, who we run as."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dicom_node.app import partners
from dicom_node.errors import NodeError
from dicom_node.operations.certificates import certificate_files, days_left, own_certificate_files
from dicom_node.settings.model import Partner, Settings
from dicom_node.settings.peers import PeerSettings
from storage.database.transactions import sqlite_file
from storage.files.folders import open_to_others

#: How long before its end a certificate is to be renewed, in days.
_RENEWAL_DAYS = 30


def expiring(settings: Settings) -> Iterator[tuple[Path, str, bool]]:
    """Each certificate that has ended or will within 30 days, words for it, and what is broken.

    Our own that has ended is: everybody refuses it. Of authorities another may be in use.

    Raises:
        TlsFileError: a file cannot be read.
    """
    from dicom_node.tls.certificates import describe

    own = own_certificate_files(settings)
    for file in certificate_files(settings):
        for found in describe(file):
            days = days_left(found.expires_at)
            if days >= _RENEWAL_DAYS:
                continue
            whose = "our own certificate" if file in own else "certificate"
            verb = "expired" if days < 0 else "expires"
            words = f"{whose} {found.subject} {verb} on {found.expires_at:%Y-%m-%d}: renew it"
            yield file, words, days < 0 and file in own


def check_tls(settings: Settings) -> str:
    """Load every file as the processes do.

    Raises:
        NodeError: files of some systems cannot be used; the message names each.
    """
    faults = dict.fromkeys(_tls_faults(settings))
    if faults:
        raise NodeError("; ".join(faults))
    plain = dict.fromkeys(item.name for item in settings.partners if not item.is_encrypted)
    return f"files good; in plain text: {', '.join(plain) or 'none'}"


def _tls_faults(settings: Settings) -> Iterator[str]:
    # No dictionary: a destination and an archive may have the same name.
    looks: list[tuple[str, Callable[[], object]]] = [
        (item.name, partial(_load, settings, item))
        for item in settings.partners
        if item.is_encrypted
    ]
    if settings.receive.tls_port:
        looks.insert(0, ("[tls]", partial(partners.listening_tls, settings)))
    for name, look in looks:
        try:
            look()
        except NodeError as error:
            yield f"{name}: {error}"


def _load(settings: Settings, item: Partner) -> None:
    """Load the files by which the node and one system know each other."""
    from dicom_node.tls.certificates import authorities

    if isinstance(item, PeerSettings):
        partners.certificate_rule(settings, item)
        is_called = item.commitment_host is not None
    else:
        is_called = item.tls is not None and item.tls.mutual
    if is_called:
        partners.calling_tls(settings, item)
    elif ca := partners.authority(settings, item):
        authorities(ca)


def open_files(settings: Settings) -> Iterator[str]:
    """Words for each place of patients' data that every user of this machine may read."""
    places = [settings.spool_dir / name for name in ("objects", "incoming")]
    if (database := sqlite_file(settings.database_url)) is not None:
        places.append(database)
    for path in open_to_others(places):
        yield f"every user of this machine may read {path}: chmod o= {path}"


def user_warning() -> str | None:
    """Words for running as root; the service is to run as a user of its own."""
    return "this is root: run the service as a user of its own" if os.geteuid() == 0 else None
