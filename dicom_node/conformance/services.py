"""Section 4: which SOP classes in which roles and transfer syntaxes, and what is beside them."""

from collections.abc import Sequence

from pydicom.uid import UID

from dicom_node.conformance.document import Section, Table
from dicom_node.conformance.facts import Facts
from dicom_node.conformance.proposed import Used, proposed
from dicom_node.scp.offered import Offered

_CONTEXTS = (
    "These presentation contexts are accepted from every peer; what a peer may then do is a "
    "matter of its rights (section 7). Of several transfer syntaxes in one context the first of "
    "the peer's own order that stands in the set is accepted. Extended negotiation is not "
    "supported."
)
_CHARACTER_SETS = (
    "Received objects are kept as they are, whatever their Specific Character Set (0008,0005). "
    "Created objects bear the character set of their study, with the identifying attributes byte "
    "for byte, where all their words fit, else ISO_IR 192. Queries are sent in ISO_IR 192; answers "
    "are read in the character set that they name."
)
_NO_MEDIA = "Media storage is not supported: the node writes and reads no DICOM media."
_NO_WEB = "No DICOM web service is used as configured, and the node provides none."
_USER_AGENT = (
    "The node is a user agent of the Studies Service (PS3.18 section 10); it provides no web "
    "service."
)
_COLUMNS = ("SOP class", "SOP Class UID", "Service", "Role", "Transfer syntaxes")

Syntaxes = tuple[str, ...]
"""Transfer syntax UIDs."""


def services(facts: Facts, provided: Sequence[Offered], users: Sequence[Used]) -> Section:
    """SOP classes, transfer syntaxes, web services, character sets, media."""
    return Section(
        "Services and interoperability",
        sections=(
            _accepted(provided),
            proposed(users),
            _web(facts),
            Section("Character sets", (_CHARACTER_SETS,)),
            Section("Media storage", (_NO_MEDIA,)),
        ),
    )


def _accepted(provided: Sequence[Offered]) -> Section:
    names = _set_names([item.transfer_syntaxes for item in provided])
    rows = [
        (
            _name(UID(item.sop_class_uid)),
            item.sop_class_uid,
            item.service,
            "SCP, SCU" if item.is_used_too else "SCP",
            names[item.transfer_syntaxes],
        )
        for item in provided
    ]
    classes = Table("SOP classes accepted by the node", _COLUMNS, rows)
    sets = [_syntaxes(name, syntaxes) for syntaxes, name in names.items()]
    return Section("SOP classes accepted", (_CONTEXTS, classes, *sets))


def _name(uid: UID) -> str:
    return f"{uid.name} (Retired)" if uid.is_retired else uid.name


def _syntaxes(name: str, syntaxes: Syntaxes) -> Table:
    rows = [(UID(syntax).name, syntax) for syntax in syntaxes]
    return Table(f"Transfer syntaxes of {name}", ("Transfer syntax", "UID"), rows)


def _web(facts: Facts) -> Section:
    partners = [item for item in facts.partners if item.way == "DICOMweb"]
    if not partners:
        return Section("DICOM web services", (_NO_WEB,))
    does = {
        "destination": "Store Transaction (STOW-RS), user agent",
        "archive": "Search and Retrieve Transactions (QIDO-RS, WADO-RS), user agent",
    }
    rows = [(item.name, does[item.table], "yes" if item.tls else "no") for item in partners]
    table = Table("DICOM web services used", ("Partner", "Transactions", "TLS"), rows)
    return Section("DICOM web services", (_USER_AGENT, table))


def _set_names(sets: Sequence[Syntaxes]) -> dict[Syntaxes, str]:
    """Equal sets of transfer syntaxes by one name: "set A"."""
    distinct = dict.fromkeys(sets)
    return {
        syntaxes: f"set {chr(ord('A') + position)}" for position, syntaxes in enumerate(distinct)
    }
