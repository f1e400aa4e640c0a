"""`echonode audit`: what happened, when, to whom and by whom; and whether anybody touched it."""

import re
import sys
from typing import Any

import click

from dicom_node.cli.options import Moment, with_json, with_page
from dicom_node.cli.output import print_csv, print_page, say, text, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import audit as operations
from storage.audit.trail import Action
from storage.audit.verification import Finding, Verification

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


class _SearchUnlessNamed(click.Group):
    """`echonode audit --since 24h` is `echonode audit search --since 24h`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["search", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_SearchUnlessNamed)
def audit() -> None:
    """Search the audit (default), or verify it."""


@audit.command()
@click.option("--since", type=Moment(), help="Events since then: 2026-11-21T10:00, 90m, 24h, 7d.")
@click.option("--until", type=Moment(), help="Events before then.")
@click.option("--peer", help="Name of the peer.")
@click.option("--patient", "patient_id", help="Patient ID.")
@click.option("--accession", "accession_number", help="Accession number.")
@click.option(
    "--action",
    type=click.Choice([item.value for item in Action], case_sensitive=False),
    metavar="ACTION",
    help="Kind of event, such as report_made; an unknown one lists all.",
)
@click.option("--study", "study_id", type=int, help="Number (id) of the study.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
    help="Form of the output.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@with_page
@with_session
def search(
    session: Session, limit: int, after: str | None, form: str, as_json: bool, **criteria: Any
) -> None:
    """Search the audit, newest first; all conditions must hold."""
    criteria["action"] = Action(criteria["action"]) if criteria["action"] else None
    found = operations.search(session.database, session.who, criteria, limit=limit, after=after)
    if form == "csv" and not as_json:
        print_csv(found.rows, _CSV)
        if found.next:
            say(f"more: --after {found.next}", err=True)
    else:
        print_page(found, _COLUMNS, as_json=as_json or form == "json", empty="No matching events.")


class _Head(click.ParamType[tuple[int, str]]):
    """A head of the audit as `verify` prints it: POSITION:CHAIN."""

    name = "position:chain"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, str]:
        """Read it."""
        match = re.fullmatch(r"(\d+):([0-9a-f]{64})", value)
        if not match:
            self.fail(f"{value!r} is not a head: copy what an earlier `verify` printed", param, ctx)
        return int(match[1]), match[2]


@audit.command(name="verify")
@click.option(
    "--expect",
    type=_Head(),
    help="Head that an earlier run printed: finds events that were cut off at the end since.",
)
@with_session
@with_json
def verify_(session: Session, expect: tuple[int, str] | None, as_json: bool) -> None:
    """Check whether events were changed, removed or moved since they were sealed, and name them.

    Events are sealed a second after they happened, in a chain of digests. Keep the printed head on
    another machine, and give it to --expect the next time. Exit status 1 if something was changed.
    """
    found = operations.verify(session.database, expect)
    if as_json:
        click.echo(to_json({"sound": found.is_sound, "result": found}))
    else:
        _print(found)
    sys.exit(0 if found.is_sound else 1)


def _print(found: Verification) -> None:
    for finding in found.findings:
        say(_line(finding))
    verdict = "sound" if found.is_sound else f"DAMAGED in {len(found.findings)} place(s)"
    click.echo(f"audit is {verdict}; {found.position} event(s) sealed, {found.not_sealed} not yet")
    click.echo(f"head {found.position}:{found.chain}")


def _line(finding: Finding) -> str:
    where = [
        f"event {finding.event_id}" if finding.event_id is not None else "",
        f"at {finding.at}" if finding.at else "",
        text(finding.action),
        f"seal {finding.position}" if finding.position is not None else "",
        f"and {finding.count - 1} more" if finding.count > 1 else "",
    ]
    return f"{finding.damage}: {' '.join(part for part in where if part)}"
