"""Certificates on disk: made, told apart, watched, and refused where they are no good."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from dicom_node.tls.certificates import describe, names, read_certificates
from dicom_node.tls.errors import TlsFileError
from dicom_node.tls.profile import Credentials, listening_context
from dicom_node.tls.watched import Watched
from tests.certificates import Authority, pin_of


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.at(tmp_path / "authority")


def der(credentials: Credentials) -> bytes:
    [certificate] = read_certificates(credentials.certificate)
    return certificate.public_bytes(Encoding.DER)


def test_a_certificate_is_a_systems_own_by_authority_name_and_pin(
    tmp_path: Path, authority: Authority
) -> None:
    cart, other = authority.issue("cart"), authority.issue("other")
    foreign = Authority.at(tmp_path / "foreign").issue("cart")
    shown = [der(each) for each in (cart, other, foreign)]
    assert [authority.rule().accepts(each) for each in shown] == [True, True, False]
    assert [authority.rule(name="CART").accepts(each) for each in shown] == [True, False, False]
    assert [authority.rule(other).accepts(each) for each in shown] == [False, True, False]
    assert [authority.rule(foreign).accepts(each) for each in shown] == [False] * 3
    assert not authority.rule().accepts(b"no certificate")


def test_keys_are_closed_to_others_and_nothing_is_replaced(authority: Authority) -> None:
    cart = authority.issue("cart")
    assert cart.key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TlsFileError, match="exists and is not replaced"):
        authority.issue("cart")


def test_a_certificate_is_described(authority: Authority) -> None:
    cart = authority.issue("cart")
    [found] = describe(cart.certificate)
    assert (found.subject, found.issuer) == ("CN=cart", "CN=authority")
    assert found.fingerprint == pin_of(cart)
    [certificate] = read_certificates(cart.certificate)
    assert names(certificate) == {"cart", "127.0.0.1"}


def test_a_key_that_others_may_read_is_refused_with_the_remedy(authority: Authority) -> None:
    node = authority.issue("node")
    node.key.chmod(0o644)
    with pytest.raises(TlsFileError, match="chmod o="):
        listening_context(node, [authority.ca])


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        ("cart.pem", "node.key", "key values mismatch"),
        ("cart.key", "cart.key", "cart.key"),
        ("none.pem", "cart.key", "no such file"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(
    authority: Authority, certificate: str, key: str, says: str
) -> None:
    authority.issue("cart")
    authority.issue("node")
    with pytest.raises(TlsFileError, match=says):
        listening_context(
            Credentials(authority.folder / certificate, authority.folder / key), [authority.ca]
        )


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(authority: Authority) -> None:
    node = authority.issue("node")
    locked = authority.pair.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    node.key.write_bytes(locked)
    with pytest.raises(TlsFileError):
        listening_context(node, [authority.ca])


def test_a_changed_file_is_read_anew_and_a_broken_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text("1")

    def load() -> int:
        try:
            return int(file.read_text())
        except (OSError, ValueError):
            raise TlsFileError("no number") from None

    watched = Watched([file], load)
    assert watched.current() == 1
    file.write_text("two")
    assert watched.current() == 1
    file.unlink()
    assert watched.current() == 1
    file.write_text("3")
    assert watched.current() == 3
    file.unlink()
    with pytest.raises(TlsFileError):
        Watched([file], load)
