"""The conformance statement against the wire: what it promises is negotiated, and no more."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.events import Event as PeerEvent

from dicom_node import commitment_messages, scu
from dicom_node.cli import cli
from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.dimse import DimseTransport
from dicom_node.delivery.transport import Offer, Rendition
from dicom_node.intake.statuses import StoreStatus
from dicom_node.peer_doctor.synthetic import rejection_note, synthetic_study
from dicom_node.scp.contexts import RETIRED_STORAGE_CLASSES, STORAGE_CLASSES
from dicom_node.scp.services import ServiceStatus
from dicom_node.scu.commitment_requests import request_commitment, send_report
from dicom_node.scu.echo import echo
from dicom_node.scu.errors import ScuError
from dicom_node.scu.finding import StudyQuery, find_studies
from dicom_node.scu.getting import get
from dicom_node.scu.moving import move
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.retrieving import Part, Patience
from dicom_node.scu.work_items import open_work_list
from storage.keeping.promises import Reference
from tests.conformance_tables import UID_OF, Row, tables
from tests.peers import free_port
from tests.report_cases import IDENTITY
from tests.scp_listening import listening, peer

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
PATIENCE = Patience(standstill_s=5.0, stop=Event())

Pair = tuple[str, str]
"""SOP class UID and transfer syntax UID."""

SETTINGS = """
[receive]
host = "127.0.0.1"
port = 11112
maximum_pdu_bytes = 65536
[[peer]]
name = "cart"
ae_title = "CART"
networks = ["10.9.8.7/32"]
[[destination]]
name = "pacs"
host = "pacs.example"
port = 104
ae_title = "PACS"
kinds = ["SR", "SC", "KOS", "RN"]
[[archive]]
name = "archive"
host = "archive.example"
port = 104
ae_title = "ARCHIVE"
[[archive]]
name = "cloud"
url = "https://cloud.example/dicom-web"
bearer_token = "do-not-tell"
[[work_list]]
name = "ups"
host = "ups.example"
port = 104
ae_title = "UPS"
"""


@pytest.fixture(scope="module")
def markdown(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("settings") / "node.toml"
    file.write_text(SETTINGS, "utf-8")
    file.chmod(0o600)
    done = CliRunner().invoke(cli, ["conformance", "--config", str(file)], catch_exceptions=False)
    return done.output


def accepted_classes(markdown: str) -> list[Row]:
    return tables(markdown)["SOP classes accepted by the node"]


def promised_as_acceptor(markdown: str) -> set[Pair]:
    found = tables(markdown)
    return {
        (row["SOP Class UID"], syntax["UID"])
        for row in accepted_classes(markdown)
        for syntax in found[f"Transfer syntaxes of {row['Transfer syntaxes']}"]
    }


def proposable(*kinds: str) -> list[str]:
    """Every UID of these kinds in PS3.6 annex A."""
    return [uid for uid, (_, kind, *_rest) in UID_dictionary.items() if kind in kinds]


CLASSES = sorted({*proposable("SOP Class", "Meta SOP Class"), *RETIRED_STORAGE_CLASSES.values()})
SYNTAXES = proposable("Transfer Syntax")


def test_what_is_promised_is_accepted_and_no_more(markdown: str, tmp_path: Path) -> None:
    """Each class in one syntax of its set, and one class of each set in every syntax."""
    promised = promised_as_acceptor(markdown)
    first_of_class = dict(sorted(promised, reverse=True))
    sets = {row["Transfer syntaxes"]: row for row in accepted_classes(markdown)}
    proposed = {(uid, first_of_class.get(uid, IMPLICIT_LITTLE)) for uid in CLASSES}
    proposed |= set(product((row["SOP Class UID"] for row in sets.values()), SYNTAXES))
    with listening(tmp_path, peer()) as node:
        assert negotiated(node.port, sorted(proposed)) == promised & proposed
    assert set(first_of_class) <= set(CLASSES)


@pytest.mark.faults
def test_every_class_in_every_syntax(markdown: str, tmp_path: Path) -> None:
    with listening(tmp_path, peer()) as node:
        accepted = negotiated(node.port, list(product(CLASSES, SYNTAXES)))
    assert accepted == promised_as_acceptor(markdown)
    assert len(accepted) > 5000


def negotiated(port: int, pairs: Sequence[Pair]) -> set[Pair]:
    """What of these a listener accepts, each in a context of its own."""
    accepted: set[Pair] = set()
    for first in range(0, len(pairs), 128):
        contexts = [build_context(uid, syntax) for uid, syntax in pairs[first : first + 128]]
        association = AE("CART").associate(
            "127.0.0.1", port, contexts=contexts, ae_title="ECHONODE"
        )
        for context in association.accepted_contexts:
            accepted.add((str(context.abstract_syntax), str(context.transfer_syntax[0])))
        association.abort()
    return accepted


def test_association_parameters_are_those_on_the_wire(markdown: str, tmp_path: Path) -> None:
    told = {row["Parameter"]: row["Value"] for row in tables(markdown)["Association parameters"]}
    with listening(tmp_path, peer(), maximum_pdu_bytes=65536) as node:
        association = AE("CART").associate(
            "127.0.0.1",
            node.port,
            contexts=[build_context("1.2.840.10008.1.1")],
            ae_title=told["AE Title"],
        )
        acceptor = association.acceptor
        assert str(acceptor.implementation_class_uid) == told["Implementation Class UID"]
        assert acceptor.implementation_version_name == told["Implementation Version Name"]
        size = told["Maximum PDU size received as acceptor, in bytes"]
        assert str(acceptor.maximum_length) == size
        association.release()


def test_roles_are_those_that_are_granted(markdown: str, tmp_path: Path) -> None:
    both = {row["SOP Class UID"] for row in accepted_classes(markdown) if "SCU" in row["Role"]}
    proposed = sorted({*both, US_MULTIFRAME, "1.2.840.10008.1.1"})
    with listening(tmp_path, peer()) as node:
        association = AE("CART").associate(
            "127.0.0.1",
            node.port,
            contexts=[build_context(uid) for uid in proposed],
            ext_neg=[build_role(uid, scp_role=True) for uid in proposed],
            ae_title="ECHONODE",
        )
        granted = {
            str(each.abstract_syntax) for each in association.accepted_contexts if each.as_scp
        }
        association.abort()
    assert granted == both
    assert both


@dataclass
class Recorder:
    """A DICOM node that writes down what is proposed to it, and rejects it."""

    port: int = field(default_factory=free_port)
    proposed: dict[str, set[Pair]] = field(default_factory=lambda: {"SCU": set(), "SCP": set()})
    maximum_pdu_bytes: set[int] = field(default_factory=set)

    @property
    def remote(self) -> RemoteNode:
        return RemoteNode("pacs", "127.0.0.1", self.port, "PACS", "ECHONODE")

    def on_requested(self, event: PeerEvent) -> None:
        requestor = event.assoc.requestor
        self.maximum_pdu_bytes.add(requestor.maximum_length)
        roles = requestor.role_selection
        for context in requestor.primitive.presentation_context_definition_list:
            uid = str(context.abstract_syntax)
            role = "SCP" if uid in roles and roles[uid].scp_role else "SCU"
            self.proposed[role] |= {(uid, str(syntax)) for syntax in context.transfer_syntax}
        event.assoc.acse.send_reject(0x02, 0x03, 0x02)
        event.assoc.kill()


@contextmanager
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    handlers = [(evt.EVT_REQUESTED, found.on_requested)]
    server = entity.start_server(("127.0.0.1", found.port), block=False, evt_handlers=handlers)
    try:
        yield found
    finally:
        server.shutdown()


def promised_as_requestor(markdown: str, role: str) -> set[Pair]:
    return {
        (row["SOP Class UID"], UID_OF[syntax])
        for row in tables(markdown)["SOP classes proposed by the node"]
        for syntax in row["Transfer syntaxes"].split(", ")
        if row["Role"] == role
    }


def test_exactly_what_is_promised_is_proposed(markdown: str, tmp_path: Path) -> None:
    reference = Reference("1.2.840.10008.5.1.4.1.1.7", "1.2.3")
    with recorder() as found:
        propose_everything(found.remote, reference, tmp_path)
    # C-GET adds the storage classes of the study: see the next test.
    promised = promised_as_requestor(markdown, "SCU")
    assert found.proposed["SCU"] == {pair for pair in promised if pair[0] != STUDY_ROOT_GET}
    assert found.proposed["SCP"] == promised_as_requestor(markdown, "SCP")
    told = {row["Parameter"]: row["Value"] for row in tables(markdown)["Association parameters"]}
    size = told["Maximum PDU size received as requestor, in bytes"]
    assert {str(each) for each in found.maximum_pdu_bytes} == {size}


def test_a_retrieval_proposes_storage_in_the_other_role(markdown: str) -> None:
    nothing: Any = None  # nothing comes in: the association is rejected
    with recorder() as found, suppress(ScuError):
        get(found.remote, Part("1.2.3"), [US_MULTIFRAME], nothing, nothing, PATIENCE)
    promised = promised_as_requestor(markdown, "SCU")
    assert found.proposed["SCU"] == {pair for pair in promised if pair[0] == STUDY_ROOT_GET}
    accepted = {pair for pair in promised_as_acceptor(markdown) if pair[0] == US_MULTIFRAME}
    assert found.proposed["SCP"] == accepted


def propose_everything(remote: RemoteNode, reference: Reference, folder: Path) -> None:
    """Open each kind of association that the node opens; all are rejected."""
    echo(remote)
    with suppress(ScuError):
        find_studies(remote, StudyQuery(patient_id="P"))
    with suppress(ScuError):
        move(remote, Part("1.2.3"), "ECHONODE", PATIENCE)
    with suppress(ScuError):
        request_commitment(remote, "1.2.3", [reference], lambda _: True, 0)
    with suppress(ScuError):
        send_report(remote, commitment_messages.Report("1.2.3", (reference,), {}))
    with suppress(ScuError), open_work_list(remote):
        pass
    study = synthetic_study(IDENTITY, datetime.now(UTC))
    renditions = []
    for number, item in enumerate((*study.objects, rejection_note(study, study.objects))):
        file = folder / f"{number}.dcm"
        file.write_bytes(item.data)
        renditions.append(Rendition(file, item.sop_class_uid, item.sop_instance_uid))
    offers = [Offer((rendition,)) for rendition in renditions]
    transport = DimseTransport(remote)
    with suppress(ScuError), transport.open(offers, Acceptance({}, datetime.now(UTC))):
        pass


def test_no_service_that_we_use_is_left_out(markdown: str) -> None:
    """Whoever adds an association to `scu` adds it to `scu.proposals`, and to the test above."""
    modules = [
        importlib.import_module(f"{scu.__name__}.{found.name}")
        for found in pkgutil.iter_modules(scu.__path__)
    ]
    known = {
        str(value)
        for module in modules
        for value in vars(module).values()
        if isinstance(value, UID)
    }
    services = {uid for uid in known if uid in CLASSES and uid not in STORAGE_CLASSES}
    promised = {uid for role in ("SCU", "SCP") for uid, _ in promised_as_requestor(markdown, role)}
    assert services <= promised


def test_it_can_be_handed_out(markdown: str) -> None:
    for secret in (
        "10.9.8.7",
        "pacs.example",
        "archive.example",
        "cloud.example",
        "ups.example",
        "do-not-tell",
    ):
        assert secret not in markdown
    for name in ("pacs", "archive", "cloud", "cart", "ups"):
        assert name in markdown


def test_it_has_the_sections_of_the_template(markdown: str) -> None:
    headings = [line[3:] for line in markdown.splitlines() if line.startswith("## ")]
    assert headings == [
        "1 Overview",
        "2 Introduction",
        "3 Implementation model",
        "4 Services and interoperability",
        "5 Status codes",
        "6 Configuration",
        "7 Network communication details",
        "8 Security",
        "9 Information objects created",
    ]


def test_what_is_created_is_told_from_the_objects_themselves(markdown: str) -> None:
    found = tables(markdown)
    created = {row["Kind"] for row in found["Objects created"]}
    assert {"SR", "SC", "KOS", "RN"} <= created
    [attributes] = [
        rows
        for caption, rows in found.items()
        if caption.startswith("Attributes of Comprehensive 3D")
    ]
    by_name = {row["Attribute"]: row for row in attributes}
    assert by_name["Patient ID"]["Source"] == "the images of the study"
    assert by_name["SOP Instance UID"]["Presence"] == "always, with a value"


def test_each_status_that_is_answered_is_told(markdown: str) -> None:
    found = tables(markdown)
    stored = {row["Status"] for row in found["C-STORE response statuses"]}
    assert stored == {f"0x{status:04X}" for status in StoreStatus}
    told = {row["Status"] for row in found["DIMSE-N response statuses"]} | {"0x0000"}
    assert told >= {f"0x{status:04X}" for status in ServiceStatus}


def test_the_page_holds_the_same_tables(tmp_path: Path) -> None:
    file, page = tmp_path / "node.toml", tmp_path / "statement.html"
    file.write_text(SETTINGS, "utf-8")
    file.chmod(0o600)
    arguments = ["conformance", "--format", "html", "--out", str(page), "--config", str(file)]
    CliRunner().invoke(cli, arguments, catch_exceptions=False)
    text = page.read_text("utf-8")
    assert text.count("<table>") == text.count("</table>") > 20
    assert "1.2.840.10008.5.1.4.1.1.3.1" in text
