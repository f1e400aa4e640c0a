"""Who is known, and from where."""

from ipaddress import ip_network

import pytest

from dicom_node.scp.peers import PeerTable, plain_title
from dicom_node.scp.rejections import ADDRESS_DENIED, CALLING_UNKNOWN
from tests.scp_listening import peer


def test_a_peer_is_known_by_its_title_and_its_address() -> None:
    cart = peer("CART", networks=(ip_network("10.1.2.0/24"),))
    table = PeerTable([cart])
    assert table.find("CART", "10.1.2.3") is cart
    assert table.find("CART", "10.1.3.3") is None
    assert table.find("OTHER", "10.1.2.3") is None
    assert table.why_denied("CART", "10.1.3.3") is ADDRESS_DENIED
    assert table.why_denied("OTHER", "10.1.2.3") is CALLING_UNKNOWN


def test_nobody_is_known_to_an_empty_table() -> None:
    assert PeerTable([]).find("CART", "127.0.0.1") is None


def test_two_machines_may_share_a_title() -> None:
    one = peer("CART", name="one", networks=(ip_network("10.0.0.1/32"),))
    two = peer("CART", name="two", networks=(ip_network("fd00::2/128"),))
    table = PeerTable([one, two])
    assert table.find("CART", "fd00::2") is two
    assert table.find("CART", "10.0.0.1") is one


def test_an_ipv4_peer_of_a_dual_stack_socket_is_recognised() -> None:
    cart = peer("CART", networks=(ip_network("10.0.0.1/32"),))
    table = PeerTable([cart])
    assert table.find("CART", "::ffff:10.0.0.1") is cart


def test_a_link_local_address_may_name_its_interface() -> None:
    cart = peer("CART", networks=(ip_network("fe80::/10"),))
    table = PeerTable([cart])
    assert table.find("CART", "fe80::1%eth0") is cart


@pytest.mark.parametrize("sent", ["CART", " CART ", "CART\0\0\0\0", "CART \0", "\tCART\r\n"])
def test_padding_of_real_devices_does_not_matter(sent: str) -> None:
    assert plain_title(sent) == "CART"


def test_titles_are_case_sensitive() -> None:
    assert PeerTable([peer("CART")]).find("cart", "127.0.0.1") is None
