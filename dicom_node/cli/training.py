"""`echonode train`: make a model."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from dicom_node.cli.options import with_json
from dicom_node.cli.output import say, to_json
from dicom_node.cli.progress import progress_bar
from inference.training.trainable import FILM_AND_ECG, PIPELINES

if TYPE_CHECKING:
    from inference.training.acceptance import Acceptance
    from inference.training.any_recipe import AnyRecipe

_Kind = TypeVar("_Kind", bound="AnyRecipe")

_path = click.Path(path_type=Path)
_recipe = click.option(
    "--config",
    "recipe",
    default="paper",
    show_default=True,
    help="Recipe: a TOML file, or the name of one that comes with the node (`train recipes`).",
)
_cohort = click.option("--cohort", required=True, type=_path, help="Folder of the built cohort.")
_frames = click.option("--frames", required=True, type=_path, help="Folder of `cohort cache`.")


@click.group()
def train() -> None:
    """Pre-train and train models on a cohort.

    On several GPUs: torchrun --nproc-per-node N -m dicom_node train fit ... After an interruption,
    run the same command again: it continues.
    """


@train.command()
def recipes() -> None:
    """List the recipes that come with the node."""
    from inference.training.any_recipe import AnyRecipe
    from inference.training.recipe_files import named_recipe, recipe_names

    for name in recipe_names():
        about = named_recipe(name, AnyRecipe).about
        click.echo(f"{name:12} {' '.join(about.split())}")


def _find(recipe: str, kind: "type[_Kind]") -> "_Kind":
    from inference.training.recipe_files import named_recipe, read_recipe

    is_file = recipe.endswith(".toml") or Path(recipe).is_file()
    return read_recipe(Path(recipe), kind) if is_file else named_recipe(recipe, kind)


@train.command()
@_recipe
@_cohort
@_frames
@click.argument("run", type=_path)
def pretrain(recipe: str, cohort: Path, frames: Path, run: Path) -> None:
    """Pre-train the encoder of a recipe as an autoencoder and write it to the folder RUN.

    For recipes of echo_haemodynamics; those of other pipelines pre-train in `train fit`.
    """
    from inference.training.fit import pretrain_encoder
    from inference.training.recipe import Recipe

    with progress_bar() as report:
        chosen = _find(recipe, Recipe)
        encoder = pretrain_encoder(chosen, cohort, frames, run, on_progress=report)
    click.echo(f"encoder: {encoder}")


@train.command()
@_recipe
@_cohort
@_frames
@click.option(
    "--encoder", type=_path, help="Pre-trained encoder to start from; no pre-training then."
)
@click.argument("run", type=_path)
def fit(recipe: str, cohort: Path, frames: Path, encoder: Path | None, run: Path) -> None:
    """Train the networks of a recipe and write them to the folder RUN.

    Pre-trains first if the recipe says so. RUN then contains the weights, the metrics (CSV and
    TensorBoard), the seeds and the library versions.
    """
    from inference.training import makers
    from inference.training.any_recipe import AnyRecipe
    from inference.training.cohort import read_cohort
    from inference.training.cohort.sizes import warnings_of
    from inference.training.fit import fit as fit_networks
    from inference.training.recipe import Recipe

    chosen = _find(recipe, AnyRecipe)
    built = read_cohort(cohort)
    if built.pipeline != chosen.pipeline:
        raise click.UsageError(
            f"recipe {chosen.name} is for {chosen.pipeline}, the cohort for {built.pipeline}"
        )
    if not isinstance(chosen, Recipe):
        if encoder is not None and chosen.pipeline != FILM_AND_ECG:
            raise click.UsageError(f"--encoder does not go with recipes of {chosen.pipeline}")
        with progress_bar() as report:
            makers.fit(chosen, cohort, frames, run, encoder=encoder, on_progress=report)
        click.echo(f"trained in {run}; next: echonode evaluate")
        return
    found = warnings_of(built, chosen.targets)
    for warning in found:
        say(f"warning: {warning}", err=True)
    if found:
        say("Add patients, or compare the model with the evaluation's baseline.", err=True)
    with progress_bar() as report:
        made = fit_networks(chosen, cohort, frames, run, encoder=encoder, on_progress=report)
    click.echo(f"{len(made.members)} network(s) in {run}; next: echonode evaluate")


@train.command()
@_cohort
@_frames
@with_json
@click.argument("runs", type=_path, nargs=-1, required=True)
def compare(cohort: Path, frames: Path, as_json: bool, runs: tuple[Path, ...]) -> None:
    """Compare finished RUNS of one cohort on its validation split, each with the first.

    As in the paper's table of ablations: raw estimates, decided at the guideline's limits, with
    95 % intervals. The test split is not used. Where the validation split also chose a run's
    weights (stopping.on = "validation"), the figures of that run are too good.
    """
    from inference.training.comparing import compare as compare_runs

    with progress_bar() as report:
        found = compare_runs(runs, cohort, frames, on_progress=report)
    if as_json:
        click.echo(to_json(found))
        return
    for each in found:
        say(f"{each.run}, {each.target}: {each.exams} exams, stopped on {each.stopped_on}")
        for name, figure in each.figures.items():
            change = each.difference.get(name)
            against = "" if change is None else f"   difference to the first {change.show()}"
            say(f"  {name:12} {figure.show()}{against}")


@train.command("phantom")
@click.option(
    "--pipeline",
    type=click.Choice(PIPELINES),
    default=PIPELINES[0],
    show_default=True,
    help="Pipeline that a model is made for; --exams, --training and --series are of the first.",
)
@click.option(
    "--preset",
    default="easy",
    show_default=True,
    type=click.Choice(["easy", "realistic", "hard"]),
    help="How hard it is to read the pressures from the phantom's loops.",
)
@click.option("--exams", type=click.IntRange(min=30), help="Number of exams. Default: 800.")
@click.option(
    "--training",
    default=0.65,
    show_default=True,
    type=click.FloatRange(0.05, 0.8),
    help="Share of exams in the training split; validation gets 0.15, test the rest.",
)
@click.option(
    "--seed", default=1, show_default=True, help="Random seed of the phantom and of the split."
)
@click.option(
    "--series",
    is_flag=True,
    help="Run five seeds with different numbers of training exams and print one table.",
)
@with_json
@click.argument("folder", type=_path)
@click.pass_context
def phantom_run(  # noqa: PLR0913, PLR0917 - what a caller may say, by name
    context: click.Context,
    /,
    pipeline: str,
    preset: str,
    exams: int | None,
    training: float,
    seed: int,
    series: bool,
    as_json: bool,
    folder: Path,
) -> None:
    """Make a phantom, its cohort, a trained model, its evaluation and its bundle in FOLDER.

    Exit status 1 if the figures of the easy preset miss its limits; with --series, if fewer than
    four of the five runs meet them.
    """
    from inference.training.acceptance import EXAMS, SERIES, SERIES_MET, acceptance

    if pipeline != PIPELINES[0]:
        for name in ("exams", "training", "series"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                raise click.UsageError(f"--{name} goes with {PIPELINES[0]}")
        _other_phantom(pipeline, folder, preset, seed, as_json)
        return
    results = []
    for number, share in SERIES if series else ((seed, training),):
        with progress_bar() as report:
            result = acceptance(
                folder / f"seed-{number}" if series else folder,
                exams=exams or EXAMS,
                training=share,
                preset=preset,
                seed=number,
                on_progress=report,
            )
        results.append(result)
        if not as_json:
            _show(result, judged=preset == "easy")
    if as_json:
        click.echo(to_json(results if series else results[0]))
    elif series:
        _show_series(results)
    met, wanted = sum(result.met for result in results), SERIES_MET if series else 1
    sys.exit(0 if met >= wanted or preset != "easy" else 1)


def _other_phantom(pipeline: str, folder: Path, preset: str, seed: int, as_json: bool) -> None:
    from inference.training import makers

    with progress_bar() as report:
        made = makers.acceptance(pipeline, folder, preset=preset, seed=seed, on_progress=report)
    say(to_json(made)) if as_json else say(*made.lines())
    sys.exit(0 if made.met or preset != "easy" else 1)


def _show(result: "Acceptance", *, judged: bool) -> None:
    """Print one run's figures; only the easy preset is judged by them."""
    exams = "/".join(str(result.exams[split]) for split in ("train", "validation", "test"))
    click.echo(f"seed {result.seed}, exams {exams}")
    for item in result.criteria:
        verdict = "met" if item.met else "MISSED"
        between = "" if item.interval is None else "  ({:.3f} to {:.3f})".format(*item.interval)
        click.echo(f"{verdict if judged else '':6} {item.name:44} {item.reached:.3f}{between}")
    for name, figure in result.oracle.items():
        click.echo(f"oracle {name:44} {figure:.3f}")
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items())
    click.echo(f"{stages}\nbundle: {result.bundle}\nreport: {result.report}")


def _show_series(results: "Sequence[Acceptance]") -> None:
    """Print a row per figure and a column per run; a star marks a figure out of its range."""
    rows = [["", *(f"seed {result.seed}" for result in results)]]
    rows += [["training exams", *(str(result.exams["train"]) for result in results)]]
    rows += [
        [items[0].name, *(f"{item.reached:.2f}{'' if item.met else '*'}" for item in items)]
        for items in zip(*(result.criteria for result in results), strict=True)
    ]
    rows += [["seconds", *(f"{sum(result.seconds.values()):.0f}" for result in results)]]
    for name, *cells in rows:
        click.echo(f"{name:44}" + "".join(f"{cell:>9}" for cell in cells))
    met = sum(result.met for result in results)
    click.echo(f"{met} of {len(results)} runs meet every criterion")
