"""`echonode peer`: try the systems that the node works with."""

import sys

import click

from dicom_node import logs
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import text, to_json, visible
from dicom_node.cli.session import Session, with_session
from dicom_node.errors import OrderError
from dicom_node.peer_doctor.steps import Step, Steps, Verdict, summary
from dicom_node.settings.model import Settings

_COLOURS = {Verdict.WORKS: "green", Verdict.LACKS: "yellow", Verdict.FAILS: "red"}


@click.group()
def peer() -> None:
    """Test the systems that the node works with."""


@peer.command()
@click.argument("name", required=False)
@with_settings
@with_json
def echo(name: str | None, settings: Settings, as_json: bool) -> None:
    """Ask the destination, archive or work list NAME, or all of them, whether they answer.

    By C-ECHO, a search (DICOMweb) or a connection (HL7). Nothing is stored there. Exit status 1
    if one does not answer.
    """
    from dicom_node.operations import peers

    try:
        results = peers.echo(settings, name)
    except OrderError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(to_json(results))
    else:
        for who, result in results.items():
            verdict = "answers" if result.ok else "does NOT answer"
            took = f"{result.duration_s * 1000:.0f} ms"
            click.echo(f"{who}: {verdict} ({visible(result.detail)}, {took})")
    sys.exit(0 if all(result.ok for result in results.values()) else 1)


@peer.command()
@click.argument("name")
@click.option(
    "--send",
    "sends",
    is_flag=True,
    help="Also store a synthetic report there, and delete it again where permitted.",
)
@with_session
@with_json
def doctor(name: str, sends: bool, session: Session, as_json: bool) -> None:
    """Test the destination, archive or peer NAME step by step, and say what to change.

    Connects, negotiates, and asks what would be accepted; stores nothing unless --send is given.
    For a peer, which calls the node, it shows what the node knows. Exit status 1 if a step fails.
    """
    from dicom_node.operations import peers

    logs.configure("warning")
    results = {
        heading: _carry_out(heading, steps, quietly=as_json)
        for heading, steps in peers.examinations(session.settings, session.database, name, sends)
    }
    if as_json:
        click.echo(to_json(results))
    steps = [step for found in results.values() for step in found]
    failed = peers.record_examination(session.database, session.who, name, steps, sent=sends)
    sys.exit(1 if failed else 0)


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
