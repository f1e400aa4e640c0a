"""The ways in: a DICOM destination, a DICOMweb or HL7 one, an archive of either kind."""

from dataclasses import dataclass, replace
from functools import partial

from dicom_node.delivery.ways import transport_to
from dicom_node.dicomweb.deleting import delete_study
from dicom_node.dicomweb.session import WebService
from dicom_node.hl7.mllp import MllpNode
from dicom_node.peer_doctor import advice, web
from dicom_node.peer_doctor.committing import commit
from dicom_node.peer_doctor.negotiation import Negotiation, judge_kinds, pairs_of
from dicom_node.peer_doctor.reaching import reach
from dicom_node.peer_doctor.sending import Find, Sending
from dicom_node.peer_doctor.steps import Step, Steps, Verdict, climb
from dicom_node.peer_doctor.synthetic import PATIENT_ID, SyntheticStudy
from dicom_node.peer_doctor.trusting import Called, shake
from dicom_node.scu.errors import ScuError
from dicom_node.scu.finding import StudyQuery, find_studies
from dicom_node.scu.negotiating import Pair
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.proposals import Purpose, proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried at a destination.

    `kinds` of object it gets; `sends`: whether they are really sent; `commitment`: who is asked to
    commit them, and `must_commit` whether that is needed; `find` asks the archive that is to name
    them; `web`: the service that may delete them.
    """

    study: SyntheticStudy
    kinds: frozenset[str]
    sends: bool = False
    commitment: RemoteNode | None = None
    must_commit: bool = False
    find: Find | None = None
    web: WebService | None = None


def examine_node(node: RemoteNode, trial: Trial) -> Steps:
    """A destination that is reached by DICOM associations."""
    negotiation = Negotiation(node, pairs_of([item.sop_class_uid for item in trial.study.objects]))

    def services() -> Steps:
        yield from negotiation.echo()
        yield from judge_kinds(negotiation, trial.study, trial.kinds)
        commits = Negotiation(trial.commitment or node, _pairs("commit"))
        yield from _judge_commitment(commits, must_commit=trial.must_commit)
        if not trial.sends:
            yield _not_sent()
            return
        sending = Sending(trial.study, trial.kinds, transport_to(node))
        yield from sending.store()
        if commits.takes(proposal("commit").sop_class_uid):
            committer = trial.commitment or node
            yield from commit(committer, sending.sent, must_commit=trial.must_commit)
        yield from _afterwards(sending, trial)

    return climb(lambda: _reach(node), lambda: shake(node), negotiation.associate, services)


def examine_service(service: WebService, trial: Trial) -> Steps:
    """A destination that is reached by DICOMweb; only what is sent shows what it takes."""

    def services() -> Steps:
        yield from web.search(service)
        if not trial.sends:
            yield _not_sent()
            return
        sending = Sending(trial.study, trial.kinds, transport_to(service))
        yield from sending.store()
        find = trial.find or partial(web.find, service)
        yield from _afterwards(sending, replace(trial, find=find))

    return climb(lambda: web.connect(service), lambda: web.secure(service), services)


def examine_mllp(node: MllpNode) -> Steps:
    """A destination that speaks HL7, which knows no echo: nobody is sent a message as a trial."""

    def message() -> Steps:
        yield Step("message", Verdict.SKIPPED, "HL7 over MLLP has no echo; nothing was sent")

    return climb(lambda: _reach(node), lambda: shake(node), message)


def examine_called_back(node: RemoteNode) -> Steps:
    """A peer that is called to hear whether what it asked about is committed."""
    negotiation = Negotiation(node, _pairs("report on commitment"))

    def service() -> Steps:
        uid = proposal("report on commitment").sop_class_uid
        yield negotiation.judge("storage commitment class", uid, Verdict.FAILS)

    return climb(lambda: _reach(node), lambda: shake(node), negotiation.associate, service)


def examine_archive(node: RemoteNode, way: str) -> Steps:
    """An archive that is asked by C-FIND and gives studies by C-MOVE or C-GET (`way`)."""
    negotiation = Negotiation(node, _pairs("query") + _pairs("move") + _pairs("get"))

    def services() -> Steps:
        yield from negotiation.echo()
        yield from _judge_archive(negotiation, way)
        if negotiation.takes(proposal("query").sop_class_uid):
            yield _query(node)

    return climb(lambda: _reach(node), lambda: shake(node), negotiation.associate, services)


def examine_archive_service(service: WebService) -> Steps:
    """An archive that is asked by DICOMweb."""
    return climb(
        lambda: web.connect(service), lambda: web.secure(service), lambda: web.search(service)
    )


def _reach(node: Called) -> Steps:
    return reach(node.host, node.port, node.connect_timeout_s)


def _pairs(purpose: Purpose) -> list[Pair]:
    item = proposal(purpose)
    return pairs_of([item.sop_class_uid], item.transfer_syntaxes)


def _judge_archive(negotiation: Negotiation, way: str) -> Steps:
    names: dict[Purpose, str] = {"query": "C-FIND", "move": "C-MOVE", "get": "C-GET"}
    for purpose, name in names.items():
        refused = Verdict.FAILS if purpose in ("query", way) else Verdict.SKIPPED
        yield negotiation.judge(name, proposal(purpose).sop_class_uid, refused)


def _judge_commitment(negotiation: Negotiation, *, must_commit: bool) -> Steps:
    [associated] = negotiation.associate()
    refused = Verdict.FAILS if must_commit else Verdict.SKIPPED
    name = "storage commitment class"
    if associated.verdict is Verdict.FAILS:
        yield Step(name, refused, associated.detail, associated.advice)
    else:
        yield negotiation.judge(name, proposal("commit").sop_class_uid, refused)


def _query(node: RemoteNode) -> Step:
    """Ask for the synthetic patient, who should not be there."""
    try:
        found = find_studies(node, StudyQuery(patient_id=PATIENT_ID))
    except ScuError as error:
        return Step("query", Verdict.FAILS, str(error), advice.on_request(node, error, "C-FIND"))
    return Step("query", Verdict.WORKS, web.traces(len(found)))


def _afterwards(sending: Sending, trial: Trial) -> Steps:
    if trial.find is not None and sending.sent:
        yield from sending.read_back(trial.find)
    yield from sending.take_away(partial(delete_study, trial.web) if trial.web else None)


def _not_sent() -> Step:
    return Step("store", Verdict.SKIPPED, "nothing was sent; `--send` sends a synthetic report")
