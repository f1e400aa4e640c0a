"""Section 4.2: which SOP classes the node proposes, for what and to whom."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom.uid import UID

from dicom_node.conformance.document import Section, Table
from dicom_node.conformance.facts import Facts, Partner
from dicom_node.conformance.instances import CreatedInstance
from dicom_node.scu.outgoing import CONVERTIBLE
from dicom_node.scu.proposals import Proposal, Purpose, proposal

_RESULTS = (
    "Each result is proposed in every class in which it exists, each class in each of its transfer "
    "syntaxes in a context of its own, and is sent in the best class that is accepted."
)
_C_GET = (
    "When studies are fetched by C-GET, the Storage SOP classes of what the archive says it has "
    "are proposed beside it with the SCP role (PS3.7 D.3.3.4), in every transfer syntax in which "
    "they are accepted, as far as 128 contexts suffice."
)
_COLUMNS = (
    "SOP class",
    "SOP Class UID",
    "Service",
    "Role",
    "Transfer syntaxes",
    "When",
    "With whom",
)


@dataclass(frozen=True, slots=True)
class Used:
    """A SOP class that the node proposes, for what, and with which partners."""

    service: str
    purpose: str
    proposal: Proposal
    partners: tuple[Partner, ...]


def used(facts: Facts, created: Sequence[CreatedInstance]) -> list[Used]:
    """Every SOP class that the node proposes."""
    destinations, archives, work_lists = (
        [item for item in facts.partners_of(table) if item.way == "DIMSE"]
        for table in ("destination", "archive", "work_list")
    )
    called = [*destinations, *archives]
    by_purpose: list[tuple[str, str, Purpose, list[Partner]]] = [
        ("Verification", "an administrator asks whether a system answers", "verify", called),
        ("Query Retrieve", "studies are looked for and sent reports found", "query", archives),
        ("Query Retrieve", "studies are fetched", "move", _that(archives, "move")),
        ("Query Retrieve", "studies are fetched", "get", _that(archives, "get")),
        (
            "Storage Commitment",
            "what was sent shall be kept",
            "commit",
            _that(destinations, "committed"),
        ),
        (
            "Storage Commitment",
            "a peer is told whether what it asked about is kept",
            "report on commitment",
            _that(facts.partners_of("peer"), "commit"),
        ),
        (
            "Unified Procedure Step",
            "work items are looked for, claimed, updated and ended",
            "work items",
            work_lists,
        ),
    ]
    found = [
        Used(service, purpose, proposal(name), tuple(partners))
        for service, purpose, name, partners in by_purpose
    ]
    for item in created:
        who = tuple(_that(destinations, item.kind))
        sent = Proposal(item.sop_class_uid, CONVERTIBLE)
        found.append(Used("Storage", f"a result is delivered ({item.kind})", sent, who))
    return _once(found)


def proposed(users: Sequence[Used]) -> Section:
    """The SOP classes of every association that the node opens."""
    rows = [
        (
            UID(item.proposal.sop_class_uid).name,
            item.proposal.sop_class_uid,
            item.service,
            item.proposal.role,
            ", ".join(UID(syntax).name for syntax in item.proposal.transfer_syntaxes),
            item.purpose,
            ", ".join(partner.name for partner in item.partners) or "nobody as configured",
        )
        for item in users
    ]
    table = Table("SOP classes proposed by the node", _COLUMNS, rows)
    return Section("SOP classes proposed", (_RESULTS, table, _C_GET))


def _that(partners: Sequence[Partner], does: str) -> list[Partner]:
    return [partner for partner in partners if does in partner.does]


def _once(found: Sequence[Used]) -> list[Used]:
    """One row for a SOP class in one role: it may serve several purposes."""
    by_class: dict[tuple[str, str], list[Used]] = defaultdict(list)
    for item in found:
        by_class[item.proposal.sop_class_uid, item.proposal.role].append(item)
    return [_merged(items) for items in by_class.values()]


def _merged(items: Sequence[Used]) -> Used:
    return replace(
        items[0],
        purpose="; ".join(dict.fromkeys(item.purpose for item in items)),
        partners=tuple(dict.fromkeys(partner for item in items for partner in item.partners)),
    )
