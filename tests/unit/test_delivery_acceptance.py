"""What a destination is believed to accept."""

from datetime import UTC, datetime, timedelta

from dicom_node.delivery.acceptance import BELIEVED_FOR, Acceptance
from storage.delivery.destinations import Answer, worth_remembering
from tests.objects import COMPREHENSIVE, COMPREHENSIVE_3D, EXPLICIT, IMPLICIT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEGOTIATED = {COMPREHENSIVE_3D: (EXPLICIT,), COMPREHENSIVE: (EXPLICIT, IMPLICIT)}


def refused(uid: str, how: str, ago: timedelta = timedelta()) -> dict[str, Answer]:
    return {uid: Answer(uid, (), how, NOW - ago, NOW - ago)}


def test_what_was_negotiated_is_known_with_its_transfer_syntaxes() -> None:
    taken = Acceptance({}, NOW)
    taken.negotiated({**NEGOTIATED, COMPREHENSIVE_3D: ()})
    assert taken.refuses(COMPREHENSIVE_3D)
    assert not taken.refuses(COMPREHENSIVE)
    assert taken.answers[COMPREHENSIVE].transfer_syntaxes == (EXPLICIT, IMPLICIT)
    assert taken.answers[COMPREHENSIVE_3D].refused_by == "negotiation"


def test_a_class_that_is_negotiated_again_is_accepted_again() -> None:
    taken = Acceptance(refused(COMPREHENSIVE_3D, "negotiation"), NOW)
    taken.negotiated(NEGOTIATED)
    assert not taken.refuses(COMPREHENSIVE_3D)


def test_a_refused_object_outweighs_an_accepted_context_for_a_day() -> None:
    lately = Acceptance(refused(COMPREHENSIVE_3D, "status 0x0122"), NOW)
    lately.negotiated(NEGOTIATED)
    assert lately.refuses(COMPREHENSIVE_3D)
    long_ago = Acceptance(refused(COMPREHENSIVE_3D, "status 0x0122", BELIEVED_FOR), NOW)
    long_ago.negotiated(NEGOTIATED)
    assert not long_ago.refuses(COMPREHENSIVE_3D)


def test_a_stored_object_ends_every_doubt() -> None:
    taken = Acceptance(refused(COMPREHENSIVE, "HTTP 415"), NOW)
    taken.stored(COMPREHENSIVE)
    assert not taken.refuses(COMPREHENSIVE)


def test_what_was_not_offered_is_not_refused() -> None:
    assert not Acceptance({}, NOW).refuses(COMPREHENSIVE)


def test_only_news_are_written_down_and_what_has_not_been_confirmed_for_an_hour() -> None:
    before = refused(COMPREHENSIVE_3D, "negotiation", timedelta(minutes=30))
    same = Acceptance(before, NOW)
    same.negotiated({COMPREHENSIVE_3D: ()})
    assert worth_remembering(before, same.answers) == []
    later = Acceptance(before, NOW + timedelta(hours=1))
    later.negotiated({COMPREHENSIVE_3D: ()})
    assert len(worth_remembering(before, later.answers)) == 1
    other = Acceptance(before, NOW)
    other.negotiated({COMPREHENSIVE_3D: (EXPLICIT,), COMPREHENSIVE: ()})
    assert len(worth_remembering(before, other.answers)) == 2
