"""`echonode evaluate`: see honestly how good a model is."""

import os
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from dicom_node.cli.output import say
from dicom_node.cli.progress import progress_bar

_path = click.Path(path_type=Path)


@click.command()
@click.option("--bundle", type=_path, help="Folder of a bundle to evaluate, instead of RUN.")
@click.option("--cohort", required=True, type=_path, help="Folder of the built cohort.")
@click.option(
    "--frames",
    type=_path,
    help="Folder of the frame cache. Required for a run. For a bundle, missing frames are added to "
    "it (default: OUT/frames).",
)
@click.option("--out", "folder", type=_path, help="Folder of the report; another way to give OUT.")
@click.option(
    "--notes",
    type=_path,
    help="CSV with the columns sop_instance_uid, view and quality of each loop.",
)
@click.option(
    "--probes/--no-probes",
    default=True,
    help="Also test how well pictures unlike the training are detected; takes minutes. (run)",
)
@click.option(
    "--clips",
    type=_path,
    help="Folder of other ultrasound (DICOM), such as other organs, as further probes. (run)",
)
@click.option(
    "--archive", type=_path, help="Folder of the cohort's DICOM files, if they were moved. (bundle)"
)
@click.option(
    "--trained-on",
    type=_path,
    help="Cohort that the bundle was trained on: its training and validation patients are left "
    "out. (bundle)",
)
@click.option(
    "--unfamiliar",
    type=click.Choice(["exclude", "note", "off"]),
    default="exclude",
    show_default=True,
    help="What to do with loops unlike the training, as in [[pipeline]]. (bundle)",
)
@click.option(
    "--fit-by",
    type=click.Choice(["patient", "date"]),
    default="patient",
    show_default=True,
    help="Patients for local fitting: random ones, or those with the earliest exams. (bundle)",
)
@click.option(
    "--fit-share",
    type=click.FloatRange(0.1, 0.9),
    default=0.5,
    show_default=True,
    help="Share of the patients for local fitting. (bundle)",
)
@click.option(
    "--write-bundle",
    type=_path,
    help="Folder for a new, locally fitted bundle; the given one is not changed. (bundle)",
)
@click.option(
    "--jobs",
    type=int,
    help="Number of processes that cache frames; default: one per core. (bundle)",
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
    """Evaluate a model; write the report (HTML, PDF, JSON) and the model card to OUT.

    \b
    evaluate --cohort C --frames F RUN OUT     the model in RUN, on its cohort's test split
    evaluate --bundle B --cohort C --out OUT   any bundle on any cohort: as shipped, then
                                               recalibrated locally, step by step

    Options marked (run) or (bundle) apply to that form only.
    """
    if bundle is not None and run is not None and out is None:
        run, out = None, run  # one folder beside a bundle is where the report goes
    if (bundle is None) is (run is None):
        raise click.UsageError("give either RUN or --bundle")
    if (folder is None) is (out is None):
        raise click.UsageError("give the folder of the report once: OUT or --out")
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
    if pipeline := _other_pipeline(cohort):
        _judge_other(pipeline, cast("Path", run), cohort, frames, into, context)
        return
    _judge_run(
        cast("Path", run), cohort, into, frames=frames, notes=notes, probes=probes, clips=clips
    )


def _other_pipeline(cohort: Path) -> str:
    """The pipeline of a cohort whose models are not echo's; "" of echo's."""
    from inference.training import makers
    from inference.training.cohort import pipeline_of

    pipeline = pipeline_of(cohort)
    return pipeline if pipeline in makers.MAKERS else ""


def _judge_other(
    pipeline: str, run: Path, cohort: Path, frames: Path, out: Path, context: click.Context
) -> None:
    from inference.training import makers

    for name in ("notes", "probes", "clips"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name} goes with models of echo_haemodynamics")
    with progress_bar() as report:
        page = makers.report(pipeline, run, cohort, frames, out, on_progress=report)
    click.echo(f"report: {page}")


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
    from inference.training.packing import judge
    from inference.training.packing import report as write_report
    from inference.training.predict import predict
    from inference.training.probing import probe

    with progress_bar() as report:
        predict(run, cohort, frames, notes=notes, on_progress=report)
        if probes:
            probe(run, cohort, frames, clips=clips, on_progress=report)
    judged = judge(run, cohort=cohort)
    click.echo(f"report: {write_report(run, judged, out, cohort=cohort)}")
    if judged.attention is not None:
        sheet = draw_extreme_loops(judged.attention, run, cohort, frames, out)
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
