"""`echonode train` and `echonode evaluate`: make a model, and see honestly how good it is."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_node.cli.options import with_json
from dicom_node.cli.output import to_json
from dicom_node.cli.progress import progress_bar

if TYPE_CHECKING:
    from inference.training.recipe import Recipe

_path = click.Path(path_type=Path)
_recipe = click.option(
    "--config",
    "recipe",
    default="paper",
    show_default=True,
    help="Recipe: a TOML file, or the name of one that comes with the node (`train recipes`).",
)
_cohort = click.option("--cohort", required=True, type=_path, help="Folder of the built cohort.")
_frames = click.option("--frames", required=True, type=_path, help="Folder of the frame cache.")


@click.group()
def train() -> None:
    """Pre-train and train models on a cohort.

    Several GPUs: torchrun --nproc-per-node N -m dicom_node train fit ... The same command goes on
    where a killed one stopped.
    """


@train.command()
def recipes() -> None:
    """List the recipes that come with the node."""
    from inference.training.recipe import named_recipe, recipe_names

    for name in recipe_names():
        click.echo(f"{name:12} {named_recipe(name).about}")


def _find(recipe: str) -> "Recipe":
    from inference.training.recipe import named_recipe, read_recipe

    is_file = recipe.endswith(".toml") or Path(recipe).is_file()
    return read_recipe(Path(recipe)) if is_file else named_recipe(recipe)


@train.command()
@_recipe
@_cohort
@_frames
@click.argument("run", type=_path)
def pretrain(recipe: str, cohort: Path, frames: Path, run: Path) -> None:
    """Pre-train the encoder of a recipe as an autoencoder, into the folder RUN."""
    from inference.training.fit import pretrain_encoder

    with progress_bar() as report:
        encoder = pretrain_encoder(_find(recipe), cohort, frames, run, on_progress=report)
    click.echo(f"encoder: {encoder}")


@train.command()
@_recipe
@_cohort
@_frames
@click.option("--encoder", type=_path, help="Pre-trained encoder, instead of pre-training.")
@click.argument("run", type=_path)
def fit(recipe: str, cohort: Path, frames: Path, encoder: Path | None, run: Path) -> None:
    """Train the networks of a recipe into the folder RUN, pre-training first where it says so.

    RUN then holds the weights, metrics as CSV and for TensorBoard, and the seeds and versions.
    """
    from inference.training.fit import fit as fit_networks

    with progress_bar() as report:
        made = fit_networks(_find(recipe), cohort, frames, run, encoder=encoder, on_progress=report)
    click.echo(f"{len(made.members)} network(s) in {run}; next: echonode evaluate")


@click.command()
@_cohort
@_frames
@click.option("--notes", type=_path, help="CSV: sop_instance_uid, view, quality of each loop.")
@click.option(
    "--probes/--no-probes",
    default=True,
    help="Also judge which pictures unlike the training are recognised (a minute or more).",
)
@click.option(
    "--clips",
    type=_path,
    help="Folder of other ultrasound as DICOM, such as other organs, to be judged as probes.",
)
@click.argument("run", type=_path)
@click.argument("out", type=_path)
def evaluate(
    cohort: Path,
    frames: Path,
    notes: Path | None,
    probes: bool,
    clips: Path | None,
    run: Path,
    out: Path,
) -> None:
    """Judge the model in RUN on the test split; the report (HTML, PDF, JSON) goes to OUT."""
    from inference.training.packing import report as write_report
    from inference.training.predict import predict
    from inference.training.probing import probe

    with progress_bar() as report:
        predict(run, cohort, frames, notes=notes, on_progress=report)
        if probes:
            probe(run, cohort, frames, clips=clips, on_progress=report)
    click.echo(f"report: {write_report(run, out)}")


@train.command("phantom")
@click.option(
    "--preset",
    default="easy",
    show_default=True,
    type=click.Choice(["easy", "realistic", "hard"]),
)
@click.option("--exams", type=click.IntRange(min=30), help="Exams to make; empty: enough.")
@click.option("--seed", default=1, show_default=True)
@with_json
@click.argument("folder", type=_path)
def phantom_run(preset: str, exams: int | None, seed: int, as_json: bool, folder: Path) -> None:
    """The whole way on synthetic studies: phantom, cohort, training, evaluation, bundle in FOLDER.

    Exit status 1 when the figures miss what the easy preset must reach.
    """
    from inference.training.acceptance import EXAMS, acceptance

    with progress_bar() as report:
        result = acceptance(
            folder, exams=exams or EXAMS, preset=preset, seed=seed, on_progress=report
        )
    if as_json:
        click.echo(to_json(result))
    else:
        for item in result.criteria:
            verdict = "met" if item.met else "MISSED"
            mark = verdict if preset == "easy" else ""  # only the easy preset has to reach them
            click.echo(f"{mark:6} {item.name:44} {item.reached:.3f}")
        for name, figure in result.oracle.items():
            click.echo(f"oracle {name:44} {figure:.3f}")
        stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items())
        click.echo(f"{stages}\nbundle: {result.bundle}\nreport: {result.report}")
    sys.exit(0 if result.met or preset != "easy" else 1)
