"""Section 5: what the node answers, and what it makes of the answers of others."""

from collections.abc import Callable, Iterator
from itertools import groupby

from dicom_node.conformance.described import described
from dicom_node.conformance.document import Section, Table
from dicom_node.delivery.best_rendition import MOST_REFUSALS
from dicom_node.intake import statuses as c_store
from dicom_node.scp import services as dimse_n
from dicom_node.scu.statuses import SOP_CLASS_NOT_SUPPORTED, means_stored

_ECHO = (
    'A C-ECHO is answered with 0x0000; with 0x0124 where the peer has not the right "echo"; with '
    "0x0110 where the node could not store now."
)
_DIMSE_N = (
    "A DIMSE-N request is answered with 0x0000 once what it brings is durable, else by this table."
)
_NOT_DELIVERED = (
    "Without a response, or without an association, the object is retried too, at growing "
    "intervals, until it is too old. Where the destination accepts no presentation context "
    "for it, the delivery fails until an administrator acts. A response to another Message ID, or "
    "that names another SOP Instance UID, does not count as a response."
)
_NEXT_FORM = (
    f"A report that is refused with 0x{SOP_CLASS_NOT_SUPPORTED:04X} goes at once in the next SOP "
    f"class that was accepted; with another status, but for 0xA7xx, after {MOST_REFUSALS} refusals."
)
_STOW = (
    "What the service lists in Failed SOP Sequence has failed whatever its Failure Reason; what it "
    "lists in Referenced SOP Sequence is delivered, a Warning Reason included. HTTP 201 without "
    "either counts as delivered. After any other 2xx without either, and after the reason that the "
    "instance exists, the service is searched (QIDO-RS): delivered if it lists the instance, else "
    "tried again. HTTP 400, 409, 415 and 422 are refusals of the object as in C-STORE."
)
_ALL = range(0x10000)


def statuses() -> Section:
    """Status codes of every service."""
    store = described(c_store, "C-STORE response statuses")
    others = described(dimse_n, "DIMSE-N response statuses")
    return Section(
        "Status codes",
        sections=(
            Section("Verification as SCP", (_ECHO,)),
            Section("Storage as SCP", (store,)),
            Section("Other services as SCP", (_DIMSE_N, others)),
            Section("Storage as SCU", (_means(), _NOT_DELIVERED, _NEXT_FORM)),
            Section("Store transaction (STOW-RS), user agent", (_STOW,)),
        ),
    )


def _means() -> Table:
    rows = [
        (_ranges(means_stored), "the object is delivered"),
        ("every other status", "it is tried again, see section 6"),
    ]
    return Table("What a C-STORE response status means", ("Status", "The node's behaviour"), rows)


def _ranges(holds: Callable[[int], bool]) -> str:
    return ", ".join(_range(first, last) for first, last in _runs(holds))


def _runs(holds: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    for is_held, group in groupby(_ALL, holds):
        if is_held:
            first, *rest = group
            yield first, rest[-1] if rest else first


def _range(first: int, last: int) -> str:
    return f"0x{first:04X}" if first == last else f"0x{first:04X} to 0x{last:04X}"
