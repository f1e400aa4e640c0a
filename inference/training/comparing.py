"""Runs side by side on the validation split, as the paper's table of ablations is made.

The figures are the networks' own, decided at the guideline's limits: nothing is calibrated, and the
test split is not looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from inference.errors import TrainingDataError
from inference.models.device import choose_device
from inference.training.checkpoint import require_same
from inference.training.cohort.reading import Cohort, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.evaluation.metrics import (
    Figure,
    Statistic,
    agreement,
    auc,
    decisions,
    resample,
    summarise,
)
from inference.training.exams import open_exams
from inference.training.predict import estimate
from inference.training.run import Run, read_run
from inference.training.run_folder import RUN
from inference.training.scales import Scale, truth
from inference.training.trained import in_memory, load_networks

_SHOWN = ("pcc", "mae", "accuracy", "sensitivity", "specificity", "auc")
_COMPARED = ("pcc", "mae")
_DRAWS, _SEED = 2000, 0


@dataclass(frozen=True, slots=True)
class Compared:
    """One run and target: figures of the `exams` with a truth and an estimate, with 95 % intervals.

    `stopped_on` says which exams chose its weights: where it is "validation", the figures flatter.
    `difference` is to the first run, on the same draws of patients; empty for the first.
    """

    run: str
    target: str
    stopped_on: str
    exams: int
    figures: Mapping[str, Figure]
    difference: Mapping[str, Figure]


def compare(
    runs: Sequence[Path],
    cohort: Path,
    frames: Path,
    *,
    split: str = "validation",
    on_progress: Progress = silent,
) -> list[Compared]:
    """Judge finished runs of one cohort on one of its splits, target by target.

    The test split is for phantoms: who chooses among runs by it has none left to judge with.

    Raises:
        TrainingDataError: a run is not finished or of another cohort, or its frames are not cached.
    """
    found = read_cohort(cohort)
    made = [read_run(folder) for folder in runs]
    for folder, run in zip(runs, made, strict=True):
        require_same(folder / RUN, {"cohort": run.cohort.sha256}, {"cohort": found.sha256})
    tables = [
        _estimates(folder, run, found, frames, split, on_progress)
        for folder, run in zip(runs, made, strict=True)
    ]
    return [
        compared
        for target in made[0].recipe.targets
        for compared in _of_target(target, made, tables)
    ]


def _estimates(
    folder: Path, run: Run, cohort: Cohort, frames: Path, split: str, on_progress: Progress
) -> pd.DataFrame:
    """Truth and estimate of every exam of a split and target of one run."""
    exams = open_exams(cohort, frames, split=split, size=run.recipe.frame_size_px)
    bundle = in_memory(run, load_networks(folder, run), choose_device(run.recipe.device.name))
    rows = []
    for done, (each, fusion) in enumerate(estimate(bundle, exams), start=1):
        rows += [
            {
                "exam": each.exam.exam_id,
                "patient": each.exam.patient_number,
                "target": scale.target,
                "truth": truth(each.exam, scale.target),
                "estimate": fusion.estimates[scale.target],
            }
            for scale in run.scales
        ]
        on_progress(f"compare {run.recipe.name}", done, len(exams))
    return pd.DataFrame(rows).dropna()


def _of_target(
    target: str, runs: Sequence[Run], tables: Sequence[pd.DataFrame]
) -> Iterator[Compared]:
    first: Mapping[str, Statistic] = {}
    known: list[str] = []
    for run, table in zip(runs, tables, strict=True):
        scale = next((scale for scale in run.scales if scale.target == target), None)
        if scale is None:
            continue
        rows = table[table["target"] == target].sort_values("exam")
        if rows.empty:
            raise TrainingDataError(f"compare: no exam has {target}")
        drawn = _drawn(rows, scale)
        same = list(rows["exam"]) == known
        yield Compared(
            run.recipe.name,
            target,
            run.stopped_on,
            len(rows),
            summarise({name: drawn[name] for name in _SHOWN}),
            summarise({name: drawn[name] - first[name] for name in _COMPARED} if same else {}),
        )
        if not known:
            first, known = drawn, list(rows["exam"])


def _drawn(rows: pd.DataFrame, scale: Scale) -> dict[str, Statistic]:
    measured, value = rows["truth"].to_numpy(float), rows["estimate"].to_numpy(float)
    weights = resample(rows["patient"], draws=_DRAWS, seed=_SEED)
    present = measured > scale.limit
    return {
        **agreement(measured, value, weights),
        **decisions(present, value > scale.limit, weights),
        "auc": auc(present, value, weights),
    }
