"""`echonode bundle`: the weights that a pipeline runs on."""

import sys
from pathlib import Path
from typing import Any

import click

from dicom_node.cli.options import with_json
from dicom_node.cli.output import say, to_json


@click.group()
def bundle() -> None:
    """Check and show model bundles."""


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path))
@with_json
def check(folder: Path, as_json: bool) -> None:
    """Check whether a bundle can be used, and show what it withholds; exit status 1 if it cannot.

    Shows too whether it carries familiarity: data to recognise inputs unlike its training.
    """
    from inference.bundle.loading import read_manifest

    problems = bundle_problems(folder)
    withheld = [] if problems else [item.sentence for item in read_manifest(folder).withheld]
    carried = "" if problems else familiarity_of(folder)
    if as_json:
        found = {"good": not problems, "problems": problems, "withheld": withheld}
        click.echo(to_json({"folder": folder, **found, "familiarity": carried}))
    elif problems:
        say(f"{folder}: cannot be used", *(f"  {item}" for item in problems))
    else:
        say(f"{folder}: good", f"  familiarity: {carried}", *(f"  {item}" for item in withheld))
    sys.exit(1 if problems else 0)


def bundle_problems(folder: Path) -> list[str]:
    """What keeps a bundle from running in its pipeline; nothing when it does."""
    from inference.bundle.checking import check as check_bundle
    from inference.bundle.loading import read_manifest
    from inference.errors import InferenceError
    from inference.pipeline import load_pipeline

    problems = check_bundle(folder)
    if problems:
        return problems
    try:
        load_pipeline(read_manifest(folder).pipeline, folder, "cpu")
    except InferenceError as error:
        return [str(error)]
    return []


def familiarity_of(folder: Path) -> str:
    """What a usable bundle carries to tell inputs unlike those of its training."""
    from inference.bundle.checking import familiarity
    from inference.bundle.loading import read_manifest

    return familiarity(read_manifest(folder))


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path))
@with_json
def show(folder: Path, as_json: bool) -> None:
    """Show what a bundle is, how it was made and what it is for."""
    from inference.bundle.checking import describe
    from inference.bundle.loading import read_manifest

    described = describe(read_manifest(folder))
    if as_json:
        click.echo(to_json(described))
        return
    for key, value in described:
        say(f"{key:24} {value}")


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write; empty: print it.")
def card(folder: Path, out: Path | None) -> None:
    """Print the model card of a bundle, one HTML page: what it is for and how good it is."""
    from inference.bundle.loading import read_manifest, read_model_card

    page = read_model_card(folder, read_manifest(folder))
    if page is None:
        raise click.ClickException(
            f"{folder} has no model card: an older version packed it. `echonode evaluate --bundle` "
            "writes one beside its report"
        )
    if out is None:
        click.echo(page, nl=False)
    else:
        out.write_text(page, encoding="utf-8")
        say(f"model card: {out}")


@bundle.command()
@click.option("--cohort", required=True, type=click.Path(path_type=Path), help="Built cohort.")
@click.option("--frames", required=True, type=click.Path(path_type=Path), help="Frame cache.")
@click.option("--name", default="", help="Name of the bundle; empty: the recipe's.")
@click.option("--version", default="1", show_default=True, help="Version of the bundle.")
@click.option("--licence", default="", help="Licence of the weights.")
@click.option(
    "--ages",
    type=(float, float),
    help="Ages that it is for, in years: from the first, below the second; empty: all adults.",
)
@click.option(
    "--weights",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "float16", "bfloat16"]),
    help="Precision of the weights; half precision is refused if it changes estimates.",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def pack(
    cohort: Path,
    frames: Path,
    weights: Any,
    run: Path,
    out: Path,
    ages: tuple[float, float] | None,
    **stated: str,
) -> None:
    """Pack the evaluated model in RUN into a bundle in OUT, calibrated on the validation split."""
    from inference.bundle.manifest import Population
    from inference.training import makers
    from inference.training.cohort import pipeline_of
    from inference.training.packing import pack as pack_bundle
    from inference.training.statement import Statement

    given: dict[str, Any] = {key: value for key, value in stated.items() if value}
    if ages is not None:
        if not 0 <= ages[0] < ages[1]:
            raise click.BadParameter("give the lower age first, in years", param_hint="--ages")
        given["population"] = Population(from_years=ages[0], below_years=ages[1])
    statement, pipeline = Statement(**given), pipeline_of(cohort)
    if pipeline in makers.MAKERS:
        if weights != "float32":
            raise click.UsageError(
                f"models of {pipeline} are packed as they were trained: no --weights"
            )
        manifest = makers.pack(pipeline, run, cohort, frames, out, statement=statement)
    else:
        manifest = pack_bundle(
            run, cohort, out, frames=frames, statement=statement, weights=weights
        )
    say(f"{manifest.name} {manifest.version} in {out}, digest {manifest.digest[:16]}")
    for text in (*(item.sentence for item in manifest.withheld), *manifest.limitations):
        say(f"limitation: {text}")
