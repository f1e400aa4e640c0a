"""`echonode destination`: where results go, and what each destination was found to accept."""

import getpass
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import click
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

from dicom_node import app
from dicom_node.app import partners
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import print_rows, to_json
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from storage.delivery import destinations
from storage.delivery.destinations import Answer

_LIST = {
    "name": "name",
    "where": "where",
    "gets": "gets",
    "accepts": "accepts",
    "refuses": "refuses",
    "last heard": "confirmed_at",
}
_SHOW = {
    "SOP class": "name",
    "uid": "sop_class_uid",
    "answer": "answer",
    "transfer syntaxes": "transfer_syntaxes",
    "since": "learned_at",
    "last": "confirmed_at",
}
_REPORTS = frozenset(
    {
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        EnhancedSRStorage,
        BasicTextSRStorage,
    }
)
_COMPANIONS = {
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


@click.group()
def destination() -> None:
    """Show where results go and what each destination accepts."""


@destination.command("list")
@with_settings
@with_json
def list_(settings: Settings, as_json: bool) -> None:
    """List the destinations and what each was found to accept."""
    views = [_view(item, _remembered(settings, item)) for item in settings.destination]
    print_rows(views, _LIST, as_json=as_json, empty="No destinations configured.")


@destination.command()
@click.argument("name")
@with_settings
@with_json
def show(name: str, settings: Settings, as_json: bool) -> None:
    """Show the answers of the destination NAME to each SOP class that was offered."""
    answers = [_answer_view(item) for item in _remembered(settings, _named(settings, name))]
    print_rows(answers, _SHOW, as_json=as_json, empty="Nothing was offered to it yet.")


@destination.command()
@click.argument("name")
@with_settings
@with_json
def forget(name: str, settings: Settings, as_json: bool) -> None:
    """Forget what the destination NAME accepts, after a change there: every form is tried again."""
    with closing(app.open_database(settings)) as database, database.write() as tx:
        count = destinations.forget(
            tx, _named(settings, name).name, actor=getpass.getuser(), at=datetime.now(UTC)
        )
    click.echo(to_json({"forgotten": count}) if as_json else f"{count} answer(s) forgotten")


def refusals(settings: Settings, item: DestinationSettings) -> list[str]:
    """What a destination refuses although it is sent there, with what to do about it."""
    refused = {each.sop_class_uid for each in _remembered(settings, item) if each.refused_by}
    words = [
        f"it refuses {_short(uid)}: enable it there, or take {kind} out of kinds"
        for uid, kind in _COMPANIONS.items()
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
    raise click.BadParameter(f"no destination {name!r}; known: {names}")


def _remembered(settings: Settings, item: DestinationSettings) -> Sequence[Answer]:
    """The answers that are believed: those that it gave where it is now."""
    address = str(partners.receiver(settings, item))
    with closing(app.open_database(settings)) as database, database.read() as tx:
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
