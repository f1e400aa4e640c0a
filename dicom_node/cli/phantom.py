"""`echonode phantom`: synthetic labelled echo studies, belonging to nobody."""

import os
from pathlib import Path

import click

from dicom_node.cli.progress import progress_bar


@click.group()
def phantom() -> None:
    """Make synthetic echo studies with known pressures."""


@phantom.command()
@click.option(
    "--exams",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of exams.",
)
@click.option(
    "--preset",
    default="realistic",
    show_default=True,
    type=click.Choice(["easy", "realistic", "hard"]),
    help="How hard it is to read the pressures from the loops.",
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Random seed."
)
@click.option(
    "--size",
    default="cart",
    show_default=True,
    type=click.Choice(["cart", "small"]),
    help="Size of the pictures: as a cart exports them, or small, for quick tests.",
)
@click.option(
    "--scanner",
    default="phantom",
    show_default=True,
    type=click.Choice(["phantom", "foreign"]),
    help="foreign: the same patients with other hearts, texture, geometry, noise and screen.",
)
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Number of processes.")
@click.option("--decoys/--no-decoys", default=True, help="Add instances that must be rejected.")
@click.argument("out", type=click.Path(path_type=Path))
def make(
    exams: int,
    preset: str,
    seed: int,
    size: str,
    scanner: str,
    jobs: int,
    decoys: bool,
    out: Path,
) -> None:
    """Write studies as DICOM into OUT, with labels.csv and truth.csv.

    The same options give the same bytes. After an interruption, the same command continues.
    """
    from inference.phantom import make as make_phantom

    try:
        with progress_bar() as report:
            make_phantom(
                out,
                exams=exams,
                preset=preset,
                seed=seed,
                size=size,
                jobs=jobs,
                decoys=decoys,
                scanner=scanner,
                on_progress=lambda done, total: report("studies", done, total),
            )
    except FileExistsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{exams} studies in {out}")


@phantom.command()
@click.argument("picture", type=click.Path(path_type=Path))
def grid(picture: Path) -> None:
    """Draw all views at low and high pressure into PICTURE (.png or .jpg)."""
    from inference.phantom.grid import picture as draw

    draw(picture)
    click.echo(str(picture))
