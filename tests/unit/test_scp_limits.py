"""How many connections and associations one peer, or one address, may have."""

import pytest

from dicom_node.scp.limits import AssociationRate, share_of_one_peer
from dicom_node.scp.upper_layer.waiting import WaitingRoom
from tests.scp_listening import peer


def test_a_peer_opens_a_minutes_worth_at_once_and_then_at_its_rate() -> None:
    now = 0.0
    rate = AssociationRate(lambda: now)
    cart = peer("CART", associations_per_minute=6)
    assert [rate.grants(cart) for _ in range(7)] == [True] * 6 + [False]
    now = 9.9
    assert not rate.grants(cart)
    now = 10.1
    assert [rate.grants(cart) for _ in range(2)] == [True, False]
    now = 10_000
    assert [rate.grants(cart) for _ in range(7)] == [True] * 6 + [False]


def test_one_peer_does_not_use_up_what_another_may() -> None:
    rate = AssociationRate(lambda: 0.0)
    greedy, modest = (peer(title, associations_per_minute=1) for title in ("A", "B"))
    assert [rate.grants(greedy) for _ in range(3)] == [True, False, False]
    assert rate.grants(modest)


def test_without_a_limit_there_is_none() -> None:
    rate = AssociationRate(lambda: 0.0)
    assert all(rate.grants(peer("CART")) for _ in range(1000))


def test_where_all_places_are_taken_the_oldest_of_the_greediest_address_goes() -> None:
    room = WaitingRoom[str](most=4)
    assert [room.enter(f"cart {n}", "cart") for n in range(2)] == [None, None]
    assert [room.enter(f"scan {n}", "scanner") for n in range(2)] == [None, None]
    assert room.enter("scan 2", "scanner") == "cart 0", "equally many: the oldest of all"
    assert room.enter("cart 2", "cart") == "scan 0"
    room.leave("cart 2")
    assert room.enter("cart 3", "cart") is None
    assert room.enter("scan 3", "scanner") == "cart 1"


@pytest.mark.parametrize(("maximum", "share"), [(1, 1), (2, 1), (4, 3), (32, 24), (100, 75)])
def test_one_peer_leaves_a_quarter_of_the_places_to_others(maximum: int, share: int) -> None:
    assert share_of_one_peer(maximum) == share
