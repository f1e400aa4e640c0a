"""What every network of a run makes of the validation and the test split, as one table."""

from pathlib import Path

import numpy as np
import pandas as pd

from inference.errors import TrainingDataError
from inference.models.device import choose_device
from inference.training.checkpoint import require_same
from inference.training.cohort import looks
from inference.training.cohort.reading import CohortExam, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.cxr_ecg.predicting import estimates, judging
from inference.training.cxr_ecg.recipe import Member
from inference.training.cxr_ecg.records import Records, split_records
from inference.training.cxr_ecg.run import Run, load_network, read_run
from inference.training.evaluation.predictions import (
    EXAM_COLUMNS,
    FACTS,
    NUMERIC_FACTS,
    Predictions,
    Unestimated,
)
from inference.training.output import write_whole
from inference.training.run_folder import RUN
from inference.training.trained import weights_sha256

TABLE = "estimates.csv"
#: Columns of the run's first network beside those called as the networks.
WITHOUT, OTHER = "without the ECG", "another patient's ECG"
_TEXTS = dict.fromkeys(("exam_id", "patient_id", "sex", "scanner", "site"), str)


def estimate(
    run: Path, cohort: Path, cache: Path, *, on_progress: Progress = silent
) -> pd.DataFrame:
    """Estimate, write and give back the table of `read_estimates`; counts a look at the test split.

    Raises:
        TrainingDataError: the run is not finished, or of another cohort.
    """
    made, found = read_run(run), read_cohort(cohort)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": found.sha256})
    first = made.recipe.networks[0]
    looks.record(cohort, weights_sha256({first.prefix: load_network(run, made, first)}))
    splits = ("validation", "test")
    parts = [pd.DataFrame([_facts(exam) for exam in found.part("train")])]
    for number, split in enumerate(splits):
        on_progress("estimates", number, len(splits))
        records = split_records(made.recipe, found, cache, split)
        used = {exam.exam_id for exam in records.exams}
        parts.append(_estimated(run, made, records))
        parts += [
            pd.DataFrame([{**_facts(exam), "unestimated": Unestimated.NO_FILM_OR_ECG.value}])
            for exam in found.part(split)
            if exam.exam_id not in used
        ]
    on_progress("estimates", len(splits), len(splits))
    table = pd.concat(parts, ignore_index=True)
    write_whole(run / TABLE, table.to_csv(index=False))
    return table


def read_estimates(run: Path) -> pd.DataFrame:
    """A row per exam: its facts, `truth`, and in mmHg a column for each network.

    Training exams, and those without a usable film or ECG, have no estimates. The first network's
    are given without the ECG and with another patient's, too.

    Raises:
        TrainingDataError: nothing was estimated yet.
    """
    try:
        return pd.read_csv(run / TABLE, dtype=_TEXTS)
    except OSError:
        raise TrainingDataError(f"{run}: not judged yet; run `echonode evaluate`") from None


def predictions(table: pd.DataFrame, member: Member) -> Predictions:
    """The estimates of one network, as evaluation takes them."""
    exams = table.assign(target="mPAP", estimate=table[member.value])
    known = (*EXAM_COLUMNS, *FACTS, *NUMERIC_FACTS, "unestimated")
    columns = [name for name in known if name in exams]
    return Predictions.of(exams[columns])


def estimated_test_exams(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the test split that have a truth and an estimate."""
    test = table[table["split"] == "test"]
    return test[test["truth"].notna() & test[OTHER].notna()].reset_index(drop=True)


def _facts(exam: CohortExam) -> dict[str, object]:
    return {
        "exam_id": exam.exam_id,
        "patient_id": exam.patient_number,
        "split": exam.split,
        "truth": exam.truth["mpap_mmhg"],
        "sex": exam.sex,
        "scanner": exam.scanner,
        "site": exam.site,
        "exam_date": exam.exam_date,
        "age_years": exam.age_years,
        "days_apart": exam.days_apart,
    }


def _estimated(run: Path, made: Run, records: Records) -> pd.DataFrame:
    rows = pd.DataFrame([_facts(exam) for exam in records.exams])
    for number, member in enumerate(made.recipe.networks):
        device = choose_device(made.recipe.device)
        network = load_network(run, made, member).to(device)
        with judging(device, made.recipe):
            seen = estimates(network, records, made.recipe.film, device)
        columns = {member.value: seen.fused}
        if number == 0:
            columns |= {WITHOUT: seen.usual, OTHER: seen.other}
        for name, values in columns.items():
            rows[name] = made.mean_mmhg + made.sd_mmhg * values.astype(np.float64)
    return rows
