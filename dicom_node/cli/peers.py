"""`echonode peer`: try the systems that the node works with."""

import getpass
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from dicom_node import app, logs
from dicom_node.app import partners
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import text, to_json, visible
from dicom_node.errors import NodeError
from dicom_node.peer_doctor.steps import Step, Steps, Verdict, summary
from dicom_node.settings.connections import Called
from dicom_node.settings.model import Settings
from storage.audit import trail

_COLOURS = {Verdict.WORKS: "green", Verdict.LACKS: "yellow", Verdict.FAILS: "red"}


@click.group()
def peer() -> None:
    """Test the systems that the node works with."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether a system answered; `detail` is a sentence for an administrator."""

    ok: bool
    duration_s: float
    detail: str


@peer.command()
@click.argument("name", required=False)
@with_settings
@with_json
def echo(name: str | None, settings: Settings, as_json: bool) -> None:
    """Ask the destination, archive or work list NAME, or all of them, whether they answer.

    By C-ECHO, a search (DICOMweb) or a connection (HL7). Nothing is stored there. Exit status 1
    if one does not answer.
    """
    everybody: dict[str, Called] = {item.name: item for item in settings.destination}
    everybody |= {f"archive {item.name}": item for item in settings.archive}
    everybody |= {f"work list {item.name}": item for item in settings.work_list}
    wanted = {who: item for who, item in everybody.items() if name in (None, item.name)}
    if not wanted:
        names = ", ".join(dict.fromkeys(item.name for item in everybody.values()))
        raise click.BadParameter(
            f"no destination, archive or work list is named {name!r}; "
            f"known: {names or 'none configured'}"
        )
    results = {who: _answered(settings, item) for who, item in wanted.items()}
    if as_json:
        click.echo(to_json(results))
    else:
        for who, result in results.items():
            verdict = "answers" if result.ok else "does NOT answer"
            took = f"{result.duration_s * 1000:.0f} ms"
            click.echo(f"{who}: {verdict} ({visible(result.detail)}, {took})")
    sys.exit(0 if all(result.ok for result in results.values()) else 1)


def _answered(settings: Settings, item: Called) -> Answered:
    from dicom_node.delivery.reaching import reach

    started = time.monotonic()
    try:
        ok, detail = True, reach(partners.receiver(settings, item))
    except NodeError as error:
        ok, detail = False, str(error)
    return Answered(ok, time.monotonic() - started, detail)


@peer.command()
@click.argument("name")
@click.option(
    "--send",
    "sends",
    is_flag=True,
    help="Also store a synthetic report there, and delete it again where permitted.",
)
@with_settings
@with_json
def doctor(name: str, sends: bool, settings: Settings, as_json: bool) -> None:
    """Test the destination, archive or peer NAME step by step, and say what to change.

    Connects, negotiates, and asks what would be accepted; stores nothing unless --send is given.
    For a peer, which calls the node, it shows what the node knows. Exit status 1 if a step fails.
    """
    from dicom_node.cli.examinations import examinations, known_names

    logs.configure("warning")
    results = {
        heading: _carry_out(heading, steps, quietly=as_json)
        for heading, steps in examinations(settings, name, sends=sends)
    }
    if not results:
        names = ", ".join(known_names(settings)) or "none configured"
        raise click.BadParameter(f"no peer or destination is named {name!r}; known: {names}")
    if as_json:
        click.echo(to_json(results))
    _record(settings, name, results, sends=sends)
    steps = [step for found in results.values() for step in found]
    sys.exit(1 if any(step.verdict is Verdict.FAILS for step in steps) else 0)


def _carry_out(heading: str, steps: Steps, *, quietly: bool) -> list[Step]:
    """Print each step as it is done, and one line on all of them."""
    done = []
    if not quietly:
        click.echo(click.style(heading, bold=True))
    for step in steps:
        done.append(step)
        if not quietly:
            _print(step)
    if not quietly:
        click.echo(summary(heading, done))
    return done


def _print(step: Step) -> None:
    mark = click.style(f"{step.verdict:7}", fg=_COLOURS.get(step.verdict))
    click.echo(f"{mark}  {text(step.name)}: {text(step.detail)}")
    if step.advice:
        click.echo(f"         -> {text(step.advice)}")


def _record(
    settings: Settings, name: str, results: Mapping[str, Sequence[Step]], *, sends: bool
) -> None:
    """Who tried what, and how it went."""
    steps = [step for found in results.values() for step in found]
    failed = sum(step.verdict is Verdict.FAILS for step in steps)
    event = trail.Event(
        action=trail.Action.PEER_EXAMINED,
        at=datetime.now(UTC),
        outcome="failure" if failed else "success",
        actor=getpass.getuser(),
        peer=name,
        detail={"command": "peer doctor", "sent": sends, "steps": len(steps), "failed": failed},
    )
    with closing(app.open_database(settings)) as database, database.write() as tx:
        trail.record(tx, event)
