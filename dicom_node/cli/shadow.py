"""`echonode shadow`: compare what two pipelines, or two bundles of one, found."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from dicom_node.cli.options import Moment, with_json
from dicom_node.cli.output import say, to_json
from dicom_node.cli.session import Session, with_session

if TYPE_CHECKING:
    from inference.agreement import Agreement, Figure


@click.group()
def shadow() -> None:
    """Compare a pipeline that runs as a shadow ([[pipeline]] reports = false) with another."""


@shadow.command()
@click.argument("first")
@click.argument("second")
@click.option("--since", type=Moment(), help="Only studies whose last instance came since then.")
@with_session
@with_json
def compare(
    first: str, second: str, since: datetime | None, session: Session, as_json: bool
) -> None:
    """Show how far pipelines FIRST and SECOND agree on the studies that both analysed.

    For each measurement: bias (SECOND minus FIRST) and limits of agreement (Bland-Altman), each
    with its 95 % interval. For each verdict, grade or class: agreement and Cohen's kappa. Then the
    studies that disagree, by their ids.
    """
    from dicom_node.operations import shadow as operations

    found = operations.compare(session.database, session.who, first, second, since)
    if as_json:
        click.echo(to_json(found))
    else:
        say(*_lines(first, second, found))


def _lines(first: str, second: str, found: "Agreement") -> Iterator[str]:
    yield f"{found.n} study(ies) analysed by both"
    yield (
        f"  result of both {found.both}, of {first} only {found.only_first}, "
        f"of {second} only {found.only_second}, of neither {found.neither}"
    )
    for item in found.measurements:
        yield f"\n{item.name}, {item.unit}: {item.n} study(ies)"
        yield f"  bias                  {_figure(item.bias)}"
        yield f"  limits of agreement   {_figure(item.lower)}"
        yield f"                        {_figure(item.upper)}"
    for verdict in found.judgements:
        chance = "undefined" if verdict.kappa is None else f"{verdict.kappa:.2f}"
        yield f"\n{verdict.name}: {verdict.agreed} of {verdict.n} agree, kappa {chance}"
        for one, other, count in verdict.table:
            yield f"  {count:6}  {one} -> {other}"
    yield f"\n{len(found.disagreements)} study(ies) disagree"
    for study in found.disagreements:
        yield f"  study {study.study}: {'; '.join(study.what)}"


def _figure(figure: "Figure") -> str:
    if figure.value is None:
        return "too few studies"
    if figure.low is None or figure.high is None:
        return f"{figure.value:+.2f}"
    return f"{figure.value:+.2f} (95 % interval {figure.low:+.2f} to {figure.high:+.2f})"
