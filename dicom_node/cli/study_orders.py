"""The orders of `echonode study`: complete, hold, release, rerun, settle, correct, withdraw, ..."""

import re
from collections.abc import Callable

import click

from dicom_node.cli.options import with_json, with_reason
from dicom_node.cli.output import to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import orders
from dicom_node.operations.orders import Asked, Ordered
from storage.corrections.ordered import Identification
from storage.database.transactions import Database


def _birth_date(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not re.fullmatch(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", value):
        raise click.BadParameter("write YYYYMMDD")
    return value


def _order(
    name: str,
    carry_out: Callable[[Database, str, Asked], Ordered],
    words: str,
    reason: str = "Reason, recorded in the audit.",
) -> click.Command:
    """The command of an order that takes a study and a reason."""

    @click.command(name, help=words)
    @click.argument("key")
    @with_reason(reason)
    @with_session
    @with_json
    def command(key: str, reason: str, session: Session, as_json: bool) -> None:
        _tell(carry_out(session.database, key, session.asked(reason)), as_json=as_json)

    return command


def _tell(done: Ordered, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json({"study": done.study, "revision": done.revision}))
    else:
        click.echo(f"study {done.study}: {done.outcome}")


complete = _order(
    "complete",
    orders.complete,
    """Complete a study with the instances received so far; KEY is its UID or id.

    Missing instances are no longer waited for; their alarm and a hold end.
    """,
)
hold = _order(
    "hold",
    orders.hold,
    "Keep a study from being completed until `study release`; KEY is its UID or id.",
)
release = _order("release", orders.release, "End a hold; KEY is the UID or id of the study.")
rerun = _order(
    "rerun",
    orders.rerun,
    """Analyse a complete study again with the current bundles; KEY is its UID or id.

    A new report is sent only if it differs from the last one.
    """,
)
settle = _order(
    "settle",
    orders.settle,
    """Settle the alarms of a study that need no further action; KEY is its UID or id.

    Refused instances no longer count as missing. For announced ones use `study complete`.
    """,
)
withdraw = _order(
    "withdraw",
    orders.withdraw,
    """Withdraw all reports of a study; KEY is its UID or id.

    Destinations get a report that says so. Instances that come later are stored, but nothing is
    reported of the study until `study reinstate`.
    """,
    reason="Reason, shown in the report: enter no patient data.",
)
reinstate = _order(
    "reinstate",
    orders.reinstate,
    "End the withdrawal of a study, and report on it again; KEY is its UID or id.",
)


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
@with_reason()
@with_session
@with_json
def correct(
    key: str,
    same_patient: bool,
    reason: str,
    session: Session,
    as_json: bool,
    **attributes: str | None,
) -> None:
    """Correct the identification of a study; KEY is its UID or id.

    Reports are issued again under the corrected identification. Use it for merged patients, too:
    the node does not read the hospital's merge messages.
    """
    corrected = Identification(**attributes)
    done = orders.correct(
        session.database, key, session.asked(reason), corrected, same_patient=same_patient
    )
    _tell(done, as_json=as_json)
