"""Where results go, and what each destination was found to accept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.app import partners
from dicom_node.errors import OrderError
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from storage.database.transactions import Database
from storage.delivery import destinations
from storage.delivery.destinations import Answer

_REPORTS = frozenset(
    {
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        EnhancedSRStorage,
        BasicTextSRStorage,
    }
)
_ACCOMPANYING = {
    SecondaryCaptureImageStorage: "SC",
    MultiFrameTrueColorSecondaryCaptureImageStorage: "pictures",
    KeyObjectSelectionDocumentStorage: "KOS",
    EncapsulatedPDFStorage: "PDF",
}


@dataclass(frozen=True, slots=True)
class DestinationView:
    """One destination of the settings and, in short, what is remembered of it."""

    name: str
    where: str
    gets: str
    accepts: str
    refuses: str
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What a destination said to one SOP class."""

    name: str
    sop_class_uid: str
    answer: str
    transfer_syntaxes: str
    learned_at: datetime
    confirmed_at: datetime


def list_destinations(settings: Settings, database: Database) -> list[DestinationView]:
    """The destinations of the settings, and what each was found to accept."""
    return [_view(item, _remembered(settings, database, item)) for item in settings.destination]


def answers_of(settings: Settings, database: Database, name: str) -> list[AnswerView]:
    """What a destination answered to each SOP class that was offered.

    Raises:
        OrderError: the settings have no such destination.
    """
    answers = _remembered(settings, database, _named(settings, name))
    return [_answer_view(item) for item in answers]


def forget(settings: Settings, database: Database, who: str, name: str) -> int:
    """Forget what a destination accepts, so that every form is tried again; how many answers.

    Raises:
        OrderError: the settings have no such destination.
    """
    named = _named(settings, name).name
    with database.write() as tx:
        return destinations.forget(tx, named, actor=who, at=datetime.now(UTC))


def refusals(settings: Settings, database: Database, item: DestinationSettings) -> list[str]:
    """What a destination refuses although it is sent there, with what to do about it."""
    refused = {
        each.sop_class_uid for each in _remembered(settings, database, item) if each.refused_by
    }
    words = [
        f"it refuses {_short(uid)}: enable it there, or take {kind} out of kinds"
        for uid, kind in _ACCOMPANYING.items()
        if uid in refused and kind in item.kinds
    ]
    if refused >= _REPORTS:
        words.append("it takes no Structured Report: a picture or PDF goes instead")
    return words


def _named(settings: Settings, name: str) -> DestinationSettings:
    for item in settings.destination:
        if item.name == name:
            return item
    names = ", ".join(item.name for item in settings.destination) or "none configured"
    raise OrderError(f"no destination {name!r}; known: {names}")


def _remembered(
    settings: Settings, database: Database, item: DestinationSettings
) -> Sequence[Answer]:
    """The answers that are believed: those that it gave where it is now."""
    address = str(partners.receiver(settings, item))
    with database.read() as tx:
        return list(destinations.recall(tx, item.name, address).values())


def _view(item: DestinationSettings, answers: Sequence[Answer]) -> DestinationView:
    return DestinationView(
        name=item.name,
        where=item.url or f"{item.ae_title or 'HL7'} at {item.host}:{item.port}",
        gets=", ".join(item.kinds),
        accepts=_names(answer for answer in answers if not answer.refused_by),
        refuses=_names(answer for answer in answers if answer.refused_by),
        confirmed_at=max((answer.confirmed_at for answer in answers), default=None),
    )


def _answer_view(answer: Answer) -> AnswerView:
    return AnswerView(
        name=_short(answer.sop_class_uid),
        sop_class_uid=answer.sop_class_uid,
        answer=f"refused by {answer.refused_by}" if answer.refused_by else "accepted",
        transfer_syntaxes=", ".join(UID(uid).name for uid in answer.transfer_syntaxes),
        learned_at=answer.learned_at,
        confirmed_at=answer.confirmed_at,
    )


def _names(answers: Iterable[Answer]) -> str:
    return ", ".join(_short(answer.sop_class_uid) for answer in answers)


def _short(sop_class_uid: str) -> str:
    return UID(sop_class_uid).name.removesuffix(" Storage")
