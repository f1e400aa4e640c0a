"""Judging a run: calibrated on validation, judged on test, as a report with the paper's tables."""

from functools import partial
from pathlib import Path

import pandas as pd

from inference.training.cohort import looks
from inference.training.cohort.scan import Progress, silent
from inference.training.cxr_ecg import sections as own
from inference.training.cxr_ecg.estimated import estimate, predictions, read_estimates
from inference.training.cxr_ecg.run import load_network, read_run
from inference.training.evaluation import (
    Evaluation,
    Subject,
    evaluate,
    evidence_sections,
    groups,
    sections,
    write_report,
)
from inference.training.evaluation.section import SectionOf
from inference.training.trained import weights_sha256


def report(
    run: Path, cohort: Path, cache: Path, out: Path, *, on_progress: Progress = silent
) -> Path:
    """Estimate, judge and write report.html, report.pdf and figures.json; the HTML's path.

    Raises:
        TrainingDataError: the run is not finished or of another cohort, or too few records.
    """
    table = estimate(run, cohort, cache, on_progress=on_progress)
    made, judged = read_run(run), judge(run, cohort)
    subject = Subject(made.recipe.name, "1", made.cohort.standing, made.cohort.sha256)
    return write_report(judged, subject, out, section_functions=_sections(table))


def judge(run: Path, cohort: Path, *, coverage: float = 0.90, draws: int = 2000) -> Evaluation:
    """Calibrate a run's estimates on validation and judge those of its first network on test.

    Raises:
        TrainingDataError: nothing was estimated yet, or too few records.
    """
    made = read_run(run)
    first = made.recipe.networks[0]
    return evaluate(
        predictions(read_estimates(run), first),
        sds={"mPAP": made.sd_mmhg},
        coverage=coverage,
        draws=draws,
        stopped_on="nothing",
        looks=looks.read(cohort, weights_sha256({first.prefix: load_network(run, made, first)})),
    )


def _sections(table: pd.DataFrame) -> list[SectionOf]:
    test = table[table["split"] == "test"].dropna(subset="truth").reset_index(drop=True)
    return [
        evidence_sections.signal,
        sections.performance,
        partial(own.parts, test),
        partial(own.controls, test),
        sections.agreement,
        sections.calibration,
        own.courses,
        sections.detection,
        evidence_sections.probabilities,
        sections.verdicts,
        groups.section,
        sections.improvements,
    ]
