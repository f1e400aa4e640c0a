"""Which deliveries a success at their destination wakes."""

from dicom_node.delivery.waking import Waking


def test_what_fails_while_nothing_gets_through_waits_for_the_destination() -> None:
    waking = Waking()
    for _ in range(3):
        waking.failed(1, never_reached=False)
    assert not waking.not_woken


def test_what_fails_again_after_others_were_sent_has_a_reason_of_its_own() -> None:
    waking = Waking()
    waking.failed(1, never_reached=False)
    waking.sent(2)
    assert not waking.not_woken
    waking.failed(1, never_reached=False)
    assert set(waking.not_woken) == {1}


def test_what_was_never_reached_is_not_to_blame() -> None:
    waking = Waking()
    waking.failed(1, never_reached=True)
    waking.sent(2)
    waking.failed(1, never_reached=True)
    assert not waking.not_woken


def test_what_ended_is_forgotten() -> None:
    waking = Waking()
    for end in (waking.sent, waking.ended):
        waking.failed(1, never_reached=False)
        waking.sent(2)
        waking.failed(1, never_reached=False)
        end(1)
        assert not waking.not_woken
