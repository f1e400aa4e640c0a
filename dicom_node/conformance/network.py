"""Section 7: how associations are accepted and initiated."""

from dicom_node.conformance.document import Section, Table
from dicom_node.conformance.facts import Facts
from dicom_node.scp import rejections
from dicom_node.scp.offered import implementation
from dicom_node.scp.rejections import Rejection

#: PS3.8 table 9-21.
_RESULTS = {1: "rejected permanent", 2: "rejected transient"}
_SOURCES = {
    1: "UL service user",
    2: "UL service provider (ACSE)",
    3: "UL service provider (presentation)",
}
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_REJECTION = ("Result", "Source", "Reason", "When")

_WHO = (
    "Only peers that are configured are let in, known by their calling AE title, their network "
    "address and, over TLS, their certificate; they must call the node by its AE title. Each peer "
    "has rights, without which its requests are refused (section 5)."
)
_TIMEOUTS = (
    "An association on which no byte moves for the network timeout, or whose negotiation or "
    "message does not end in time (section 6), is aborted."
)
_WHEN = (
    "An association is opened when a result is due for a destination, when an archive is asked or "
    "studies are fetched, when storage commitment is requested or reported, when a work list is "
    "asked for work items or told of them, and when an administrator examines a system. Several "
    "results share one association. A delivery that does not succeed is tried again on a new one "
    "(section 6)."
)


def network(facts: Facts) -> Section:
    """Association parameters, acceptance and initiation."""
    return Section(
        "Network communication details",
        sections=(_parameters(facts), _acceptance(facts), _initiation(facts)),
    )


def _parameters(facts: Facts) -> Section:
    uid, version = implementation()
    ports = [f"{facts.port} (plain text)"] if facts.port else []
    ports += [f"{facts.tls_port} (TLS)"] if facts.tls_port else []
    rows = [
        ("AE Title", facts.ae_title),
        ("Listens on TCP port", ", ".join(ports)),
        ("Application Context Name", _APPLICATION_CONTEXT),
        ("Implementation Class UID", uid),
        ("Implementation Version Name", version),
        ("Maximum PDU size received as acceptor, in bytes", str(facts.maximum_pdu_bytes)),
        ("Maximum PDU size received as requestor, in bytes", str(facts.sent_maximum_pdu_bytes)),
        ("Simultaneous associations as acceptor", str(facts.maximum_associations)),
        (
            "Simultaneous associations as requestor",
            "one for each destination, and those of queries",
        ),
        ("Asynchronous operations", "not supported: one at a time"),
        ("SOP class extended negotiation", "not supported"),
        ("User identity negotiation", "neither offered nor looked at"),
        ("IP versions", "4; 6 where the address to listen on is one of version 6"),
    ]
    table = Table("Association parameters", ("Parameter", "Value"), rows)
    return Section("Association parameters", (table,))


def _acceptance(facts: Facts) -> Section:
    reasons = [value for value in vars(rejections).values() if isinstance(value, Rejection)]
    rows = [
        (
            _RESULTS[reason.result],
            _SOURCES[reason.source],
            str(reason.diagnostic),
            reason.reason,
        )
        for reason in reasons
    ]
    peers = [
        (
            item.name,
            item.ae_title,
            "TLS only" if item.tls else "plain text only",
            ", ".join(item.does),
        )
        for item in facts.partners_of("peer")
    ]
    return Section(
        "Association acceptance policy",
        (
            _WHO,
            Table("Peers as configured", ("Name", "AE title", "Transport", "Rights"), peers),
            Table("Association rejections (PS3.8 table 9-21)", _REJECTION, rows),
            _TIMEOUTS,
        ),
    )


def _initiation(facts: Facts) -> Section:
    rows = [
        (
            item.table,
            item.name,
            item.ae_title,
            item.way,
            "yes" if item.tls else "no",
            ", ".join(item.does),
        )
        for item in facts.partners
        if item.table != "peer"
    ]
    columns = ("Table", "Name", "AE title", "Way", "TLS", "Gets or gives")
    called = Table("Systems that are called as configured", columns, rows)
    return Section("Association initiation policy", (_WHEN, called))
