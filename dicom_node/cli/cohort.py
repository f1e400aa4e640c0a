"""`echonode cohort`: from an archive and a table of catheterisations to training data."""

import os
from pathlib import Path
from typing import Any

import click

from dicom_node.cli.options import with_json
from dicom_node.cli.output import say, to_json
from dicom_node.cli.progress import progress_bar
from inference.training.trainable import ECG, PIPELINES
from inference.ultrasound.profile import Profile

_jobs = click.option(
    "--jobs", default=os.cpu_count() or 1, show_default=True, help="Number of processes."
)


@click.group()
def cohort() -> None:
    """Build a cohort from a DICOM archive and cache its frames."""


@cohort.command()
@click.option(
    "--pipeline",
    type=click.Choice(PIPELINES),
    default=PIPELINES[0],
    show_default=True,
    help="Pipeline that a model is to be made for.",
)
@click.option(
    "--dicom", required=True, type=click.Path(path_type=Path), help="Folder of the DICOM archive."
)
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV in UTF-8: patient_id, rhc_date, mpap_mmhg; optional pvr_wu, pawp_mmhg, trvmax_m_s, "
    "image_quality, who_class (I to IV), sex.",
)
@click.option(
    "--window",
    "window_days",
    type=click.IntRange(min=0),
    help="Maximum number of days between exam and catheter. Default: 92; cxr_ecg: 7.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    help="Random seed of the split (65/15/20 % of the patients).",
)
@click.option(
    "--split-by",
    type=click.Choice(["patient", "date", "site"]),
    default="patient",
    show_default=True,
    help="Which patients are in the test split: random ones (patient), those with the latest exams "
    "(date), or those of the sites in --test-site (site). No patient is in two splits.",
)
@click.option(
    "--test-site",
    "test_sites",
    multiple=True,
    help="Institution Name or Station Name of a test site, with --split-by site. Repeatable.",
)
@click.option(
    "--selection",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.PAPER.value,
    show_default=True,
    help="Selection rules for loops (echo_haemodynamics). Recorded in the cohort and in bundles.",
)
@click.option(
    "--units-checked",
    is_flag=True,
    help="Build even if the labels seem to be in other units or many rows are implausible.",
)
@_jobs
@with_json
@click.argument("out", type=click.Path(path_type=Path))
def build(
    dicom: Path,
    labels: Path,
    selection: str,
    split_by: str,
    as_json: bool,
    out: Path,
    **how: Any,
) -> None:
    """Match exams to catheterisations, split the patients and write the cohort to OUT.

    Rejected rows and unreadable files are listed in OUT. After an interruption, run the same
    command again: it continues.
    """
    from inference.training.cohort import build as build_cohort
    from inference.training.cohort.reading import site_names
    from inference.training.cohort.splitting import SplitBy

    with progress_bar() as report:
        summary = build_cohort(
            dicom,
            labels,
            out,
            selection=Profile(selection),
            split_by=SplitBy(split_by),
            on_progress=report,
            **how,
        )
    if as_json:
        click.echo(to_json(summary))
        return
    nouns = "loops" if summary.pipeline == PIPELINES[0] else "inputs"
    for split, exams in summary.exams.items():
        subjects, inputs = summary.subjects[split], summary.loops[split]
        click.echo(f"{split:12} {subjects:6} subjects {exams:6} exams {inputs:7} {nouns}")
    for site, name in site_names(out).items():
        say(f"site {site}: {name}, {summary.sites[site]} exams")
    click.echo(
        f"rejected rows: {summary.rejected_rows}; rejected cells: {summary.rejected_cells}; "
        f"excluded files: {summary.excluded_files}"
    )
    for note in summary.notes:
        click.echo(f"note: {note}")
    click.echo(f"what was excluded, and why: {out / 'exclusions.csv'}, {out / 'flow.csv'}")


@cohort.command()
@click.option(
    "--size",
    default=256,
    show_default=True,
    help="Height and width of a frame in pixels. (echo_haemodynamics)",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    help="Folder of the DICOM archive, if it was moved.",
)
@click.option(
    "--mains",
    "mains_hz",
    type=click.Choice(["50", "60"]),
    help="Frequency of the mains where the ECGs were recorded; default: 50. (ecg_ph)",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    help="Folder of WFDB records without labels, such as PTB-XL, for pre-training. (ecg_ph)",
)
@_jobs
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("cache", type=click.Path(path_type=Path))
def cache(
    size: int,
    archive: Path | None,
    mains_hz: str | None,
    records: Path | None,
    jobs: int,
    folder: Path,
    cache: Path,
) -> None:
    """Prepare the inputs of the cohort in FOLDER and write them to CACHE.

    For each loop of an echo cohort: the ten frames of one heartbeat (for evaluation) and up to 128
    frames of the whole loop (for training). 100 frames take 2.5 MB at 256 pixels and 0.2 MB at 64
    pixels. After an interruption, run the same command again: it continues.
    """
    from inference.training import makers
    from inference.training.cohort import cache_frames, read_cohort

    found = read_cohort(folder)
    if found.pipeline != ECG and (mains_hz or records):
        raise click.UsageError(f"--mains and --records go with cohorts of {ECG}")
    mains = {"mains_hz": int(mains_hz)} if mains_hz else {}
    with progress_bar() as report:
        if found.pipeline in makers.MAKERS:
            unusable = makers.cache(
                found, cache, archive=archive, jobs=jobs, on_progress=report, **mains
            )
            click.echo(f"inputs in {cache}; {unusable} cannot be used")
            if records:
                left = makers.cache_records(records, cache, jobs=jobs, on_progress=report, **mains)
                click.echo(f"records for pre-training in {cache}; {left} cannot be used")
            return
        unreadable = cache_frames(
            found, cache, size=size, archive=archive, jobs=jobs, on_progress=report
        )
    click.echo(f"frames of {size} x {size} in {cache}; {unreadable} loop(s) unreadable")
