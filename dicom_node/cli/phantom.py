"""`echonode phantom`: synthetic labelled studies, belonging to nobody."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from dicom_node.cli.progress import progress_bar


@click.group()
def phantom() -> None:
    """Make synthetic studies with known pressures."""


@phantom.command()
@click.option(
    "--kind",
    default="echo",
    show_default=True,
    type=click.Choice(["echo", "ecg", "film", "patients"]),
    help="What the studies are. patients: a chest film and an ECG of each patient, over years.",
)
@click.option(
    "--exams",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of exams (patients: number of patients).",
)
@click.option(
    "--preset",
    default="realistic",
    show_default=True,
    type=click.Choice(["easy", "realistic", "hard"]),
    help="How hard it is to read the pressures.",
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Random seed."
)
@click.option(
    "--size",
    default="cart",
    show_default=True,
    type=click.Choice(["cart", "small"]),
    help="Size of the pictures: as a cart exports them, or small, for quick tests. (echo)",
)
@click.option(
    "--scanner",
    default="phantom",
    show_default=True,
    type=click.Choice(["phantom", "foreign"]),
    help="foreign: the same patients with other hearts, texture, geometry, noise and screen. "
    "(echo)",
)
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Number of processes.")
@click.option("--decoys/--no-decoys", default=True, help="Add instances that must be rejected.")
@click.argument("out", type=click.Path(path_type=Path))
def make(kind: str, exams: int, out: Path, **how: Any) -> None:
    """Write studies as DICOM into OUT, with labels.csv and truth.csv.

    The same options give the same bytes. After an interruption, the same command continues.
    """
    _keep_options_of(kind, how)
    try:
        with progress_bar() as report:
            _maker(kind)(
                out,
                **{_COUNTED[kind]: exams},
                **how,
                on_progress=lambda done, total: report("studies", done, total),
            )
    except FileExistsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{exams} {_COUNTED[kind]} in {out}")


#: Kind -> what writes it; imported when it is asked for.
_MAKERS = {
    "echo": "inference.phantom:make",
    "ecg": "inference.phantom.ecg:make",
    "film": "inference.phantom.film.making:make_films",
    "patients": "inference.phantom.patients:make",
}
#: What of a kind is counted.
_COUNTED = {"echo": "exams", "ecg": "ecgs", "film": "exams", "patients": "patients"}
#: Options that only some kinds have.
_ONLY = {"size": "echo", "scanner": "echo"}


def _keep_options_of(kind: str, how: dict[str, Any]) -> None:
    """Take out what a kind does not have; refuse it where it was asked for."""
    context = click.get_current_context()
    for name, owner in _ONLY.items():
        if kind == owner:
            continue
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name} goes with --kind {owner}")
        del how[name]


def _maker(kind: str) -> Callable[..., Path]:
    module, name = _MAKERS[kind].split(":")
    return cast("Callable[..., Path]", getattr(import_module(module), name))


@phantom.command()
@click.argument("picture", type=click.Path(path_type=Path))
def grid(picture: Path) -> None:
    """Draw all views at low and high pressure into PICTURE (.png or .jpg)."""
    from inference.phantom.grid import picture as draw

    draw(picture)
    click.echo(str(picture))
