"""Memory stays bounded while a large object is sent."""

from threading import Event, Thread
from typing import Any

from pynetdicom.pdu_primitives import A_ABORT, P_DATA

from dicom_node.scu.backlog import MAXIMUM_PDUS, Backlog


def reactor() -> tuple[Any, Event]:
    """A thread that lives until told to end."""
    end = Event()
    thread = Thread(target=end.wait)
    thread.start()
    return thread, end


def test_a_full_backlog_holds_data_back_until_some_was_sent() -> None:
    thread, end = reactor()
    backlog = Backlog(thread)
    for _ in range(MAXIMUM_PDUS):
        backlog.put(P_DATA())
    one_more = Thread(target=backlog.put, args=(P_DATA(),))
    one_more.start()
    one_more.join(0.3)
    assert one_more.is_alive()
    backlog.get()
    one_more.join(1)
    assert not one_more.is_alive()
    assert backlog.qsize() == MAXIMUM_PDUS
    end.set()


def test_an_abort_never_waits() -> None:
    thread, end = reactor()
    backlog = Backlog(thread)
    for _ in range(MAXIMUM_PDUS):
        backlog.put(P_DATA())
    backlog.put(A_ABORT())
    assert backlog.qsize() == MAXIMUM_PDUS + 1
    end.set()


def test_nobody_waits_for_a_reactor_that_ended() -> None:
    thread, end = reactor()
    end.set()
    thread.join()
    backlog = Backlog(thread)
    for _ in range(MAXIMUM_PDUS + 1):
        backlog.put(P_DATA())
    assert backlog.qsize() == MAXIMUM_PDUS
