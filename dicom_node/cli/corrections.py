"""`echonode study correct, withdraw, reinstate`: put right what was reported of a study."""

import getpass
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import to_json
from dicom_node.settings.model import Settings
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.database.engine import Transaction
from storage.studies.orders import Order
from storage.work import roster


def _birth_date(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not re.fullmatch(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", value):
        raise click.BadParameter("write YYYYMMDD")
    return value


@click.command()
@click.argument("key")
@click.option("--patient-id", help="Patient ID.")
@click.option("--patient-name", help="Patient's Name as DICOM writes it: Family^Given.")
@click.option(
    "--birth-date",
    "patient_birth_date",
    callback=_birth_date,
    help="Birth date, YYYYMMDD; empty: unknown.",
)
@click.option(
    "--sex", "patient_sex", type=click.Choice(["M", "F", "O", ""]), help="Sex; empty: unknown."
)
@click.option("--accession", "accession_number", help="Accession number.")
@click.option(
    "--same-patient",
    is_flag=True,
    help="All instances received so far are of this one patient, whatever they say.",
)
@click.option("--reason", required=True, help="Reason, recorded in the audit.")
@with_settings
@with_json
def correct(
    key: str,
    same_patient: bool,
    reason: str,
    settings: Settings,
    as_json: bool,
    **attributes: str | None,
) -> None:
    """Correct the identification of a study; KEY is its UID or id.

    Reports are issued again under the corrected identification. Use it for merged patients, too:
    the node does not read the hospital's merge messages.
    """
    corrected = Identification(**attributes)
    if not corrected.given() and not same_patient:
        raise click.UsageError("say what to correct: --patient-id, --accession, ...")

    def change(tx: Transaction, study_id: int, order: Order) -> int | None:
        return ordered.correct_identification(
            tx, study_id, corrected, order, same_patient=same_patient
        )

    carry_out(change, key, reason, settings, as_json=as_json)


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help="Reason, shown in the report: enter no patient data.")
@with_settings
@with_json
def withdraw(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Withdraw all reports of a study; KEY is its UID or id.

    Destinations get a report that says so. Instances that come later are stored, but nothing is
    reported of the study until `study reinstate`.
    """
    carry_out(ordered.withdraw, key, reason, settings, as_json=as_json)


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help="Reason, recorded in the audit.")
@with_settings
@with_json
def reinstate(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """End the withdrawal of a study, and report on it again; KEY is its UID or id."""
    carry_out(ordered.reinstate, key, reason, settings, as_json=as_json)


def carry_out(
    change: Callable[[Transaction, int, Order], Any],
    key: str,
    reason: str,
    settings: Settings,
    *,
    as_json: bool,
    otherwise: str = "takes effect when the study is complete",
) -> None:
    """Carry out an order about a study, and tell its revision; `otherwise`, where it makes none."""
    if not reason.strip():
        raise click.UsageError("--reason is empty")
    own, now = [pipeline.name for pipeline in settings.pipeline], datetime.now(UTC)
    database = app.open_database(settings)
    try:
        with database.write() as tx:
            study_id = ordered.study_id_of(tx, key)
            order = Order(
                actor=getpass.getuser(),
                at=now,
                reason=reason.strip(),
                pipelines=roster.pipelines(tx, own, now),
            )
            revision = change(tx, study_id, order)
    finally:
        database.close()
    if as_json:
        click.echo(to_json({"study": study_id, "revision": revision}))
    elif revision is None:
        click.echo(f"study {study_id}: {otherwise}")
    else:
        click.echo(f"study {study_id}: revision {revision} is on its way")
