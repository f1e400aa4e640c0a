"""`echonode audit`: what happened, when, to whom and by whom."""

from typing import Any

import click

from dicom_node.cli.options import Moment, with_limit, with_settings
from dicom_node.cli.output import print_csv, print_rows
from dicom_node.cli.viewing import looking
from dicom_node.settings import Settings
from storage.audit import Action, search

_COLUMNS = {
    "id": "id",
    "time": "at",
    "action": "action",
    "outcome": "outcome",
    "actor": "actor",
    "peer": "peer",
    "study": "study_id",
    "patient": "patient_id",
    "accession": "accession_number",
    "detail": "detail",
}
_CSV = _COLUMNS | {
    "address": "address",
    "association": "association_id",
    "instance": "sop_instance_uid",
}


@click.command()
@click.option("--since", type=Moment(), help="From then on: 2026-11-21T10:00, 90m, 24h, 7d.")
@click.option("--until", type=Moment(), help="Before then.")
@click.option("--peer", help="Name of the peer.")
@click.option("--patient", "patient_id", help="Patient ID.")
@click.option("--accession", "accession_number", help="Accession number.")
@click.option("--action", type=click.Choice([item.value for item in Action], case_sensitive=False))
@click.option("--study", "study_id", type=int, help="Our number of the study.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@with_limit
@with_settings
def audit(settings: Settings, limit: int, form: str, as_json: bool, **criteria: Any) -> None:
    """Search the audit, newest first; all conditions must hold."""
    criteria["action"] = Action(criteria["action"]) if criteria["action"] else None
    with looking(settings, "audit", criteria["study_id"]) as tx:
        found = search(tx, limit=limit, **criteria)
    if form == "csv" and not as_json:
        print_csv(found, _CSV)
    else:
        print_rows(found, _COLUMNS, as_json=as_json or form == "json", empty="no event meets this")
