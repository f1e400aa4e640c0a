"""Sections 1 to 3: what the node is, what it supports at a glance, how its parts work together."""

from collections import Counter
from collections.abc import Sequence

from dicom_node.conformance.document import Section, Table
from dicom_node.conformance.facts import Facts
from dicom_node.conformance.proposed import Used
from dicom_node.scp.offered import Offered

_WHAT_IT_DOES = (
    "receives studies from modalities and archives, analyses them with deep learning models "
    "(pipelines, see section 3), and stores each result as a Structured Report with a summary "
    "picture and key objects. It is not a medical device."
)
_AUDIENCE = "Integrators and administrators of imaging networks who know DICOM's terms."
_REMARKS = (
    "DICOM alone does not guarantee interoperability. This statement allows a first comparison; it "
    "does not replace a test of both systems together, such as the command echonode peer doctor. "
    "It was written by the node itself, from its configuration and the tables by which it "
    "negotiates."
)
_ABBREVIATIONS = (
    "AE Application Entity; IAN Instance Availability Notification; IOCM Imaging Object Change "
    "Management; MPPS Modality Performed Procedure Step; PDU Protocol Data Unit; SCP Service Class "
    "Provider; SCU Service Class User; SOP Service-Object Pair; SR Structured Report; TID Template "
    "ID; TLS Transport Layer Security; UID Unique Identifier; VR Value Representation."
)
_REFERENCES = "NEMA PS3 / ISO 12052, Digital Imaging and Communications in Medicine (DICOM)."
_ONE_ENTITY = (
    "The node is one Application Entity. Instances come in, results go out, and what is between is "
    "not on the network."
)


def overview(facts: Facts, provided: Sequence[Offered], users: Sequence[Used]) -> Section:
    """The page for readers in a hurry."""
    return Section(
        "Overview",
        (
            f"{facts.model_name} {facts.version} by {facts.manufacturer} {_WHAT_IT_DOES}",
            _network_services(provided, users),
            _web_services(facts),
            "Media services: none.",
        ),
    )


def introduction() -> Section:
    """For whom this is, and what it does not promise."""
    return Section(
        "Introduction",
        sections=(
            Section("Audience", (_AUDIENCE,)),
            Section("Remarks", (_REMARKS,)),
            Section("Abbreviations", (_ABBREVIATIONS,)),
            Section("References", (_REFERENCES,)),
        ),
    )


def implementation_model(facts: Facts) -> Section:
    """The data flow."""
    pipelines = ", ".join(facts.pipelines) or "no pipeline"
    rows = [
        ("Receive", "a peer stores instances, or announces them", "keeps each, groups by study"),
        ("Fetch", "an administrator asks for studies", "queries an archive and has it send them"),
        ("Perform", "a work list has a work item", "claims it, has it analysed, names the outputs"),
        ("Conclude", "a study is complete", f"runs {pipelines}"),
        ("Deliver", "a result was made", "stores it at each destination, asks for commitment"),
        ("Correct", "a rejection note comes, or somebody corrects", "reissues or withdraws"),
    ]
    columns = ("Activity", "What happens", "What the node does")
    table = Table("Real-world activities", columns, rows)
    return Section("Implementation model", (_ONE_ENTITY, table))


def _network_services(provided: Sequence[Offered], users: Sequence[Used]) -> Table:
    as_provider = Counter(item.service for item in provided)
    as_user = Counter(item.service for item in users if item.proposal.role == "SCU")
    rows = [
        (service, _count(as_user[service]), _count(as_provider[service]))
        for service in sorted(as_provider | as_user)
    ]
    columns = ("Service", "User of service (SCU)", "Provider of service (SCP)")
    return Table("Network services (SOP classes in section 4)", columns, rows)


def _web_services(facts: Facts) -> Table:
    tables = {item.table for item in facts.partners if item.way == "DICOMweb"}
    services = {
        "destination": "Studies Service, Store (STOW-RS)",
        "archive": "Studies Service, Search and Retrieve (QIDO-RS, WADO-RS)",
    }
    rows = [
        (service, "user agent", "yes" if table in tables else "no")
        for table, service in services.items()
    ]
    return Table("DICOM web services", ("Service", "Role", "Used as configured"), rows)


def _count(classes: int) -> str:
    if not classes:
        return "no"
    return "yes" if classes == 1 else f"yes, {classes} SOP classes"
