"""`echonode train` and `echonode evaluate`: make a model, and see honestly how good it is."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from dicom_node.cli.options import with_json
from dicom_node.cli.output import say, to_json
from dicom_node.cli.progress import progress_bar

if TYPE_CHECKING:
    from inference.training.acceptance import Acceptance
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

    Several GPUs: torchrun --nproc-per-node N -m dicom_node train fit ... After an interruption,
    the same command continues.
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
    """Train the networks of a recipe into the folder RUN, pre-training first if it says so.

    RUN then holds the weights, metrics as CSV and for TensorBoard, and the seeds and versions.
    """
    from inference.training.cautions import cautions
    from inference.training.cohort import read_cohort
    from inference.training.fit import fit as fit_networks

    chosen = _find(recipe)
    for caution in cautions(read_cohort(cohort), chosen.targets):
        say(f"caution: {caution}", err=True)
    with progress_bar() as report:
        made = fit_networks(chosen, cohort, frames, run, encoder=encoder, on_progress=report)
    click.echo(f"{len(made.members)} network(s) in {run}; next: echonode evaluate")


@click.command()
@click.option("--bundle", type=_path, help="Folder of a bundle to judge, instead of a run.")
@_cohort
@click.option(
    "--frames",
    type=_path,
    help="Folder of the frame cache. A run needs it; for a bundle frames that are not there are "
    "cached there (default: OUT/frames).",
)
@click.option("--out", "folder", type=_path, help="Folder of the report, instead of OUT.")
@click.option("--notes", type=_path, help="CSV: sop_instance_uid, view, quality of each loop.")
@click.option(
    "--probes/--no-probes",
    default=True,
    help="Also judge which pictures unlike the training are recognised (a minute or more). (run)",
)
@click.option(
    "--clips",
    type=_path,
    help="Folder of other ultrasound as DICOM, such as other organs, judged as probes. (run)",
)
@click.option(
    "--archive", type=_path, help="Folder of the cohort's files, if they were moved. (bundle)"
)
@click.option(
    "--trained-on",
    type=_path,
    help="Cohort that the bundle was trained on: its patients are left out. (bundle)",
)
@click.option(
    "--unfamiliar",
    type=click.Choice(["exclude", "note", "off"]),
    default="exclude",
    show_default=True,
    help="Loops unlike the training data, as in [[pipeline]]. (bundle)",
)
@click.option(
    "--fit-by",
    type=click.Choice(["patient", "date"]),
    default="patient",
    show_default=True,
    help="Patients that the local steps are fitted on: at random, or the earlier ones. (bundle)",
)
@click.option(
    "--fit-share",
    type=click.FloatRange(0.1, 0.9),
    default=0.5,
    show_default=True,
    help="Share of the patients that the local steps are fitted on. (bundle)",
)
@click.option(
    "--write-bundle",
    type=_path,
    help="Folder for a new bundle with the local steps; the given one stays. (bundle)",
)
@click.option(
    "--jobs", type=int, help="Processes that cache frames; default: one per core. (bundle)"
)
@click.argument("run", required=False, type=_path)
@click.argument("out", required=False, type=_path)
@click.pass_context
def evaluate(  # noqa: PLR0913, PLR0917 - what a caller may say, by name
    context: click.Context,
    /,
    bundle: Path | None,
    cohort: Path,
    frames: Path | None,
    folder: Path | None,
    notes: Path | None,
    probes: bool,
    clips: Path | None,
    run: Path | None,
    out: Path | None,
    **how: Any,
) -> None:
    """Judge a model; report and model card go to OUT.

    \b
    evaluate --cohort C --frames F RUN OUT     the model in RUN, on its cohort's test split
    evaluate --bundle B --cohort C --out OUT   any bundle on any cohort: as shipped, then
                                               recalibrated locally, step by step
    """
    if bundle is not None and run is not None and out is None:
        run, out = None, run  # one folder beside a bundle is where the report goes
    if (bundle is None) is (run is None):
        raise click.UsageError("give either RUN or --bundle")
    if (folder is None) is (out is None):
        raise click.UsageError("say once where the report goes: OUT or --out")
    into = cast("Path", folder or out)
    alien, owner = (how, "--bundle") if bundle is None else (("probes", "clips"), "RUN")
    for name in alien:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with {owner}")
    if bundle is not None:
        _judge_bundle(bundle, cohort, into, frames=frames, notes=notes, **how)
        return
    if frames is None:
        raise click.UsageError("RUN needs --frames")
    _judge_run(
        cast("Path", run), cohort, into, frames=frames, notes=notes, probes=probes, clips=clips
    )


def _judge_run(
    run: Path,
    cohort: Path,
    out: Path,
    *,
    frames: Path,
    notes: Path | None,
    probes: bool,
    clips: Path | None,
) -> None:
    from inference.training.contact_sheet import draw_extreme_loops
    from inference.training.packing import report as write_report
    from inference.training.predict import predict
    from inference.training.probing import probe

    with progress_bar() as report:
        predict(run, cohort, frames, notes=notes, on_progress=report)
        if probes:
            probe(run, cohort, frames, clips=clips, on_progress=report)
    click.echo(f"report: {write_report(run, out, cohort=cohort)}")
    sheet = draw_extreme_loops(run, cohort, frames, out)
    if sheet is not None:
        click.echo(f"loops of highest and lowest attention (patients' images): {sheet}")


def _judge_bundle(
    bundle: Path,
    cohort: Path,
    out: Path,
    *,
    frames: Path | None,
    fit_by: str,
    jobs: int | None,
    write_bundle: Path | None,
    **how: Any,
) -> None:
    from inference.training.evaluation.local import FitBy
    from inference.training.external import judge_bundle, write_judged
    from inference.training.locally_fitted import write_locally_fitted

    with progress_bar() as report:
        judged = judge_bundle(
            bundle,
            cohort,
            frames or out / "frames",
            fit_by=FitBy(fit_by),
            jobs=jobs or os.cpu_count() or 1,
            on_progress=report,
            **how,
        )
    for sentence in judged.sentences:
        click.echo(sentence)
    click.echo(f"report: {write_judged(judged, out)}")
    if write_bundle is not None:
        manifest = write_locally_fitted(bundle, judged, write_bundle)
        say(f"{manifest.name} {manifest.version} in {write_bundle}, digest {manifest.digest[:16]}")


@train.command()
@_cohort
@_frames
@with_json
@click.argument("runs", type=_path, nargs=-1, required=True)
def compare(cohort: Path, frames: Path, as_json: bool, runs: tuple[Path, ...]) -> None:
    """Judge finished RUNS of one cohort on its validation split, each against the first.

    As the paper's table of ablations: raw estimates at the guideline's limits, with 95 % intervals.
    The test split is not used. Runs that were stopped by validation look better than they are.
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
    "--preset",
    default="easy",
    show_default=True,
    type=click.Choice(["easy", "realistic", "hard"]),
)
@click.option("--exams", type=click.IntRange(min=30), help="Number of exams; empty: 800.")
@click.option(
    "--training",
    default=0.65,
    show_default=True,
    type=click.FloatRange(0.05, 0.8),
    help="Share of the exams for training; 0.15 are for validation, the rest for the test.",
)
@click.option("--seed", default=1, show_default=True)
@click.option("--series", is_flag=True, help="Five seeds and numbers of training exams, one table.")
@with_json
@click.argument("folder", type=_path)
def phantom_run(
    preset: str,
    exams: int | None,
    training: float,
    seed: int,
    series: bool,
    as_json: bool,
    folder: Path,
) -> None:
    """Every step on synthetic studies: phantom, cohort, training, evaluation, bundle, in FOLDER.

    Exit status 1 if the figures miss the criteria of the easy preset; with --series, if fewer than
    four runs meet them.
    """
    from inference.training.acceptance import EXAMS, SERIES, SERIES_MET, acceptance

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
