"""MPPS and Instance Availability Notification by the network: answers, and what is kept of them."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, JPEGBaseline8Bit, generate_uid
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_CREATE, N_SET

from dicom_node.scp.contexts import (
    INSTANCE_AVAILABILITY_NOTIFICATION,
    MODALITY_PERFORMED_PROCEDURE_STEP,
)
from storage.audit.trail import Action
from storage.errors import DatabaseUnavailableError, StorageFullError
from storage.studies.completeness import evidence_of
from tests.scp_listening import Node, item, listening, peer, send
from tests.third_stacks.stacks import dcmjs_announces

ANNOUNCER = peer(may=frozenset({"echo", "store", "announce"}))
MPPS, IAN = MODALITY_PERFORMED_PROCEDURE_STEP, INSTANCE_AVAILABILITY_NOTIFICATION
STUDY = "1.2.826.0.1.9"


@pytest.fixture
def node(tmp_path: Path, sqlite_template: Path) -> Iterator[Node]:
    shutil.copy(sqlite_template, tmp_path / "node.db")
    with listening(tmp_path, ANNOUNCER, peer("MUTE")) as node:
        yield node


@contextmanager
def calling(node: Node, title: str = "CART") -> Iterator[Association]:
    ae = AE(title)
    association = ae.associate(
        "127.0.0.1", node.port, [build_context(MPPS), build_context(IAN)], "ECHONODE"
    )
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def dataset(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def references(*sop_instance_uids: str) -> list[Dataset]:
    return [
        dataset(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.3.1", ReferencedSOPInstanceUID=uid)
        for uid in sop_instance_uids
    ]


def begun(study: str | None = STUDY, status: str = "IN PROGRESS") -> Dataset:
    """An N-CREATE of a step (PS3.4 table F.7.2-1), as far as anybody looks."""
    scheduled = dataset(AccessionNumber="A1", RequestedProcedureID="R1")
    if study is not None:
        scheduled.StudyInstanceUID = study
    return dataset(
        ScheduledStepAttributesSequence=[scheduled],
        PatientName="Doe^Jane",
        PatientID="4711",
        PerformedProcedureStepStatus=status,
        PerformedSeriesSequence=[],
    )


def ended(*sop_instance_uids: str, status: str = "COMPLETED") -> Dataset:
    series = dataset(
        SeriesInstanceUID="1.2.8", ReferencedImageSequence=references(*sop_instance_uids)
    )
    return dataset(PerformedProcedureStepStatus=status, PerformedSeriesSequence=[series])


def available(*sop_instance_uids: str, availability: str = "ONLINE") -> Dataset:
    """An IAN (PS3.4 table R.3.2-1)."""
    items = references(*sop_instance_uids)
    for one in items:
        one.InstanceAvailability = availability
        one.RetrieveAETitle = "PACS"
    series = dataset(SeriesInstanceUID="1.2.8", ReferencedSOPSequence=items)
    return dataset(
        ReferencedPerformedProcedureStepSequence=[],
        StudyInstanceUID=STUDY,
        ReferencedSeriesSequence=[series],
    )


def create(
    association: Association, what: Dataset, sop_class: UID = MPPS, uid: str | None = "1.2.4"
) -> Dataset:
    status, _ = association.send_n_create(what, sop_class, uid)
    return status


def change(association: Association, what: Dataset, uid: str = "1.2.4") -> Dataset:
    status, _ = association.send_n_set(what, MPPS, uid)
    return status


def test_a_cart_announces_its_examination_and_what_it_made(node: Node) -> None:
    first, second = item(StudyInstanceUID=STUDY), item(StudyInstanceUID=STUDY)
    with calling(node) as association:
        assert create(association, begun()).Status == 0x0000
        assert send(node.port, first) == [0x0000]
        assert change(association, ended(first[1], second[1])).Status == 0x0000
    with node.database.read() as tx:
        evidence = evidence_of(tx, 1)
    assert (evidence.in_progress, evidence.announced, evidence.missing) == (0, 2, 1)
    announced = node.events(Action.STUDY_ANNOUNCED)
    assert [event.detail["state"] for event in announced] == ["in progress", "completed"]
    assert {event.peer for event in announced} == {"cart"}


def test_references_to_other_composites_count_too(node: Node) -> None:
    what = ended()
    what.PerformedSeriesSequence[0].ReferencedNonImageCompositeSOPInstanceSequence = references(
        "1.2.3.1"
    )
    send(node.port, item(StudyInstanceUID=STUDY))
    with calling(node) as association:
        create(association, begun())
        change(association, what)
    with node.database.read() as tx:
        assert evidence_of(tx, 1).missing == 1


def test_an_archive_notifies_of_what_can_be_had(node: Node) -> None:
    mine = item(StudyInstanceUID=STUDY)
    send(node.port, mine)
    with calling(node) as association:
        assert create(association, available(mine[1]), IAN, "1.5.1").Status == 0x0000
        gone = available("1.2.3.9", availability="UNAVAILABLE")
        assert create(association, gone, IAN, "1.5.2").Status == 0x0000
    with node.database.read() as tx:
        evidence = evidence_of(tx, 1)
    assert (evidence.announced, evidence.missing) == (1, 0)


@pytest.mark.parametrize(("sop_class", "what"), [(MPPS, begun()), (IAN, available("1.2.3"))])
def test_the_node_names_what_the_peer_did_not(node: Node, sop_class: UID, what: Dataset) -> None:
    with calling(node) as association:
        assert create(association, what, sop_class, None).Status == 0x0000
    [event] = node.events(Action.STUDY_ANNOUNCED)
    assert str(event.sop_instance_uid).startswith("2.25.")


REFUSED: dict[str, tuple[Callable[[Association], Dataset], int]] = {
    "a step that begins at its end": (
        lambda cart: create(cart, begun(status="COMPLETED"), uid="1.2.5"),
        0x0106,
    ),
    "a status that nobody knows": (
        lambda cart: create(cart, begun(status="PAUSED"), uid="1.2.5"),
        0x0106,
    ),
    "a step without a study": (lambda cart: create(cart, begun(None), uid="1.2.5"), 0x0121),
    "a study without a UID": (lambda cart: create(cart, begun(""), uid="1.2.5"), 0x0121),
    "a study that is no UID": (lambda cart: create(cart, begun("a b"), uid="1.2.5"), 0x0106),
    "a step that is known": (lambda cart: create(cart, begun()), 0x0111),
    "a step that is not known": (lambda cart: change(cart, ended(), "1.2.99"), 0x0112),
    "a notification without series": (
        lambda cart: create(cart, dataset(StudyInstanceUID=STUDY), IAN),
        0x0121,
    ),
    "a notification without study": (
        lambda cart: create(cart, dataset(ReferencedSeriesSequence=[Dataset()]), IAN),
        0x0121,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(node: Node, name: str) -> None:
    request, status = REFUSED[name]
    with calling(node) as cart:
        create(cart, begun())
        answer = request(cart)
        assert answer.Status == status
        assert answer.ErrorComment
        assert change(cart, ended("1.2.3")).Status == 0x0000, "the association goes on"


def test_a_step_that_ended_may_no_longer_be_updated(node: Node) -> None:
    with calling(node) as cart:
        create(cart, begun())
        change(cart, ended(status="DISCONTINUED"))
        answer = change(cart, ended())
    assert (answer.Status, answer.ErrorID) == (0x0110, 0xA710)


def test_references_that_nobody_could_match_are_left_out(node: Node) -> None:
    send(node.port, item(StudyInstanceUID=STUDY))
    with calling(node) as cart:
        create(cart, begun())
        assert change(cart, ended("", "1.2.3.1", "no uid")).Status == 0x0000
    with node.database.read() as tx:
        assert evidence_of(tx, 1).announced == 1


@pytest.mark.parametrize("sop_class", [MPPS, IAN], ids=["MPPS", "IAN"])
def test_objects_of_classes_that_are_not_taken_are_not_waited_for(
    node: Node, sop_class: UID
) -> None:
    private, old = "1.2.840.113619.4.2", "1.2.840.10008.5.1.4.1.1.6"
    mine = item(StudyInstanceUID=STUDY)
    send(node.port, mine)
    what = (ended if sop_class == MPPS else available)(mine[1], "1.2.3.1", "1.2.3.2")
    series = (what.get("PerformedSeriesSequence") or what.get("ReferencedSeriesSequence"))[0]
    named = series.get("ReferencedImageSequence") or series.get("ReferencedSOPSequence")
    named[1].ReferencedSOPClassUID = private
    named[2].ReferencedSOPClassUID = old
    with calling(node) as cart:
        if sop_class == MPPS:
            create(cart, begun())
            assert change(cart, what).Status == 0x0000
        else:
            assert create(cart, what, IAN).Status == 0x0000
    with node.database.read() as tx:
        evidence = evidence_of(tx, 1)
    assert (evidence.announced, evidence.missing) == (2, 1), "the retired class may still come"


def test_whoever_may_not_announce_is_refused(node: Node) -> None:
    with calling(node, "MUTE") as mute:
        assert create(mute, begun()).Status == 0x0124
        assert change(mute, ended()).Status == 0x0124
        assert create(mute, available("1.2.3"), IAN).Status == 0x0124
    assert node.events(Action.STUDY_ANNOUNCED) == []
    refused = node.events(Action.REQUEST_REFUSED)
    assert [event.detail["kind"] for event in refused] == ["N-CREATE", "N-SET", "N-CREATE"]
    assert {(event.peer, event.outcome) for event in refused} == {("mute", "failure")}


def raw(association: Association, request: N_CREATE | N_SET, abstract: UID) -> int:
    """Send a request as it is; the status of the answer."""
    [context] = [one for one in association.accepted_contexts if one.abstract_syntax == abstract]
    assert context.context_id is not None
    request.MessageID = 7
    with paused(association):
        association.dimse.send_msg(request, context.context_id)
        _, answer = association.dimse.get_msg(block=True)
    assert isinstance(answer, N_CREATE | N_SET)
    return int(answer.Status)


@contextmanager
def paused(association: Association) -> Iterator[None]:
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    try:
        yield
    finally:
        association._reactor_checkpoint.set()


def bytes_of(content: bytes | None) -> N_CREATE:
    request = N_CREATE()
    request.AffectedSOPClassUID = MPPS
    request.AffectedSOPInstanceUID = UID("1.2.4")
    request.AttributeList = None if content is None else BytesIO(content)
    return request


@pytest.mark.parametrize(
    "content",
    [b"\x00" * 7, b"\xff" * 64, b"\x40\x00\x70\x02\xff\xff\xff\xff" * 20_000],
    ids=["cut short", "noise", "nested without end"],
)
def test_damage_is_answered_and_the_association_goes_on(node: Node, content: bytes) -> None:
    with calling(node) as cart:
        assert raw(cart, bytes_of(content), MPPS) in (0x0106, 0x0110, 0x0121, 0x0212)
        assert create(cart, begun()).Status == 0x0000


def test_a_request_of_another_class_than_its_context_is_refused(node: Node) -> None:
    with calling(node) as cart:
        assert raw(cart, bytes_of(None), IAN) == 0x0118


def test_a_service_has_no_other_requests(node: Node) -> None:
    with calling(node) as cart:
        status, _ = cart.send_n_event_report(ended(), 1, MPPS, "1.2.4")
        assert status.Status == 0x0211


@pytest.mark.parametrize("error", [StorageFullError("full"), DatabaseUnavailableError("away")])
def test_what_cannot_be_kept_now_is_to_be_sent_again(
    node: Node, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    with calling(node) as cart:
        with monkeypatch.context() as broken:
            broken.setattr("storage.studies.announcements.announce", fail)
            assert create(cart, begun()).Status == 0x0213
        assert create(cart, begun()).Status == 0x0000


def test_services_are_offered_without_compression(node: Node) -> None:
    ae = AE("CART")
    context = build_context(MPPS, [JPEGBaseline8Bit])
    assert not ae.associate("127.0.0.1", node.port, [context], "ECHONODE").is_established


def test_a_step_of_a_thousand_instances_is_taken(node: Node) -> None:
    named = [generate_uid() for _ in range(1000)]
    send(node.port, item(StudyInstanceUID=STUDY))
    with calling(node) as cart:
        create(cart, begun())
        assert change(cart, ended(*named)).Status == 0x0000
    with node.database.read() as tx:
        assert evidence_of(tx, 1).missing == 1000


@pytest.mark.long
def test_another_stack_announces(node: Node) -> None:
    """dcmjs-dimse, on an association for each request."""
    mine = item(StudyInstanceUID=STUDY)
    send(node.port, mine)
    named = [{"ReferencedSOPInstanceUID": uid} for uid in (mine[1], "1.2.3.4")]
    series = {"SeriesInstanceUID": "1.2.8", "ReferencedImageSequence": named}
    begin = {
        "ScheduledStepAttributesSequence": [{"StudyInstanceUID": STUDY}],
        "PerformedProcedureStepStatus": "IN PROGRESS",
    }
    end = {"PerformedProcedureStepStatus": "COMPLETED", "PerformedSeriesSequence": [series]}
    step = [
        {"create": begin, "sopClass": MPPS},
        {"set": end, "sopClass": MPPS},
        {"set": end, "sopClass": MPPS},
    ]
    assert dcmjs_announces(node.port, "CART", "1.2.4", step) == [0x0000, 0x0000, 0x0110]
    notification = {
        "StudyInstanceUID": STUDY,
        "ReferencedSeriesSequence": [{"ReferencedSOPSequence": named}],
    }
    told = [{"create": notification, "sopClass": IAN}]
    assert dcmjs_announces(node.port, "CART", "1.2.5", told) == [0x0000]
    with node.database.read() as tx:
        evidence = evidence_of(tx, 1)
    assert (evidence.announced, evidence.concluded, evidence.missing) == (2, 2, 1)
